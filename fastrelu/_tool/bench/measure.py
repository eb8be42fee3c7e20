"""The measurement: checks every contender's output, then times a case's contenders, interleaved."""

import math
import os
import statistics
import time
import timeit
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

import fastrelu
from fastrelu import reference
from fastrelu._limits import usable_memory
from fastrelu._tool.compare import (
    MAX_ROUNDS,
    MIN_ROUNDS,
    MismatchError,
    evaluate,
    held_in,
    random_array,
    time_interleaved,
)

from .contenders import OPERATIONS, UnavailableError

ROUND_SECONDS = 1e-3
# Threads of other pools that still spin take cores from what is timed next. Measured on 2 cores
# from the last call until they sleep, in ms: numexpr and JAX 0, fastrelu 0.6, PyTorch and Numba
# (GCC's OpenMP) 8, ONNX Runtime 90, the BLAS of NumPy 100. Documented for LLVM's and Intel's: 200.
REST_SECONDS = 0.5e-3
MAX_REST_SECONDS = 300e-3
# Of the single calls that a round with gaps times.
MIN_CALLS = 11
MAX_CALLS = 101
MAX_COLUMNS = 256  # of a layer, as networks have them
POISON = 85
USUAL_SPEED = 1e10  # bytes per second, to divide the time among the cases
MIN_SECONDS = 0.1  # granted to every case
PAGE = 4096
# Offsets within a page, in multiples of the 64 bytes of a register. They are far from each other
# and from the start, where allocators place large outputs, because a store delays loads from just
# above its own offset.
PAGE_OFFSETS = {"x": 2048, "grad": 3072, "b": 3072, "c": 512, "d": 2560, "y": 1024, "mask": 1536}
# After an array of this size is freed, glibc reuses the memory of smaller ones. Without it, page
# faults of new outputs depend on chance.
MAX_HEAP_ARRAY = 31 << 20
MAX_ARRAYS = 9  # that exist at once: of a case, of its copy, and temporaries of a contender


class Case(NamedTuple):
    """One operation on one kind of output, of one type and size."""

    operation: str
    output: str
    dtype: str
    elements: int

    @property
    def shape(self):
        """The shape of its arrays: a matrix if an operand is a row."""
        if "row" not in OPERATIONS[self.operation].kinds:
            return (self.elements,)
        columns = _columns(self.elements)
        return self.elements // columns, columns

    def size_of(self, kind):
        """Return the bytes of an operand of a kind."""
        sizes = {"array": self.elements, "row": self.shape[-1]}
        if kind == "mask":
            return -(-self.elements // 8)
        return sizes.get(kind, 0) * np.dtype(self.dtype).itemsize

    @property
    def bytes(self):
        """The bytes that the operation must read and write."""
        operation = OPERATIONS[self.operation]
        written = ["array", "mask"] if operation.returns_mask else ["array"]
        return sum(map(self.size_of, [*operation.kinds, *written]))

    @property
    def footprint(self):
        """The bytes of memory that its operands occupy."""
        return self.bytes - (self.size_of("array") if self.output == "in place" else 0)

    def __str__(self):
        return f"{self.operation} {self.output} of {self.elements:,} {self.dtype}"


class Row(NamedTuple):
    """
    The time of one contender for one case with one number of threads.

    `bytes` are those that it must read and write. `seconds` is the time per call of the fastest
    round, `median_seconds` that of the median round. With a gap, that of a round is the median of
    its calls.
    """

    contender: str
    library: str
    is_limit: bool
    threads: int
    operation: str
    output: str
    dtype: str
    elements: int
    statement: str
    bytes: int
    held_in: str
    rounds: int
    seconds: float
    median_seconds: float

    @property
    def case(self):
        return Case(self.operation, self.output, self.dtype, self.elements)

    @property
    def spread(self):
        """The median round over the fastest, minus 1."""
        return self.median_seconds / self.seconds - 1

    @property
    def gigabytes_per_second(self):
        return self.bytes / self.seconds / 1e9

    @property
    def ns_per_element(self):
        """Nanoseconds per element; for a copy: per as many bytes as the operation moves."""
        return self.case.bytes / self.gigabytes_per_second / self.elements

    def as_dict(self):
        """Return the row and the figures derived from it as a dict for JSON."""
        return self._asdict() | {
            "gigabytes_per_second": self.gigabytes_per_second,
            "ns_per_element": self.ns_per_element,
            "spread": self.spread,
        }


class LeftOut(NamedTuple):
    """A contender that has a call for a case, but could not be timed, and why."""

    contender: str
    reason: str


class Outcome(NamedTuple):
    """The results of a case; `reason` says why if it was not timed at all."""

    case: Case
    rows: list
    left_out: list
    wrong: list
    reason: str | None = None

    def of_limit(self, row):
        """Return a row's bytes per second over those of the best copy with at most its threads."""
        limits = [
            limit.gigabytes_per_second
            for limit in self.rows
            if limit.is_limit and limit.threads <= row.threads
        ]
        return row.gigabytes_per_second / max(limits) if limits else None

    def best_other(self, threads):
        """Return the fastest row of another library with at most so many threads, or None."""
        others = [
            row
            for row in self.rows
            if not row.is_limit and row.library != "fastrelu" and row.threads <= threads
        ]
        return min(others, key=lambda row: row.seconds, default=None)

    def as_dicts(self):
        """Return the rows and the figures derived from them as dicts for JSON."""
        return [row.as_dict() | {"of_limit": self.of_limit(row)} for row in self.rows]


class Operands:
    """The arrays of one case by name, and the values expected of a call."""

    def __init__(self, case):
        operation = OPERATIONS[case.operation]
        dtype = np.dtype(case.dtype)
        self.case = case
        numbers = [kind for kind in operation.kinds if isinstance(kind, float)]
        self.is_rounded = any(float(dtype.type(number)) != number for number in numbers)
        self.target = operation.target
        inputs = sample_operands(case)
        if operation.returns_mask or "mask" in operation.kinds:
            x = random_array(dtype, case.elements)
            y, mask = reference.relu_with_mask(x)
            if operation.returns_mask:
                self.expected = {"y": y, "mask": mask}
            else:
                inputs["mask"] = mask
                self.expected = {"y": reference.relu_backward(inputs["grad"], x)}
        else:
            function = getattr(reference, operation.function)
            operands = [inputs.get(name, kind) for name, kind in operation.operands.items()]
            self.expected = {"y": function(*operands)}
        self.outputs = {} if case.output == "new" else _placed(self.expected)
        if case.output == "in place":
            self.original = inputs[self.target]
            del self.outputs["y"]
        self.arrays = _placed(inputs) | self.outputs

    def reset(self):
        """Fill the outputs with a value that no call returns, and restore overwritten operands."""
        for array in self.outputs.values():
            array.fill(POISON)
        if self.case.output == "in place":
            np.copyto(self.arrays[self.target], self.original)

    def check(self, result, what):
        """Raise an error unless the outputs, or the result for new ones, are as expected."""
        if self.case.output == "new":
            results = result if len(self.expected) > 1 else [result]
        elif self.case.output == "out=":
            results = [self.outputs[name] for name in self.expected]
        else:
            results = [self.arrays[self.target], *self.outputs.values()]
        for got, (name, expected) in zip(
            map(np.asarray, results), self.expected.items(), strict=True
        ):
            if got.dtype != expected.dtype:
                raise UnavailableError(f"returns {got.dtype} for {expected.dtype}")
            if got.shape != expected.shape:
                raise MismatchError(f"{what}: {name} of shape {got.shape}, not {expected.shape}")
            right = got == expected  # by value: 0 may have either sign
            if self.is_rounded:  # some libraries round a number before they multiply, some after
                right |= np.abs(got - expected) <= np.spacing(np.abs(expected))
            if not right.all():
                i = int(right.argmin())  # in C order, as they lie
                values = f"expected {expected.flat[i]}, got {got.flat[i]}"
                raise MismatchError(f"{what}: {name}[{i}]: {values}")


class OperandsOfLimit(Operands):
    """Two arrays for a copy, which occupy as much memory as the operands of a case."""

    def __init__(self, case):
        dtype = np.dtype(case.dtype)
        x = random_array(dtype, max(1, case.footprint // (2 * dtype.itemsize)))
        self.is_rounded = False
        self.case = case._replace(output="new" if case.output == "new" else "out=")
        self.expected = {"y": x}
        self.outputs = {} if case.output == "new" else _placed(self.expected)
        self.arrays = _placed({"x": x}) | self.outputs

    def check(self, result, what):
        if self.case.output != "new":
            super().check(result, what)


class RestedTimer(timeit.Timer):
    """A timer of one contender that waits until all threads sleep, then sets its threads."""

    def __init__(self, contender, threads, statement, names):
        super().__init__(statement, globals=names)
        self.contender = contender
        self.threads = threads
        self.statement = statement
        self.names = names
        self.is_short = True

    def function(self):
        """Return what is timed as a function without arguments."""
        return evaluate(f"lambda: {self.statement}", self.names)

    def timeit(self, loops):
        rest()
        self.contender.use_threads(self.threads)
        if self.is_short:
            super().timeit(1)  # wakes its threads and fills the caches
        seconds = super().timeit(loops)
        self.is_short = seconds / loops < 10 * ROUND_SECONDS
        return seconds

    def after_gaps(self, gap, calls):
        """Return the median seconds of single calls, each after so many seconds of other work."""
        rest()
        self.contender.use_threads(self.threads)
        super().timeit(1)
        found = []
        for _ in range(calls):
            work(gap)
            found.append(super().timeit(1))
        return statistics.median(found)


def rest():
    """Sleep until all threads of this process are idle, within MAX_REST_SECONDS."""
    end = time.perf_counter() + MAX_REST_SECONDS
    while (now := time.perf_counter()) < end:
        used = time.process_time()
        time.sleep(REST_SECONDS)
        if time.process_time() - used < 0.3 * (time.perf_counter() - now):
            return


def work(seconds):
    """Keep the calling thread busy with Python code."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def time_after_gaps(timers, gap, until):
    """Return, for each RestedTimer, what after_gaps returns in each of MIN_ROUNDS rounds."""
    start = time.perf_counter()
    a_call = sum(gap + timer.after_gaps(gap, 1) for timer in timers)
    rests = time.perf_counter() - start - a_call  # with the first call of each
    fitting = ((until - time.perf_counter()) / MIN_ROUNDS - rests) / a_call
    calls = int(min(MAX_CALLS, max(MIN_CALLS, fitting)))
    rounds = [[] for _ in timers]
    order = list(range(len(timers)))
    for _ in range(MIN_ROUNDS):
        for i in order:
            rounds[i].append(timers[i].after_gaps(gap, calls))
        order.reverse()
    return rounds


def measure(cases, contenders, threads, seconds, announce=None, gap=0):
    """
    Check and time all contenders on all cases.

    Parameters
    ----------
    cases : sequence of Case
        Those of one operation, output and type in ascending order of size.
    contenders : sequence of Contender
        Those that can be loaded.
    threads : sequence of int
        The numbers of threads to time each with, if its library can set them.
    seconds : float
        About how long it may take. Sizes that do not fit are left out; the first is always timed.
    announce : callable, optional
        Called with each case, its number from 1 and the seconds left, before it is measured.
    gap : float, optional
        The seconds of other work before each call; with 0 calls follow each other.

    Yields
    ------
    Outcome
        One for each case.
    """
    end = time.perf_counter() + seconds
    costs = [_usual_cost(case, contenders, threads, gap) for case in cases]
    known = {}
    np.empty(MAX_HEAP_ARRAY, np.uint8)
    with fastrelu.num_threads(fastrelu.get_num_threads()):
        for i, case in enumerate(cases):
            start = time.perf_counter()
            if announce is not None:
                announce(case, i + 1, max(0, min(end - start, sum(costs[i:]))))
            budget = (end - start) * costs[i] / sum(costs[i:])
            rows, seconds_per_byte = known.get(case[:3], (0, 0))
            calls = MIN_ROUNDS * MIN_CALLS if gap else MIN_ROUNDS + 2
            needed = rows * calls * (gap + seconds_per_byte * case.bytes)
            if needed > 3 * max(budget, MIN_SECONDS):
                yield Outcome(case, [], [], [], "lack of time (--seconds)")
            elif MAX_ARRAYS * case.elements * np.dtype(case.dtype).itemsize > free_memory():
                yield Outcome(case, [], [], [], "lack of memory")
            else:
                outcome = measure_case(case, contenders, threads, start + budget, gap)
                if outcome.rows:  # the median, because other processes may disturb a row
                    usual = statistics.median(row.seconds for row in outcome.rows)
                    known[case[:3]] = len(outcome.rows), usual / case.bytes
                yield outcome


def measure_case(case, contenders, threads, until, gap=0):
    """Check and time all contenders on one case, calls after a gap; return the Outcome."""
    outcome = Outcome(case, [], [], [])
    operands = {False: Operands(case), True: OperandsOfLimit(case)}
    timers = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for contender in contenders:
            if contender.statement(case.operation, case.output) is None:
                continue
            try:
                for n in contender.threads(threads):
                    timers.append(checked_timer(contender, n, operands[contender.is_limit], case))
            except UnavailableError as error:
                outcome.left_out.append(LeftOut(contender.name, str(error)))
            except MismatchError as error:
                outcome.wrong.append(str(error))
        if gap and timers:
            times = time_after_gaps(timers, gap, until)
        else:
            times = time_interleaved(timers, until, ROUND_SECONDS) if timers else []
    copied = 2 * operands[True].arrays["x"].nbytes
    for timer, rounds in zip(timers, times, strict=True):
        contender = timer.contender
        outcome.rows.append(
            Row(
                contender.name,
                contender.library,
                contender.is_limit,
                timer.threads,
                *case,
                timer.statement,
                copied if contender.is_limit else case.bytes,
                held_in(copied if contender.is_limit else case.footprint),
                len(rounds),
                min(rounds),
                statistics.median(rounds),
            )
        )
    return outcome


def sample_operands(case):
    """Return the arrays and rows that a case reads, by name."""
    dtype = np.dtype(case.dtype)
    operation = OPERATIONS[case.operation]
    operands = {}
    for name, kind in operation.operands.items():
        if kind == "array":
            seed = 0 if name == "x" else 1
            operands[name] = random_array(dtype, case.elements, seed).reshape(case.shape)
        elif kind == "row":
            operands[name] = random_array(dtype, case.shape[-1], seed=1)
    # Sums stay within the type, for libraries differ in what they do beyond, and in place they do
    # not grow: what is added is small, and not above zero unless the type has no less.
    if (b := operands.get("b")) is not None:
        if dtype.kind == "i":
            b[...] = -(np.abs(b) % 28)
        elif dtype.kind == "u":
            b[...] %= 28
        else:
            b[...] = -np.abs(b)
    if dtype.kind == "u" and 1 in operation.kinds:
        np.maximum(operands["x"], 1, out=operands["x"])
    return operands


def _columns(elements):
    """Return the columns of a matrix of so many elements: at most 256, and no more than rows."""
    largest = min(MAX_COLUMNS, math.isqrt(elements))
    return next(n for n in range(largest, 0, -1) if elements % n == 0)


def _placed(arrays):
    """Return copies of arrays by name, each at the offset of its name within a page."""
    placed = {}
    for name, array in arrays.items():
        memory = np.empty(array.nbytes + 2 * PAGE, np.uint8)
        start = -memory.ctypes.data % PAGE + PAGE_OFFSETS[name]
        placed[name] = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
        np.copyto(placed[name], array)
    return placed


def _usual_cost(case, contenders, threads, gap):
    """Return the seconds that all rounds of a case would take at the usual speed."""
    count = sum(c.statement(case.operation, case.output) is not None for c in contenders)
    a_call = case.bytes / USUAL_SPEED
    if gap:
        rounds = MIN_ROUNDS * MAX_CALLS * (gap + a_call)
    else:
        rounds = MAX_ROUNDS * max(ROUND_SECONDS, a_call)
    return max(1, count) * len(threads) * rounds


def free_memory():
    """Return the number of bytes available for new arrays."""
    limit = usable_memory()
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return min(limit, int(line.split()[1]) * 1024)
    except (OSError, ValueError, IndexError):
        pass
    return limit


def checked_timer(contender, threads, operands, case):
    """Return a timer of a contender if its output is right; else raise an error with the reason."""
    statement = contender.statement(case.operation, case.output)
    what = f"{contender.name}, {statement}, {case}"
    try:
        contender.use_threads(threads)
        names = contender.names(operands.arrays)
        operands.reset()
        result = evaluate(statement, names)
    except (MemoryError, UnavailableError):
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:100]
        if contender.name == "fastrelu":
            raise MismatchError(f"{what}: {reason}") from None
        raise UnavailableError(reason) from None
    operands.check(result, what)
    return RestedTimer(contender, threads, statement, names)


class OtherProcesses:
    """The processor time of other processes since the start, if Linux reports it."""

    def __init__(self):
        self.start = self._now()

    def busy_cores(self):
        """Return how many cores other processes or virtual machines kept busy on average."""
        now = self._now()
        if self.start is None or now is None:
            return None
        wall, used = (b - a for a, b in zip(self.start, now, strict=True))
        return max(0.0, used / wall)

    @staticmethod
    def _now():
        try:
            fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
            user, nice, system, _, _, irq, softirq, steal = map(int, fields)
        except (OSError, ValueError):
            return None
        ticks = user + nice + system + irq + softirq + steal
        return time.perf_counter(), ticks / os.sysconf("SC_CLK_TCK") - time.process_time()
