"""Shared by the subcommands: errors of input, progress, output files, formats of numbers."""

import argparse
import contextlib
import json
import os
import sys
import warnings

import numpy as np

from .operations import types_of_ml_dtypes

LEAST_ELEMENTS = 16  # of the sizes that are measured by default
COLOURS = {"red": 31, "green": 32, "yellow": 33}
UNITS = (("s", 1), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


class BadInputError(Exception):
    """The user's input cannot be used; the message says why, in one line."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def __init__(self, **options):
        form = argparse.RawDescriptionHelpFormatter
        super().__init__(**{"formatter_class": form, **options})

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())}\n")


class Progress:
    """A line that shows progress if stderr is a terminal."""

    def __init__(self):
        self.shown = sys.stderr is not None and sys.stderr.isatty()

    def show(self, text):
        if self.shown:
            sys.stderr.write(f"\r{text[:78]:78}")
            sys.stderr.flush()

    def clear(self):
        self.show("")
        if self.shown:
            sys.stderr.write("\r")
            sys.stderr.flush()

    def print(self, text):
        self.clear()
        print(text, flush=True)


def exit_status(command, parser, progress, program):
    """
    Run a command to its end, or to the one line that says why there is none.

    Parameters
    ----------
    command : callable
        Returns the exit status.
    parser : Parser
        It says what is wrong with the input.
    progress : Progress
    program : str
        What an interrupt names.

    Returns
    -------
    int
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    try:
        return command()
    except BadInputError as error:
        progress.clear()
        parser.error(str(error))
    except MemoryError as error:
        progress.clear()
        parser.error(f"not enough memory: {error}")
    except OSError as error:
        progress.clear()
        # Nothing can be printed; discard what the interpreter flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            parser.error(f"cannot print: {error.strerror or error}")
        return 1
    except KeyboardInterrupt:
        progress.clear()
        print(f"{program}: interrupted", file=sys.stderr)
        return 130


def coloured(text, colour):
    """Return a text in a colour if stdout is a terminal that takes one, and NO_COLOR is not set."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m"


@contextlib.contextmanager
def whole_file(option, path):
    """Return a context whose function replaces the file at path; without a path it does nothing."""
    if path is None:
        yield lambda content: None
        return
    target = os.path.realpath(path)
    part = f"{target}.{os.getpid()}.part"

    def write(content):
        with refuse_oserror(f"{option} {path}"):
            with open(part, "wb") as file:
                file.write(content)
            os.replace(part, target)

    if os.path.exists(target) and not os.path.isfile(target):
        raise BadInputError(f"{option} {path}: not a regular file")
    try:
        with refuse_oserror(f"{option} {path}"):
            open(part, "x").close()  # fail before measuring, not after
        yield write
    finally:
        with contextlib.suppress(OSError):
            os.unlink(part)


def add_limits(parser, seconds, sizes):
    """Add --seconds and --most, with their defaults in the help."""
    parser.add_argument(
        "--seconds",
        type=_seconds,
        metavar="S",
        help=f"about how long to measure (default: {seconds:g}); what takes longer is left out",
    )
    parser.add_argument(
        "--most",
        type=_elements,
        metavar="N",
        help=f"measure on at most N elements (default: {sizes[-1]})",
    )


def _seconds(text):
    with contextlib.suppress(ValueError):
        if 0 < (seconds := float(text)) < float("inf"):
            return seconds
    raise argparse.ArgumentTypeError(f"a positive number is needed, not {text!r}")


def _elements(text):
    with contextlib.suppress(ValueError):
        if (n := int(text)) >= LEAST_ELEMENTS:
            return n
    raise argparse.ArgumentTypeError(
        f"a whole number from {LEAST_ELEMENTS} up is needed, not {text!r}"
    )


@contextlib.contextmanager
def refuse_oserror(what):
    try:
        yield
    except OSError as error:
        raise BadInputError(f"{what}: {error.strerror or error}") from None


def dtype_named(name):
    """Return the dtype with a name, of NumPy or ml_dtypes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return np.dtype(name)
    except (TypeError, ValueError, SyntaxError, DeprecationWarning):
        for dtype in types_of_ml_dtypes():
            if dtype.name == name:
                return dtype
        raise BadInputError(f"--dtype: NumPy knows no type {name!r}; try float32 or int8") from None


def as_json(record):
    """Return a record as the bytes of a JSON file."""
    return f"{json.dumps(record, indent=2)}\n".encode()


def print_machine(record):
    """Print the processor, its cores and caches, and the versions in use."""
    about, here = record["fastrelu"], record["machine"]
    sizes = [f"{name} {binary(size)}" for name, size in here["cache_bytes"].items()]
    cores = counted(here["cores"], "core")
    print(", ".join([here["cpu"], cores, *sizes]))
    print(
        f"fastrelu {about['version']} using {about['isa in use']}, "
        f"NumPy {about['numpy']}, Python {about['python']}",
        flush=True,
    )


def human(seconds):
    """Return a time with a unit and three digits."""
    unit, scale = next((pair for pair in UNITS if seconds >= 0.9995 * pair[1]), UNITS[-1])
    value = seconds / scale
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {unit}"


def duration(seconds):
    """Return a time in minutes and seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def milliseconds(seconds):
    """Return a time in ms as it would be given: 0.5 ms, 10 ms."""
    return f"{1e3 * seconds:g} ms"


def counted(number, noun):
    """Return a number of things: 1 file, 2,000 files."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def binary(size):
    """Return a number of bytes with a unit."""
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"
