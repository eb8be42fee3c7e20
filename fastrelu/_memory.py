"""The block cache: memory of large outputs that later outputs reuse."""

import operator
import os
import warnings
from typing import NamedTuple

from ._backend import core
from ._limits import usable_memory, whole_number

DEFAULT_MAX = 512 << 20
MAX_LIMIT = 1 << 62
VARIABLE = "FASTRELU_CACHE_BYTES"


class CacheInfo(NamedTuple):
    """What `cache_info` returns."""

    hits: int
    misses: int
    bytes_held: int
    limit: int


def cache_info():
    """
    Return the statistics of the block cache.

    The cache holds the memory of large outputs (1 MiB or more) that are gone, and a later output of
    about the same size reuses it: writing to new pages costs more than ReLU itself. A block that
    has not been reused for 5 seconds goes back to the system.

    Returns
    -------
    CacheInfo
        A named tuple: hits and misses count outputs; bytes_held is the size of the blocks that the
        cache holds; limit is the most that it may hold. All are 0 where nothing is compiled.

    Examples
    --------
    >>> import fastrelu
    >>> fastrelu.clear_cache()
    >>> fastrelu.cache_info().bytes_held
    0
    """
    return CacheInfo(*core.cache_info())


def clear_cache():
    """
    Return all memory that the block cache holds to the system.

    Examples
    --------
    >>> import fastrelu
    >>> fastrelu.clear_cache()
    """
    core.clear_cache()


def set_cache_limit(n):
    """
    Set how many bytes of memory the block cache may hold.

    Parameters
    ----------
    n : int
        0 turns the cache off. The default is the value of the environment variable
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
    core.set_cache_limit(min(limit, MAX_LIMIT))


def _initial():
    default = min(DEFAULT_MAX, usable_memory() // 8)
    text = os.environ.get(VARIABLE, "").strip()
    number = whole_number(text)
    if number is not None:
        return min(number, MAX_LIMIT)
    if text:
        warnings.warn(
            f"{VARIABLE}={text}: a whole number of bytes is needed; "
            f"the cache of fastrelu holds at most {default}",
            RuntimeWarning,
            stacklevel=4,
        )
    return default


core.set_cache_limit(_initial())
# As NumPy reads it: its own large arrays then ask for no huge pages.
core.set_huge_pages(os.environ.get("NUMPY_MADVISE_HUGEPAGE", "").strip() != "0")
