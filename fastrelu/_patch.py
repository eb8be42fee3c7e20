"""The patch of np.maximum by fastrelu's kernels, and the variables that ask for patches."""

import contextlib
import os
import warnings

import numpy as np

from ._backend import core, functions
from ._imports import when_imported

NUMPY_VARIABLE = "FASTRELU_PATCH_NUMPY"
SKLEARN_VARIABLE = "FASTRELU_PATCH_SKLEARN"
PATCHED_OF_SKLEARN = "sklearn.neural_network"

_is_chosen = False


def patch_numpy():
    """
    Let ``np.maximum(0, x)`` and ``np.maximum(x, 0)`` take fastrelu's kernels, in the whole process.

    `numpy.maximum` stays the same object, so code that has imported it by name gains as well. The
    kernels take an exact, native array of integers, float16, float32 or float64; the other operand
    is 0, 0.0 or False of Python or a zero of the array's own dtype; ``out`` may be given. The
    result is bit for bit what it was, in the sign of zero as well, which depends on the order of
    the operands: for each dtype and order, the first patch looks for the kernel that gives what
    NumPy gives for a list of special values. If no kernel does, and in every other call, NumPy
    computes. ``np.clip(x, 0, None)`` and ``x.clip(0)`` gain too: NumPy calls `numpy.maximum`.

    Raises
    ------
    RuntimeError
        If this NumPy does not support it, or nothing is compiled.

    See Also
    --------
    unpatch_numpy : Undoes one call.
    patched_numpy : Patches within a block.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> fastrelu.patch_numpy()
    >>> np.maximum(0, np.array([-1.0, 2.0]))
    array([0., 2.])
    >>> fastrelu.unpatch_numpy()
    """
    _patch([False])


def unpatch_numpy():
    """
    Undo one call of `patch_numpy`; after the last one `numpy.maximum` is as it was.

    Raises
    ------
    RuntimeError
        If it is not patched, or if other code has changed it since.

    Examples
    --------
    >>> import fastrelu
    >>> fastrelu.patch_numpy()
    >>> fastrelu.unpatch_numpy()
    >>> fastrelu.numpy_is_patched()
    False
    """
    core.unpatch_maximum()


def numpy_is_patched():
    """
    Return whether `numpy.maximum` takes fastrelu's kernels.

    Returns
    -------
    bool
        True from the first `patch_numpy` to the last `unpatch_numpy`.

    Examples
    --------
    >>> import fastrelu
    >>> fastrelu.numpy_is_patched()
    False
    """
    return core.maximum_is_patched()


@contextlib.contextmanager
def patched_numpy():
    """
    Return a context manager within which `numpy.maximum` takes fastrelu's kernels.

    Returns
    -------
    context manager
        It calls `patch_numpy` on entry and `unpatch_numpy` on exit, for the whole process.

    Raises
    ------
    RuntimeError
        As `patch_numpy`, on entry.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> with fastrelu.patched_numpy():
    ...     np.maximum(np.array([-1.0, 2.0]), 0)
    array([0., 2.])
    """
    done = [False]
    try:
        _patch(done)
        yield
    finally:
        if done[0]:
            core.unpatch_maximum()


def _patch(done):
    global _is_chosen
    if not _is_chosen:
        for zero_is_last in (False, True):
            for dtype in map(np.dtype, core.KERNEL_TYPES):
                if ufunc := _choose(zero_is_last, dtype):
                    core.choose_for_maximum(zero_is_last, dtype, ufunc)
        _is_chosen = True
    core.patch_maximum(np.maximum, done)


def _choose(zero_is_last, dtype):
    """Return the ufunc that gives, of `operands_of`, what np.maximum gives here; or None."""
    with np.errstate(all="ignore"):
        for ufunc in functions.relu, functions.relu_backward, functions.add_relu:
            for x in _probes(dtype):
                expected = np.maximum(x, 0) if zero_is_last else np.maximum(0, x)
                if ufunc(*operands_of(ufunc, x)).tobytes() != expected.tobytes():
                    break
            else:
                return ufunc
    return None


def operands_of(ufunc, x):
    """
    Return the operands with which a ufunc takes the maximum of an array and 0.

    The sum of x and 0.0 is 0.0 for -0.0, and a quiet NaN for a signalling one: the bits of the
    instruction FMAX of AArch64.
    """
    return [x, 0] if ufunc is functions.add_relu else [x] * ufunc.nin


def _probes(dtype):
    """Return arrays with signed zeros and NaNs at every place of a loop and its tail."""
    if dtype.kind == "f":
        bits = np.dtype(f"u{dtype.itemsize}")
        sign = 1 << (8 * dtype.itemsize - 1)
        infinity = int(np.array(np.inf, dtype).view(bits))
        quiet = 1 << (np.finfo(dtype).nmant - 1)
        above = [0, 1, quiet, infinity - 1, infinity, infinity + 1, infinity + quiet + 1]
        values = np.array(above + [sign + number for number in above], bits).view(dtype)
    else:
        info = np.iinfo(dtype)
        values = np.array([info.min, info.min // 2, info.min + 1, 0, 1, info.max], dtype)
    repeated = np.resize(values, 2000)
    cuts = [slice(n) for n in (1, 3, 15, 699)] + [slice(0, 399, 2)]
    return [repeated[start:][cut] for start in range(len(values)) for cut in cuts]


def patch_sklearn(module=None, stacklevel=None):
    """Patch scikit-learn unless it is patched; `_imports.when_imported` gives the arguments."""
    from . import _sklearn

    if not _sklearn.is_patched():
        _sklearn.patch()


def _is_asked(variable, target):
    """Return whether an environment variable is 1; warn if it is neither 1 nor 0."""
    wanted = os.environ.get(variable, "").strip()
    if wanted not in ("", "0", "1"):
        warnings.warn(
            f"{variable}={wanted}: 1 or 0 is needed; {target} stays as it is",
            RuntimeWarning,
            stacklevel=4,
        )
    return wanted == "1"


def _warn_if_refused(variable, patch, stacklevel):
    try:
        patch()
    except (ImportError, RuntimeError) as error:
        warnings.warn(f"{variable}=1: {error}", RuntimeWarning, stacklevel=stacklevel)


if _is_asked(NUMPY_VARIABLE, "np.maximum"):
    _warn_if_refused(NUMPY_VARIABLE, patch_numpy, stacklevel=4)
if _is_asked(SKLEARN_VARIABLE, "scikit-learn"):
    when_imported(
        PATCHED_OF_SKLEARN,
        lambda module, stacklevel: _warn_if_refused(
            SKLEARN_VARIABLE, patch_sklearn, stacklevel + 1
        ),
    )
