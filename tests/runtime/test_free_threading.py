"""Threads that do everything at once: meant for a Python without the GIL, and right on any."""

import gc
import os
import signal
import subprocess
import sys
import sysconfig
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import EVERY_LOOP, UFUNCS, numbers, oracle_of

import fastrelu

pytestmark = [
    pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is NumPy's alone"),
    pytest.mark.xdist_group("alone"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]

THREADS = 4
TIMEOUT = 60
SIZES = [5, 501, 40_003, 300_007]  # the last has its memory from the block cache
TYPES = ["i1", "f2", "f4", "f8"]
PATCHES = 100_000
FORKS = 20
SLOPE = 10.0

x_of = {(dtype, n): numbers(dtype, n) for dtype in TYPES for n in SIZES}
expected_of = {key: x.clip(0) for key, x in x_of.items()}


def together(work):
    """Run work(number) in all threads at once; raise what any of them raises."""
    barrier = threading.Barrier(THREADS)

    def worker(number):
        barrier.wait(TIMEOUT)
        work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        for future in [pool.submit(worker, number) for number in range(THREADS)]:
            future.result()


def one_of(rng, choices):
    return choices[rng.integers(len(choices))]


def example(rng):
    """Return an input, which threads share, and its relu."""
    key = one_of(rng, list(x_of))
    return x_of[key], expected_of[key]


def same(result, expected):
    assert result.dtype == expected.dtype
    is_same = result.tobytes() == expected.tobytes()
    assert is_same  # what pytest shows of so many bytes takes minutes


def relu(rng):
    x, expected = example(rng)
    same(fastrelu.relu(x), expected)
    same(fastrelu.relu(x, out=np.empty_like(x)), expected)
    same(fastrelu.relu(x[::-2]), expected[::-2])
    same(fastrelu.relu(x, where=True), expected)
    own = x.copy()
    same(fastrelu.relu(own, own), expected)


def relatives(rng):
    x, _ = example(rng)
    for name in EVERY_LOOP:
        ufunc = UFUNCS[name]
        if x.dtype.kind == "f" or name in ("relu", "relu_backward"):
            same(ufunc(*[x] * ufunc.nin), oracle_of(name)(*[x] * ufunc.nin))


def masks(rng):
    x, expected = example(rng)
    y, mask = fastrelu.relu_with_mask(x)
    same(y, expected)
    same(mask, np.packbits(x > 0, bitorder="little"))
    same(fastrelu.relu_backward_from_mask(x, mask, x.copy()), expected)


def reductions(rng):
    x, expected = example(rng)
    assert float(fastrelu.relu_sum(x.astype("f8"))) == expected.sum(dtype="f8")
    assert fastrelu.relu_mean(x.astype("i8")) == expected.mean(dtype="f8")
    assert fastrelu.activity(x, axis=None) == np.count_nonzero(expected) / x.size
    same(fastrelu.dead_units(x.reshape(1, -1)), expected == 0)


def maximum(rng):
    x, expected = example(rng)
    same(np.maximum(0, x), expected)
    same(np.maximum(x, 0, out=x.copy()), expected)


def patched_maximum(rng):
    with fastrelu.patched_numpy():
        assert fastrelu.numpy_is_patched()
        maximum(rng)


def settings(rng):
    fastrelu.set_num_threads(int(rng.integers(1, 4)))
    assert 1 <= fastrelu.get_num_threads() <= 3
    fastrelu.set_cache_limit(one_of(rng, [0, 1 << 22, 1 << 26]))
    assert fastrelu.cache_info().limit in (0, 1 << 22, 1 << 26)


def release(rng):
    fastrelu.clear_cache()
    gc.collect()


def errors(rng):
    x = np.full(one_of(rng, SIZES), -3e38, "f4")
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        fastrelu.leaky_relu(x, SLOPE)
    with np.errstate(over="ignore"):
        assert (fastrelu.leaky_relu(x, SLOPE) == -np.inf).all()
    x.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        fastrelu.relu(x, x)


def in_child(work):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.alarm(TIMEOUT)  # no hang: it ends the child
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def fork(rng):
    x, expected = example(rng)
    in_child(lambda: same(fastrelu.relu(x), expected))


OFTEN = [relu, relatives, masks, reductions, maximum, patched_maximum]
SELDOM = [settings, release, errors, *([fork] if hasattr(os, "fork") else [])]


@pytest.fixture
def settings_restored():
    threads, limit = fastrelu.get_num_threads(), fastrelu.cache_info().limit
    yield
    fastrelu.set_num_threads(threads)
    fastrelu.set_cache_limit(limit)


@pytest.mark.parametrize("rounds", [100, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.usefixtures("settings_restored")
def test_everything_at_once(rounds):
    def work(number):
        rng = np.random.default_rng(number)
        for _ in range(rounds):
            one_of(rng, OFTEN if rng.random() < 0.8 else SELDOM)(rng)

    together(work)
    assert not fastrelu.numpy_is_patched()


def test_patches_and_their_undoing():
    x = np.array([-1, 2, -3], "f4")

    def work(number):
        for turn in range(PATCHES):
            fastrelu.patch_numpy()
            if turn % THREADS == number:
                assert np.maximum(0, x).tolist() == [0, 2, 0]
            fastrelu.unpatch_numpy()

    together(work)
    assert not fastrelu.numpy_is_patched()
    with pytest.raises(RuntimeError, match="not patched"):
        fastrelu.unpatch_numpy()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_children_of_a_fork_can_patch():
    forked = threading.Event()

    def patch():
        with fastrelu.patched_numpy():
            pass

    def patch_in_a_thread():  # which does not have what the thread that forked had
        thread = threading.Thread(target=patch, daemon=True)
        thread.start()
        thread.join(60)
        assert not thread.is_alive()

    def work(number):
        while number and not forked.is_set():
            patch()
        try:
            for _ in range(0 if number else FORKS):
                in_child(patch)
                in_child(patch_in_a_thread)
        finally:
            forked.set()

    together(work)


free_threaded = pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python always has the GIL"
)


@free_threaded
@pytest.mark.parametrize("isa", fastrelu.implementations)
def test_calls_count_no_references_to_functions(isa):
    functions = fastrelu.implementations[isa]._asdict()
    counted = [name for name, f in functions.items() if sys.getrefcount(f) < 1 << 30]
    assert counted == []


@free_threaded
def test_the_gil_stays_off():
    code = "import sys, fastrelu; sys.exit(sys._is_gil_enabled())"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, check=True)
