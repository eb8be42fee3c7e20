"""What comes out, bit for bit: every pattern of the small types, the edge values of the large."""

import ctypes
import itertools
import platform
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from helpers import KERNEL_TYPES, every_kernel, failing, unify_nans
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastrelu
from fastrelu import reference

SMALL_TYPES = "bBhHe"
MOST_TRIPLES = 30_000
FLOATS = "efd"
ON_X86_64 = platform.machine() in ("x86_64", "AMD64")


def every_value(dtype):
    dtype = np.dtype(dtype)
    return np.arange(1 << 8 * dtype.itemsize).astype(f"u{dtype.itemsize}").view(dtype)


# The paths of a call: each makes a call and returns its result as a contiguous array.


def fast_path(ufunc, *inputs):
    return ufunc(*inputs)


def in_place(ufunc, *inputs):
    out = inputs[-1].copy()
    return ufunc(*inputs[:-1], out, out=out)


def strided(ufunc, *inputs):
    return ufunc(*(a.repeat(2)[::2] for a in inputs))


def reversed_out(ufunc, *inputs):
    out = np.empty_like(inputs[-1])[::-1]
    return ufunc(*inputs, out=out)


def where_alternating(ufunc, *inputs):
    out = np.empty_like(inputs[0])
    even = np.arange(out.size).reshape(out.shape) % 2 == 0
    ufunc(*inputs, out=out, where=even)
    return ufunc(*inputs, out=out, where=~even)


def byte_swapped(ufunc, *inputs):
    return ufunc(*(a.byteswap().view(a.dtype.newbyteorder("S")) for a in inputs))


def misaligned(ufunc, *inputs):
    fields = [np.zeros(a.shape, [("pad", "V1"), ("a", a.dtype)]) for a in inputs]
    for field, a in zip(fields, inputs, strict=True):
        field["a"] = a
    return ufunc(*(field["a"] for field in fields))


def one_by_one(ufunc, *inputs):
    return np.array([ufunc(*elements) for elements in zip(*inputs, strict=True)])


PATHS = {
    path.__name__: path
    for path in (
        fast_path,
        in_place,
        strided,
        reversed_out,
        where_alternating,
        byte_swapped,
        misaligned,
    )
}


@pytest.fixture
def assert_every_path(assert_same_bits):
    """Return assert_every_path(function, inputs, expected): every path gives the result."""

    def assert_every_path(function, inputs, expected):
        def check(path):
            assert_same_bits(PATHS[path](function, *inputs), expected)

        assert failing(check, PATHS) == []

    return assert_every_path


# ---------------------------------------------------------------- the reference is what it says


def is_below(values):
    """Tell from bits and integers alone which values are below zero."""
    if values.dtype.kind in "iu":
        return np.array([value < 0 for value in values.tolist()])
    info = np.finfo(values.dtype)
    sign = 1 << (info.bits - 1)
    inf = ((1 << info.nexp) - 1) << info.nmant
    return np.array(
        [sign < bits <= sign + inf for bits in values.view(f"u{info.bits // 8}").tolist()]
    )


def is_zero(values):
    bits = values.view(f"u{values.itemsize}").tolist()
    signs = {0, 1 << (8 * values.itemsize - 1)} if values.dtype.kind == "f" else {0}
    return np.array([pattern in signs for pattern in bits])


def bits_where(passes, values):
    words = values.view(f"u{values.itemsize}").tolist()
    kept = [word if keep else 0 for keep, word in zip(passes, words, strict=True)]
    return np.array(kept, f"u{values.itemsize}").view(values.dtype)


@pytest.mark.parametrize("dtype", KERNEL_TYPES)
def test_reference_of_relu(edge_values, assert_same_bits, dtype):
    x = every_value(dtype) if dtype in SMALL_TYPES else edge_values(dtype)
    assert_same_bits(reference.relu(x), bits_where(~is_below(x), x))


@pytest.mark.parametrize("dtype", KERNEL_TYPES)
def test_reference_of_relu_backward(edge_values, random_values, assert_same_bits, dtype):
    x = every_value(dtype) if dtype in SMALL_TYPES else edge_values(dtype)
    grad = random_values(dtype, x.size, 1)
    expected = bits_where(~(is_below(x) | is_zero(x)), grad)
    assert_same_bits(reference.relu_backward(grad, x), expected)


# ---------------------------------------------------------------- types with kernels


@pytest.fixture
def check(ufunc, operation, oracle, assert_same_bits):
    """Return check(path, inputs): is the result of a path the oracle's?"""

    def check(path, inputs):
        actual, expected = path(ufunc, *inputs), oracle(*inputs)
        unify_nans(operation, actual, expected)
        assert_same_bits(actual, expected)

    return check


@every_kernel(SMALL_TYPES)
def test_every_value(check, n_inputs, random_values, dtype):
    """Each input takes every value, beside any of the others."""
    every = every_value(dtype)

    def check_path(path):
        for role in range(n_inputs):
            inputs = [random_values(dtype, every.size, seed) for seed in range(n_inputs)]
            inputs[role] = every
            check(PATHS[path], inputs)

    assert failing(check_path, PATHS) == []


@every_kernel(set(KERNEL_TYPES) - set(SMALL_TYPES))
def test_edge_values(check, n_inputs, edge_values, dtype):
    inputs = [a.ravel() for a in np.meshgrid(*[edge_values(dtype)] * n_inputs)]
    if n_inputs > 2:  # hundreds of thousands of triples
        some = np.random.default_rng(0).choice(inputs[0].size, MOST_TRIPLES, replace=False)
        inputs = [a[some] for a in inputs]
    assert failing(lambda path: check(PATHS[path], inputs), PATHS) == []


@every_kernel()
def test_scalars(check, n_inputs, edge_values, dtype):
    check(one_by_one, [np.roll(edge_values(dtype), 7 * role) for role in range(n_inputs)])


def bit_patterns(dtype, size):
    word = st.integers(0, (1 << 8 * np.dtype(dtype).itemsize) - 1)
    return st.lists(word, min_size=size, max_size=size).map(
        lambda words: np.array(words, f"u{np.dtype(dtype).itemsize}").view(dtype)
    )


@every_kernel("fd")
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_patterns(check, n_inputs, dtype, data):
    size = data.draw(st.integers(1, 70))
    inputs = [data.draw(bit_patterns(dtype, size)) for _ in range(n_inputs)]
    assert failing(lambda path: check(PATHS[path], inputs), PATHS) == []


@pytest.mark.parametrize("dtype", FLOATS)
def test_relu_by_hand(implementation, assert_same_bits, dtype):
    def parse(text):
        text = text.replace("tiny", repr(float(np.finfo(dtype).smallest_subnormal)))
        return np.full(40, np.copysign(float(text), -1.0 if text[0] == "-" else 1.0)).astype(dtype)

    def check(case):
        x, expected = map(parse, case)
        assert_same_bits(implementation.relu(x), expected)

    kept = ["0.0", "-0.0", "1.5", "inf", "nan", "-nan", "tiny"]
    zeroed = ["-1.5", "-inf", "-tiny"]
    assert failing(check, [*((x, x) for x in kept), *((x, "0.0") for x in zeroed)]) == []


GRADIENTS = [
    (3.0, 1.0, 3.0),
    (-3.0, 1.0, -3.0),
    (3.0, 0.0, 0.0),
    (3.0, -0.0, 0.0),
    (-3.0, -1.0, 0.0),
    (np.nan, 1.0, np.nan),
    (np.nan, 0.0, 0.0),
    (np.nan, -1.0, 0.0),
    (-np.inf, -np.inf, 0.0),
    (np.inf, np.inf, np.inf),
    (3.0, np.nan, 3.0),
    (-0.0, np.nan, -0.0),
    (-0.0, 1.0, -0.0),
]


@pytest.mark.parametrize("dtype", FLOATS)
def test_relu_backward_by_hand(implementation, assert_same_bits, dtype):
    def check(case):
        grad, x, expected = (np.full(40, value, dtype) for value in case)
        assert_same_bits(implementation.relu_backward(grad, x), expected)

    assert failing(check, GRADIENTS) == []


@pytest.mark.parametrize("dtype", KERNEL_TYPES)
def test_backward_takes_the_output_for_the_input(implementation, edge_values, random_values, dtype):
    x = edge_values(dtype)
    grad = random_values(dtype, x.size, 1)
    from_input = implementation.relu_backward(grad, x)
    from_output = implementation.relu_backward(grad, implementation.relu(x))
    assert from_input.tobytes() == from_output.tobytes()


# ---------------------------------------------------------------- np.maximum(0, x)


@pytest.mark.skipif(not ON_X86_64, reason="elsewhere maximum may give another zero")
@pytest.mark.parametrize("dtype", "fd")
def test_bits_of_maximum(implementation, random_values, assert_same_bits, dtype):
    x = random_values(dtype, 10_000, 1)
    with np.errstate(invalid="ignore"):
        expected = np.maximum(0, x)
    assert_same_bits(implementation.relu(x), expected)


@pytest.mark.parametrize("dtype", KERNEL_TYPES)
def test_values_of_maximum(implementation, edge_values, dtype):
    x = edge_values(dtype)
    with np.errstate(invalid="ignore"):
        expected = np.maximum(0, x)

    def check(path):
        result = PATHS[path](implementation.relu, x)
        assert result.dtype.newbyteorder("=") == expected.dtype
        np.testing.assert_array_equal(result, expected)

    assert failing(check, PATHS) == []


# ---------------------------------------------------------------- out of another dtype


@pytest.mark.parametrize(
    ("dtype", "out_dtype"), [("e", "f"), ("f", "d"), ("d", "f"), ("d", "g"), ("b", "d"), ("B", "h")]
)
def test_out_of_another_dtype(implementation, assert_same_bits, dtype, out_dtype):
    x = np.array([-100, -1, 0, 1, 2, 100] * 15).astype(dtype)
    out = np.full(x.size, 77, out_dtype)
    assert implementation.relu(x, out=out) is out
    assert_same_bits(out, reference.relu(x).astype(out_dtype))
    out[...] = 77
    assert implementation.relu_backward(x[::-1], x, out=out) is out
    assert_same_bits(out, reference.relu_backward(x[::-1], x).astype(out_dtype))


def test_inputs_of_two_dtypes(implementation, assert_same_bits):
    grad = np.linspace(-1, 1, 70, dtype="f")
    x = np.arange(-35, 35, dtype="b")
    result = implementation.relu_backward(grad, x)
    assert_same_bits(result, np.where(x > 0, grad, np.float32(0)))


# ---------------------------------------------------------------- types without kernels


def longdoubles():
    info = np.finfo(np.longdouble)
    if info.nmant != 63:
        values = [0, info.smallest_subnormal, info.tiny, 1, info.max, np.inf, np.nan]
        return np.array([sign * value for value in values for sign in (1, -1)], np.longdouble)
    patterns = [
        (0, 0),
        (0, 1),
        (0, (1 << 63) - 1),
        (1, 1 << 63),
        (0x3FFF, 1 << 63),
        (0x3FFF, (1 << 63) + 1),
        (0x7FFE, (1 << 64) - 1),
        (0x7FFF, 1 << 63),
        (0x7FFF, (1 << 63) + 1),
        (0x7FFF, 3 << 62),
        (0x7FFF, (1 << 64) - 1),
    ]
    fields = [("fraction", "u8"), ("order", "u2"), ("padding", "V6")]
    values = np.zeros(2 * len(patterns), fields)
    values["fraction"] = [fraction for _, fraction in patterns] * 2
    values["order"] = [sign | order for sign in (0, 0x8000) for order, _ in patterns]
    return values.view(np.longdouble)


def complexes(dtype, edge_values):
    part = np.dtype(dtype).char.lower()
    values = longdoubles() if part == "g" else edge_values(part)[::3]
    parts = np.empty((values.size, values.size, 2), part)
    parts[..., 0], parts[..., 1] = values[:, None], values
    return parts.view(dtype).ravel()


def test_relu_of_longdoubles(implementation, assert_every_path):
    x = longdoubles()
    assert_every_path(implementation.relu, [x], reference.relu(x))


def test_relu_backward_of_longdoubles(implementation, assert_every_path):
    inputs = [a.ravel() for a in np.meshgrid(longdoubles(), longdoubles())]
    assert_every_path(implementation.relu_backward, inputs, reference.relu_backward(*inputs))


@pytest.mark.parametrize("dtype", "FDG")
def test_relu_of_complex_patterns(implementation, edge_values, assert_every_path, dtype):
    x = complexes(dtype, edge_values)
    assert_every_path(implementation.relu, [x], reference.relu(x))


@pytest.mark.parametrize("dtype", "FDG")
def test_relu_of_complex_by_hand(implementation, assert_same_bits, dtype):
    def check(parts):
        passes = any(map(np.isnan, parts)) or not parts < (0, 0)
        x = np.full(40, complex(*parts), dtype)
        assert_same_bits(implementation.relu(x), x if passes else np.zeros(40, dtype))

    parts = [-np.inf, -1, -0.0, 0.0, 1, np.inf, np.nan]
    assert failing(check, itertools.product(parts, repeat=2)) == []


@pytest.mark.parametrize("dtype", "gFDG")
def test_values_of_maximum_without_kernels(implementation, edge_values, dtype):
    x = longdoubles() if dtype == "g" else complexes(dtype, edge_values)
    with np.errstate(invalid="ignore"):  # of NumPy's own comparisons, in old versions
        expected = np.maximum(0, x)

    def check(path):
        np.testing.assert_array_equal(PATHS[path](implementation.relu, x), expected)

    assert failing(check, PATHS) == []


def test_relu_of_timedeltas_without_a_unit(implementation, edge_values, assert_same_bits):
    x = edge_values("q").view("m8")
    assert_same_bits(implementation.relu(x), reference.relu(x))


@pytest.mark.parametrize("dtype", ["m8[ns]", "m8[3D]"])
def test_relu_of_timedeltas(
    implementation, edge_values, assert_same_bits, assert_every_path, dtype
):
    x = edge_values("q").view(dtype)
    expected = np.where(is_below(edge_values("q")) & ~np.isnat(x), 0, edge_values("q")).view(dtype)
    assert_same_bits(reference.relu(x), expected)
    assert_every_path(implementation.relu, [x], expected)
    np.testing.assert_array_equal(np.maximum(np.zeros((), dtype), x), expected)


@pytest.mark.parametrize("step", [1, 2, -1])
def test_relu_of_bools(implementation, assert_same_bits, step):
    seen_as_bool = np.arange(256, dtype="u1").view(bool)[::step]
    expected = (np.arange(256) != 0).astype(int)[::step]
    assert_same_bits(implementation.relu(seen_as_bool), expected)
    assert_same_bits(reference.relu(seen_as_bool), expected)


def test_relu_backward_of_bools(implementation, assert_same_bits):
    grad, x = np.array([[0, 0, 1, 1], [0, 1, 0, 1]], bool)
    expected = np.array([0, 0, 0, 1], np.int8)
    assert_same_bits(implementation.relu_backward(grad, x), expected)
    assert_same_bits(reference.relu_backward(grad, x), expected)


OBJECTS = [
    *(3, 0, -3, 10**40, -(10**40), True, False),
    *(2.5, -2.5, 0.0, -0.0, float("inf"), float("-inf"), float("nan")),
    *(Decimal("1.5"), Decimal("-1.5"), Decimal("-0"), Decimal("-Infinity")),
    *(Fraction(1, 3), Fraction(-1, 3), np.float32(-1), np.float64("nan")),
]


@pytest.mark.parametrize("step", [1, 2, -1])
def test_relu_of_objects(implementation, step):
    def check(value):
        x = np.array([value, 7] * 3, object)[::step]
        result = implementation.relu(x)
        assert result.dtype == object
        for got, given_, meant in zip(result, x, reference.relu(x), strict=True):
            assert got is given_ or (given_ < 0 and type(got) is int and got == 0)
            assert got is meant or got == meant

    assert failing(check, OBJECTS) == []


def test_objects_of_maximum(implementation):
    def check(value):
        x = np.array([value] * 3, object)
        np.testing.assert_array_equal(implementation.relu(x), np.maximum(0, x))

    assert failing(check, [value for value in OBJECTS if value == value]) == []


def test_gradient_of_a_clipped_longdouble(implementation):
    x = np.array([-1, -0.0, 0, 1, 6, 7, np.nan], "g")
    y = implementation.clipped_relu_backward(np.ones_like(x), x, np.longdouble(6))
    assert y.tolist() == [0, 0, 0, 1, 0, 0, 1]


@pytest.mark.parametrize("operation", ["add_relu", "subtract_relu"])
def test_nat_in_either_operand(implementation, operation):
    x, nat = np.array([5, -5], "m8[s]"), np.array(["NaT", "NaT"], "m8[s]")
    function = getattr(implementation, operation)
    assert np.isnat(function(x, nat)).all()
    assert np.isnat(function(nat, x)).all()


def test_an_element_that_was_never_set_is_none(implementation):
    x = np.empty(3, object)
    ctypes.memset(x.ctypes.data, 0, x.nbytes)  # as C may leave it
    with pytest.raises(TypeError, match="'NoneType' and 'int'"):
        implementation.relu(x)


@pytest.mark.parametrize(
    ("value", "error"), [("text", TypeError), (None, TypeError), (Decimal("NaN"), ArithmeticError)]
)
def test_objects_without_order_raise(implementation, value, error):
    x = np.array([1, value, -1], object)
    with pytest.raises(error):
        implementation.relu(x)


@pytest.mark.parametrize("dtype", ["F", "D", "G", "O", "m8[s]"])
def test_relu_backward_refuses_what_has_no_order_or_size(implementation, dtype):
    x = np.ones(3, dtype)
    with pytest.raises(TypeError):
        implementation.relu_backward(x, x)


# ---------------------------------------------------------------- the derivative


@pytest.mark.parametrize("at_zero", [0, 1, True, 1.0])
@pytest.mark.parametrize("dtype", KERNEL_TYPES)
def test_derivative(edge_values, assert_same_bits, dtype, at_zero):
    x = every_value(dtype) if dtype in SMALL_TYPES else edge_values(dtype)
    passes = np.where(is_zero(x), bool(at_zero), ~is_below(x))
    result = fastrelu.relu_derivative(x, at_zero)
    assert_same_bits(result, passes.astype(dtype))
    assert_same_bits(reference.relu_derivative(x, at_zero), result)


@pytest.mark.parametrize("at_zero", [0, 1])
def test_derivative_of_longdoubles(assert_same_bits, at_zero):
    x = longdoubles()
    result = fastrelu.relu_derivative(x, at_zero)
    assert_same_bits(result, np.where(x == 0, at_zero, ~(x < 0)).astype(np.longdouble))
    assert_same_bits(reference.relu_derivative(x, at_zero), result)


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("x", [-2, 0, 3, -2.5, 0.0, -0.0, 2.5, np.nan, True, False], ids=repr)
def test_derivative_of_python_numbers(assert_same_bits, x, at_zero):
    result = fastrelu.relu_derivative(x, at_zero)
    assert result == (at_zero if x == 0 else not x < 0)
    assert np.isscalar(result)
    assert_same_bits(reference.relu_derivative(x, at_zero), result)


@pytest.mark.parametrize("at_zero", [0.5, -1, 2, np.nan, "0", None, [0]], ids=repr)
@pytest.mark.parametrize("module", [fastrelu, reference], ids=lambda module: module.__name__)
def test_derivative_at_zero_is_0_or_1(module, at_zero):
    with pytest.raises(ValueError, match="at_zero must be 0 or 1"):
        module.relu_derivative(np.zeros(3), at_zero)
