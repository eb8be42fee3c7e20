"""What macOS tells of this machine by sysctl; on other systems nothing."""

import sys

LEVELS = {"L1": "l1dcachesize", "L2": "l2cachesize", "L3": "l3cachesize"}


def physical_cores():
    """Return how many cores there are of the fastest kind, or 0."""
    return _number("physicalcpu")


def caches():
    """Return the bytes of each data cache of a core of the fastest kind, by name."""
    found = {level: _number(name) for level, name in LEVELS.items()}
    return {level: size for level, size in found.items() if size}


def processor():
    """Return the processor's name, or an empty string."""
    return _sysctl("machdep.cpu.brand_string").rstrip(b"\0").decode()


def _number(name):
    """Return what it is for the fastest kind of cores, or, with one kind, for all; or 0."""
    for full_name in f"hw.perflevel0.{name}", f"hw.{name}":
        if number := int.from_bytes(_sysctl(full_name), sys.byteorder):
            return number
    return 0


def _sysctl(name):
    """Return the answer as bytes, which are none if there is no such name."""
    if sys.platform != "darwin":
        return b""
    import ctypes

    answer = ctypes.create_string_buffer(256)
    size = ctypes.c_size_t(len(answer))
    call = ctypes.CDLL(None).sysctlbyname
    if call(name.encode(), answer, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return b""
    return answer.raw[: size.value]
