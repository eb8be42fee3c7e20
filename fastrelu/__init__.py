"""ReLU for NumPy arrays, forward and backward, in SIMD C kernels behind genuine NumPy ufuncs."""

import numpy as np

from . import reference
from ._backend import functions as _functions
from ._backend import implementations, isa
from ._memory import cache_info, clear_cache, set_cache_limit
from ._patch import numpy_is_patched, patch_numpy, patched_numpy, unpatch_numpy
from ._threads import get_num_threads, num_threads, set_num_threads

__version__ = "0.1.0"

__all__ = [
    "activity",
    "add_relu",
    "cache_info",
    "clear_cache",
    "clipped_relu",
    "clipped_relu_backward",
    "dead_units",
    "get_num_threads",
    "implementations",
    "isa",
    "leaky_relu",
    "leaky_relu_backward",
    "num_threads",
    "numpy_is_patched",
    "patch_numpy",
    "patched_numpy",
    "reference",
    "relu",
    "relu_backward",
    "relu_backward_from_mask",
    "relu_derivative",
    "relu_mean",
    "relu_sum",
    "relu_with_mask",
    "set_cache_limit",
    "set_num_threads",
    "show_config",
    "soft_threshold",
    "soft_threshold_backward",
    "subtract_relu",
    "unpatch_numpy",
]


relu = _functions.relu
relu_backward = _functions.relu_backward
add_relu = _functions.add_relu
subtract_relu = _functions.subtract_relu
leaky_relu = _functions.leaky_relu
leaky_relu_backward = _functions.leaky_relu_backward
clipped_relu = _functions.clipped_relu
clipped_relu_backward = _functions.clipped_relu_backward
soft_threshold = _functions.soft_threshold
soft_threshold_backward = _functions.soft_threshold_backward
relu_with_mask = _functions.relu_with_mask
relu_backward_from_mask = _functions.relu_backward_from_mask
relu_sum = _functions.relu_sum
relu_mean = _functions.relu_mean
activity = _functions.activity
dead_units = _functions.dead_units


def relu_derivative(x, at_zero=0):
    reference.check_at_zero(at_zero)
    if isinstance(x, int):  # as an array: alone it would be of the default integer, and may not fit
        x = np.asarray(x)
    if _is_of_arrow(x):
        return _derivative_of_arrow(x, at_zero)
    if at_zero and type(x) is np.ndarray and x.dtype.char in "efd" and x.ndim > 0:
        is_negative = np.less(x, 0)  # of these types without a warning, also of a signalling NaN
        return np.logical_not(is_negative, out=is_negative).astype(x.dtype.newbyteorder("="))
    one = reference.one_of(x)
    derivative = relu_backward(one, x)
    if not at_zero:
        return derivative
    if isinstance(one, int):
        return np.maximum(derivative, np.equal(x, 0))
    with np.errstate(all="ignore"):
        return np.where(np.equal(x, type(one)(0)), one, derivative)[()]


def _is_of_arrow(x):
    """Return whether x is a container of pandas that holds an array of Arrow."""
    return type(getattr(x, "dtype", None)).__name__ == "ArrowDtype"


def _derivative_of_arrow(x, at_zero):
    # pandas gives a ufunc NaN for a missing number, where the derivative would be 1.
    if x.dtype.kind == "b":
        x = x.astype("int64[pyarrow]")
    filled = x.fillna(0) if x.dtype.kind in "iuf" else x
    derivative = relu_backward(1, filled)
    if at_zero:
        derivative = np.maximum(derivative, np.equal(filled, 0))
    with np.errstate(all="ignore"):  # NaN in the second operand makes a number missing again
        return np.maximum(derivative, np.minimum(getattr(x, "array", x), 0))


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
