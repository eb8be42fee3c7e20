"""What Windows says of CPUs, memory and caches is read right, from records that a test makes."""

import ctypes
import os
import struct
import sys

import pytest

from fastrelu import _limits, _windows

on_windows = pytest.mark.skipif(sys.platform != "win32", reason="needs kernel32")


def core(mask, group=0, groups=1):
    body = struct.pack("<BB20xH", 0, 0, groups) + struct.pack("<QH6x", mask, group)
    return struct.pack("<II", 0, 8 + len(body)) + body


def cache(level, size):
    body = struct.pack("<BBHII18xH", level, 8, 64, size, 0, 1) + struct.pack("<QH6x", 1, 0)
    return struct.pack("<II", 2, 8 + len(body)) + body


NUMA_NODE = struct.pack("<II40x", 1, 48)


class Kernel32:
    """The functions that _windows calls, with answers that are given."""

    def __init__(self, records=(), affinity=0, physical=0, committable=0, fails=False):
        self.records = b"".join(records)
        self.affinity, self.physical, self.committable = affinity, physical, committable
        self.fails = fails

    def GetCurrentProcess(self):  # noqa: N802
        return -1

    def GetProcessAffinityMask(self, process, mask, system):  # noqa: N802
        assert process.value == ctypes.c_void_p(-1).value
        mask._obj.value = self.affinity
        return not self.fails

    def GlobalMemoryStatusEx(self, status):  # noqa: N802
        assert status._obj.length == 64
        status._obj.physical, status._obj.committable = self.physical, self.committable
        return not self.fails

    def GetLogicalProcessorInformationEx(self, relation, buffer, size):  # noqa: N802
        assert relation == 0xFFFF
        room = size._obj.value
        size._obj.value = len(self.records)
        if self.fails or room < len(self.records):
            return False
        buffer[: len(self.records)] = self.records
        return True


FOUR_CORES = [cache(1, 32 << 10), *(core(3 << 2 * i) for i in range(4)), NUMA_NODE]


@pytest.mark.parametrize(
    ("affinity", "cpus", "cores"), [(0xFF, 8, 4), (0x0F, 4, 2), (0x11, 2, 2), (0x03, 2, 1)]
)
def test_cpus_and_cores_of_the_affinity(affinity, cpus, cores):
    kernel32 = Kernel32(FOUR_CORES, affinity)
    assert _windows.usable_cpus(kernel32) == cpus
    assert _windows.physical_cores(kernel32) == cores


def test_cores_of_two_groups():
    records = [core(1 << i, group) for group, n in [(0, 4), (1, 6)] for i in range(n)]
    assert _windows.physical_cores(Kernel32(records, affinity=0)) == 10
    assert _windows.physical_cores(Kernel32(records, affinity=0x3C)) == 4
    assert _windows.physical_cores(Kernel32(records, affinity=0x03)) == 2


@pytest.mark.parametrize(
    ("caches", "largest"),
    [
        ([], 0),
        ([(1, 32 << 10)], 32 << 10),
        ([(1, 32 << 10), (3, 48 << 20), (2, 2 << 20)], 48 << 20),
    ],
)
def test_the_largest_cache(caches, largest):
    records = [core(1), *(cache(*values) for values in caches), NUMA_NODE]
    assert _windows.largest_cache(Kernel32(records)) == largest


def test_memory_is_what_can_be_committed():
    assert _windows.usable_memory(Kernel32(physical=16 << 30, committable=20 << 30)) == 16 << 30
    assert _windows.usable_memory(Kernel32(physical=16 << 30, committable=3 << 30)) == 3 << 30


@pytest.mark.parametrize(
    "function", ["usable_cpus", "physical_cores", "usable_memory", "largest_cache"]
)
def test_a_call_that_fails_says_nothing(function):
    assert getattr(_windows, function)(Kernel32(FOUR_CORES, fails=True)) == 0


@pytest.fixture
def made_windows(monkeypatch):
    """Return made_windows(answers): from now on _limits asks a Windows with these answers."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(os, "sysconf", raising=False)
    monkeypatch.setattr(_limits, "windows", _windows)
    return lambda **answers: monkeypatch.setattr(_windows, "_kernel32", lambda: Kernel32(**answers))


def test_limits_ask_windows(made_windows, tmp_path):
    made_windows(
        records=[*FOUR_CORES, cache(3, 24 << 20)],
        affinity=0x3F,
        physical=8 << 30,
        committable=9 << 30,
    )
    assert _limits.usable_cpus(tmp_path) == 6
    assert _limits.physical_cores(tmp_path) == 3
    assert _limits.usable_memory(tmp_path) == 8 << 30
    assert _limits.last_level_cache() == 24 << 20


def test_limits_where_windows_says_nothing(made_windows, tmp_path, monkeypatch):
    made_windows(fails=True)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert _limits.usable_cpus(tmp_path) == _limits.physical_cores(tmp_path) == 5
    assert _limits.last_level_cache() == 32 << 20


@on_windows
def test_this_machine():
    assert 1 <= _windows.physical_cores() <= _windows.usable_cpus() <= os.cpu_count()
    assert _windows.usable_memory() > 1 << 28
    assert _windows.largest_cache() >= 1 << 15
