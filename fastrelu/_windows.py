"""The CPUs, the memory and the caches of this process, as Windows gives them."""

import ctypes
import struct
from collections import Counter

PROCESSOR_CORE, CACHE, ALL = 0, 2, 0xFFFF  # relations of processors


class MemoryStatus(ctypes.Structure):
    _fields_ = [
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("physical", ctypes.c_uint64),
        ("physical_free", ctypes.c_uint64),
        ("committable", ctypes.c_uint64),
        ("committable_free", ctypes.c_uint64),
        ("addresses", ctypes.c_uint64),
        ("addresses_free", ctypes.c_uint64),
        ("reserved", ctypes.c_uint64),
    ]


def usable_cpus(kernel32=None):
    """Return the number of CPUs in the affinity of this process, 0 if it has no single mask."""
    return _affinity(kernel32 or _kernel32()).bit_count()


def physical_cores(kernel32=None):
    """Return the number of cores in the affinity of this process, 0 if the system does not say."""
    kernel32 = kernel32 or _kernel32()
    affinity = _affinity(kernel32)
    cores = [
        struct.unpack_from("<QH", record, 32)  # a mask, and the group of CPUs that it is of
        for relation, record in _processors(kernel32)
        if relation == PROCESSOR_CORE
    ]
    if affinity == 0:
        return len(cores)
    # The affinity is one of a group, which is not named.
    return max(Counter(group for mask, group in cores if mask & affinity).values(), default=0)


def usable_memory(kernel32=None):
    """Return the bytes that the machine has, or less if less can be committed; 0 if unknown."""
    status = MemoryStatus(length=ctypes.sizeof(MemoryStatus))
    if not (kernel32 or _kernel32()).GlobalMemoryStatusEx(ctypes.byref(status)):
        return 0
    return min(status.physical, status.committable)


def largest_cache(kernel32=None):
    """Return the bytes of the largest cache, 0 if the system does not say."""
    sizes = [
        struct.unpack_from("<I", record, 12)[0]
        for relation, record in _processors(kernel32 or _kernel32())
        if relation == CACHE
    ]
    return max(sizes, default=0)


def _kernel32():
    return ctypes.WinDLL("kernel32")


def _affinity(kernel32):
    """Return the mask of the CPUs of this process; 0 if it runs in several groups of CPUs."""
    process, system = ctypes.c_size_t(), ctypes.c_size_t()
    this = ctypes.c_void_p(kernel32.GetCurrentProcess())
    kernel32.GetProcessAffinityMask(this, ctypes.byref(process), ctypes.byref(system))
    return process.value


def _processors(kernel32):
    """Yield what a record of the system describes, and its bytes."""
    size = ctypes.c_uint32()
    kernel32.GetLogicalProcessorInformationEx(ALL, None, ctypes.byref(size))
    records = ctypes.create_string_buffer(size.value)
    if kernel32.GetLogicalProcessorInformationEx(ALL, records, ctypes.byref(size)):
        start = 0
        while start < size.value:
            relation, length = struct.unpack_from("<II", records, start)
            yield relation, records.raw[start : start + length]
            start += length
