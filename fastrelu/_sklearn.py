"""The patch of scikit-learn's perceptrons, which imports nothing of scikit-learn before a call."""

import contextlib
import importlib
import os
import threading
from typing import NamedTuple

import numpy as np

from ._backend import functions, isa
from ._patch import _choose, _probes, operands_of

DTYPES = [np.dtype("f4"), np.dtype("f8")]  # of all that scikit-learn's perceptrons compute

# What gives the bits of np.maximum(x, 0), by dtype, from `operands_of` it and x.
kernels = {}
if isa != "python":
    kernels = {dtype: kernel for dtype in DTYPES if (kernel := _choose(True, dtype))}


def relu(X):  # noqa: N803
    """Give X the bits of ``np.maximum(X, 0)``."""
    kernel = kernels.get(X.dtype) if type(X) is np.ndarray else None
    if kernel is None:
        np.maximum(X, 0, out=X)
    elif kernel is functions.add_relu:  # it reports signalling NaNs, np.maximum does not
        with np.errstate(invalid="ignore"):
            kernel(*operands_of(kernel, X), out=X)
    else:
        kernel(*operands_of(kernel, X), out=X)


def relu_derivative(Z, delta):  # noqa: N803
    """Set delta to 0 where Z, which `relu` has computed, is 0."""
    if (
        type(Z) is type(delta) is np.ndarray
        and Z.shape == delta.shape
        and Z.dtype in kernels
        and delta.dtype in kernels
        and Z.itemsize <= delta.itemsize  # targets of float64 beside inputs of float32
    ):
        functions.relu_backward(delta, Z, out=delta)
    else:
        delta[Z == 0] = 0


def add_relu(z, bias):
    """Give z, the output of a matrix product, the bits of ``np.maximum(z + bias, 0)``."""
    kernel = kernels.get(z.dtype) if type(z) is type(bias) is np.ndarray else None
    if kernel is None or bias.dtype != z.dtype:
        z += bias
        relu(z)
    else:
        # A sum is -0.0 only if both are; add_relu would keep it, np.maximum may not.
        functions.add_relu(z, bias if kernel is functions.relu else bias + 0.0, out=z)


def base():
    """Return scikit-learn's module of the tables in which it looks ReLU up at each pass."""
    return importlib.import_module("sklearn.neural_network._base")


class Entry(NamedTuple):
    """What scikit-learn has for ReLU in a table of `base`, and ours."""

    table: str
    known: str
    statement: str
    replacement: object

    @property
    def functions(self):
        return getattr(base(), self.table)

    @property
    def found(self):
        return self.functions.get("relu")

    def refuse(self, expected):
        version = importlib.import_module("sklearn").__version__
        raise RuntimeError(
            f"scikit-learn {version}: {base().__name__}.{self.table}['relu'] should be {expected}, "
            f"but it is {self.found!r}"
        )


ENTRIES = (
    Entry("ACTIVATIONS", "inplace_relu", "np.maximum(X, 0, out=X)", relu),
    Entry("DERIVATIVES", "inplace_relu_derivative", "delta[Z == 0] = 0", relu_derivative),
)

_lock = threading.RLock()
if hasattr(os, "register_at_fork"):  # the child has no other thread that would give it back
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )
_patches = 0
_before = {}


def patch():
    """
    Let scikit-learn's perceptrons take fastrelu's kernels, in the whole process.

    It exchanges the functions that `sklearn.neural_network.MLPClassifier` and `MLPRegressor` look
    up at each pass for ``activation="relu"``, so that models that exist gain as well. The results
    are bit for bit what they were.

    Raises
    ------
    RuntimeError
        If the functions are not those that scikit-learn 1.4.2 to 1.9.1 has, or do not compute the
        same, or if nothing is compiled.

    See Also
    --------
    unpatch : Undoes one call.
    patched : Patches within a block.
    MLPClassifier, MLPRegressor : Take the kernels without a patch, in other processes as well.

    Examples
    --------
    >>> import fastrelu.sklearn
    >>> from sklearn.neural_network import MLPRegressor
    >>> fastrelu.sklearn.patch()
    >>> model = MLPRegressor(max_iter=1000, random_state=0).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> fastrelu.sklearn.unpatch()
    """
    global _patches
    with _lock:
        if _patches:
            _refuse_changes()
        else:
            for entry in ENTRIES:
                _check(entry)
            for entry in ENTRIES:
                _before[entry] = entry.found
        for entry in ENTRIES:  # others may have restored scikit-learn's own
            entry.functions["relu"] = entry.replacement
        _patches += 1


def unpatch():
    """
    Undo one call of `patch`; after the last one scikit-learn is as it was.

    Raises
    ------
    RuntimeError
        If it is not patched, or if other code has changed the functions since.

    Examples
    --------
    >>> import fastrelu.sklearn
    >>> fastrelu.sklearn.patch()
    >>> fastrelu.sklearn.unpatch()
    >>> fastrelu.sklearn.is_patched()
    False
    """
    global _patches
    with _lock:
        if not _patches:
            raise RuntimeError("scikit-learn is not patched")
        if _patches == 1:
            _refuse_changes()
            for entry in ENTRIES:
                entry.functions["relu"] = _before.pop(entry)
        _patches -= 1


def is_patched():
    """
    Return whether scikit-learn's own perceptrons take fastrelu's kernels.

    Returns
    -------
    bool
        True from the first `patch` to the last `unpatch`.

    Examples
    --------
    >>> import fastrelu.sklearn
    >>> fastrelu.sklearn.is_patched()
    False
    """
    return _patches > 0


@contextlib.contextmanager
def patched():
    """
    Return a context manager within which scikit-learn's perceptrons take fastrelu's kernels.

    Returns
    -------
    context manager
        It calls `patch` on entry and `unpatch` on exit, for the whole process.

    Raises
    ------
    RuntimeError
        As `patch`, on entry.

    Examples
    --------
    >>> import fastrelu.sklearn
    >>> from sklearn.neural_network import MLPRegressor
    >>> with fastrelu.sklearn.patched():
    ...     model = MLPRegressor(max_iter=1000, random_state=0).fit([[0.0], [1.0]], [0.0, 1.0])
    """
    patch()
    try:
        yield
    finally:
        unpatch()


def _check(entry):
    """Refuse an entry that is not scikit-learn's own, or does not do what the replacement does."""
    if isa == "python":
        raise RuntimeError("scikit-learn cannot be patched: fastrelu runs its reference in Python")
    known = getattr(base(), entry.known, None)
    if known is None or entry.found is not known:
        entry.refuse(f"{base().__name__}.{entry.known}, which computes {entry.statement}")
    if not all(_is_same(entry, known, x) for dtype in DTYPES for x in _probes(dtype)):
        entry.refuse(f"what computes {entry.statement}")


def _is_same(entry, known, x):
    """Return whether scikit-learn's function leaves the bits that ours does."""
    given = [x.copy()] if entry.table == "ACTIVATIONS" else [np.maximum(x, 0), x.copy()]
    wanted = [array.copy() for array in given]
    with np.errstate(all="ignore"):
        entry.replacement(*wanted)
        try:
            known(*given)
        except Exception:  # it takes other arguments
            return False
    return [array.tobytes() for array in given] == [array.tobytes() for array in wanted]


def _refuse_changes():
    for entry in ENTRIES:
        if entry.found not in (entry.replacement, _before[entry]):
            entry.refuse(f"{entry.replacement!r}, with which fastrelu has patched it")
