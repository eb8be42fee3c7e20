"""Writes what docs/results.md shows of bench/results: figures, a table of machines, and losses."""

import json
import sys
from html import escape
from pathlib import Path

import pictures
import vl_convert

from fastrelu._tool.common import binary, human

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "docs" / "_static" / "vega.js"
FIGURES = ROOT / "build" / "results.html"
TABLES = ROOT / "build" / "results.md"

sys.path.insert(0, str(ROOT / "bench"))
import results  # noqa: E402

COLOURS = [getattr(pictures, name) for name in ("BLUE", "ORANGE", "GREEN", "VIOLET", "GREY")]
# What the figures can be of, by the name of a row's member.
CHOICES = ("operation", "output", "dtype", "threads")
FASTEST = "fastest"
CAPTIONS = {
    "faster": "How many times faster than the fastest other library. Below 1, a red triangle, "
    "fastrelu is slower.",
    "time": "Time per element in ns. Dashed: the fastest other library.",
    "speed": "GB/s. Dashed: the fastest copy.",
}


def load():
    """Return the records that hold more than layers."""
    found = map(results.load, sorted(results.FOLDER.glob("*.json")))
    return [result for result in found if results.rows_to_draw([result])]


def rows_of(result):
    """Return what the figures and tables need of each row of fastrelu in a record."""
    ours = [row for row in result.ours().values() if not row["operation"].startswith("layer")]
    found = []
    for row in ours:
        other, copy = result.best_other(row), result.best_copy(row)
        alike = [of for of in ours if all(of[name] == row[name] for name in results.CASE)]
        found.append(
            {
                "machine": result.name,
                **{name: row[name] for name in (*results.CASE, "threads")},
                FASTEST: row is min(alike, key=lambda of: of["seconds"]),
                "time": row["ns_per_element"],
                "time besides": other and other["ns_per_element"],
                "speed": row["gigabytes_per_second"],
                "speed besides": copy and copy["gigabytes_per_second"],
                "faster": other and other["seconds"] / row["seconds"],
                "fastrelu": timed(row),
                "other": other and f"{other['contender']}: {timed(other)}",
            }
        )
    return found


def timed(row):
    threads = row["threads"]
    return f"{human(row['seconds'])}, {threads} thread{'s' if threads > 1 else ''}"


def figures(records):
    """Return the HTML of the figures: what is chosen, and the data for _static/results.js."""
    rows = [row for record in records for row in rows_of(record)]
    choices = {name: dict.fromkeys(row[name] for row in rows) for name in CHOICES}
    choices["threads"] = {FASTEST: None} | dict.fromkeys(sorted(choices["threads"]))
    selects = [
        f'<label>{name} <select name="{name}">'
        f"{''.join(f'<option>{escape(str(value))}</option>' for value in values)}</select></label>"
        for name, values in choices.items()
    ]
    machines = [
        f'<label style="--colour: {colour}"><input type="checkbox" name="machine" '
        f'value="{escape(record.name)}" checked> {escape(record.heading)}</label>'
        for record, colour in colours_of(records)
    ]
    data = {
        "rows": rows,
        "colours": {record.name: colour for record, colour in colours_of(records)},
        "captions": CAPTIONS,
        "red": pictures.RED,
        "grey": pictures.GREY,
    }
    text = json.dumps(data).replace("<", "\\u003c")
    return "\n".join(
        [
            f'<form class="results" autocomplete="off">{"".join(selects)}',
            f'<fieldset aria-label="machines">{"".join(machines)}</fieldset></form>',
            '<p class="results-none" hidden>No machine was measured so.</p>',
            "<noscript><p>The figures need JavaScript; the tables below do not.</p></noscript>",
            *(
                f'<figure class="results"><figcaption>{escape(caption)}</figcaption>'
                f'<div id="results-{name}"></div></figure>'
                for name, caption in CAPTIONS.items()
            ),
            f'<script type="application/json" id="results-data">{text}</script>',
            '<script defer src="_static/vega.js"></script>',
            '<script defer src="_static/results.js"></script>\n',
        ]
    )


def colours_of(records):
    return [(record, COLOURS[i % len(COLOURS)]) for i, record in enumerate(records)]


def table(header, rows):
    cells = [
        [escape(str(cell), quote=False).replace("|", "\\|") for cell in row]
        for row in (header, *rows)
    ]
    lines = [cells[0], ["---"] * len(header), *cells[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables(records):
    """Return the tables in Markdown: of the machines, and of every row that fastrelu loses."""
    machines = []
    for record in records:
        about, here = record.record["fastrelu"], record.record["machine"]
        caches = ", ".join(f"{name} {binary(size)}" for name, size in here["cache_bytes"].items())
        versions = record.record.get("bench", {}).get("versions", {"numpy": about["numpy"]})
        machines.append(
            (
                record.name,
                f"{here['cpu']}, {here['cores']} cores, {caches}",
                f"{about['version']} ({about['isa in use']})",
                ", ".join(f"{name} {version}" for name, version in versions.items()),
                f"`{record.record['command']}`",
                "; ".join(record.warnings()) or "-",
            )
        )
    rows = [row for record in records for row in rows_of(record)]
    lost = sorted((row for row in rows if (row["faster"] or 1) < 1), key=lambda row: row["faster"])
    losses = [
        (
            row["machine"],
            f"{row['operation']}, {row['output']}, {row['dtype']}",
            f"{row['elements']:,}",
            row["fastrelu"],
            row["other"],
            f"{row['faster']:.2f}",
        )
        for row in lost
    ]
    compared = sum(row["faster"] is not None for row in rows)
    return f"""\
## Losses

fastrelu is slower than the fastest other library in {len(lost)} of {compared} rows.

{table(("machine", "what", "elements", "fastrelu", "other", "times faster"), losses)}

## Machines

{table(("name", "machine", "fastrelu", "beside", "command", "remark"), machines)}
"""


def write_all():
    """Write the figures, the tables and the library that draws."""
    records = load()
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(figures(records), "utf-8")
    TABLES.write_text(tables(records), "utf-8")
    # a function of its own, for its names are short
    LIBRARY.write_text(f"(() => {{{vl_convert.javascript_bundle()}}})();\n", "utf-8")
