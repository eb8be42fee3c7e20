"""Prints and plots the results of several machines side by side."""

import argparse
import contextlib
import json
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

from fastrelu._tool.bench.command import plot_kind
from fastrelu._tool.bench.plot import draw, draw_threads
from fastrelu._tool.bench.record import fault, with_figures
from fastrelu._tool.common import (
    BadInputError,
    Parser,
    binary,
    human,
    milliseconds,
    refuse_oserror,
    whole_file,
)

FOLDER = Path(__file__).parent / "results"
EPILOG = """\
A record is what python -m fastrelu bench --results FILE.json writes, or --json, of compare too,
with --gap and --layer or not; its name without .json stands above its columns. What readers must
know of a record is the text "remark" in it, added by hand; it gives the name a "!".
"""
TITLE = "fastrelu, by machine"
OUTPUTS = ("new", "out=", "in place")
GROUP = ("operation", "output", "dtype")
CASE = (*GROUP, "elements")
HEADER = f"{'threads':>7} {'time':>8} {'GB/s':>7} {'faster':>7}"
NOTES = """\
time: of fastrelu; GB/s: the bytes that it must read and write, divided by the time; faster: than
the fastest other library of the record with at most as many threads."""
BEST = " The number of threads is the\nfastest one that was measured."


class Result(NamedTuple):
    """A record, its name, and its rows as bench writes them."""

    name: str
    record: dict
    rows: list

    @property
    def heading(self):
        return f"{self.name} !" if self.warnings() else self.name

    def about(self):
        """Return lines on the machine, the versions and the command."""
        record, bench = self.record, self.record.get("bench", {})
        machine, about = record["machine"], record["fastrelu"]
        sizes = [f"{name} {binary(size)}" for name, size in machine["cache_bytes"].items()]
        versions = {"numpy": about["numpy"]} | bench.get("versions", {})
        yield ", ".join([machine["cpu"], f"{machine['cores']} cores", *sizes])
        yield (
            f"fastrelu {about['version']} ({about['isa in use']}), "
            f"{', '.join(f'{name} {version}' for name, version in versions.items())}, "
            f"Python {about['python']}"
        )
        date = f"{bench['date'][:10]}: " if "date" in bench else ""
        yield f"{date}{record['command']}"
        if gap := bench.get("selection", {}).get("gap"):
            yield f"each call after {milliseconds(gap)} of other work"
        for warning in self.warnings():
            yield f"! {warning}"

    def ours(self):
        """Return the rows of fastrelu by group, elements and threads."""
        return {
            (tuple(row[name] for name in GROUP), row["elements"], row["threads"]): row
            for row in self.rows
            if row["contender"] == "fastrelu"
        }

    def by_group(self, every):
        """Return, by group, the rows of fastrelu by elements and threads, or None for the best."""
        found = {}
        for (group, elements, threads), row in self.ours().items():
            rows = found.setdefault(group, {})
            key = (elements, threads if every else None)
            rows[key] = min(row, rows.get(key, row), key=lambda row: row["seconds"])
        return found

    def warnings(self):
        """Return what its readers must know."""
        noise = self.record.get("noise", {})
        return [*filter(None, [self.record.get("remark")]), *noise.get("warnings", [])]

    def best_other(self, row):
        """Return the fastest row of another library with at most a row's threads, or None."""
        others = [
            other
            for other in self._beside(row)
            if other["contender"] != "fastrelu" and not other["is_limit"]
        ]
        return min(others, key=lambda other: other["seconds"], default=None)

    def best_copy(self, row):
        """Return the fastest row of a copy with at most a row's threads, or None."""
        copies = [other for other in self._beside(row) if other["is_limit"]]
        return max(copies, key=lambda other: other["gigabytes_per_second"], default=None)

    def _beside(self, row):
        """Return the rows of a row's case with at most as many threads."""
        return [
            other
            for other in self.rows
            if all(other[name] == row[name] for name in CASE) and other["threads"] <= row["threads"]
        ]

    def times_faster(self, row):
        """Return the least time of the other libraries over that of a row, or None."""
        other = self.best_other(row)
        return other and other["seconds"] / row["seconds"]


def load(path):
    """Return the Result of a file."""
    with refuse_oserror(path):
        content = Path(path).read_bytes()
    try:
        record = json.loads(content)
        found = fault(record)
    except (ValueError, RecursionError):
        found = "this is no JSON"
    if found is not None:
        raise BadInputError(f"{path}: no record of python -m fastrelu bench --results: {found}")
    if "bench" in record:
        rows = [with_figures(row) for row in record["rows"]]
    else:
        rows = rows_of_main(record)
    return Result(Path(path).stem, record, rows)


def rows_of_main(record):
    """Return the rows of the main command as rows of bench."""
    found = []
    for row in record["rows"]:
        output = next(output for output in OUTPUTS if row["operation"].endswith(f" {output}"))
        for contender, threads in (("fastrelu", record["threads"]), ("numpy", 1), ("copy", 1)):
            timing = row[contender]
            found.append(
                {
                    "contender": contender,
                    "is_limit": contender == "copy",
                    "threads": threads,
                    "operation": row["operation"].removesuffix(f" {output}"),
                    "output": output,
                    "dtype": row["dtype"],
                    "elements": row["elements"],
                    "seconds": timing["seconds"],
                    "gigabytes_per_second": timing["gigabytes_per_second"],
                    "ns_per_element": 1e9 * timing["seconds"] / row["elements"],
                }
            )
    return found


def lines(results, every):
    """Return the lines of all tables, of every number of threads or of the best."""
    width = max(len(result.name) for result in results)
    for result in results:
        name = result.name
        for line in result.about():
            for part in textwrap.wrap(line, 98 - width, subsequent_indent="  "):
                yield f"{name:{width}}  {part}"
                name = ""
    found = [(result, result.by_group(every)) for result in results]
    for group in dict.fromkeys(group for _, groups in found for group in groups):
        yield from table(group, [(result, of[group]) for result, of in found if group in of])
    yield f"\n{NOTES}{'' if every else BEST}"


def table(group, columns):
    """Return the lines of one table, with a column for each result and its rows."""
    heads = "".join(f"  {result.heading:>{len(HEADER)}}" for result, _ in columns)
    yield f"\n{', '.join(group)}\n{'':10}{heads}"
    yield f"{'elements':>10}{f'  {HEADER}' * len(columns)}"
    shown = None
    for key in sorted({key for _, rows in columns for key in rows}):
        size = "" if key[0] == shown else f"{key[0]:,}"
        shown = key[0]
        cells = (cell(result, rows.get(key)) for result, rows in columns)
        yield f"{size:>10}{''.join(f'  {text:>{len(HEADER)}}' for text in cells)}"


def cell(result, row):
    if row is None:
        return "-"
    faster = result.times_faster(row)
    text = "-" if faster is None else f"{faster:.2f}x"
    return (
        f"{row['threads']:>7} {human(row['seconds']):>8} {row['gigabytes_per_second']:>7.1f}"
        f" {text:>7}"
    )


def rows_to_draw(results):
    """Return the rows of fastrelu, the name of each record as the contender."""
    return [
        row | {"contender": result.heading}
        for result in results
        for row in result.ours().values()
        if not row["operation"].startswith("layer")
    ]


def run(options):
    paths = options.records or sorted(FOLDER.glob("*.json"))
    if not paths:
        raise BadInputError(f"no record is given, and {FOLDER} holds none")
    results = [load(path) for path in paths]
    names = [result.name for result in results]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise BadInputError(f"several records have the name {', '.join(sorted(repeated))}")
    rows = rows_to_draw(results)
    if options.plot is not None and not rows:
        raise BadInputError("--plot: the records hold layers alone, which it does not draw")
    drawn = {(row["contender"], row["threads"]) for row in rows}
    if options.plot_threads is not None and len(drawn) == len(dict(drawn)):
        raise BadInputError("--plot-threads: no record has several numbers of threads")
    kind = plot_kind("--plot", options.plot)
    kind_of_threads = plot_kind("--plot-threads", options.plot_threads)
    with (
        whole_file("--plot", options.plot) as write_plot,
        whole_file("--plot-threads", options.plot_threads) as write_threads,
    ):
        for line in lines(results, options.every):
            print(line)
        if kind:
            write_plot(draw(rows, TITLE, kind))
        if kind_of_threads:
            write_threads(draw_threads(rows, TITLE, kind_of_threads))


def main(argv=None):
    parser = Parser(
        prog="python bench/results.py",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "records",
        nargs="*",
        metavar="RECORD.json",
        help="by default all in bench/results",
    )
    parser.add_argument(
        "--every", action="store_true", help="print every number of threads, not only the best"
    )
    parser.add_argument(
        "--plot", metavar="FILE", help="write a plot by size, .svg or .png; needs matplotlib"
    )
    parser.add_argument(
        "--plot-threads", metavar="FILE", help="the same by the number of threads, for each size"
    )
    try:
        run(parser.parse_args(argv))
    except BadInputError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            sys.stdout.close()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
