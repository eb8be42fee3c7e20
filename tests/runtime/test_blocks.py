"""The memory of large new outputs: ordinary arrays, kept blocks, and nothing kept for long."""

import copy
import ctypes
import gc
import os
import pickle
import subprocess
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest
from helpers import UFUNCS, allocations_fail_in_turn, needs_fork
from numpy._core.multiarray import get_handler_name

import fastrelu
from fastrelu import reference

pytestmark = [
    pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback keeps no memory"),
    pytest.mark.xdist_group("alone"),
]
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
counts_memory = pytest.mark.skipif(
    sys.platform not in ("linux", "win32"), reason="needs /proc or kernel32"
)

MIB = 1 << 20
TIMEOUT = 60


@pytest.fixture(autouse=True)
def fresh_cache():
    """Begin with nothing kept, and a limit that does not depend on the machine."""
    limit = fastrelu.cache_info().limit
    fastrelu.clear_cache()
    fastrelu.set_cache_limit(256 * MIB)
    yield
    fastrelu.set_cache_limit(limit)
    fastrelu.clear_cache()


def ones(mib, dtype="f4"):
    return np.ones(int(mib * MIB) // np.dtype(dtype).itemsize, dtype)


def counted(call):
    """Return the hits and misses of a call, and what it returns."""
    before = fastrelu.cache_info()
    result = call()
    after = fastrelu.cache_info()
    return (after.hits - before.hits, after.misses - before.misses), result


CALLS = {
    **{name: lambda x, ufunc=ufunc: ufunc(*[x] * ufunc.nin) for name, ufunc in UFUNCS.items()},
    "relu_with_mask": lambda x: fastrelu.relu_with_mask(x)[0],
    "relu_backward_from_mask": lambda x: fastrelu.relu_backward_from_mask(
        x, np.full(-(-x.size // 8), 255, "u1")
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_second_output_has_the_memory_of_the_first(name, assert_same_bits):
    call, x = CALLS[name], ones(4)
    x[::3] = -1
    counts, y = counted(lambda: call(x))
    assert counts == (0, 1)
    address, expected = y.ctypes.data, y.copy()
    y[...] = 7
    del y
    counts, y = counted(lambda: call(x))
    assert counts == (1, 0)
    assert y.ctypes.data == address
    assert_same_bits(y, expected)


def test_small_outputs_and_other_arrays_are_numpys():
    assert get_handler_name(fastrelu.relu(ones(0.5))) == "default_allocator"
    assert get_handler_name(fastrelu.relu(ones(4))) == "fastrelu"
    assert get_handler_name(ones(4)) == "default_allocator"
    assert get_handler_name() == "default_allocator"
    y = ones(4)
    assert get_handler_name(fastrelu.relu(y, y)) == "default_allocator"


def test_the_handler_that_is_set_stays_set_after_an_error():
    x = np.lib.stride_tricks.as_strided(np.zeros(1, "f4"), (1 << 40,), (4,))
    with pytest.raises(MemoryError):
        fastrelu.relu(x)
    assert get_handler_name() == "default_allocator"
    assert get_handler_name(ones(4)) == "default_allocator"


class Handler(ctypes.Structure):
    """NumPy's PyDataMem_Handler."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("allocator", ctypes.c_void_p * 5),
    )


def test_the_handler_that_a_program_sets_is_used():
    python = ctypes.pythonapi
    python.PyCapsule_GetPointer.restype = ctypes.c_void_p
    python.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    python.PyCapsule_New.restype = ctypes.py_object
    python.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    table = python.PyCapsule_GetPointer(np._core._multiarray_umath._ARRAY_API, None)
    table = ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))
    set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(table[304])
    default = ctypes.cast(table[306], ctypes.POINTER(ctypes.py_object))[0]
    copied = Handler.from_address(python.PyCapsule_GetPointer(default, b"mem_handler"))
    handler = Handler.from_buffer_copy(copied)
    handler.name = b"a program's"
    x = ones(4)
    set_handler(python.PyCapsule_New(ctypes.addressof(handler), b"mem_handler", None))
    try:
        assert get_handler_name(fastrelu.relu(x)) == "a program's"
        assert get_handler_name() == "a program's"
    finally:
        set_handler(default)


def test_the_handler_that_is_set_stays_set_without_memory():
    x = ones(4)
    for _ in allocations_fail_in_turn(lambda: fastrelu.relu(x)):
        assert get_handler_name() == "default_allocator"


def test_sizes_that_differ_a_little_hit():
    rng = np.random.default_rng(0)
    memory = ones(10)
    for _ in range(3):
        fastrelu.relu(memory)
    for share in rng.uniform(0.9, 1, 50):
        n = int(memory.size * share)
        assert counted(lambda n=n: fastrelu.relu(memory[:n]))[0] == (1, 0)


def test_a_much_smaller_output_leaves_the_large_block():
    fastrelu.relu(ones(64))
    counts, _ = counted(lambda: fastrelu.relu(ones(4)))
    assert counts == (0, 1)


def test_the_output_is_an_ordinary_array(assert_same_bits):
    y = fastrelu.relu(ones(4))
    assert y.flags.owndata
    assert y.flags.writeable
    assert y.flags.aligned
    assert y.base is None
    assert y.ctypes.data % 16 == 0
    for other in (copy.copy(y), copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
        assert_same_bits(other, y)
    assert fastrelu.relu(np.asfortranarray(np.ones((1024, 1024)))).flags.f_contiguous


def test_it_can_be_resized(assert_same_bits):
    y = fastrelu.relu(np.arange(MIB, dtype="f4"))
    expected = y.copy()
    for n in (MIB - 1, MIB // 4, 3, 2 * MIB, 0, 5):
        y.resize(n, refcheck=False)
        expected.resize(n, refcheck=False)
        assert_same_bits(y, expected)


def test_what_it_is_resized_to_is_not_kept_when_small():
    fastrelu.relu(ones(4))
    held = fastrelu.cache_info().bytes_held
    for n in (5, MIB // 8):
        y = fastrelu.relu(ones(4))
        y.resize(n, refcheck=False)
        assert fastrelu.cache_info().bytes_held == held
        del y
        assert fastrelu.cache_info().bytes_held == held


def test_a_resize_past_the_end_of_its_block_moves_it():
    y = fastrelu.relu(ones(4, "i1"))
    fastrelu.relu(ones(4, "i1"))
    room = fastrelu.cache_info().bytes_held - y.ctypes.data % 4096  # both blocks are of one size
    counts, _ = counted(lambda: y.resize(room, refcheck=False))
    assert counts == (0, 0)
    counts, _ = counted(lambda: y.resize(room + 1, refcheck=False))
    assert sum(counts) == 1


def test_tracemalloc_sees_it():
    x = ones(8)
    fastrelu.relu(x)
    tracemalloc.start()
    try:
        y = fastrelu.relu(x)
        assert tracemalloc.get_traced_memory()[0] >= y.nbytes
        del y
        assert tracemalloc.get_traced_memory()[0] < MIB
    finally:
        tracemalloc.stop()


def test_freed_in_any_order_and_by_any_thread(assert_same_bits):
    x = np.arange(-MIB, MIB, dtype="f4")
    expected = reference.relu(x)

    def work(seed):
        rng = np.random.default_rng(seed)
        held = []
        for _ in range(20):
            held.append(fastrelu.relu(x[: rng.integers(MIB // 2, x.size)]))
            if len(held) > 3:
                held.pop(rng.integers(len(held)))
            for y in held:
                assert_same_bits(y, expected[: y.size])
        left.extend(held)

    left = []
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    assert len(left) == 12
    left.clear()
    assert fastrelu.cache_info().bytes_held <= 256 * MIB


@pytest.mark.parametrize("limit", [0, 10 * MIB, 100 * MIB])
def test_the_limit_holds(limit):
    fastrelu.set_cache_limit(limit)
    held = [fastrelu.relu(ones(mib)) for mib in (1, 4, 9, 9, 16, 33, 2)]
    while held:
        held.pop()
        assert fastrelu.cache_info().bytes_held <= limit
    assert (fastrelu.cache_info().bytes_held > 0) == (limit > 0)


def test_a_block_over_the_limit_drives_no_other_out():
    fastrelu.set_cache_limit(10 * MIB)
    fastrelu.relu(ones(4))
    held = fastrelu.cache_info().bytes_held
    fastrelu.relu(ones(40))
    assert fastrelu.cache_info().bytes_held == held


def test_a_lower_limit_gives_back_at_once():
    fastrelu.relu(ones(4))
    fastrelu.set_cache_limit(MIB)
    assert fastrelu.cache_info() == (*fastrelu.cache_info()[:2], 0, MIB)


def test_clear_cache():
    fastrelu.relu(ones(4))
    assert fastrelu.cache_info().bytes_held >= 4 * MIB
    fastrelu.clear_cache()
    assert fastrelu.cache_info().bytes_held == 0


@pytest.fixture
def idle_at_once():
    from fastrelu import _core

    _core.set_idle_seconds(0.05)
    yield
    _core.set_idle_seconds(5)


def test_what_is_idle_goes_back_with_the_next_collection(idle_at_once):
    fastrelu.relu(ones(4))
    assert fastrelu.cache_info().bytes_held > 0
    gc.collect()
    time.sleep(0.1)
    gc.collect()
    assert fastrelu.cache_info().bytes_held == 0


def test_what_is_idle_goes_back_with_the_next_call(idle_at_once):
    fastrelu.relu(ones(64))
    time.sleep(0.1)
    fastrelu.relu(ones(2))
    assert 0 < fastrelu.cache_info().bytes_held < 4 * MIB


def memory_of_process():
    """Return its bytes of address space (of memory that is committed, on Windows) and in memory."""
    if sys.platform == "win32":
        counters = (ctypes.c_size_t * 9)(72)  # the first is two numbers of 32 bits
        kernel32 = ctypes.WinDLL("kernel32")
        this = ctypes.c_void_p(kernel32.GetCurrentProcess())
        assert kernel32.K32GetProcessMemoryInfo(this, counters, 72)
        return counters[7], counters[2]
    with open("/proc/self/statm") as file:
        return [int(pages) * os.sysconf("SC_PAGE_SIZE") for pages in file.read().split()[:2]]


def address_space():
    return memory_of_process()[0]


def resident():
    return memory_of_process()[1]


@counts_memory
def test_no_growth_over_many_calls_of_mixed_sizes():
    fastrelu.set_cache_limit(32 * MIB)
    rng = np.random.default_rng(0)
    memory = ones(6)
    sizes = rng.integers(1, memory.size, 10_000)
    for n in sizes[:1000]:
        fastrelu.relu(memory[:n])
    before = resident()
    for n in sizes:
        fastrelu.relu(memory[:n])
    assert fastrelu.cache_info().bytes_held <= 32 * MIB
    assert resident() - before <= 33 * MIB


@counts_memory
def test_what_goes_back_leaves_no_address_space():
    fastrelu.set_cache_limit(MIB)
    x = ones(8)
    fastrelu.relu(x)
    before = address_space()
    for _ in range(50):
        fastrelu.relu(x)
    assert address_space() - before <= 8 * MIB


@linux
def test_memory_that_is_kept_makes_room_for_numpys():
    code = f"""
import resource, numpy as np, fastrelu
x = np.ones({100 * MIB}, "i1").view(type("Subclass", (np.ndarray,), {{}}))
fastrelu.set_cache_limit({512 * MIB})
fastrelu.relu(np.asarray(x)[:{60 * MIB}])
used = next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1]
resource.setrlimit(resource.RLIMIT_AS, (int(used) * 1024 + {50 * MIB},) * 2)
assert fastrelu.relu(x).all()
assert fastrelu.cache_info().bytes_held == 0
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=TIMEOUT)


@linux
def test_memory_that_is_kept_makes_room_when_there_is_none():
    code = f"""
import resource, numpy as np, fastrelu
fastrelu.set_num_threads(1)
fastrelu.set_cache_limit({512 * MIB})
x = np.ones({100 * MIB}, "i1")
fastrelu.relu(x[:{60 * MIB}])
used = next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1]
resource.setrlimit(resource.RLIMIT_AS, (int(used) * 1024 + {50 * MIB},) * 2)
fastrelu.relu(x)
assert fastrelu.cache_info().misses == 2
try:
    y = fastrelu.relu(x), fastrelu.relu(x), fastrelu.relu(x)
except MemoryError:
    pass
else:
    raise AssertionError
assert fastrelu.relu(x).all()
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=TIMEOUT)


@needs_fork
def test_after_a_fork():
    code = f"""
import os, numpy as np, fastrelu
from fastrelu import reference
x = np.arange(-{MIB}, {MIB}, dtype="f4")
expected = reference.relu(x).tobytes()
fastrelu.relu(x)
y = fastrelu.relu(x)
kept = fastrelu.relu(x)
del kept
held = fastrelu.cache_info().bytes_held
assert held > 0
pid = os.fork()
if pid == 0:
    status = 1
    try:
        assert fastrelu.cache_info().bytes_held == 0
        assert y.tobytes() == expected
        del y
        assert fastrelu.relu(x).tobytes() == expected
        status = 0
    finally:
        os._exit(status)
assert fastrelu.cache_info().bytes_held == held
assert fastrelu.relu(x).tobytes() == expected
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], check=True, timeout=TIMEOUT)


def test_what_is_idle_goes_back_after_a_second_import():
    code = """
import gc
callbacks, gc.callbacks = gc.callbacks, ()
try:
    import fastrelu
except SystemError:
    pass
gc.callbacks = callbacks
import fastrelu
assert sum(getattr(call, "__name__", "") == "release_idle" for call in callbacks) == 1
"""
    subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], check=True, timeout=TIMEOUT)


def test_at_exit():
    code = """
import atexit, sys, threading, numpy as np, fastrelu
x = np.ones(1 << 21, "f4")
sys.kept_till_the_end = [fastrelu.relu(x) for _ in range(3)]
atexit.register(fastrelu.relu, x)
local = threading.local(); local.y = fastrelu.relu(x)
"""
    subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], check=True, timeout=TIMEOUT)


@pytest.mark.parametrize("n", [-1, True, 1.0, "1", None])
def test_a_wrong_limit(n):
    with pytest.raises(ValueError, match="whole number of bytes from 0 up") as caught:
        fastrelu.set_cache_limit(n)
    assert repr(n) in str(caught.value)
    assert fastrelu.cache_info().limit == 256 * MIB


def limit_with(text):
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import fastrelu; print(fastrelu.cache_info().limit)"],
        env=os.environ | {"FASTRELU_CACHE_BYTES": text},
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT,
    )
    return int(done.stdout), done.stderr


def test_the_limit_in_the_environment():
    default, err = limit_with("")
    assert err == ""
    assert 0 < default <= 512 * MIB
    assert limit_with("0") == (0, "")
    assert limit_with("12345678") == (12345678, "")
    limit, err = limit_with("1G")
    assert limit == default
    assert "RuntimeWarning: FASTRELU_CACHE_BYTES=1G: a whole number of bytes is needed" in err


def test_cache_info_is_a_named_tuple():
    info = fastrelu.cache_info()
    assert info._fields == ("hits", "misses", "bytes_held", "limit")
    assert info == (info.hits, info.misses, info.bytes_held, info.limit)
