"""The measurement: fastrelu, NumPy's own way and a plain copy, timed in turn on the same arrays."""

import platform
import statistics
import time
import timeit
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

import fastrelu

from .. import reference
from .._limits import usable_cpus
from .check import first_difference, unequal

SIZES = tuple(1 << power for power in (4, 7, 10, 13, 16, 19, 21, 24))
SECONDS = 15.0
ROUND_SECONDS = 250e-6
LEAST_ROUNDS = 5
MOST_ROUNDS = 100


class MismatchError(Exception):
    """The function about to be timed does not give what the reference gives."""


class Operation(NamedTuple):
    """What is timed: one statement for each side."""

    name: str
    fastrelu: str
    numpy: str
    copy: str

    @property
    def is_backward(self):
        return self.name.startswith("backward")

    @property
    def is_in_place(self):
        return self.name.endswith("in place")

    @property
    def makes_output(self):
        return self.name.endswith("new")


OPERATIONS = (
    Operation("forward new", "relu(x)", "maximum(0, x)", "x.copy('K')"),
    Operation("forward out=", "relu(x, out=y)", "maximum(0, x, out=y)", "copyto(y, x)"),
    Operation("forward in place", "relu(x, out=x)", "maximum(x, 0, out=x)", "copyto(x, original)"),
    Operation("backward new", "relu_backward(grad, x)", "grad * (x > 0)", "grad.copy('K')"),
    Operation(
        "backward out=",
        "relu_backward(grad, x, out=y)",
        "multiply(grad, x > 0, out=y)",
        "copyto(y, grad)",
    ),
)


class Timing(NamedTuple):
    """One statement's time a call, the least and the median of the rounds, and what it moves."""

    statement: str
    bytes: int
    seconds: float
    median_seconds: float

    @property
    def spread(self):
        """How far the median round lies above the fastest, as a fraction of that."""
        return self.median_seconds / self.seconds - 1

    @property
    def gigabytes_per_second(self):
        """Bytes read and written in a second, by 1e9."""
        return self.bytes / self.seconds / 1e9


class Row(NamedTuple):
    """One operation on one array: the three timings, and in how many elements NumPy differs."""

    operation: str
    dtype: str
    shape: tuple
    elements: int
    where: str
    rounds: int
    fastrelu: Timing
    numpy: Timing
    copy: Timing
    numpy_differs_in: int

    @property
    def times_faster(self):
        """NumPy's time divided by fastrelu's."""
        return self.numpy.seconds / self.fastrelu.seconds

    @property
    def fraction_of_copy(self):
        """The bytes a second of fastrelu divided by those of a copy."""
        return self.fastrelu.gigabytes_per_second / self.copy.gigabytes_per_second

    def as_dict(self):
        """Return the row, with all that follows from it, as what JSON can hold."""
        timings = {
            side: timing._asdict() | {"gigabytes_per_second": timing.gigabytes_per_second}
            for side in ("fastrelu", "numpy", "copy")
            for timing in [getattr(self, side)]
        }
        ratios = {"times_faster": self.times_faster, "fraction_of_copy": self.fraction_of_copy}
        return self._asdict() | timings | ratios


def compare_sizes(dtype, sizes=SIZES, seconds=SECONDS, announce=None):
    """
    Compare on random arrays, about half of whose values are negative where the type has any.

    Parameters
    ----------
    dtype : numpy.dtype
        Any that relu takes.
    sizes : sequence of int, optional
        Numbers of elements, rising. Those that the time left cannot hold are left out; never the
        first.
    seconds : float, optional
        About how long it may take.
    announce : callable, optional
        Called with the number of elements and the name of each operation before it is timed.

    Yields
    ------
    Row
        One for each size and operation.

    Raises
    ------
    MismatchError
        If a result that was to be timed is wrong.
    """
    end = time.perf_counter() + seconds
    rows = []
    for i, n in enumerate(sizes):
        start = time.perf_counter()
        round_seconds = sum(
            timing.median_seconds for row in rows for timing in (row.fastrelu, row.numpy, row.copy)
        )
        if rows and round_seconds * (LEAST_ROUNDS + 2) * n / rows[0].elements > end - start:
            return
        rows = []
        share = (end - start) / (len(sizes) - i)
        for row in compare_array(random_array(dtype, n), share, announce):
            rows.append(row)
            yield row


def compare_array(x, seconds=SECONDS, announce=None):
    """
    Compare on an array of any dtype and shape that relu takes, as compare_sizes does.

    Yields
    ------
    Row
        One for each operation that takes such an array.
    """
    end = time.perf_counter() + seconds
    result = fastrelu.relu(x[..., :0] if x.ndim else x).dtype
    takes_backward = x.dtype.kind != "b" and reference.is_real(x.dtype)
    operations = [
        operation
        for operation in OPERATIONS
        if (takes_backward or not operation.is_backward)
        and (np.can_cast(result, x.dtype, "same_kind") or not operation.is_in_place)
    ]
    grad = np.empty_like(x)
    grad[...] = random_array(x.dtype, x.size, seed=1).reshape(x.shape)
    for i, operation in enumerate(operations):
        if announce is not None:
            announce(x.size, operation.name)
        now = time.perf_counter()
        yield _row(operation, x, grad, now + (end - now) / (len(operations) - i))


def random_array(dtype, n, seed=0):
    """Return n random values of a type, half of them negative if it is signed."""
    rng = np.random.default_rng(seed)
    some = min(n, 100_003)
    if dtype.kind in "fO" or "float" in dtype.name:
        values = rng.standard_normal(some)
    elif dtype.kind == "c":
        values = rng.standard_normal(some) + 1j * rng.standard_normal(some)
    else:
        values = rng.integers(0 if dtype.kind in "bu" else -100, 100, some)
    return np.resize(values.astype(dtype), n).astype(dtype, copy=False)  # resize makes it native


def caches():
    """Return the size in bytes of each data cache that the first core reaches, where Linux says."""
    found = {}
    for entry in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = (
                (entry / name).read_text().strip() for name in ("level", "type", "size")
            )
            if kind != "Instruction":
                found[f"L{level}"] = int(size.removesuffix("K")) * 1024
        except (OSError, ValueError):
            continue
    return found


def machine():
    """Return the processor's name, the cores at hand, the caches and the system as a dict."""
    cpu = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                cpu = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return {
        "cpu": cpu,
        "cores": usable_cpus(),
        "cache_bytes": caches(),
        "system": platform.platform(),
    }


def _row(operation, x, grad, until):
    names = {
        **{name: getattr(np, name) for name in ("maximum", "multiply", "copyto")},
        **{name: getattr(fastrelu, name) for name in ("relu", "relu_backward")},
        **{"x": x, "grad": grad},
    }
    source = grad if operation.is_backward else x
    if operation.is_in_place:
        names |= {"x": x.copy("K"), "original": x}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of 0 beside a timedelta
        expected = reference.relu_backward(grad, x) if operation.is_backward else reference.relu(x)
        expected = np.asarray(expected)
        y = names["y"] = np.empty_like(expected)
        moved = x.nbytes * (1 + operation.is_backward) + y.nbytes
        copied = source.nbytes + (source if operation.makes_output else y).nbytes
        differing = _check(operation, names, expected)
        del expected
        statements = (operation.fastrelu, operation.numpy, operation.copy)
        rounds = time_in_turns([timeit.Timer(s, globals=names) for s in statements], until)
    return Row(
        operation.name,
        str(x.dtype),
        x.shape,
        x.size,
        held_in(x.nbytes if operation.is_in_place else moved),
        len(rounds[0]),
        *(
            Timing(statement, size, min(times), statistics.median(times))
            for statement, size, times in zip(
                operation[1:], (moved, moved, copied), rounds, strict=True
            )
        ),
        differing,
    )


def _check(operation, names, expected):
    """Raise a MismatchError if fastrelu is wrong; return in how many elements NumPy differs."""
    got = np.asarray(evaluate(operation.fastrelu, names))
    expected = expected.astype(got.dtype, copy=False)  # in place, the byte order is that of x
    i = first_difference(got, expected)
    if i is not None:
        raise MismatchError(
            f"{operation.fastrelu} of {names['x'].dtype}, {expected.size:,} elements, index {i}: "
            f"expected {expected.ravel('K')[i]}, got {got.ravel('K')[i]}"
        )
    evaluate(operation.copy, names)  # what an operation in place has overwritten
    numpys = np.asarray(evaluate(operation.numpy, names))
    return int(np.count_nonzero(unequal(numpys, expected)))


def evaluate(statement, names):
    """Return the value of a statement."""
    # Python evaluates a string as a program: an interrupt in it would end the process by a signal.
    return eval(compile(statement, "<statement>", "eval"), names)


def time_in_turns(timers, until, round_seconds=ROUND_SECONDS):
    """Return the seconds a call of every round of each timeit.Timer, taken in turn."""
    loops = [_loops(timer, round_seconds) for timer in timers]
    rounds = [[] for _ in timers]
    order = list(range(len(timers)))
    while (done := len(rounds[0])) < LEAST_ROUNDS or (
        done < MOST_ROUNDS and time.perf_counter() < until
    ):
        for i in order:
            rounds[i].append(timers[i].timeit(loops[i]) / loops[i])
        order.reverse()
    return rounds


def held_in(size):
    """Return the name of the smallest cache that holds so many bytes, or "DRAM"."""
    known = caches()
    for name, cache_size in sorted(known.items()):
        if size <= cache_size:
            return name
    return "DRAM" if known else "?"


def _loops(timer, round_seconds):
    loops = 1
    while (took := timer.timeit(loops)) < round_seconds:
        loops *= max(2, min(64, int(round_seconds / max(took, 1e-9))))
    return loops
