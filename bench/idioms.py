"""Measures the NumPy lines that people write by hand beside the functions that replace them."""

import argparse
import re
import time
from timeit import Timer
from typing import NamedTuple

import numpy as np

import fastrelu
from fastrelu._config import config
from fastrelu._tool.bench.measure import MAX_HEAP_ARRAY
from fastrelu._tool.common import as_json, counted, human, print_machine, whole_file
from fastrelu._tool.compare import machine, time_interleaved
from fastrelu._tool.find import factors
from fastrelu._tool.find.idioms import EXPRESSIONS, STATEMENTS

DESCRIPTION = """\
Measure the NumPy lines that people write by hand beside what replaces them; with --find, all that
python -m fastrelu find knows.
"""


class Idiom(NamedTuple):
    """A line of NumPy, the call that replaces it, and what both write to, if that is no result."""

    numpy: str
    call: str
    written: str = ""

    @property
    def function(self):
        return self.call.partition("(")[0]


IDIOMS = (
    Idiom("np.maximum(0, x + b)", "add_relu(x, b)"),
    Idiom("z += b; np.maximum(z, 0, out=z)", "add_relu(z, b, out=z)", "z"),
    Idiom("np.maximum(x - K, 0)", "subtract_relu(x, K)"),
    Idiom("np.where(x > 0, x, a * x)", "leaky_relu(x, a)"),
    Idiom("np.maximum(x, a * x)", "leaky_relu(x, a)"),
    Idiom("g * np.where(x > 0, 1, a)", "leaky_relu_backward(g, x, a)"),
    Idiom("np.minimum(np.maximum(x, 0), 6)", "clipped_relu(x, 6)"),
    Idiom("np.clip(x, 0, 6)", "clipped_relu(x, 6)"),
    Idiom("g * ((x > 0) & (x < 6))", "clipped_relu_backward(g, x, 6)"),
    Idiom("np.sign(x) * np.maximum(np.abs(x) - t, 0)", "soft_threshold(x, t)"),
    Idiom("np.where(x > t, x - t, np.where(x < -t, x + t, 0))", "soft_threshold(x, t)"),
    Idiom("g * (np.abs(x) > t)", "soft_threshold_backward(g, x, t)"),
    Idiom("d[z == 0] = 0", "relu_backward(d, z, out=d)", "d"),
    Idiom("np.maximum(x - K, 0).mean()", "relu_mean(x, threshold=K)"),
    Idiom("(x > 0).mean(0)", "activity(x)"),
    Idiom("(x <= 0).all(0)", "dead_units(x)"),
)


def idioms_of_find():
    """Return the first form of each idiom of the finder, by its name."""
    found = {}
    for idiom in (*EXPRESSIONS, *STATEMENTS):
        line = re.sub(r"(?<![\w.])relu\(", "np.maximum(0, ", idiom.forms[0]).replace("\n", "; ")
        call = idiom.call.replace("axis=*", "axis=0").replace(", *", "").replace("x[...]", "x[:]")
        line, call = (text.replace("return ", "y = ") for text in (line, call))
        last = line.rpartition("; ")[2]
        target = re.match(r"(\w)(?:\[.*\])? [-+*]?= |np\.\w+\((\w), ", last)
        written = next(filter(None, target.groups())) if target and idiom in STATEMENTS else ""
        found[idiom.name] = Idiom(line, call, written)
    return found


def operands(elements):
    """Return what the lines name: square arrays of both signs, and numbers."""
    side = max(1, round(elements**0.5))
    rng = np.random.default_rng(0)
    x, g, z = rng.standard_normal((3, side, side), np.float32)
    return {
        **{"np": np, "x": x, "g": g, "d": g.copy(), "z": np.maximum(z, 0), "y": g.copy()},
        **{"b": rng.standard_normal(side, np.float32), "a": 0.1, "c": 6, "K": 0.5, "t": 0.5},
        **{name: getattr(fastrelu, name) for name in fastrelu.__all__},
    }


def check(idiom, elements):
    """Raise an AssertionError unless both give the same, to the rounding of float32."""
    results = []
    for line in (idiom.numpy, idiom.call):
        names = operands(elements)
        if idiom.written:
            exec(line, names)
        results.append(names[idiom.written] if idiom.written else eval(line, names))
    np.testing.assert_allclose(*results, rtol=1e-5, err_msg=f"{idiom.numpy}: {idiom.call}")


def measure(idiom, elements, threads, seconds, clock=time.perf_counter):
    """Return the seconds of the line, and those of the call on each number of threads."""
    names = operands(elements) | {"fastrelu": fastrelu}
    written = f"global {idiom.written}" if idiom.written else "pass"
    timers = [Timer(idiom.numpy, written, clock, names)]
    for n in threads:
        timers.append(Timer(idiom.call, f"fastrelu.set_num_threads({n})", clock, names))
    rounds = time_interleaved(timers, time.perf_counter() + seconds)
    return [min(timings) for timings in rounds]


def measure_once(idiom, elements, seconds, clock):
    """Return the seconds of line and call on one thread, from the same operands each time."""
    names = operands(elements)
    names["before"] = names[idiom.written].copy()
    restore = f"global d, x, y, z; {idiom.written}[...] = before"
    timers = [Timer(code, restore, clock, names) for code in (idiom.numpy, idiom.call)]
    best, until = [float("inf")] * len(timers), time.perf_counter() + seconds
    while time.perf_counter() < until:
        best = [min(least, timer.timeit(1)) for least, timer in zip(best, timers, strict=True)]
    return best


def write_factors(elements, seconds, path):
    """Measure what the finder knows by the processor's time on one thread; write its table."""
    about, here = config(), machine()
    table = {
        **{"dtype": "float32", "elements": elements, "cpu": here["cpu"], "numpy": about["numpy"]},
        **{"fastrelu": about["version"], "isa": about["isa in use"], "factors": {}},
    }
    with whole_file("--find", path) as write, fastrelu.num_threads(1):
        for name, idiom in idioms_of_find().items():
            check(idiom, elements)
            if idiom.written:
                by_hand, one_pass = measure_once(idiom, elements, seconds, time.process_time)
            else:
                by_hand, one_pass = measure(idiom, elements, [1], seconds, time.process_time)
            factor = table["factors"][name] = float(f"{by_hand / one_pass:.2g}")
            print(f"| {name} | `{idiom.numpy}` | `{idiom.call}` | {factor} |", flush=True)
        write(as_json(table))


def main():
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument("--elements", type=int, default=1 << 20, help="of x (default 1 M)")
    parser.add_argument("--threads", default="1,2", help="of fastrelu (default 1,2)")
    parser.add_argument("--seconds", type=float, default=1, help="for each line (default 1)")
    parser.add_argument(
        "--find", action="store_true", help=f"measure what the finder knows; write {factors.FILE}"
    )
    options = parser.parse_args()
    threads = [int(n) for n in options.threads.split(",")]

    np.ones(MAX_HEAP_ARRAY, np.uint8)  # and freed: smaller arrays then reuse their memory
    print_machine({"fastrelu": config(), "machine": machine()})
    if options.find:
        write_factors(options.elements, options.seconds, factors.FILE)
        return
    print(f"float32, {options.elements} elements: how many times faster is one pass?\n")
    columns = [counted(n, "thread") for n in threads]
    print("| by hand | time | one pass |", " | ".join(columns), "|")
    print(f"|{'---|' * (3 + len(threads))}")
    for idiom in IDIOMS:
        if not hasattr(fastrelu, idiom.function):
            continue
        check(idiom, options.elements)
        by_hand, *one_pass = measure(idiom, options.elements, threads, options.seconds)
        columns = " | ".join(f"{by_hand / seconds:.1f}" for seconds in one_pass)
        print(f"| `{idiom.numpy}` | {human(by_hand)} | `{idiom.call}` | {columns} |", flush=True)


if __name__ == "__main__":
    main()
