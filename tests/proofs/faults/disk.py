"""What a process under shim.c does: run the command line while the disk is full."""

import contextlib
import io
import itertools
import os
import tempfile
from pathlib import Path

from proofs.faults.injection import CREATION, RENAMING, disk, plans

from fastrelu._tool import main as tool
from fastrelu._tool.bench import plot

OLD = b"old"
tool.check = lambda: iter(())  # what takes time, and is not written here
plot.draw = lambda *of_rows: b"<svg>" + bytes(10_000) + b"</svg>"


def run(command):
    """Return the exit status of a command, and what it prints on stderr."""
    err = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
        try:
            status = tool.main(command)
        except SystemExit as exit_:
            status = exit_.code
    return status, err.getvalue()


def run_without_room(command, left=-1, kind=CREATION, call=0):
    """Run it where files may take so many bytes more, or where a call to make or name one fails."""
    plan = plans[kind]
    plan.seen = plan.hit = 0
    disk.value, plan.last, plan.first = left, call, call
    status, err = run(command)
    plan.first, disk.value = 0, -1
    return status, err, plan.hit or left >= 0


def fill_disk(arguments, options):
    """
    Let a command write files where there is too little room for them; print the number of faults.

    It must end with one line and the status 2. The last file holds what it held, the others that or
    all that was to be written, and there are no more files.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in options.values()]
        command = [*arguments, *itertools.chain(*zip(options, map(str, paths), strict=True))]
        assert run(command) == (0, "")
        size = sum(path.stat().st_size for path in paths)
        ends = [path.read_bytes()[-9:] for path in paths]

        def is_refused(**fault):
            for path in paths:
                path.write_bytes(OLD)
            status, err, is_met = run_without_room(command, **fault)
            assert sorted(os.listdir(folder)) == sorted(options.values()), f"{fault}: more files"
            if not is_met:
                assert (status, err) == (0, "")
                return False
            assert (status, err.count("\n")) == (2, 1), f"{fault}: {status}, {err}"
            assert err.endswith(": No space left on device\n"), f"{fault}: {err}"
            *others, last = (path.read_bytes() for path in paths)
            assert last == OLD, f"{fault}: {last}"
            for other, end in zip(others, ends[:-1], strict=True):
                assert other == OLD or other.endswith(end), f"{fault}: {other}"
            return True

        faults = 0
        for left in (0, size // 2, 9 * size // 10):
            faults += is_refused(left=left)
        for kind in (CREATION, RENAMING):
            call = 1
            while is_refused(kind=kind, call=call):
                faults += 1
                call += 1
        print(faults)
