"""The reports of the benchmark: text, the change since an earlier run, and a page of HTML."""

import base64
import html
import statistics
import textwrap

from fastrelu._tool.common import binary, human, milliseconds
from fastrelu._tool.compare import MIN_ROUNDS

from .measure import MAX_CALLS, MAX_REST_SECONDS, MIN_CALLS, REST_SECONDS

NOISY_SPREAD = 0.25
NOISY_FRACTION = 0.25
BUSY_FRACTION = 0.05

HEADER = (
    f"{'elements':>10}  {'where':5} {'threads':>7} {'fastrelu':>8} {'±':>5} {'ns/elem':>7}"
    f" {'GB/s':>7} {'limit':>6}  {'best other':16} {'time':>8} {'faster':>8}"
)
HOT = "Times: the fastest of interleaved rounds, of calls that follow each other"
AFTER_GAPS = """\
Times: the fastest of {rounds} interleaved rounds, each the median of {least} to {most}
single calls, each call after {gap} of other work: Python code in the calling thread, which leaves
the arrays in the caches"""
NOTES = """\
{times}; ±: how far the median round lies above it. A rest of {rest} comes before each round, of up
to {most_rest} while any thread of this process is busy, for some pools keep theirs awake. GB/s: the
bytes that must be read and written (operands and output; a row counts once, a mask as a bit per
element), divided by the time. limit: this GB/s divided by that of the best copy with at most as
many threads, timed in the same rounds between arrays that occupy as much memory. "new" uses the
allocator of each library; some reuse memory from call to call. "in place" uses less memory than any
copy; from the second call on, its operand holds what the first call left: no value below zero, or
ever smaller ones for leaky and soft. With few elements the overhead of a call dominates, for a copy
too. best other: the fastest other library with at most as many threads; its number of threads
follows the x. add: x + b, b an array; add row: b a row of a matrix; subtract: x - 1; leaky: slope
0.01; clipped: at 6; soft: threshold 0.5. Outputs were checked by value before timing. Arrays of the
benchmark are aligned to 64 bytes; those that NumPy allocates often are not."""
BEST_COPY = "best copy"
GROUP = ("operation", "output", "dtype")
ROW_KEY = ("contender", "threads", "operation", "output", "dtype", "elements")


def heading(case):
    """Return the line above the lines of one operation, output and type."""
    return f"{case.operation}, {case.output}, {case.dtype}"


def lines(outcome, every=False):
    """
    Return the lines of a case: one for each number of threads of fastrelu.

    Parameters
    ----------
    outcome : Outcome
    every : bool, optional
        Whether to add a line for each contender and copy.
    """
    found = []
    for row in outcome.rows:
        if row.contender == "fastrelu":
            other = outcome.best_other(row.threads)
            text = f"{row.elements:>10,}  {row.held_in:5} {row.threads:>7} {_figures(row, outcome)}"
            if other is not None:
                faster = other.seconds / row.seconds
                mark = "!" if faster < 1 else ""
                text += f"  {other.contender} x{other.threads}".ljust(19)
                text += f"{human(other.seconds):>8} {faster:>7.2f}x{mark}"
            found.append(text)
    if every:
        for row in outcome.rows:
            if row.contender != "fastrelu":
                name = f"  {row.contender}"
                found.append(f"{name:17} {row.threads:>7} {_figures(row, outcome)}")
    return found


def notes(gap):
    """Return what the figures mean, as a paragraph; the gap is in seconds."""
    times = HOT
    if gap:
        times = AFTER_GAPS.format(
            rounds=MIN_ROUNDS, least=MIN_CALLS, most=MAX_CALLS, gap=milliseconds(gap)
        )
    text = NOTES.format(
        times=times,
        rest=milliseconds(REST_SECONDS),
        most_rest=milliseconds(MAX_REST_SECONDS),
    )
    return textwrap.fill(text, 100)


def scaling(rows):
    """
    Return the GB/s by the number of threads, from the rows of a record.

    Returns
    -------
    dict
        From (operation, output, dtype) to a dict from the elements to a dict from each contender,
        and the best of the copies, to a dict from the number of threads to GB/s.
    """
    found = {}
    for row in rows:
        group = found.setdefault(tuple(row[name] for name in ("operation", "output", "dtype")), {})
        name = BEST_COPY if row["is_limit"] else row["contender"]
        speeds = group.setdefault(row["elements"], {}).setdefault(name, {})
        speed = row["gigabytes_per_second"]
        speeds[row["threads"]] = max(speed, speeds.get(row["threads"], speed))
    return found


def scaling_lines(rows):
    """Return the lines of a table of the GB/s by the number of threads."""
    threads = sorted({row["threads"] for row in rows})
    heads = "".join(f"{n:>7}" for n in threads)
    for group, sizes in scaling(rows).items():
        yield f"\n{', '.join(group)}: GB/s by the number of threads"
        yield f"{'elements':>10}  {'':16}{heads}"
        for elements, speeds in sizes.items():
            size = f"{elements:,}"
            for name, of in speeds.items():
                figures = "".join(f"{of[n]:>7.1f}" if n in of else f"{'-':>7}" for n in threads)
                yield f"{size:>10}  {name:16}{figures}"
                size = ""


def groups_of(rows):
    """Return the rows of a record by the name of their operation, output and type."""
    found = {}
    for row in rows:
        found.setdefault(", ".join(row[name] for name in GROUP), []).append(row)
    return found


def beside(rows):
    """Return each row of fastrelu in a record, and the fastest other with at most its threads."""
    others = {}
    for row in rows:
        if row["library"] != "fastrelu" and not row["is_limit"]:
            others.setdefault(_case_of(row), []).append(row)
    found = []
    for row in rows:
        if row["contender"] == "fastrelu":
            best = min(
                (of for of in others.get(_case_of(row), []) if of["threads"] <= row["threads"]),
                key=lambda of: of["seconds"],
                default=None,
            )
            if best is not None:
                found.append((row, best))
    return found


def summary(rows):
    """Return a line that compares fastrelu with the best of the others, from a record's rows."""
    ratios = [other["seconds"] / row["seconds"] for row, other in beside(rows)]
    if not ratios:
        return "No other library was timed."
    slower = sum(ratio < 1 for ratio in ratios)
    return (
        f"fastrelu is faster than the best other in {len(ratios) - slower} of {len(ratios)} lines; "
        f"{min(ratios):.2f}x to {max(ratios):.2f}x, median {statistics.median(ratios):.2f}x."
    )


def left_out(outcomes, missing):
    """Return lines that name what was not timed, and why, except calls that a library lacks."""
    sizes, refusals = {}, {}
    for outcome in outcomes:
        case = outcome.case
        if outcome.reason is not None:
            sizes.setdefault(outcome.reason, {})[f"{case.elements:,} {case.dtype}"] = None
        for entry in outcome.left_out:
            refusals.setdefault((entry.contender, entry.reason), []).append(case)
    return [
        *(f"Left out: {library}: {reason}." for library, reason in missing.items()),
        *(
            f"Left out: {name} ({_extent(cases)}): {reason}."
            for (name, reason), cases in refusals.items()
        ),
        *(f"Left out for {reason}: {'; '.join(found)}." for reason, found in sizes.items()),
    ]


def noise(rows, busy_cores, cores):
    """
    Return the part of the record on noise: figures, and warnings if there is too much.

    Parameters
    ----------
    rows : list of Row
    busy_cores : float or None
        How many cores other processes kept busy, if known.
    cores : int
    """
    warnings = []
    wide = sum(row.spread > NOISY_SPREAD for row in rows) / len(rows) if rows else 0
    if wide > NOISY_FRACTION:
        warnings.append(
            f"too noisy to rely on: in {wide:.0%} of the rows the median round took over "
            f"{NOISY_SPREAD:.0%} longer than the fastest."
        )
    if busy_cores is not None and busy_cores > BUSY_FRACTION * cores:
        warnings.append(
            f"not alone: other processes kept {busy_cores:.2f} of {cores} cores busy; "
            "times with all threads are unreliable."
        )
    return {
        "rows_with_wide_spread": wide,
        "cores_busy_with_other_processes": busy_cores,
        "warnings": warnings,
    }


def check_row(row):
    """Raise a KeyError, a TypeError or a ValueError if a row of an earlier run is damaged."""
    if not (row["seconds"] > 0 and row["median_seconds"] > 0 and row["is_limit"] in (True, False)):
        raise ValueError
    hash(key(row))


def key(row):
    """Return the key by which rows of two records correspond."""
    return tuple(row[name] for name in ROW_KEY)


def slower_rows(old, new, percent):
    """
    Return pairs of an earlier row of fastrelu and the row that became slower.

    A row is slower if its fastest round and its median both took over `percent` more.
    """
    return [
        (was, row)
        for was, row in _pairs(old, new)
        if row["contender"] == "fastrelu"
        and min(row[f] / was[f] for f in ("seconds", "median_seconds")) > 1 + percent / 100
    ]


def compare(old, new, percent):
    """Return the change since an earlier run: lines of text, and the number of slower rows."""
    pairs = _pairs(old, new)
    ours = [(was, row) for was, row in pairs if row["contender"] == "fastrelu"]
    copies = [(was, row) for was, row in pairs if row["is_limit"]]
    found = []
    for what, name in (("machine", "cpu"), ("machine", "cores"), ("fastrelu", "isa in use")):
        was, is_ = old.get(what, {}).get(name), new[what][name]
        if was != is_:
            found.append(f"! The earlier run had another {name}: {was}, now {is_}.")
    slower = slower_rows(old, new, percent)
    for was, row in slower:
        found.append(
            f"! slower: {row['operation']} {row['output']} of {row['elements']:,} {row['dtype']}, "
            f"threads {row['threads']}: {human(row['seconds'])}, was {human(was['seconds'])} "
            f"({_change(was, row):+.0%})"
        )
    faster = sum(_change(was, row) < -percent / 100 for was, row in ours)
    text = (
        f"Of {len(ours)} rows of fastrelu {len(slower)} became slower by more than {percent:g} %, "
        f"{faster} faster; median {_median_change(ours):+.0%}"
    )
    found.append(f"{text}, of the copies {_median_change(copies):+.0%}.")
    return found, len(slower)


def as_html(record, ratios, figures):
    """Return a self-contained page: verdict, figures, tables; folded, the machine and the rest."""
    gap = record["bench"]["selection"].get("gap", 0)
    here, about = record["machine"], record["fastrelu"]
    facts = {
        "command": record["command"],
        "date": record["bench"]["date"],
        "processor": here["cpu"],
        "cores": here["cores"],
        "caches": ", ".join(f"{name} {binary(size)}" for name, size in here["cache_bytes"].items()),
        "system": here["system"],
        **{f"fastrelu: {name}": value for name, value in about.items()},
        **record["bench"]["versions"],
        "threads": record["bench"]["selection"]["threads"],
    }
    where = f"fastrelu {about['version']} ({about['isa in use']}) on {here['cpu']}"
    verdict = summary(record["rows"])
    pairs = beside(record["rows"])
    lost = [(row, other) for row, other in pairs if other["seconds"] < row["seconds"]]
    groups = groups_of(record["rows"])
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{html.escape(where)}</title>\n{STYLE}</head><body>",
            f"<h1>{html.escape(where)}, {here['cores']} cores</h1>",
            f'<p class="verdict">{html.escape(verdict)}</p>',
            *(f'<p class="warning">{html.escape(w)}</p>' for w in record["noise"]["warnings"]),
            *([_figure(RATIOS, ratios)] if pairs else []),
            *(
                [_folded(f"Slower: {len(lost)} of {len(pairs)} lines", _losses(lost))]
                if lost
                else []
            ),
            "<h2>Each operation, output and type</h2>",
            *(
                _folded(name, *map(_figure, CAPTIONS, figures.get(name, [])), _rows(members))
                for name, members in groups.items()
            ),
            "<h2>About</h2>",
            _folded("What the figures mean", f"<p>{html.escape(notes(gap))}</p>"),
            _folded(
                "Machine and versions",
                _table(("", ""), [(name, _listed(value)) for name, value in facts.items()]),
            ),
            *(
                f"<p>{html.escape(line)}</p>"
                for line in record["bench"]["remarks"]
                if line != verdict
            ),
            "</body></html>\n",
        ]
    ).encode()


RATIOS = "How many times faster than the fastest other library, by size. Red dots: slower."
CAPTIONS = (
    "Time per element by size, each with its fastest number of threads.",
    "How many times as fast fastrelu is with more threads, by size.",
)
STYLE = """\
<style>
:root { color-scheme: light dark }
body { font: 15px/1.4 system-ui, sans-serif; margin: 1em auto; max-width: 60em; padding: 0 1em }
h1 { font-size: 1.3em } h2 { font-size: 1.15em; margin: 1.5em 0 .5em }
table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums }
th, td { padding: .15em .8em; border-bottom: 1px solid #8886; text-align: right }
th:first-child, td:first-child { text-align: left }
tr.fastrelu { font-weight: bold } tr.limit { color: #888 }
.verdict { font-size: 1.4em; margin: .5em 0 }
.warning { background: #d9534f33; padding: .5em 1em }
.wide { overflow-x: auto } p, td { overflow-wrap: anywhere } .wide td { overflow-wrap: normal }
figure { margin: 1em 0 } figcaption { font-weight: bold }
img { display: block; height: auto; max-width: 100% }
details { margin: .5em 0 } summary { cursor: pointer; font-weight: bold }
</style>
"""


def _figure(caption, plot):
    data = base64.b64encode(plot).decode()
    return (
        f"<figure><figcaption>{html.escape(caption)}</figcaption>"
        f'<img alt="" src="data:image/svg+xml;base64,{data}"></figure>'
    )


def _folded(summary, *parts):
    return f"<details><summary>{html.escape(summary)}</summary>{''.join(parts)}</details>"


def _losses(pairs):
    header = ("", "threads", "elements", "fastrelu", "fastest other", "its time", "times faster")
    return _table(
        header,
        [
            (
                ", ".join(row[name] for name in GROUP),
                row["threads"],
                f"{row['elements']:,}",
                human(row["seconds"]),
                f"{other['contender']} x{other['threads']}",
                human(other["seconds"]),
                f"{other['seconds'] / row['seconds']:.2f}",
            )
            for row, other in sorted(
                pairs, key=lambda pair: pair[1]["seconds"] / pair[0]["seconds"]
            )
        ],
    )


def _rows(members):
    header = ("", "threads", "elements", "where", "time", "±", "ns/element", "GB/s", "of the limit")
    return _table(
        header,
        [
            (
                row["contender"],
                row["threads"],
                f"{row['elements']:,}",
                row["held_in"],
                human(row["seconds"]),
                f"{row['spread']:.0%}",
                f"{row['ns_per_element']:.4g}",
                f"{row['gigabytes_per_second']:.1f}",
                _percent(row["of_limit"]),
            )
            for row in members
        ],
        ["limit" if row["is_limit"] else row["library"] for row in members],
    )


def _table(header, rows, classes=None):
    def cells(tag, values):
        return "".join(f"<{tag}>{html.escape(str(value))}</{tag}>" for value in values)

    body = [
        f'<tr class="{html.escape(kind)}">{cells("td", row)}</tr>'
        for kind, row in zip(classes or [""] * len(rows), rows, strict=True)
    ]
    head = f"<tr>{cells('th', header)}</tr>" if any(header) else ""
    return "\n".join(['<div class="wide"><table>', head, *body, "</table></div>"])


def _case_of(row):
    return tuple(row[name] for name in (*GROUP, "elements"))


def _listed(value):
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _figures(row, outcome):
    return (
        f"{human(row.seconds):>8} {row.spread:>5.0%} {row.ns_per_element:>7.3g}"
        f" {row.gigabytes_per_second:>7.1f} {_percent(outcome.of_limit(row)):>6}"
    )


def _extent(cases):
    return "; ".join(
        ", ".join(dict.fromkeys(getattr(case, field) for case in cases))
        for field in ("operation", "output", "dtype")
    )


def _percent(fraction):
    return "-" if fraction is None else f"{fraction:.0%}"


def _pairs(old, new):
    before = {key(row): row for row in old["rows"]}
    return [(before[key(row)], row) for row in new["rows"] if key(row) in before]


def _change(was, row):
    return row["seconds"] / was["seconds"] - 1


def _median_change(pairs):
    return statistics.median([_change(was, row) for was, row in pairs] or [0])
