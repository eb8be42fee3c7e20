"""How many threads share the work of a large call, and which calls are large."""

import contextlib
import operator
import os
import sys
import warnings

from ._backend import core, isa
from ._imports import when_imported
from ._limits import last_level_cache, physical_cores, whole_number

MAX_THREADS = core.MAX_THREADS
VARIABLES = ("FASTRELU_NUM_THREADS", "OMP_NUM_THREADS")

# Thresholds are in bytes that a call reads and writes. The figures are from 2 cores of a virtual
# machine (AMD EPYC, Zen 4, 32 MiB of L3), and from 16 (Intel Xeon, 2 MiB of L2 each, 300 MiB of
# L3).

# Zen 4, relu into an output, in µs by one thread and by two that are awake: 128 KiB 1.9, 1.4; 256
# KiB 2.6, 2.0; 512 KiB 4.9, 3.4; 1 MiB 12.6, 6.0; 2 MiB 23, 12. Below 256 KiB half of that is the
# call. Xeon, 512 KiB by 1, 4 and 16: 7.6, 3.9, 2.3.
PARALLEL_FROM, PARALLEL_EACH = 256 << 10, 64 << 10

# After 1 ms of other work, threads asleep. Zen 4: 2 MiB 31, 47; 4 MiB 49, 62; 8 MiB 127, 96; there
# it costs the caller 10 to 20 µs to wake a thread, which begins after 30. Xeon, where that takes 5,
# by 1, 4 and 16: 2 MiB 48, 37, 40; 8 MiB 335, 101, 64; 32 MiB 1224, 437, 183.
WOKEN_FROM, WOKEN_EACH = 4 << 20, 1 << 20


def get_num_threads():
    """
    Return how many threads share the work of a large call.

    Returns
    -------
    int
        The number that `set_num_threads` has set. The default is the value of the environment
        variable FASTRELU_NUM_THREADS, else of OMP_NUM_THREADS, else the number of physical cores
        that this process may use, at most 64. It is always 1 where nothing is compiled.

    Examples
    --------
    >>> import fastrelu
    >>> with fastrelu.num_threads(1):
    ...     fastrelu.get_num_threads()
    1
    """
    return core.get_num_threads()


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
    core.set_num_threads(_checked(n))


def num_threads(n):
    """
    Return a context manager within which n threads share the work of a large call.

    Parameters
    ----------
    n : int
        From 1 to 64, for the whole process, as with `set_num_threads`.

    Returns
    -------
    context manager
        On exit it restores the number of threads that it found on entry.

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
    try:
        set_num_threads(n)
        yield
    finally:
        core.set_num_threads(before)


def _checked(n):
    try:
        number = 0 if isinstance(n, bool) else operator.index(n)
    except TypeError:
        number = 0
    if not 1 <= number <= MAX_THREADS:
        raise ValueError(
            f"the number of threads must be a whole number from 1 to {MAX_THREADS}, not {n!r}"
        )
    return number


def _initial():
    default = min(MAX_THREADS, physical_cores())
    for variable in VARIABLES:
        text = os.environ.get(variable, "").strip()
        if not text:
            continue
        first = text.split(",")[0].strip()  # OpenMP's variable may list one number per level
        if number := whole_number(first):
            return min(number, MAX_THREADS)
        warnings.warn(
            f"{variable}={text}: a whole number from 1 to {MAX_THREADS} is needed; "
            f"fastrelu uses {default}",
            RuntimeWarning,
            stacklevel=4,
        )
        break
    return default


def _streaming_from(cache):
    """
    Return from where stores are non-temporal: a sum, what each thread adds to it, and a limit.

    A last-level cache of a few cores is filled by one of them nearly alone. Zen 4, 32 MiB, time
    over that of plain stores with 16, 24, 32, 48 and 64 MiB moved: by one thread 1.18, 0.96, 0.89,
    0.80, 0.77, and with a sum of the output after each call 1.23, 1.07, 1.10, 0.90, 0.85; by two
    3.26, 2.03, 1.54, 0.87, 0.80 and 1.37, 1.27, 1.25, 0.95, 0.90.

    A larger one is that of a whole socket, which a virtual machine shares with others, and of which
    a core alone gets little. Xeon, "300 MiB", with 32, 128 and 512 MiB moved: by one thread 0.79,
    0.67, 0.83; by eight 0.69, 0.81, 0.65; by sixteen 1.24, 1.15, 0.58.
    """
    if cache <= 64 << 20:
        return cache // 4, cache // 2, cache + cache // 4
    return 24 << 20, 1 << 20, 64 << 20


def _register(threadpoolctl, stacklevel):
    """Let threadpoolctl see and limit the pool, or warn why it cannot."""
    try:
        base, register = threadpoolctl.LibController, threadpoolctl.register

        class FastreluController(base):
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
    except Exception as error:
        warnings.warn(
            "threadpoolctl does not see fastrelu's threads, for they cannot be registered "
            f"({type(error).__name__}: {error}); threadpoolctl 3.2 or later is needed",
            RuntimeWarning,
            stacklevel=stacklevel,
        )


core.set_num_threads(_initial())
core.set_thresholds(
    PARALLEL_FROM, PARALLEL_EACH, WOKEN_FROM, WOKEN_EACH, *_streaming_from(last_level_cache())
)
if isa != "python":
    # Its own import would cost as much as fastrelu's, and it looks for nothing that a library could
    # leave for it.
    when_imported("threadpoolctl", _register)
