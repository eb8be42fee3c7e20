"""What this process may use of the machine: CPUs and memory, as the system's limits say."""

import os
from pathlib import Path

_CONTROLLERS = {"cpu.max": "cpu", "memory.max": "memory"}  # of version 2, and their names in 1


def usable_cpus(root="/"):
    """
    Return how many CPUs this process may use at a time.

    Parameters
    ----------
    root : str or path, optional
        Where /proc and /sys are.

    Returns
    -------
    int
        Those of its affinity, or fewer if the quota of a control group leaves less; at least 1.
    """
    try:
        cpus = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        cpus = os.cpu_count() or 1
    for group in _groups(root, "cpu.max"):
        quota = _read(group / "cpu.max").split() or [
            _read(group / "cpu.cfs_quota_us"),
            _read(group / "cpu.cfs_period_us"),
        ]
        if len(quota) == 2 and all(map(str.isdecimal, quota)) and int(quota[1]) > 0:
            cpus = min(cpus, -(-int(quota[0]) // int(quota[1])))
    return max(1, cpus)


def usable_memory(root="/"):
    """
    Return how many bytes of memory this process may use.

    Parameters
    ----------
    root : str or path, optional
        Where /proc and /sys are.

    Returns
    -------
    int
        The machine's memory, or less if a control group or the address space is limited to less.
    """
    limits = []
    try:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        import resource

        limits.append(resource.getrlimit(resource.RLIMIT_AS)[0])
    except (AttributeError, ImportError, OSError, ValueError):
        pass
    for group in _groups(root, "memory.max"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = _read(group / name)
            if limit.isdecimal():
                limits.append(int(limit))
    return min((limit for limit in limits if limit > 0), default=1 << 30)


def last_level_cache():
    """Return the size in bytes of the largest cache, or 32 MiB where the system does not say."""
    for level in (4, 3, 2):
        try:
            size = os.sysconf(f"SC_LEVEL{level}_CACHE_SIZE")
        except (AttributeError, OSError, ValueError):
            break
        if size > 0:
            return size
    return 32 << 20


def _groups(root, name):
    """Yield the folders of this process's control group and of those that it is in."""
    for line in _read(Path(root, "proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and _CONTROLLERS[name] not in controllers.split(","):
            continue
        top = Path(root, "sys/fs/cgroup", controllers)
        group = top.joinpath(path.lstrip("/"))
        yield group
        if group != top:
            yield from (parent for parent in group.parents if parent.is_relative_to(top))


def _read(path):
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
