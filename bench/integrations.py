"""Measures the recipes of docs/integrations.md beside what the libraries do themselves."""

import argparse
import importlib.metadata
import json
import platform
import re
import time
from pathlib import Path
from timeit import Timer

import numpy as np

import fastrelu
from fastrelu._tool.common import BadInputError, human, whole_file
from fastrelu._tool.compare import machine, time_interleaved

DESCRIPTION = """\
Measure the recipes of docs/integrations.md beside what the libraries do themselves, in processor
time of one thread, which does not count the programs that run beside it.
"""

PAGE = Path(__file__).parents[1] / "docs" / "integrations.md"
NEEDS = {"autograd": "autograd", "onnx": "onnx.reference", "thinc": "thinc.api"}
SIZES = {"16": 16, "4 K": 1 << 12, "1 M": 1 << 20}

# Statements of the operators: their attributes and further inputs.
NODES = {
    "Relu": "y = Relu(x)",
    "LeakyRelu": "y = LeakyRelu <alpha = 0.1> (x)",
    "PRelu": "y = PRelu(x, slope)",
    "Clip, 0 to 6": "y = Clip(x, zero, six)",
    "Clip, -1 to 6 (ONNX's own)": "y = Clip(x, below, six)",
    "Shrink, soft": "y = Shrink <lambd = 0.5, bias = 0.5> (x)",
    "Shrink, hard": "y = Shrink <lambd = 0.5> (x)",
    "ThresholdedRelu": "y = ThresholdedRelu <alpha = 0.5> (x)",
}
GRAPH = """
<ir_version: 8, opset_import: ["": 16]>
net (float[N] x) => (float[N] y)
<float[1] slope = {{0.1}}, float below = {{-1}}, float zero = {{0}}, float six = {{6}}>
{{ {} }}
"""


def recipe(library):
    """Return the names that the page defines for a library, in its block and those for all."""
    names = {}
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"(?:<!-- needs: (\S+) -->\n)?```python\n(.*?)```", page, re.DOTALL)
    for needs, block in blocks:
        if needs in ("", NEEDS[library]):
            lines = (line[4:] for line in block.splitlines() if line.startswith((">>> ", "... ")))
            exec("\n".join(lines), names)
    return names


def of_autograd(x, grad):
    """Yield what is called, and the two calls: a forward and a backward pass."""
    import autograd.numpy as anp
    from autograd import make_vjp

    def both_passes(function):
        return lambda: make_vjp(function)(x)[0](grad)

    ours = recipe("autograd")
    for name, own, of_recipe in (
        ("np.maximum(0, x)", lambda x: anp.maximum(0, x), ours["relu"]),
        (
            "np.where(x < 0, 0.1 * x, x)",
            lambda x: anp.where(x < 0, 0.1 * x, x),
            lambda x: ours["leaky_relu"](x, 0.1),
        ),
        (
            "np.clip(x, 0, 6)",
            lambda x: anp.clip(x, 0, 6),
            lambda x: ours["clipped_relu"](x, 6),
        ),
        (
            "np.sign(x) * np.maximum(0, np.abs(x) - 0.5)",
            lambda x: anp.sign(x) * anp.maximum(0, anp.abs(x) - 0.5),
            lambda x: ours["soft_threshold"](x, 0.5),
        ),
    ):
        yield f"`{name}` and its gradient", both_passes(own), both_passes(of_recipe)


def of_onnx(x, grad):
    """Yield the operator, and the two calls: a model of one node."""
    from onnx.parser import parse_model
    from onnx.reference import ReferenceEvaluator

    new_ops = recipe("onnx")["new_ops"]

    def run(model, new_ops):
        evaluator = ReferenceEvaluator(model, new_ops=new_ops)
        return lambda: evaluator.run(None, {"x": x})

    for name, statement in NODES.items():
        model = parse_model(GRAPH.format(statement))
        yield name, run(model, None), run(model, new_ops)


def of_thinc(x, grad):
    """Yield the method, and the two calls."""
    from thinc.api import NumpyOps

    own, ours = NumpyOps(), recipe("thinc")["FastReluOps"]()

    def call(name, *arrays):
        return (f"`{name}`", *(lambda ops=ops: getattr(ops, name)(*arrays) for ops in (own, ours)))

    yield call("relu", x)
    yield call("backprop_relu", grad, x)
    yield call("relu_k", x)
    yield call("backprop_relu_k", grad, x)
    yield call("hard_swish_mobilenet", x)
    name, *calls = call("hard_tanh", x)
    yield f"{name} (thinc's own)", *calls


CASES = {"autograd": of_autograd, "onnx": of_onnx, "thinc": of_thinc}


def measure(library, seconds):
    """Return the rows of a library: its name, what is called, and the best times by size."""
    rows = {}
    for size, n in SIZES.items():
        rng = np.random.default_rng(0)
        x, grad = (4 * rng.standard_normal(n, np.float32) for _ in range(2))
        for name, *calls in CASES[library](x, grad):
            until = time.perf_counter() + seconds
            timers = [Timer(call, timer=time.process_time) for call in calls]
            with fastrelu.num_threads(1):
                rounds = time_interleaved(timers, until)
            rows.setdefault(name, {})[size] = [min(times) for times in rounds]
    return [{"library": library, "call": name, "seconds": row} for name, row in rows.items()]


def table(rows):
    """Return the rows as a table: for each size the library's own time, and how much is saved."""
    sizes = list(SIZES)
    lines = [
        "| library | call | "
        + " | ".join(f"{size}: its own | times faster" for size in sizes)
        + " |",
        "|---" * (2 + 2 * len(sizes)) + "|",
    ]
    for row in rows:
        cells = [row["library"], row["call"]]
        for own, ours in row["seconds"].values():
            faster = own / ours
            cells += [human(own), f"{faster:.{0 if faster >= 10 else 1 if faster >= 1 else 2}f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument(
        "--libraries", default=",".join(CASES), help="which, by commas (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=1, help="for each call and size (default: %(default)s)"
    )
    parser.add_argument("--json", metavar="FILE", help="store the times, machine and versions")
    options = parser.parse_args()
    libraries = options.libraries.split(",")
    if unknown := set(libraries) - set(CASES):
        parser.error(f"--libraries: {', '.join(sorted(unknown))}: not among {', '.join(CASES)}")

    versions = {name: importlib.metadata.version(name) for name in libraries}
    versions |= {"NumPy": np.__version__, "Python": platform.python_version()}
    versions |= {"fastrelu": f"{fastrelu.__version__} ({fastrelu.isa})"}
    about = {"machine": machine(), "versions": versions}
    try:
        with whole_file("--json", options.json) as write:
            rows = [row for library in libraries for row in measure(library, options.seconds)]
            write(json.dumps(about | {"rows": rows}, indent=1).encode())
    except BadInputError as error:
        parser.error(str(error))
    print(table(rows))
    print(
        "\nfloat32, processor time of one thread, the least of interleaved rounds. "
        f"{about['machine']['cpu']}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
    )


if __name__ == "__main__":
    main()
