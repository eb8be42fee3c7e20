"""Measures the project's targets, each as a ratio of times, interleaved in one run."""

import argparse
import platform
import subprocess
import sys
from pathlib import Path
from timeit import Timer

import numpy as np

import fastrelu
from fastrelu._tool import compare
from fastrelu._tool.common import BadInputError, as_json, whole_file
from fastrelu._tool.operations import KERNEL_TYPES, OPERATIONS

DESCRIPTION = "Measure the project's targets, each as a ratio of times, interleaved in one run."

SMALL, MEDIUM, LARGE = 16, 16_384, 1_000_000
BEYOND_CACHES = [1_000_000, 4_000_000, 16_000_000, 64_000_000]

# Measures the import alone; -P keeps the folder of the sources off sys.path.
IMPORT = (
    "import numpy, time; t = time.perf_counter(); import fastrelu; print(time.perf_counter()-t)"
)
IMPORT_LIMIT = 0.015


def ratio(ours, theirs, names, rounds, seconds):
    """Return the minimum time of one statement over that of another, interleaved."""
    setup = "\n".join(f"{name} = names[{name!r}]" for name in names)
    timers = [Timer(statement, setup, globals={"names": names}) for statement in (ours, theirs)]
    numbers = []
    for timer in timers:
        once = timer.timeit(1)
        if once < seconds:
            once = min(timer.timeit(10) / 10, timer.timeit(10) / 10)
        numbers.append(max(1, int(seconds / once)))
    best = [float("inf")] * 2
    for _ in range(rounds):
        for i, timer in enumerate(timers):
            best[i] = min(best[i], timer.timeit(numbers[i]) / numbers[i])
    return best[0] / best[1]


def sample(n, dtype):
    """Return n random numbers, about half of them negative if the type is signed."""
    numbers = np.random.default_rng(0).integers(-99, 99, n)
    if np.dtype(dtype).kind == "u":
        numbers = abs(numbers)
    return numbers.astype(dtype)


def names_for(x, out=None):
    """Return the names of the statements: functions, and arrays made from x."""
    has_kernels = x.dtype.char in KERNEL_TYPES
    return FUNCTIONS | {
        "x": x,
        "m": fastrelu.relu_with_mask(x)[1] if has_kernels else None,
        "g": x[::-1].copy(),
        "y": np.empty_like(x) if out is None else out,
    }


NUMPY = ("add", "clip", "copyto", "maximum", "multiply", "negative", "sign", "where")
FUNCTIONS = {
    **{name: getattr(np, name) for name in NUMPY},
    **{name: getattr(fastrelu, name) for name in OPERATIONS},
    "relu_backward_from_mask": fastrelu.relu_backward_from_mask,
    **{
        name: getattr(fastrelu, name)
        for name in ("relu_sum", "relu_mean", "activity", "dead_units")
    },
}


def cases():
    """Yield our statement, the one to compare it to, elements, dtype and the largest ratio."""
    for dtype in ("float32", "float64"):
        yield "relu(x)", "maximum(0, x)", SMALL, dtype, 0.15
        yield "relu(x)", "negative(x)", SMALL, dtype, 0.5
        yield "relu(x, out=y)", "maximum(0, x, out=y)", SMALL, dtype, 0.10
        yield "relu_backward(g, x)", "g * (x > 0)", SMALL, dtype, 0.15
    for limit, dtypes in (
        (1.15, ("float32", "float64")),
        (1.4, ("int32", "int64")),
        (1.6, ("int8", "int16", "float16")),
    ):
        for dtype in dtypes:
            yield "relu(x, out=y)", "copyto(y, x)", MEDIUM, dtype, limit
    yield "relu_backward(g, x, out=y)", "multiply(g, x > 0, out=y)", MEDIUM, "float32", 0.35
    yield "subtract_relu(x, 100.0)", "maximum(x - 100.0, 0)", SMALL, "float64", 0.15


def row_cases():
    """Yield our statement, the one to compare it to, the names of both and the largest ratio."""
    # b is added to z again and again, so it holds nothing above zero: z cannot overflow. After the
    # first call relu meets no value below zero there; its time does not depend on the values.
    z = sample(4096 * 256, "float32").reshape(4096, 256)
    names = FUNCTIONS | {"z": z, "b": np.minimum(sample(256, "float32"), 0)}
    ours = "add_relu(z, b, out=z)"
    yield ours, "relu(z, out=z)", names, z, 1.15
    yield ours, "add(z, b, out=z); maximum(z, 0, out=z)", names, z, 0.15
    x = sample(3200, "float32").reshape(32, 100)
    yield "add_relu(x, b)", "maximum(0, x + b)", FUNCTIONS | {"x": x, "b": x[0].copy()}, x, 0.15
    x = sample(LARGE, "float32")
    names = FUNCTIONS | {"x": x, "y": x[::-1].copy(), "w": np.empty_like(x)}
    yield "add_relu(x, y, out=w)", "add(x, y, out=w)", names, x, 1.05


def parameter_cases():
    """Yield the same for the operations with a parameter, which is a number here."""
    x = sample(LARGE, "float32")
    names = names_for(x)
    ours = "leaky_relu(x, 0.01, out=y)"
    yield ours, "copyto(y, x)", names, x, 1.15
    yield ours, "where(x > 0, x, 0.01 * x)", names, x, 0.05
    yield ours, "maximum(x, 0.01 * x)", names, x, 0.4
    ours = "leaky_relu_backward(g, x, 0.01, out=y)"
    yield ours, "relu_backward(g, x, out=y)", names, x, 1.1
    ours = "clipped_relu(x, 6, out=y)"
    yield ours, "copyto(y, x)", names, x, 1.15
    yield ours, "clip(x, 0, 6, out=y)", names, x, 0.8
    ours = "soft_threshold(x, 0.5, out=y)"
    yield ours, "copyto(y, x)", names, x, 1.2
    yield ours, "sign(x) * maximum(abs(x) - 0.5, 0)", names, x, 0.08
    x = sample(SMALL, "float32")
    names = names_for(x)
    names["grad"] = names["g"]
    for row in compare.OPERATIONS:
        if row.function.startswith(("leaky", "clipped", "soft")):
            yield row.fastrelu, row.numpy, names, x, 0.15


def reduction_cases():
    """Yield the same as row_cases()."""
    x = sample(LARGE, "float32")
    names = FUNCTIONS | {"x": x, "K": np.float32(30)}
    yield "relu_sum(x)", "x.sum()", names, x, 0.6
    yield "relu_mean(x, threshold=K)", "x.sum()", names, x, 0.6
    yield "relu_mean(x, threshold=K)", "maximum(x - K, 0).mean()", names, x, 0.08
    x = sample(4096 * 256, "float32").reshape(4096, 256)
    names = FUNCTIONS | {"x": x, "z": -abs(x)}
    yield "activity(x)", "(x > 0).mean(0)", names, x, 0.12
    yield "dead_units(x)", "(x <= 0).all(0)", names, x, 0.5
    yield "dead_units(z)", "(z <= 0).all(0)", names, x, 1  # all dead: it is read to the end
    few = sample(LARGE // 3 * 3, "float32").reshape(3, -1)
    names = FUNCTIONS | {"three_rows": few}
    yield "relu_sum(three_rows, 0)", "maximum(three_rows, 0).sum(0)", names, few, 1
    yield "relu_mean(three_rows, 0)", "maximum(three_rows, 0).mean(0)", names, few, 1
    yield "activity(three_rows)", "(three_rows > 0).mean(0)", names, few, 1
    yield "dead_units(three_rows)", "(three_rows <= 0).all(0)", names, few, 1
    x = sample(SMALL, "float32")
    names = FUNCTIONS | {"x": x}
    yield "relu_sum(x)", "maximum(x - 0.5, 0).sum()", names, x, 0.15
    yield "relu_mean(x, threshold=0.5)", "maximum(x - 0.5, 0).mean()", names, x, 0.15


def mask_cases():
    """Yield the same, and the instruction set, for each with vectors."""
    for isa, functions in fastrelu.implementations.items():
        if isa != "scalar":
            for n in (4096, 16_384, 65_536):
                x = sample(n, "float32")
                of_isa = {"relu": functions.relu, "relu_with_mask": functions.relu_with_mask}
                names = names_for(x) | of_isa
                yield isa, "relu_with_mask(x, out=y, mask=m)", "relu(x, out=y)", names, x, 1.3


def large_cases():
    """Yield the same as cases() for sizes that several threads process or that exceed caches."""
    for n in BEYOND_CACHES:
        yield "relu(x)", "maximum(0, x)", n, "float32", 0.12
        yield "relu(x)", "relu(x, out=y)", n, "float32", 1.1
    for n in BEYOND_CACHES[2:]:
        ours, theirs = "relu_backward_from_mask(g, m, out=y)", "relu_backward(g, x, out=y)"
        yield ours, theirs, n, "float32", 0.85


VIEWS = {
    "column block": lambda n: (tall(n)[:, 3 : 3 + side(n)], None),
    "columns of 264": lambda n: (sample(n // 264 * 280, "f4").reshape(-1, 280)[:, :264], None),
    "columns of 64": lambda n: (sample(2 * n, "f4").reshape(-1, 128)[:, :64], None),
    "columns of 8": lambda n: (sample(2 * n, "f4").reshape(-1, 16)[:, :8], None),
    "columns of 3": lambda n: (sample(n // 3 * 8, "f4").reshape(-1, 8)[:, :3], None),
    "transposed": lambda n: (square(n, "f4").T, square(n, "f4")),
    "stepped rows": lambda n: (tall(n).reshape(-1, side(n))[::2], None),
    "reversed rows": lambda n: (square(n, "f4")[::-1], None),
    "column blocks in both": lambda n: (tall(n)[:, 3 : 3 + side(n)], tall(n)[:, 5 : 5 + side(n)]),
    "step 2 in": lambda n: (sample(2 * n, "f4")[::2], None),
    "step 2 out": lambda n: (sample(n, "f4"), sample(2 * n, "f4")[::2]),
    "step 2 in both": lambda n: (sample(2 * n, "f4")[::2], sample(2 * n, "f4")[::2]),
}


def target_row(case, x, measured, target):
    """Return a row of the report; x is the array whose type and size the row names."""
    row = {"case": case, "dtype": x.dtype.name, "n": x.size, "ratio": measured}
    return row | {"target": target, "met": measured <= target}


def measure_views(sizes, rounds, seconds):
    rows = []
    for view, make in VIEWS.items():
        for n in sizes:
            x, out = make(n)
            out = np.ones(x.shape, x.dtype) if out is None else out
            measured = ratio("relu(x, out=y)", "copyto(y, x)", names_for(x, out), rounds, seconds)
            target = 1.5 if "step 2" in view else 1.15
            case = f"relu(x, out=y) / copyto(y, x): {view}"
            rows.append(target_row(case, x, measured, target) | {"n": n})
    return rows


def measure_cases(cases, rounds, seconds):
    rows = []
    for ours, theirs, n, dtype, target in cases:
        x = sample(n, dtype)
        measured = ratio(ours, theirs, names_for(x), rounds, seconds)
        rows.append(target_row(f"{ours} / {theirs}", x, measured, target))
    return rows


def measure_on_one_thread(rounds, seconds):
    """Measure the cases whose arrays are not those of names_for."""
    rows = []
    with fastrelu.num_threads(1):
        for ours, theirs, names, x, target in [
            *row_cases(),
            *parameter_cases(),
            *reduction_cases(),
        ]:
            measured = ratio(ours, theirs, names, rounds, seconds)
            rows.append(target_row(f"{ours} / {theirs}", x, measured, target))
        for isa, ours, theirs, names, x, target in mask_cases():
            measured = ratio(ours, theirs, names, rounds, seconds)
            rows.append(target_row(f"{ours} / {theirs}: {isa}", x, measured, target))
    return rows


def measure_import(rounds):
    def once():
        command = [sys.executable, "-P", "-c", IMPORT]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    return min(once() for _ in range(rounds))


# Each returns x and out, or None for a new output, of about n elements each.
LAYOUTS = {
    "contiguous": lambda n, dtype: (sample(n, dtype), None),
    "contiguous, out=": lambda n, dtype: (sample(n, dtype), np.empty(n, dtype)),
    "in place": lambda n, dtype: (x := sample(n, dtype), x),
    "step-2 input": lambda n, dtype: (sample(2 * n, dtype)[::2], np.empty(n, dtype)),
    "step-2 output": lambda n, dtype: (sample(n, dtype), np.empty(2 * n, dtype)[::2]),
    "step-2 both": lambda n, dtype: (sample(2 * n, dtype)[::2], np.empty(2 * n, dtype)[::2]),
    "reversed": lambda n, dtype: (sample(n, dtype)[::-1], np.empty(n, dtype)),
    "shifted overlap": lambda n, dtype: ((x := sample(n + 4, dtype))[4:], x[:-4]),
    "interleaved": lambda n, dtype: ((x := sample(2 * n, dtype))[::2], x[1::2]),
    "transposed": lambda n, dtype: (square(n, dtype).T, np.empty_like(square(n, dtype))),
    "column block": lambda n, dtype: (np.tile(square(n, dtype), 2)[:, 1 : side(n) + 1], None),
    "narrow columns": lambda n, dtype: (sample(n // 2 * 8, dtype).reshape(-1, 8)[:, :2], None),
    "Fortran": lambda n, dtype: (np.asfortranarray(square(n, dtype)), None),
    "byte-swapped": lambda n, dtype: (swapped(sample(n, dtype)), None),
    "misaligned": lambda n, dtype: (misaligned(sample(n, dtype)), None),
    "broadcast": lambda n, dtype: (np.broadcast_to(sample(side(n), dtype), (side(n),) * 2), None),
}
DTYPES = [*"bBhHiIlLefdgFDG?", "m8[s]", "O"]


def side(n):
    return int(n**0.5)


def square(n, dtype):
    return sample(side(n) ** 2, dtype).reshape(side(n), side(n))


def tall(n):
    return sample(2 * side(n) ** 2, "float32").reshape(side(n), 2 * side(n))


def swapped(x):
    return x.astype(x.dtype.newbyteorder())


def misaligned(x):
    return np.frombuffer(b" " + x.tobytes(), np.uint8)[1:].view(x.dtype)


def measure_layout(layout, dtype, n, rounds, seconds):
    x, out = LAYOUTS[layout](n, dtype)
    given = "" if out is None else ", out=y"
    if out is not None and dtype == "?":
        out = np.empty(x.shape, int)
    pair = f"relu(x{given})", f"maximum(0, x{given})"
    measured = ratio(*pair, names_for(x, out), rounds, seconds)
    if measured > 1:  # confirm with more rounds
        measured = min(measured, ratio(*pair, names_for(x, out), 4 * rounds, seconds))
    return {"layout": layout, "dtype": np.dtype(dtype).name, "n": n, "ratio": measured}


def measure_layouts(sizes, rounds, seconds):
    return [
        measure_layout(layout, dtype, n, rounds, seconds)
        for layout in LAYOUTS
        for dtype in DTYPES
        if (layout, dtype) != ("misaligned", "O")
        for n in sizes
    ]


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def show(title, header, rows):
    print(f"\n{title}")
    for name, *cells in [header, *rows]:
        print(f"{name:63}", *(f"{cell:>12}" for cell in cells))


def show_targets(report):
    rows = [
        [row["case"], row["dtype"], row["n"], f"{row['ratio']:.3f}", row["target"], row["met"]]
        for row in report["targets"] + report["large"]
    ]
    took = report["import"]
    rows.append(["import fastrelu, s", "", "", f"{took:.3f}", IMPORT_LIMIT, took <= IMPORT_LIMIT])
    for row in rows:
        row[-1] = "met" if row[-1] else "NOT met"
    show("targets", ("case", "dtype", "elements", "ratio", "at most", ""), rows)


def show_layouts(report):
    rows = report["layouts"]
    worst = {(row["layout"], row["dtype"]): row for row in sorted(rows, key=lambda r: r["ratio"])}
    show(
        "relu(x) / maximum(0, x): the worst size of each layout and dtype, and all over 1",
        ("layout", "dtype", "elements", "ratio", ""),
        [
            (*list(row.values())[:3], f"{row['ratio']:.3f}", "OVER 1" * (row["ratio"] > 1))
            for row in rows
            if row["ratio"] > 1 or row is worst[row["layout"], row["dtype"]]
        ],
    )
    print(f"\n{sum(row['ratio'] > 1 for row in rows)} of {len(rows)} rows over 1")


def main():
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument("--json", metavar="FILE", help="also write the figures here")
    parser.add_argument("--short", action="store_true", help="only check that everything runs")
    options = parser.parse_args()
    try:
        with whole_file("--json", options.json) as write:
            write(as_json(run(options)))
    except BadInputError as error:
        parser.error(str(error))


def run(options):
    """Measure and print; return the figures."""
    rounds, seconds = (1, 1e-5) if options.short else (40, 1e-3)
    sizes = [SMALL, 1000] if options.short else [SMALL, 1000, MEDIUM, LARGE]
    report = {
        "machine": {"processor": processor()} | fastrelu.show_config(mode="dicts"),
        "targets": measure_cases(cases(), rounds, seconds) + measure_on_one_thread(rounds, seconds),
        "large": []
        if options.short
        else measure_cases(large_cases(), rounds // 2, 20 * seconds)
        + measure_views([MEDIUM, 1 << 20, 1 << 24], rounds // 4, seconds),
        "import": measure_import(1 if options.short else 10),
        "layouts": measure_layouts(sizes, max(1, rounds // 8), seconds),
    }
    for name, value in report["machine"].items():
        print(f"{name:16}  {', '.join(value) if isinstance(value, list) else value}")
    show_targets(report)
    show_layouts(report)
    return report


if __name__ == "__main__":
    main()
