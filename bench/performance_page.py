"""Writes the tables of docs/performance.md and of the README from the records of the benchmarks."""

import argparse
import json
import re
import sys
import textwrap
from pathlib import Path

from fastrelu._tool.common import BadInputError, binary, counted, human, whole_file
from fastrelu._tool.find import factors

ROOT = Path(__file__).parents[1]

sys.path.insert(0, str(ROOT / "bench"))
from idioms import idioms_of_find  # noqa: E402

WIDTH = 106
PAGES = {
    "README.md": ("speed", "lost"),
    "docs/performance.md": ("numpy", "idioms", "sizes", "others", "peers", "ratios"),
}
EPILOG = """\
A table stands between <!-- begin NAME --> and <!-- end NAME --> and is replaced as a whole; tables
without a record stay. The records, each made on an otherwise idle machine:

  --numpy    python -m fastrelu --json numpy.json
  --sizes    python -m fastrelu bench --operations forward,backward --contenders numpy
             --sizes 16,64,256,1K,4K,16K,64K,256K,1M,4M,16M,64M --json sizes.json
  --others   python -m fastrelu bench --operations forward --where new,out
             --sizes 16,256,4K,64K,1M,4M,16M,64M --plot bench/forward.svg --json others.json
  --peers    python -m fastrelu bench --operations leaky,clipped,soft --where out
             --contenders torch --threads 1,2 --sizes 64K,256K,1M,4M,16M --json peers.json
  --ratios   python bench/targets.py --json ratios.json
  --idioms   python bench/idioms.py --find; by default what it has written into the package

--sizes also writes the table of the README, --others its line of lost rows.
"""
# The rows of the README: operation, output, elements.
SPEED = [
    *(("forward", "new", n) for n in (16, 1 << 12, 1 << 20, 1 << 24)),
    *(("forward", "in place", n) for n in (1 << 12, 1 << 24)),
    *(("backward", "new", n) for n in (1 << 12, 1 << 24)),
]
NUMPY = {"forward": "NumPy maximum", "backward": "NumPy multiply"}
LIBRARY_NAMES = {
    "numpy": "NumPy",
    "torch": "PyTorch",
    "onnxruntime": "ONNX Runtime",
    "numba": "Numba",
    "numexpr": "numexpr",
    "jax": "JAX",
}


def count(n):
    """Return a number of elements as the documents write it."""
    for unit, name in ((1 << 20, "M"), (1 << 10, "K")):
        if n >= unit and n % unit == 0:
            return f"{n // unit} {name}"
    return f"{n:,}"


def percent(fraction):
    return "-" if fraction is None else f"{fraction:.0%}".replace("%", " %")


def table(header, rows):
    cells = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, row))} |".replace("| --- ", "|---") for row in cells)


def paragraph(text):
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def made_by(record):
    """Return the sentence that says how, where and with what a record was made."""
    about, machine = record["fastrelu"], record["machine"]
    caches = ", ".join(f"{name} {binary(size)}" for name, size in machine["cache_bytes"].items())
    versions = [f"fastrelu {about['version']} ({about['isa in use']})", f"NumPy {about['numpy']}"]
    for name, version in record.get("bench", {}).get("versions", {}).items():
        if name != "numpy":
            versions.append(f"{LIBRARY_NAMES[name]} {version}")
    return (
        f"`{record['command']}` on {machine['cpu']}, {machine['cores']} cores, {caches}; "
        f"{', '.join(versions)}, Python {about['python']}, {about['compiler']}."
    )


def as_numpy(record):
    """Return the table of the main command."""
    rows = [
        (
            count(row["elements"]),
            row["where"],
            row["operation"],
            human(row["numpy"]["seconds"]),
            human(row["fastrelu"]["seconds"]),
            f"{row['fastrelu']['gigabytes_per_second']:.1f}",
            f"{row['times_faster']:.2f}",
            percent(row["fraction_of_copy"]),
        )
        for row in record["rows"]
    ]
    header = (
        "elements",
        "in",
        "operation",
        "NumPy",
        "fastrelu",
        "GB/s",
        "times faster",
        "of a copy",
    )
    lost = sum(row["times_faster"] < 1 for row in record["rows"])
    note = f"NumPy is faster in {lost} of {len(rows)} rows."
    return f"{paragraph(made_by(record))}\n\n{table(header, rows)}\n\n{note}"


class Bench:
    """The rows of a record of bench by contender, threads, operation, output and elements."""

    def __init__(self, record):
        self.rows = {
            tuple(
                row[name] for name in ("contender", "threads", "operation", "output", "elements")
            ): row
            for row in record["rows"]
        }
        self.threads = sorted({row["threads"] for row in self.ours()})

    def get(self, contender, threads, *case):
        return self.rows.get((contender, threads, *case))

    def ours(self):
        return [row for row in self.rows.values() if row["contender"] == "fastrelu"]

    def best_other(self, row):
        """Return the fastest row of another library with at most as many threads, or None."""
        case = ("operation", "output", "elements")
        others = [
            other
            for other in self.rows.values()
            if not other["is_limit"]
            and other["library"] != "fastrelu"
            and other["threads"] <= row["threads"]
            and all(other[name] == row[name] for name in case)
        ]
        return min(others, key=lambda other: other["seconds"], default=None)

    def with_others(self):
        """Return the pairs of a row of fastrelu and the best other."""
        pairs = [(row, self.best_other(row)) for row in self.ours()]
        return [(row, other) for row, other in pairs if other is not None]


def as_speed(record):
    """Return the table of the README."""
    bench, rows = Bench(record), []
    statements = {
        ("forward", "new"): "`relu(x)`",
        ("forward", "in place"): "`relu(x, out=x)`",
        ("backward", "new"): "`relu_backward(grad, x)`",
    }
    for operation, output, n in SPEED:
        case = operation, output, n
        ours = bench.get("fastrelu", bench.threads[-1], *case)
        if ours is None:
            continue
        numpy, copy = (bench.get(name, 1, *case) for name in (NUMPY[operation], "NumPy copy"))
        rows.append(
            (
                statements[operation, output],
                count(n),
                human(numpy["seconds"]),
                human(ours["seconds"]),
                f"{numpy['seconds'] / ours['seconds']:.1f}",
                percent(ours["gigabytes_per_second"] / copy["gigabytes_per_second"]),
            )
        )
    header = ("float32", "elements", "NumPy", "fastrelu", "times faster", "of a copy's GB/s")
    pairs = bench.with_others()
    lost = sum(other["seconds"] < row["seconds"] for row, other in pairs)
    note = f"NumPy is faster in {lost} of {len(pairs)} rows of the whole measurement."
    return f"{table(header, rows)}\n\n{paragraph(f'{made_by(record)} {note}')}"


def as_sizes(record):
    """Return the table of time by size."""
    bench = Bench(record)
    columns = [(op, threads) for op in ("forward", "backward") for threads in bench.threads]
    rows = []
    for n in sorted({row["elements"] for row in bench.ours()}):
        found = [bench.get("fastrelu", threads, op, "out=", n) for op, threads in columns]
        rows.append(
            (
                count(n),
                "/".join(dict.fromkeys(row["held_in"] for row in found)),
                *(f"{row['ns_per_element']:.2g} ({percent(row['of_limit'])})" for row in found),
            )
        )
    names = [f"{op}, {counted(threads, 'thread')}" for op, threads in columns]
    return f"{paragraph(made_by(record))}\n\n{table(('elements', 'in', *names), rows)}"


def as_others(record):
    """Return the table beside other libraries."""
    rows = [
        (
            row["output"],
            count(row["elements"]),
            row["held_in"],
            row["threads"],
            human(row["seconds"]),
            f"{row['gigabytes_per_second']:.1f}",
            percent(row["of_limit"]),
            f"{other['contender']}, {other['threads']}",
            human(other["seconds"]),
            f"{other['seconds'] / row['seconds']:.2f}"
            + (" (lost)" if other["seconds"] < row["seconds"] else ""),
        )
        for row, other in Bench(record).with_others()
    ]
    header = (
        "output",
        "elements",
        "in",
        "threads",
        "fastrelu",
        "GB/s",
        "of a copy",
        "best other, threads",
        "its time",
        "times faster",
    )
    return f"{paragraph(made_by(record))}\n\n{table(header, rows)}"


def as_peers(record):
    """Return the table of the time of another library over fastrelu's, for several operations."""
    bench = Bench(record)
    groups = {}
    for row, other in bench.with_others():
        key = (row["operation"], row["elements"])
        groups.setdefault(key, {})[row["threads"]] = (row, other)
    rows = [
        (
            operation,
            count(n),
            *(
                f"{human(row['seconds'])}, {human(other['seconds'])} "
                f"({other['seconds'] / row['seconds']:.2f})"
                for row, other in (pairs[threads] for threads in bench.threads)
            ),
        )
        for (operation, n), pairs in groups.items()
    ]
    names = [counted(threads, "thread") for threads in bench.threads]
    return f"{paragraph(made_by(record))}\n\n{table(('operation', 'elements', *names), rows)}"


def as_lost(record):
    """Return the line of the README on the rows that another library wins."""
    pairs = Bench(record).with_others()
    lost = [
        f"{count(row['elements'])} elements, {OUTPUTS[row['output']]}, threads: {row['threads']} "
        f"({other['seconds'] / row['seconds']:.2f}, {other['contender']})"
        for row, other in pairs
        if other["seconds"] < row["seconds"]
    ]
    *names, last = (LIBRARY_NAMES[name] for name in record["bench"]["versions"])
    others = f"{', '.join(names)} and {last}" if names else last
    text = f"Beside {others}, fastrelu is the slower one in {len(lost)} of {len(pairs)} rows"
    return paragraph(f"{text}{': ' if lost else ''}{'; '.join(lost)}. {LINK}")


OUTPUTS = {"new": "new output", "out=": "`out=`", "in place": "in place"}
LINK = "[All tables](docs/performance.md)."


def name_of(case):
    """Return a case of targets.py, a ratio of statements and maybe a view, in Markdown."""
    statements, _, view = case.partition(": ")
    return f"`{statements}`{', ' if view else ''}{view}"


def as_ratios(record):
    """Return the table of targets, rows of the same case, target and sizes together."""
    groups = {}
    for row in [*record["targets"], *record["large"]]:
        sizes = groups.setdefault((row["case"], row["target"]), {})
        sizes.setdefault(row["n"], []).append(row)
    rows = [
        (
            name_of(case),
            ", ".join(dict.fromkeys(row["dtype"] for found in sizes.values() for row in found)),
            "; ".join(count(n) for n in sizes),
            "; ".join(
                ", ".join(f"{row['ratio']:.2f}" for row in found) for found in sizes.values()
            ),
            target,
        )
        for (case, target), sizes in groups.items()
    ]
    over = [row for row in record["layouts"] if row["ratio"] > 1]
    worst = "; ".join(
        f"{row['layout']} {row['dtype']}, {count(row['n'])} ({row['ratio']:.2f})" for row in over
    )
    machine = record["machine"]
    made = (
        f"`python bench/targets.py` on {machine['processor']}; fastrelu {machine['version']} "
        f"({machine['isa in use']}), NumPy {machine['numpy']}, Python {machine['python']}, "
        f"{machine['compiler']}."
    )
    note = (
        f"Over all layouts, dtypes and sizes, `np.maximum(0, x)` is faster in {len(over)} of "
        f"{len(record['layouts'])} rows{': ' if over else ''}{worst}."
    )
    header = ("case", "dtypes", "elements", "time over the other's", "target")
    return f"{paragraph(made)}\n\n{table(header, rows)}\n\n{paragraph(note)}"


def as_idioms(record):
    """Return the table of the idioms that find knows."""
    idioms = idioms_of_find()
    found = record["factors"]
    rows = [
        (
            *(f"`{code}`".replace("|", "\\|") for code in (idioms[name].numpy, idioms[name].call)),
            f"{factor:g}{' (lost)' if factor < 1 else ''}",
        )
        for name, factor in sorted(found.items(), key=lambda pair: -pair[1])
    ]
    made = (
        f"`python bench/idioms.py --find` on {record['cpu']}: {record['dtype']}, "
        f"{count(record['elements'])} elements, processor time on one thread; fastrelu "
        f"{record['fastrelu']} ({record['isa']}), NumPy {record['numpy']}."
    )
    return f"{paragraph(made)}\n\n{table(('NumPy', 'fastrelu', 'times faster'), rows)}"


# For each option, the tables that its record gives.
TABLES = {
    "numpy": {"numpy": as_numpy},
    "sizes": {"sizes": as_sizes, "speed": as_speed},
    "others": {"others": as_others, "lost": as_lost},
    "peers": {"peers": as_peers},
    "ratios": {"ratios": as_ratios},
    "idioms": {"idioms": as_idioms},
}


def replace(page, name, text):
    """Return a page with another table between the markers of that name."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    pattern = re.compile(f"{begin}\n.*?{end}", re.DOTALL)
    page, times = pattern.subn(lambda _: f"{begin}\n{text}\n{end}", page)
    if times != 1:
        raise SystemExit(f"{begin} ... {end}: found {times} times, not once")
    return page


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for option in TABLES:
        parser.add_argument(f"--{option}", type=Path, metavar="RECORD.json")
    parser.set_defaults(idioms=Path(factors.FILE))
    parser.add_argument("--root", type=Path, default=ROOT, help="the folder of README.md and docs/")
    options = vars(parser.parse_args(argv))
    found = {}
    for option, tables in TABLES.items():
        if options[option] is not None:
            record = json.loads(options[option].read_text(encoding="utf-8"))
            found |= {name: as_table(record) for name, as_table in tables.items()}
            for warning in record.get("noise", {}).get("warnings", []):
                print(f"{options[option]}: {warning}")
    for path, names in PAGES.items():
        page = options["root"] / path
        text = page.read_text(encoding="utf-8")
        for name in names:
            if name in found:
                text = replace(text, name, found[name])
        try:
            with whole_file("--root", page) as write:
                write(text.encode())
        except BadInputError as error:
            parser.error(str(error))


if __name__ == "__main__":
    main()
