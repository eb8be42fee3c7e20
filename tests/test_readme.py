"""What README.md shows is what happens."""

import doctest
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


def test_examples():
    if not README.exists():
        pytest.skip("README.md is not beside these tests")
    blocks = README.read_text(encoding="utf-8").split("```python\n")[1:]
    text = "\n".join(block.split("```")[0] for block in blocks)
    examples = doctest.DocTestParser().get_doctest(text, {}, "README.md", str(README), 0)
    assert len(examples.examples) >= 6
    assert doctest.DocTestRunner().run(examples).failed == 0
