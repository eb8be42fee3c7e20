"""ReLU for NumPy arrays, forward and backward, in SIMD C kernels behind genuine NumPy ufuncs."""

import os
import sys
import warnings
from types import MappingProxyType

import numpy as np

from . import _memory, _patch, _threads, reference
from ._memory import cache_info, clear_cache, set_cache_limit
from ._patch import numpy_is_patched, patch_numpy, patched_numpy, unpatch_numpy
from ._threads import get_num_threads, num_threads, set_num_threads

__version__ = "0.1.0"

__all__ = [
    "cache_info",
    "clear_cache",
    "get_num_threads",
    "implementations",
    "isa",
    "num_threads",
    "numpy_is_patched",
    "patch_numpy",
    "patched_numpy",
    "reference",
    "relu",
    "relu_backward",
    "relu_backward_from_mask",
    "relu_derivative",
    "relu_with_mask",
    "set_cache_limit",
    "set_num_threads",
    "show_config",
    "unpatch_numpy",
]


def _choose():
    """Return the instruction set to use and everything there is to choose from."""
    wanted = os.environ.get("FASTRELU_ISA", "")
    if wanted == "python":
        return "python", {}
    try:
        from . import _core
    except ImportError as error:
        advice = (
            f"fastrelu._core, its compiled part, cannot be imported ({error}). To build it for "
            "this Python, install fastrelu again where there is a C compiler"
        )
        if wanted:
            raise ImportError(
                f"FASTRELU_ISA={wanted}: {advice}; FASTRELU_ISA=python does without it."
            ) from error
        warnings.warn(
            f"{advice}; to do without it and see no warning, set FASTRELU_ISA=python. "
            "Until then fastrelu runs its reference, which is slow.",
            RuntimeWarning,
            stacklevel=3,
        )
        return "python", {}
    names = list(_core.implementations)
    if wanted and wanted not in names:
        why = "this CPU does not run it" if wanted in _core.compiled_isas else "there is no such set"
        raise ImportError(
            f"FASTRELU_ISA={wanted}: {why}; the choices here are {', '.join(names)}, python"
        )
    _threads.start(_core)
    _memory.start(_core)
    return wanted or names[0], _core.implementations


isa, _found = _choose()
implementations = MappingProxyType(_found)
_used = reference if isa == "python" else implementations[isa]
relu, relu_backward = _used.relu, _used.relu_backward
relu_with_mask = _used.relu_with_mask
relu_backward_from_mask = _used.relu_backward_from_mask
_patch.start(None if isa == "python" else sys.modules[f"{__name__}._core"], relu, relu_backward)


def relu_derivative(x, at_zero=0):
    reference.check_at_zero(at_zero)
    one = reference.one_of(x)
    derivative = relu_backward(one, x)
    if not at_zero:
        return derivative
    if isinstance(one, int):
        return np.maximum(derivative, np.equal(x, 0))
    with np.errstate(all="ignore"):
        return np.where(np.equal(x, type(one)(0)), one, derivative)[()]


relu_derivative.__doc__ = reference.relu_derivative.__doc__


def show_config(mode="stdout"):
    """
    Print, or return, what fastrelu was built with and what it uses.

    Parameters
    ----------
    mode : {"stdout", "dicts"}, optional
        Whether to print it or to return it as a dict, as `numpy.show_config` does.

    Returns
    -------
    dict or None
        The version, the instruction set in use, those that were built, those that this CPU runs,
        the compiler, and the versions of NumPy and Python.

    Raises
    ------
    ValueError
        If mode is neither "stdout" nor "dicts".

    Examples
    --------
    >>> import fastrelu
    >>> fastrelu.show_config(mode="dicts")["version"] == fastrelu.__version__
    True
    """
    from ._config import config

    if mode not in ("stdout", "dicts"):
        raise ValueError(f'mode must be "stdout" or "dicts", not {mode!r}')
    found = config()
    if mode == "dicts":
        return found
    width = max(map(len, found))
    for name, value in found.items():
        print(f"{name:{width}}  {', '.join(value) if isinstance(value, list) else value}")
