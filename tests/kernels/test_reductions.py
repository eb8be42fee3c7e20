"""Reductions: values, the order of a sum, its error, and what is refused, in every set."""

import ctypes
import functools
import inspect
import itertools
import math
import mmap
import sys
import threading
import warnings

import numpy as np
import pytest
from helpers import DISTINCT_TYPES, GIL_THRESHOLD, NEVER, failing, small_lengths, thresholds

import fastrelu
from fastrelu import reference

FUNCTIONS = {**fastrelu.implementations, "python": reference}
FLOATS = "efd"
LEAVES = {"e": 1024, "f": 1024, "d": 512}
LENGTHS = [511, 512, 513, 1023, 1024, 1025, 2080, 5000, 70_001]
THRESHOLDS = [0, 1, 0.5, -0.75, -0.0]


@pytest.fixture(scope="module", params=FUNCTIONS.values(), ids=FUNCTIONS.keys())
def functions(request):
    """Return what has the reductions: a set, or the reference."""
    return request.param


def values_of(dtype, shape, seed=0):
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def thresholds_of(dtype):
    return THRESHOLDS if np.dtype(dtype).kind == "f" else [0, 3, np.dtype(dtype).type(100)]


def ordered_sum(x, threshold, dtype=None):
    """Return the sum of one axis in the order that docs/internals.md defines, as float64."""
    terms = reference.subtract_relu(x, threshold)
    leaf = LEAVES[terms.dtype.char]
    leaves = 1 << max(0, math.ceil(len(terms) / leaf) - 1).bit_length()
    rows = np.zeros(leaves * leaf, terms.dtype)
    rows[: len(terms)] = terms
    rows = rows.reshape(leaves, -1, 32)
    if terms.dtype == "f" and dtype is None:
        rows = (rows[:, ::4] + rows[:, 1::4]) + (rows[:, 2::4] + rows[:, 3::4])
    lanes = np.zeros((leaves, 32))
    for row in range(rows.shape[1]):
        lanes = lanes + rows[:, row].astype("d")
    while lanes.shape[1] > 1:
        half = lanes.shape[1] // 2
        lanes = lanes[:, :half] + lanes[:, half:]
    sums = lanes[:, 0]
    while len(sums) > 1:
        sums = sums[::2] + sums[1::2]
    return sums[0]


def same(actual, expected):
    """Whether two results have the same type, shape and values; NaN is NaN."""
    assert type(actual) is type(expected)
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


def assert_same_bits(actual, expected):
    same(actual, expected)
    finite = ~np.isnan(expected)
    assert np.asarray(actual)[finite].tobytes() == np.asarray(expected)[finite].tobytes()


@pytest.mark.parametrize("dtype", DISTINCT_TYPES)
def test_every_length_and_alignment(implementation, with_guards, dtype):
    lengths = [*small_lengths(dtype), *LENGTHS]
    values = values_of(dtype, max(lengths))

    def check(case):
        n, shift, threshold = case
        x, memory = with_guards(values[:n], values.itemsize, shift)
        before = memory.copy()
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in "relu_sum", "relu_mean":
                got = getattr(implementation, name)(x, threshold=threshold)
                if np.dtype(dtype).kind == "f" and n > 0:
                    expected = ordered_sum(x, threshold)
                    expected = expected / n if name == "relu_mean" else expected
                    assert_same_bits(got, x.dtype.type(expected))
                    got = getattr(implementation, name)(x, threshold=threshold, dtype="d")
                    expected = ordered_sum(x, threshold, "d")
                    expected = expected / n if name == "relu_mean" else expected
                    assert_same_bits(got, expected)
                elif name == "relu_sum":
                    same(got, reference.relu_sum(x, threshold=threshold))
                else:
                    np.testing.assert_allclose(
                        got, reference.relu_mean(x, threshold=threshold), rtol=1e-14
                    )
            for name in "activity", "dead_units":
                same(getattr(implementation, name)(x), getattr(reference, name)(x))
        np.testing.assert_array_equal(memory, before)

    cases = [(n, 0, threshold) for n in lengths for threshold in thresholds_of(dtype)]
    cases += [(n, shift, 1) for n in (40, 600, 5000) for shift in (1, values.itemsize)]
    assert failing(check, cases) == []


AXES = [None, 0, 1, -1, (0, 1), (2, 0), ()]
LAYOUTS = {
    "c": lambda x: x,
    "fortran": np.asfortranarray,
    "turned": lambda x: np.ascontiguousarray(x.transpose(1, 2, 0)).transpose(2, 0, 1),
    "every other": lambda x: np.repeat(x, 2, axis=2)[:, :, ::2],
    "columns": lambda x: np.concatenate([x, x], axis=2)[:, :, : x.shape[2]],
    "rows": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "reversed": lambda x: x[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    "swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "misaligned": lambda x: (
        np.frombuffer(b" " + x.tobytes(), "u1")[1:].view(x.dtype).reshape(x.shape)
    ),
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape),
}
SHAPES = [(2, 3, 5), (3, 40, 33), (5, 600, 3), (1050, 2, 36)]


@functools.cache
def array_of(dtype, shape, layout):
    x = np.minimum(abs(values_of(dtype, shape)), 100)
    x[:, :, ::2] = 0
    if x.dtype.kind == "f":
        x[:, ::3] *= -1
    return LAYOUTS[layout](x)


@functools.cache
def expected_of(dtype, shape, layout, axis, keepdims):
    """Return what the reference gives, its sum and mean in float64 where they are rounded."""
    x = array_of(dtype, shape, layout)
    wide = {"dtype": "d"} if x.dtype.kind == "f" else {}
    return (
        reference.relu_sum(x, axis, keepdims=keepdims, **wide),
        reference.relu_mean(x, axis, threshold=1, keepdims=keepdims, **wide),
        reference.activity(x, axis),
        reference.dead_units(x, axis),
    )


@pytest.mark.parametrize("dtype", DISTINCT_TYPES)
def test_every_axis_and_layout(implementation, dtype):
    rtol = {"e": 1e-3, "f": 1.2e-7, "d": 1e-13}.get(dtype, 0)

    def check(case):
        x, axis, keepdims = array_of(dtype, *case[:2]), *case[2:]
        total, mean, activity, dead = expected_of(dtype, *case)
        got = implementation.relu_sum(x, axis, keepdims=keepdims)
        assert got.shape == total.shape
        assert got.dtype == (np.dtype(dtype) if rtol else total.dtype)
        assert isinstance(got, np.ndarray) == isinstance(total, np.ndarray)
        np.testing.assert_allclose(got, total, rtol=rtol)
        got = implementation.relu_mean(x, axis, threshold=1, keepdims=keepdims)
        assert got.shape == mean.shape
        np.testing.assert_allclose(got, mean, rtol=rtol or 1e-14)
        same(implementation.activity(x, axis), activity)
        same(implementation.dead_units(x, axis), dead)

    # Axes and layouts are the same code for every instruction set.
    is_best = implementation is next(iter(fastrelu.implementations.values()))
    cases = itertools.product(SHAPES if is_best else SHAPES[1:2], LAYOUTS, AXES, [False])
    keeping = itertools.product(SHAPES[1:2], ["c"], AXES, [True])
    assert failing(check, [*cases, *keeping]) == []


@pytest.mark.parametrize("dtype", DISTINCT_TYPES)
def test_few_rows_of_many_columns(implementation, dtype):
    x = values_of(dtype, (33, 2600))
    x[:, 7:2000:5] = 0

    def check(case):
        rows, columns, step = case
        few = x[:rows, : columns * step : step]
        same(implementation.activity(few), reference.activity(few))
        same(implementation.dead_units(few), reference.dead_units(few))
        along = np.ascontiguousarray(few.T)
        same(implementation.relu_sum(few, 0), implementation.relu_sum(along, 1))
        same(implementation.relu_mean(few, 0), implementation.relu_mean(along, 1))

    cases = itertools.product(
        [1, 2, 3, 5, 16, 17, 33], [32, 255, 257, 1023, 1024, 1025, 1300], [1, 2]
    )
    assert failing(check, cases) == []


SPELLINGS = {
    "axis": {"axis": np.int64(0)},
    "axes": {"axis": (np.int8(0),)},
    "keepdims": {"axis": 0, "keepdims": 1},
    "bool": {"axis": 0, "threshold": False},
    "number": {"axis": 0, "threshold": np.int8(0)},
    "dtype": {"axis": 0, "dtype": "f4"},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_spelling_of_an_argument_does_not_change_a_sum(implementation, spelling):
    x = np.full((100_001, 2), 0.1, "d" if spelling == "dtype" else "f")
    expected = np.float32(np.float64(x[0, 0]) * len(x))
    got = implementation.relu_sum(x, **SPELLINGS[spelling])
    assert got.dtype == "f4"
    np.testing.assert_allclose(got.ravel(), expected, rtol=2e-7)


def test_a_thread_with_a_small_stack(implementation):
    before = threading.stack_size(1 << 16)
    results = []
    try:
        thread = threading.Thread(
            target=lambda: results.append(implementation.relu_sum(np.ones((2, 2))))
        )
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert results == [4]


@pytest.mark.parametrize("threshold", [0, np.zeros(3, "f4"), np.nan])
def test_nothing_is_written_where_an_error_state_raises(implementation, threshold):
    x, out = np.full((100, 3), 3e38, "f4"), np.full(3, 7, "f4")
    x[0] = np.inf
    x[1].view("u4")[:] = 0x7F800001
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        implementation.relu_sum(x, 0, threshold=threshold, out=out)
    assert out.tolist() == [7, 7, 7]


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_sum_along_one_axis_does_not_depend_on_the_layout(implementation, dtype):
    def check(case):
        shape, layout, axis = case
        x = LAYOUTS[layout](values_of(dtype, shape))
        along = np.ascontiguousarray(np.moveaxis(x, axis, -1), dtype)
        got = implementation.relu_sum(x, axis)
        assert_same_bits(got, implementation.relu_sum(along, -1))
        assert got[0, 0] == np.dtype(dtype).type(ordered_sum(along[0, 0], 0))

    assert failing(check, [*itertools.product(SHAPES, LAYOUTS, range(3))]) == []


@pytest.mark.parametrize("dtype", "ilefd")
def test_the_number_of_threads_changes_no_bit(implementation, dtype):
    arrays = [values_of(dtype, shape) for shape in [(300_000,), (9000, 40), (40, 9000), (700, 600)]]
    cases = [(x, axis) for x in arrays for axis in (None, *range(x.ndim))]

    def results():
        with np.errstate(all="ignore"):
            return [
                getattr(implementation, name)(x, axis)
                for x, axis in cases
                for name in ("relu_sum", "relu_mean", "activity", "dead_units")
            ]

    with fastrelu.num_threads(1):
        expected = results()
    for threads in 2, 3, 64:
        with fastrelu.num_threads(threads), thresholds(1, NEVER):
            for got, one in zip(results(), expected, strict=True):
                assert_same_bits(got, one)


@pytest.mark.parametrize("dtype", DISTINCT_TYPES)
def test_every_instruction_set_gives_the_same_bits(random_values, dtype):
    x = random_values(dtype, 30_000, 5).reshape(-1, 100)
    with np.errstate(all="ignore"):
        for array, axis in itertools.product((x, x[:, :7], x[:, ::3]), (None, 0, 1)):
            for name in "relu_sum", "relu_mean", "activity", "dead_units":
                first, *others = [
                    getattr(functions, name)(array, axis)
                    for functions in fastrelu.implementations.values()
                ]
                for other in others:
                    assert_same_bits(other, first)


def bound_of(dtype, n, result):
    """Return the largest relative error of a sum of n elements, as the documentation states it."""
    u = 2.0**-53
    levels = math.ceil(math.log2(n))
    if dtype == "d":
        return (11 + max(9, levels)) * u
    in_double = (26 + max(10, levels)) * u
    rounding = {"e": 2.0**-11, "f": 2.0**-24, "d": 0}[result]
    return in_double + rounding + (2.0**-23 if result == "f" and dtype == "f" else 0)


@pytest.mark.parametrize(
    ("dtype", "result"), [("e", "e"), ("e", "f"), ("f", "f"), ("f", "d"), "dd"]
)
def test_the_error_of_a_sum_is_within_its_bound(implementation, dtype, result):
    def check(case):
        n, spread, seed = case
        rng = np.random.default_rng(seed)
        x = (rng.random(n) * 2.0 ** rng.integers(-spread, 1, n)).astype(dtype)
        exact = math.fsum(x.tolist())
        got = implementation.relu_sum(x, dtype=result)
        bound = bound_of(dtype, n, result)
        assert abs(float(got) - exact) <= bound * exact
        columns = np.stack([x] * 32, axis=1)
        got = implementation.relu_sum(columns, axis=0, dtype=result)
        assert (abs(got.astype("d") - exact) <= bound * exact).all()

    cases = itertools.product([10, 1000, 3000, 16_384], [0, 10, 24 if dtype == "e" else 60], [0, 1])
    assert failing(check, [*cases]) == []


@pytest.mark.parametrize(
    ("elements", "expected"),
    [([2048, 1, 2**-14], 2050), ([2050, 1 - 2**-11, 2**-11 - 2**-14], 2050)],
)
def test_a_sum_of_float16_is_rounded_once(implementation, elements, expected):
    """As a float32 it would be half-way between two of float16, and be rounded to the other."""
    x = np.array(elements, "e")
    assert implementation.relu_sum(x) == expected
    sums = implementation.relu_sum(np.tile(x[:, None], 40), 0)
    np.testing.assert_array_equal(sums, np.full(40, expected, "e"))


def test_a_mean_whose_fours_overflow(implementation):
    x = np.full(1000, np.finfo("f4").max)
    with np.errstate(all="raise"):
        assert implementation.relu_mean(x) == x[0]


def test_dtype_counts_where_out_is_of_another(implementation):
    x, out = np.zeros(128, "f4"), np.zeros((), "f4")
    x[::32] = [2**24, 1, 1, 1]  # which are added in float32 first where the sum is one
    assert implementation.relu_sum(x) == 2**24 + 2
    assert implementation.relu_sum(x, dtype="f8", out=out) == 2**24 + 4


def test_a_long_sum_is_more_accurate_than_that_of_numpy(implementation):
    for dtype in "ef":
        x = abs(values_of(dtype, 60_000, 3)) / np.dtype(dtype).type(8)
        exact = math.fsum(x.tolist())
        assert abs(float(implementation.relu_sum(x)) - exact) <= abs(float(x.sum()) - exact)
    for dtype in FLOATS:
        x = np.full((100_001, 40), 0.1, dtype)
        exact = math.fsum(x[:, 0].tolist())
        errors = abs(implementation.relu_sum(x, 0, dtype="d") - exact)
        assert (errors <= abs(x.sum(axis=0, dtype="d") - exact)).all()


SPECIAL = {
    "nan": [1, np.nan, -np.nan, 2],
    "negative nan": [np.copysign(np.nan, -1), 1],
    "inf": [np.inf, 1, -np.inf],
    "-inf": [-np.inf, -np.inf],
    "zeros": [-0.0, 0.0, -0.0],
    "minus zeros": [-0.0, -0.0],
    "huge": ["max", "max", "max"],
    "tiny": ["tiny", "tiny", "-tiny"],
    "wide": ["max", "-max", 1],
}


def special(name, dtype):
    info = np.finfo(dtype)
    numbers = {"max": info.max, "-max": -info.max, "tiny": info.tiny, "-tiny": -info.tiny}
    return np.array([numbers.get(value, value) for value in SPECIAL[name]], dtype)


def outcome(function):
    """Return the kinds of warnings and the result, or the public class of the error."""
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="warn"):
        warnings.simplefilter("always")
        try:
            result = function()
        except Exception as error:
            kinds = (np.exceptions.AxisError, TypeError, ValueError, OverflowError)
            return next(kind for kind in kinds if isinstance(error, kind))
    return {str(warning.message).partition(" encountered")[0] for warning in caught}, result


@pytest.mark.parametrize("dtype", FLOATS)
def test_special_values_and_their_warnings(functions, dtype):
    def check(case):
        name, threshold, repeat, function = case
        x = np.tile(special(name, dtype), repeat)
        threshold = special(threshold, dtype)[0] if isinstance(threshold, str) else threshold

        def call(module):
            if function in ("relu_sum", "relu_mean"):
                return getattr(module, function)(x, threshold=threshold)
            return getattr(module, function)(x)

        found, expected = outcome(lambda: call(functions)), outcome(lambda: call(reference))
        if function == "relu_mean" and name in ("huge", "wide"):  # does not overflow in double
            return
        assert found[0] - {"underflow"} == expected[0] - {"underflow"}
        same(found[1], expected[1])
        assert np.signbit(found[1]) == np.signbit(expected[1]) or np.isnan(expected[1])

    names = ("relu_sum", "relu_mean", "activity", "dead_units")
    cases = itertools.product(SPECIAL, [0, -0.0, 1, "wide", "inf", "nan", -np.inf], [1, 40], names)
    assert failing(check, [*cases]) == []


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_signalling_nan_is_reported_by_the_sums_alone(implementation, dtype):
    bits = {"e": 0x7C01, "f": 0x7F800001, "d": 0x7FF0000000000001}[dtype]
    x = np.full(40, bits, f"u{np.dtype(dtype).itemsize}").view(dtype)
    assert outcome(lambda: implementation.relu_sum(x))[0] == {"invalid value"}
    assert outcome(lambda: implementation.activity(x)) == (set(), 0)
    assert outcome(lambda: implementation.dead_units(x)) == (set(), False)


def test_warnings_of_threads_arrive(implementation):
    x = np.zeros(400_000, "f4")
    x[-1] = x[-2] = np.inf
    with fastrelu.num_threads(3), thresholds(1, NEVER):
        assert outcome(lambda: implementation.relu_sum(-x, threshold=np.float32(-1)))[0] == set()
        x[3] = np.finfo("f4").max
        assert outcome(lambda: implementation.relu_sum(x, threshold=np.float32(-3e38)))[0] == {
            "overflow"
        }


@pytest.mark.parametrize("dtype", "bBlLefd")
def test_empty_axes(functions, dtype):
    for shape, axis in itertools.product([(0,), (0, 3), (3, 0), (2, 0, 3)], [None, 0, -1, ()]):
        x = np.zeros(shape, dtype)
        for name in "relu_sum", "relu_mean", "activity", "dead_units":
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                got = getattr(functions, name)(x, axis)
            with warnings.catch_warnings(record=True) as expected_warnings:
                warnings.simplefilter("always")
                expected = getattr(reference, name)(x, axis)
            same(got, expected)
            assert [str(w.message) for w in caught] == [str(w.message) for w in expected_warnings]


@pytest.mark.parametrize("dtype", "?bBhilLefdgFO")
def test_dtype_and_out(functions, dtype):
    x = (np.arange(60).reshape(6, 10) % 7).astype(dtype)
    results = [
        None,
        "i4",
        "l",
        "L",
        "q",
        "e",
        "f",
        "d",
        ">f8",
        np.float64,
        "g",
        "D",
        "O",
        "nonsense",
    ]

    def check(case):
        name, given, out_dtype, axis = case
        answers = []
        for module in functions, reference:
            out = None
            if out_dtype is not None:
                out = np.full(np.shape(np.sum(x, axis=axis)), 77, out_dtype)
            found = outcome(lambda m=module, o=out: getattr(m, name)(x, axis, dtype=given, out=o))
            answers.append((found, out))
        (found, out), (expected, expected_out) = answers
        if isinstance(expected, type):
            assert found is expected
        else:
            assert (found[1] is out) == (expected[1] is expected_out)
            assert np.asarray(found[1]).dtype == np.asarray(expected[1]).dtype
            assert type(found[1]) is type(expected[1])
            close = {"e": 1e-3, "f": 1e-6}.get(np.asarray(expected[1]).dtype.char, 1e-12)
            if np.asarray(expected[1]).dtype != "O":
                np.testing.assert_allclose(found[1], expected[1], rtol=close)

    cases = itertools.product(
        ["relu_sum", "relu_mean"], results, [None, "e", "f", "d", "l", "i2", ">f4"], [None, 0, 1]
    )
    assert failing(check, [*cases]) == []


@pytest.mark.parametrize("dtype", "Bld")
def test_out_of_any_layout_and_of_x_itself(implementation, dtype):
    x = (np.arange(48 * 40).reshape(48, 40) % 50).astype(dtype)
    result = np.result_type(implementation.relu_sum(x, 0))
    for axis in 0, 1:
        expected = reference.relu_sum(x, axis, dtype=result)
        for out in (
            np.zeros(2 * len(expected), result)[::2],
            np.zeros(len(expected), result)[::-1],
            np.zeros(len(expected) + 1, result)[1:],
        ):
            assert implementation.relu_sum(x, axis, out=out) is out
            np.testing.assert_array_equal(out, expected)
        kept = np.zeros(np.expand_dims(expected, axis).shape, result)
        assert implementation.relu_sum(x, axis, out=kept, keepdims=True) is kept
        np.testing.assert_array_equal(kept, np.expand_dims(expected, axis))
    if dtype != "B":
        y = x.copy()
        implementation.relu_sum(y, 0, out=y[3])
        np.testing.assert_array_equal(y[3], reference.relu_sum(x, 0))
        scalar = np.zeros((), result)
        assert implementation.relu_sum(x, out=scalar) is scalar
        assert scalar == reference.relu_sum(x)


class Angry(np.ndarray):
    """A subclass, which goes through NumPy."""


BAD = {
    "axis": lambda f, x, out: f.relu_sum(x, 5),
    "negative axis": lambda f, x, out: f.relu_sum(x, -3),
    "axis twice": lambda f, x, out: f.relu_sum(x, (0, 0)),
    "axis twice, once negative": lambda f, x, out: f.relu_mean(x, (0, -2)),
    "axis of float": lambda f, x, out: f.relu_sum(x, 1.0),
    "huge axis": lambda f, x, out: f.relu_sum(x, 1 << 70),
    "axis of activity": lambda f, x, out: f.activity(x, 2),
    "axis of dead_units": lambda f, x, out: f.dead_units(x, (1, 1)),
    "shape of out": lambda f, x, out: f.relu_sum(x, 1, out=out),
    "shape of out with keepdims": lambda f, x, out: f.relu_sum(x, 0, out=out, keepdims=True),
    "out of list": lambda f, x, out: f.relu_sum(x, 0, out=[0, 0]),
    "read-only out": lambda f, x, out: (
        out.setflags(write=False),
        f.relu_sum(x, 0, out=out),
    ),
    "dtype of out": lambda f, x, out: f.relu_sum(x, 0, out=out.astype("i1")),
    "threshold": lambda f, x, out: f.relu_sum(x, 0, threshold="1", out=out),
    "shape of threshold": lambda f, x, out: f.relu_sum(x, 0, threshold=np.ones(9), out=out),
    "keepdims": lambda f, x, out: f.relu_sum(x, 0, keepdims="no", out=out),
    "datetime": lambda f, x, out: f.relu_sum(np.zeros((4, 3), "M8[s]"), 0, out=out),
    "strings": lambda f, x, out: f.relu_mean(np.array(["a"])),
    "bool": lambda f, x, out: f.relu_sum(x > 0, threshold=np.True_),
    "integer that does not fit": lambda f, x, out: f.relu_sum(x.astype("u1"), threshold=-1),
    "complex activity": lambda f, x, out: f.activity(np.array("a")),
    "positional threshold": lambda f, x, out: f.relu_sum(x, 0, 1),
    "unknown keyword": lambda f, x, out: f.activity(x, keepdims=True),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_refused_is_as_in_the_expression_and_writes_nothing(functions, case):
    x = values_of("d", (4, 3))
    out, expected_out = np.full(3, 7.0), np.full(3, 7.0)
    found = outcome(lambda: BAD[case](functions, x, out))
    expected = outcome(lambda: BAD[case](reference, x, expected_out))
    if isinstance(expected, type):
        assert found is expected
        assert (out == 7).all()
    else:
        assert not isinstance(found, type)


def test_a_floating_point_error_leaves_out_alone(implementation):
    out = np.full(64, 7.0, "f4")
    x = np.full((4, 64), np.finfo("f4").max, "f4")
    with np.errstate(over="raise"), pytest.raises(FloatingPointError, match=r"overflow.*relu_sum"):
        implementation.relu_sum(x, 0, out=out)
    assert (out == 7).all()


@pytest.mark.parametrize("dtype", ["?", "g", "F", "O", "m8[s]", "d"])
def test_what_numpy_computes(implementation, dtype):
    x = np.arange(-10, 14).astype("d" if dtype == "d" else "i8").reshape(4, 6)
    x = x.astype(dtype)
    x = x.view(Angry) if dtype == "d" else x
    zero = np.zeros((), dtype) if dtype == "m8[s]" else 0
    for axis in None, 0, (0, 1):
        for name in "relu_sum", "relu_mean":
            got = getattr(implementation, name)(x, axis)
            expected = getattr(reference, name)(x, axis)
            np.testing.assert_array_equal(got, expected)
            assert np.asarray(got).dtype == np.asarray(expected).dtype
        if dtype != "m8[s]":
            np.testing.assert_array_equal(
                implementation.activity(x, axis), np.mean(np.asarray(x) > zero, axis)
            )
            np.testing.assert_array_equal(
                implementation.dead_units(x, axis), np.all(np.asarray(x) <= zero, axis)
            )


def test_a_threshold_may_be_an_array_and_x_a_list(functions):
    x = [[1.0, 5.0, -2.0], [4.0, 1.0, 3.0]]
    assert functions.relu_sum(x, 0, threshold=[0.5, 1, 2]).tolist() == [4, 4, 1]
    assert functions.relu_mean(x) == 14 / 6
    assert functions.relu_sum(np.array(x, "f4"), threshold=np.float64(0.1)).dtype == "d"
    assert functions.relu_sum(np.array(x, "f4"), threshold=np.array(0.5, "f4")).dtype == "f"
    assert functions.activity(x, 1).tolist() == [2 / 3, 1]
    assert functions.dead_units(x).tolist() == [False, False, False]
    masked = np.ma.masked_less(x, 0)
    assert functions.relu_sum(np.array([3.0]), threshold=1) == 2
    assert functions.activity(masked, None) == 1


def test_dead_units_stops_when_every_unit_has_fired(implementation):
    """The rows are so many that to read them all would take days."""
    rows = 1 << 44
    fires = np.broadcast_to(np.ones(300, "f4"), (rows, 300))
    assert not implementation.dead_units(fires).any()
    assert not implementation.dead_units(np.broadcast_to(np.float64(1), rows))
    assert not implementation.dead_units(np.broadcast_to(np.int8(1), (3, rows)), axis=1).any()


@pytest.mark.skipif(sys.platform != "linux", reason="mprotect is called by ctypes")
def test_dead_units_reads_no_page_after_the_one_where_the_last_unit_fires(implementation):
    size = 1 << 22
    memory = mmap.mmap(-1, size)
    x = np.frombuffer(memory, "f4").reshape(-1, 64)
    x[:] = -1
    x[100] = 1
    start = x.ctypes.data
    mprotect = ctypes.CDLL(None, use_errno=True).mprotect
    mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    kept = 1 << 16
    assert mprotect(start + kept, size - kept, 0) == 0
    try:
        found = implementation.dead_units(x)
    finally:
        mprotect(start + kept, size - kept, mmap.PROT_READ | mmap.PROT_WRITE)
    assert not found.any()
    x[100, 5] = -1
    assert implementation.dead_units(x).tolist() == [i == 5 for i in range(64)]
    del x


def test_as_many_elements_as_fill_the_address_space(implementation):
    factors = (2, 13, 17, 19, 137, 317, 3617, 54623)  # of 2**56 + 186
    x = np.ones(2 * sum(factors) + 32, "b")
    view = np.lib.stride_tricks.as_strided(x, (*factors, 32), (2,) * 8 + (1,))
    assert not implementation.dead_units(view, tuple(range(8))).any()


def test_a_unit_that_fires_last_is_found_by_every_number_of_threads(implementation):
    x = np.full((40_000, 64), -1, "f4")
    x[-1, ::2] = 1
    x[20_000, 1] = np.nan
    expected = [i % 2 == 1 and i != 1 for i in range(64)]
    for threads in 1, 3:
        with fastrelu.num_threads(threads), thresholds(1, NEVER):
            assert implementation.dead_units(x).tolist() == expected


def test_long_counts_do_not_wrap(implementation):
    for dtype in "bBhf":
        x = np.ones((70_000, 3), dtype)
        assert implementation.activity(x).tolist() == [1, 1, 1]
        assert implementation.activity(x, None) == 1
        assert implementation.activity(np.asfortranarray(x)).tolist() == [1, 1, 1]
        wide = np.broadcast_to(x[:, :1], (70_000, 64))
        assert (implementation.activity(wide) == 1).all()
        assert not implementation.dead_units(np.ones((256, 64), dtype)).any()


def test_the_gil_is_released_for_many_elements(implementation):
    assert GIL_THRESHOLD < 1 << 20
    x = np.ones(GIL_THRESHOLD + 1, "f4")
    assert implementation.relu_sum(x) == len(x)


@pytest.mark.parametrize("name", fastrelu.reference.REDUCTIONS)
def test_signature_is_that_of_the_reference(implementation, name):
    ours, theirs = getattr(implementation, name), getattr(fastrelu.reference, name)
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert inspect.getdoc(ours) == inspect.getdoc(theirs)
