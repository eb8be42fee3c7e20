"""How many threads share the work of a large call, and which calls are large."""

import contextlib
import operator
import os
import sys
import warnings

from ._backend import core, isa
from ._limits import last_level_cache, physical_cores, whole_number

MAX_THREADS = core.MAX_THREADS
VARIABLES = ("FASTRELU_NUM_THREADS", "OMP_NUM_THREADS")

# In bytes that a call reads and writes: from where threads share it, and how many each must have if
# it is awake, and if it has to be woken.
PARALLEL_FROM = 256 << 10
AWAKE_EACH = 64 << 10
WOKEN_EACH = 1 << 20


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


class _Finder:
    """
    Finds threadpoolctl as the next finders do, and registers the pool when it has been imported.

    `import fastrelu` does not import threadpoolctl, which would cost as much again, and a program
    may import it later. threadpoolctl looks for nothing that a library could leave for it.
    """

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "threadpoolctl":
            return None
        for finder in sys.meta_path[sys.meta_path.index(cls) + 1 :]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            return None
        if hasattr(spec.loader, "exec_module"):
            exec_module = spec.loader.exec_module

            def exec_and_register(module):
                exec_module(module)
                _register(module, stacklevel=3)

            spec.loader.exec_module = exec_and_register
        return spec


core.set_num_threads(_initial())
# Non-temporal stores win once the operands no longer fit into the last-level cache. Measured by two
# threads with 32 MiB of it, in rows of one call, as the time over that of plain stores, with 12,
# 16, 20, 24, 28 and 32 MiB of output. Forward alone: 1.43, 1.32, 1.13, 0.99, 0.81, 0.60; and a sum
# of it: 0.80, 0.73, 0.77, 0.72, 0.73, 0.68. Backward alone: 1.03, 0.76, 0.75, 0.70, 0.72, 0.75; and
# a sum: 0.98, 0.84, 0.85, 0.86, 0.86, 0.86.
core.set_thresholds(PARALLEL_FROM, AWAKE_EACH, WOKEN_EACH, last_level_cache() * 5 // 4, 0)
if isa != "python":
    if sys.modules.get("threadpoolctl") is not None:
        _register(sys.modules["threadpoolctl"], stacklevel=4)
    sys.meta_path.insert(0, _Finder)
