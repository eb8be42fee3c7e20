"""scikit-learn's multi-layer perceptrons with fastrelu's kernels, by classes or by a patch."""

import functools
import inspect
from collections import ChainMap
from types import FunctionType, SimpleNamespace

import numpy as np

from ._sklearn import (
    DTYPES,
    ENTRIES,
    add_relu,
    is_patched,
    kernels,
    patch,
    patched,
    unpatch,
)

try:
    from sklearn import __version__ as _version
    from sklearn import neural_network
    from sklearn.neural_network._base import ACTIVATIONS
    from sklearn.utils.extmath import safe_sparse_dot
except Exception as error:  # a broken installation may raise any
    raise ImportError(
        "fastrelu.sklearn needs scikit-learn 1.4.2 or later, which cannot be imported "
        f"({type(error).__name__}: {error}): pip install scikit-learn",
        name="sklearn",
    ) from error

__all__ = ["MLPClassifier", "MLPRegressor", "is_patched", "patch", "patched", "unpatch"]


def _methods_of(estimator):
    """Return a base class of the methods that look up the tables, with ours for ReLU in them."""
    tables = {
        entry.table: ChainMap({"relu": entry.replacement}, entry.functions) for entry in ENTRIES
    }
    methods, found = {}, set()
    for cls in reversed(estimator.__mro__):
        for name, method in vars(cls).items():
            if inspect.isfunction(method) and tables.keys() & method.__code__.co_names:
                found.update(tables.keys() & method.__code__.co_names)
                methods[name] = _with_globals(method, tables)
    if missing := sorted(tables.keys() - found):
        raise ImportError(
            f"fastrelu.sklearn does not know scikit-learn {_version}: no method of its "
            f"{estimator.__name__} looks up {' or '.join(missing)}",
            name="sklearn",
        )
    if (unfused := methods.get("_forward_pass")) and _is_forward_pass(unfused):

        @functools.wraps(unfused)
        def forward_pass(self, activations):
            return (_forward_pass if self.activation == "relu" else unfused)(self, activations)

        methods["_forward_pass"] = forward_pass
    return type("_Methods", (), methods)


def _with_globals(function, names):
    copy = FunctionType(
        function.__code__,
        {**function.__globals__, **names},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return functools.update_wrapper(copy, function)


def _forward_pass(self, activations):
    """Compute the layers as scikit-learn does, but each hidden layer's sum and ReLU in one pass."""
    last = self.n_layers_ - 2
    for i in range(last + 1):
        activations[i + 1] = safe_sparse_dot(activations[i], self.coefs_[i])
        if i < last:
            add_relu(activations[i + 1], self.intercepts_[i])
        else:
            activations[i + 1] += self.intercepts_[i]
    ACTIVATIONS[self.out_activation_](activations[last + 1])
    return activations


def _is_forward_pass(method):
    """Return whether a method needs of its model what `_forward_pass` does, and gives its bits."""
    if not kernels:
        return False
    for dtype in DTYPES:
        x, *arrays = (
            np.linspace(-1, 1, rows * columns, dtype=dtype).reshape(rows, columns)
            for rows, columns in ((9, 3), (3, 5), (5, 4), (4, 2))
        )
        model = SimpleNamespace(
            activation="relu",
            out_activation_="identity",
            n_layers_=4,
            coefs_=arrays,
            intercepts_=[array[0].copy() for array in arrays],
        )
        try:
            results = [
                function(model, [x, None, None, None]) for function in (method, _forward_pass)
            ]
        except Exception:  # this scikit-learn's needs more
            return False
        if len({b"".join(array.tobytes() for array in layers) for layers in results}) != 1:
            return False
    return True


class MLPClassifier(_methods_of(neural_network.MLPClassifier), neural_network.MLPClassifier):
    """
    `sklearn.neural_network.MLPClassifier` that takes fastrelu's kernels for ``activation="relu"``.

    Parameters, attributes, methods and results are those of scikit-learn's class, bit for bit.
    Other models and scikit-learn itself stay as they are. It can be pickled, and used in other
    processes (``n_jobs=2``), which need fastrelu, too.

    See Also
    --------
    patch : For models of scikit-learn's own classes.

    Notes
    -----
    A floating-point warning that scikit-learn gives for the sum of a hidden layer ("overflow
    encountered in add") names ``add_relu``.

    Examples
    --------
    >>> from fastrelu.sklearn import MLPClassifier
    >>> model = MLPClassifier(max_iter=1000, random_state=0).fit([[0.0], [1.0]], ["no", "yes"])
    >>> model.predict([[0.0], [1.0]]).tolist()
    ['no', 'yes']
    """


class MLPRegressor(_methods_of(neural_network.MLPRegressor), neural_network.MLPRegressor):
    """
    `sklearn.neural_network.MLPRegressor` that takes fastrelu's kernels for ``activation="relu"``.

    As `MLPClassifier` for its scikit-learn class.

    Examples
    --------
    >>> from fastrelu.sklearn import MLPRegressor
    >>> model = MLPRegressor(max_iter=1000, random_state=0).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> model.predict([[0.0], [1.0]]).round(1).tolist()
    [0.0, 1.0]
    """
