"""The check over every input: all float32, and all pairs of float16 and of bfloat16."""

import collections
import contextlib
import datetime
import hashlib
import inspect
import itertools
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

import fastrelu

from .. import reference
from .._backend import core, isa
from .common import (
    BadInputError,
    as_json,
    counted,
    dtype_named,
    duration,
    print_machine,
    refuse_oserror,
    whole_file,
)

OPTIONS = ("slice", "only", "dtype", "threads", "resume")

TYPES = {"float32": "f32", "float16": "f16", "bfloat16": "bfloat16"}  # and their names in C
# Of an operand that is one number to the kernels, and of one that is an array.
NUMBERS = (0.01, 0.0, -0.0, 1.0, 2.0, -1.0, np.inf, np.nan, 2.0**-149)
VALUES = (-2.5, 1.0, np.nan)
MASKS = (0x9E3779B9, 0x61C88646)  # the second has the bits that the first lacks

CHUNK = 1 << 16  # inputs that have the upper half of a float32 in common, or the other operand
CHUNKS = 1 << 16
PART = 32  # chunks that a thread checks at a time: at most a seventh of a second
WINDOW = 32  # parts for each thread that wait, for they differ in time

# The structs and enumerations of csrc/check/floats.h
SWEEP = np.dtype(
    [(name, "i4") for name in ("function", "dtype", "loop", "lower", "upper")]
    + [("operands", "u4", 3)]
)
MISMATCH = np.dtype(
    [
        *(("isa", "i4"), ("difference", "i4"), ("operands", "u4", 3), ("n", "u4")),
        *(("expected", "u4"), ("got", "u4")),
    ]
)
CHECKED, NO_KERNEL, NO_REFERENCE, NO_MEMORY = range(4)
VALUE, MASK, FLAGS = range(1, 4)
LOOPS = ("contiguous", "streaming", "strided")
FLAG_NAMES = ("invalid", "divide by zero", "overflow", "underflow")


class Sweep(NamedTuple):
    """
    A function with one operand, or a pair of them, that takes every value.

    Attributes
    ----------
    function, dtype, loop : str
        A function of fastrelu, one of TYPES, and one of LOOPS.
    lower, upper : int
        The operand that takes the inputs of a chunk, and the one that the number of the chunk
        determines: the same for float32, and -1 if there is none.
    operands : tuple of int
        The bits of all operands; those of these two do not count.
    """

    function: str
    dtype: str
    loop: str
    lower: int
    upper: int
    operands: tuple

    @property
    def chunks(self):
        return 1 if self.upper < 0 else CHUNKS

    def __str__(self):
        loop = f", {self.loop}" * (self.loop != LOOPS[0])
        return f"{self.function}({', '.join(self.arguments())}){loop}"

    def arguments(self, operands=None):
        """Return the arguments as text, with the bits of operands if these are given."""
        for i, name in enumerate(_parameters(self.function)):
            if i == 1 and self.function not in core.OPERATIONS:
                yield f"{name}=0x{self.operands[1]:x}"
            elif operands is not None:
                yield f"{name}={_value(operands[i], self.dtype)} ({_hex(operands[i], self.dtype)})"
            elif i in (self.lower, self.upper):
                yield f"{name}=all"
            else:
                yield f"{name}={_value(self.operands[i], self.dtype)}"


class Part(NamedTuple):
    """The chunks of a sweep that are checked at a time."""

    sweep: Sweep
    first: int
    step: int
    n: int


class Slice(NamedTuple):
    """The chunks whose numbers are those of a slice, which is counted from 1."""

    number: int
    of: int

    def __str__(self):
        return f"{self.number}/{self.of}"

    def chunks(self, sweep):
        """Return the numbers of the chunks, as a range; one chunk alone is in every slice."""
        return range(self.number - 1, CHUNKS, self.of) if sweep.chunks > 1 else range(1)


def add_options(parser):
    """Add the options of check to its parser."""
    parser.add_argument(
        "--exhaustive",
        action="store_true",
        help="check every float32, and all pairs of float16 and of bfloat16, against a reference "
        "in C, in an hour or two",
    )
    group = parser.add_argument_group("of --exhaustive; lists are separated by commas")
    group.add_argument(
        "--slice",
        metavar="K/N",
        help="the K-th of N parts of the inputs of each function; today/N: another one each day",
    )
    group.add_argument("--only", metavar="LIST", help="these functions: relu,relu_with_mask")
    group.add_argument("--dtype", metavar="LIST", help=f"of {', '.join(TYPES)}")
    group.add_argument(
        "--threads", metavar="N", help="how many (default: the number that large calls take)"
    )
    group.add_argument(
        "--resume",
        metavar="FILE",
        help="go on where the run that wrote this file was stopped, or begin it",
    )


def wanted(options):
    """Return whether all inputs are to be checked; raise for an option that is for that alone."""
    for name in OPTIONS:
        if not options.exhaustive and getattr(options, name) is not None:
            raise BadInputError(f"--{name} has no meaning without --exhaustive")
    return options.exhaustive


def run(options, record, progress):
    """Check what the options select; return the exit status."""
    if not fastrelu.implementations:
        raise BadInputError("--exhaustive checks what is compiled, and nothing is compiled here")
    chosen = Slice(1, 1) if options.slice is None else _slice(options.slice)
    threads = fastrelu.get_num_threads() if options.threads is None else _threads(options.threads)
    names = [isa] if os.environ.get("FASTRELU_ISA") else list(fastrelu.implementations)
    sweeps = plan(_functions(options.only), _dtypes(options.dtype))
    with (
        whole_file("--json", options.json) as write,
        _resumed(options.resume, names, chosen, sweeps) as state,
    ):
        print_machine(record)
        total = sum(CHUNK * len(chosen.chunks(sweep)) for sweep in sweeps)
        print(
            f"\nSlice {chosen} of every input: {len(sweeps)} calls, {total:,} inputs; "
            f"{counted(threads, 'thread')}\nSets: {', '.join(names)}",
            flush=True,
        )
        started = time.monotonic()
        _check_all(parts_of(sweeps, chosen), names, threads, total, state, progress)
        rows = _rows(sweeps, chosen, state)
        for row in rows:
            verdict = "WRONG" if row["mismatches"] else "ok"
            what = f"{row['function']} of {row['dtype']}"
            print(f"  {what:36} {verdict:6} {row['inputs']:>18,} inputs")
        seconds = time.monotonic() - started
        print(f"{total:,} inputs for each set in {duration(seconds)}")
        record["exhaustive"] = {
            "slice": str(chosen),
            "sets": names,
            "threads": threads,
            "seconds": seconds,
            "functions": rows,
        }
        write(as_json(record))
    return int(bool(state.mismatches))


def plan(functions, dtypes):
    """Return the sweeps of functions over types, where they have kernels."""
    return [
        sweep
        for dtype in dtypes
        for function in functions
        for sweep in _sweeps_of(function, dtype)
        if _has_kernel(sweep)
    ]


def parts_of(sweeps, chosen):
    """Yield the parts of a slice, some of each sweep in turn, so that they tell the speed early."""
    for start in range(0, len(range(0, CHUNKS, chosen.of)), PART):
        for sweep in sweeps:
            if chunks := chosen.chunks(sweep)[start : start + PART]:
                yield Part(sweep, chunks.start, chunks.step, len(chunks))


def check_part(part, names):
    """Return the first mismatch of each instruction set in a part, as elements of MISMATCH."""
    found = np.zeros(len(names), MISMATCH)
    found["isa"] = [core.compiled_isas.index(name) for name in names]
    status = core.check_floats(_as_struct(part.sweep), part.first, part.step, part.n, found)
    if status == NO_MEMORY:
        raise MemoryError
    return found[found["difference"] > 0]


def describe(sweep, mismatch):
    """Return where a set differs from the reference, and how."""
    expected, got, n = (int(mismatch[name]) for name in ("expected", "got", "n"))
    if mismatch["difference"] == FLAGS:
        what = f"flags of {n} elements from here on"
        results = [
            ", ".join(name for i, name in enumerate(FLAG_NAMES) if flags >> i & 1) or "none"
            for flags in (expected, got)
        ]
    elif mismatch["difference"] == MASK:
        what = "mask of 8 elements from here on"
        results = [f"0x{bits:02x}" for bits in (expected, got)]
    else:
        what = "value"
        results = [
            f"{_value(bits, sweep.dtype)} ({_hex(bits, sweep.dtype)})" for bits in (expected, got)
        ]
    where = f"{sweep.function} of {sweep.dtype}, {', '.join(sweep.arguments(mismatch['operands']))}"
    where += f", {sweep.loop}" * (sweep.loop != LOOPS[0])
    name = core.compiled_isas[mismatch["isa"]]
    return f"{name}: {where}, {what}: expected {results[0]}, got {results[1]}"


def _sweeps_of(function, dtype):
    """Yield the sweeps of a function over a type."""
    whole = dtype == "float32"
    if function not in core.OPERATIONS:
        for loop in LOOPS[:2]:
            for operand in (0, 1) if function == "relu_with_mask" else MASKS:
                yield Sweep(function, dtype, loop, 0, 0 if whole else -1, (0, operand))
        return
    inputs, _, _, numbers = core.OPERATIONS[function]

    def sweeps(loop, lower, upper, most=None):
        choices = [
            (0,)
            if i in (lower, upper)
            else _bits(NUMBERS if i in numbers else VALUES, dtype)[:most]
            for i in range(inputs)
        ]
        for operands in itertools.product(*choices):
            yield Sweep(function, dtype, loop, lower, upper, operands)

    for lower in range(inputs):
        uppers = [lower] if whole else [i for i in numbers if i != lower]
        for upper in uppers or [-1] * (inputs == 1):
            yield from sweeps(LOOPS[0], lower, upper)
        for loop in LOOPS[1:]:
            yield from sweeps(loop, lower, lower, 1) if whole else sweeps(loop, lower, -1)


def _has_kernel(sweep):
    status = core.check_floats(_as_struct(sweep), 0, 1, 0, np.zeros(0, MISMATCH))
    if status == NO_REFERENCE:
        raise NotImplementedError(f"csrc/check/ defines no {sweep.function} of {sweep.dtype}")
    return status == CHECKED


def _as_struct(sweep):
    struct = np.zeros(1, SWEEP)
    number = core.Implementation._fields.index(sweep.function)
    struct["function"], struct["dtype"] = number, core.DTYPES.index(TYPES[sweep.dtype])
    struct["loop"] = LOOPS.index(sweep.loop)
    struct["lower"], struct["upper"] = sweep.lower, sweep.upper
    struct["operands"][0, : len(sweep.operands)] = sweep.operands
    return struct


def _check_all(parts, names, threads, total, state, progress):
    """Check the parts from state.finished on, in their order."""
    done, started = 0, time.monotonic()
    for part in itertools.islice(parts, state.finished):
        done += CHUNK * part.n
    before = done
    executor = ThreadPoolExecutor(threads)
    pending = collections.deque()
    try:
        for part in itertools.chain(parts, [None] * WINDOW * threads):
            if part is not None:
                pending.append((part, executor.submit(check_part, part, names)))
            if pending and (part is None or len(pending) > WINDOW * threads):
                checked, future = pending.popleft()
                for mismatch in future.result():
                    state.add(checked.sweep, mismatch, progress)
                done += CHUNK * checked.n
                state.finish()
                elapsed = time.monotonic() - started
                left = elapsed * (total - done) / (done - before)
                progress.show(f"{done / total:.1%} of the inputs, {duration(left)} left ...")
    finally:
        executor.shutdown(cancel_futures=True)
        state.save()
        progress.clear()


class _State:
    """How far a run has come, and what it has found."""

    def __init__(self, identity, write):
        self.identity, self.write = identity, write
        self.finished, self.mismatches = 0, []
        self.saved = time.monotonic()

    def add(self, sweep, mismatch, progress):
        """Keep and print a mismatch, if it is the first of its set, function and type."""
        found = {
            "set": core.compiled_isas[mismatch["isa"]],
            "function": sweep.function,
            "dtype": sweep.dtype,
            "mismatch": describe(sweep, mismatch),
        }
        kind = ("set", "function", "dtype")
        if all(any(other[k] != found[k] for k in kind) for other in self.mismatches):
            self.mismatches.append(found)
            progress.print(f"WRONG: {found['mismatch']}")

    def finish(self):
        self.finished += 1
        if time.monotonic() > self.saved + 1:
            self.save()

    def save(self):
        self.saved = time.monotonic()
        self.write(
            as_json(
                {"run": self.identity, "finished": self.finished, "mismatches": self.mismatches}
            )
        )


@contextlib.contextmanager
def _resumed(path, names, chosen, sweeps):
    """Return a context with the state that the file at path holds, or with that of a new run."""
    calls = "\n".join(f"{sweep.dtype} {sweep}" for sweep in sweeps)
    with open(core.__file__, "rb") as file:
        built = hashlib.sha256(file.read()).hexdigest()
    identity = {
        "build": built,
        "sets": names,
        "slice": str(chosen),
        "calls": hashlib.sha256(calls.encode()).hexdigest(),
    }
    with whole_file("--resume", path) as write:
        state = _State(identity, write)
        if path is not None and os.path.exists(path):
            with refuse_oserror(path), open(path, "rb") as file:
                content = file.read()
            try:
                before = json.loads(content)
                finished, mismatches = before["finished"], before["mismatches"]
                other = [name for name in identity if before["run"][name] != identity[name]]
                if not other and not _is_state(finished, mismatches, parts_of(sweeps, chosen)):
                    raise ValueError
            except (ValueError, KeyError, TypeError):
                raise BadInputError(f"--resume {path}: not a file of check --exhaustive") from None
            if other:
                raise BadInputError(
                    f"--resume {path}: of another run, which differs in: {', '.join(other)}"
                )
            state.finished, state.mismatches = finished, mismatches
        yield state


def _is_state(finished, mismatches, parts):
    """Return whether a run of these parts can have come so far, and found this."""
    names = {"set", "function", "dtype", "mismatch"}
    return (
        type(finished) is int
        and 0 <= finished <= sum(1 for _ in parts)
        and isinstance(mismatches, list)
        and all(isinstance(found, dict) and found.keys() == names for found in mismatches)
    )


def _rows(sweeps, chosen, state):
    """Return what was checked, by type and function."""
    rows = {}
    for sweep in sweeps:
        row = rows.setdefault(
            (sweep.function, sweep.dtype),
            {"function": sweep.function, "dtype": sweep.dtype, "calls": [], "inputs": 0},
        )
        row["calls"].append(str(sweep))
        row["inputs"] += CHUNK * len(chosen.chunks(sweep))
    for (function, dtype), row in rows.items():
        row["mismatches"] = [
            found["mismatch"]
            for found in state.mismatches
            if (found["function"], found["dtype"]) == (function, dtype)
        ]
    return list(rows.values())


def _parameters(function):
    """Return the names of the operands."""
    if function == "relu_with_mask":
        return ("x", "at_zero")
    names = tuple(inspect.signature(getattr(reference, function)).parameters)
    return names[: core.OPERATIONS[function].inputs if function in core.OPERATIONS else 2]


def _bits(values, dtype):
    """Return the bits of numbers; bfloat16 cuts what it cannot hold."""
    if dtype == "float16":
        return tuple(np.array(values, "f2").view("u2").tolist())
    bits = np.array(values, "f4").view("u4")
    return tuple((bits if dtype == "float32" else bits >> 16).tolist())


def _value(bits, dtype):
    """Return a number as text, by its bits."""
    if dtype == "float16":
        return str(np.array(bits, "u2").view("f2"))
    return str(np.array(bits if dtype == "float32" else int(bits) << 16, "u4").view("f4"))


def _hex(bits, dtype):
    return f"0x{bits:0{8 if dtype == 'float32' else 4}x}"


def _slice(text):
    number, separator, of = text.partition("/")
    with contextlib.suppress(ValueError):
        of = int(of)
        if separator and 1 <= of <= CHUNKS:
            number = (
                datetime.date.today().toordinal() % of + 1 if number == "today" else int(number)
            )
            if 1 <= number <= of:
                return Slice(number, of)
    raise BadInputError(
        f"--slice: K/N is needed with K from 1 to N and N up to {CHUNKS}, or today/N, not {text!r}"
    )


def _threads(text):
    with contextlib.suppress(ValueError):
        if 1 <= (n := int(text)) <= fastrelu._threads.MAX_THREADS:
            return n
    raise BadInputError(
        f"--threads: a number from 1 to {fastrelu._threads.MAX_THREADS} is needed, not {text!r}"
    )


def _functions(text):
    known = [*core.OPERATIONS, *(name for name in core.FUNCTIONS if "mask" in name)]
    chosen = known if text is None else text.split(",")
    if unknown := [name for name in chosen if name not in known]:
        raise BadInputError(f"--only: no function {unknown[0]!r}; there are {', '.join(known)}")
    return [name for name in known if name in chosen]


def _dtypes(text):
    chosen = [*TYPES] if text is None else text.split(",")
    chosen = [name if name in TYPES else dtype_named(name).name for name in chosen]
    if unknown := [name for name in chosen if name not in TYPES]:
        raise BadInputError(
            f"--dtype: with --exhaustive one of {', '.join(TYPES)}, not {unknown[0]}"
        )
    return [name for name in TYPES if name in chosen]
