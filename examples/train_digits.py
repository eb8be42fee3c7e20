"""
Train on digits
===============

Train a network on handwritten digits with NumPy's ReLU and with fastrelu's, side by side.

Everything but ReLU is NumPy. NumPy and fastrelu each compute ReLU in three ways: with new outputs,
in place, and in place with a mask for the backward pass. A seventh way, add_relu, adds the bias in
the pass of ReLU; the others leave that to NumPy. All trainings start from the same weights and use
the same batches. Their epochs are interleaved, so that other load on the machine slows all of them
equally. At the end their weights must be identical to the bit.
"""

import statistics
import sys
import time
import tracemalloc

import numpy as np
from command_line import image_of, plot_kind, positive
from network import (
    CLASSES,
    ONE_BIT_MASK,
    Activation,
    Network,
    batches,
    load_digits,
    parser_for,
    run,
)

from fastrelu import add_relu, relu, relu_backward
from fastrelu._tool.common import BadInputError, human, whole_file

EPILOG = """\
In a network as small as the default one, matrix products and Python take most of the time. ReLU
matters if it has many elements per multiplication, as in one wide layer:
  train_digits.py --hidden 16384 --batch 1438 --learning-rate 0.003
exit status: 0, or 1 if the weights differ, 2 on bad input, 130 if interrupted.
"""

RELU_IN_PLACE, ADD_RELU = "fastrelu, in place", "fastrelu, add_relu"
CONTENDERS = (
    Activation(
        "NumPy",
        lambda z, b: (np.maximum(0, np.add(z, b, out=z)), z),
        lambda grad, z: grad * (z > 0),
    ),
    Activation(
        "NumPy, in place",
        lambda z, b: (np.maximum(0, np.add(z, b, out=z), out=z), z),  # h > 0 where z was
        lambda grad, h: np.multiply(grad, h > 0, out=grad),
    ),
    Activation(
        "NumPy, mask of bool",
        lambda z, b: (np.maximum(0, np.add(z, b, out=z), out=z), z > 0),
        lambda grad, mask: np.multiply(grad, mask, out=grad),
        frees_h=True,
    ),
    Activation(
        "fastrelu",
        lambda z, b: (relu(np.add(z, b, out=z)), z),
        lambda grad, z: relu_backward(grad, z),
    ),
    Activation(
        RELU_IN_PLACE,
        lambda z, b: (relu(np.add(z, b, out=z), out=z), z),
        lambda grad, h: relu_backward(grad, h, out=grad),
    ),
    Activation(
        ADD_RELU,
        lambda z, b: (add_relu(z, b, out=z), z),
        lambda grad, h: relu_backward(grad, h, out=grad),
    ),
    ONE_BIT_MASK,
)
HEADER = (
    f"{'':22} {'accuracy':>8} {'loss':>7} {'s/epoch':>9} {'median':>8} {'in ReLU':>8} {'share':>6}"
    f" {'kept':>9} {'peak':>9}"
)
NOTES = """
accuracy: on the test set. loss: the mean over the last epoch. s/epoch: the fastest, and the median.
in ReLU: the least of all epochs, in adding biases, ReLU and its gradient; share: the median. kept:
the memory that a batch keeps from its forward to its backward pass, without its input. peak: the
most that a batch allocates (tracemalloc).
"""


class Training:
    """A network with one contender's ReLU, and the times of its epochs."""

    def __init__(self, activation, widths, seed):
        self.name = activation.name
        self.in_relu = 0.0
        self.activation = activation._replace(
            forward=self.timed(activation.forward), backward=self.timed(activation.backward)
        )
        self.network = Network(widths, np.random.default_rng(seed), self.activation)
        self.losses, self.seconds, self.relu_seconds = [], [], []

    def timed(self, function):
        def call(*operands):
            start = time.perf_counter()
            result = function(*operands)
            self.in_relu += time.perf_counter() - start
            return result

        return call

    def measure_memory(self, x, labels):
        """Measure the bytes that a batch keeps, and the most that it allocates at one time."""
        _, inputs, kept = self.network.forward(x)
        self.kept_bytes = sum({id(a): a.nbytes for a in inputs[1:] + kept}.values())
        del inputs, kept
        tracemalloc.start()
        try:
            self.network.gradients(x, labels)
            self.peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def epoch(self, batches, rate):
        """Learn from each batch, and measure the time."""
        self.in_relu = 0.0
        start = time.perf_counter()
        losses = [self.network.learn(x, labels, rate) * len(x) for x, labels in batches]
        self.seconds.append(time.perf_counter() - start)
        self.relu_seconds.append(self.in_relu)
        self.losses.append(sum(losses) / sum(len(x) for x, _ in batches))

    def share(self):
        """Return the share of ReLU in an epoch's time."""
        return statistics.median(np.divide(self.relu_seconds, self.seconds))

    def parameters(self):
        return b"".join(array.tobytes() for layer in self.network.layers for array in layer)


def train(options, progress):
    """Return the contenders' trainings, and the accuracy of each on the test set."""
    progress.show("loading the digits ...")
    rng = np.random.default_rng(options.seed)
    (x, labels), test = load_digits(rng)
    widths = [x.shape[1], *options.hidden, CLASSES]
    trainings = [Training(contender, widths, options.seed) for contender in CONTENDERS]
    for training in trainings:
        progress.show(f"measuring memory: {training.name} ...")
        training.measure_memory(x[: options.batch], labels[: options.batch])
    for i in range(options.epochs):
        turn = i % len(trainings)
        in_batches = batches(x, labels, options.batch, rng)
        for training in trainings[turn:] + trainings[:turn]:
            progress.show(f"epoch {i + 1} of {options.epochs}: {training.name} ...")
            with np.errstate(over="ignore", invalid="ignore"):
                training.epoch(in_batches, options.learning_rate)
            if not np.isfinite(training.losses[-1]):
                raise BadInputError(
                    f"--learning-rate {options.learning_rate:g}: the loss is no longer finite in "
                    f"epoch {i + 1}; give a smaller one"
                )
    progress.clear()
    return trainings, [training.network.accuracy(*test) for training in trainings]


def report(trainings, accuracies):
    """Print the table and the conclusions; return the exit status."""
    print(HEADER)
    for training, accuracy in zip(trainings, accuracies, strict=True):
        print(
            f"{training.name:22} {accuracy:8.4f} {training.losses[-1]:7.4f}"
            f" {human(min(training.seconds)):>9} {human(statistics.median(training.seconds)):>8}"
            f" {human(min(training.relu_seconds)):>8} {training.share():6.1%}"
            f" {mib(training.kept_bytes):>9} {mib(training.peak_bytes):>9}"
        )
    print(NOTES)
    first = trainings[0].parameters()
    differing = [training.name for training in trainings if training.parameters() != first]
    if differing:
        print(f"WRONG: other weights than with {trainings[0].name}: {'; '.join(differing)}.")
    else:
        print(f"The weights of all {len(trainings)} are identical to the bit.")
    of_numpy = [training for training in trainings if training.name.startswith("NumPy")]
    of_fastrelu = [training for training in trainings if training not in of_numpy]
    numpy, ours = (
        min(group, key=lambda training: statistics.median(training.seconds))
        for group in (of_numpy, of_fastrelu)
    )
    faster = statistics.median(np.divide(numpy.seconds, ours.seconds))
    share = numpy.share()
    print(
        f'By the median, "{numpy.name}" is NumPy\'s fastest. Biases and ReLU take {share:.1%} of '
        f'it:\nwithout them it would be {1 / (1 - share):.2f}x faster. "{ours.name}" is '
        f"{faster:.2f} times as fast."
    )
    by_name = {training.name: training.relu_seconds for training in trainings}
    gain = statistics.median(np.divide(by_name[RELU_IN_PLACE], by_name[ADD_RELU]))
    print(f'In ReLU, "{ADD_RELU}" is {gain:.2f}x faster than "{RELU_IN_PLACE}".')
    return int(bool(differing))


def mib(size):
    return f"{size / 2**20:.2f} MiB"


def draw(trainings, kind):
    """Return a plot of time, memory and loss, as bytes."""
    from matplotlib.figure import Figure

    figure = Figure((15, 4.5), layout="constrained")
    times, memory, losses = figure.subplots(1, 3)
    names = [training.name for training in trainings]
    in_relu = np.array([min(training.relu_seconds) for training in trainings]) * 1e3
    seconds = np.array([min(training.seconds) for training in trainings]) * 1e3
    times.barh(names, in_relu, label="ReLU")
    times.barh(names, seconds - in_relu, left=in_relu, color="0.8", label="all else")
    times.set(title="time of the fastest epoch", xlabel="ms")
    rows = np.arange(len(trainings))
    for shift, field in ((-0.2, "kept"), (0.2, "peak")):
        size = [getattr(training, f"{field}_bytes") / 2**20 for training in trainings]
        memory.barh(rows + shift, size, 0.4, label=field)
    memory.set(title="memory of a batch", xlabel="MiB", yticks=rows, yticklabels=names)
    for i, training in enumerate(trainings):
        epochs = range(1, len(training.losses) + 1)
        losses.plot(epochs, training.losses, linewidth=2 * (len(trainings) - i), label=names[i])
    losses.set(title="loss", xlabel="epoch", yscale="log")
    losses.legend()
    for axes in (times, memory):
        axes.invert_yaxis()
        axes.margins(x=0.4)  # for the legend
        axes.legend(loc="upper right")
    return image_of(figure, kind)


def main(options, progress):
    kind = plot_kind(options.plot)
    with whole_file("--plot", options.plot) as write:
        trainings, accuracies = train(options, progress)
        status = report(trainings, accuracies)
        if kind:
            write(draw(trainings, kind))
    return status


def parser():
    parser = parser_for(__doc__, EPILOG, epochs=20, batch=64, hidden=[128, 128])
    parser.add_argument(
        "--learning-rate", type=positive, default=0.1, metavar="R", help="default: %(default)s"
    )
    return parser


if __name__ == "__main__" and (status := run(parser(), main)):
    sys.exit(status)
