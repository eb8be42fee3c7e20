"""The CPUs and the memory that this process may use: the smallest limit that the system sets."""

import os
import sys

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
        CPUs that are threads of the same core count as one.
    """
    try:
        cpus = os.sched_getaffinity(0)
    except (AttributeError, OSError):
        cpus = usable_cpus(root)
        return min(cpus, (windows and windows.physical_cores()) or cpus)
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


def last_level_cache():
    """Return the size in bytes of the largest cache, or 32 MiB where the system does not say."""
    if windows:
        return windows.largest_cache() or 32 << 20
    for level in (4, 3, 2):
        try:
            size = os.sysconf(f"SC_LEVEL{level}_CACHE_SIZE")
        except (AttributeError, OSError, ValueError):
            break
        if size > 0:
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
