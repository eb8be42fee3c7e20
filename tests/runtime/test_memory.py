"""Calls leave nothing behind: references and memory stay level, and no size is too large."""

import gc
import sys
import tracemalloc

import numpy as np
import pytest
from helpers import every_ufunc_loop

import fastrelu

pytestmark = [
    pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is NumPy's alone"),
    pytest.mark.xdist_group("alone"),
]

LEVEL = 4096  # bytes that may come and go by themselves
CALLS = 4096  # a leak costs 16 bytes or more in each


@pytest.fixture(autouse=True, scope="module")
def _little_garbage():
    """Keep the collections of these tests from going through all of pytest's objects."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def refused(function, *args, **kwargs):
    """Call what has to fail."""
    try:
        function(*args, **kwargs)
    except (TypeError, ValueError):
        return
    raise AssertionError("it did not fail")


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


X = np.arange(-8.0, 8.0)
PATHS = {
    "fast": lambda ufunc, xs: ufunc(*xs),
    "fast_out": lambda ufunc, xs: ufunc(*xs, out=OUT),
    "fast_positional": lambda ufunc, xs: ufunc(*xs, OUT),
    "fast_tuple": lambda ufunc, xs: ufunc(*xs, out=(OUT,)),
    "numpy": lambda ufunc, xs: ufunc(*xs, order="K"),
    "numpy_out": lambda ufunc, xs: ufunc(*xs, out=OUT, where=True),
    "numpy_strided": lambda ufunc, xs: ufunc(*[x[::2] for x in xs]),
    "numpy_scalar": lambda ufunc, xs: ufunc(*[1.5] * len(xs)),
    "numpy_cast": lambda ufunc, xs: ufunc(*xs, dtype="f4"),
    "subclass": lambda ufunc, xs: ufunc(*xs[:-1], SUBCLASS),
    "bad_dtype": lambda ufunc, xs: refused(ufunc, *xs[:-1], DATES),
    "bad_cast": lambda ufunc, xs: refused(ufunc, *xs, INTEGERS),
    "read_only": lambda ufunc, xs: refused(ufunc, *xs, READ_ONLY),
    "bad_shape": lambda ufunc, xs: refused(ufunc, *xs, SMALL),
    "bad_keyword": lambda ufunc, xs: refused(ufunc, *xs, alpha=1),
    "bad_out": lambda ufunc, xs: refused(ufunc, *xs, out=1),
}
OUT, SMALL = np.empty(16), np.empty(5)
INTEGERS = np.empty(16, int)
DATES = np.zeros(16, "M8[s]")
READ_ONLY = read_only(X)


class Subclass(np.ndarray):
    pass


SUBCLASS = X.view(Subclass)


def growth(function):
    """Return the bytes that many calls leave behind, as tracemalloc counts them."""
    for _ in range(100):
        function()
    tracemalloc.start()
    try:
        for _ in range(100):
            function()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(CALLS):
            function()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


@every_ufunc_loop
@pytest.mark.parametrize("path", PATHS)
def test_memory_stays_level(ufunc, path):
    xs = [X] * ufunc.nin
    call = PATHS[path]
    assert growth(lambda: call(ufunc, xs)) < LEVEL


@every_ufunc_loop
@pytest.mark.parametrize("path", PATHS)
def test_references_stay_level(ufunc, path):
    xs = [X.copy() for _ in range(ufunc.nin)]
    operands = [
        *xs,
        OUT,
        SMALL,
        INTEGERS,
        DATES,
        READ_ONLY,
        SUBCLASS,
        X.dtype,
        np.dtype("f4"),
        ufunc,
    ]
    call = PATHS[path]
    call(ufunc, xs)
    before = [sys.getrefcount(operand) for operand in operands]
    for _ in range(1000):
        call(ufunc, xs)
    after = [sys.getrefcount(operand) for operand in operands]
    assert after == before


@every_ufunc_loop
@pytest.mark.parametrize("n", [16, 1 << 18])
def test_a_result_holds_no_reference_to_its_input(ufunc, n):
    x = np.ones(n)
    before = sys.getrefcount(x)
    y = ufunc(*[x] * ufunc.nin)
    assert sys.getrefcount(x) == before
    fresh = np.ones(n)
    assert sys.getrefcount(y) == sys.getrefcount(fresh)


@every_ufunc_loop
def test_resident_memory_stays_level(ufunc):
    resource = pytest.importorskip("resource")
    x = np.ones(1 << 18)
    for _ in range(20):
        ufunc(*[x] * ufunc.nin)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(500):  # a gigabyte in all
        ufunc(*[x] * ufunc.nin)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024  # kilobytes; on macOS bytes, which is stricter


class Number:
    """A number that is counted, and that may refuse to be compared."""

    alive = 0

    def __init__(self, value):
        self.value = value
        Number.alive += 1

    def __del__(self):
        Number.alive -= 1

    def __lt__(self, other):
        if self.value is None:
            raise ZeroDivisionError("not to be compared")
        return self.value < other


def numbers(*values):
    array = np.empty(len(values), object)
    array[:] = [Number(value) for value in values]
    return array


@pytest.fixture
def alive():
    """Return how many numbers there are beyond those of other tests, and want none at the end."""
    gc.collect()
    before = Number.alive
    yield lambda: Number.alive - before
    gc.collect()
    assert Number.alive == before


def references(array):
    return [sys.getrefcount(element) for element in array]


@pytest.mark.usefixtures("alive")
@pytest.mark.parametrize("path", ["new", "out", "strided", "where"])
def test_elements_that_pass_gain_one_reference_each(path):
    x = numbers(-1, 2, -3, 4)
    out = np.empty(8, object)[::2] if path == "strided" else np.empty(4, object)
    before = references(x)
    if path == "new":
        out = fastrelu.relu(x)
    elif path == "where":
        fastrelu.relu(x, out, where=[True, True, True, False])
    else:
        fastrelu.relu(x, out)
    gained = [after - count for after, count in zip(references(x), before, strict=True)]
    assert gained == [0, 1, 0, 0 if path == "where" else 1]
    assert out[1] is x[1]
    assert (type(out[0]), out[0]) == (int, 0)


def test_elements_that_are_replaced_are_let_go(alive):
    x, out = numbers(-1, 2, -3, 4), numbers(5, 6, 7, 8)
    fastrelu.relu(x, out)
    assert alive() == 4
    fastrelu.relu(x, x)
    assert alive() == 2


@pytest.mark.usefixtures("alive")
@pytest.mark.parametrize("path", ["new", "out", "in_place"])
@pytest.mark.parametrize("position", [0, 2, 3])
def test_an_error_in_the_middle_loses_and_leaks_nothing(path, position):
    values = [1, -2, 3, -4]
    values[position] = None
    x, out = numbers(*values), numbers(5, 6, 7, 8)
    args = {"new": (), "out": (out,), "in_place": (x,)}[path]
    elements = list(x)
    before = references(elements)
    with pytest.raises(ZeroDivisionError, match="not to be compared"):
        fastrelu.relu(x, *args)
    gc.collect()
    if path == "new":
        assert references(elements) == before
    if path == "out":
        assert [element.value for element in out[position:]] == [5, 6, 7, 8][position:]
    if path == "in_place":
        assert all(a is b for a, b in zip(x[position:], elements[position:], strict=True))


@pytest.mark.usefixtures("alive")
def test_an_element_may_change_the_array_while_it_is_compared():
    class Meddler(Number):
        def __lt__(self, other):
            x[:] = 1
            return False

    x = np.empty(3, object)
    x[:] = [Meddler(1), Meddler(2), Meddler(3)]
    y = fastrelu.relu(x)
    assert isinstance(y[0], Meddler)
    assert y[1:].tolist() == [1, 1]


def test_memory_of_objects_stays_level():
    x = np.array([10**30, -(10**30), 2.5, -2.5], object)
    out = x.copy()
    assert growth(lambda: fastrelu.relu(x)) < LEVEL
    assert growth(lambda: fastrelu.relu(x, out)) < LEVEL


def test_memory_of_failing_objects_stays_level():
    x = np.array([10**30, -(10**30), "text"], object)
    assert growth(lambda: refused(fastrelu.relu, x)) < LEVEL


def test_zero_of_an_object_array_gains_no_references():
    if sys.version_info >= (3, 12):
        pytest.skip("0 is immortal since Python 3.12")
    x = np.array([5, 6, 7], object)
    before = sys.getrefcount(0)
    for _ in range(1000):
        fastrelu.relu(x)
    assert abs(sys.getrefcount(0) - before) < 100


BEYOND = 2**31 + 1000


def needs_memory(gigabytes):
    """Skip where the memory is not there."""
    try:
        with open("/proc/meminfo") as lines:
            found = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except OSError:
        return
    if found < gigabytes << 20:
        pytest.skip(f"needs {gigabytes} GB of memory")


def spots(n):
    """Return the places to look at: both ends, and where a 32-bit number runs over."""
    return np.r_[0:70, 2**30 - 70 : 2**30 + 70, 2**31 - 70 : 2**31 + 70, n - 70 : n]


@pytest.mark.slow
@pytest.mark.parametrize("path", ["new", "in_place", "strided", "where"])
def test_relu_beyond_2_31_elements(path):
    needs_memory(9)
    step = 2 if path == "strided" else 1
    base = np.full(step * BEYOND, -5, "i1")
    x = base[::step]
    where = spots(BEYOND)
    x[where] = np.arange(where.size) % 17 - 8
    expected = np.maximum(0, x[where])
    if path == "new":
        y = fastrelu.relu(x)
    elif path == "where":
        y = fastrelu.relu(x, x, where=np.broadcast_to(True, x.shape))
    else:
        y = fastrelu.relu(x, x)
    np.testing.assert_array_equal(y[where], expected)
    assert np.count_nonzero(y) == np.count_nonzero(expected)
    if path == "strided":
        assert (base[2 * where + 1] == -5).all()


@pytest.mark.slow
@pytest.mark.parametrize("path", ["fast", "numpy"])
def test_backward_beyond_2_31_elements(path):
    needs_memory(9)
    where = spots(BEYOND)
    grad, x = np.full(BEYOND, 3, "f2"), np.full(BEYOND, -1, "f2")
    grad[where] = np.arange(where.size) % 1000 + 1
    x[where] = np.arange(where.size) % 5 - 2
    expected = np.where(x[where] > 0, grad[where], 0)
    assert (
        fastrelu.relu_backward(grad, x, grad, **({} if path == "fast" else {"where": True})) is grad
    )
    np.testing.assert_array_equal(grad[where], expected)
    assert np.count_nonzero(grad.view("u2")) == np.count_nonzero(expected)
