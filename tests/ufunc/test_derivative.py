"""The derivative of relu: 0 below zero, at_zero at zero, 1 above, in the dtype of its input."""

import warnings

import numpy as np
import pytest

import fastrelu
from fastrelu import reference

FUNCTIONS = {"fastrelu": fastrelu.relu_derivative, "reference": reference.relu_derivative}
INTEGERS, FLOATS = "bBhHiIlLqQ", "efdg"


@pytest.fixture(params=FUNCTIONS.values(), ids=FUNCTIONS)
def derivative(request):
    return request.param


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("dtype", FLOATS)
def test_floats(derivative, dtype, at_zero):
    x = np.array([-np.inf, -1, -1e-6, -0.0, 0.0, 1e-6, 1, np.inf, np.nan, -np.nan], dtype)
    y = derivative(x, at_zero)
    assert y.dtype == dtype
    assert y.tolist() == [0, 0, 0, at_zero, at_zero, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers(derivative, dtype, at_zero):
    info = np.iinfo(dtype)
    x = np.array([info.min, info.min + 1, 0, 1, info.max], dtype)
    y = derivative(x, at_zero)
    assert y.dtype == dtype
    below = [at_zero, 1] if info.min == 0 else [0, 0]
    assert y.tolist() == [*below, at_zero, 1, 1]


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("dtype", FLOATS)
def test_the_least_number_is_not_zero(derivative, dtype, at_zero):
    least = np.finfo(dtype).smallest_subnormal
    assert derivative(np.array([-least, least]), at_zero).tolist() == [0, 1]


def test_is_0_at_zero_by_default(derivative):
    assert derivative(np.array([0.0, -0.0])).tolist() == [0, 0]


@pytest.mark.parametrize("at_zero", [True, False, 1.0, 0.0, np.float32(1), np.int8(0)])
def test_at_zero_is_any_number_that_is_0_or_1(derivative, at_zero):
    y = derivative(np.zeros(2, "f4"), at_zero)
    assert y.dtype == "f4"
    assert y.tolist() == [float(at_zero)] * 2


BAD = [0.5, 2, -1, float("nan"), None, "0", "zero", [0], (1,), np.array([0, 1]), 1j, b"1"]


@pytest.mark.parametrize("at_zero", BAD, ids=repr)
def test_another_at_zero_is_refused_by_name(derivative, at_zero):
    with pytest.raises(ValueError, match="at_zero must be 0 or 1") as caught:
        derivative(np.ones(2), at_zero)
    assert repr(at_zero) in str(caught.value)


def test_a_bad_at_zero_is_refused_before_x_is_looked_at(derivative):
    with pytest.raises(ValueError, match="at_zero"):
        derivative("text", 3)


REFUSED = {
    "complex64": np.ones(3, "F"),
    "complex128": np.ones(3, "D"),
    "clongdouble": np.ones(3, "G"),
    "object": np.array([1, 2.5], object),
    "timedelta": np.ones(3, "m8[s]"),
    "datetime": np.ones(3, "M8[s]"),
    "string": np.array(["1"]),
    "bytes": np.array([b"1"]),
    "struct": np.zeros(3, "i4,f8"),
    "complex_scalar": 1j,
    "text": "1",
    "None": None,
}


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("x", REFUSED.values(), ids=REFUSED)
def test_what_has_no_derivative_is_refused(derivative, x, at_zero):
    with pytest.raises(TypeError):
        derivative(x, at_zero)


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("x", [np.array([True, False]), True, False, [True, False]], ids=repr)
def test_bool_counts_as_an_integer(derivative, x, at_zero):
    y = derivative(x, at_zero)
    assert y.dtype.kind == "i"
    expected = np.where(np.asarray(x), 1, at_zero)
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("x", [np.array([True, False]), True], ids=repr)
def test_both_definitions_give_bool_the_same_type(x, at_zero):
    types = {function(x, at_zero).dtype for function in FUNCTIONS.values()}
    assert len(types) == 1


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("shape", [(0,), (3, 0), (1,), (2, 3), (2, 1, 3)])
def test_the_shape_is_that_of_x(derivative, shape, at_zero):
    y = derivative(np.full(shape, -1.0), at_zero)
    assert (type(y), y.shape) == (np.ndarray, shape)


SCALARS = [-2.5, 0.0, 3, 0, np.float32(1), np.float16(0), np.int8(-1), np.array(2.0)]


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("x", SCALARS, ids=repr)
def test_a_scalar_gives_a_scalar(derivative, x, at_zero):
    y = derivative(x, at_zero)
    assert type(y) is np.asarray(x).dtype.type
    assert y == (at_zero if x == 0 else x > 0)


@pytest.mark.parametrize("at_zero", [0, 1])
def test_lists_are_taken(derivative, at_zero):
    y = derivative([[-1, 0], [2, 3]], at_zero)
    assert y.dtype == int
    assert y.tolist() == [[0, at_zero], [1, 1]]


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("dtype", [">i4", "<i4", ">f8", "<f8", ">f2", "<f2"])
def test_the_bytes_of_a_result_are_in_native_order(derivative, dtype, at_zero):
    y = derivative(np.array([-1, 0, 2]).astype(dtype), at_zero)
    assert y.dtype == np.dtype(dtype).newbyteorder("=")
    assert y.dtype.isnative
    assert y.tolist() == [0, at_zero, 1]


@pytest.mark.parametrize("at_zero", [0, 1])
def test_the_input_is_left_alone(derivative, at_zero):
    x = np.array([-1.0, 0.0, 2.0])
    y = derivative(x, at_zero)
    assert x.tolist() == [-1, 0, 2]
    assert not np.may_share_memory(x, y)


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("dtype", FLOATS)
def test_no_nan_makes_a_warning(derivative, dtype, at_zero):
    x = np.array([np.nan, -np.nan, np.inf, -np.inf, -1, 0, 1] * 10, dtype)
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        derivative(x, at_zero)


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize(
    ("signalling", "unsigned", "dtype"),
    [(0x7D00, "u2", "e"), (0x7FA00000, "u4", "f"), (0x7FF4 << 48, "u8", "d")],
)
def test_no_signalling_nan_makes_a_warning(derivative, signalling, unsigned, dtype, at_zero):
    x = np.full(70, signalling, unsigned).view(dtype)
    with np.errstate(all="raise"):
        assert (derivative(x, at_zero) == 1).all()


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS])
def test_both_definitions_agree(dtype, at_zero):
    rng = np.random.default_rng(7)
    x = rng.integers(0, 256, 4096 * np.dtype(dtype).itemsize, "u1")
    x = rng.integers(-3, 4, 4096).astype(dtype) if dtype == "g" else x.view(dtype)
    ours, theirs = (function(x, at_zero) for function in FUNCTIONS.values())
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)
    assert not np.signbit(ours).any()


def test_it_is_the_gradient_of_ones():
    x = np.linspace(-2, 2, 101, dtype="f4")
    np.testing.assert_array_equal(
        fastrelu.relu_derivative(x), fastrelu.relu_backward(np.ones_like(x), x)
    )


def test_it_is_the_slope_of_relu(derivative):
    x = np.array([-3.0, -0.25, 0.25, 3.0])
    slope = (fastrelu.relu(x + 0.125) - fastrelu.relu(x - 0.125)) / 0.25
    np.testing.assert_array_equal(derivative(x), slope)


def test_both_definitions_have_one_docstring():
    assert fastrelu.relu_derivative.__doc__ == reference.relu_derivative.__doc__
