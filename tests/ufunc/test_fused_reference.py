"""The reference of add_relu and subtract_relu: relu of np.add and np.subtract, in every call."""

import itertools
import warnings

import numpy as np
import pytest
from helpers import failing

from fastrelu import reference

OPERATIONS = {"add": np.add, "subtract": np.subtract}
LARGE = np.finfo("f4").max
VALUES = {
    **{char: np.array([1, 0, 1, 1], char) for char in "?bBhHiIlLqQefdgFDG"},
    "wraps": np.array([100, -128, 127, -100], "i1"),
    "overflows": np.array([LARGE, -LARGE, 1, 0], "f4"),
    "invalid": np.array([np.inf, -np.inf, np.nan, -0.0], "f4"),
    "swapped": np.array([1, -2, 3, -4], ">f4"),
    "timedelta": np.array([5, -5, 0, "NaT"], "m8[s]"),
    "datetime": np.array([5, -5, 0, "NaT"], "M8[s]"),
    "object": np.array([1, -5, 2.5, 10**30], object),
    "text": np.array(list("abcd")),
    "masked": np.ma.array([1.0, -2.0, 3.0, 4.0], mask=[0, 1, 0, 0]),
    "table": np.asfortranarray(np.linspace(-3, 3, 8).reshape(2, 4)),
    **{repr(number): number for number in (1, -1.5, True, 2**40, 1j, None, "x", np.float32(2))},
    "list": [1, -2, 3, -4],
}
KEYWORDS = {
    "none": {},
    "dtype": {"dtype": "f8"},
    "dtype_small": {"dtype": "f2"},
    "dtype_integer": {"dtype": "i4"},
    "casting": {"casting": "equiv"},
    "order": {"order": "F"},
    "order_bad": {"order": "Z"},
    "subok": {"subok": False},
    "unknown": {"alpha": 1},
}


@pytest.fixture(params=OPERATIONS)
def pair(request):
    """Return the function, and what it is to be."""
    ufunc = OPERATIONS[request.param]
    function = getattr(reference, f"{request.param}_relu")
    return function, lambda *args, **kwargs: reference.relu(ufunc(*args, **kwargs))


def outcome(call):
    """Return the kind of error or the result, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call()
        except Exception as error:
            result = next(k for k in (TypeError, ValueError, Exception) if isinstance(error, k))
    return result, sorted(str(warning.message) for warning in caught)


def assert_same(actual, expected, assert_same_bits):
    assert type(actual[0]) is type(expected[0])
    assert actual[1] == expected[1]
    if isinstance(expected[0], np.ndarray) and expected[0].dtype != object:
        assert actual[0].strides == expected[0].strides
        assert repr(getattr(actual[0], "mask", 0)) == repr(getattr(expected[0], "mask", 0))
        kind = "i8" if expected[0].dtype.kind == "m" else expected[0].dtype
        assert_same_bits(np.asarray(actual[0]).view(kind), np.asarray(expected[0]).view(kind))
    else:
        assert repr(actual[0]) == repr(expected[0])


@pytest.mark.parametrize("name", VALUES)
def test_it_is_relu_of_the_ufunc(pair, name, assert_same_bits):
    def check(case):
        (x, y), keywords = case
        actual, expected = (
            outcome(lambda f=f: f(VALUES[x], VALUES[y], **KEYWORDS[keywords])) for f in pair
        )
        assert_same(actual, expected, assert_same_bits)

    pairs = [*((name, other) for other in VALUES), *((other, name) for other in VALUES)]
    assert failing(check, itertools.product(pairs, KEYWORDS)) == []


@pytest.mark.parametrize("x", [np.array([LARGE, -1, 2], "f4"), np.array([1, 2, 3])], ids=repr)
def test_elsewhere_nothing_is_written_or_reported(pair, x):
    function, _ = pair
    out = np.full(3, 7, x.dtype)
    where = np.array([False, True, True])
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert function(x, -x if "subtract" in function.__name__ else x, out, where=where) is out
    assert out[0] == 7
    assert out[1:].tolist() == reference.relu(2 * x[1:]).tolist()


def test_an_output_is_cast_to(pair):
    function, expected = pair
    x = np.array([1, -2, 3], "i2")
    for dtype in "i8", "f4", "F":
        out = np.empty(3, dtype)
        assert function(x, 2, out=(out,)) is out
        np.testing.assert_array_equal(out, expected(x, 2))
    with pytest.raises(TypeError, match="cannot cast"):
        function(x, 2.5, out=np.empty(3, "i4"))


@pytest.mark.parametrize("shift", [-2, -1, 0, 1, 2])
def test_an_output_may_overlap(pair, shift):
    function, expected = pair
    base = np.arange(-8.0, 8.0)
    x, y, out = base[4:12], base[3:11].copy(), base[4 + shift : 12 + shift]
    wanted = expected(x, y)
    function(x, y, out)
    np.testing.assert_array_equal(out, wanted)


@pytest.mark.parametrize("name", ["bfloat16", "int4", "float8_e4m3fn"])
def test_types_of_ml_dtypes_are_refused(pair, name):
    function, _ = pair
    x = np.ones(3, getattr(pytest.importorskip("ml_dtypes"), name))
    for operands in (x, x), (x, 1), (1, x), (x, np.ones(3, "f4")), (np.ones(3, "f4"), x), (x[0], 1):
        with pytest.raises(TypeError, match=f"_relu has no loop for the dtype {name}"):
            function(*operands)


def test_a_difference_of_dates_is_a_time():
    dates = np.array(["2020", "2021"], "M8[Y]")
    assert reference.subtract_relu(dates, dates[::-1]).tolist() == [0, 1]


def test_bool_is_the_logical_or():
    result = reference.add_relu(np.array([True, True, False]), np.array([True, False, False]))
    assert result.dtype == int
    assert result.tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("name", "expected"), [("add_relu", [1, 1, 0, 1]), ("clipped_relu", [1, 0, 0, 0])]
)
def test_two_bools_give_the_default_integer(implementation, name, expected):
    x, y = np.array([True, True, False, False]), np.array([True, False, False, True])
    result = getattr(implementation, name)(x, y)
    assert (result.dtype, result.tolist()) == (int, expected)


def test_objects_of_no_dimensions_give_the_integer_where_they_are_below_zero():
    x, y = np.array(-2.5, object), np.array(1.0, object)
    for below in (reference.add_relu(x, y), reference.subtract_relu(x, y)):
        assert type(below) is int
    assert reference.subtract_relu(y, x) == 3.5


@pytest.mark.parametrize("where", [False, [True, False, True]])
def test_objects_are_not_compared_where_nothing_is_computed(pair, where):
    function, expected = pair
    x, y = np.array([1, None, -5], object), np.array([2, 3, 4], object)
    x[1] = None if where else 1  # which no number can be added to
    out = np.array([7, 8, 9], object)
    assert function(x, y, out, where=where) is out
    x[1] = 0
    assert out.tolist() == np.where(where, expected(x, y), [7, 8, 9]).tolist()
