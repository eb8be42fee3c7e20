"""Counts the instructions of small calls and of kernels, and compares them with the kept counts."""

import argparse
import gc
import inspect
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from itertools import repeat
from pathlib import Path

import numpy as np

import fastrelu
from fastrelu import reference
from fastrelu._tool.bench.contenders import CAP, SLOPE, THRESHOLD
from fastrelu._tool.common import BadInputError, refuse_oserror, whole_file
from fastrelu._tool.operations import OPERATIONS, takes

DESCRIPTION = """\
Count the instructions of one call on 16 float32 elements, and of each contiguous kernel per
register, with valgrind's callgrind, and compare them with the counts that a file keeps. They do not
depend on the load of the machine: a change of 2 % is a change of the code.
"""
EPILOG = """\
The exit status is 1 if a count differs by more than 2 %, or if only one side has it. Counts depend
on the compiler, Python and NumPy: where these are not those of the file, the last line says so, and
the status is 0. Then compare with a build of the unchanged sources: --file before.json --write with
that build, and --file before.json with the changed one.

The empty loop around a call is subtracted. A register of the scalar set is one element. valgrind
3.19 has no AVX-512: the kernels of avx512 are not counted, and the calls take those of avx2.
"""
KEPT = Path(__file__).with_suffix(".json")
GROUPS = ("calls", "kernels")
PERCENT = 2

CALL_ELEMENTS = 16
CALLS = 200  # in the shorter of two loops
DTYPES = ("float16", "float32", "float64", "int8")
REGISTER_BYTES = {"avx512": 64, "avx2": 32, "sse2": 16, "neon": 16}
REGISTERS = 1024  # in the shorter of two arrays: too few bytes for threads
KERNEL_CALLS = 8
ROUNDS = 2  # where a call takes the last free object of a pool of Python's, it costs 85 more

# fastrelu has no part in it: another count is that of another build of Python or NumPy.
CONTROL = "len(x)"
EMPTY = "pass"
MARK = "getppid"  # a function of the C library that nothing else calls

NUMBERS = {"negative_slope": SLOPE, "max_value": CAP, "threshold": THRESHOLD}
FUNCTIONS = [*OPERATIONS, "relu_with_mask", "relu_backward_from_mask"]


def statements(function):
    """Return the calls of a function with a new output and with a given one."""
    if function == "relu_with_mask":
        return "relu_with_mask(x)", "relu_with_mask(x, out=y, mask=m)"
    operands = "g, m"
    if function in OPERATIONS:
        parameters = inspect.signature(getattr(reference, function)).parameters
        inputs = list(parameters)[: OPERATIONS[function].inputs]
        numbers = [str(NUMBERS[name]) for name in inputs if name in NUMBERS]
        operands = ", ".join([*"gx"[len(numbers) - len(inputs) :], *numbers])
    return f"{function}({operands})", f"{function}({operands}, out=y)"


def arrays(n, dtype):
    """
    Return the operands of the statements by name.

    Which ones lie below others in memory decides how soon two are known to be disjoint. So all lie
    in one block, in a fixed order, each at a multiple of 64.
    """
    x = np.random.default_rng(0).integers(-99, 99, n).astype(dtype)
    values = {"x": x, "g": x[::-1], "y": x, "m": fastrelu.relu_with_mask(x)[1]}
    block = np.empty(len(values) * (x.nbytes + 64) + 64, np.uint8)
    found = {}
    for name, value in values.items():
        block = block[-block.ctypes.data % 64 :]
        found[name] = block[: value.nbytes].view(value.dtype)
        found[name][...] = value
        block = block[value.nbytes :]
    return found


def loop(statement, names):
    """Return a function that executes a statement n times, with names that are local to it."""
    names = names | {"repeat": repeat}
    parameters = ", ".join(f"{name}={name}" for name in names)
    source = f"def inner(n, {parameters}):\n for _ in repeat(None, n):\n  {statement}"
    exec(source, names)
    return names["inner"]


def cases():
    """Yield group, name, two loops, how often they run, and how much more the second one does."""
    fastrelu.patch_numpy()
    names = arrays(CALL_ELEMENTS, "float32") | {"maximum": np.maximum}
    names |= {name: getattr(fastrelu, name) for name in FUNCTIONS}
    calls = [call for function in FUNCTIONS for call in statements(function)]
    for statement in (EMPTY, CONTROL, *calls, "maximum(0, x)", "maximum(0, x, out=y)"):
        f = loop(statement, names)
        yield "calls", statement, (f, CALLS), (f, 2 * CALLS), CALLS
    for isa, functions in fastrelu.implementations.items():
        for dtype in map(np.dtype, DTYPES):
            lanes = REGISTER_BYTES.get(isa, dtype.itemsize) // dtype.itemsize
            sizes = [arrays(n * lanes, dtype) for n in (REGISTERS, 2 * REGISTERS)]
            for name in FUNCTIONS:
                if name in OPERATIONS and not takes(name, dtype):
                    continue
                names = {name: getattr(functions, name)}
                pair = [(loop(statements(name)[1], names | size), KERNEL_CALLS) for size in sizes]
                yield "kernels", f"{isa} {dtype} {name}", *pair, KERNEL_CALLS * REGISTERS


def run_cases():
    """Run each case between calls of MARK, and print their groups, names and differences."""
    mark = getattr(os, MARK)
    fastrelu.set_num_threads(1)
    gc.disable()
    rows, held = [], []
    for group, name, (f, n), (g, m), difference in cases():
        f(n)
        g(m)
        for _ in range(ROUNDS):
            held.append([np.empty(CALL_ELEMENTS, "float32") for _ in range(7)])
            mark()
            f(n)
            mark()
            g(m)
            mark()
        rows.append([group, name, difference])
    print(json.dumps(rows))


def total(path):
    """Return the instructions in a profile of callgrind."""
    with open(path) as profile:
        return next(int(line.split()[1]) for line in profile if line.startswith("totals:"))


def count():
    """Return the instructions by group and name."""
    kept = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
    counts = {group: {} for group in GROUPS}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "profile")
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        command = [*valgrind, f"--dump-before={MARK}", sys.executable, "-P", __file__, "--run"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise BadInputError(f"{' '.join(command)} failed:\n{done.stderr}")
        for i, (group, name, difference) in enumerate(json.loads(done.stdout)):
            rounds = range(ROUNDS * i, ROUNDS * (i + 1))
            few, many = (min(total(f"{out}.{3 * r + part}") for r in rounds) for part in (2, 3))
            counts[group][name] = (many - few) / difference
    around = counts["calls"].pop(EMPTY)
    return {
        "calls": {name: round(n - around) for name, n in counts["calls"].items()},
        "kernels": {name: round(n, 2) for name, n in counts["kernels"].items()},
    }


def versions():
    """Return what counts depend on besides the sources."""
    about = fastrelu.show_config(mode="dicts")
    valgrind = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True)
    return {
        "compiler": about["compiler"],
        "libc": " ".join(platform.libc_ver()),
        "machine": platform.machine(),
        "numpy": about["numpy"],
        "python": f"{about['python']}, {platform.python_compiler()}",
        "valgrind": valgrind.stdout.strip(),
    }


def read(path, may_be_missing):
    """Return the record in a file, or an empty one."""
    if may_be_missing and not path.exists():
        return {group: {} for group in (*GROUPS, "versions")}
    with refuse_oserror(f"--file {path}"):
        text = path.read_text()
    try:
        record = json.loads(text)
        if not all(isinstance(record[group], dict) for group in (*GROUPS, "versions")):
            raise TypeError
    except (ValueError, TypeError, KeyError):
        raise BadInputError(f"--file {path}: not a record that --write has written") from None
    return record


def change(counted, kept):
    """Return the change in %, or None where one of the two is missing."""
    return None if None in (counted, kept) else 100 * (counted - kept) / kept


def compare(counted, kept):
    """Return rows of name, both counts and the change, and the names that changed."""
    rows, changed = [], []
    for group in GROUPS:
        for name in sorted(counted[group].keys() | kept[group].keys()):
            row = counted[group].get(name), kept[group].get(name)
            percent = change(*row)
            rows.append((name, *row, percent))
            if percent is None or abs(percent) > PERCENT:
                changed.append(name)
    return rows, changed


def differences(found, expected, changed):
    """Return why counts cannot be compared, given the versions of both, or nothing."""
    other = [f"{n} is {found.get(n)}, not {v}" for n, v in expected.items() if found.get(n) != v]
    if not other and expected and CONTROL in changed:
        other = [f"another build of Python or NumPy, as {CONTROL} shows"]
    return "; ".join(other)


def show(rows, changed):
    print(f"{'':40}{'counted':>10}{'kept':>10}{'change':>10}")
    for name, *counts, percent in rows:
        cells = ["-" if n is None else f"{n:g}" for n in counts]
        cells.append("-" if percent is None else f"{percent:+.1f} %")
        mark = "  <--" if name in changed else ""
        print(f"{name:40}{''.join(f'{cell:>10}' for cell in cells)}{mark}")


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="replace the file by what is counted")
    parser.add_argument("--file", type=Path, default=KEPT, help="default: instructions.json, here")
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.run:
        return run_cases()
    if not shutil.which("valgrind"):
        parser.error("valgrind is needed: apt-get install valgrind")
    try:
        kept = read(options.file, may_be_missing=options.write)
        with whole_file("--file", options.file if options.write else None) as write:
            record = count() | {"versions": versions()}
            rows, changed = compare(record, kept)
            show(rows, changed)
            other = differences(record["versions"], kept["versions"], changed)
            if options.write and other:
                raise BadInputError(f"--write: {other}; delete {options.file} to keep these counts")
            write(f"{json.dumps(record, indent=1, sort_keys=True)}\n".encode())
    except BadInputError as error:
        parser.error(str(error))
    if options.write:
        print(f"written: {options.file}")
    elif other:
        print(f"NOT COMPARABLE, see --help: {other}")
    elif changed:
        print(f"{len(changed)} CHANGED by more than {PERCENT} %; --write keeps what is counted")
    else:
        print(f"all within {PERCENT} %")
    return int(bool(changed) and not other and not options.write)


if __name__ == "__main__":
    sys.exit(main())
