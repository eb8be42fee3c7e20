"""The command line: checks fastrelu on this machine, then compares it with NumPy."""

import shlex
import statistics
import sys

import numpy as np

import fastrelu

from .._config import config
from . import exhaustive
from .bench import command as bench
from .check import check
from .common import (
    BadInputError,
    Parser,
    Progress,
    add_limits,
    as_json,
    coloured,
    dtype_named,
    exit_status,
    human,
    print_machine,
    refuse_oserror,
    whole_file,
)
from .compare import (
    OPERATIONS,
    SECONDS,
    SIZES,
    MismatchError,
    compare_array,
    compare_sizes,
    machine,
)
from .find import command as find
from .run import run

PROGRAM = "python -m fastrelu"
COMPARE = "check fastrelu, then compare its speed with NumPy's"
RUN = "run a script or a module, with np.maximum(0, x) by the kernels"
CHECK = "test each instruction set of this CPU against fastrelu.reference"
INFO = "print the versions, the compiler and the instruction sets"
EPILOG = """\
Without a command, it is compare: %(prog)s --dtype float64

exit status: 0 on success, 1 on a wrong result or, with bench --compare, a slower one, 2 on bad
input, 130 if interrupted.
The environment variable FASTRELU_ISA selects the instruction set, or "python", the fallback.
"""
HEADER = (
    f"{'elements':>10}  {'where':5} {'operation':20} {'NumPy':>8} {'±':>5} {'fastrelu':>9} {'±':>5}"
    f" {'GB/s':>7} {'faster':>8}  {'of a copy':>9}"
)

NOTES = """\
Times: the fastest of interleaved rounds; ±: how far the median lies above it.
GB/s: the bytes that fastrelu reads and writes, divided by the time. of a copy: this GB/s divided by
that of np.copyto, or of x.copy() for a new output. "in place" uses less memory than a copy; from
the second call on, its operand holds no value below zero, in NumPy as in fastrelu. add: b has a
value for each place along the last axis of x, none of them above zero.
"""


def main(argv=None):
    """
    Run the command line.

    Parameters
    ----------
    argv : list of str, optional
        The arguments; by default those of the process.

    Returns
    -------
    int
        The exit status.
    """
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["run"]:
        return run(argv[1:])
    if argv[:1] == ["find"]:
        return find.run(argv[1:])
    by_default = not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help"))
    arguments = ["compare", *argv] if by_default else argv
    progress = Progress()
    parsers = _parsers()
    parser = parsers.get(arguments[0], parsers[None])

    def command():
        options, unknown = parsers[None].parse_known_args(arguments)
        if unknown:
            raise BadInputError(f"unexpected {unknown[0]!r}; see {parser.prog} --help")
        return _run(options, argv, progress)

    return exit_status(command, parser, progress, PROGRAM)


def _parsers():
    """Return the parser of each command by name, and under None the one of all."""
    parser = Parser(
        prog=PROGRAM,
        description="ReLU for NumPy arrays: check it here, time it, use it in a program.",
        epilog=EPILOG,
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="command", title="commands; each has a --help"
    )
    parsers = {None: parser}

    def add(name, summary, example):
        parsers[name] = commands.add_parser(
            name,
            help=summary,
            usage=f"{PROGRAM} {name} [options]",
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=f"example: {PROGRAM} {example}",
        )
        return parsers[name]

    _add_compare_options(add("compare", COMPARE, "--dtype float16"))
    bench.add_options(add("bench", bench.SUMMARY, f"bench {bench.EXAMPLE}"))
    commands.add_parser("find", help=find.SUMMARY)
    commands.add_parser("run", help=RUN)
    exhaustive.add_options(add("check", CHECK, "check --exhaustive --only relu --slice 3/64"))
    add("info", INFO, "info")
    for name in ("compare", "bench", "check", "info"):
        parsers[name].add_argument(
            "--json", metavar="FILE", help="also write the results, machine and versions to a file"
        )
    return parsers


def _add_compare_options(parser):
    parser.add_argument("--dtype", help="NumPy's name of the type (default: float32)")
    parser.add_argument(
        "--input",
        metavar="FILE.npy",
        help="compare on this array, of any shape; it is memory-mapped",
    )
    add_limits(parser, SECONDS, SIZES)


def _run(options, argv, progress):
    array = dtype = None
    if options.command == "compare":
        array, dtype = _array_or_dtype(options)
    record = {
        "command": shlex.join([*PROGRAM.split(), *argv]),
        "fastrelu": config(),
        "machine": machine(),
    }
    if options.command == "bench":
        return bench.run(options, record, progress)
    if options.command == "check" and exhaustive.wanted(options):
        return exhaustive.run(options, record, progress)
    with whole_file("--json", options.json) as write:
        if options.command == "info":
            fastrelu.show_config()
            status = 0
        else:
            print_machine(record)
            status = _print_check(record, progress)
            if options.command == "compare" and status == 0:
                status = _print_comparison(record, array, dtype, options, progress)
        write(as_json(record))
    return status


def _array_or_dtype(options):
    """Return the array to compare on and None, or None and the dtype of arrays to make."""
    if options.input is None:
        return None, _dtype(options.dtype or "float32")
    for name in ("dtype", "most"):
        if getattr(options, name) is not None:
            raise BadInputError(f"--{name} has no meaning beside --input")
    return _load(options.input), None


def _load(path):
    """Return the memory-mapped array of a .npy file."""
    with refuse_oserror(path), open(path, "rb") as file:
        magic = file.read(6)
    if magic[:2] == b"PK":
        raise BadInputError(f"{path}: an archive of arrays (.npz); give one array in a .npy file")
    if magic != b"\x93NUMPY":
        raise BadInputError(f"{path}: not an array in NumPy's .npy format")
    try:
        array = np.asarray(np.load(path, mmap_mode="r"))
    except Exception as error:  # a damaged header can raise almost anything
        if "Python objects" in str(error):
            error = "an array of Python objects; reading it needs pickle, which is not safe"
        raise BadInputError(f"{path}: cannot be read: {error}") from None
    if array.size == 0:
        raise BadInputError(f"{path}: an array of shape {array.shape}, which has no elements")
    _refuse_unordered(array.dtype, f"{path}: an array of {array.dtype}")
    return array


def _dtype(name):
    dtype = dtype_named(name)
    if dtype.subdtype is not None:
        raise BadInputError(f"--dtype: {name!r} is an array type; give its element type")
    _refuse_unordered(dtype, f"--dtype {name}")
    return dtype


def _refuse_unordered(dtype, what):
    try:
        fastrelu.relu(np.zeros(1, dtype))
    except TypeError:
        raise BadInputError(
            f"{what}: relu takes integers, bool, real and complex floats, timedelta64 and object"
        ) from None


def _print_check(record, progress):
    """Print the self-test; return the exit status."""
    if fastrelu.implementations:
        print("\nSelf-test, bit for bit against fastrelu.reference:", flush=True)
    else:
        print("\nNothing compiled to check. Self-test of the fallback:", flush=True)
    record["check"] = []
    progress.show("checking ...")
    for result in check():
        record["check"].append(result._asdict())
        right = result.mismatch is None
        verdict = coloured("ok    ", "green") if right else coloured("WRONG ", "red")
        progress.print(f"  {result.name:8} {verdict} {result.comparisons:>12,} values compared")
        if not right:
            print(f"    {result.mismatch}")
        progress.show("checking ...")
    progress.clear()
    return int(any(result["mismatch"] is not None for result in record["check"]))


def _print_comparison(record, array, dtype, options, progress):
    """Print the comparison row by row; return the exit status."""
    seconds = options.seconds or SECONDS

    def announce(elements, operation):
        progress.show(f"measuring {elements:,} elements, {operation} (row {len(rows) + 1}) ...")

    if array is None:
        sizes = [n for n in SIZES if options.most is None or n <= options.most]
        found = compare_sizes(dtype, sizes, seconds, announce)
        what = f"random {dtype}"
    else:
        sizes = [array.size]
        found = compare_array(array, seconds, announce)
        what = f"{options.input}: {array.dtype} of shape {array.shape}, memory-mapped"
    print(f"\nComparison on {what}")
    for operation in OPERATIONS:
        print(f"  {operation.name:20} {operation.fastrelu:37} vs {operation.numpy}")
    print(f"\n{HEADER}", flush=True)
    rows = []
    record["threads"] = fastrelu.get_num_threads()
    record["rows"] = []
    try:
        for row in found:
            rows.append(row)
            record["rows"].append(row.as_dict())
            progress.print(_format(row))
    except MismatchError as mismatch:
        record["mismatch"] = str(mismatch)
        progress.print(f"{coloured('WRONG', 'red')}: {mismatch}")
        return 1
    progress.clear()
    _print_notes(rows, sizes)
    return 0


def _print_notes(rows, sizes):
    print(f"\n{NOTES}", end="")
    measured = {row.operation for row in rows}
    if left_out := [op.name for op in OPERATIONS if op.name not in measured]:
        print(f"Left out, because they do not take this type: {', '.join(left_out)}.")
    if too_long := [f"{n:,}" for n in sizes if n > rows[-1].elements]:
        print(f"Left out for lack of time (--seconds): {'; '.join(too_long)} elements.")
    if differing := max(row.numpy_differs_in for row in rows):
        print(f"NumPy's statement returns other values in up to {differing:,} elements.")
    ratios = [row.times_faster for row in rows]
    slower = sum(ratio < 1 for ratio in ratios)
    if slower:
        mark, least = coloured("!", "yellow"), min(ratios)
        print(f"{mark} fastrelu is slower: {slower} of {len(rows)} rows, at worst {least:.2f}x.")
    print(
        f"fastrelu is faster in {len(rows) - slower} of {len(rows)} rows; "
        f"{min(ratios):.2f}x to {max(ratios):.2f}x, median {statistics.median(ratios):.2f}x."
    )


def _format(row):
    times = f"{row.times_faster:>7.2f}x"
    times = coloured(f"{times}!", "yellow") if row.times_faster < 1 else f"{times} "
    return (
        f"{row.elements:>10,}  {row.where:5} {row.operation:20}"
        f" {human(row.numpy.seconds):>8} {row.numpy.spread:>5.0%}"
        f" {human(row.fastrelu.seconds):>9} {row.fastrelu.spread:>5.0%}"
        f" {row.fastrelu.gigabytes_per_second:>7.1f} {times}"
        f" {row.fraction_of_copy:>9.0%}"
    )
