"""The memory that is kept for the next large output."""

import operator
import os
import warnings
from typing import NamedTuple

from ._limits import usable_memory

DEFAULT_MOST = 512 << 20
VARIABLE = "FASTRELU_CACHE_BYTES"


class CacheInfo(NamedTuple):
    """What `cache_info` returns."""

    hits: int
    misses: int
    bytes_held: int
    limit: int


_core = None  # the compiled part, once it is in use


def start(core):
    """Give the compiled part its limit."""
    global _core
    _core = core
    core.set_cache_limit(_initial())


def cache_info():
    """
    Return what the memory kept for the next large output has been good for.

    A large new output (1 MiB or more, of arrays that are contiguous) gets memory that an earlier
    one has left, if there is some of about its size: writing to new pages costs more than ReLU
    itself. What nobody has asked for in 5 seconds goes back to the system.

    Returns
    -------
    CacheInfo
        A named tuple: hits and misses, in outputs; bytes_held, in blocks that are kept and not in
        use; limit, the most bytes that are held. Zeros where nothing is compiled.

    Examples
    --------
    >>> import fastrelu
    >>> fastrelu.clear_cache()
    >>> fastrelu.cache_info().bytes_held
    0
    """
    return CacheInfo(*((0, 0, 0, 0) if _core is None else _core.cache_info()))


def clear_cache():
    """
    Give all memory that is kept for the next large output back to the system.

    Examples
    --------
    >>> import fastrelu
    >>> fastrelu.clear_cache()
    """
    if _core is not None:
        _core.clear_cache()


def set_cache_limit(n):
    """
    Set how many bytes of memory are kept at most for the next large output.

    Parameters
    ----------
    n : int
        0 keeps none. To begin with it is the value of the environment variable
        FASTRELU_CACHE_BYTES, else the smaller of 512 MiB and an eighth of the memory that this
        process may use.

    Raises
    ------
    ValueError
        If n is not a whole number from 0 up.

    Examples
    --------
    >>> import fastrelu
    >>> before = fastrelu.cache_info().limit
    >>> fastrelu.set_cache_limit(0)
    >>> fastrelu.cache_info().limit
    0
    >>> fastrelu.set_cache_limit(before)
    """
    try:
        limit = -1 if isinstance(n, bool) else operator.index(n)
    except TypeError:
        limit = -1
    if limit < 0:
        raise ValueError(f"the limit must be a whole number of bytes from 0 up, not {n!r}")
    if _core is not None:
        _core.set_cache_limit(min(limit, 1 << 62))


def _initial():
    default = min(DEFAULT_MOST, usable_memory() // 8)
    text = os.environ.get(VARIABLE, "").strip()
    if text.isdecimal():
        return min(int(text), 1 << 62)
    if text:
        warnings.warn(
            f"{VARIABLE}={text}: a whole number of bytes is needed; "
            f"fastrelu keeps at most {default}",
            RuntimeWarning,
            stacklevel=4,
        )
    return default
