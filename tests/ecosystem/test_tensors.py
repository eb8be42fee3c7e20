"""Tensors of PyTorch and arrays of JAX: taken from the CPU's memory, and given back as by NumPy."""

import numpy as np
import pytest

import fastrelu
from fastrelu import reference

pytestmark = [
    pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is no ufunc"),
    # Of PyTorch's method; NumPy says so of every ufunc.
    pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning"),
]

VALUES = np.array([[-2.5, -0.0, 0.0, 1.5], [np.nan, -np.inf, np.inf, 3]])
GRADS = np.arange(1.0, 9).reshape(2, 4)
DTYPES = ["float16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64", "bool"]


def values_of(dtype):
    if np.dtype(dtype).kind == "f":
        return VALUES.astype(dtype)
    return np.arange(-4, 4).clip(0 if dtype in ("uint8", "bool") else None).astype(dtype)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def jax():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # see docs/integrations.md
    return jax


def assert_same(ours, theirs):
    assert type(ours) is type(theirs)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_tensor_gives_a_tensor_as_by_maximum(torch, dtype):
    x = torch.from_numpy(values_of(dtype))
    before = x.clone()
    y = fastrelu.relu(x)
    assert type(y) is torch.Tensor
    assert_same(y, np.maximum(0, x))
    assert y.data_ptr() != x.data_ptr()
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("cut", [np.s_[:, ::2], np.s_[0, 1], np.s_[:0]], ids=str)
def test_views_of_a_tensor(torch, cut):
    x = torch.from_numpy(VALUES)[cut]
    for view in x, x.T if x.ndim == 2 else x:
        assert_same(fastrelu.relu(view), np.maximum(0, view))


def test_backward_gives_a_tensor(torch):
    x, grad = torch.from_numpy(VALUES), torch.from_numpy(GRADS)
    for operands in (grad, x), (GRADS, x), (grad, VALUES):
        y = fastrelu.relu_backward(*operands)
        assert type(y) is torch.Tensor
        np.testing.assert_array_equal(y, reference.relu_backward(GRADS, VALUES))


@pytest.mark.parametrize("at_zero", [0, 1])
def test_derivative_gives_a_tensor(torch, at_zero):
    y = fastrelu.relu_derivative(torch.from_numpy(VALUES), at_zero)
    assert type(y) is torch.Tensor
    np.testing.assert_array_equal(y, reference.relu_derivative(VALUES, at_zero))


@pytest.mark.parametrize("ufunc", [fastrelu.relu, fastrelu.relu_backward, np.maximum])
def test_a_tensor_is_no_out(torch, ufunc):
    out = torch.zeros(2, 4, dtype=torch.float64)
    with pytest.raises(TypeError, match="return arrays must be of ArrayType"):
        ufunc(*[VALUES] * ufunc.nin, out=out)


def test_the_memory_of_a_tensor_is_an_out(torch):
    x = torch.from_numpy(VALUES.copy())
    fastrelu.relu(x.numpy(), out=x.numpy())
    np.testing.assert_array_equal(x, np.maximum(0, VALUES))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda torch: torch.ones(3, requires_grad=True), RuntimeError, "requires grad"),
        (lambda torch: torch.ones(3, dtype=torch.bfloat16), TypeError, "unsupported ScalarType"),
        (lambda torch: torch.ones(3, device="meta"), TypeError, "can't convert meta"),
        (lambda torch: torch.eye(3).to_sparse(), TypeError, "can't convert Sparse"),
    ],
    ids=["requires_grad", "bfloat16", "device", "sparse"],
)
def test_what_a_tensor_refuses_it_refuses_maximum_too(torch, make, error, message):
    x = make(torch)
    for call in (
        lambda: fastrelu.relu(x),
        lambda: fastrelu.relu_backward(x, x),
        lambda: fastrelu.relu_derivative(x),
        lambda: fastrelu.relu_with_mask(x),
        lambda: np.maximum(0, x),
    ):
        with pytest.raises(error, match=message):
            call()


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_array_of_jax_gives_one_of_numpy_as_by_maximum(jax, dtype):
    with jax.enable_x64():
        x = jax.numpy.asarray(values_of(dtype))
    y = fastrelu.relu(x)
    assert type(y) is np.ndarray
    assert_same(y, np.maximum(0, x))
    np.testing.assert_array_equal(x, values_of(dtype))


def test_a_number_of_jax_gives_one_of_numpy(jax):
    x = jax.numpy.float32(-1)
    assert_same(fastrelu.relu(x), np.maximum(0, x))


def test_backward_of_jax_gives_an_array_of_numpy(jax):
    x, grad = (jax.numpy.asarray(a, "float32") for a in (VALUES, GRADS))
    for operands in (grad, x), (np.asarray(grad), x), (grad, np.asarray(x)):
        y = fastrelu.relu_backward(*operands)
        assert (type(y), y.dtype) == (np.ndarray, np.float32)
        np.testing.assert_array_equal(y, reference.relu_backward(GRADS, VALUES))


@pytest.mark.parametrize("at_zero", [0, 1])
def test_derivative_of_jax_gives_an_array_of_numpy(jax, at_zero):
    y = fastrelu.relu_derivative(jax.numpy.asarray(VALUES, "float32"), at_zero)
    assert (type(y), y.dtype) == (np.ndarray, np.float32)
    np.testing.assert_array_equal(y, reference.relu_derivative(VALUES, at_zero))


@pytest.mark.parametrize("ufunc", [fastrelu.relu, fastrelu.relu_backward, np.maximum])
def test_an_array_of_jax_is_no_out(jax, ufunc):
    with pytest.raises(TypeError, match="return arrays must be of ArrayType"):
        ufunc(*[VALUES] * ufunc.nin, out=jax.numpy.zeros((2, 4)))


def test_jax_cannot_trace_a_ufunc(jax):
    x = jax.numpy.ones(3)
    for trace in (
        lambda f: jax.jit(lambda x: f(x))(x),
        lambda f: jax.grad(lambda x: f(x).sum())(x),
        lambda f: jax.vmap(lambda x: f(x))(x),
    ):
        for function in fastrelu.relu, lambda x: np.maximum(0, x):
            with pytest.raises(jax.errors.TracerArrayConversionError):
                trace(function)


def test_jax_takes_it_as_a_callback(jax):
    x = jax.numpy.asarray(VALUES, "float32")
    like = jax.ShapeDtypeStruct(x.shape, x.dtype)
    y = jax.jit(lambda x: jax.pure_callback(fastrelu.relu, like, x))(x)
    np.testing.assert_array_equal(y, np.maximum(0, VALUES))


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_the_functions_with_masks_give_arrays(request, library):
    module = request.getfixturevalue(library)
    x, grad = (
        module.from_numpy(a) if library == "torch" else module.numpy.asarray(a)
        for a in (VALUES.astype("f4"), GRADS.astype("f4"))
    )
    y, mask = fastrelu.relu_with_mask(x)
    back = fastrelu.relu_backward_from_mask(grad, mask)
    assert type(y) is type(mask) is type(back) is np.ndarray
    np.testing.assert_array_equal(y, np.maximum(0, VALUES))
    np.testing.assert_array_equal(back, reference.relu_backward(GRADS, VALUES))
