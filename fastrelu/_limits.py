"""The CPUs and the memory that this process may use, by the smallest limit, and the caches."""

import os
import sys

from . import _macos as macos

if sys.platform == "win32":
    from . import _windows as windows
else:
    windows = None


def whole_number(text):
    """Return the number that decimal digits spell, or None for any other text."""
    try:
        return int(text) if text.isdecimal() else None
    except ValueError:  # more digits than Python converts
        return None


def usable_cpus(root="/"):
    """
    Return how many CPUs this process may use at a time.

    Parameters
    ----------
    root : str or path, optional
        The folder that holds /proc and /sys.

    Returns
    -------
    int
        The CPUs of its affinity, or fewer if the quota of a control group is smaller; at least 1.
    """
    try:
        cpus = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        cpus = (windows and windows.usable_cpus()) or os.cpu_count() or 1
    for group in _groups(root, "cpu"):
        texts = _read(group, "cpu.max").split() or [
            _read(group, "cpu.cfs_quota_us"),
            _read(group, "cpu.cfs_period_us"),
        ]
        numbers = [whole_number(text) for text in texts]
        if len(numbers) == 2 and None not in numbers and numbers[1] > 0:
            cpus = min(cpus, -(-numbers[0] // numbers[1]))
    return max(1, cpus)


def physical_cores(root="/"):
    """
    Return how many threads of this process can run without sharing the units of a core.

    Parameters
    ----------
    root : str or path, optional
        The folder that holds /proc and /sys.

    Returns
    -------
    int
        The number of `usable_cpus`, or that of the cores that its affinity leaves if it is smaller:
        CPUs that are threads of the same core count as one. On macOS that of the fast cores.
    """
    try:
        cpus = os.sched_getaffinity(0)
    except (AttributeError, OSError):
        cpus = usable_cpus(root)
        cores = windows.physical_cores() if windows else macos.physical_cores()
        return min(cpus, cores or cpus)
    folder = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    cores = {_read(root, folder.format(cpu)) or cpu for cpu in cpus}
    return min(usable_cpus(root), len(cores))


def usable_memory(root="/"):
    """
    Return how many bytes of memory this process may use.

    Parameters
    ----------
    root : str or path, optional
        The folder that holds /proc and /sys.

    Returns
    -------
    int
        The machine's memory, or less if a control group or the address space is limited to less.
    """
    limits = [windows.usable_memory()] if windows else []
    try:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        import resource

        limits.append(resource.getrlimit(resource.RLIMIT_AS)[0])
    except (AttributeError, ImportError, OSError, ValueError):
        pass
    for group in _groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limits.append(whole_number(_read(group, name)))
    return min((limit for limit in limits if limit is not None and limit > 0), default=1 << 30)


def caches(root="/"):
    """
    Return the sizes of the data caches of the first core, as far as the system tells them.

    Parameters
    ----------
    root : str or path, optional
        The folder that holds /proc and /sys.

    Returns
    -------
    dict
        Bytes by name: "L1", "L2", ...
    """
    found = macos.caches()
    for index in range(8):
        folder = os.path.join(root, "sys/devices/system/cpu/cpu0/cache", f"index{index}")
        level, kind, size = (_read(folder, name) for name in ("level", "type", "size"))
        if not level:
            break
        if kind in ("Data", "Unified"):
            found[f"L{level}"] = 1024 * (whole_number(size.removesuffix("K")) or 0)
    return {level: size for level, size in found.items() if size}


def last_level_cache(root="/"):
    """
    Return the size of the largest cache.

    Parameters
    ----------
    root : str or path, optional
        The folder that holds /proc and /sys.

    Returns
    -------
    int
        Bytes; 32 MiB where the system tells none beyond the first level.
    """
    if windows:
        return windows.largest_cache() or 32 << 20
    known = caches(root)
    for level in (4, 3, 2):
        try:  # glibc answers 0 on AArch64
            size = os.sysconf(f"SC_LEVEL{level}_CACHE_SIZE")
        except (AttributeError, OSError, ValueError):
            size = 0
        if size > 0 or (size := known.get(f"L{level}", 0)):
            return size
    return 32 << 20


def _groups(root, controller):
    """Yield the folders of this process's control groups, each followed by those of its parents."""
    mounts = os.path.join(root, "sys/fs/cgroup")
    for line in _text(root, "proc/self/cgroup").split("\n"):
        fields = line.split(":", 2)
        if len(fields) != 3 or (fields[1] and controller not in fields[1].split(",")):
            continue
        for top in _hierarchies(mounts, controller) if fields[1] else [mounts]:
            path = fields[2].strip("/")
            while path:
                yield os.path.join(top, path)
                path = os.path.dirname(path)
            yield top


def _hierarchies(mounts, controller):
    """Return the folders of version 1 that are named after a controller, whatever else is there."""
    try:
        names = sorted(os.listdir(mounts))
    except OSError:
        return []
    return [os.path.join(mounts, name) for name in names if controller in name.split(",")]


def _read(*path):
    return _text(*path).strip()


def _text(*path):
    try:
        with open(os.path.join(*path), "rb") as file:
            return os.fsdecode(file.read())
    except (OSError, ValueError):  # ValueError: a path with a null character
        return ""
