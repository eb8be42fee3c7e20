"""The limits of control groups are found however they are written, and never fail an import."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastrelu
from fastrelu import _limits

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
