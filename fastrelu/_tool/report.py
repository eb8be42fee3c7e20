"""What run --report prints at a program's end: its calls of np.maximum with a zero, and find's."""

import atexit
import collections
import os
import sys
import sysconfig
import threading
import time

import numpy as np

from .common import BadInputError, as_json, counted, human, whole_file

MOST_LINES = 20
HEADER = f"{'calls':>9} {'time':>8} {'share':>6} {'by fastrelu':>11}  elements, dtype, line"


class Line:
    """The calls of one line of the program with operands of one dtype."""

    def __init__(self):
        self.calls = self.taken = 0
        self.seconds = 0.0
        self.sizes = collections.Counter()
        self.reasons = collections.Counter()


class Watch:
    """Counts the calls of np.maximum that have an array and a zero."""

    def __init__(self):
        self.lines = collections.defaultdict(Line)
        self._make_lock()
        if hasattr(os, "register_at_fork"):  # a thread that is not in the child may hold it
            os.register_at_fork(after_in_child=self._make_lock)
        self.began = time.perf_counter()

    def _make_lock(self):
        self.lock = threading.RLock()  # a handler of signals may interrupt its owner

    def end(self, started, is_ours, arguments, names):
        """Take down a call; the frame below is the caller's."""
        seconds = time.perf_counter() - started
        x, zero = arguments[:2]
        if not isinstance(x, np.ndarray):
            x, zero = zero, x
        if not is_ours and not _is_zero(zero):
            return
        frame = sys._getframe().f_back
        where = (frame.f_code.co_filename, frame.f_lineno) if frame else ("no line of Python", 0)
        key = *where, x.dtype
        with self.lock:
            line = self.lines[key]
            line.calls += 1
            line.taken += is_ours
            line.seconds += seconds
            line.sizes[x.size] += 1
            if not is_ours:
                line.reasons[_reason(x, zero, names or ())] += 1

    def record(self):
        """Return what has been counted, as a record for JSON."""
        ran = time.perf_counter() - self.began
        with self.lock:
            rows = [_row(*key, line, ran) for key, line in self.lines.items()]
        rows.sort(key=lambda row: -row["seconds"])
        return {
            "seconds": ran,
            "maximum_with_zero": {
                "calls": sum(row["calls"] for row in rows),
                "by_fastrelu": sum(row["by_fastrelu"] for row in rows),
                "seconds": sum(row["seconds"] for row in rows),
                "lines": rows,
            },
        }


def watch(program, json):
    """
    Watch the program that is about to run, and print a report on stderr when it has ended.

    Parameters
    ----------
    program : str
        Its name.
    json : str or None
        The file that gets the report as well.
    """
    from fastrelu._core import watch_maximum

    watching, process = Watch(), os.getpid()

    def report():
        if os.getpid() == process:  # not in what has been forked
            record = {"program": program, **watching.record(), "found": _found()}
            if json is not None:
                _write(record, json)
            if sys.stderr is not None:
                print(_printed(record), end="", file=sys.stderr, flush=True)

    atexit.register(report)
    watch_maximum(time.perf_counter, watching.end)


def _is_zero(value):
    try:
        return np.ndim(value) == 0 and bool(value == 0)
    except Exception:  # of a type of its own
        return False


def _reason(x, zero, names):
    """Return why NumPy was called."""
    from fastrelu._core import KERNEL_TYPES

    if type(x) is not np.ndarray:
        return f"{type(x).__name__} is a subclass of ndarray"
    if x.ndim == 0:
        return "an array of no dimensions"
    if x.dtype.char not in KERNEL_TYPES:
        return f"no kernel for {x.dtype}"
    if not x.dtype.isnative:
        return "foreign byte order"
    for name in names:
        if name != "out":
            return f"{name}= is given"
    if isinstance(zero, np.ndarray | np.generic) and zero.dtype != x.dtype:
        return f"the zero is of {zero.dtype}"
    if type(zero) not in (int, float, bool) and not isinstance(zero, np.ndarray | np.generic):
        return f"the zero is of {type(zero).__name__}"
    if np.signbit(zero):
        return "the zero is -0.0"
    return "out is of another shape or dtype" if names else "no kernel gives NumPy's bits here"


def _row(path, number, dtype, line, ran):
    return {
        "path": _short(path),
        "line": number,
        "dtype": dtype.name,
        "calls": line.calls,
        "by_fastrelu": line.taken,
        "seconds": line.seconds,
        "share": line.seconds / ran,
        "elements": {"least": min(line.sizes), "most": max(line.sizes)},
        "not_by_fastrelu": dict(line.reasons),
    }


def _short(path):
    """Return a path from the current folder on, if it is in it."""
    try:
        short = os.path.relpath(path) if os.path.exists(path) else path
    except (OSError, ValueError):  # the folder is gone, or on another drive
        return path
    return path if short.startswith(os.pardir) else short


def _found():
    """Return what find says of the program's own files, as its records."""
    from .find.command import examine

    return [row for path in _own_files() for row in examine(path)["rows"]]


def _own_files():
    """Return the files of the imported modules that belong to the program."""
    libraries = {os.path.realpath(path) for path in sysconfig.get_paths().values()}
    libraries.add(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    files = set()
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path.endswith(".py") and os.path.isfile(path):
            real = os.path.realpath(path)
            in_library = any(real.startswith(library + os.sep) for library in libraries)
            if not in_library and "site-packages" not in real.split(os.sep):
                files.add(_short(path))
    return sorted(files)


def _printed(record):
    """Return the report as text."""
    from .find.command import printed

    total = record["maximum_with_zero"]
    share = total["seconds"] / record["seconds"]
    lines = [f"fastrelu: {record['program']} ran for {human(record['seconds'])}"]
    if total["calls"]:
        lines += [
            f"np.maximum with a zero: {counted(total['calls'], 'call')}, {human(total['seconds'])} "
            f"({share:.1%}); fastrelu took {total['by_fastrelu']:,}",
            HEADER,
        ]
        for row in total["lines"][:MOST_LINES]:
            lines += _printed_row(row)
        if more := len(total["lines"]) - MOST_LINES:
            lines += [f"    and {counted(more, 'more line')}"] if more > 0 else []
    else:
        lines.append("np.maximum with a zero: no calls")
    if record["found"]:
        files = len({row["path"] for row in record["found"]})
        places = counted(len(record["found"]), "place")
        lines.append(f"find: {places} in {counted(files, 'file')} of the program")
        lines += [printed(row) for row in record["found"]]
    else:
        lines.append("find: nothing in the program's files")
    return "\n".join(lines) + "\n"


def _printed_row(row):
    least, most = row["elements"]["least"], row["elements"]["most"]
    elements = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    yield (
        f"{row['calls']:>9,} {human(row['seconds']):>8} {row['share']:>6.1%} "
        f"{row['by_fastrelu']:>11,}  {elements}, {row['dtype']}, {row['path']}:{row['line']}"
    )
    for reason, calls in row["not_by_fastrelu"].items():
        yield f"{'':>39}{calls:,} by NumPy: {reason}"


def _write(record, path):
    try:
        with whole_file("--json", path) as write:
            write(as_json(record))
    except BadInputError as error:
        if sys.stderr is not None:
            print(f"fastrelu: {error}", file=sys.stderr)
