"""The plots: time per element and bytes per second by size, and bytes per second by threads."""

import io
from itertools import cycle, islice

from .report import BEST_COPY, milliseconds, scaling

OUTPUTS_PER_ROW = 3
LINE_STYLES = ("-", "--", ":", "-.")


def title_of(record):
    """Return the title of the plots of a record."""
    about, here, gap = record["fastrelu"], record["machine"], record["bench"]["selection"]["gap"]
    version = f"fastrelu {about['version']} ({about['isa in use']})"
    after = f", each call after {milliseconds(gap)} of other work" if gap else ""
    return f"{version} on {here['cpu']}, {here['cores']} cores{after}"


def draw(rows, title, kind):
    """
    Return plots by size, with the copies as a band, as the bytes of a file.

    Parameters
    ----------
    rows : list of dict
        Those of the record that --json writes.
    title : str
    kind : {"svg", "png"}

    Returns
    -------
    bytes
    """
    from matplotlib.figure import Figure

    panels = _panels(rows)
    columns = min(OUTPUTS_PER_ROW, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure((5 * columns, 6 * lines + 1.5), layout="constrained")
    axes = figure.subplots(2 * lines, columns, squeeze=False)
    styles = _styles(rows)
    for i, (name, members) in enumerate(panels.items()):
        line, column = divmod(i, columns)
        times, speeds = axes[2 * line, column], axes[2 * line + 1, column]
        times.set_title(name)
        for axis, field, label in (
            (times, "ns_per_element", "ns per element"),
            (speeds, "gigabytes_per_second", "GB/s"),
        ):
            _draw_panel(axis, members, field, styles)
            axis.set_xscale("log", base=2)
            axis.set(yscale="log", xlabel="elements", ylabel=label)
            axis.grid(alpha=0.3)
    for i in range(len(panels), lines * columns):
        line, column = divmod(i, columns)
        axes[2 * line, column].remove()
        axes[2 * line + 1, column].remove()
    return _saved(figure, title, kind, columns + 1)


def draw_threads(rows, title, kind):
    """Return plots of the GB/s by the number of threads, a panel for each size, as draw does."""
    from matplotlib.figure import Figure

    panels = scaling(rows)
    found = {n for sizes in panels.values() for n, speeds in sizes.items() if _scales(speeds)}
    sizes = sorted(found)
    panels = {group: of for group, of in panels.items() if any(map(_scales, of.values()))}
    threads = sorted({row["threads"] for row in rows})
    colours, _ = _styles(rows)
    figure = Figure((3 * len(sizes) + 1, 2.8 * len(panels) + 1.5), layout="constrained")
    axes = figure.subplots(len(panels), len(sizes), squeeze=False) if panels else []
    for line, (group, of_sizes) in zip(axes, panels.items(), strict=True):
        for axis, n in zip(line, sizes, strict=True):
            if _scales(of_sizes.get(n, {})):
                _draw_scaling(axis, of_sizes[n], threads, colours)
                axis.set_title(f"{', '.join(group)}\n{n:,} elements", fontsize="small")
            else:
                axis.remove()
    return _saved(figure, title, kind, max(1, len(sizes)))


def _scales(speeds):
    """Return whether any contender was timed with several numbers of threads."""
    return any(len(by_threads) > 1 for by_threads in speeds.values())


def _draw_scaling(axis, speeds, threads, colours):
    for name, by_threads in speeds.items():
        axis.plot(
            *zip(*sorted(by_threads.items()), strict=True),
            color=colours.get(name, "0.8"),
            linewidth=5 if name == BEST_COPY else 2.5 if name == "fastrelu" else 1.2,
            marker=".",
            label=name,
            zorder={BEST_COPY: 1, "fastrelu": 3}.get(name, 2),
        )
    axis.set_xscale("log", base=2)
    axis.set_xticks(threads, threads)
    highest = max(max(by_threads.values()) for by_threads in speeds.values())
    axis.set(ylim=(0, 1.08 * highest), xlabel="threads", ylabel="GB/s")
    axis.grid(alpha=0.3)


def _saved(figure, title, kind, columns):
    """Return a figure with a title and a legend as the bytes of a file."""
    import matplotlib

    handles = {}
    for axis in figure.axes:
        handles |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles, loc="outside upper center", ncols=columns, title=title)
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
    if sizes := sorted(of_any):
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
