"""What test modules import: operations and their types, limits, and checks of many cases."""

import contextlib
import functools
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import fastrelu
from fastrelu import _core, reference

OPERATIONS = _core.OPERATIONS
KERNEL_TYPES = _core.KERNEL_TYPES
MAX_THREADS = _core.MAX_THREADS
GIL_THRESHOLD = _core.GIL_THRESHOLD
MIN_CHUNK = _core.MIN_CHUNK
MAX_LANES = _core.MAX_LANES
SENTINEL = 0xA5  # the bytes of memory that no call may change
NEVER = 2**62  # bytes: a threshold that no call reaches

# Arguments of Python: the command line, with a self-check of few lengths, in tests of other things.
QUICK_CHECK = [
    "-c",
    """
import sys
from fastrelu._tool import check, main
check.LENGTHS, check.LARGE = (33,), {}
sys.exit(main.main())
""",
]

UFUNCS = {name: getattr(fastrelu, name) for name in OPERATIONS}


def distinct_kernels(types):
    """Return the types that have a kernel of their own: the first of each kind and size."""
    found = {}
    for char in types:
        dtype = np.dtype(char)
        found.setdefault((dtype.kind, dtype.itemsize), char)
    return "".join(found.values())


DISTINCT_TYPES = distinct_kernels(KERNEL_TYPES)


def first_of_each(key):
    """Return the first operation of each kind, by name."""
    found = {}
    for name, operation in OPERATIONS.items():
        found.setdefault(key(operation), name)
    return list(found.values())


# Operations with the same number of inputs and the same status have the same loops.
EVERY_LOOP = first_of_each(lambda operation: (operation.inputs, operation.status))

every_ufunc = pytest.mark.parametrize("ufunc", UFUNCS.values(), ids=UFUNCS)
every_ufunc_loop = pytest.mark.parametrize("ufunc", [UFUNCS[n] for n in EVERY_LOOP], ids=EVERY_LOOP)


def every_kernel(types=KERNEL_TYPES, names=OPERATIONS):
    """Parametrize operation and dtype: each operation with each of its kernels for these types."""
    cases = [
        (name, char)
        for name in names
        for char in distinct_kernels(c for c in OPERATIONS[name].types if c in types)
    ]
    return pytest.mark.parametrize(("operation", "dtype"), cases, indirect=["operation"])


def numpy_ufunc(inputs):
    """Return a ufunc of NumPy with that many inputs, which keeps their type."""
    of_three_inputs = np._core.umath.clip
    return {1: np.positive, 2: np.add, 3: of_three_inputs}[inputs]


def has_loop(ufunc, dtype):
    """Return whether a ufunc has a loop of its own for a type; the fallback has none."""
    char = np.dtype(dtype).char
    return any(loop == f"{char * ufunc.nin}->{char}" for loop in getattr(ufunc, "types", ()))


def small_lengths(dtype):
    """Return all lengths from none up to more than two of the widest registers."""
    return range(2 * (MAX_LANES // np.dtype(dtype).itemsize) + 2)


def numbers(dtype, n, seed=0):
    """Return n whole numbers, small enough that arithmetic with them is exact."""
    values = np.random.default_rng(seed).integers(-3, 4, n)
    return (abs(values) if np.dtype(dtype).kind == "u" else values).astype(dtype)


@functools.cache
def oracle_of(operation):
    """Return the function of the reference that an operation must agree with, made silent."""
    function = getattr(reference, operation)

    @functools.wraps(function)
    def oracle(*args, **kwargs):
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return oracle


def unify_nans(operation, *arrays):
    """
    Make the NaNs of arrays one, in place, where an operation computes instead of selecting.

    Which of two NaNs remains of a sum, IEEE 754 leaves open.
    """
    if OPERATIONS[operation].status == "ieee":
        for array in arrays:
            if array.dtype.kind == "f":
                array[np.isnan(array)] = np.nan


def failing(check, cases):
    """
    Return the cases on which check(case) fails, each with the beginning of its error.

    Compared with [], it runs many small cases in one test and still names each that fails.
    """
    found = []
    for case in cases:
        try:
            check(case)
        except (Exception, pytest.fail.Exception) as error:
            message = " ".join(f"{type(error).__name__}: {error}".split())
            found.append((case, message[:200]))
    return found


@contextlib.contextmanager
def thresholds(parallel, streaming):
    """Within it, bytes of operands from which a call is threaded and its stores bypass caches."""
    before = _core.get_thresholds()
    _core.set_thresholds(parallel, 1, 1, 1, streaming, 0, NEVER)
    try:
        yield
    finally:
        _core.set_thresholds(*before)


def allocations_fail_in_turn(call):
    """
    Yield after each of many calls: in the first the first allocation of Python fails, and so on.

    It is skipped where Python lacks its own means for that.
    """
    hooks = pytest.importorskip("_testcapi", reason="this Python has no module for its own tests")
    for number in range(1, 100):
        hooks.set_nomemory(number, number + 1)
        try:
            call()
        except MemoryError:
            pass
        finally:
            hooks.remove_mem_hooks()
        yield number


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

FORKS = """
import json, os, sys, tempfile, traceback
before, codes = json.load(sys.stdin)
names = {"__name__": "__main__"}
exec(before, names)
outcomes = {}
for name, code in codes.items():
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            os.dup2(out.fileno(), 1), os.dup2(err.fileno(), 2)
            status = 1
            try:
                exec(code, names)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush(), sys.stderr.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        texts = [(file.seek(0), file.read())[1].decode() for file in (out, err)]
        outcomes[name] = status, *texts
json.dump(outcomes, sys.stdout)
"""


def in_forks(before, codes, *options, environment=None, timeout=300):
    """
    Run each of the codes, by name, in a fork of one Python that has run what comes before them.

    Return the exit status, the output and the errors of each. It spares the start of Python and
    the import of NumPy, where the code under test may find these done.
    """
    inherited = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    inherited["OPENBLAS_NUM_THREADS"] = "1"  # Python may warn of threads at a fork
    done = subprocess.run(
        [sys.executable, "-P", *options, "-c", FORKS],
        input=json.dumps([before, codes]),
        env=inherited | (environment or {}),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
