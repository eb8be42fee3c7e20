"""The fast path: taken where it must be, and with the results of NumPy's path."""

import itertools
import sys
import threading
import time

import numpy as np
import pytest
from helpers import (
    GIL_THRESHOLD,
    OPERATIONS,
    UFUNCS,
    distinct_kernels,
    every_ufunc_loop,
    failing,
    numpy_ufunc,
    unify_nans,
)

import fastrelu

pytestmark = [
    pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is no ufunc"),
    pytest.mark.xdist_group("alone"),
]
needs_gil = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="this Python has no GIL"
)

MANY = 1 << 22
BRIEF_CALLS = 200_000  # brief moments without the GIL are missed, but not that many


class Waiter:
    """A thread that waits for the GIL while calls are made, and counts references when it has it.

    Nothing else can make the calling thread give the GIL away. NumPy's path holds references of its
    own to the operands during a call, the fast path none: that is how they are told apart.
    """

    def __init__(self, operand):
        self.operand, self.references = operand, None
        self.started, self.lock = threading.Event(), threading.Lock()
        self.thread = threading.Thread(target=self._wait, daemon=True)

    def _wait(self):
        self.started.set()
        with self.lock:
            self.references = sys.getrefcount(self.operand)

    def __enter__(self):
        self.interval = sys.getswitchinterval()
        self.lock.acquire()
        self.thread.start()
        self.started.wait()
        sys.setswitchinterval(3600)
        self.lock.release()
        return self

    def __exit__(self, *error):
        sys.setswitchinterval(self.interval)
        self.thread.join()


def references_during(operand, calls, function, *args, **kwargs):
    """Return the references to the operand beyond those between calls, or None if never seen."""
    with Waiter(operand) as waiter:
        between = sys.getrefcount(operand)
        deadline = time.perf_counter() + 0.005
        while time.perf_counter() < deadline:
            pass  # until the thread waits for the GIL
        for _ in range(calls):
            function(*args, **kwargs)
            if waiter.references is not None:
                break
        seen = waiter.references
    return None if seen is None else seen - between


def references_of_numpy(operand, calls, ufunc, *args, **kwargs):
    """Return the same of a ufunc that has no fast path."""
    return references_during(operand, calls, numpy_ufunc(ufunc.nin), *args, **kwargs)


def aligned(n, dtype="f4"):
    return np.ones(n, dtype)


def swapped(n):
    return aligned(n, np.dtype("f4").newbyteorder("S"))


def misaligned(n):
    return np.ones(4 * n + 1, "u1")[1:].view("f4")


def with_metadata(n):
    return aligned(n, np.dtype("f4", metadata={"unit": "m"}))


class Subclass(np.ndarray):
    pass


FAST_INPUTS = {
    "one_d": lambda: aligned(MANY),
    "two_d": lambda: aligned(MANY).reshape(1024, -1),
    "fortran": lambda: aligned(MANY).reshape(1024, -1).T,
    "five_d": lambda: aligned(MANY).reshape(2, 1, 4, 8, -1),
    "slice": lambda: aligned(MANY)[3:],
    "read_only": lambda: np.broadcast_to(aligned(MANY), MANY),
    "misaligned": lambda: misaligned(MANY),
    "other_descriptor": lambda: aligned(MANY, np.dtype("f4", copy=True)),
    "strided": lambda: aligned(2 * MANY)[::2],
    "reversed": lambda: aligned(MANY)[::-1],
    "transposed": lambda: aligned(MANY).reshape(16, 16, -1).transpose(1, 0, 2),
    "columns": lambda: aligned(2 * MANY).reshape(1024, -1)[:, 1:-7],
    "broadcast": lambda: np.broadcast_to(aligned(MANY // 4), (4, MANY // 4)),
    "one_long_axis": lambda: aligned(2 * MANY).reshape(1, -1)[:, ::2],
}
OUTPUTS = {
    "no_output": lambda out: ((), {}),
    "positional": lambda out: ((out,), {}),
    "keyword": lambda out: ((), {"out": out}),
    "in_a_tuple": lambda out: ((), {"out": (out,)}),
    "none": lambda out: ((), {"out": None}),
}
NUMPY_INPUTS = {
    "swapped": lambda: swapped(MANY),
    "with_metadata": lambda: with_metadata(MANY),
    "subclass": lambda: aligned(MANY).view(Subclass),
    "longdouble": lambda: aligned(MANY // 4, "g"),
}
NUMPY_KEYWORDS = {
    "where": {"where": True},
    "order": {"order": "K"},
    "subok": {"subok": True},
    "casting": {"casting": "same_kind"},
    "dtype": {"dtype": "f4"},
}


@needs_gil
@every_ufunc_loop
@pytest.mark.parametrize("layout", FAST_INPUTS)
def test_the_fast_path_is_taken(ufunc, layout):
    x = FAST_INPUTS[layout]()
    out = np.ones_like(x)

    def check(output):
        args, kwargs = OUTPUTS[output](out)
        call = (x, 1000, ufunc, *[x] * ufunc.nin, *args)
        assert references_during(*call, **kwargs) < references_of_numpy(*call, **kwargs)

    assert failing(check, OUTPUTS) == []


@needs_gil
@pytest.mark.parametrize(
    ("name", "dtype"), [(name, char) for name, op in OPERATIONS.items() for char in op.types]
)
def test_the_fast_path_is_taken_by_every_type_with_kernels(name, dtype):
    ufunc, x = UFUNCS[name], aligned(MANY, dtype)
    call = (x, 1000, ufunc, *[x] * ufunc.nin)
    assert references_during(*call) < references_of_numpy(*call)


@needs_gil
@every_ufunc_loop
@pytest.mark.parametrize("layout", ["one_d", "fortran"])
def test_the_fast_path_is_taken_in_place(ufunc, layout):
    x = FAST_INPUTS[layout]()
    call = (x, 1000, ufunc, *[x] * (ufunc.nin + 1))
    assert references_during(*call) < references_of_numpy(*call)


@needs_gil
@every_ufunc_loop
@pytest.mark.parametrize("layout", NUMPY_INPUTS)
def test_an_unusual_input_takes_numpys_path(ufunc, layout):
    x = NUMPY_INPUTS[layout]()
    call = (x, 1000, ufunc, *[x] * ufunc.nin)
    assert references_during(*call) >= references_of_numpy(*call)


@needs_gil
@every_ufunc_loop
@pytest.mark.parametrize("keywords", NUMPY_KEYWORDS)
def test_a_keyword_other_than_out_takes_numpys_path(ufunc, keywords):
    x = aligned(MANY)
    call = (x, 1000, ufunc, *[x] * ufunc.nin)
    kwargs = NUMPY_KEYWORDS[keywords]
    assert references_during(*call, **kwargs) >= references_of_numpy(*call, **kwargs)


@needs_gil
@every_ufunc_loop
def test_a_partial_overlap_takes_numpys_path(ufunc):
    base = aligned(MANY + 4)
    x, out = base[4:], base[:-4]
    call = (x, 1000, ufunc, *[x] * ufunc.nin, out)
    assert references_during(*call) >= references_of_numpy(*call)


KEEPING_GIL = {"fast": {}, "numpy": {"where": True}}


@needs_gil
@every_ufunc_loop
@pytest.mark.parametrize("kwargs", KEEPING_GIL.values(), ids=KEEPING_GIL)
def test_another_thread_runs_during_a_long_call(ufunc, kwargs):
    x = aligned(1 << 24)
    call = (ufunc, *[x] * ufunc.nin, np.empty_like(x))
    assert references_during(x, 20, *call, **kwargs) is not None


@needs_gil
@every_ufunc_loop
@pytest.mark.parametrize("kwargs", KEEPING_GIL.values(), ids=KEEPING_GIL)
def test_no_other_thread_runs_during_short_calls(ufunc, kwargs):
    x = aligned(GIL_THRESHOLD)
    assert references_during(x, BRIEF_CALLS, ufunc, *[x] * ufunc.nin, **kwargs) is None


@needs_gil
@every_ufunc_loop
@pytest.mark.parametrize("kwargs", KEEPING_GIL.values(), ids=KEEPING_GIL)
def test_the_gil_is_given_away_just_above(ufunc, kwargs):
    x = aligned(GIL_THRESHOLD + 1)
    assert references_during(x, 10 * BRIEF_CALLS, ufunc, *[x] * ufunc.nin, **kwargs) is not None


def random_bits(dtype, n, seed):
    itemsize = np.dtype(dtype).itemsize
    return np.random.default_rng(seed).integers(0, 256, n * itemsize, "u1").view(dtype)


def assert_both_paths_agree(ufunc, inputs, output):
    array = next(a for a in inputs if np.ndim(a))
    expected, out = np.ones_like(array), np.ones_like(array)
    args, kwargs = OUTPUTS[output](out)
    with np.errstate(all="ignore"):
        ufunc(*inputs, out=expected, where=True)
        y = ufunc(*inputs, *args, **kwargs)
    unify_nans(ufunc.__name__, y, expected)
    assert (y is out) == (output not in ("no_output", "none"))
    assert y.dtype == expected.dtype
    assert y.tobytes() == expected.tobytes()


LENGTHS = [0, 1, 7, 64, 129, GIL_THRESHOLD, GIL_THRESHOLD + 1, 10_001]


@pytest.mark.parametrize(
    ("name", "dtype"), [(name, char) for name, op in OPERATIONS.items() for char in op.types]
)
def test_both_paths_give_the_same_bits(name, dtype):
    def check(case):
        output, n = case
        inputs = [random_bits(dtype, n, n + role) for role in range(OPERATIONS[name].inputs)]
        assert_both_paths_agree(UFUNCS[name], inputs, output)

    assert failing(check, itertools.product(OUTPUTS, LENGTHS)) == []


NUMBERS = {
    "python": lambda dtype: 2 if np.dtype(dtype).kind in "iu" else 2.5,
    "numpy": lambda dtype: np.dtype(dtype).type(3),
    "zero_d": lambda dtype: np.array(4, dtype),
}
of_numbers = pytest.mark.parametrize(
    ("name", "role"), [(name, role) for name, op in OPERATIONS.items() for role in op.numbers]
)


@needs_gil
@of_numbers
@pytest.mark.parametrize("number", NUMBERS)
def test_the_fast_path_is_taken_by_a_number(name, role, number):
    x = aligned(MANY)
    inputs = [x] * OPERATIONS[name].inputs
    inputs[role] = NUMBERS[number](x.dtype)
    call = (x, 1000, UFUNCS[name], *inputs)
    assert references_during(*call) < references_of_numpy(*call)


@of_numbers
@pytest.mark.parametrize("number", NUMBERS)
def test_both_paths_give_the_same_bits_for_a_number(name, role, number):
    def check(case):
        output, n, dtype = case
        inputs = [random_bits(dtype, n, n + role) for role in range(OPERATIONS[name].inputs)]
        inputs[role] = NUMBERS[number](dtype)
        assert_both_paths_agree(UFUNCS[name], inputs, output)

    types = distinct_kernels(OPERATIONS[name].types)
    assert failing(check, itertools.product(OUTPUTS, LENGTHS, types)) == []


@every_ufunc_loop
@pytest.mark.parametrize("shape", [(3, 5), (0, 4), (2, 3, 4), (1, 1)])
@pytest.mark.parametrize("order", "CF")
def test_both_paths_give_the_same_layout(ufunc, shape, order):
    x = np.asarray(np.arange(np.prod(shape), dtype="f4").reshape(shape) - 3, order=order)
    y = ufunc(*[x] * ufunc.nin)
    expected = ufunc(*[x] * ufunc.nin, where=True)
    assert (y.shape, y.strides, y.flags.num) == (
        expected.shape,
        expected.strides,
        expected.flags.num,
    )
    np.testing.assert_array_equal(y, expected)


def test_operands_of_different_orders_are_matched_by_index():
    grad = np.arange(1.0, 13).reshape(3, 4)
    x = np.asfortranarray(np.where(np.arange(12) % 2, 1.0, -1.0).reshape(3, 4))
    expected = np.where(np.arange(12) % 2, grad.ravel(), 0).reshape(3, 4)
    np.testing.assert_array_equal(fastrelu.relu_backward(grad, x), expected)
    out = np.empty_like(x)
    fastrelu.relu_backward(grad, x, out)
    np.testing.assert_array_equal(out, expected)


@every_ufunc_loop
def test_too_long_a_tuple_is_refused(ufunc):
    x = aligned(4)
    with pytest.raises(ValueError, match="out"):
        ufunc(*[x] * ufunc.nin, out=(x, x))


@every_ufunc_loop
def test_an_empty_tuple_is_refused(ufunc):
    x = aligned(4)
    with pytest.raises(ValueError, match="out"):
        ufunc(*[x] * ufunc.nin, out=())


def test_a_warning_about_an_output_may_be_an_error():
    out = np.ones(4).view()
    view = np.broadcast_arrays(out, np.ones((1, 4)))[0]
    with pytest.raises(DeprecationWarning):
        fastrelu.relu(np.ones((1, 4)), view)
    assert view.tolist() == [[1, 1, 1, 1]]


@pytest.mark.parametrize("name", [name for name, op in OPERATIONS.items() if op.inputs > 1])
def test_the_dtype_asked_for_is_not_that_of_an_operand_without_axes(name):
    ufunc, number, x = UFUNCS[name], np.array(1, "f4"), np.ones(MANY)
    rest = [x] * (ufunc.nin - 1)
    assert ufunc(number, *rest, dtype=np.float32).dtype == np.float32
    assert ufunc(number, *rest, dtype=number.dtype).dtype == np.float32
