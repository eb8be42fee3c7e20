"""Measures what fits of scikit-learn's perceptrons take with fastrelu's patch and its classes."""

import argparse
import contextlib
import shlex
import sys
import time
import warnings
from typing import NamedTuple
from unittest import mock

import numpy as np
import scipy.optimize
import sklearn
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import _base, _multilayer_perceptron, _stochastic_optimizers
from threadpoolctl import threadpool_limits

import fastrelu.sklearn
from fastrelu._config import config
from fastrelu._tool.common import BadInputError, Progress, as_json, print_machine, whole_file
from fastrelu._tool.compare import machine

DESCRIPTION = """\
Measure whole fits of scikit-learn's MLPClassifier: as it is, with fastrelu.sklearn.patch(), and as
fastrelu.sklearn.MLPClassifier. They alternate in one process; all weights must be identical.
"""
NOTES = """\
fit: seconds of the processor, or by the clock, of the fastest round as it is. patch, class: those
of the patched fit and of fastrelu's class, divided by it. Shares: of the fastest of other fits as
it is, on the processor, which stopwatches slow down somewhat; the sums of the biases, the loss and
the batches are the rest. at best: what the ratio would be if ReLU and its derivative took no time.
"""


class Configuration(NamedTuple):
    """A model and its data: features, classes, rows and their dtype."""

    name: str
    parameters: dict
    features: int
    classes: int
    rows: int
    dtype: str
    target: float  # the largest ratio of processor times that the project wants


CONFIGURATIONS = (
    Configuration("20, (100)", {"hidden_layer_sizes": (100,)}, 20, 2, 2000, "f8", 0.75),
    Configuration("64, (100)", {"hidden_layer_sizes": (100,)}, 64, 10, 2000, "f8", 0.85),
    Configuration(
        "20, (256, 256), batch 1000",
        {"hidden_layer_sizes": (256, 256), "batch_size": 1000},
        *(20, 2, 5000, "f4", 0.85),
    ),
    Configuration(
        "20, (100), lbfgs",
        {"hidden_layer_sizes": (100,), "solver": "lbfgs"},
        *(20, 2, 2000, "f8", 0.85),
    ),
    Configuration("784, (256, 128)", {"hidden_layer_sizes": (256, 128)}, 784, 10, 2000, "f8", 0.93),
)
WAYS = {
    "as it is": (contextlib.nullcontext, neural_network.MLPClassifier),
    "patch": (fastrelu.sklearn.patched, neural_network.MLPClassifier),
    "class": (contextlib.nullcontext, fastrelu.sklearn.MLPClassifier),
}
CLOCKS = {"processor": time.process_time, "wall": time.perf_counter}
SHARES = ("ReLU", "derivative", "matmul", "optimiser")


def data(configuration):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((configuration.rows, configuration.features))
    labels = (x @ rng.standard_normal((configuration.features, configuration.classes))).argmax(1)
    return x.astype(configuration.dtype), labels


def fit(estimator, configuration, epochs, x, labels):
    """Return the seconds by each clock, and the weights."""
    model = estimator(**configuration.parameters, max_iter=epochs, random_state=0)
    starts = [clock() for clock in CLOCKS.values()]
    model.fit(x, labels)
    seconds = [clock() - start for clock, start in zip(CLOCKS.values(), starts, strict=True)]
    return seconds, b"".join(array.tobytes() for array in model.coefs_ + model.intercepts_)


class Stopwatch:
    """Wraps functions, and adds up the time of their calls."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self, function):
        def timed(*args, **kwargs):
            start = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.process_time() - start

        return timed


def shares_of(configuration, epochs, x, labels):
    """Return the seconds of a fit as it is, on the processor, and the shares of them by name."""
    watches = {name: Stopwatch() for name in (*SHARES, "passes")}
    network = _multilayer_perceptron.BaseMultilayerPerceptron

    def watched(owner, name, watch):
        return mock.patch.object(owner, name, watches[watch](getattr(owner, name)))

    with contextlib.ExitStack() as stack:
        for table, name in (_base.ACTIVATIONS, "ReLU"), (_base.DERIVATIVES, "derivative"):
            stack.enter_context(mock.patch.dict(table, relu=watches[name](table["relu"])))
        for arguments in (
            (_multilayer_perceptron, "safe_sparse_dot", "matmul"),
            (_stochastic_optimizers.BaseOptimizer, "update_params", "optimiser"),
            (scipy.optimize, "minimize", "optimiser"),
            (network, "_backprop", "passes"),
        ):
            stack.enter_context(watched(*arguments))
        (total, _), _ = fit(neural_network.MLPClassifier, configuration, epochs, x, labels)
    if configuration.parameters.get("solver") == "lbfgs":  # which calls them
        watches["optimiser"].seconds -= watches["passes"].seconds
    return total, {name: watches[name].seconds / total for name in SHARES}


def measure(configuration, options, progress):
    """Return a record of one configuration."""
    x, labels = data(configuration)
    fastest = {way: [float("inf")] * len(CLOCKS) for way in WAYS}
    weights, shares = set(), []
    for i in range(options.rounds):
        progress.show(f"{configuration.name}: round {i + 1} of {options.rounds} ...")
        for j in range(len(WAYS)):
            way = list(WAYS)[(i + j) % len(WAYS)]
            context, estimator = WAYS[way]
            with context():
                seconds, found = fit(estimator, configuration, options.epochs, x, labels)
            fastest[way] = list(map(min, fastest[way], seconds))
            weights.add(found)
        shares.append(shares_of(configuration, options.epochs, x, labels))
    as_it_is, *others = WAYS
    return {
        **configuration._asdict(),
        "seconds": {
            clock: {way: fastest[way][i] for way in WAYS} for i, clock in enumerate(CLOCKS)
        },
        "ratios": {
            clock: {way: fastest[way][i] / fastest[as_it_is][i] for way in others}
            for i, clock in enumerate(CLOCKS)
        },
        "shares": min(shares, key=lambda pair: pair[0])[1],
        "identical": len(weights) == 1,
    }


def header():
    times = f" {'fit':>8} {'patch':>7} {'class':>7}"
    return (
        f"{'':28} {'processor':>24} {'wall':>24}\n"
        f"{'features, (hidden layers)':28}{times}{times} {'target':>7} {'at best':>8}"
        f"  {'  '.join(SHARES)}"
    )


def row_of(record):
    cells = []
    for clock in CLOCKS:
        ratios = record["ratios"][clock]
        cells.append(
            f"{record['seconds'][clock]['as it is']:8.4f} {ratios['patch']:7.3f}"
            f" {ratios['class']:7.3f}"
        )
    shares = record["shares"]
    cells.append(f"{record['target']:7.2f} {1 - shares['ReLU'] - shares['derivative']:8.3f} ")
    cells += [f"{shares[name]:>{len(name)}.1%} " for name in SHARES]
    wrong = "" if record["identical"] else " WRONG: the weights differ"
    return f"{record['name']:28} {' '.join(cells)}{wrong}"


def positive(text):
    with contextlib.suppress(ValueError):
        if (number := int(text)) > 0:
            return number
    raise argparse.ArgumentTypeError(f"a whole number from 1 up is needed, not {text!r}")


def main():
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--rounds", type=positive, default=8, help="fits of each of the three")
    parser.add_argument("--epochs", type=positive, default=20, help="of a fit, at most")
    parser.add_argument(
        "--threads", type=positive, default=1, help="of BLAS and of fastrelu, at most"
    )
    parser.add_argument("--json", metavar="FILE", help="also write the figures here")
    options = parser.parse_args()
    progress = Progress()
    record = {
        "command": shlex.join(["python", *sys.argv]),
        "fastrelu": config(),
        "machine": machine(),
        "scikit-learn": sklearn.__version__,
        "threads": options.threads,
        "rounds": options.rounds,
        "epochs": options.epochs,
        "rows": [],
    }
    try:
        with whole_file("--json", options.json) as write:
            print_machine(record)
            print(
                f"scikit-learn {sklearn.__version__}; threads: {options.threads}, epochs:"
                f" {options.epochs}, rounds: {options.rounds}\n\n{header()}"
            )
            with warnings.catch_warnings(), threadpool_limits(options.threads):
                warnings.simplefilter("ignore", ConvergenceWarning)
                # SciPy's, of what scikit-learn before 1.7 asks for
                warnings.filterwarnings("ignore", "scipy.optimize", DeprecationWarning)
                for configuration in CONFIGURATIONS:
                    record["rows"].append(measure(configuration, options, progress))
                    progress.print(row_of(record["rows"][-1]))
            write(as_json(record))
    except BadInputError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        progress.clear()
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return 130
    print(f"\n{NOTES}", end="")
    identical = all(row["identical"] for row in record["rows"])
    print("The weights are identical to the bit." if identical else "WRONG: weights differ.")
    return int(not identical)


if __name__ == "__main__":
    sys.exit(main())
