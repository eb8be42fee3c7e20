"""The configuration that show_config and the records of measurements give."""

import platform

import numpy as np

import fastrelu


def config():
    """Return the configuration as a dict of strings and lists of strings."""
    try:
        from . import _core
    except ImportError:
        built, compiler = [], "none: the compiled part cannot be imported"
    else:
        built, compiler = list(_core.compiled_isas), _core.compiler
    return {
        "version": fastrelu.__version__,
        "isa in use": fastrelu.isa,
        "isas built": built,
        "isas of this CPU": list(fastrelu.implementations),
        "compiler": compiler,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
