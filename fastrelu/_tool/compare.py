"""The comparison: fastrelu, the NumPy idiom and a plain copy, interleaved on the same arrays."""

import platform
import statistics
import time
import timeit
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

import fastrelu

from .. import _macos as macos
from .. import reference
from .._limits import caches, usable_cpus
from . import operations
from .check import first_difference, unequal

SIZES = tuple(1 << power for power in (4, 7, 10, 13, 16, 19, 21, 24))
SECONDS = 15.0
ROUND_SECONDS = 250e-6
MIN_ROUNDS = 5
MAX_ROUNDS = 100


class MismatchError(Exception):
    """A function does not return what the reference returns, so it is not timed."""


class Operation(NamedTuple):
    """
    One row of the comparison: a function, its operands, its output and the NumPy idiom.

    Attributes
    ----------
    label : str
        What tables call the function.
    function : str
        Its name in fastrelu and in fastrelu.reference.
    operands : tuple of str
        The names of arrays, or literal numbers; the first is an array like the output.
    output : {"new", "out=", "in place"}
    numpy : str
        The statement that people write with NumPy.
    """

    label: str
    function: str
    operands: tuple
    output: str
    numpy: str

    @property
    def name(self):
        return f"{self.label} {self.output}"

    @property
    def call(self):
        """The call without an output."""
        return f"{self.function}({', '.join(self.operands)})"

    @property
    def fastrelu(self):
        given = {"new": "", "out=": ", out=y", "in place": f", out={self.operands[0]}"}
        return f"{self.call[:-1]}{given[self.output]})"

    @property
    def copy(self):
        """The statement that copies as many elements as the output has."""
        source = self.operands[0]
        return {
            "new": f"{source}.copy('K')",
            "out=": f"copyto(y, {source})",
            "in place": f"copyto({source}, original)",
        }[self.output]


# By function: its label, its operands, and the NumPy idiom for each output that is compared.
# b has a value for each place along the last axis of x, as the bias of a layer has.
IDIOMS = {
    "relu": (
        "forward",
        ("x",),
        {
            "new": "maximum(0, x)",
            "out=": "maximum(0, x, out=y)",
            "in place": "maximum(x, 0, out=x)",
        },
    ),
    "relu_backward": (
        "backward",
        ("grad", "x"),
        {"new": "grad * (x > 0)", "out=": "multiply(grad, x > 0, out=y)"},
    ),
    "add_relu": ("add", ("x", "b"), {"in place": "maximum(add(x, b, out=x), 0, out=x)"}),
    "subtract_relu": ("subtract", ("x", "1"), {"new": "maximum(x - 1, 0)"}),
    "leaky_relu": ("leaky", ("x", "0.01"), {"new": "where(x > 0, x, 0.01 * x)"}),
    "leaky_relu_backward": (
        "leaky backward",
        ("grad", "x", "0.01"),
        {"new": "where(x > 0, grad, 0.01 * grad)"},
    ),
    "clipped_relu": ("clipped", ("x", "6"), {"new": "clip(x, 0, 6)"}),
    "clipped_relu_backward": (
        "clipped backward",
        ("grad", "x", "6"),
        {"new": "grad * ((x > 0) & (x < 6))"},
    ),
    "soft_threshold": ("soft", ("x", "0.5"), {"new": "sign(x) * maximum(abs(x) - 0.5, 0)"}),
    "soft_threshold_backward": (
        "soft backward",
        ("grad", "x", "0.5"),
        {"new": "grad * (abs(x) > 0.5)"},
    ),
}


def rows_of(name, inputs):
    """Return the rows of an operation; the reference stands in for an idiom that is not known."""
    if name in IDIOMS:
        label, operands, statements = IDIOMS[name]
    else:
        operands = OPERANDS[:inputs]
        label, statements = name, {"new": f"reference.{name}({', '.join(operands)})"}
    return [Operation(label, name, operands, *pair) for pair in statements.items()]


OPERANDS = ("x", "grad", "b")
OPERATIONS = tuple(
    row
    for name, operation in operations.OPERATIONS.items()
    for row in rows_of(name, operation.inputs)
)


class Timing(NamedTuple):
    """One statement: the bytes that it moves, and the minimum and the median time of a call."""

    statement: str
    bytes: int
    seconds: float
    median_seconds: float

    @property
    def spread(self):
        """The median round over the fastest, minus 1."""
        return self.median_seconds / self.seconds - 1

    @property
    def gigabytes_per_second(self):
        """Bytes read and written per second, divided by 1e9."""
        return self.bytes / self.seconds / 1e9


class Row(NamedTuple):
    """One operation on one array: three timings, and the number of elements where NumPy differs."""

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
        """The bytes per second of fastrelu divided by those of a copy."""
        return self.fastrelu.gigabytes_per_second / self.copy.gigabytes_per_second

    def as_dict(self):
        """Return the row and the figures derived from it as a dict for JSON."""
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
        Numbers of elements, ascending. Those that do not fit in the remaining time are left out;
        the first is always measured.
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
        if rows and round_seconds * (MIN_ROUNDS + 2) * n / rows[0].elements > end - start:
            return
        rows = []
        budget = (end - start) / (len(sizes) - i)
        for row in compare_array(random_array(dtype, n), budget, announce):
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
    few = _operands(np.ones((1,) * x.ndim, x.dtype))
    taken = [operation for operation in OPERATIONS if _takes(operation, few)]
    operands = _operands(x)
    for i, operation in enumerate(taken):
        if announce is not None:
            announce(x.size, operation.name)
        now = time.perf_counter()
        yield _row(operation, operands, now + (end - now) / (len(taken) - i))


def random_array(dtype, n, seed=0):
    """Return n random values of a type, half of them negative if it is signed."""
    rng = np.random.default_rng(seed)
    distinct = min(n, 100_003)
    if dtype.kind in "fO" or "float" in dtype.name:
        values = rng.standard_normal(distinct)
    elif dtype.kind == "c":
        values = rng.standard_normal(distinct) + 1j * rng.standard_normal(distinct)
    else:
        values = rng.integers(0 if dtype.kind in "bu" else -100, 100, distinct)
    return np.resize(values.astype(dtype), n).astype(dtype, copy=False)  # resize makes it native


def processor(root="/"):
    """Return the processor's name, as far as the system tells it."""
    if name := macos.processor():
        return name
    texts = {}
    for name in "proc/cpuinfo", "proc/device-tree/model":
        try:
            texts[name] = Path(root, name).read_text(errors="replace").strip("\0\n ")
        except OSError:
            texts[name] = ""
    lines = [line.partition(":") for line in texts["proc/cpuinfo"].splitlines()]
    values = {key.strip(): value.strip() for key, _, value in reversed(lines)}  # of the first CPU
    if name := values.get("model name") or texts["proc/device-tree/model"]:
        return name
    # On AArch64 Linux knows no names: 0x41 and 0xd0c are ARM's Neoverse N1.
    numbers = [f"{key} {values[key]}" for key in ("CPU implementer", "CPU part") if key in values]
    return ", ".join([platform.processor() or platform.machine(), *numbers])


def machine():
    """Return the processor's name, the usable cores, the caches and the system as a dict."""
    return {
        "cpu": processor(),
        "cores": usable_cpus(),
        "cache_bytes": caches(),
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
    }


def _operands(x):
    """Return the arrays that operations take beside x, by name."""
    grad = np.empty_like(x)
    grad[...] = random_array(x.dtype, x.size, seed=1).reshape(x.shape)
    b = np.empty_like(x, shape=x.shape[-1:])
    b[...] = random_array(x.dtype, b.size, seed=2).reshape(b.shape)
    if b.dtype.kind in "if":  # added to x again and again, in place, it must not overflow
        np.minimum(b, 0, out=b)
    return {"x": x, "grad": grad, "b": b}


def _takes(operation, operands):
    """Return whether an operation takes these types, and makes no floats of other numbers."""
    names = _names(fastrelu, operands)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            result = np.asarray(evaluate(operation.call, names))
        except TypeError:
            return False
    dtype = operands[operation.operands[0]].dtype
    if result.dtype.kind == "f" and dtype.kind in "biu":
        return False
    return operation.output != "in place" or np.can_cast(result.dtype, dtype, "same_kind")


def _names(module, operands):
    """Return the names of statements, the operations as functions of a module."""
    numpy = ("add", "clip", "copyto", "maximum", "multiply", "sign", "where")
    return {
        **{name: getattr(np, name) for name in numpy},
        **{operation.function: getattr(module, operation.function) for operation in OPERATIONS},
        **operands,
        "reference": reference,
    }


def _row(operation, operands, until):
    first = operation.operands[0]
    source = operands[first]
    if operation.output == "in place":
        operands = operands | {first: source.copy("K"), "original": source}
    names = _names(fastrelu, operands)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of 0 beside a timedelta
        expected = np.asarray(evaluate(operation.call, _names(reference, operands)))
        y = names["y"] = np.empty_like(expected)
        inputs = sum(operands[name].nbytes for name in operation.operands if name in operands)
        moved = inputs + y.nbytes
        copied = source.nbytes + (source if operation.output == "new" else y).nbytes
        differing = _check(operation, names, expected)
        del expected
        statements = (operation.fastrelu, operation.numpy, operation.copy)
        rounds = time_interleaved([timeit.Timer(s, globals=names) for s in statements], until)
    return Row(
        operation.name,
        str(source.dtype),
        source.shape,
        source.size,
        held_in(inputs if operation.output == "in place" else moved),
        len(rounds[0]),
        *(
            Timing(statement, size, min(times), statistics.median(times))
            for statement, size, times in zip(
                statements, (moved, moved, copied), rounds, strict=True
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
    evaluate(operation.copy, names)  # restores what an operation in place has overwritten
    of_numpy = np.asarray(evaluate(operation.numpy, names))
    return int(np.count_nonzero(unequal(of_numpy, expected)))


def evaluate(statement, names):
    """Return the value of a statement."""
    # Python evaluates a string as a program: an interrupt in it would end the process by a signal.
    return eval(compile(statement, "<statement>", "eval"), names)


def time_interleaved(timers, until, round_seconds=ROUND_SECONDS):
    """Return, for each timeit.Timer, the seconds per call of each round; rounds are interleaved."""
    loops = [_loops(timer, round_seconds) for timer in timers]
    rounds = [[] for _ in timers]
    order = list(range(len(timers)))
    while (done := len(rounds[0])) < MIN_ROUNDS or (
        done < MAX_ROUNDS and time.perf_counter() < until
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
