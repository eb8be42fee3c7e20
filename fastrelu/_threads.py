"""How many threads share the work of a large call, and which calls are large."""

import contextlib
import operator
import os
import sys
import warnings

from ._limits import last_level_cache, usable_cpus

DEFAULT_MOST = 4  # so few saturate the memory of most machines
MOST = 64
VARIABLES = ("FASTRELU_NUM_THREADS", "OMP_NUM_THREADS")

# Bytes that a call reads and writes. Measured on 2 cores (Zen 4), in µs by one thread, by two when
# the second is awake, and when it sleeps, for waking it costs 10 and more: 1 MiB 12, 7, 22; 2 MiB
# 25, 14, 35; 4 MiB 44, 25, 66; 8 MiB 88, 46, 85. At 2 MiB what is won in a loop of calls outweighs
# what is lost in a single one.
THREADED_FROM = 2 << 20

_core = None  # the compiled part, once it is in use


def start(core):
    """Give the compiled part its number of threads, and the sizes that are large."""
    global _core
    _core = core
    core.set_num_threads(_initial())
    # Stores past the caches win from where the operands no longer fit into the last one. Measured
    # by two threads with 32 MiB of it, in rows of one call, as the time over that of plain stores,
    # with 12, 16, 20, 24, 28 and 32 MiB of output. Forward alone: 1.43, 1.32, 1.13, 0.99, 0.81,
    # 0.60; and a sum of it: 0.80, 0.73, 0.77, 0.72, 0.73, 0.68. Backward alone: 1.03, 0.76, 0.75,
    # 0.70, 0.72, 0.75; and a sum: 0.98, 0.84, 0.85, 0.86, 0.86, 0.86.
    core.set_thresholds(THREADED_FROM, last_level_cache() * 5 // 4)
    _tell_threadpoolctl()


def get_num_threads():
    """
    Return how many threads share the work of a large call.

    Returns
    -------
    int
        The number that `set_num_threads` has set; else that of the environment variable
        FASTRELU_NUM_THREADS, or OMP_NUM_THREADS; else the CPUs that this process may use, at
        most 4. Always 1 where nothing is compiled.

    Examples
    --------
    >>> import fastrelu
    >>> with fastrelu.num_threads(1):
    ...     fastrelu.get_num_threads()
    1
    """
    return 1 if _core is None else _core.get_num_threads()


def set_num_threads(n):
    """
    Set how many threads share the work of a large call, in the whole process.

    Parameters
    ----------
    n : int
        From 1 to 64; the calling thread is one of them.

    Raises
    ------
    ValueError
        If n is anything else.

    Examples
    --------
    >>> import fastrelu
    >>> before = fastrelu.get_num_threads()
    >>> fastrelu.set_num_threads(1)
    >>> fastrelu.get_num_threads()
    1
    >>> fastrelu.set_num_threads(before)
    """
    n = _checked(n)
    if _core is not None:
        _core.set_num_threads(n)


def num_threads(n):
    """
    Return a context manager within which n threads share the work of a large call.

    Parameters
    ----------
    n : int
        From 1 to 64. As with `set_num_threads` it counts for the whole process.

    Returns
    -------
    context manager
        On its end the number is again what it was on its beginning.

    Raises
    ------
    ValueError
        If n is anything else.

    Examples
    --------
    >>> import fastrelu
    >>> with fastrelu.num_threads(1):
    ...     fastrelu.get_num_threads()
    1
    """
    return _limited(_checked(n))


@contextlib.contextmanager
def _limited(n):
    before = get_num_threads()
    set_num_threads(n)
    try:
        yield
    finally:
        set_num_threads(before)


def _checked(n):
    try:
        number = 0 if isinstance(n, bool) else operator.index(n)
    except TypeError:
        number = 0
    if not 1 <= number <= MOST:
        raise ValueError(
            f"the number of threads must be a whole number from 1 to {MOST}, not {n!r}"
        )
    return number


def _initial():
    default = min(DEFAULT_MOST, usable_cpus())
    for variable in VARIABLES:
        text = os.environ.get(variable, "").strip()
        if not text:
            continue
        first = text.split(",")[0].strip()  # OpenMP's may name one for each level
        if first.isdecimal() and int(first) > 0:
            return min(int(first), MOST)
        warnings.warn(
            f"{variable}={text}: a whole number from 1 to {MOST} is needed; "
            f"fastrelu uses {default}",
            RuntimeWarning,
            stacklevel=4,
        )
        break
    return default


def _tell_threadpoolctl():
    """Let threadpoolctl see and limit the pool, if it is installed."""
    try:
        import threadpoolctl
    except ImportError:
        return
    register = getattr(threadpoolctl, "register", None)
    if register is None:  # before 3.2
        return

    class FastreluController(threadpoolctl.LibController):
        user_api = "fastrelu"
        internal_api = "fastrelu"
        filename_prefixes = ("_core",)
        check_symbols = ("fastrelu_get_num_threads", "fastrelu_set_num_threads")

        def get_num_threads(self):
            return self.dynlib.fastrelu_get_num_threads()

        def set_num_threads(self, num_threads):
            self.dynlib.fastrelu_set_num_threads(num_threads)

        def get_version(self):
            return getattr(sys.modules.get("fastrelu"), "__version__", None)

    register(FastreluController)
