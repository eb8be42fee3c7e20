"""The operations, types and limits that the self-test, the comparison and the benchmark walk."""

import inspect
import warnings
from typing import NamedTuple

import numpy as np

import fastrelu

from .. import reference


class Operation(NamedTuple):
    """
    An element-wise function of fastrelu.

    Attributes
    ----------
    inputs : int
        The number of operands.
    types : str
        The characters of NumPy's types that it has kernels for.
    status : {"quiet", "ieee"}
        Whether it raises no floating-point flag, or those of its arithmetic.
    """

    inputs: int
    types: str
    status: str


def from_core():
    """Return the operations by name, as fastrelu._core exports them."""
    from fastrelu._core import OPERATIONS

    return {name: Operation(o.inputs, o.types, o.status) for name, o in OPERATIONS.items()}


def from_reference():
    """Return the operations by name, derived from the functions of fastrelu.reference."""
    operations = {}
    for name, function in vars(reference).items():
        if inspect.isfunction(function) and not name.startswith("_"):
            kinds = [p.kind for p in inspect.signature(function).parameters.values()]
            if inputs := kinds.count(inspect.Parameter.POSITIONAL_ONLY):
                types = "".join(t for t in REAL_TYPES if _keeps_type(function, inputs, t))
                status = "ieee" if _raises_flags(function, inputs) else "quiet"
                operations[name] = Operation(inputs, types, status)
    return operations


def takes(name, dtype):
    """Return whether an operation has kernels for a type, NumPy's or one of ml_dtypes."""
    dtype = np.dtype(dtype)
    if reference.name_in_ml_dtypes(dtype):
        function, inputs = getattr(fastrelu, name), OPERATIONS[name].inputs
        return reference.is_real(dtype) and _keeps_type(function, inputs, dtype)
    return dtype.char in OPERATIONS[name].types


def types_of(name):
    """Return the types that an operation has kernels for: NumPy's, then those of ml_dtypes."""
    found = [*map(np.dtype, OPERATIONS[name].types), *_types_in_ml_dtypes()]
    return [dtype for dtype in found if takes(name, dtype)]


def types_of_ml_dtypes():
    """Return the types of ml_dtypes that have kernels, or none where it is not installed."""
    return [d for d in _types_in_ml_dtypes() if any(takes(name, d) for name in OPERATIONS)]


def _types_in_ml_dtypes():
    try:
        import ml_dtypes

        scalars = [getattr(ml_dtypes, name) for name in ml_dtypes.__all__]
        return [np.dtype(s) for s in scalars if isinstance(s, type) and issubclass(s, np.generic)]
    except ImportError:
        return []
    except Exception as error:  # a broken installation may raise any
        what = f"{type(error).__name__}: {error}"
        warnings.warn(f"without the types of ml_dtypes: {what}", RuntimeWarning, stacklevel=2)
        return []


def _keeps_type(function, inputs, dtype):
    """Return whether a function takes operands of a type and returns that type."""
    try:
        return function(*[np.zeros(1, dtype)] * inputs).dtype == dtype
    except TypeError:
        return False


def _raises_flags(function, inputs):
    """Return whether a function raises a floating-point flag for some operands."""
    info = np.finfo(np.float32)
    values = np.array([np.inf, -np.inf, info.max, info.min, info.tiny, 1, 0], np.float32)
    try:
        with np.errstate(all="raise"):
            function(*np.meshgrid(*[values] * inputs))
    except FloatingPointError:
        return True
    return False


REAL_TYPES = "bBhHiIlLqQefd"  # NumPy's integers and its real floats, less longdouble

if fastrelu.implementations:
    from fastrelu._core import KERNEL_TYPES, MAX_LANES

    OPERATIONS = from_core()
else:
    KERNEL_TYPES, MAX_LANES = REAL_TYPES, 64
    OPERATIONS = from_reference()
