"""The recipes of docs/integrations.md give what autograd, ONNX and thinc give themselves."""

import json
import subprocess
import sys

import numpy as np
import pytest

import fastrelu

pytestmark = pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is no ufunc")

FLOATS = ["float32", "float64"]
NUMBERS = [-np.inf, -9, -2, -0.5, -1e-30, -0.0, 0, 1e-30, 0.25, 0.5, 2, 6, 9, np.inf]


def numbers(dtype):
    """Return values at and around all bounds, without NaN, enough for registers and a tail."""
    return np.array(NUMBERS * 5, dtype).reshape(7, -1)


def grads_like(x):
    return np.random.default_rng(0).standard_normal(x.shape).astype(x.dtype)


def assert_equal(ours, own):
    assert type(ours) is type(own)
    np.testing.assert_array_equal(ours, own, strict=True)


# A function of the recipe, its parameter, autograd's own way, and where that has no derivative.
OF_AUTOGRAD = {
    "relu": (
        (),
        lambda anp, x: anp.maximum(0, x),
        lambda x: x == 0,
    ),
    "leaky_relu": (
        (0.5,),
        lambda anp, x: anp.where(x < 0, 0.5 * x, x),
        lambda x: x == 0,
    ),
    "clipped_relu": (
        (6.0,),
        lambda anp, x: anp.minimum(anp.maximum(0, x), 6),
        lambda x: (x == 0) | (x == 6),
    ),
    "soft_threshold": (
        (0.5,),
        lambda anp, x: anp.sign(x) * anp.maximum(0, anp.abs(x) - 0.5),
        lambda x: (abs(x) == 0.5) | np.isinf(x),  # it divides infinities
    ),
}
every_function = pytest.mark.parametrize("name", OF_AUTOGRAD)


@pytest.fixture(scope="module")
def autograd():
    pytest.importorskip("autograd.numpy")
    return pytest.importorskip("autograd")


@pytest.fixture(scope="module")
def of_autograd(autograd, recipe):
    """Return the recipe's functions by name."""
    return recipe("autograd")


@every_function
@pytest.mark.parametrize("dtype", FLOATS)
def test_autograd_values_and_gradients(autograd, of_autograd, name, dtype):
    parameter, own, has_no_derivative = OF_AUTOGRAD[name]
    x = numbers(dtype)
    g = grads_like(x)
    with np.errstate(invalid="ignore"):
        own_vjp, own_y = autograd.make_vjp(lambda x: own(autograd.numpy, x))(x)
        own_grad = own_vjp(g).astype(dtype)
    vjp, y = autograd.make_vjp(of_autograd[name])(x, *parameter)
    grad = vjp(g)
    assert_equal(y, own_y)
    assert_equal(grad, getattr(fastrelu, name + "_backward")(g, x, *parameter))
    smooth = ~has_no_derivative(x)
    assert_equal(grad[smooth], own_grad[smooth])


@every_function
def test_autograd_gradients_of_gradients(autograd, of_autograd, name):
    test_util = pytest.importorskip("autograd.test_util")
    parameter = OF_AUTOGRAD[name][0]
    x = np.array([-7.3, -0.9, -0.3, 0.2, 0.7, 3.4, 7.1])
    square = lambda x: of_autograd[name](x, *parameter) ** 2  # noqa: E731
    test_util.check_grads(square, modes=["rev"], order=2)(x)


@every_function
def test_autograd_parameters_are_constants_and_there_is_no_forward_mode(
    autograd, of_autograd, name
):
    parameter = OF_AUTOGRAD[name][0]
    x = numbers("float32")
    for argument in range(1, 1 + len(parameter)):
        with pytest.raises(NotImplementedError, match="wrt argnum"):
            autograd.elementwise_grad(of_autograd[name], argument)(x, *parameter)
    with pytest.raises(NotImplementedError, match="JVP"):
        autograd.make_jvp(lambda x: of_autograd[name](x, *parameter))(x)(x)


def test_autograd_table_of_the_page(autograd, of_autograd):
    anp = autograd.numpy
    x = np.array([-1, -0.0, 0.0, 2, np.nan], np.float32)

    def gradient(function):
        with np.errstate(invalid="ignore"):
            return autograd.elementwise_grad(function)(x)

    assert_equal(gradient(lambda x: anp.maximum(0, x)), np.array([0, 0.5, 0.5, 1, 0]))
    assert gradient(lambda x: anp.where(x < 0, x * 0.1, x)).dtype == np.float64
    assert gradient(lambda x: x * (x > 0)).dtype == np.float32
    assert gradient(lambda x: anp.clip(x, 0, 6)).dtype == np.float32
    assert autograd.grad(anp.mean)(x).dtype == np.float64
    assert autograd.grad(lambda x: anp.mean(of_autograd["relu"](x)))(x).dtype == np.float64
    assert_equal(gradient(of_autograd["relu"]), np.float32([0, 0, 0, 1, 1]))
    assert gradient(lambda x: of_autograd["leaky_relu"](x, 0.1)).dtype == np.float32


@pytest.mark.parametrize("casts", [True, False], ids=["dot", "@"])
def test_autograd_layer(autograd, of_autograd, casts):
    anp = autograd.numpy
    rng = np.random.default_rng(0)
    weights, x = (rng.standard_normal(shape).astype("f4") for shape in ((9, 8), (64, 9)))

    g = rng.standard_normal((64, 8)).astype("f4")

    def loss(weights, relu):
        return anp.sum(g * relu(anp.dot(x, weights) if casts else x @ weights))

    grad = autograd.grad(loss)(weights, of_autograd["relu"])
    own = autograd.grad(loss)(weights, lambda x: anp.maximum(0, x))
    assert grad.dtype == np.float32
    assert own.dtype == (np.float32 if casts else np.float64)
    np.testing.assert_allclose(grad, own, rtol=1e-4, atol=1e-6)


# A node, and its inputs beside x.
OF_FASTRELU = (
    ("y = Relu(x)", {}),
    ("y = LeakyRelu <alpha = 0.1> (x)", {}),
    ("y = LeakyRelu(x)", {}),
    ("y = PRelu(x, a)", {"a": 0.1}),
    ("y = PRelu(x, a)", {"a": [-1, 0.25]}),
    ("y = Clip(x, a)", {"a": 0}),
    ("y = Clip(x, a, b)", {"a": 0, "b": 6}),
    ("y = Clip(x, a, b)", {"a": 0, "b": -3}),
    ("y = Shrink <lambd = 0.5, bias = 0.5> (x)", {}),
    ("y = Shrink <lambd = 0.3> (x)", {}),
    ("y = Shrink(x)", {}),
    ("y = ThresholdedRelu <alpha = 0.3> (x)", {}),
    ("y = ThresholdedRelu <alpha = -2.0> (x)", {}),
    ("y = ThresholdedRelu(x)", {}),
)
OF_ONNX = (
    ("y = Clip(x)", {}),
    ("y = Clip(x, a, b)", {"a": -1, "b": 6}),
    ("y = Clip(x, , b)", {"b": 6}),
    ("y = Shrink <lambd = 0.5, bias = 0.25> (x)", {}),
    ("y = Shrink <lambd = -0.5> (x)", {}),
)
every_node = pytest.mark.parametrize(("node", "inputs"), OF_FASTRELU, ids=str)


@pytest.fixture(scope="module")
def new_ops(recipe):
    """Return the recipe's classes."""
    pytest.importorskip("onnx.reference")
    return recipe("onnx")["new_ops"]


def run(node, x, inputs, new_ops=None, opset=22):
    """Return what a model of one node gives."""
    import onnx.parser
    import onnx.reference

    dtype = onnx.TensorProto.DataType.Name(onnx.helper.np_dtype_to_tensor_dtype(x.dtype)).lower()
    feeds = {"x": x} | {name: np.asarray(value, x.dtype) for name, value in inputs.items()}
    declared = [
        f"{dtype}{list(value.shape)} {name}" if value.ndim else f"{dtype} {name}"
        for name, value in feeds.items()
    ]
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["": {opset}]>'
        f"net ({', '.join(declared)}) => ({dtype} y) {{ {node} }}"
    )
    (y,) = onnx.reference.ReferenceEvaluator(model, new_ops=new_ops).run(None, feeds)
    return y


def assert_same(new_ops, *node, **opset):
    with np.errstate(all="ignore"):
        own = run(*node, **opset)
    assert_equal(run(*node, new_ops, **opset), own)


@every_node
@pytest.mark.parametrize("dtype", ["float16", *FLOATS])
def test_onnx_values(new_ops, node, inputs, dtype):
    x = numbers(dtype).reshape(-1, 2)
    assert_same(new_ops, node, x, inputs)
    if not np.ndim(inputs.get("a")):
        assert_same(new_ops, node, x[1, 1], inputs)


@every_node
def test_onnx_values_are_those_of_fastrelu(new_ops, monkeypatch, node, inputs):
    def refuse(self, *arrays, **attributes):
        raise AssertionError("ONNX's own way")

    for cls in new_ops:
        monkeypatch.setattr(cls.__base__, "_run", refuse)
    x = numbers("float32").reshape(-1, 2)
    run(node, x, inputs, new_ops)
    with pytest.raises(AssertionError, match="own way"):
        run(node, x, inputs)


@pytest.mark.parametrize(("node", "inputs"), OF_ONNX, ids=str)
@pytest.mark.parametrize("dtype", FLOATS)
def test_onnx_takes_the_rest(new_ops, node, inputs, dtype):
    assert_same(new_ops, node, numbers(dtype), inputs)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
def test_onnx_integers(new_ops, dtype):
    x = np.arange(-8, 8).reshape(2, 8).astype(dtype)
    for node, inputs in (
        ("y = Relu(x)", {}),
        ("y = PRelu(x, a)", {"a": 3}),
        ("y = Clip(x, a, b)", {"a": 0, "b": 6}),
        ("y = Clip(x, a)", {"a": 0}),
        ("y = Shrink <lambd = 2.0, bias = 2.0> (x)", {}),
    ):
        assert_same(new_ops, node, x, inputs)


def test_onnx_bfloat16(new_ops):
    x = numbers("float32").astype(pytest.importorskip("ml_dtypes").bfloat16).reshape(-1, 2)
    for node, inputs in OF_FASTRELU[:8]:
        assert_same(new_ops, node, x, inputs)


def test_onnx_opset_6(new_ops):
    x = np.arange(-8, 6, dtype=np.float32).reshape(7, 2)
    slope_of_each_row = np.arange(7) / 4
    for node, inputs in (
        ("y = PRelu(x, a)", {"a": slope_of_each_row}),
        ("y = Clip <min = 0.0, max = 3.0> (x)", {}),
        ("y = Clip <min = 0.0> (x)", {}),
        ("y = Clip <min = -1.0> (x)", {}),
    ):
        assert_same(new_ops, node, x, inputs, opset=6)

    no_maximum = "y = Clip <min = 0.0> (x)", np.array([np.inf], "f4"), {}
    assert run(*no_maximum, opset=6) == np.finfo("f4").max
    assert run(*no_maximum, new_ops, opset=6) == np.inf


@every_node
def test_onnx_nan(new_ops, node, inputs):
    x = np.full((20, 2), np.nan, "f4")
    own = run(node, x, inputs)
    drops_it = "Shrink" in node or "ThresholdedRelu" in node
    assert (own == 0).all() if drops_it else np.isnan(own).all()
    assert np.isnan(run(node, x, inputs, new_ops)).all()


METHODS_OF_THINC = (
    ("relu", {}),
    ("relu_k", {}),
    ("relu_k", {"n": 0.5}),
    ("clipped_linear", {}),
    ("clipped_linear", {"max_val": -2.0}),
    ("clipped_linear", {"slope": 2.0, "offset": 1.0, "min_val": -1.0}),
    ("hard_sigmoid", {}),
    ("hard_tanh", {}),
    ("hard_swish_mobilenet", {}),
)


@pytest.fixture(scope="module")
def thinc():
    return pytest.importorskip("thinc.api")


@pytest.fixture(scope="module")
def both_ops(thinc, recipe):
    """Return the recipe's Ops and thinc's own."""
    return recipe("thinc")["FastReluOps"](), thinc.NumpyOps()


@pytest.mark.parametrize(("method", "options"), METHODS_OF_THINC, ids=str)
@pytest.mark.parametrize("inplace", [False, True], ids=["new", "in place"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_thinc_values_and_gradients(both_ops, method, options, inplace, dtype):
    results = []
    for ops in both_ops:
        x, x_kept = numbers(dtype), numbers(dtype)
        g = grads_like(x)
        with np.errstate(invalid="ignore"):
            y = getattr(ops, method)(x, **options, inplace=inplace)
            dx = getattr(ops, f"backprop_{method}")(g, x_kept, **options, inplace=inplace)
        results.append((y, dx, x, g))
    for ours, own in zip(*results, strict=True):
        assert_equal(ours, own)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("method", ["relu", "relu_k"])
def test_thinc_where_they_differ(both_ops, method, dtype):
    ours, own = both_ops
    nan, g = np.full((2, 9), np.nan, dtype), np.full((2, 9), 3, dtype)
    multiplies = method == "relu_k" or dtype == "float64"

    def forward(ops, x):
        return getattr(ops, method)(x)

    def backward(ops, g, x):
        with np.errstate(invalid="ignore"):
            return getattr(ops, f"backprop_{method}")(g, x)

    for ops in both_ops:
        assert np.isnan(forward(ops, nan)).all()
    assert np.signbit(forward(ours, -0.0 * g)).all()
    assert not np.signbit(forward(own, -0.0 * g)).any()

    assert (backward(ours, g, nan) == 3).all()
    assert (backward(own, g, nan) == (0 if multiplies else 3)).all()
    for dy in np.inf * g, nan:
        assert (backward(ours, dy, -g) == 0).all()
        assert np.isnan(backward(own, dy, -g)).all() == multiplies


@pytest.mark.parametrize("layer", ["Relu", "ClippedLinear", "ReluK", "HardSwishMobilenet"])
def test_thinc_layers(thinc, both_ops, layer):
    rng = np.random.default_rng(0)
    x, g = (rng.standard_normal((32, n)).astype("f4") for n in (8, 16))
    results = []
    for ops in both_ops:
        thinc.fix_random_seed(0)
        with thinc.use_ops(ops.name):
            model = getattr(thinc, layer)(nO=16, nI=8).initialize()
        assert type(model.ops) is type(ops)
        y, backprop = model.begin_update(x)
        results.append((y, backprop(g), model.get_grad("W"), model.get_grad("b")))
    for ours, own in zip(*results, strict=True):
        assert_equal(ours, own)


@pytest.mark.parametrize("library", ["autograd", "onnx", "thinc"])
def test_the_benchmark(integrations, library, tmp_path):
    pytest.importorskip(integrations.NEEDS[library])
    path = tmp_path / "record.json"
    options = ["--libraries", library, "--seconds", "0.001", "--json", path]
    done = subprocess.run(
        [sys.executable, "-P", integrations.__file__, *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    calls = [row["call"] for row in json.loads(path.read_text("utf-8"))["rows"]]
    assert [line.split(" | ")[1] for line in done.stdout.splitlines()[2:-2]] == calls
    assert f"{library} " in done.stdout.splitlines()[-1]
