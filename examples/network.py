"""Shared by the examples that train: the digits, a network in NumPy, and their options."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import command_line
import numpy as np
from command_line import whole

import fastrelu
from fastrelu._tool.common import BadInputError

CLASSES = 10
TEST_SHARE = 0.2


class Activation(NamedTuple):
    """A way to add biases and compute ReLU, and its gradient."""

    name: str
    forward: Callable  # z, biases -> ReLU of their sum, h, and what the backward pass needs
    backward: Callable  # gradient of h, what forward kept -> gradient of z
    frees_h: bool = False  # backward does not need h, so its memory may hold gradients


ONE_BIT_MASK = Activation(
    "fastrelu, one-bit mask",
    lambda z, biases: fastrelu.relu_with_mask(np.add(z, biases, out=z), out=z),
    lambda grad, mask: fastrelu.relu_backward_from_mask(grad, mask, out=grad),
    frees_h=True,
)


def he(fan_in):
    """Return the standard deviation of He et al. 2015, https://arxiv.org/abs/1502.01852, eq. 10."""
    return np.sqrt(2 / fan_in)


class Network:
    """
    Layers of weights and biases, ReLU between them, softmax cross-entropy at the end.

    Parameters
    ----------
    widths : sequence of int
        Of the input, each hidden layer and the output.
    rng : numpy.random.Generator
        Draws the weights; the biases start at 0.
    activation : Activation, optional
        How ReLU is computed.
    std : callable, optional
        Gives the standard deviation of a unit's weights by the number of its inputs.
    dtype : dtype, optional
        Of the weights and the biases.
    """

    def __init__(self, widths, rng, activation=ONE_BIT_MASK, std=he, dtype=np.float32):
        self.activation = activation
        self.layers = [
            (rng.normal(0, std(n), (n, m)).astype(dtype), np.zeros(m, dtype))
            for n, m in itertools.pairwise(widths)
        ]

    def forward(self, x):
        """Return the scores of x, the input of each layer, and what each ReLU keeps."""
        inputs, kept = [x], []
        for weights, biases in self.layers[:-1]:
            h, needed = self.activation.forward(inputs[-1] @ weights, biases)
            inputs.append(h)
            kept.append(needed)
        weights, biases = self.layers[-1]
        return inputs[-1] @ weights + biases, inputs, kept

    def gradients(self, x, labels):
        """Return the loss, and its gradients in the form of layers."""
        scores, inputs, kept = self.forward(x)
        loss, grad = cross_entropy(scores, labels)
        found = []
        for weights, _ in reversed(self.layers):
            h = inputs.pop()
            found.append((h.T @ grad, grad.sum(axis=0)))
            if kept:
                grad = np.matmul(grad, weights.T, out=h if self.activation.frees_h else None)
                grad = self.activation.backward(grad, kept.pop())
        return loss, found[::-1]

    def learn(self, x, labels, rate):
        """Take one step of gradient descent; return the loss before it."""
        loss, gradients = self.gradients(x, labels)
        for layer, steps in zip(self.layers, gradients, strict=True):
            for parameter, step in zip(layer, steps, strict=True):
                step *= rate
                parameter -= step
        return loss

    def accuracy(self, x, labels):
        """Return the share of x whose greatest score is that of its label."""
        return np.mean(self.forward(x)[0].argmax(axis=1) == labels)


def cross_entropy(scores, labels):
    """Return the mean cross-entropy of softmax, and its gradient with respect to the scores."""
    rows = np.arange(len(labels))
    log_p = scores - scores.max(axis=1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    grad = np.exp(log_p)
    grad[rows, labels] -= 1
    grad /= len(labels)
    return -log_p[rows, labels].mean(), grad


def batches(x, labels, size, rng):
    """Return x and labels, shuffled, in batches of this size; the last may be smaller."""
    order = rng.permutation(len(x))
    x, labels = x[order], labels[order]
    return [(x[i : i + size], labels[i : i + size]) for i in range(0, len(x), size)]


def load_digits(rng):
    """
    Return scikit-learn's digits, shuffled: (x, labels) to train with, and (x, labels) to test.

    They are 1797 scans of 8 x 8 pixels, here from 0 to 1: the test set of E. Alpaydin and
    C. Kaynak, "Optical recognition of handwritten digits", UCI Machine Learning Repository, 1998.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise BadInputError(
            f"the digits come with scikit-learn, which is needed: {error}"
        ) from None
    x, labels = load_digits(return_X_y=True)
    test, train = np.split(rng.permutation(len(x)), [int(TEST_SHARE * len(x))])
    x = (x / x.max()).astype(np.float32)
    return (x[train], labels[train]), (x[test], labels[test])


def parser_for(description, epilog, *, epochs, batch, hidden):
    """Return a parser with the options of a training, and these defaults."""
    parser = command_line.parser_for(
        description, epilog, threads="matrix products and for fastrelu"
    )
    parser.add_argument(
        "--epochs", type=whole, default=epochs, metavar="N", help="default: %(default)s"
    )
    parser.add_argument(
        "--batch",
        type=whole,
        default=batch,
        metavar="N",
        help="digits in a batch, the whole set if it has fewer; default: %(default)s",
    )
    parser.add_argument(
        "--hidden",
        type=whole,
        nargs="+",
        default=hidden,
        metavar="N",
        help=f"units in each hidden layer; default: {' '.join(map(str, hidden))}",
    )
    return parser


def limit_threads(n):
    """Return a context in which NumPy's BLAS and fastrelu use at most n threads."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise BadInputError(
            f"threadpoolctl, which comes with scikit-learn, is needed: {error}"
        ) from None
    return threadpool_limits(n)


def run(parser, main):
    """Call main(options, progress) with at most options.threads; return the exit status."""

    def limited(options, progress):
        with limit_threads(options.threads):
            return main(options, progress)

    return command_line.run(parser, limited)
