"""Time an empty parallel call of the thread pool beside OpenMP's (needs gcc with OpenMP)."""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST = 64


def counts(text):
    """Return the numbers of threads in a list such as 2,4,8."""
    numbers = [int(part) if part.strip().isdecimal() else 0 for part in text.split(",")]
    if not all(2 <= number <= MOST for number in numbers):
        raise argparse.ArgumentTypeError(
            f"numbers from 2 to {MOST} with commas between are needed, not {text!r}"
        )
    return numbers


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="In a row: the fastest of 15 rounds. After 1 ms of other work, or 10 ms of sleep: "
        "the median of 101 single calls. A rest of 300 ms before each lets the other pool fall "
        "asleep.",
    )
    cpus = os.cpu_count() or 2
    default = [n for n in (2, 4, 8, 16, 32, 64) if n <= max(cpus, 2)]
    parser.add_argument(
        "--threads",
        type=counts,
        default=default,
        help=f"numbers of threads (default: {','.join(map(str, default))})",
    )
    threads = parser.parse_args().threads
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "fork_join")
        sources = [ROOT / "bench/fork_join.c", ROOT / "csrc/runtime/threads.c"]
        flags = ["-std=gnu11", "-O2", "-fopenmp", "-pthread", f"-I{ROOT / 'csrc'}"]
        command = [
            *shlex.split(os.environ.get("CC", "gcc")),
            *flags,
            "-o",
            program,
            *sources,
            "-lm",
        ]
        try:
            subprocess.run(command, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"{Path(__file__).name}: cannot compile: {error}")
        sys.exit(subprocess.run([program, *map(str, threads)]).returncode)


if __name__ == "__main__":
    main()
