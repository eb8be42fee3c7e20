"""scikit-learn's perceptrons give the same bits with the patch, and as fastrelu's classes."""

import doctest
import functools
import itertools
import pickle
import threading
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import failing, in_forks, needs_fork

import fastrelu

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    import scipy.sparse
    from sklearn import neural_network
    from sklearn.base import clone, is_classifier
    from sklearn.model_selection import GridSearchCV
    from sklearn.neural_network import _base
    from sklearn.utils import estimator_checks
    from threadpoolctl import threadpool_limits  # which scikit-learn needs

    import fastrelu.sklearn
    from fastrelu import _patch, _sklearn

if fastrelu.isa == "python":
    pytest.skip("nothing is compiled", allow_module_level=True)

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # SciPy's, of what scikit-learn before 1.7 asks for
    pytest.mark.filterwarnings("ignore:scipy.optimize. The `disp` and `iprint`:DeprecationWarning"),
]

RELU, DERIVATIVE = _base.ACTIVATIONS["relu"], _base.DERIVATIVES["relu"]
NAMES = ["MLPClassifier", "MLPRegressor"]


class Array(np.ndarray):
    """A subclass that changes nothing."""


LAYOUTS = {
    "c": lambda values: values[:4080].reshape(8, -1).copy(),
    "f": lambda values: values[:4080].reshape(8, -1).copy().T,
    "columns": lambda values: values[:4080].reshape(8, -1).copy()[:, 3:],
    "reversed": lambda values: values[::-1],
    "stepped": lambda values: values[:4080].reshape(8, -1)[::2, ::3],
    "one": lambda values: values[:1].copy(),
    "none": lambda values: values[:0].copy(),
    "no dimension": lambda values: values[:1].copy().reshape(()),
    "subclass": lambda values: values.copy().view(Array),
    "masked": lambda values: np.ma.array(values.copy(), mask=np.arange(values.size) % 3 == 0),
}


def bits(*arrays):
    return [(type(array), array.dtype, array.shape, array.tobytes()) for array in arrays]


@pytest.mark.parametrize("char", [*"fdegi", ">f4", ">f8"])
def test_relu_has_the_same_bits(char, random_values):
    dtype = np.dtype(char)
    native = "f8" if dtype.char == "g" else dtype.newbyteorder("=")

    def check(layout):
        values = random_values(np.dtype(native), 4096, 1).astype(dtype)
        expected, result = LAYOUTS[layout](values.copy()), LAYOUTS[layout](values.copy())
        RELU(expected)
        _sklearn.relu(result)
        assert bits(result) == bits(expected)

    with np.errstate(all="ignore"):
        assert failing(check, LAYOUTS) == []


@pytest.mark.parametrize(
    "chars", [*itertools.product("fd", "fd"), ("e", "e"), ("g", "g"), (">f4", ">f4"), ("f", "e")]
)
def test_derivative_has_the_same_bits(chars, random_values):
    def check(layout):
        z, delta = (
            LAYOUTS[layout](random_values(np.dtype("f8"), 4096, seed).astype(char))
            for seed, char in enumerate(chars)
        )
        RELU(z)
        expected, result = delta.copy(), delta.copy()
        DERIVATIVE(z, expected)
        _sklearn.relu_derivative(z, result)
        assert bits(result) == bits(expected)

    with np.errstate(all="ignore"):
        assert failing(check, LAYOUTS) == []


@pytest.mark.parametrize("char", "fd")
def test_derivative_of_zeros_and_nan(char):
    z = np.array([-0.0, 0.0, np.nan, 1e-310, 2.0] * 20, char)
    delta = np.array([-1.0, np.nan, np.inf, -0.0] * 25, char)
    expected = delta.copy()
    DERIVATIVE(z, expected)
    _sklearn.relu_derivative(z, delta)
    assert bits(delta) == bits(expected)


class Watched(np.ndarray):
    """Notes the ufuncs that are called with it."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        CALLS.append(ufunc)
        inputs = [np.asarray(array) for array in inputs]
        return getattr(ufunc, method)(*inputs, out=out and (np.asarray(out[0]),), **kwargs)


CALLS = []


def test_a_subclass_sees_what_scikit_learn_calls():
    CALLS.clear()
    z, delta = np.ones(3).view(Watched), np.ones(3)
    _sklearn.relu(z)
    _sklearn.relu_derivative(z, delta)
    assert CALLS == [np.maximum, np.equal]


@pytest.mark.parametrize("function", [DERIVATIVE, _sklearn.relu_derivative])
def test_derivative_does_not_broadcast_more(function):
    with pytest.raises(IndexError):
        function(np.zeros(3), np.ones((2, 3)))


def test_derivative_of_float64_beside_float32_takes_the_kernel(monkeypatch):
    calls = []
    functions = SimpleNamespace(relu_backward=lambda *args, out: calls.append(args))
    monkeypatch.setattr(_sklearn, "functions", functions)
    for z, delta in ("f", "f"), ("d", "d"), ("f", "d"), ("d", "f"):
        _sklearn.relu_derivative(np.ones(2, z), np.ones(2, delta))
    assert [delta.dtype.char + z.dtype.char for delta, z in calls] == ["ff", "dd", "df"]


# The patch


def test_patch_is_undone():
    assert not fastrelu.sklearn.is_patched()
    fastrelu.sklearn.patch()
    assert _base.ACTIVATIONS["relu"] is _sklearn.relu
    assert _base.DERIVATIVES["relu"] is _sklearn.relu_derivative
    assert fastrelu.sklearn.is_patched()
    fastrelu.sklearn.unpatch()
    assert (_base.ACTIVATIONS["relu"], _base.DERIVATIVES["relu"]) == (RELU, DERIVATIVE)
    assert not fastrelu.sklearn.is_patched()


def test_patch_counts():
    fastrelu.sklearn.patch()
    with fastrelu.sklearn.patched():
        fastrelu.sklearn.patch()
    for expected in True, False:
        fastrelu.sklearn.unpatch()
        assert fastrelu.sklearn.is_patched() == expected
    with pytest.raises(RuntimeError, match="scikit-learn is not patched"):
        fastrelu.sklearn.unpatch()
    assert not fastrelu.sklearn.is_patched()


def test_block_that_fails_is_undone():
    with pytest.raises(ZeroDivisionError), fastrelu.sklearn.patched():
        raise ZeroDivisionError
    assert _base.ACTIVATIONS["relu"] is RELU


def foreign(*arrays):
    pass


def of_another_value(X):  # noqa: N803
    np.maximum(X, 1, out=X)


def of_other_arguments(X, slope):  # noqa: N803
    np.maximum(X, 0, out=X)


TABLES = {"ACTIVATIONS": "inplace_relu", "DERIVATIVES": "inplace_relu_derivative"}


@pytest.mark.parametrize("table", TABLES)
def test_refuses_a_foreign_function(table, monkeypatch):
    monkeypatch.setitem(getattr(_base, table), "relu", foreign)
    with pytest.raises(RuntimeError) as caught:
        fastrelu.sklearn.patch()
    for part in (table, TABLES[table], "which computes", repr(foreign), fastrelu.sklearn._version):
        assert part in str(caught.value)
    assert not fastrelu.sklearn.is_patched()
    assert getattr(_base, table)["relu"] is foreign


@pytest.mark.parametrize("table", TABLES)
def test_refuses_without_an_entry(table, monkeypatch):
    monkeypatch.delitem(getattr(_base, table), "relu")
    with pytest.raises(RuntimeError, match="but it is None"):
        fastrelu.sklearn.patch()


@pytest.mark.parametrize("table", TABLES)
def test_refuses_a_function_of_another_name(table, monkeypatch):
    monkeypatch.delattr(_base, TABLES[table])
    with pytest.raises(RuntimeError, match=rf"{table}\['relu'\] should be"):
        fastrelu.sklearn.patch()


@pytest.mark.parametrize(
    ("table", "function"),
    [
        ("ACTIVATIONS", foreign),
        ("ACTIVATIONS", of_another_value),
        ("ACTIVATIONS", of_other_arguments),
        ("DERIVATIVES", foreign),
    ],
)
def test_refuses_what_computes_something_else(table, function, monkeypatch):
    monkeypatch.setattr(_base, TABLES[table], function)
    monkeypatch.setitem(getattr(_base, table), "relu", function)
    with pytest.raises(RuntimeError, match=rf"{table}\['relu'\] should be what computes"):
        fastrelu.sklearn.patch()
    assert not fastrelu.sklearn.is_patched()


@pytest.mark.parametrize("call", [fastrelu.sklearn.unpatch, fastrelu.sklearn.patch])
@pytest.mark.parametrize("table", TABLES)
def test_refuses_what_another_has_changed_since(table, call):
    fastrelu.sklearn.patch()
    ours = getattr(_base, table)["relu"]
    getattr(_base, table)["relu"] = foreign
    with pytest.raises(RuntimeError, match=f"with which fastrelu has patched it, .*{foreign!r}"):
        call()
    assert fastrelu.sklearn.is_patched()
    assert getattr(_base, table)["relu"] is foreign
    getattr(_base, table)["relu"] = ours
    fastrelu.sklearn.unpatch()
    assert (_base.ACTIVATIONS["relu"], _base.DERIVATIVES["relu"]) == (RELU, DERIVATIVE)


@pytest.mark.parametrize("call", [fastrelu.sklearn.unpatch, fastrelu.sklearn.patch])
def test_calls_wait_for_each_other(call):
    with fastrelu.sklearn.patched():
        thread = threading.Thread(target=call)
        with _sklearn._lock:
            thread.start()
            thread.join(0.05)
            assert thread.is_alive()
            assert _sklearn._patches == 1
        thread.join()
        assert _sklearn._patches == {fastrelu.sklearn.unpatch: 0, fastrelu.sklearn.patch: 2}[call]
        if call is fastrelu.sklearn.unpatch:
            fastrelu.sklearn.patch()
    if call is fastrelu.sklearn.patch:
        fastrelu.sklearn.unpatch()
    assert not fastrelu.sklearn.is_patched()


FORK_WHILE_A_THREAD_PATCHES = """
import os, signal, threading, time
from fastrelu import _sklearn
held = threading.Event()
def hold():
    with _sklearn._lock:
        held.set()
        time.sleep(0.2)
thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)
    _sklearn.patch()
    os._exit(0)
thread.join()
assert os.waitpid(child, 0)[1] == 0
"""


@needs_fork
def test_the_child_of_a_fork_can_patch_while_a_thread_does():
    code = FORK_WHILE_A_THREAD_PATCHES
    (done,) = in_forks("import sklearn.neural_network", {"fork": code}, "-W", "ignore").values()
    assert done[0] == 0, done


def test_others_may_restore_what_is_scikit_learns():
    fastrelu.sklearn.patch()
    _base.ACTIVATIONS["relu"] = RELU
    fastrelu.sklearn.patch()
    assert _base.ACTIVATIONS["relu"] is not RELU
    _base.ACTIVATIONS["relu"] = RELU
    fastrelu.sklearn.unpatch()
    fastrelu.sklearn.unpatch()
    assert not fastrelu.sklearn.is_patched()
    assert (_base.ACTIVATIONS["relu"], _base.DERIVATIVES["relu"]) == (RELU, DERIVATIVE)


def test_patched_and_unpatched_by_threads_during_fits():
    expected = weights_of(fit("MLPClassifier", neural_network, max_iter=5))
    stop, wrong = threading.Event(), []

    def toggle():
        while not stop.is_set():
            with fastrelu.sklearn.patched():
                if _base.ACTIVATIONS["relu"] is RELU:
                    wrong.append("not patched")

    threads = [threading.Thread(target=toggle) for _ in range(3)]
    for thread in threads:
        thread.start()
    for module in [neural_network, fastrelu.sklearn] * 5:
        if weights_of(fit("MLPClassifier", module, max_iter=5)) != expected:
            wrong.append(module)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert not fastrelu.sklearn.is_patched()


# Models

rng = np.random.default_rng(0)
X = rng.standard_normal((150, 7))
Y = {"MLPClassifier": rng.integers(0, 3, 150), "MLPRegressor": rng.standard_normal(150)}


def fit(name, module, dtype="f8", x=X, y=None, **parameters):
    model = getattr(module, name)(**{"max_iter": 3, "random_state": 0, **parameters})
    return model.fit(x.astype(dtype), Y[name] if y is None else y)


def weights_of(model):
    arrays = [*model.coefs_, *model.intercepts_]
    return [(array.dtype, array.tobytes()) for array in arrays]


def results_of(model, x=X):
    methods = ["predict", "predict_proba"] if is_classifier(model) else ["predict"]
    return [
        weights_of(model),
        model.n_iter_,
        repr(model.loss_),
        *(getattr(model, method)(x).tobytes() for method in methods),
    ]


MODELS = {
    **{
        f"{solver}, {activation}, {sizes}": {
            "solver": solver,
            "activation": activation,
            "hidden_layer_sizes": sizes,
        }
        for solver in ("adam", "sgd", "lbfgs")
        for activation, sizes in [
            *(("relu", sizes) for sizes in [(100,), (33, 17), (1, 1), ()]),
            *((activation, (9, 8)) for activation in ("identity", "logistic", "tanh")),
        ]
    },
    "early stopping": {"early_stopping": True},
    "float32": {"dtype": "f4"},
    "float32, lbfgs": {"dtype": "f4", "solver": "lbfgs"},
    "float32 targets": {"dtype": "f4", "y": Y["MLPRegressor"].astype("f4") > 0},
    "sparse": {"x": scipy.sparse.csr_matrix(X)},
    "outputs": {"y": np.stack([X[:, 0] > 0, X[:, 1] > 0], 1).astype(int)},
    "two classes": {"y": (X[:, 0] > 0).astype(int)},
    "alpha": {"alpha": 10.0, "batch_size": 17},
}


@pytest.mark.parametrize("name", NAMES)
def test_results_are_the_same(name):
    def check(case):
        expected = results_of(fit(name, neural_network, **MODELS[case]))
        assert results_of(fit(name, fastrelu.sklearn, **MODELS[case])) == expected
        model = getattr(neural_network, name)()
        with fastrelu.sklearn.patched():
            model = fit(name, neural_network, **MODELS[case])
            assert results_of(model) == expected

    assert failing(check, MODELS) == []


@pytest.mark.parametrize("name", NAMES)
def test_results_of_partial_fit_and_warm_start_are_the_same(name):
    results = []
    for module in neural_network, fastrelu.sklearn:
        model = getattr(module, name)(random_state=0)
        classes = {"classes": [0, 1, 2]} if is_classifier(model) else {}
        model.partial_fit(X[:70], Y[name][:70], **classes)
        model.partial_fit(X[70:], Y[name][70:])
        results.append(results_of(model))
        model.set_params(warm_start=True, max_iter=2).fit(X, Y[name])
        results.append(results_of(model))
    assert results[:2] == results[2:]


@pytest.mark.parametrize("name", NAMES)
def test_results_with_weights_of_samples_are_the_same(name):
    results = []
    for module in neural_network, fastrelu.sklearn:
        model = getattr(module, name)(random_state=0, max_iter=3)
        try:
            model.fit(X, Y[name], sample_weight=np.linspace(0, 2, len(X)))
        except TypeError:
            pytest.skip(f"scikit-learn {fastrelu.sklearn._version} has none for {name}")
        results.append(results_of(model))
    assert results[0] == results[1]


def test_a_model_that_exists_gains():
    model = fit("MLPClassifier", neural_network)
    before = model.predict_proba(X).tobytes()
    calls = []
    with fastrelu.sklearn.patched():
        ours = _base.ACTIVATIONS["relu"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(_base.ACTIVATIONS, "relu", lambda x: (calls.append(1), ours(x)))
            assert model.predict_proba(X).tobytes() == before
    assert calls == [1]


@pytest.mark.parametrize("name", NAMES)
def test_classes_leave_the_tables_alone_and_do_not_use_them(name, monkeypatch):
    monkeypatch.setitem(_base.ACTIVATIONS, "relu", None)
    monkeypatch.setitem(_base.DERIVATIVES, "relu", None)
    model = fit(name, fastrelu.sklearn, hidden_layer_sizes=(9, 8))
    model.predict(X)
    assert _base.ACTIVATIONS["relu"] is _base.DERIVATIVES["relu"] is None


@pytest.mark.parametrize("name", NAMES)
def test_classes_take_the_other_functions_from_the_tables(name, monkeypatch):
    calls = []
    monkeypatch.setitem(_base.ACTIVATIONS, "tanh", calls.append)
    fit(name, fastrelu.sklearn, activation="tanh", max_iter=1, batch_size=150)
    assert len(calls) == 1


@pytest.mark.parametrize("name", NAMES)
def test_classes_take_the_kernels(name, monkeypatch):
    calls = set()

    def seen(operation):
        def function(*args, **kwargs):
            calls.add(operation)
            return getattr(fastrelu, operation)(*args, **kwargs)

        return function

    functions = {operation: seen(operation) for operation in ("add_relu", "relu_backward", "relu")}
    monkeypatch.setattr(_sklearn, "functions", SimpleNamespace(**functions))
    fit(name, fastrelu.sklearn)
    assert calls == {"add_relu", "relu_backward"}


SPECIAL = [0.0, -0.0, 1.0, -1.0, 1e-310, np.inf, -np.inf, np.nan, 3.4e38]


@pytest.mark.parametrize("char", "fd")
def test_fused_sum_has_the_same_bits(char, random_values):
    values = np.array(SPECIAL * 9)
    products, bias = np.repeat(values, values.size).reshape(values.size, -1), values
    with np.errstate(all="ignore"):
        expected, result = products.astype(char), products.astype(char)
        expected += bias.astype(char)
        RELU(expected)
        _sklearn.add_relu(result, bias.astype(char))
    both_nan = np.isnan(products) & np.isnan(bias)
    assert expected[~both_nan].tobytes() == result[~both_nan].tobytes()
    assert np.isnan(result[both_nan]).all()


every_kernel_of_maximum = pytest.mark.parametrize(
    "kernel", [fastrelu.relu, fastrelu.relu_backward, fastrelu.add_relu]
)


@every_kernel_of_maximum
def test_relu_by_each_kernel(kernel, monkeypatch):
    monkeypatch.setitem(_sklearn.kernels, np.dtype("f8"), kernel)
    x = np.array([0x7FF0000000000001, 1 << 63, 0, 0xBFF << 52, 0x3FF << 52], "u8").view("f8")
    with np.errstate(all="ignore"):
        expected = kernel(*_patch.operands_of(kernel, x))
    with np.errstate(all="raise"):
        _sklearn.relu(x)
    assert bits(x) == bits(expected)


@every_kernel_of_maximum
def test_fused_sum_of_negative_zeros(kernel, monkeypatch):
    monkeypatch.setitem(_sklearn.kernels, np.dtype("f8"), kernel)
    expected, result = np.full((3, 20), -0.0), np.full((3, 20), -0.0)
    kernel(*_patch.operands_of(kernel, expected), out=expected)
    _sklearn.add_relu(result, np.full(20, -0.0))
    assert bits(result) == bits(expected)


def test_fused_sum_of_two_types():
    z, expected = np.ones((2, 3), "f4") / 3, np.ones((2, 3), "f4") / 3
    bias = np.full(3, -1 / 3)
    expected += bias
    RELU(expected)
    _sklearn.add_relu(z, bias)
    assert bits(z) == bits(expected)


def test_another_forward_pass_is_not_fused(monkeypatch):
    def scaled(self, activations):
        original(self, activations)
        activations[-1] *= 2
        return activations

    def needs_more(self, activations):
        return original(self, activations) if self.dropout else None

    original = neural_network.MLPClassifier._forward_pass
    assert fastrelu.sklearn._is_forward_pass(original)
    assert not fastrelu.sklearn._is_forward_pass(scaled)
    assert not fastrelu.sklearn._is_forward_pass(needs_more)


def test_unknown_methods_are_an_import_error():
    class Renamed:
        def _forward_pass(self, activations):
            return FUNCTIONS["relu"](activations)  # noqa: F821

    with pytest.raises(ImportError, match="no method of its Renamed looks up ACTIVATIONS or DER"):
        fastrelu.sklearn._methods_of(Renamed)


@pytest.mark.parametrize("name", NAMES)
def test_used_as_scikit_learns_own(name):
    ours, theirs = getattr(fastrelu.sklearn, name), getattr(neural_network, name)
    assert issubclass(ours, theirs)
    assert ours.__module__ == "fastrelu.sklearn"
    model = ours(max_iter=7, alpha=0.5)
    assert repr(model) == repr(theirs(max_iter=7, alpha=0.5))
    assert model.get_params() == theirs(max_iter=7, alpha=0.5).get_params()
    assert type(clone(model)) is ours
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(alpha=2).alpha == 2
    assert name in model._repr_html_()
    with pytest.raises(ValueError, match="Invalid parameter 'wrong'"):
        model.set_params(wrong=1)


@pytest.mark.parametrize("name", NAMES)
def test_pickle(name):
    model = fit(name, fastrelu.sklearn)
    copy = pickle.loads(pickle.dumps(model))
    assert type(copy) is type(model)
    assert results_of(copy) == results_of(model)


@pytest.mark.xdist_group("alone")
@pytest.mark.parametrize("name", NAMES)
def test_grid_search_in_processes(name):
    found = [
        GridSearchCV(
            getattr(module, name)(max_iter=3, random_state=0),
            {"alpha": [0.1, 1.0]},
            cv=2,
            n_jobs=2,
        ).fit(X, Y[name])
        for module in (neural_network, fastrelu.sklearn)
    ]
    scores = [search.cv_results_["mean_test_score"].tobytes() for search in found]
    assert scores[0] == scores[1]
    assert results_of(found[0].best_estimator_) == results_of(found[1].best_estimator_)


def outcomes_of_checks(model):
    if hasattr(estimator_checks, "estimator_checks_generator"):
        checks = estimator_checks.estimator_checks_generator(model)
    else:
        checks = estimator_checks.check_estimator(model, generate_only=True)
    found = []
    for estimator, check in checks:
        function = check.func if isinstance(check, functools.partial) else check
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                check(estimator)
            outcome = "passed"
        except Exception as error:
            outcome = type(error).__name__
        found.append((getattr(function, "__name__", repr(function)), outcome))
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_checks_of_estimators(name):
    with threadpool_limits(1):
        ours, theirs = (
            outcomes_of_checks(getattr(module, name)(hidden_layer_sizes=(20,), max_iter=100))
            for module in (fastrelu.sklearn, neural_network)
        )
    assert ours == theirs
    assert len(ours) > 30
    assert {outcome for _, outcome in ours} <= {"passed", "SkipTest"}


def test_docstrings():
    for module, least in (fastrelu.sklearn, 6), (_sklearn, 10):
        outcome = doctest.testmod(module)
        assert outcome.failed == 0
        assert outcome.attempted >= least


# In a process of its own

SHOW = "\nimport fastrelu.sklearn; print(fastrelu.sklearn.is_patched())"
ASKED = {
    "before": "import fastrelu, sklearn.neural_network",
    "after": "import sklearn.neural_network, fastrelu",
    "by name": "import fastrelu\nfrom sklearn.neural_network import MLPClassifier",
    "of its parent": "import fastrelu, sklearn\nfrom sklearn import neural_network",
    "its private module": "import fastrelu, sklearn.neural_network._base",
    "fastrelu's module": "",
    "twice": "import fastrelu._patch as patch, importlib, sklearn.neural_network\n"
    "importlib.reload(patch)",
    "in threads": """
import fastrelu, threading
def work():
    import sklearn.neural_network
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
""",
    "with a lazy loader": """
import fastrelu, importlib.util, sys, sklearn
spec = importlib.util.find_spec("sklearn.neural_network")
spec.loader = importlib.util.LazyLoader(spec.loader)
module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.MLPClassifier
""",
}
ONCE = "\nfastrelu.sklearn.unpatch(); print(fastrelu.sklearn.is_patched())"
REFUSED = "<string>:{}: RuntimeWarning: {}: scikit-learn cannot be patched: fastrelu runs its ref"
CASES = {  # by name: the variables, the code, the output, and how the errors begin
    **{
        name: ({"PATCH_SKLEARN": " 1 "}, code + SHOW + ONCE, "True\nFalse\n", "")
        for name, code in ASKED.items()
    },
    **{
        f"not asked by {value!r}": ({"PATCH_SKLEARN": value}, SHOW, "False\n", "")
        for value in ("0", "")
    },
    "imports nothing": (
        {"PATCH_SKLEARN": "1"},
        "import fastrelu, sys; print('sklearn.neural_network' in sys.modules)",
        "False\n",
        "",
    ),
    "wrong": (
        {"PATCH_SKLEARN": "yes"},
        "import fastrelu" + SHOW,
        "False\n",
        "<string>:1: RuntimeWarning: FASTRELU_PATCH_SKLEARN=yes: 1 or 0 is needed; scikit-learn st",
    ),
    "refused before": (
        {"PATCH_SKLEARN": "1", "ISA": "python"},
        "import fastrelu\nimport sklearn.neural_network" + SHOW,
        "False\n",
        REFUSED.format(2, "FASTRELU_PATCH_SKLEARN=1"),
    ),
    "refused after": (
        {"PATCH_SKLEARN": "1", "ISA": "python"},
        "import sklearn.neural_network\nimport fastrelu" + SHOW,
        "False\n",
        REFUSED.format(2, "FASTRELU_PATCH_SKLEARN=1"),
    ),
    "nothing compiled": (
        {"ISA": "python"},
        """
import sklearn.neural_network, fastrelu.sklearn
a, b = (
    module.MLPClassifier(max_iter=1000, random_state=0).fit([[0.0], [1.0]], [0, 1])
    for module in (sklearn.neural_network, fastrelu.sklearn)
)
print(a.coefs_[0].tobytes() == b.coefs_[0].tobytes())
try:
    fastrelu.sklearn.patch()
except RuntimeError as error:
    print(error)
""",
        "True\nscikit-learn cannot be patched: fastrelu runs its reference in Python\n",
        "",
    ),
    "missing": (
        {},
        """
import sys
for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
    sys.modules[name] = None
try:
    import fastrelu.sklearn
except ImportError as error:
    print(error.name, error)
""",
        "sklearn fastrelu.sklearn needs scikit-learn 1.4.2 or later, which cannot be imported "
        "(ModuleNotFoundError: import of sklearn halted; None in sys.modules): "
        "pip install scikit-learn\n",
        "",
    ),
}


@needs_fork
def test_in_processes():
    codes = {
        name: f"import os; os.environ.update({ {f'FASTRELU_{n}': v for n, v in env.items()} })\n"
        f"exec(compile({code!r}, '<string>', 'exec'), {{}})"
        for name, (env, code, _, _) in CASES.items()
    }
    before = "import numpy, sklearn.model_selection, scipy.special, scipy.optimize"
    outcomes = in_forks(before, codes, "-W", "default::RuntimeWarning")

    def check(name):
        _, _, out, err = CASES[name]
        status, found, errors = outcomes[name]
        assert (status, found) == (0, out), errors
        assert errors.startswith(err)
        assert errors.count("Warning") == bool(err)

    assert failing(check, CASES) == []
