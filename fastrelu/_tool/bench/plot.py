"""The plots: time per element and bytes per second by size, with the copies as a band."""

import io
from itertools import cycle, islice

OUTPUTS_PER_ROW = 3
LINE_STYLES = ("-", "--", ":", "-.")


def draw(record, kind):
    """
    Return the plots of a record as the bytes of a file.

    Parameters
    ----------
    record : dict
        The record that --json writes.
    kind : {"svg", "png"}

    Returns
    -------
    bytes
    """
    import matplotlib
    from matplotlib.figure import Figure

    panels = _panels(record["rows"])
    columns = min(OUTPUTS_PER_ROW, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure((5 * columns, 6 * lines + 1.5), layout="constrained")
    axes = figure.subplots(2 * lines, columns, squeeze=False)
    styles = _styles(record["rows"])
    for i, (name, rows) in enumerate(panels.items()):
        line, column = divmod(i, columns)
        times, speeds = axes[2 * line, column], axes[2 * line + 1, column]
        times.set_title(name)
        for axis, field, label in (
            (times, "ns_per_element", "ns per element"),
            (speeds, "gigabytes_per_second", "GB/s"),
        ):
            _draw_panel(axis, rows, field, styles)
            axis.set_xscale("log", base=2)
            axis.set(yscale="log", xlabel="elements", ylabel=label)
            axis.grid(alpha=0.3)
    for i in range(len(panels), lines * columns):
        line, column = divmod(i, columns)
        axes[2 * line, column].remove()
        axes[2 * line + 1, column].remove()
    handles = {}
    for axis in figure.axes:
        handles |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    title = (
        f"fastrelu {record['fastrelu']['version']} ({record['fastrelu']['isa in use']})"
        f" on {record['machine']['cpu']}, {record['machine']['cores']} cores"
    )
    figure.legend(
        handles.values(), handles, loc="outside upper center", ncols=columns + 1, title=title
    )
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):  # text as text, not as outlines
        figure.savefig(buffer, format=kind, dpi=100)
    return buffer.getvalue()


def _panels(rows):
    panels = {}
    for row in rows:
        name = f"{row['operation']}, {row['output']}, {row['dtype']}"
        panels.setdefault(name, []).append(row)
    return panels


def _styles(rows):
    """Return the colour of each contender and the line style of each number of threads."""
    names = dict.fromkeys(row["contender"] for row in rows if not row["is_limit"])
    threads = sorted({row["threads"] for row in rows})
    return (
        {name: f"C{i % 10}" for i, name in enumerate(names)},
        dict(zip(threads, islice(cycle(LINE_STYLES), len(threads)), strict=True)),
    )


def _draw_panel(axis, rows, field, styles):
    colours, line_styles = styles
    series = {}
    of_one, of_any = {}, {}
    best = min if field == "ns_per_element" else max
    for row in rows:
        n, value = row["elements"], row[field]
        if not row["is_limit"]:
            series.setdefault((row["contender"], row["threads"]), []).append(row)
            continue
        of_any[n] = best(of_any.get(n, value), value)
        if row["threads"] == 1:
            of_one[n] = best(of_one.get(n, value), value)
    sizes = sorted(of_any)
    band = [[of.get(n, of_any[n]) for n in sizes] for of in (of_one, of_any)]
    axis.fill_between(
        sizes, *band, color="0.85", linewidth=4, label="the best copy, 1 thread to all"
    )
    for (name, threads), members in series.items():
        axis.plot(
            [row["elements"] for row in members],
            [row[field] for row in members],
            color=colours[name],
            linestyle=line_styles[threads],
            linewidth=2.5 if name == "fastrelu" else 1.2,
            marker=".",
            label=f"{name}, {threads} thread{'s' if threads > 1 else ''}",
            zorder=3 if name == "fastrelu" else 2,
        )
