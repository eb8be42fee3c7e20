"""What a process under shim.c does: threads that do not start, signals and forks at every point."""

import itertools
import os
import signal
import threading
import time
import timeit

import numpy as np
from proofs.faults.injection import ALL, THREAD, attempt, delay, sweep_in_forks

import fastrelu
from fastrelu import _core

THREADS = 4
x = np.random.default_rng(0).integers(-9, 9, 1 << 20).astype("f4")
y = np.empty_like(x)
expected = np.maximum(x, 0)
fastrelu.set_num_threads(THREADS)
_core.set_thresholds(1, 1, 1, 1, 1 << 62, 1, 1 << 62)  # every call is threaded


def call():
    y.fill(-1)
    return fastrelu.relu(x, out=y)


def is_right():
    return np.array_equal(call(), expected)


def n_threads():
    return len(os.listdir("/proc/self/task"))


def fail_to_start():
    """Let the threads of the pool fail to start; print the number of faults."""
    faults = 0
    before = n_threads()

    def in_child(first, last):
        _, raised, hit = attempt(call, THREAD, first, last)
        assert hit == 1  # it does not try the next
        assert raised is None
        assert np.array_equal(y, expected)
        assert n_threads() == before + first - 1
        assert is_right()
        assert n_threads() == before + THREADS - 1
        return True

    for first, last in itertools.product(range(1, THREADS), (1, ALL)):
        assert fork(lambda: in_child(first, max(first, last)))  # noqa: B023
        faults += 1
    print(faults)


def fail_to_start_without_memory():
    """Let each allocation of a call that starts threads fail; print the number of faults."""

    def check(raised):
        assert raised is None
        assert np.array_equal(y, expected)
        assert is_right()

    print(sweep_in_forks(call, check))


class Interrupt(KeyboardInterrupt):
    pass


def interrupt(number, frame):
    raise Interrupt


def interrupt_at_every_point(steps):
    """
    Interrupt a call after more and more time; print how many signals interrupted it.

    The handler raises in Python, and so before the call or after it, but never within: all of the
    output is old, or all of it is right.
    """
    signal.signal(signal.SIGALRM, interrupt)
    took = min(timeit.repeat(lambda: fastrelu.relu(x, out=y), number=1, repeat=20))
    interrupted = 0
    for step in range(steps):
        y.fill(-1)
        try:
            signal.setitimer(signal.ITIMER_REAL, 1e-6 + 2 * took * step / steps)
            fastrelu.relu(x, out=y)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except Interrupt:
            assert (y == -1).all() or np.array_equal(y, expected), step
            interrupted += 1
        else:
            assert np.array_equal(y, expected), step
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert is_right(), step
    print(interrupted)


def storm(seconds):
    """
    Send signals at a high rate to a thread that waits for others; print how many handlers ran.

    The other threads are slow within their chunks, so that the caller sleeps until they are done:
    a signal wakes it.
    """
    came = itertools.count()
    operands = [x, x + 1]  # so that no sum is that of the call before
    sums = [np.maximum(operand, 0).sum() for operand in operands]
    signal.signal(signal.SIGALRM, lambda number, frame: next(came))
    signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
    delay.value = 1000
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert [fastrelu.relu_sum(operand) for operand in operands] == sums
    signal.setitimer(signal.ITIMER_REAL, 0)
    delay.value = 0
    print(next(came))


def fork_at_every_point(steps):
    """
    Fork while another thread is in a call, later and later in it; print how many forks.

    The children and their children compute too.
    """
    results = []

    def work():
        in_call.set()
        results.append(fastrelu.relu_sum(x))

    expected = np.maximum(x, 0).sum()
    delay.value = 1000
    took = min(timeit.repeat(lambda: fastrelu.relu_sum(x), number=1, repeat=5))
    for step in range(steps):
        in_call = threading.Event()
        thread = threading.Thread(target=work)
        thread.start()
        in_call.wait()
        time.sleep(1.5 * took * step / steps)
        assert fork(lambda: is_right() and fork(is_right)), step
        thread.join()
        assert fastrelu.relu_sum(x) == expected
    delay.value = 0
    assert results == [expected] * steps
    print(steps)


def fork(in_child):
    """Return whether a call in a child returns True."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        status = 1
        try:
            delay.value = 0
            status = not in_child()
        finally:
            os._exit(status)
    return os.waitpid(pid, 0)[1] == 0
