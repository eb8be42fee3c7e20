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

import fastrelu

pytestmark = pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is NumPy's alone")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

THREADS = 8
ROUNDS = 10
TIMEOUT = 60
SIZES = [7, 501, 40_003]
TYPES = ["i1", "f2", "f4", "f8", "g", "O"]


def example(n, dtype, seed):
    x = np.random.default_rng(seed).integers(-50, 50, n).astype(dtype)
    grad = (np.arange(n) % 100).astype(dtype)
    return grad, x, np.where(x < 0, 0, x).astype(dtype), np.where(x <= 0, 0, grad).astype(dtype)


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


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", TYPES)
def test_threads_with_inputs_of_their_own(dtype, n):
    def work(number):
        grad, x, forward, backward = example(n, dtype, number)
        out = np.empty_like(x)
        for _ in range(ROUNDS if dtype != "O" else 2):
            np.testing.assert_array_equal(fastrelu.relu(x), forward)
            np.testing.assert_array_equal(fastrelu.relu(x, out), forward)
            if dtype != "O":
                np.testing.assert_array_equal(fastrelu.relu_backward(grad, x), backward)
                np.testing.assert_array_equal(fastrelu.relu_backward(grad, x, out), backward)

    together(work)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", TYPES)
def test_threads_with_shared_inputs(dtype, n):
    grad, x, forward, backward = example(n, dtype, 0)

    def work(number):
        for _ in range(ROUNDS if dtype != "O" else 2):
            np.testing.assert_array_equal(fastrelu.relu(x), forward)
            np.testing.assert_array_equal(fastrelu.relu(x[::-1]), forward[::-1])
            if dtype != "O":
                np.testing.assert_array_equal(fastrelu.relu_backward(grad, x), backward)

    together(work)


@pytest.mark.parametrize("dtype", TYPES)
def test_threads_that_share_an_output_by_parts(dtype):
    n = 10_007
    _, x, forward, _ = example(n * THREADS, dtype, 0)
    out = np.empty_like(x)

    def work(number):
        part = slice(number * n, (number + 1) * n)
        for _ in range(ROUNDS):
            fastrelu.relu(x[part], out[part])

    together(work)
    np.testing.assert_array_equal(out, forward)


def test_threads_that_fail_disturb_no_other():
    _, x, forward, _ = example(1001, "f4", 0)
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
                np.testing.assert_array_equal(fastrelu.relu(x), forward)

    together(work)


def computes_right(n=100_003):
    grad, x, forward, backward = example(n, "f4", 0)
    return bool(
        (fastrelu.relu(x) == forward).all() and (fastrelu.relu_backward(grad, x) == backward).all()
    )


@contextlib.contextmanager
def quiet_fork():
    """Let a process of several threads fork: that it may is what these tests are about."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
        yield


def child_of_fork():
    """Fork, compute in the child, and return its exit status: 0 is right, 1 wrong, 2 an error."""
    with quiet_fork():
        pid = os.fork()
    if pid == 0:
        status = 2
        try:
            signal.alarm(TIMEOUT)  # no hang: it ends the child
            status = 0 if computes_right() else 1
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
            fastrelu.relu(x, out)
            fastrelu.relu_backward(x, x, out)
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
    assert computes_right()
    assert child_of_fork() == 0
    assert computes_right()


@needs_fork
@pytest.mark.parametrize("attempt", range(10))
def test_fork_while_another_thread_is_inside_a_call(attempt):
    with another_thread_inside_calls():
        assert child_of_fork() == 0
        assert computes_right()


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
