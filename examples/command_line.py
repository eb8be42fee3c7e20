"""Shared by the examples: options, bad input in one line, interrupts, and files of plots."""

import argparse
import contextlib
import io
import os
import sys

from fastrelu._tool.common import BadInputError, Parser, Progress


def parser_for(description, epilog, *, threads):
    """Return a parser with the options of every example; threads says what they are for."""
    parser = Parser(
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--seed", type=natural, default=0, metavar="N", help="of all random numbers; default: 0"
    )
    parser.add_argument(
        "--threads",
        type=whole,
        default=1,
        metavar="N",
        help=f"the most threads for {threads}; default: 1",
    )
    parser.add_argument(
        "--plot", metavar="FILE", help="draw the result as .svg or .png; needs matplotlib"
    )
    return parser


def natural(text):
    with contextlib.suppress(ValueError):
        if (n := int(text)) >= 0:
            return n
    raise argparse.ArgumentTypeError(f"a whole number from 0 up is needed, not {text!r}")


def whole(text):
    with contextlib.suppress(ValueError):
        if (n := int(text)) >= 1:
            return n
    raise argparse.ArgumentTypeError(f"a whole number from 1 up is needed, not {text!r}")


def positive(text):
    with contextlib.suppress(ValueError):
        if 0 < (value := float(text)) < float("inf"):
            return value
    raise argparse.ArgumentTypeError(f"a positive number is needed, not {text!r}")


def plot_kind(path):
    """Return the format that the file's name asks for; None for no name."""
    if path is None:
        return None
    kind = os.path.splitext(path)[1].lower()
    if kind not in (".svg", ".png"):
        raise BadInputError(f"--plot {path}: the name must end in .svg or .png")
    try:
        import matplotlib.figure

        matplotlib.figure.Figure, matplotlib.rc_context  # noqa: B018
    except Exception as error:  # a broken installation may raise any
        raise BadInputError(f"--plot needs matplotlib: {error}") from None
    return kind[1:]


def image_of(figure, kind):
    """Return a figure of matplotlib in a format, as bytes."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):  # text, not outlines
        figure.savefig(buffer, format=kind, dpi=100)
    return buffer.getvalue()


def run(parser, main):
    """Call main(options, progress); print bad input as one line; return the exit status."""
    progress = Progress()
    try:
        status = main(parser.parse_args(), progress)
        sys.stdout.flush()
        return status
    except BadInputError as error:
        progress.clear()
        parser.error(str(error))
    except MemoryError as error:
        progress.clear()
        parser.error(f"not enough memory: {error}")
    except BrokenPipeError:
        # Standard output is closed: discard what the interpreter flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        progress.clear()
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return 130
