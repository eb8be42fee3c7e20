"""Large runs in parts, by several threads, past the caches: the same bits, and no harm to forks."""

import functools
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers import (
    EVERY_LOOP,
    MAX_THREADS,
    MIN_CHUNK,
    OPERATIONS,
    SENTINEL,
    every_kernel,
    failing,
    in_forks,
    needs_fork,
    oracle_of,
    unify_nans,
)

import fastrelu
from fastrelu import _core, _limits, reference

pytestmark = [
    pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback has no threads"),
    pytest.mark.xdist_group("alone"),
]
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

TIMEOUT = 60


def lengths(dtype):
    chunk = MIN_CHUNK // np.dtype(dtype).itemsize
    return [0, 1, 7, chunk - 1, chunk, chunk + 1, chunk + 8, 2 * chunk + 511, 9 * chunk + 13]


@every_kernel("bHeifdQ", EVERY_LOOP)
def test_contiguous_runs(
    operation,
    ufunc,
    oracle,
    n_inputs,
    chunked,
    random_values,
    with_guards,
    assert_same_bits,
    dtype,
):
    itemsize = np.dtype(dtype).itemsize

    @functools.cache
    def inputs_and_result(n, number):
        inputs = [random_values(dtype, n, 1 + role) for role in range(n_inputs)]
        if number is not None:
            inputs[number] = np.broadcast_to(random_values(dtype, 7, 1)[number], n)
        expected = oracle(*inputs)
        unify_nans(operation, expected)
        return inputs, expected

    def check(case):
        number, threads, streaming, n, shift = case
        chunked(threads, streaming)
        inputs, expected = inputs_and_result(n, number)
        out, memory = with_guards(np.zeros(n, dtype), itemsize, shift)
        ufunc(*inputs, out)
        unify_nans(operation, out)
        assert_same_bits(out, expected)
        assert_only_written(memory, out)

    placed = itertools.product([False, True], lengths(dtype), sorted({0, 16, itemsize, 1}))
    cases = [
        (number, threads, *case)
        for case in placed
        for number, threads in [
            *((None, threads) for threads in (1, 2, 3, 7)),
            *((number, 3) for number in OPERATIONS[operation].numbers),
        ]
    ]
    assert failing(check, cases) == []


def assert_only_written(memory, out):
    start = out.ctypes.data - memory.ctypes.data
    assert (memory[:start] == SENTINEL).all()
    assert (memory[start + out.nbytes :] == SENTINEL).all()


@pytest.mark.parametrize("dtype", ["i1", "f2", "f4", "f8", "u8"])
def test_runs_with_a_mask(
    implementation, chunked, random_values, with_guards, assert_same_bits, dtype
):
    @functools.cache
    def inputs_and_results(n):
        x, grad = random_values(dtype, n, 1), random_values(dtype, n, 2)
        y, mask = reference.relu_with_mask(x)
        return x, grad, y, mask, reference.relu_backward_from_mask(grad, mask)

    def check(case):
        threads, streaming, n, shift = case
        chunked(threads, streaming)
        x, grad, expected, expected_mask, expected_grad = inputs_and_results(n)
        out, memory = with_guards(np.zeros(n, dtype), x.itemsize, shift)
        mask, bits = with_guards(np.zeros(-(-n // 8), "u1"), 1, shift)
        implementation.relu_with_mask(x, out, mask)
        assert_same_bits(out, expected)
        assert_same_bits(mask, expected_mask)
        implementation.relu_backward_from_mask(grad, mask, out)
        assert_same_bits(out, expected_grad)
        assert_only_written(memory, out)
        assert_only_written(bits, mask)

    cases = itertools.product([1, 2, 3], [False, True], lengths(dtype), (0, 16, 1))
    assert failing(check, cases) == []


@every_kernel("bfd", EVERY_LOOP)
def test_strided_runs(
    operation,
    ufunc,
    oracle,
    n_inputs,
    chunked,
    random_values,
    with_guards,
    assert_same_bits,
    dtype,
):
    chunked(3)

    def check(case):
        (in_step, out_step), n = case
        values = [random_values(dtype, n, 1 + role) for role in range(n_inputs)]
        values = [a if in_step else np.full(n, 3, dtype) for a in values]
        inputs = [with_guards(a, in_step * a.itemsize)[0] for a in values]
        out, memory = with_guards(np.zeros(n, dtype), out_step * values[0].itemsize)
        rest = memory.copy()
        ufunc(*inputs, out)
        expected = oracle(*values)
        unify_nans(operation, out, expected)
        assert_same_bits(out, expected)
        out[...] = 0
        np.testing.assert_array_equal(memory, rest)

    steps = [(2, 1), (1, 2), (2, 2), (-1, 1), (-3, 2), (0, 1)]
    assert failing(check, itertools.product(steps, lengths(dtype))) == []


@every_kernel("bfd", EVERY_LOOP)
def test_in_place_and_shifted_overlap(
    operation, ufunc, oracle, n_inputs, chunked, random_values, assert_same_bits, dtype
):
    chunked(4, True)
    n = 9 * MIN_CHUNK

    def check(case):
        shift, forward = case
        memory = random_values(dtype, n, 1).copy()
        low, high = memory[: n - shift], memory[shift:]
        x, out = (high, low) if forward else (low, high)
        others = [random_values(dtype, n, 2 + role)[: x.size] for role in range(n_inputs - 1)]
        expected = oracle(x.copy(), *others)
        ufunc(x, *others, out)
        unify_nans(operation, out, expected)
        assert_same_bits(out, expected)

    assert failing(check, itertools.product([0, 1, 8, 64, 5000], [True, False])) == []


@pytest.mark.parametrize("each", [(0, 1), (1, 0)])
def test_a_thread_moves_one_byte_at_least(each):
    before = _core.get_thresholds()
    with pytest.raises(ValueError, match="one byte"):
        _core.set_thresholds(1, each[0], 1, each[1], 1, 0, 1)
    assert _core.get_thresholds() == before


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_each_element_is_computed_once(threads, chunked):
    chunked(threads)
    x = np.zeros(19 * MIN_CHUNK, "i4")
    for _ in range(50):
        fastrelu.add_relu(x, 1, out=x)
    np.testing.assert_array_equal(x, 50)


@pytest.mark.parametrize("step", [0, 1, 4, -2])
def test_an_output_that_overlaps_itself_is_written_in_order(step, implementation, chunked):
    chunked(4)
    x = np.arange(1, 9 * MIN_CHUNK + 1, dtype="i8")
    memory = np.zeros(abs(step) * x.size + 8, "u1")
    start = abs(step) * (x.size - 1) if step < 0 else 0
    # A byte holds what the last of the elements that cover it wrote.
    address = np.arange(memory.size)
    last = (address if step > 0 else start + 7 - address) // abs(step) if step else x.size - 1
    last = np.clip(last, 0, x.size - 1)
    offset = address - (start + last * step)
    expected = np.where(offset < 8, x.view("u1").reshape(-1, 8)[last, offset % 8], 0)

    out = np.lib.stride_tricks.as_strided(memory[start:][:8].view(x.dtype), x.shape, (step,))
    for _ in range(20):
        implementation.relu(x, out)
        np.testing.assert_array_equal(memory, expected)


OF_TWO_INPUTS = [name for name in EVERY_LOOP if OPERATIONS[name].inputs == 2]


@pytest.mark.parametrize("operation", OF_TWO_INPUTS)
def test_accumulate_stays_one_by_one(operation, chunked):
    chunked(4)
    x = np.ones(MIN_CHUNK, "f4")
    x[7] = 0
    expected = list(itertools.accumulate(x, oracle_of(operation)))
    np.testing.assert_array_equal(getattr(fastrelu, operation).accumulate(x), expected)


@pytest.mark.parametrize(
    "operation", [name for name, operation in OPERATIONS.items() if operation.status == "quiet"]
)
def test_no_flag_is_raised_by_a_worker(operation, chunked):
    chunked(4, True)
    x = np.full(9 * MIN_CHUNK, -1, "f4")
    x.view("u4")[::3] = 0x7F800001  # signalling NaNs
    with np.errstate(all="raise"):
        getattr(fastrelu, operation)(*[x] * OPERATIONS[operation].inputs)


def tasks():
    return set(os.listdir("/proc/self/task"))


@linux
def test_workers_start_on_first_need_and_block_signals(chunked):
    code = f"""
import os, time, numpy as np, fastrelu
tasks = lambda: set(os.listdir("/proc/self/task"))
fastrelu.set_num_threads(3)
before = tasks()
fastrelu.relu(np.ones(1000, "f4"))
assert tasks() == before
fastrelu.relu(np.ones({1 << 21}, "f4"))
workers = tasks() - before
assert len(workers) == 2, workers
def blocked(worker):
    lines = open(f"/proc/self/task/{{worker}}/status").read().splitlines()
    mask = int(next(line for line in lines if line.startswith("SigBlk")).split()[1], 16)
    return {{number for number in range(1, 32) if mask >> (number - 1) & 1}}
end = time.monotonic() + {TIMEOUT / 2}
for worker in workers:
    while 11 in blocked(worker) and time.monotonic() < end:  # all are while a thread begins
        time.sleep(0.001)
    assert blocked(worker) >= {{1, 2, 10, 13, 14, 15, 17}}, blocked(worker)
    assert not blocked(worker) & {{4, 7, 8, 11}}, blocked(worker)  # its own faults
"""
    subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], check=True, timeout=TIMEOUT)


@linux
def test_a_call_wakes_the_workers():
    code = f"""
import os, time, numpy as np, fastrelu
tasks = lambda: set(os.listdir("/proc/self/task"))
fastrelu.set_num_threads(3)
x = np.ones({1 << 21}, "f4")
before = tasks()
fastrelu.relu(x)
def waits(worker):
    lines = open(f"/proc/self/task/{{worker}}/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("voluntary")).split()[1])
time.sleep(0.1)
for worker in tasks() - before:
    asleep, end = waits(worker), time.monotonic() + {TIMEOUT / 2}
    fastrelu.relu(x)
    while waits(worker) == asleep:
        assert time.monotonic() < end
        time.sleep(0.001)
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=TIMEOUT)


@linux
def test_short_calls_are_shared_if_they_follow_each_other():
    code = f"""
import os, time, numpy as np, fastrelu
tasks = lambda: set(os.listdir("/proc/self/task"))
fastrelu.set_num_threads(2)
x = np.ones({1 << 16}, "f4")
y = np.empty_like(x)
before, end = tasks(), time.monotonic() + {TIMEOUT / 2}
for _ in range(5):
    fastrelu.relu(x, out=y)
    time.sleep(0.001)
assert tasks() == before
while tasks() == before:
    assert time.monotonic() < end
    for _ in range(100):
        fastrelu.relu(x, out=y)
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=TIMEOUT)


@linux
def test_workers_keep_to_the_cpus_that_are_set_from_without():
    code = f"""
import os, time, numpy as np, fastrelu
tasks = lambda: set(os.listdir("/proc/self/task"))
fastrelu.set_num_threads(2)
x = np.ones({1 << 21}, "f4")
before = tasks()
y = fastrelu.relu(x)
(worker,) = (int(task) for task in tasks() - before)
cpus = os.sched_getaffinity(0)
def wait_until_asleep():  # while it moves, it has another set of CPUs for a moment
    while open(f"/proc/self/task/{{worker}}/stat").read().rpartition(")")[2].split()[0] != "S":
        time.sleep(0.001)
for usable in [cpus, {{min(cpus)}}, {{max(cpus)}}, cpus]:
    wait_until_asleep()
    os.sched_setaffinity(worker, usable)
    for _ in range(20):
        time.sleep(0.002)
        fastrelu.relu(x, out=y)
    wait_until_asleep()
    assert os.sched_getaffinity(worker) == usable
os.sched_setaffinity(0, {{min(cpus)}})
for _ in range(100):
    fastrelu.relu(x, out=y)
wait_until_asleep()
assert os.sched_getaffinity(worker) == cpus
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=TIMEOUT)


def test_a_call_during_a_long_one_does_not_wait(chunked):
    chunked(2)
    x, out = np.broadcast_to(np.int8(1), 1 << 26), np.empty(1 << 26, "i1")
    short = np.ones(2 * MIN_CHUNK, "i1")

    def calls_during_a_long_one():
        out[[0, -1]] = 0
        thread = threading.Thread(target=fastrelu.relu, args=(x, out))
        thread.start()
        while not out[0]:  # it has begun
            time.sleep(0)
        calls = 0
        while not out[-1]:
            fastrelu.relu(short)
            calls += 1
        thread.join(TIMEOUT)
        return calls

    # The system may let a thread wait, but not every time.
    assert max(calls_during_a_long_one() for _ in range(9)) > 5


@linux
def test_a_busy_pool_is_not_waited_for(chunked, assert_same_bits):
    chunked(2)
    fastrelu.relu(np.ones(MIN_CHUNK, "f4"))
    x = np.random.default_rng(0).standard_normal(20 * MIN_CHUNK).astype("f4")
    expected = reference.relu(x)
    most = []
    barrier = threading.Barrier(6)

    def work(_):
        barrier.wait(TIMEOUT)
        for _ in range(20):
            assert_same_bits(fastrelu.relu(x), expected)
        most.append(len(tasks()))

    before = len(tasks())
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(6), timeout=TIMEOUT))
    assert max(most) <= before + 6


@linux
def test_without_a_thread_to_be_had_the_call_is_serial():
    code = """
import os, resource, numpy as np, fastrelu
fastrelu.set_num_threads(4)
x = np.full(1 << 21, -1, "f4"); y = np.ones_like(x)
used = next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1]
limit = int(used) * 1024 + (1 << 20)  # no room for the stack of a thread
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
before = len(os.listdir("/proc/self/task"))
fastrelu.relu(x, y)
assert not y.any()
assert len(os.listdir("/proc/self/task")) == before
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=TIMEOUT)


FORK = """
import os, signal, sys, threading
import numpy as np
import fastrelu
from fastrelu import reference

fastrelu.set_num_threads(4)
x = np.random.default_rng(0).standard_normal(1 << 21).astype("f4")
expected = reference.relu(x).tobytes()

def right():
    return fastrelu.relu(x).tobytes() == expected

def fork(in_child):
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        status = 2
        try:
            status = 0 if in_child() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""
FORKS = {
    "after a call": "assert right() and fork(right) and right()",
    "again and again": """
for _ in range(8):
    assert right() and fork(right)""",
    "in a grandchild": "assert right() and fork(lambda: right() and fork(right)) and right()",
}
FORKS_WITH_THREADS = {
    "while another thread is inside a call": """
enough = threading.Event()
def work():
    y = np.empty_like(x)
    while not enough.is_set():
        fastrelu.relu(x, y)
thread = threading.Thread(target=work); thread.start()
try:
    assert all(fork(right) and right() for _ in range(8))
finally:
    enough.set(); thread.join()""",
    "of two threads at once": """
done = []
def work():
    done.append(all(right() and fork(right) for _ in range(5)))
threads = [threading.Thread(target=work) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert done == [True, True]""",
}


@needs_fork
def test_calls_settings_and_forks_at_once():
    code = (
        FORK
        + """
import itertools
from fastrelu import _core

_core.set_thresholds(1, 1, 1, 1, 1 << 20, 0, 1 << 20)
sizes = [1 << 17, 1 << 18, (1 << 18) + 5, 3 << 17]
x = x[: sizes[-1]]
expected = reference.relu(x)
enough = threading.Event()
wrong = []

def call(seed):
    for i in itertools.count(seed):
        if enough.is_set():
            break
        n = sizes[i % len(sizes)]
        if fastrelu.relu(x[:n]).tobytes() != expected[:n].tobytes():
            wrong.append(n)

def change():
    for n in itertools.cycle([2, 4, 1, 3]):
        if enough.wait(0.001):
            break
        fastrelu.set_num_threads(n)
        fastrelu.set_cache_limit(n << 20)
        fastrelu.cache_info()
        fastrelu.clear_cache()

def in_child():
    return all((fastrelu.relu(x) == expected).all() for _ in range(3))

threads = [threading.Thread(target=call, args=(seed,)) for seed in range(3)]
threads.append(threading.Thread(target=change))
[thread.start() for thread in threads]
try:
    assert all(fork(in_child) for _ in range(10))
finally:
    enough.set()
    [thread.join() for thread in threads]
assert not wrong
"""
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=TIMEOUT)


@needs_fork
@pytest.mark.parametrize("case", FORKS)
def test_forks_without_a_warning(case):
    code = FORK + FORKS[case]
    subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], check=True, timeout=TIMEOUT)


@linux
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "another thread inside calls"])
def test_workers_start_again_after_a_fork(busy):
    code = f"""{FORK}
import time
def starts():
    before = len(os.listdir("/proc/self/task"))
    right()
    time.sleep(0.05)
    return len(os.listdir("/proc/self/task")) == before + 3
enough = threading.Event()
def work():
    y = np.empty_like(x)
    while not enough.is_set():
        fastrelu.relu(x, y)
thread = threading.Thread(target=work)
if {busy}:
    thread.start()
try:
    for _ in range(2):
        assert fork(lambda: starts() and fork(starts))
finally:
    enough.set()
    if {busy}:
        thread.join()
assert fork(starts) and starts()
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=TIMEOUT)


@needs_fork
@pytest.mark.parametrize("case", FORKS_WITH_THREADS)
def test_forks_beside_threads(case):
    # Python warns of the threads that are its own.
    code = FORK + FORKS_WITH_THREADS[case]
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=TIMEOUT)


@pytest.mark.parametrize("daemon", [False, True], ids=["idle", "a daemon inside calls"])
def test_the_interpreter_exits(daemon):
    code = f"""
import threading, numpy as np, fastrelu
fastrelu.set_num_threads(4)
x = np.ones({1 << 22}, "f4")
inside = threading.Event()
def work():
    while True:
        fastrelu.relu(x); inside.set()
if {daemon}:
    threading.Thread(target=work, daemon=True).start()
    inside.wait()
else:
    fastrelu.relu(x)
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=TIMEOUT)


def test_an_interrupt_is_python_s(chunked):
    chunked(4)
    x = np.ones(1 << 22, "f4")
    handled = []
    before = signal.signal(signal.SIGINT, lambda *_: handled.append(threading.current_thread()))
    try:
        for _ in range(5):
            signal.raise_signal(signal.SIGINT)
            fastrelu.relu(x)
    finally:
        signal.signal(signal.SIGINT, before)
    assert set(handled) == {threading.main_thread()}


def test_number_of_threads():
    before = fastrelu.get_num_threads()
    with fastrelu.num_threads(3):
        assert fastrelu.get_num_threads() == 3
        with fastrelu.num_threads(np.int8(1)):
            assert fastrelu.get_num_threads() == 1
        assert fastrelu.get_num_threads() == 3
        fastrelu.set_num_threads(5)
        assert fastrelu.get_num_threads() == 5
    assert fastrelu.get_num_threads() == before


@pytest.mark.parametrize("n", [0, -1, MAX_THREADS + 1, 2**70, True, 2.0, "2", None])
@pytest.mark.parametrize("function", ["set_num_threads", "num_threads"])
def test_a_wrong_number_of_threads(function, n):
    before = fastrelu.get_num_threads()
    with pytest.raises(ValueError, match=f"whole number from 1 to {MAX_THREADS}") as caught:
        getattr(fastrelu, function)(n)
    assert repr(n) in str(caught.value)
    assert fastrelu.get_num_threads() == before


def test_the_most_threads_are_as_many_in_c():
    from fastrelu import _threads

    with fastrelu.num_threads(_threads.MAX_THREADS):
        assert fastrelu.get_num_threads() == _threads.MAX_THREADS
        _core.set_num_threads(_threads.MAX_THREADS + 1)
        assert fastrelu.get_num_threads() == _threads.MAX_THREADS


def threads_with(cases):
    """Return the number of threads, and the errors, of an import with each of these variables."""
    codes = {
        name: f"""
import os
os.environ.update({variables})
import fastrelu
print(fastrelu.get_num_threads())
"""
        for name, variables in cases.items()
    }
    outcomes = in_forks("import numpy", codes)
    return {name: (int(out or -1), err) for name, (_, out, err) in outcomes.items()}


IN_ENVIRONMENT = {
    "own": ({"FASTRELU_NUM_THREADS": "3"}, 3),
    "OpenMP's": ({"OMP_NUM_THREADS": "2,4"}, 2),
    "both": ({"FASTRELU_NUM_THREADS": "7", "OMP_NUM_THREADS": "2"}, 7),
    "empty": ({"FASTRELU_NUM_THREADS": "", "OMP_NUM_THREADS": "2"}, 2),
    "too many": ({"FASTRELU_NUM_THREADS": "1000"}, MAX_THREADS),
}


def test_an_interrupt_restores_the_number_of_threads(monkeypatch):
    def set_and_interrupt(n):
        set_num_threads(n)
        if n == other:
            raise KeyboardInterrupt

    set_num_threads, before = _core.set_num_threads, fastrelu.get_num_threads()
    other = before + 1
    monkeypatch.setattr(_core, "set_num_threads", set_and_interrupt)
    with pytest.raises(KeyboardInterrupt), fastrelu.num_threads(other):
        pass
    assert fastrelu.get_num_threads() == before


@needs_fork
def test_number_of_threads_in_the_environment():
    found = threads_with({name: variables for name, (variables, _) in IN_ENVIRONMENT.items()})
    assert found == {name: (number, "") for name, (_, number) in IN_ENVIRONMENT.items()}


@needs_fork
@pytest.mark.parametrize("variable", ["FASTRELU_NUM_THREADS", "OMP_NUM_THREADS"])
def test_a_wrong_number_in_the_environment_is_a_warning(variable):
    values = ["0", "-1", "many", "2.5"]
    found = threads_with({value: {variable: value} for value in values})
    assert list(found) == values
    for value, (number, err) in found.items():
        assert number == min(MAX_THREADS, _limits.physical_cores())
        assert f"RuntimeWarning: {variable}={value}: a whole number" in err


@linux
def test_the_default_is_what_the_affinity_leaves():
    one = min(os.sched_getaffinity(0))
    code = f"""
import os
os.sched_setaffinity(0, [{one}])
import fastrelu
print(fastrelu.get_num_threads())
"""
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT,
    )
    assert done.stdout == "1\n"


GROUPS = {
    "version 2, in its parent": (
        "0::/a/b\n",
        {"a/cpu.max": "150000 100000", "a/b/cpu.max": "max 100000", "a/memory.max": "1000000"},
        2,
        1_000_000,
    ),
    "version 2, in a namespace": ("0::/\n", {"cpu.max": "50000 100000"}, 1, None),
    "version 1": (
        "4:memory:/x\n3:cpu,cpuacct:/x\n",
        {
            "cpu,cpuacct/x/cpu.cfs_quota_us": "100000",
            "cpu,cpuacct/x/cpu.cfs_period_us": "100000",
            "memory/x/memory.limit_in_bytes": "2000000",
        },
        1,
        2_000_000,
    ),
    "no limit": ("0::/a\n", {"a/cpu.max": "max 100000", "a/memory.max": "max"}, None, None),
    "version 1, no limit": (
        "3:cpu,cpuacct:/\n",
        {"cpu,cpuacct/cpu.cfs_quota_us": "-1"},
        None,
        None,
    ),
    "no groups": ("", {}, None, None),
}


@pytest.mark.parametrize("case", GROUPS)
def test_limits_of_control_groups(case, tmp_path, monkeypatch):
    groups, files, cpus, memory = GROUPS[case]
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(16), raising=False)
    everything = _limits.usable_memory(tmp_path)
    for name, text in {"proc/self/cgroup": groups}.items() | {
        (f"sys/fs/cgroup/{name}", text) for name, text in files.items()
    }:
        path = Path(tmp_path, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", newline="\n")
    assert _limits.usable_cpus(tmp_path) == (cpus or 16)
    assert _limits.usable_memory(tmp_path) == (memory or everything)


def test_threadpoolctl_sees_and_limits_the_pool():
    threadpoolctl = pytest.importorskip("threadpoolctl", reason="threadpoolctl is not installed")
    with fastrelu.num_threads(3):
        (pool,) = threadpoolctl.ThreadpoolController().select(user_api="fastrelu").info()
        assert (pool["num_threads"], pool["version"]) == (3, fastrelu.__version__)
        with threadpoolctl.threadpool_limits(limits=1):
            assert fastrelu.get_num_threads() == 1
        assert fastrelu.get_num_threads() == 3


@pytest.mark.parametrize("streaming", [False, True])
def test_the_copy_that_is_the_limit_of_benchmarks(streaming, random_values, assert_same_bits):
    x = random_values("f8", 100_003, 1)
    y = np.zeros_like(x)
    before = _core.get_thresholds()
    _core.copy(x, y, streaming=streaming)
    assert_same_bits(y, x)
    assert _core.get_thresholds() == before
    with pytest.raises(ValueError, match="as many bytes"):
        _core.copy(x, y[1:], streaming=streaming)
    with pytest.raises(ValueError, match="writable"):
        _core.copy(x, np.broadcast_to(y, y.shape), streaming=streaming)
    with fastrelu.num_threads(2):
        _core.copy(x[:0], y[:0], streaming=streaming)
