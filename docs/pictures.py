"""
Draw the pictures of the pages and of README.md, as SVG without a background.

Their colours are between light and dark, so that both modes show them.
"""

import itertools
import json
import sys
from html import escape
from pathlib import Path

import numpy as np

import fastrelu
from fastrelu._tool.common import Parser, human, whole_file

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "bench" / "results" / "epyc-zen5-2.json"
SPEEDUP = ROOT / "docs" / "speedup.svg"
LAYERS = sorted((ROOT / "bench" / "results").glob("*-layer.json"))

GREY, BLUE, ORANGE, GREEN, RED, VIOLET = (
    *("#757c86", "#3584e4", "#c8710a", "#2e9445", "#d9534f", "#9a6fd0"),
)
FONT = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', Arial, sans-serif"
MONOSPACE = "ui-monospace, Menlo, Consolas, 'Liberation Mono', monospace"

UNIT = 52  # of the axes of a function
# Of each function: what the picture says, the function of x, and its derivative.
SLOPE, MOST, THRESHOLD = 0.2, 2.0, 1.0
CURVES = {
    "relu": ("relu(x)", fastrelu.relu, lambda x: fastrelu.relu_backward(np.ones_like(x), x)),
    "leaky_relu": (
        f"leaky_relu(x, {SLOPE:g})",
        lambda x: fastrelu.leaky_relu(x, SLOPE),
        lambda x: fastrelu.leaky_relu_backward(np.ones_like(x), x, SLOPE),
    ),
    "clipped_relu": (
        f"clipped_relu(x, {MOST:g})",
        lambda x: fastrelu.clipped_relu(x, MOST),
        lambda x: fastrelu.clipped_relu_backward(np.ones_like(x), x, MOST),
    ),
    "soft_threshold": (
        f"soft_threshold(x, {THRESHOLD:g})",
        lambda x: fastrelu.soft_threshold(x, THRESHOLD),
        lambda x: fastrelu.soft_threshold_backward(np.ones_like(x), x, THRESHOLD),
    ),
    "add_relu": (
        "add_relu(x, 1)",
        lambda x: fastrelu.add_relu(x, 1),
        lambda x: fastrelu.relu_backward(np.ones_like(x), fastrelu.add_relu(x, 1)),
    ),
    "subtract_relu": (
        "subtract_relu(x, 1)",
        lambda x: fastrelu.subtract_relu(x, 1),
        lambda x: fastrelu.relu_backward(np.ones_like(x), fastrelu.subtract_relu(x, 1)),
    ),
}
# The page of a gradient has the picture of its function.
WITH_GRADIENT = ("relu", "leaky_relu", "clipped_relu", "soft_threshold")
PICTURES = {name: name for name in CURVES}
PICTURES |= {f"{name}_backward": name for name in WITH_GRADIENT} | {"relu_derivative": "relu"}
FUNCTIONS = {
    f"fastrelu.{name}": f"{CURVES[of][0]} and its derivative, from -3 to 3"
    for name, of in PICTURES.items()
}


class Drawing:
    """An SVG, as a list of its elements."""

    def __init__(self, width, height, title):
        self.width, self.height, self.title = width, height, title
        self.elements = []

    def add(self, tag, text=None, **attributes):
        written = " ".join(
            f'{name.strip("_").replace("_", "-")}="{escape(number(value))}"'
            for name, value in attributes.items()
        )
        end = "/>" if text is None else f">{escape(text)}</{tag}>"
        self.elements.append(f"<{tag} {written}{end}")

    def text(self, x, y, text, colour=GREY, size=13, anchor="start", code=False, **attributes):
        family = {"font_family": MONOSPACE} if code else {}
        self.add(
            "text",
            text,
            x=x,
            y=y,
            fill=colour,
            font_size=size,
            text_anchor=anchor,
            **family,
            **attributes,
        )

    def line(self, points, colour=GREY, width=1.0, **attributes):
        points = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self.add(
            "polyline",
            points=points,
            fill="none",
            stroke=colour,
            stroke_width=width,
            stroke_linejoin="round",
            **attributes,
        )

    def box(self, x, y, width, height, colour=GREY, fill=0.08):
        self.add(
            "rect",
            x=x,
            y=y,
            width=width,
            height=height,
            rx=6,
            fill=colour,
            fill_opacity=fill,
            stroke=colour,
            stroke_width=1.4,
        )

    def arrow(self, points, colour=GREY):
        self.line(points, colour, 1.6)
        (x0, y0), (x, y) = points[-2:]
        length = np.hypot(x - x0, y - y0)
        dx, dy = 8 * (x - x0) / length, 8 * (y - y0) / length
        head = [(x, y), (x - dx - dy / 2, y - dy + dx / 2), (x - dx + dy / 2, y - dy - dx / 2)]
        points = " ".join(f"{number(a)},{number(b)}" for a, b in head)
        self.add("polygon", points=points, fill=colour)

    def __str__(self):
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                f'width="{self.width}" height="{self.height}" role="img" font-family="{FONT}">',
                f"<title>{escape(self.title)}</title>",
                *self.elements,
                "</svg>\n",
            ]
        )


def number(value):
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


def curve(name):
    """Return the picture of a function, from what it returns, and of its derivative."""
    text, function, derivative = CURVES[name]
    x = np.linspace(-3, 3, 1201)
    values, slopes = function(x), derivative(x)
    low = min(-1, int(np.floor(values.min())))
    high = low + 4
    top = 52
    width, height = 352, top + UNIT * 4 + 30
    drawing = Drawing(width, height, f"{text} and its derivative, from -3 to 3")

    def place(x, y):
        return width / 2 + UNIT * x, top + UNIT * (high - y)

    for tick in range(-3, 4):
        drawing.line([place(tick, low), place(tick, high)], width=1.2 if tick == 0 else 0.3)
        drawing.text(place(tick, 0)[0], height - 8, signed(tick), size=11, anchor="middle")
    for tick in range(low, high + 1):
        y = place(0, tick)[1]
        drawing.line([(28, y), (width - 12, y)], width=1.2 if tick == 0 else 0.3)
        drawing.text(18, y + 4, signed(tick), size=11, anchor="end")
    for of, colour, thickness in ((values, BLUE, 5), (slopes, ORANGE, 2)):
        jumps = np.flatnonzero(np.abs(np.diff(of)) > 0.1) + 1
        for xs, ys in zip(np.split(x, jumps), np.split(of, jumps), strict=True):
            turns = [0, *np.flatnonzero(np.abs(np.diff(ys, 2)) > 1e-9) + 1, ys.size - 1]
            drawing.line([place(xs[i], ys[i]) for i in turns], colour, thickness)
    drawing.text(8, 16, text, BLUE, 13, code=True, font_weight="bold")
    drawing.text(8, 34, "its derivative", ORANGE, 13)
    return drawing


def signed(n):
    return str(n).replace("-", "\N{MINUS SIGN}")


# What the figure of README.md shows: a call, its idiom, and where its row stands in a record.
CALLS = {
    ("forward", "new"): ("relu(x)", BLUE),
    ("forward", "in place"): ("relu(x, out=x)", VIOLET),
    ("backward", "new"): ("relu_backward(g, x)", GREEN),
    ("backward", "in place"): ("relu_backward(g, x, out=g)", ORANGE),
}
IDIOMS = {"forward": "NumPy maximum", "backward": "NumPy multiply"}
BESIDE_OTHERS = [("forward", "in place"), ("backward", "in place")]


def least(rows, operation, output):
    """Return, by contender and elements, the least time with any number of threads."""
    found = {}
    for row in rows:
        if (row["operation"], row["output"]) == (operation, output) and not row["is_limit"]:
            of = found.setdefault(row["contender"], {})
            n = row["elements"]
            of[n] = min(row["seconds"], of.get(n, row["seconds"]))
    return found


def ratios(rows):
    """Return the lines of the figure: their labels, colours, whether dashed, and the ratios."""
    lines = []
    for (operation, output), (call, colour) in CALLS.items():
        times = least(rows, operation, output)
        ours, numpys = times.pop("fastrelu"), times[IDIOMS[operation]]
        lines.append((call, colour, False, {n: numpys[n] / ours[n] for n in ours}))
        if (operation, output) in BESIDE_OTHERS:
            others = [of for name, of in times.items() if not name.startswith("NumPy")]
            best = {n: min(of[n] for of in others if n in of) / ours[n] for n in ours}
            lines.append((call, colour, True, best))
    return lines


def speedup(record):
    """Return how many times faster than the idiom, and than the best other library, by size."""
    rows = record["rows"]
    lines = ratios(rows)
    sizes = sorted(lines[0][3])
    found = [ratio for *_, of in lines for ratio in of.values()]
    least_ratio, most_ratio = min(0.7, 0.9 * min(found)), max(32, 1.1 * max(found))
    left, right, top, bottom = 52, 520, 64, 366
    drawing = Drawing(
        760, 440, "How many times faster than NumPy and than other libraries, by size"
    )

    def place(n, ratio):
        x = np.log(n / sizes[0]) / np.log(sizes[-1] / sizes[0])
        y = np.log(ratio / least_ratio) / np.log(most_ratio / least_ratio)
        return left + x * (right - left), bottom - y * (bottom - top)

    drawing.text(8, 22, "How many times faster is fastrelu?", size=17, font_weight="bold")
    drawing.text(8, 44, "solid: than NumPy's idiom; dashed: than the fastest other library")
    for ratio in 2 ** np.arange(int(np.log2(most_ratio)) + 1):
        y = place(1, ratio)[1]
        drawing.line([(left, y), (right, y)], width=1.6 if ratio == 1 else 0.4)
        drawing.text(left - 8, y + 4, f"{ratio}\N{MULTIPLICATION SIGN}", anchor="end")
    drawing.text(left + 4, place(1, 1)[1] + 16, "below this line fastrelu is slower", RED, 12)
    for n in sizes:
        x = place(n, 1)[0]
        drawing.line([(x, bottom), (x, bottom + 5)])
        drawing.text(x, bottom + 20, size_name(n), anchor="middle")
    drawing.text((left + right) / 2, bottom + 40, "elements of float32", anchor="middle")
    ends = spread([place(sizes[-1], of[sizes[-1]])[1] for *_, of in lines], 17)
    for (call, colour, dashed, of), y in zip(lines, ends, strict=True):
        points = [place(n, of[n]) for n in sizes]
        style = {"stroke_dasharray": "2 5", "stroke_linecap": "round"} if dashed else {}
        drawing.line(points, colour, 2.2 if dashed else 2.8, **style)
        for x, mark in points:
            drawing.add("circle", cx=x, cy=mark, r=2.6, fill=colour)
        drawing.line([(right + 5, points[-1][1]), (right + 22, y)], colour, 0.8)
        drawing.text(right + 26, y + 4, call, colour, 12, code=True)
    machine, about = record["machine"], record["fastrelu"]
    drawing.text(
        8,
        432,
        f"{machine['cpu']}, {machine['cores']} cores, {about['isa in use']}; NumPy "
        f"{about['numpy']}; each with the number of threads that is its fastest",
        size=11,
    )
    return drawing


def size_name(n):
    """Return a power of two as it is spoken of."""
    for unit, name in ((1 << 20, " M"), (1 << 10, " K")):
        if n >= unit:
            return f"{n // unit}{name}"
    return str(n)


def spread(places, least_distance):
    """Return places that are moved down until they are so far apart."""
    order = np.argsort(places)
    found = np.array(places, float)
    for above, below in itertools.pairwise(order):
        found[below] = max(found[below], found[above] + least_distance)
    return found


# What the figure of layers shows.
WITH_BIAS = " with bias"
CONTENDERS = {"NumPy": ORANGE, "fastrelu": BLUE}


def time_of_layers(records):
    """Return where the time of a layer goes, by NumPy and by fastrelu, on each machine."""
    found = []
    for record in records:
        rows = [row for row in record["rows"] if row["contender"] in CONTENDERS]
        of_bias = {row["contender"] for row in rows if WITH_BIAS in row["operation"]}
        suffix = WITH_BIAS if of_bias == set(CONTENDERS) else ""
        shapes = {}
        for row in rows:
            shape, part = row["operation"].removeprefix("layer ").split(", ")
            if shape.endswith(suffix) and (suffix or WITH_BIAS not in shape):
                of = shapes.setdefault(shape.removesuffix(suffix), {})
                key = row["contender"], part
                of[key] = min(row["seconds"], of.get(key, row["seconds"]))
        machine = record["machine"]
        what = "bias and ReLU" if suffix else "ReLU without a bias"
        text = f"{machine['cpu']}, {machine['cores']} cores: {what}"
        found.append((text, record.get("remark"), shapes))
    height = 60 + sum(36 + 18 * bool(remark) + 68 * len(shapes) for _, remark, shapes in found)
    drawing = Drawing(760, height, "Where the time of a layer goes, by NumPy and by fastrelu")
    drawing.text(8, 22, "Where the time of a layer goes", size=17, font_weight="bold")
    drawing.text(8, 44, "grey: the product of matrices; in colour: what follows it")
    left, width, y = 206, 404, 60
    for machine, remark, shapes in found:
        drawing.text(8, y + 20, machine, font_weight="bold")
        if remark:
            y += 18
            drawing.text(8, y + 20, remark, size=12)
        y += 36
        for shape, of in shapes.items():
            # both contenders take the same product
            product = min(of[name, "pair"] - of[name, "activation"] for name in CONTENDERS)
            longest = product + max(of[name, "activation"] for name in CONTENDERS)
            drawing.text(8, y + 30, shape.replace("x", " \N{MULTIPLICATION SIGN} "), size=12)
            for name, colour in CONTENDERS.items():
                seconds = of[name, "activation"]
                ends = [width * part / longest for part in (product, product + seconds)]
                drawing.text(left - 8, y + 15, name, colour, 12, "end")
                drawing.add("rect", x=left, y=y, width=ends[0], height=20, fill=GREY, opacity=0.4)
                drawing.add(
                    "rect", x=left + ends[0], y=y, width=ends[1] - ends[0], height=20, fill=colour
                )
                text = f"{human(seconds)}, {seconds / (product + seconds):.1%}"
                drawing.text(left + ends[1] + 8, y + 15, text, colour, 12)
                y += 26
            y += 16
    return drawing


def layers():
    """Return the layers of the code, each of which calls the next."""
    drawing = Drawing(680, 400, "The layers of the code: Python, csrc/python, runtime, kernels")
    rows = [
        (
            "fastrelu/",
            GREY,
            "the functions, settings and the reference in plain NumPy",
            ["__init__.py", "_core.pyx", "reference.py", "_threads.py", "_patch.py"],
        ),
        (
            "csrc/python/",
            VIOLET,
            "how NumPy reaches it: a short path into the ufuncs",
            ["fast_call.c", "loops.c", "masks.c", "reductions.c", "patch.c"],
        ),
        (
            "csrc/runtime/",
            BLUE,
            "how a large array is processed: chunks, threads, strides, memory",
            ["execute.c", "threads.c", "strides.c", "reduce.c", "blocks.c"],
        ),
        (
            "csrc/kernels/",
            GREEN,
            "what is computed: each operation as one expression",
            ["kernels.h", "operations.inc", "kernels.inc", "isa/avx512.c", "isa/neon.c"],
        ),
    ]
    for i, (folder, colour, what, files) in enumerate(rows):
        y = 8 + 99 * i
        drawing.box(8, y, 560, 76, colour)
        drawing.text(24, y + 26, folder, colour, 15, code=True, font_weight="bold")
        drawing.text(160, y + 25, what, size=12)
        for j, file in enumerate(files):
            drawing.text(24 + 108 * j, y + 56, file, size=11, code=True)
        if i:
            drawing.arrow([(288, y - 22), (288, y - 2)])
    drawing.line([(580, 206), (590, 206), (590, 381), (580, 381)])
    for i, line in enumerate(("C without", "Python's", "headers")):
        drawing.text(600, 282 + 18 * i, line, size=12)
    return drawing


def call():
    """Return the path of a call, from Python to a kernel."""
    drawing = Drawing(720, 432, "The path of a call, from Python to a kernel")

    def box(x, y, width, head, lines, colour, file=""):
        drawing.box(x, y, width, 44 + 17 * len(lines), colour)
        drawing.text(x + 12, y + 22, head, colour, 13, font_weight="bold")
        for i, line in enumerate(lines):
            drawing.text(x + 12, y + 42 + 17 * i, line, size=12)
        if file:
            drawing.text(x + width - 10, y + 22, file, size=11, anchor="end", code=True)

    drawing.text(250, 22, "relu(x)", BLUE, 16, "middle", code=True, font_weight="bold")
    drawing.arrow([(250, 30), (250, 48)])
    box(
        80,
        50,
        340,
        "The fast path takes it?",
        ["arrays of one dtype with kernels, rows, numbers;", "out= and dtype= at most"],
        VIOLET,
        "fast_call.c",
    )
    drawing.arrow([(170, 128), (170, 172)])
    drawing.text(178, 154, "yes", VIOLET)
    drawing.arrow([(420, 88), (560, 88), (560, 172)])
    drawing.text(430, 80, "no", VIOLET)
    box(
        20,
        174,
        330,
        "Axes",
        ["sorted, flipped and merged; contiguous arrays", "become one loop"],
        BLUE,
        "strides.c",
    )
    box(
        400,
        174,
        310,
        "NumPy's own machinery",
        ["casts, broadcasts, where=, subclasses,", "__array_ufunc__"],
        GREY,
        "loops.c",
    )
    drawing.arrow([(170, 252), (170, 288)])
    drawing.arrow([(560, 252), (560, 325), (352, 325)])
    box(
        20,
        290,
        330,
        "Chunks and threads",
        ["non-temporal stores for what no cache holds"],
        BLUE,
        "execute.c",
    )
    drawing.arrow([(170, 351), (170, 376)])
    drawing.box(20, 378, 330, 44, GREEN)
    drawing.text(32, 405, "A kernel", GREEN, 13, font_weight="bold")
    drawing.text(100, 405, "of one operation, dtype, instruction set", size=12)
    return drawing


def write_all(folder):
    """Write the pictures of the pages to a folder: of functions, of the code, of records."""
    folder.mkdir(exist_ok=True)
    drawings = {name: curve(of) for name, of in PICTURES.items()}
    drawings |= {"call": call(), "layers": layers()}
    if LAYERS:
        drawings["layer_time"] = time_of_layers(map(read, LAYERS))
    for name, drawing in drawings.items():
        path, text = folder / f"{name}.svg", str(drawing)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def read(path):
    return json.loads(Path(path).read_text("utf-8"))


def main(argv=None):
    parser = Parser(prog="python docs/pictures.py", description=__doc__.strip().splitlines()[0])
    parser.add_argument(
        "--record",
        default=RECORD,
        metavar="FILE",
        help="of bench; default: bench/results/epyc-zen5-2.json",
    )
    parser.add_argument(
        "--speedup", default=SPEEDUP, metavar="FILE", help="default: docs/speedup.svg"
    )
    options = parser.parse_args(argv)
    with whole_file("--speedup", options.speedup) as write:
        write(str(speedup(read(options.record))).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
