"""The layer: a matrix product and its activation in turns, as inference calls them."""

import datetime
import re
import statistics
import textwrap
import time
import warnings
from typing import NamedTuple

import numpy as np

import fastrelu
from fastrelu import reference
from fastrelu._limits import usable_cpus
from fastrelu._tool.common import (
    BadInputError,
    as_json,
    duration,
    human,
    milliseconds,
    print_machine,
    whole_file,
)
from fastrelu._tool.compare import MIN_ROUNDS, evaluate, held_in

from . import report
from .contenders import Contender, UnavailableError, set_torch_threads
from .measure import MAX_REST_SECONDS, REST_SECONDS, OtherProcesses, free_memory, rest

SHAPES = ("64x512x1024", "256x1024x4096", "4096x1024x1024", "8192x512x8192")
MIN_PAIRS = 3  # in a round
MAX_PAIRS = 25
ARRAYS_TO_CHECK = 4  # as large as z, beside it: the product, the sum, the expected and a comparison
FOREIGN = (
    *("dtype", "operations", "where", "sizes", "most", "full", "every", "compare", "fail_over"),
    *("gap", "plot", "plot_threads", "html"),
)
HEADER = (
    f" {'threads':>7} {'pair':>8} {'±':>5} {'activation':>10} {'±':>5} {'GB/s':>7}"
    f" {'of the pair':>12}"
)
NOTES = """\
pair: the product, with out=z, and then the activation of z in place; activation: its part of the
pair, and its GB/s. Times: the fastest of {rounds} interleaved rounds, each the median of {least} to
{most} pairs in a row; ±: how far the median round lies above it. A rest of {rest} comes before each
round, of up to {most_rest} while any thread of this process is busy, for some pools keep theirs
awake; between a product and its activation there is none. threads: those of the activation; the
products of PyTorch take as many, those of NumPy {blas}. Outputs were checked before timing."""


class Shape(NamedTuple):
    """The shape of a layer: z = a @ w has a row for each of a batch."""

    batch: int
    inputs: int
    outputs: int

    def __str__(self):
        return "x".join(map(str, self))

    @property
    def elements(self):
        return self.batch * self.outputs

    @property
    def bytes(self):
        """The bytes of a, w and z."""
        return 4 * (self.batch * self.inputs + self.inputs * self.outputs + self.elements)

    @property
    def work(self):
        """The products of numbers, and as many as a call costs."""
        return self.elements * self.inputs + (1 << 22)


def _numpy(arrays):
    names = ("add", "matmul", "maximum")
    return {name: getattr(np, name) for name in names} | arrays


def _fastrelu(arrays):
    functions = {"relu": fastrelu.relu, "add_relu": fastrelu.add_relu}
    return functions | {"matmul": np.matmul} | arrays


def _torch(arrays):
    import torch

    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return {"addmm": torch.addmm, "mm": torch.mm, "relu_": torch.relu_} | tensors


PARTS = ("product", "activation")
PRODUCT = "matmul(a, w, out=z)"
# By whether the layer has a bias: the product and the activation of each contender.
CONTENDERS = (
    Contender(
        "NumPy",
        "numpy",
        {
            (False, "product"): PRODUCT,
            (False, "activation"): "maximum(z, 0, out=z)",
            (True, "product"): PRODUCT,
            (True, "activation"): "maximum(add(z, b, out=z), 0, out=z)",
        },
        _numpy,
    ),
    Contender(
        "fastrelu",
        "fastrelu",
        {
            (False, "product"): PRODUCT,
            (False, "activation"): "relu(z, out=z)",
            (True, "product"): PRODUCT,
            (True, "activation"): "add_relu(z, b, out=z)",
        },
        _fastrelu,
        lambda n: fastrelu.set_num_threads(n),
    ),
    Contender(
        "PyTorch",
        "torch",
        {
            (False, "product"): "mm(a, w, out=z)",
            (False, "activation"): "relu_(z)",
            (True, "product"): "addmm(b, a, w, out=z)",  # what its Linear calls
            (True, "activation"): "relu_(z)",
        },
        _torch,
        set_torch_threads,
    ),
)


class Pair:
    """The product and the activation of a contender, with a number of threads."""

    def __init__(self, contender, threads, has_bias, arrays):
        self.contender = contender
        self.threads = threads
        self.has_bias = has_bias
        self.statements = [contender.statement(has_bias, part) for part in PARTS]
        names = contender.names(arrays)
        self.product, self.activation = (
            evaluate(f"lambda: {statement}", names) for statement in self.statements
        )

    def check(self, z, expected):
        """Run it once, and return what is wrong with z, or None."""
        z.fill(-1)
        self.contender.use_threads(self.threads)
        self.product()
        self.activation()
        if np.array_equal(z, expected):
            return None
        i = int((z != expected).argmax())
        values = f"expected {expected.flat[i]}, got {z.flat[i]}"
        return f"{self.contender.name}, {'; '.join(self.statements)}: z[{i}]: {values}"

    def round(self, pairs):
        """Return the median seconds of so many pairs in a row, and of their activations."""
        rest()
        self.contender.use_threads(self.threads)
        self.product()
        self.activation()
        both, last = [], []
        for _ in range(pairs):
            start = time.perf_counter()
            self.product()
            middle = time.perf_counter()
            self.activation()
            end = time.perf_counter()
            both.append(end - start)
            last.append(end - middle)
        return statistics.median(both), statistics.median(last)


def add_options(group):
    """Add the options of layers to those of bench."""
    group.add_argument(
        "--layer",
        action="store_true",
        default=None,
        help="time a matrix product, and its bias and ReLU, in turns",
    )
    group.add_argument(
        "--shapes",
        metavar="LIST",
        help=f"of layers, each BATCHxINxOUT, like {','.join(SHAPES[:2])}",
    )


def shape_of(text):
    """Return the Shape that a text like 64x512x1024 names."""
    if found := re.fullmatch("x".join(["([1-9][0-9]{0,8})"] * 3), text):
        return Shape(*map(int, found.groups()))
    raise BadInputError(f"--shapes: BATCHxINxOUT is needed, like {SHAPES[0]}, not {text!r}")


def arrays_of(shape):
    """Return operands of small whole numbers, whose sums are exact in every order."""
    rng = np.random.default_rng(0)
    return {
        "a": rng.integers(-3, 4, (shape.batch, shape.inputs)).astype(np.float32),
        "w": rng.integers(-3, 4, (shape.inputs, shape.outputs)).astype(np.float32),
        "b": rng.integers(-9, 10, shape.outputs).astype(np.float32),
        "z": np.empty((shape.batch, shape.outputs), np.float32),
    }


def time_interleaved(pairs, until):
    """Return, for each Pair, what each of its MIN_ROUNDS rounds gives."""
    start = time.perf_counter()
    a_pair = sum(pair.round(1)[0] for pair in pairs)
    rests = time.perf_counter() - start - a_pair  # with the first pair of each
    fitting = ((until - time.perf_counter()) / MIN_ROUNDS - rests) / a_pair
    count = int(min(MAX_PAIRS, max(MIN_PAIRS, fitting)))
    rounds = [[] for _ in pairs]
    order = list(range(len(pairs)))
    for _ in range(MIN_ROUNDS):
        for i in order:
            rounds[i].append(pairs[i].round(count))
        order.reverse()
    return rounds


class Row(NamedTuple):
    """The time of the pair, or of the activation in it, of one contender."""

    contender: str
    library: str
    threads: int
    shape: Shape
    has_bias: bool
    part: str
    statement: str
    bytes: int
    rounds: int
    seconds: float
    median_seconds: float

    @property
    def spread(self):
        """The median round over the fastest, minus 1."""
        return self.median_seconds / self.seconds - 1

    @property
    def gigabytes_per_second(self):
        return self.bytes / self.seconds / 1e9

    def as_dict(self):
        """Return what a row of bench holds, for JSON."""
        bias = " with bias" if self.has_bias else ""
        return {
            "contender": self.contender,
            "library": self.library,
            "is_limit": False,
            "threads": self.threads,
            "operation": f"layer {self.shape}{bias}, {self.part}",
            "output": "in place",
            "dtype": "float32",
            "elements": self.shape.elements,
            "statement": self.statement,
            "bytes": self.bytes,
            "held_in": held_in(self.bytes),
            "rounds": self.rounds,
            "seconds": self.seconds,
            "median_seconds": self.median_seconds,
            "gigabytes_per_second": self.gigabytes_per_second,
            "ns_per_element": 1e9 * self.seconds / self.shape.elements,
            "spread": self.spread,
        }


def rows_of(pair, shape, rounds):
    """Return the rows of the pair and of its activation, from their seconds in each round."""
    found = []
    for part, statement, size, seconds in zip(
        ("pair", "activation"),
        ("; ".join(pair.statements), pair.statements[1]),
        (shape.bytes, 2 * 4 * shape.elements),
        zip(*rounds, strict=True),
        strict=True,
    ):
        found.append(
            Row(
                pair.contender.name,
                pair.contender.library,
                pair.threads,
                shape,
                pair.has_bias,
                part,
                statement,
                size,
                len(seconds),
                min(seconds),
                statistics.median(seconds),
            )
        )
    return found


def measure(shape, found, threads, until):
    """Check and time all contenders on one shape; return the rows and what was wrong."""
    arrays = arrays_of(shape)
    pairs, wrong = [], []
    for has_bias in (False, True):
        product = np.matmul(arrays["a"], arrays["w"])
        expected = reference.relu(product + arrays["b"] if has_bias else product)
        for contender in found:
            for n in contender.threads(threads):
                pair = Pair(contender, n, has_bias, arrays)
                if problem := pair.check(arrays["z"], expected):
                    wrong.append(f"{problem} for {shape}, threads: {n}")
                else:
                    pairs.append(pair)
    del product, expected
    rounds = time_interleaved(pairs, until) if pairs else []
    rows = [
        row
        for pair, of_pair in zip(pairs, rounds, strict=True)
        for row in rows_of(pair, shape, of_pair)
    ]
    return rows, wrong


def run(options, threads, seconds, record, progress):
    """Run the benchmark of layers, as the command runs that of single calls."""
    for name in FOREIGN:
        if getattr(options, name) is not None:
            raise BadInputError(f"--{name.replace('_', '-')} has no meaning beside --layer")
    texts = SHAPES if options.shapes is None else options.shapes.split(",")
    shapes = list(dict.fromkeys(shape_of(text.strip()) for text in texts))
    libraries = _libraries(options.contenders)
    with whole_file("--json", options.json) as write:
        progress.show("importing ...")
        found, missing = _find(libraries)
        progress.clear()
        with fastrelu.num_threads(fastrelu.get_num_threads()):
            status = _measure(shapes, found, missing, threads, seconds, record, progress)
        write(as_json(record))
    return status


def _libraries(text):
    choices = [contender.library for contender in CONTENDERS]
    wanted = choices if text is None else [part.strip() for part in text.split(",")]
    for name in wanted:
        if name not in choices:
            raise BadInputError(
                f"--contenders: no layer of {name!r}; the choices are {', '.join(choices)}"
            )
    return wanted


def _find(libraries):
    """Return the contenders that can be imported, and why the others cannot."""
    found, missing = [], {}
    for contender in CONTENDERS:
        if contender.library in ("fastrelu", *libraries):
            try:
                contender.load()
                found.append(contender)
            except UnavailableError as error:
                missing[contender.library] = str(error)
    return found, missing


def _measure(shapes, found, missing, threads, seconds, record, progress):
    blas = _blas()
    versions = {c.library: c.version() for c in found if c.library != "fastrelu"}
    remarks = [f"Left out: {library}: {reason}." for library, reason in missing.items()]
    record["bench"] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "layers": [str(shape) for shape in shapes],
        "threads": threads,
        "versions": versions,
        "blas": blas,
        "rest_seconds": [REST_SECONDS, MAX_REST_SECONDS],
        "remarks": remarks,
    }
    print_machine(record)
    if versions:
        print("beside", ", ".join(f"{name} {version}" for name, version in versions.items()))
    print(f"threads: {', '.join(map(str, threads))}; about {duration(seconds)}")
    rows, wrong = [], []
    load = OtherProcesses()
    end = time.perf_counter() + seconds
    for i, shape in enumerate(shapes):
        now = time.perf_counter()
        left = max(0, end - now)
        if reason := _lack(shape, rows, left):
            remarks.append(f"Left out for lack of {reason}: {shape}.")
            continue
        progress.show(f"layer {shape} ({i + 1} of {len(shapes)}), {duration(left)} left")
        share = shape.work / sum(other.work for other in shapes[i:])
        of_shape, problems = measure(shape, found, threads, now + share * left)
        for line in [*_lines(of_shape, shape), *(f"WRONG: {problem}" for problem in problems)]:
            progress.print(line)
        rows += of_shape
        wrong += problems
    progress.clear()
    record["rows"] = [row.as_dict() for row in rows]
    record["wrong"] = wrong
    record["noise"] = report.noise(rows, load.busy_cores(), usable_cpus())
    print(f"\n{_notes(blas)}")
    for line in [*remarks, *(f"! {warning}" for warning in record["noise"]["warnings"])]:
        print(textwrap.fill(line, 100, subsequent_indent="  "))
    return int(bool(wrong))


def _lack(shape, rows, left):
    """Return what a shape needs more of than there is, judged by the last shape's rows, or None."""
    if shape.bytes + ARRAYS_TO_CHECK * 4 * shape.elements > free_memory():
        return "memory"
    if rows:
        last = rows[-1].shape
        a_pair = sum(row.seconds for row in rows if row.shape == last and row.part == "pair")
        if MIN_ROUNDS * (MIN_PAIRS + 1) * a_pair * shape.work / last.work > 3 * left:
            return "time (--seconds)"
    return None


def _lines(rows, shape):
    """Return the lines of a table of one shape."""
    where = f"{4 * shape.elements:,} bytes, {held_in(4 * shape.elements)}"
    yield f"\n{shape}: z = a @ w is {shape.batch} x {shape.outputs} float32, {where}"
    bias = None
    for pair, activation in zip(rows[::2], rows[1::2], strict=True):
        if pair.has_bias != bias:
            bias = pair.has_bias
            yield f"{'z + b, relu' if bias else 'relu':18}{HEADER}"
        yield (
            f"  {pair.contender:16} {pair.threads:>7} {human(pair.seconds):>8} {pair.spread:>5.0%}"
            f" {human(activation.seconds):>10} {activation.spread:>5.0%}"
            f" {activation.gigabytes_per_second:>7.1f}"
            f" {activation.seconds / pair.seconds:>12.0%}"
        )


def _notes(blas):
    """Return what the figures mean, and the statements, as paragraphs."""
    text = NOTES.format(
        rounds=MIN_ROUNDS,
        least=MIN_PAIRS,
        most=MAX_PAIRS,
        rest=milliseconds(REST_SECONDS),
        most_rest=milliseconds(MAX_REST_SECONDS),
        blas=f"those of its BLAS ({', '.join(blas)})" if blas else "those of its BLAS",
    )
    statements = [
        f"  {contender.name:10} {'; '.join(contender.statements[bias, part] for part in PARTS)}"
        for bias in (False, True)
        for contender in CONTENDERS
    ]
    return "\n".join([textwrap.fill(text, 100), *statements])


def _blas():
    """Return each BLAS in this process and its threads, if threadpoolctl is there to tell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from threadpoolctl import threadpool_info

            pools = threadpool_info()
        except Exception:  # a broken installation may raise any
            return []
    return [f"{p['internal_api']} {p['num_threads']}" for p in pools if p["user_api"] == "blas"]
