"""The plots: time per element and bytes per second by size, and bytes per second by threads."""

import io
import statistics
from itertools import cycle, islice

from ..common import counted
from .report import BEST_COPY, beside, groups_of, milliseconds, scaling

OUTPUTS_PER_ROW = 3
LINE_STYLES = ("-", "--", ":", "-.")
GREY, BLUE, RED = "#757c86", "#3584e4", "#d9534f"  # between a light page and a dark one
OF_A_PAGE = {
    "savefig.transparent": True,
    "legend.frameon": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), GREY),
    **dict.fromkeys(("xtick.color", "ytick.color"), GREY),
}


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
    with _colours(kind):
        figure, columns = _by_size(rows)
        return _saved(figure, title, kind, columns)


def _by_size(rows):
    """Return a figure, and the columns of its legend."""
    from matplotlib.figure import Figure

    panels = groups_of(rows)
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
    return figure, columns + 1


def draw_threads(rows, title, kind):
    """Return plots of the GB/s by the number of threads, a panel for each size, as draw does."""
    with _colours(kind):
        figure, columns = _by_number_of_threads(rows)
        return _saved(figure, title, kind, columns)


def _by_number_of_threads(rows):
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
    return figure, max(1, len(sizes))


def for_a_page(rows):
    """
    Return the figures of a page of HTML, SVG that a light background suits and a dark one.

    Returns
    -------
    ratios : bytes
        How many times faster fastrelu is than the fastest other library, by size.
    figures : dict
        From the name of an operation, output and type to a list of figures: time by size, and
        how fastrelu gains by threads if there are several numbers of them.
    """
    with _colours("svg"):
        figures = {}
        for name, members in groups_of(rows).items():
            figures[name] = [_times(members, _styles(rows)[0])]
            if gains := _gains(members):
                figures[name].append(_by_threads(gains))
        return _ratios(rows), figures


def _colours(kind):
    """Return a context in which SVG is drawn for a light page and for a dark one."""
    import matplotlib

    return matplotlib.rc_context(OF_A_PAGE if kind == "svg" else {})


def _ratios(rows):
    figure, axis = _one_panel("times faster")
    found = {}
    for row, other in beside(rows):
        found.setdefault(row["elements"], []).append(other["seconds"] / row["seconds"])
    for of, colour in ((float("inf"), BLUE), (1, RED)):
        points = [(n, ratio) for n, ratios in found.items() for ratio in ratios if ratio < of]
        if points:
            axis.scatter(*zip(*points, strict=True), s=18, color=colour, alpha=0.6, zorder=2)
    medians = [(n, statistics.median(ratios)) for n, ratios in sorted(found.items())]
    if medians:
        axis.plot(*zip(*medians, strict=True), color=BLUE, linewidth=2.5, label="median")
    axis.axhline(1, color=GREY, linewidth=1.5)
    return _saved(figure, None, "svg", 1)


def _times(rows, colours):
    figure, axis = _one_panel("ns per element")
    series = {}
    for row in rows:
        of = series.setdefault(BEST_COPY if row["is_limit"] else row["contender"], {})
        n, time = row["elements"], row["ns_per_element"]
        of[n] = min(time, of.get(n, time))
    for name, of in series.items():
        axis.plot(
            *zip(*sorted(of.items()), strict=True),
            color=colours.get(name, GREY),
            linewidth={BEST_COPY: 6, "fastrelu": 2.5}.get(name, 1.2),
            alpha=0.4 if name == BEST_COPY else 1,
            marker=".",
            label=name,
            zorder={BEST_COPY: 1, "fastrelu": 3}.get(name, 2),
        )
    return _saved(figure, None, "svg", 3)


def _gains(rows):
    """Return, by elements, how many times as fast fastrelu is as with its fewest threads."""
    found = {}
    for row in rows:
        if row["contender"] == "fastrelu":
            found.setdefault(row["elements"], {})[row["threads"]] = row["gigabytes_per_second"]
    return {
        n: {threads: speed / of[min(of)] for threads, speed in sorted(of.items())}
        for n, of in found.items()
        if len(of) > 1
    }


def _by_threads(gains):
    threads = sorted({n for of in gains.values() for n in of})
    figure, axis = _one_panel("times as fast", "threads")
    for elements, of in gains.items():
        axis.plot(*zip(*of.items(), strict=True), marker=".", label=f"{_count(elements)} elements")
    axis.set(yscale="linear", ylim=(0, None))
    axis.set_xticks(threads, threads)
    return _saved(figure, None, "svg", 3)


def _one_panel(y, x="elements"):
    from matplotlib.figure import Figure

    figure = Figure((6, 4), layout="constrained")
    axis = figure.subplots()
    axis.set_xscale("log", base=2)
    axis.set(yscale="log", xlabel=x, ylabel=y)
    axis.xaxis.set_major_formatter(lambda n, _: _count(n))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.grid(alpha=0.3)
    return figure, axis


def _count(elements):
    for unit, suffix in ((1 << 20, "M"), (1 << 10, "K")):
        if elements >= unit:
            return f"{elements / unit:g}{suffix}"
    return f"{elements:g}"


def _scales(speeds):
    """Return whether any contender was timed with several numbers of threads."""
    return any(len(by_threads) > 1 for by_threads in speeds.values())


def _draw_scaling(axis, speeds, threads, colours):
    for name, by_threads in speeds.items():
        axis.plot(
            *zip(*sorted(by_threads.items()), strict=True),
            color=colours.get(name, GREY),
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
    if handles:
        place = {"loc": "outside upper center", "ncols": columns}
        figure.legend(handles.values(), handles, title=title, **place)
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):  # text as text, not as outlines
        figure.savefig(buffer, format=kind, dpi=100)
    return buffer.getvalue()


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
            sizes, *band, color=GREY, alpha=0.3, linewidth=4, label="the best copy, 1 thread to all"
        )
    for (name, threads), members in series.items():
        axis.plot(
            [row["elements"] for row in members],
            [row[field] for row in members],
            color=colours[name],
            linestyle=line_styles[threads],
            linewidth=2.5 if name == "fastrelu" else 1.2,
            marker=".",
            label=f"{name}, {counted(threads, 'thread')}",
            zorder=3 if name == "fastrelu" else 2,
        )
