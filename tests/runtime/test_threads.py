"""Nothing is shared between calls: many threads at once, and forks at any moment, get it right."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import EVERY_LOOP, UFUNCS, has_loop, needs_fork, numbers

import fastrelu
from fastrelu import reference

pytestmark = [
    pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is NumPy's alone"),
    pytest.mark.xdist_group("alone"),
]

THREADS = 8
ROUNDS = 10
TIMEOUT = 60
SIZES = [7, 501, 40_003]
TYPES = ["i1", "f2", "f4", "f8", "g"]


class Example:
    """Inputs of an operation, and what it must give."""

    def __init__(self, ufunc, n, dtype, seed):
        self.ufunc = ufunc
        self.inputs = [numbers(dtype, n, seed + role) for role in range(ufunc.nin)]
        self.expected = getattr(reference, ufunc.__name__)(*self.inputs)

    def check(self, part=slice(None), out=None):
        result = self.ufunc(*(a[part] for a in self.inputs), out=out)
        np.testing.assert_array_equal(result, self.expected[part])


def together(work):
    """Run work(number) in all threads at once; raise what any of them raises."""
    barrier = threading.Barrier(THREADS)

    def worker(number):
        barrier.wait(TIMEOUT)
        work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        for future in [pool.submit(worker, number) for number in range(THREADS)]:
            future.result(TIMEOUT)


@pytest.fixture(autouse=True)
def quick_switches():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


of_every_type = pytest.mark.parametrize(
    ("ufunc", "dtype"),
    [
        *(
            (ufunc, dtype)
            for ufunc in map(UFUNCS.get, EVERY_LOOP)
            for dtype in TYPES
            if has_loop(ufunc, dtype)
        ),
        (fastrelu.relu, "O"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)


@pytest.mark.parametrize("n", SIZES)
@of_every_type
def test_threads_with_inputs_of_their_own(ufunc, dtype, n):
    def work(number):
        example = Example(ufunc, n, dtype, number)
        out = np.empty_like(example.expected)
        for _ in range(ROUNDS if dtype != "O" else 2):
            example.check()
            example.check(out=out)

    together(work)


@pytest.mark.parametrize("n", SIZES)
@of_every_type
def test_threads_with_shared_inputs(ufunc, dtype, n):
    example = Example(ufunc, n, dtype, 0)

    def work(number):
        for _ in range(ROUNDS if dtype != "O" else 2):
            example.check()
            example.check(slice(None, None, -1))

    together(work)


@of_every_type
def test_threads_that_share_an_output_by_parts(ufunc, dtype):
    n = 10_007
    example = Example(ufunc, n * THREADS, dtype, 0)
    out = np.empty_like(example.expected)

    def work(number):
        part = slice(number * n, (number + 1) * n)
        for _ in range(ROUNDS):
            example.check(part, out[part])

    together(work)
    np.testing.assert_array_equal(out, example.expected)


def test_threads_that_fail_disturb_no_other():
    example = Example(fastrelu.relu, 1001, "f4", 0)
    (x,) = example.inputs
    read_only = np.ones_like(x)
    read_only.flags.writeable = False

    def work(number):
        for _ in range(ROUNDS):
            if number % 2:
                with pytest.raises(ValueError, match="read-only"):
                    fastrelu.relu(x, read_only)
                with pytest.raises(TypeError):
                    fastrelu.relu(x.astype("M8[s]"))
            else:
                example.check()

    together(work)


def computes_right(n=100_003):
    for ufunc in UFUNCS.values():
        Example(ufunc, n, "f4", 0).check()
    return True


@contextlib.contextmanager
def quiet_fork():
    """Let a process of several threads fork: that it may is what these tests are about."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
        yield


def child_of_fork():
    """Fork, compute in the child, and return its exit status: 0 if all is right."""
    with quiet_fork():
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.alarm(TIMEOUT)  # no hang: it ends the child
            computes_right()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@contextlib.contextmanager
def another_thread_inside_calls():
    x = np.ones(1 << 22, "f4")
    out = np.empty_like(x)
    busy, enough = threading.Event(), threading.Event()

    def work():
        while not enough.is_set():
            for ufunc in UFUNCS.values():
                ufunc(*[x] * ufunc.nin, out)
            busy.set()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert busy.wait(TIMEOUT)
        yield
    finally:
        enough.set()
        thread.join(TIMEOUT)
        assert not thread.is_alive()


FORK_FIRST = """
import os
import fastrelu
from fastrelu import reference
import numpy as np
x = np.arange(-50_000, 50_000, dtype="f4")
pid = os.fork()
right = fastrelu.relu(x).tobytes() == reference.relu(x).tobytes()
if pid == 0:
    os._exit(0 if right else 1)
assert right
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@needs_fork
def test_fork_before_the_first_call():
    subprocess.run([sys.executable, "-c", FORK_FIRST], check=True, timeout=TIMEOUT)


@needs_fork
def test_fork_after_a_call():
    computes_right()
    assert child_of_fork() == 0
    computes_right()


@needs_fork
def test_fork_while_another_thread_is_inside_a_call():
    with another_thread_inside_calls():
        for _ in range(5):
            assert child_of_fork() == 0
            computes_right()


@needs_fork
def test_fork_of_a_fork():
    with quiet_fork():
        pid = os.fork()
    if pid == 0:
        status = 2
        try:
            signal.alarm(TIMEOUT)
            status = child_of_fork()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@needs_fork
@pytest.mark.parametrize("busy", [False, True])
def test_multiprocessing_by_fork(busy):
    with (
        another_thread_inside_calls() if busy else contextlib.nullcontext(),
        quiet_fork(),
        multiprocessing.get_context("fork").Pool(2) as pool,
    ):
        assert pool.map_async(computes_right, [7, 501, 100_003, 1 << 20]).get(TIMEOUT) == [True] * 4
