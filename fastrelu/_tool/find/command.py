"""python -m fastrelu find: the arguments, the output and the exit status."""

import functools
import gc
import multiprocessing
import os
import signal
import sys
import time

from ..common import BadInputError, Parser, Progress, as_json, counted, exit_status, whole_file
from . import factors, sources
from .rewrite import difference, rewritten
from .search import find

SUMMARY = "find lines of NumPy code that fastrelu could take over"
DESCRIPTION = """\
Find lines of NumPy code that a function of fastrelu could take over. The code is read, not run.
"""
EPILOG = """\
example:
  python -m fastrelu find src notebooks/model.ipynb
  python -m fastrelu find --diff src | git apply    # or --write

A comment "fastrelu: ignore" on a line leaves it out. Files that git ignores are passed over.
exit status: 0; with --exit-code 1 if something is found; 2 on bad input, 130 if interrupted.
"""
AT_ONCE = 64
WIDTH = 76


def run(argv):
    """
    Run the command.

    Parameters
    ----------
    argv : list of str
        The arguments after "find".

    Returns
    -------
    int
        The exit status.
    """
    parser, progress = _parser(), Progress()
    return exit_status(
        lambda: _run(parser.parse_intermixed_args(argv), progress), parser, progress, parser.prog
    )


def _parser():
    parser = Parser(
        prog="python -m fastrelu find",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a folder, program or notebook")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--diff", action="store_true", help="print the replacements as a patch")
    what.add_argument("--write", action="store_true", help="make the replacements in the files")
    parser.add_argument("--json", metavar="FILE", help="also write what is found to a file")
    parser.add_argument(
        "--min-factor",
        type=float,
        default=1,
        metavar="N",
        help="only what gets N times faster (default: 1)",
    )
    parser.add_argument(
        "--exit-code", action="store_true", help="exit with 1 if something is found"
    )
    return parser


def _run(options, progress):
    with whole_file("--json", options.json) as write_json:
        rows, files, failures, refused, written = [], 0, [], [], 0
        for result in _results(options, progress):
            files += 1
            if result["failure"]:
                failures.append(f"{result['path']}: {result['failure']}")
            if result["refused"]:
                refused.append(result["refused"])
            rows += result["rows"]
            written += result["new"] is not None
            progress.clear()
            if options.diff:
                sys.stdout.write(result["diff"])
            elif not options.write:
                for row in result["rows"]:
                    print(printed(row))
        progress.clear()
        for failure in failures:
            print(f"passed over: {failure}", file=sys.stderr)
        if not options.diff:
            _print_summary(options, rows, files, written)
        write_json(as_json(rows))
    if refused:
        more = f"; and {len(refused) - 1} more" if len(refused) > 1 else ""
        raise BadInputError(f"{refused[0]}{more}")
    return int(bool(rows) and options.exit_code)


def _print_summary(options, rows, files, written):
    searched = counted(files, "file")
    if options.write:
        print(f"{written} of {searched} rewritten")
    elif not rows:
        print(f"nothing found in {searched}")
    else:
        by_hand = sum(not row["safe"] for row in rows)
        having = len({row["path"] for row in rows})
        print(f"{counted(len(rows), 'place')} in {having} of {searched}; ", end="")
        print(f"--diff shows {len(rows) - by_hand}, {by_hand} are to be changed by hand")
        if any(row["factor"] for row in rows):
            print(f"Factors: {factors.conditions()}.")


def printed(row):
    """Return a finding in three lines or fewer."""
    cell = f"cell {row['cell']}:" if row["cell"] is not None else ""
    where = f"{row['path']}:{cell}{row['line']}:{row['column']}"
    times = f"  {row['factor']:g} times faster" if row["factor"] else ""
    lines = [
        f"{where}: {row['idiom']}",
        f"    {_one_line(row['found'])}",
        f"    -> {_one_line(row['replacement'])}{times}",
    ]
    if row["condition"]:
        lines.append(f"    if {row['condition']}")
    if row["by_hand"]:
        lines.append(f"    by hand: {row['by_hand']}")
    return "\n".join(lines)


def _one_line(text):
    text = "; ".join(" ".join(line.split()) for line in text.splitlines() if line.strip())
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 4]} ..."


def _results(options, progress):
    """Yield the results of the files in order, from several processes if there are many."""
    progress.show("looking for files ...")
    paths = list(sources.paths_of(options.paths))
    chunks = [paths[n : n + AT_ONCE] for n in range(0, len(paths), AT_ONCE)]
    wants = (options.diff, options.write, options.min_factor)
    workers = min(len(chunks) // 2, os.cpu_count() or 1)
    done, shown = 0, 0.0
    if workers < 2:
        found = (examine(path, wants) for path in paths)
        for done, result in enumerate(found, 1):
            if time.monotonic() - shown > 0.1:
                shown = time.monotonic()
                progress.show(f"{done} of {len(paths)} files ...")
            yield result
        return
    with _pool(workers) as pool:
        for results in pool.imap(functools.partial(_examine_all, wants=wants), chunks):
            done += len(results)
            yield from results
            progress.show(f"{done} of {len(paths)} files ...")


def _pool(workers):
    """Return processes that leave an interrupt to this one."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # Trees of syntax hold no cycles: to look for them every 700 objects takes a quarter more.
        return multiprocessing.get_context("spawn").Pool(workers, gc.set_threshold, (100_000,))
    finally:
        signal.signal(signal.SIGINT, before)


def _examine_all(paths, wants):
    return [examine(path, wants) for path in paths]


def examine(path, wants=(False, False, 1)):
    """Return what is found in a file, as a record; write it if that is wanted."""
    diff, write, least = wants
    result = {"path": path, "rows": [], "failure": "", "refused": "", "diff": "", "new": None}
    try:
        program = sources.read(path)
        if program is None:
            return result
        findings = [f for f in find(program.source) if _is_chosen(f, least)]
        new = program.source
        if diff or write:
            new = rewritten(new, lambda finding: _is_chosen(finding, least))
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        return result | {"failure": f"{where}{error.msg}"}
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        return result | {"failure": str(error) or type(error).__name__}
    result["rows"] = [_row(finding, program) for finding in findings]
    if new != program.source:
        result["diff"] = difference(path, program.source, new)
        result["new"] = path
        if write:
            try:
                sources.write(program, new)
            except BadInputError as error:
                result |= {"refused": str(error), "new": None}
    return result


def _is_chosen(finding, least):
    measured = factors.factor(finding.idiom)
    return measured is None or measured >= least


def _row(finding, program):
    cell, line = program.place(finding.line)
    return {
        "path": program.path,
        "cell": cell,
        "line": line,
        "column": finding.column,
        "idiom": finding.idiom,
        "found": finding.found,
        "replacement": finding.replacement,
        "condition": ", ".join(finding.conditions),
        "factor": factors.factor(finding.idiom),
        "safe": finding.edits is not None,
        "by_hand": finding.by_hand,
    }
