"""
Dying ReLU units
================

Show how ReLU units die, and how to keep them alive.

The derivative of ReLU is 0 below zero. A unit is dead if its input is zero or below for every digit
of the training set: its output is 0, no gradient reaches its weights and bias, and they never
change again. In the first layer, whose inputs are the digits, a dead unit stays dead. In a later
layer it recovers only if the layers below still change.

The example trains three networks at each learning rate:

* "He": the initial weights of He et al. 2015. Their standard deviation of sqrt(2 / inputs) keeps
  the variance of the signal from layer to layer.
* "std 1": a standard deviation of 1. Signals and gradients grow with every layer.
* "He, centred pixels": He's weights, on pixels minus their mean over the training set. Then the
  digits have no common direction along which one large step can push a unit below zero for all.
"""

import sys
from typing import NamedTuple

import numpy as np
from command_line import image_of, plot_kind, positive
from network import (
    CLASSES,
    Network,
    batches,
    he,
    load_digits,
    parser_for,
    run,
)

import fastrelu
from fastrelu._tool.common import whole_file

EPILOG = """\
A network with more layers is more likely to die, and some units are dead before the first step:
Lu, Shin, Su and Karniadakis 2020, "Dying ReLU and initialization",
https://arxiv.org/abs/1903.06733.
He, Zhang, Ren and Sun 2015, "Delving deep into rectifiers", https://arxiv.org/abs/1502.01852.
exit status: 0, or 2 on bad input, 130 if interrupted.
"""


class Setting(NamedTuple):
    """The initial weights, and whether the pixels are centred."""

    name: str
    std: object
    centred: bool


SETTINGS = (
    Setting("He", he, False),
    Setting("std 1", lambda fan_in: 1.0, False),
    Setting("He, centred pixels", he, True),
)


class Result(NamedTuple):
    """The outcome for one network."""

    setting: str
    rate: float
    dead: np.ndarray  # units by epoch (the first: before any step) and layer
    loss: float
    accuracy: float

    @property
    def diverged(self):
        return not np.isfinite(self.loss)


def count_dead(network, x):
    """Return the number of dead units for all of x in each hidden layer."""
    _, (_, *outputs), _ = network.forward(x)
    return [int(fastrelu.dead_units(h).sum()) for h in outputs]


def train(setting, rate, options, show=lambda epoch: None):
    """Return the Result of a setting at a learning rate; an infinite loss stops the training."""
    rng = np.random.default_rng(options.seed)
    (x, labels), (x_test, labels_test) = load_digits(rng)
    if setting.centred:
        mean = x.mean(axis=0)
        x, x_test = x - mean, x_test - mean
    network = Network([x.shape[1], *options.hidden, CLASSES], rng, std=setting.std)
    dead = [count_dead(network, x)]
    with np.errstate(over="ignore", invalid="ignore"):
        for epoch in range(options.epochs):
            show(epoch + 1)
            losses = [
                network.learn(*batch, rate) for batch in batches(x, labels, options.batch, rng)
            ]
            if not np.isfinite(losses).all():
                break
            dead.append(count_dead(network, x))
        accuracy = network.accuracy(x_test, labels_test)
    return Result(setting.name, rate, np.array(dead), np.mean(losses), accuracy)


def train_all(options, progress):
    results = []
    for setting in SETTINGS:
        for rate in options.learning_rates:

            def show(epoch, what=f"{setting.name}, rate {rate:g}"):
                progress.show(f"{what}: epoch {epoch} of {options.epochs} ...")

            results.append(train(setting, rate, options, show))
    progress.clear()
    return results


def report(results, hidden):
    """Print a line for each result."""
    print("Dead units in each hidden layer, before the first epoch and after the last, out of")
    print(f"{' + '.join(map(str, hidden))}:\n")
    width = max(6, len(in_columns(hidden)))
    print(
        f"{'weights':20} {'rate':>6}  {'before':>{width}}  {'after':>{width}}  {'dead':>6}"
        f" {'loss':>8} {'test accuracy':>14}"
    )
    for result in results:
        line = f"{result.setting:20} {result.rate:6g}  {in_columns(result.dead[0]):>{width}}"
        if result.diverged:
            print(f"{line}  diverged: a weight or the loss exceeds float32")
            continue
        print(
            f"{line}  {in_columns(result.dead[-1]):>{width}}"
            f"  {result.dead[-1].sum() / sum(hidden):6.1%}"
            f" {result.loss:8.4f} {result.accuracy:14.4f}"
        )


def in_columns(counts):
    return " ".join(f"{count:3}" for count in counts)


def draw(results, options, kind):
    """Return a plot of the share of dead units by epoch, one panel for each result, as bytes."""
    from matplotlib.figure import Figure

    rows, columns = len(SETTINGS), len(options.learning_rates)
    figure = Figure((4 * columns, 2.7 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, result in zip(panels.flat, results, strict=True):
        for i, (dead, units) in enumerate(zip(result.dead.T, options.hidden, strict=True)):
            axes.plot(dead / units, marker=".", label=f"layer {i + 1}")
        end = "diverged" if result.diverged else f"accuracy {result.accuracy:.2f}"
        axes.set_title(f"{result.setting}, rate {result.rate:g}: {end}", fontsize=10)
        axes.set_ylim(-0.03, 1.03)
        axes.grid(alpha=0.3)
    figure.supxlabel("epoch")
    figure.supylabel("share of dead units")
    figure.legend(
        *panels[0, 0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=len(options.hidden),
    )
    return image_of(figure, kind)


def main(options, progress):
    kind = plot_kind(options.plot)
    with whole_file("--plot", options.plot) as write:
        results = train_all(options, progress)
        report(results, options.hidden)
        if kind:
            write(draw(results, options, kind))
    return 0


def parser():
    parser = parser_for(__doc__, EPILOG, epochs=20, batch=32, hidden=[64, 64, 64])
    parser.add_argument(
        "--learning-rates",
        type=positive,
        nargs="+",
        default=[0.01, 0.1, 1],
        metavar="R",
        help="each setting is trained at each rate; default: 0.01 0.1 1",
    )
    return parser


if __name__ == "__main__" and (status := run(parser(), main)):
    sys.exit(status)
