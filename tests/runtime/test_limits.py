"""Limits and caches are found however the system writes them, and never fail an import."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastrelu
from fastrelu import _limits
from fastrelu._tool import compare

QUOTA = {"cpu.cfs_quota_us": "300000", "cpu.cfs_period_us": "100000"}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Return write(groups, files): it makes /proc and /sys in a folder, which it returns."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(16), raising=False)

    def write(groups, files):
        contents = {"proc/self/cgroup": groups}
        contents |= {f"sys/fs/cgroup/{name}": text + "\n" for name, text in files.items()}
        for name, text in contents.items():
            path = Path(tmp_path, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else os.fsencode(text))
        return tmp_path

    return write


@pytest.mark.parametrize("folder", ["cpu,cpuacct", "cpuacct,cpu", "cpu", "cpu,cpuacct,cpuset"])
@pytest.mark.parametrize("names", ["cpu,cpuacct", "cpuacct,cpu", "cpu", "cpuset,cpu,cpuacct"])
@pytest.mark.parametrize("group", ["", "job", "job/part"])
def test_version_1_whatever_the_order_of_the_names(root, folder, names, group):
    files = {f"{folder}/{group}/{name}": text for name, text in QUOTA.items()}
    assert _limits.usable_cpus(root(f"8:{names}:/{group}\n", files)) == 3


def test_threads_of_a_core_count_once(root, monkeypatch):
    names = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    folder = root("0::/\n", {})
    for cpu in range(4):
        path = folder / names.format(cpu)
        path.parent.mkdir(parents=True)
        path.write_text(f"{cpu % 2},{cpu % 2 + 2}\n")
    for cpus, cores in [({0, 1, 2, 3}, 2), ({0, 2}, 1), ({0, 1}, 2), ({0, 2, 7}, 2), ({8, 9}, 2)]:
        monkeypatch.setattr("os.sched_getaffinity", lambda pid, cpus=cpus: cpus, raising=False)
        assert _limits.physical_cores(folder) == cores


def test_a_quota_below_the_cores(root):
    assert _limits.physical_cores(root("0::/\n", {"cpu.max": "300000 100000"})) == 3


def test_version_1_by_a_link(root):
    folder = root("8:cpuacct,cpu:/job\n", {f"cpu,cpuacct/job/{k}": v for k, v in QUOTA.items()})
    (folder / "sys/fs/cgroup/cpu").symlink_to("cpu,cpuacct")
    assert _limits.usable_cpus(folder) == 3


def test_version_1_does_not_take_another_controller(root):
    files = {f"cpuset/job/{name}": text for name, text in QUOTA.items()}
    assert _limits.usable_cpus(root("8:cpuset:/job\n7:cpuacct:/job\n", files)) == 16


def test_version_1_of_memory_beside_another_controller(root):
    files = {"hugetlb,memory/job/memory.limit_in_bytes": "1000000"}
    assert _limits.usable_memory(root("8:memory,hugetlb:/job\n", files)) == 1_000_000


def test_version_1_of_a_parent(root):
    files = {f"cpu,cpuacct/{name}": text for name, text in QUOTA.items()}
    assert _limits.usable_cpus(root("8:cpuacct,cpu:/docker/0123\n", files)) == 3


PATHS = [
    "a\u2028b",
    "a\u2029b",
    "a\x85b",
    "a\x0bb\x0cc\x1cd\x1de\x1ef",
    "a:b",
    "a b",
    "ä",
    "\udcff",
]


@pytest.mark.parametrize("path", PATHS, ids=ascii)
def test_a_path_may_hold_any_character_but_a_line_feed(root, path):
    assert _limits.usable_cpus(root(f"0::/{path}\n", {f"{path}/cpu.max": "300000 100000"})) == 3


UNREADABLE = {
    "empty line": "\n\n",
    "no colon": "nonsense\n",
    "one colon": "0:\n",
    "null": "0::/a\0b\n",
    "long": f"0::/{'a' * 10_000}\n",
    "dots": "0::/../../..\n",
    "bytes": b"\xff\xfe\n1:\xff:/\xff\n",
    "separators": "\u2028\x85\x1c\n",
}


@pytest.mark.parametrize("line", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_no_limit(root, line):
    everything = _limits.usable_memory(root("", {}))
    folder = root(line, {})
    assert _limits.usable_cpus(folder) == 16
    assert _limits.usable_memory(folder) == everything


@pytest.mark.parametrize("line", UNREADABLE.values(), ids=UNREADABLE)
def test_the_lines_beside_what_cannot_be_read_are_read(root, line):
    lines = (line if isinstance(line, bytes) else os.fsencode(line)) + b"0::/job\n"
    files = {"job/cpu.max": "300000 100000", "job/memory.max": "1000000"}
    folder = root(lines, files)
    assert _limits.usable_cpus(folder) == 3
    assert _limits.usable_memory(folder) == 1_000_000


NUMBERS = ["", "max", "-1", "1.5", "0x10", "²", "9" * 5000, "1 2 3", "many 100000", "100000 0"]


@pytest.mark.parametrize("text", NUMBERS, ids=lambda text: text[:12])
def test_a_number_that_cannot_be_read_is_no_limit(root, text):
    everything = _limits.usable_memory(root("", {}))
    folder = root("0::/\n", {"cpu.max": text, "memory.max": text})
    assert _limits.usable_cpus(folder) == 16
    assert _limits.usable_memory(folder) == everything


def cache_files(*caches):
    """Return the files of /sys about caches of a level, a type and a size."""
    return {
        f"cache/index{index}/{name}": text
        for index, cache in enumerate(caches)
        for name, text in zip(["level", "type", "size"], cache, strict=True)
    }


L1 = ("1", "Data", "64K"), ("1", "Instruction", "48K")
CACHES = {
    "none": ([], {}, 32 << 20),
    "the first level alone": (L1, {"L1": 64 << 10}, 32 << 20),
    "two levels": ([*L1, ("2", "Unified", "1024K")], {"L1": 64 << 10, "L2": 1 << 20}, 1 << 20),
    "three levels, in another order": (
        [("3", "Unified", "32768K"), *L1, ("2", "Unified", "512K")],
        {"L1": 64 << 10, "L2": 512 << 10, "L3": 32 << 20},
        32 << 20,
    ),
    "a size that is no number": (
        [*L1, ("2", "Unified", "512K"), ("3", "Unified", "much")],
        {"L1": 64 << 10, "L2": 512 << 10},
        512 << 10,
    ),
}


@pytest.mark.parametrize(("found", "caches", "largest"), CACHES.values(), ids=CACHES)
def test_caches_where_sysconf_knows_none(found, caches, largest, root, monkeypatch):
    monkeypatch.setattr(os, "sysconf", lambda name: 0, raising=False)
    folder = root("", {})
    for name, text in cache_files(*found).items():
        path = Path(folder, "sys/devices/system/cpu/cpu0", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    assert _limits.caches(folder) == caches
    assert _limits.last_level_cache(folder) == largest


def test_the_largest_cache_that_sysconf_knows(root, monkeypatch):
    sizes = {"SC_LEVEL2_CACHE_SIZE": 1 << 20, "SC_LEVEL3_CACHE_SIZE": 16 << 20}
    monkeypatch.setattr(os, "sysconf", lambda name: sizes.get(name, 0), raising=False)
    assert _limits.last_level_cache(root("", {})) == 16 << 20


@pytest.fixture
def macos(monkeypatch):
    """Return macos(answers): this is a Mac, whose sysctl gives these numbers or strings by name."""

    def macos(answers):
        def sysctlbyname(name, answer, size, new, new_size):
            if name.decode() not in answers:
                return -1
            value = answers[name.decode()]
            value = value if isinstance(value, bytes) else value.to_bytes(8, sys.byteorder)
            answer.raw = value.ljust(len(answer), b"\xa5")
            size._obj.value = len(value)
            return 0

        library = type("Library", (), {"sysctlbyname": staticmethod(sysctlbyname)})
        monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
        monkeypatch.setattr(sys, "platform", "darwin")
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda: 10)
        monkeypatch.delattr(os, "sysconf", raising=False)

    return macos


FAST_CORES = (8).to_bytes(4, sys.byteorder)  # of 4 bytes, as some are
MACS = {
    "Apple M1 Pro": (
        {
            "hw.perflevel0.physicalcpu": FAST_CORES,
            "hw.physicalcpu": 10,
            "hw.perflevel0.l1dcachesize": 128 << 10,
            "hw.perflevel0.l2cachesize": 12 << 20,
            "hw.l1dcachesize": 64 << 10,
            "hw.l2cachesize": 4 << 20,
            "machdep.cpu.brand_string": b"Apple M1 Pro\0",
        },
        8,
        {"L1": 128 << 10, "L2": 12 << 20},
        12 << 20,
    ),
    "Intel(R) Core(TM) i5": (
        {
            "hw.physicalcpu": 5,
            "hw.l1dcachesize": 32 << 10,
            "hw.l2cachesize": 256 << 10,
            "hw.l3cachesize": 6 << 20,
            "machdep.cpu.brand_string": b"Intel(R) Core(TM) i5\0",
        },
        5,
        {"L1": 32 << 10, "L2": 256 << 10, "L3": 6 << 20},
        6 << 20,
    ),
}


@pytest.mark.parametrize("name", MACS)
def test_a_mac(name, macos, tmp_path):
    answers, cores, caches, largest = MACS[name]
    macos(answers)
    assert _limits.physical_cores(tmp_path) == cores
    assert _limits.caches(tmp_path) == caches
    assert _limits.last_level_cache(tmp_path) == largest
    assert compare.processor(tmp_path) == name


def test_a_mac_that_tells_nothing(macos, tmp_path):
    macos({"hw.l3cachesize": 0})
    assert _limits.physical_cores(tmp_path) == 10
    assert _limits.caches(tmp_path) == {}
    assert _limits.last_level_cache(tmp_path) == 32 << 20


PROCESSORS = {
    "x86-64": (
        {"proc/cpuinfo": "processor\t: 0\nmodel name\t: A: 1\n\nmodel name\t: B\n"},
        "A: 1",
    ),
    "a board": (
        {
            "proc/cpuinfo": "processor\t: 0\nCPU implementer\t: 0x41\n",
            "proc/device-tree/model": "Raspberry Pi 5\0",
        },
        "Raspberry Pi 5",
    ),
    "numbers": (
        {"proc/cpuinfo": "CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\nCPU part\t: 0x1\n"},
        "arm, CPU implementer 0x41, CPU part 0xd0c",
    ),
    "nothing": ({}, "arm"),
}


@pytest.mark.parametrize(("files", "name"), PROCESSORS.values(), ids=PROCESSORS)
def test_the_name_of_a_processor(files, name, tmp_path, monkeypatch):
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "arm")
    for file, text in files.items():
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert compare.processor(tmp_path) == name


@pytest.mark.parametrize("variable", ["FASTRELU_NUM_THREADS", "FASTRELU_CACHE_BYTES"])
def test_a_variable_with_more_digits_than_python_converts_is_a_warning(variable):
    text = "9" * 5000
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import fastrelu; print(fastrelu.isa)"],
        env={**os.environ, variable: text},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{fastrelu.isa}\n"
    assert f"RuntimeWarning: {variable}={text}: a whole number" in done.stderr
