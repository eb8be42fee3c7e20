"""What the test modules share: every instruction set by name, and helpers that compare bits."""

import argparse
import contextlib
import functools
import itertools
import signal
import zlib

import numpy as np
import pytest
from helpers import NEVER, OPERATIONS, SENTINEL, oracle_of, thresholds

import fastrelu
from fastrelu import _core, _patch

pytest.register_assert_rewrite("calls")


def part_of(text):
    """Return K and N of a text K/N."""
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"expected K/N with K from 1 to N, not {text!r}")
    return int(part), int(parts)


def pytest_addoption(parser):
    """Take --part, for runs whose every test is slow: by emulation, or under sanitizers."""
    parser.addoption(
        "--part",
        type=part_of,
        default=(1, 1),
        metavar="K/N",
        help="run the K-th of N parts of the tests, which are told apart by their names",
    )


def pytest_collection_modifyitems(config, items):
    """Leave out the tests of other parts."""
    part, parts = config.getoption("part")
    chosen, of_others = [], []
    for item in items:
        is_chosen = zlib.crc32(item.nodeid.encode()) % parts == part - 1
        (chosen if is_chosen else of_others).append(item)
    if of_others:
        config.hook.pytest_deselected(items=of_others)
        items[:] = chosen


def pytest_assertrepr_compare(op, left, right):
    """Show a list that should be empty, such as of the cases that fail, a line for each item."""
    if op == "==" and isinstance(left, list) and right == []:
        shown = left[:30]
        more = [f"and {len(left) - len(shown)} more"] if len(left) > len(shown) else []
        return [f"{len(left)} instead of none:", *map(str, shown), *more]
    return None


@pytest.fixture(
    scope="module", params=fastrelu.implementations.values(), ids=fastrelu.implementations.keys()
)
def implementation(request):
    """Return the functions of one instruction set: .relu, .relu_backward and those of masks."""
    return request.param


@pytest.fixture(params=OPERATIONS)
def operation(request):
    """Return the name of an operation; within it, one that reports its arithmetic is not heard."""
    ieee = OPERATIONS[request.param].status == "ieee"
    with np.errstate(all="ignore") if ieee else contextlib.nullcontext():
        yield request.param


@pytest.fixture
def n_inputs(operation):
    return OPERATIONS[operation].inputs


@pytest.fixture
def ufunc(implementation, operation):
    """Return an operation of one instruction set."""
    return getattr(implementation, operation)


@pytest.fixture
def oracle(operation):
    """Return what an operation must agree with."""
    return oracle_of(operation)


@functools.cache
def edge_values_of(dtype):
    dtype = np.dtype(dtype)
    width = 8 * dtype.itemsize
    if dtype.kind == "f":
        info = np.finfo(dtype)
        inf = ((1 << info.nexp) - 1) << info.nmant
        highs = [0, 1 << info.nmant, inf >> 1, inf, inf | 1 << (info.nmant - 1)]
    else:
        highs = [0, 1 << (width - 2)]
    patterns = {
        (sign + high + low + near) % (1 << width)
        for sign in (0, 1 << (width - 1))
        for high in highs
        for low in (0, 1 << (width // 2 - 1), 1 << (width // 2))
        for near in (-2, -1, 0, 1, 2)
    }
    return np.array(sorted(patterns), f"u{dtype.itemsize}").view(dtype)


@functools.cache
def random_values_of(dtype, n, seed):
    rng = np.random.default_rng(seed)
    edge_values = edge_values_of(dtype)
    values = np.frombuffer(rng.bytes(n * edge_values.itemsize), edge_values.dtype).copy()
    at_edge = rng.random(n) < 0.6
    values[at_edge] = rng.choice(edge_values, at_edge.sum())
    values.flags.writeable = False
    return values


@pytest.fixture(scope="session")
def edge_values():
    """
    Return edge_values(dtype): the values of a kernel's dtype where an operation may go wrong.

    For floats both signs of zeros, subnormals, normals, infinities, quiet and signalling NaNs; for
    integers the extremes; for both, what lies next to them and where the halves of a word meet.
    """
    return edge_values_of


@pytest.fixture(scope="session")
def random_values():
    """Return random_values(dtype, n, seed): n values, of random bits or edge values."""
    return random_values_of


def raw(array):
    array = np.ascontiguousarray(array)
    if array.dtype.char in "gG":
        info = np.finfo(array.dtype)
        kept = 10 if info.nmant == 63 else info.dtype.itemsize
        return array.view("u1").reshape(*array.shape, -1, info.dtype.itemsize)[..., :kept]
    if array.dtype.kind == "c":
        return array.view(f"u{array.itemsize // 2}")
    return array.view(f"u{array.itemsize}")


@pytest.fixture(scope="session")
def assert_same_bits():
    """Return assert_same_bits(actual, expected): the same shape, dtype and bits, less padding."""

    def assert_same_bits(actual, expected):
        actual, expected = np.asarray(actual), np.asarray(expected)
        assert actual.shape == expected.shape
        assert actual.dtype == expected.dtype
        np.testing.assert_array_equal(raw(actual), raw(expected))

    return assert_same_bits


MARGIN = 192


@pytest.fixture(scope="session")
def with_guards():
    """
    Return with_guards(values, step, shift): a view that holds values, and all the memory round it.

    The step is in bytes and may be negative or 0 (then values should be all the same); the shift,
    in bytes, is the view's offset from an address that suits every register. All else is sentinels.
    """

    def with_guards(values, step, shift=0):
        span = abs(step) * max(len(values) - 1, 0) + values.itemsize
        memory = np.full(span + shift + 2 * MARGIN, SENTINEL, "u1")
        first = MARGIN - (memory.ctypes.data + MARGIN) % 64 + shift
        if step < 0:
            first += span - values.itemsize
        view = np.ndarray(values.shape, values.dtype, memory, first, (step,))
        view[...] = values
        return view, memory

    return with_guards


@pytest.fixture
def interruptible():
    """Let processes that a test starts end by SIGINT, even if this one was started to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def chunked():
    """Return chunked(threads, streaming): from now on every call is split into chunks."""
    with contextlib.ExitStack() as stack:

        def chunked(threads, streaming=False):
            stack.enter_context(fastrelu.num_threads(threads))
            stack.enter_context(thresholds(1, 1 if streaming else NEVER))

        yield chunked


@pytest.fixture(params=["whole", "chunks", "streamed chunks"])
def in_chunks(request, chunked):
    """Have every call run whole, or in chunks by three threads."""
    if request.param != "whole":
        chunked(3, "streamed" in request.param)


@pytest.fixture
def choose_for_maximum():
    """
    Return choose_for_maximum(ufunc, char): np.maximum of a zero and a type takes its kernels.

    np.maximum is patched, in both orders of operands, until the test ends.
    """
    orders, chosen = [False, True], set()

    def choose_for_maximum(ufunc, char):
        chosen.add(np.dtype(char))
        for zero_is_last in orders:
            _core.choose_for_maximum(zero_is_last, np.dtype(char), ufunc)

    with fastrelu.patched_numpy():
        yield choose_for_maximum
    for zero_is_last, dtype in itertools.product(orders, chosen):
        _core.choose_for_maximum(zero_is_last, dtype, _patch._choose(zero_is_last, dtype))
