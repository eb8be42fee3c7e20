"""python -m fastrelu: see _tool/main.py."""

import sys

from ._tool.main import main

if __name__ == "__main__":
    sys.exit(main())
