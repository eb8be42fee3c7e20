"""Measures how much fastrelu speeds up scikit-learn's MLPClassifier, whose ReLU is np.maximum."""

import argparse
import contextlib
import sys
import time
import warnings
from typing import NamedTuple
from unittest import mock

import numpy as np
import sklearn
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, _base
from threadpoolctl import threadpool_limits

import fastrelu

DESCRIPTION = "Measure how much fastrelu speeds up scikit-learn's MLPClassifier."


class Contender(NamedTuple):
    """A name, a context for the fit, and what scikit-learn calls for ReLU's derivative."""

    name: str
    context: object
    derivative: object


CONTENDERS = (
    Contender("as it is", contextlib.nullcontext, _base.DERIVATIVES["relu"]),
    Contender("patched_numpy()", fastrelu.patched_numpy, _base.DERIVATIVES["relu"]),
    Contender(
        "derivative, too",
        fastrelu.patched_numpy,
        lambda h, grad: fastrelu.relu_backward(grad, h, out=grad),
    ),
)


class Stopwatch:
    """A function that adds up the time of its calls."""

    def __init__(self, function):
        self.function = function
        self.seconds = 0.0

    def __call__(self, *arrays):
        start = time.perf_counter()
        self.function(*arrays)
        self.seconds += time.perf_counter() - start


def fit(contender, options):
    """Return the seconds of a fit, those of ReLU and its derivative in it, and the weights."""
    x, labels = load_digits(return_X_y=True)
    x = (x / x.max()).astype(options.dtype)
    model = MLPClassifier(
        options.hidden, batch_size=options.batch, max_iter=options.epochs, random_state=0
    )
    relu, derivative = Stopwatch(_base.ACTIVATIONS["relu"]), Stopwatch(contender.derivative)
    with (
        mock.patch.dict(_base.ACTIVATIONS, relu=relu),
        mock.patch.dict(_base.DERIVATIVES, relu=derivative),
        contender.context(),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = time.perf_counter()
        model.fit(x, labels)
        seconds = time.perf_counter() - start
    weights = b"".join(array.tobytes() for array in model.coefs_ + model.intercepts_)
    return [seconds, relu.seconds, derivative.seconds], weights


def measure(options):
    """Return the seconds by round and contender, interleaved, and all different weights."""
    seconds = np.empty((options.rounds, len(CONTENDERS), 3))
    weights = set()
    for i in range(options.rounds):
        for j in range(len(CONTENDERS)):
            index = (i + j) % len(CONTENDERS)
            seconds[i, index], found = fit(CONTENDERS[index], options)
            weights.add(found)
    return seconds, weights


def report(seconds, options):
    print(
        f"MLPClassifier({tuple(options.hidden)}, batch_size={options.batch}), {options.dtype}"
        f" digits, {options.epochs} epochs, threads: {options.threads}\n"
        f"scikit-learn {sklearn.__version__}, NumPy {np.__version__},"
        f" fastrelu {fastrelu.__version__} ({fastrelu.isa})\n\n"
        f"{'':16} {'fit':>9} {'median':>9} {'faster':>8} {'ReLU':>9} {'derivative':>11}"
    )
    for contender, rounds in zip(CONTENDERS, seconds.swapaxes(0, 1), strict=True):
        faster = np.median(seconds[:, 0, 0] / rounds[:, 0])
        fastest = rounds.min(axis=0)
        print(
            f"{contender.name:16} {fastest[0]:7.3f} s {np.median(rounds[:, 0]):7.3f} s"
            f" {faster:7.3f}x {fastest[1]:7.4f} s {fastest[2]:9.4f} s"
        )
    of_relu, of_derivative = (np.median(seconds[:, 0, i] / seconds[:, 0, 0]) for i in (1, 2))
    print(
        f"\nfit, ReLU, derivative: the minimum; faster: the median of each round's ratio.\n"
        f"As it is, ReLU takes {of_relu:.1%} of a fit: patched_numpy() can make it at most"
        f" {1 / (1 - of_relu):.3f}x faster.\nThe derivative, which the patch does not change, takes"
        f" {of_derivative:.1%}."
    )


def main():
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--hidden", type=int, nargs="+", default=[100], help="units of each layer")
    parser.add_argument("--batch", type=int, default=200, help="digits in a batch, at most 1797")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float64", help="of all")
    parser.add_argument("--epochs", type=int, default=20, help="of a fit")
    parser.add_argument("--rounds", type=int, default=5, help="fits of each contender")
    parser.add_argument("--threads", type=int, default=1, help="of BLAS and of fastrelu, at most")
    options = parser.parse_args()
    with threadpool_limits(options.threads):
        seconds, weights = measure(options)
    report(seconds, options)
    if len(weights) == 1:
        print("The weights are identical to the bit.")
    else:
        print("WRONG: the weights differ.")
    return int(len(weights) != 1)


if __name__ == "__main__":
    sys.exit(main())
