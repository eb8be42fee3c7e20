"""The command bench: its options and its run."""

import argparse
import contextlib
import datetime
import json
import re
import shlex
import textwrap
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

import fastrelu
from fastrelu import reference
from fastrelu._limits import usable_cpus
from fastrelu._threads import MAX_THREADS
from fastrelu._tool.common import (
    BadInputError,
    add_limits,
    as_json,
    dtype_named,
    duration,
    milliseconds,
    print_machine,
    refuse_oserror,
    whole_file,
)
from fastrelu._tool.operations import KERNEL_TYPES, takes

from . import contenders, layer, report
from .measure import (
    MAX_REST_SECONDS,
    REST_SECONDS,
    Case,
    OtherProcesses,
    measure,
    measure_case,
)
from .record import as_stored

SUMMARY = "time fastrelu beside other installed libraries and a copy"
EXAMPLE = "--operations forward --sizes 4K,1M --threads 1,2"
SIZES = (16, 256, 4096, 1 << 16, 1 << 20, 1 << 24)
SECONDS = 120.0
FULL_DTYPES = ("float16", "float32", "float64", "int8")
FULL_SIZES = tuple(4**power for power in range(2, 14))
FULL_SECONDS = 3600.0
# What --results measures, on every machine; of threads, the powers of two and all cores.
SAME = {"operations": "forward,backward", "dtype": ",".join(FULL_DTYPES), "seconds": 600.0}
NOT_THE_SAME = (
    "where",
    "sizes",
    "contenders",
    "threads",
    "gap",
    "full",
    "most",
    "layer",
    "compare",
)
FAIL_OVER = 10.0
ATTEMPTS = 3  # to measure again what seems to be slower
SUFFIXES = {"K": 10, "M": 20}
PLOTS = ("plot", "plot-threads", "html")
FILES = ("json", "results", *PLOTS)
GAP = re.compile(r"([0-9]+(?:\.[0-9]+)?)(us|µs|ms|s)")
UNITS_IN_A_SECOND = {"us": 1e6, "µs": 1e6, "ms": 1e3, "s": 1}
MAX_GAP = 1.0

# A choice stands for all that begin with its word, so "mask" for both directions.
OPERATIONS = {
    word: [name for name in contenders.OPERATIONS if name.split()[0] == word]
    for word in dict.fromkeys(name.split()[0] for name in contenders.OPERATIONS)
}
USUAL = ("forward", "backward", "mask", "add", "subtract")
OUTPUTS = {"new": ["new"], "out": ["out="], "inplace": ["in place"]}
LIBRARIES = {name: [name] for name in contenders.LIBRARIES}


class Selection(NamedTuple):
    """What a run measures; the record holds it, so that a later run can repeat it."""

    dtypes: list
    operations: list
    outputs: list
    sizes: list
    threads: list
    libraries: list
    gap: float = 0.0

    def cases(self):
        return [
            Case(operation, output, dtype, n)
            for dtype in self.dtypes
            for operation in self.operations
            if takes(contenders.OPERATIONS[operation].types_like, dtype_named(dtype))
            for output in self.outputs
            for n in self.sizes
        ]

    def left_out(self):
        """Return lines that name the operations that have no kernels for a type."""
        for dtype in self.dtypes:
            lacking = [
                operation
                for operation in self.operations
                if not takes(contenders.OPERATIONS[operation].types_like, dtype_named(dtype))
            ]
            if lacking:
                yield f"Left out: {', '.join(lacking)} of {dtype}: no kernels."


def add_options(parser):
    """Add the options of bench to its parser."""
    cases = parser.add_argument_group("what is measured; lists are separated by commas")
    cases.add_argument(
        "--operations",
        metavar="LIST",
        help=f"of {', '.join(OPERATIONS)} (default: the first {len(USUAL)}; all with --full)",
    )
    cases.add_argument("--where", metavar="LIST", help=f"the output, of {', '.join(OUTPUTS)}")
    cases.add_argument("--dtype", metavar="LIST", help="types by name (default: float32)")
    cases.add_argument("--sizes", metavar="LIST", help="numbers of elements, like 4096,64K,1M")
    cases.add_argument("--contenders", metavar="LIST", help=f"of {', '.join(LIBRARIES)}")
    cases.add_argument(
        "--threads",
        metavar="LIST",
        help="like 1,2,4,8 (default: 1 and all cores); a list also prints GB/s by threads",
    )
    cases.add_argument(
        "--gap",
        type=_gap,
        metavar="TIME",
        help="of other work before each call, like 500us or 1ms (default: 0)",
    )
    cases.add_argument(
        "--full",
        action="store_true",
        default=None,
        help=f"{', '.join(FULL_DTYPES)} from 16 to 64M elements, in about an hour",
    )
    add_limits(cases, SECONDS, SIZES)
    layer.add_options(cases)
    results = parser.add_argument_group("what becomes of it")
    results.add_argument(
        "--results",
        metavar="FILE.json",
        help=f"a record for bench/results, of its cases: {SAME['seconds'] / 60:g} minutes",
    )
    results.add_argument(
        "--every",
        action="store_true",
        default=None,
        help="print every contender, not only the best",
    )
    results.add_argument(
        "--compare",
        metavar="OLD.json",
        help="measure what OLD.json measured; exit with 1 if fastrelu became slower",
    )
    results.add_argument(
        "--fail-over",
        type=_percent,
        metavar="PCT",
        help=f"how much slower is a failure (default: {FAIL_OVER:g})",
    )
    results.add_argument(
        "--plot", metavar="FILE", help="a plot by size, .svg or .png; needs matplotlib"
    )
    results.add_argument("--plot-threads", metavar="FILE", help="the same by number of threads")
    results.add_argument("--html", metavar="FILE", help="a page with everything; needs matplotlib")


def run(options, record, progress):
    """
    Run the benchmark.

    Parameters
    ----------
    options : argparse.Namespace
    record : dict
        The command, fastrelu and the machine. The results are added to it.
    progress : Progress

    Returns
    -------
    int
        The exit status: 1 if an output was wrong, or fastrelu became slower.
    """
    if options.results is not None:
        _measure_the_same(options, record)
    if options.layer:
        threads = _map(options.threads, _threads) or _default_threads()
        return layer.run(options, sorted(threads), _seconds(options), record, progress)
    if options.shapes is not None:
        raise BadInputError("--shapes has no meaning without --layer")
    if options.fail_over is not None and options.compare is None:
        raise BadInputError("--fail-over has no meaning without --compare")
    old = None if options.compare is None else _load(options.compare)
    selection = _select(options, old)
    cases = selection.cases()
    if not cases:
        raise BadInputError(
            f"no kernels for {', '.join(selection.operations)} of {', '.join(selection.dtypes)}"
        )
    if old is not None:
        _refuse_unlike(old, selection, f"--compare {options.compare}")
    if options.plot_threads is not None and len(selection.threads) < 2:
        raise BadInputError("--plot-threads needs two numbers of threads or more, by --threads 1,2")
    paths = {name: vars(options)[name.replace("-", "_")] for name in FILES}
    kinds = {name: plot_kind(f"--{name}", paths[name]) for name in PLOTS}
    with contextlib.ExitStack() as stack:
        write = {
            name: stack.enter_context(whole_file(f"--{name}", path)) for name, path in paths.items()
        }
        progress.show("importing ...")
        found, missing = contenders.find(selection.libraries)
        progress.clear()
        status = _measure(selection, found, missing, options, record, progress)
        if old is not None:
            _measure_again(old, selection, found, options, record, progress)
            status |= _compare(old, options, record)
        contents = {"json": as_json(record), "results": as_stored(record)}
        if record["rows"]:
            contents |= _drawn(record, kinds)
        for name, content in contents.items():
            write[name](content)
    return status


def _measure_the_same(options, record):
    """Set the options to what --results measures, and the command to one without a folder."""
    path = Path(options.results)
    if path.suffix != ".json":
        raise BadInputError(f"--results {path}: the name must end in .json")
    for name in (*SAME, *NOT_THE_SAME):
        if getattr(options, name) is not None:
            raise BadInputError(f"--{name} has no meaning beside --results: it has its own cases")
    vars(options).update(SAME)
    options.threads = ",".join(map(str, _powers_and_all(min(usable_cpus(), MAX_THREADS))))
    record["command"] = shlex.join(["python", "-m", "fastrelu", "bench", "--results", path.name])


def _powers_and_all(cores):
    """Return the powers of two below a number of cores, and that number."""
    return [*(1 << power for power in range((cores - 1).bit_length())), cores]


def _refuse_unlike(old, selection, what):
    """Refuse an earlier run that measured nothing that this run measures."""
    if not {Case(*_case_of(row)) for row in old["rows"]} & set(selection.cases()):
        raise BadInputError(f"{what}: holds nothing that this run measures")
    gap = old["bench"]["selection"].get("gap", 0)
    if gap != selection.gap:
        raise BadInputError(
            f"{what}: its calls come after a gap of {milliseconds(gap)}, those of this run after "
            f"{milliseconds(selection.gap)}"
        )


def _drawn(record, kinds):
    """Return the contents of the files with plots, from the kind of each that is wanted."""
    if not any(kinds.values()):
        return {}
    from .plot import draw, draw_threads, for_a_page, title_of

    rows, title = record["rows"], title_of(record)
    contents = {}
    if kinds["plot"]:
        contents["plot"] = draw(rows, title, kinds["plot"])
    if kinds["plot-threads"]:
        contents["plot-threads"] = draw_threads(rows, title, kinds["plot-threads"])
    if kinds["html"]:
        contents["html"] = report.as_html(record, *for_a_page(rows))
    return contents


def _measure(selection, found, missing, options, record, progress):
    cases = selection.cases()
    versions = {c.library: c.version() for c in found if c.library != "fastrelu"}
    record["bench"] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "selection": selection._asdict(),
        "versions": versions,
        "rest_seconds": [REST_SECONDS, MAX_REST_SECONDS],
        "remarks": [],
    }
    print_machine(record)
    print("beside", ", ".join(f"{name} {version}" for name, version in versions.items()))
    threads = ", ".join(map(str, selection.threads))
    fixed = {
        c.library: f"{c.library} always {usable_cpus() if c.is_threaded else 1}"
        for c in found
        if c.set_threads is None
    }
    print(f"threads: {threads} ({', '.join(fixed.values())}); about {duration(_seconds(options))}")
    if selection.gap:
        print(f"gap: {milliseconds(selection.gap)} of other work before each call")

    def announce(case, number, left):
        progress.show(f"{case} ({number} of {len(cases)}), {duration(left)} left")

    outcomes = []
    load = OtherProcesses()
    seconds = _seconds(options)
    for outcome in measure(cases, found, selection.threads, seconds, announce, selection.gap):
        if not outcomes or outcomes[-1].case[:3] != outcome.case[:3]:
            progress.print(f"\n{report.heading(outcome.case)}\n{report.HEADER}")
        outcomes.append(outcome)
        for line in report.lines(outcome, options.every):
            progress.print(line)
        for wrong in outcome.wrong:
            progress.print(f"WRONG: {wrong}")
    progress.clear()
    rows = [row for outcome in outcomes for row in outcome.rows]
    record["rows"] = [row for outcome in outcomes for row in outcome.as_dicts()]
    record["wrong"] = [wrong for outcome in outcomes for wrong in outcome.wrong]
    record["noise"] = report.noise(rows, load.busy_cores(), usable_cpus())
    remarks = [
        *selection.left_out(),
        *report.left_out(outcomes, missing),
        report.summary(record["rows"]),
    ]
    if record["wrong"]:
        remarks.append(f"WRONG outputs, which were not timed: {len(record['wrong'])}.")
    record["bench"]["remarks"] = remarks
    if options.threads is not None and len(selection.threads) > 1:
        for line in report.scaling_lines(record["rows"]):
            print(line)
    print(f"\n{report.notes(selection.gap)}")
    for line in [*remarks, *(f"! {warning}" for warning in record["noise"]["warnings"])]:
        print(textwrap.fill(line, 100, subsequent_indent="  "))
    return int(bool(record["wrong"]))


def _measure_again(old, selection, found, options, record, progress):
    """Measure cases that seem slower again, and keep the faster figures."""
    budget = _seconds(options) / len(selection.cases())
    obstacles = []
    for attempt in range(ATTEMPTS):
        # Makes the allocator place new outputs elsewhere: their address can double the time.
        obstacles.append(np.empty(100_000 + 1040 * attempt, np.uint8))
        slower = report.slower_rows(old, record, _fail_over(options))
        for case in dict.fromkeys(Case(*_case_of(row)) for _, row in slower):
            progress.show(f"{case}, again")
            with fastrelu.num_threads(fastrelu.get_num_threads()):
                until = time.perf_counter() + budget
                outcome = measure_case(case, found, selection.threads, until, selection.gap)
            again = {report.key(row): row for row in outcome.as_dicts()}
            record["rows"] = [
                min(row, again.get(report.key(row), row), key=lambda row: row["seconds"])
                for row in record["rows"]
            ]
    progress.clear()


def _compare(old, options, record):
    found, slower = report.compare(old, record, _fail_over(options))
    print(f"\nAgainst {options.compare}, of {old['bench'].get('date', 'an unknown date')}:")
    for line in found:
        print(line)
    return int(slower > 0)


def _load(path):
    """Return the record of an earlier run."""
    with refuse_oserror(f"--compare {path}"):
        content = Path(path).read_bytes()
    try:
        record = json.loads(content)
        for row in record["rows"]:
            report.check_row(row)
        selection = Selection(**record["bench"]["selection"])
        if not record["rows"] or not all(isinstance(value, list) for value in selection[:-1]):
            raise ValueError
        if not 0 <= selection.gap <= MAX_GAP:
            raise ValueError
        if not set(selection.operations) <= contenders.OPERATIONS.keys():
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise BadInputError(f"--compare {path}: not a record of bench --json") from None
    return record


def _select(options, old):
    """Return the Selection of the options, with defaults from an earlier run if there is one."""
    default = Selection(
        list(FULL_DTYPES if options.full else ["float32"]),
        [name for word in (OPERATIONS if options.full else USUAL) for name in OPERATIONS[word]],
        list(contenders.OUTPUTS),
        list(FULL_SIZES if options.full else SIZES),
        _default_threads(),
        list(LIBRARIES),
    )
    if old is not None and not options.full:
        default = Selection(**old["bench"]["selection"])
    given = {
        "dtypes": _map(options.dtype, _dtype),
        "operations": _picked("operations", options.operations, OPERATIONS),
        "outputs": _picked("where", options.where, OUTPUTS),
        "sizes": _map(options.sizes, lambda text: _whole(text, "--sizes")),
        "threads": _map(options.threads, _threads),
        "libraries": _picked("contenders", options.contenders, LIBRARIES),
        "gap": options.gap,
    }
    chosen = default._replace(**{n: value for n, value in given.items() if value is not None})
    if options.most is not None:
        if options.sizes is not None:
            raise BadInputError("--most has no meaning beside --sizes")
        chosen = chosen._replace(sizes=[n for n in chosen.sizes if n <= options.most])
    return chosen._replace(
        dtypes=[_dtype(name) for name in chosen.dtypes],
        sizes=sorted(chosen.sizes),
        threads=sorted(chosen.threads),
    )


def _default_threads():
    return sorted({1, usable_cpus()})


def _map(text, function):
    """Return a function's results for the distinct parts of a list in text; None for no text."""
    if text is not None:
        return list(dict.fromkeys(function(part.strip()) for part in text.split(",")))


def _picked(option, text, choices):
    def pick(part):
        if part not in choices:
            raise BadInputError(f"--{option}: no {part!r}; the choices are {', '.join(choices)}")
        return part

    if text is not None:
        return [name for part in _map(text, pick) for name in choices[part]]


def _dtype(name):
    dtype = dtype_named(name)
    if not (dtype.char in KERNEL_TYPES or reference.name_in_ml_dtypes(dtype)) or not dtype.isnative:
        raise BadInputError(f"--dtype: no kernels for {name!r}; try float32 or int8")
    return dtype.name


def _whole(text, option):
    digits, shift = (text[:-1], SUFFIXES[text[-1]]) if text[-1:] in SUFFIXES else (text, 0)
    if not (digits.isascii() and digits.isdigit() and int(digits)):
        raise BadInputError(f"{option}: a number like 1000 or 16K is needed, not {text!r}")
    return int(digits) << shift


def _threads(text):
    if re.fullmatch("[1-9][0-9]?", text) and int(text) <= MAX_THREADS:
        return int(text)
    raise BadInputError(
        f"--threads: numbers from 1 to {MAX_THREADS} are needed, like 1,2,4, not {text!r}"
    )


def _gap(text):
    found = GAP.fullmatch("0s" if text == "0" else text)
    if found and (seconds := float(found[1]) / UNITS_IN_A_SECOND[found[2]]) <= MAX_GAP:
        return seconds
    raise argparse.ArgumentTypeError(
        f"0 or a time up to {milliseconds(MAX_GAP)} is needed, like 500us or 1ms, not {text!r}"
    )


def _percent(text):
    with contextlib.suppress(ValueError):
        if 0 <= (percent := float(text)) < float("inf"):
            return percent
    raise argparse.ArgumentTypeError(f"a number from 0 up is needed, not {text!r}")


def plot_kind(option, path):
    """Return "svg", "png" or "html", or None without a path; raise if it cannot be drawn."""
    if path is None:
        return None
    kind = "html" if option == "--html" else Path(path).suffix.lower()[1:]
    if kind not in ("svg", "png") and option != "--html":
        raise BadInputError(f"{option} {path}: the name must end in .svg or .png")
    try:
        import matplotlib.figure

        matplotlib.figure.Figure, matplotlib.rc_context  # noqa: B018
    except Exception as error:  # a broken installation may raise any
        raise BadInputError(f"{option} needs matplotlib: {error}") from None
    return kind


def _seconds(options):
    return options.seconds or (FULL_SECONDS if options.full else SECONDS)


def _fail_over(options):
    return FAIL_OVER if options.fail_over is None else options.fail_over


def _case_of(row):
    return [row[name] for name in Case._fields]
