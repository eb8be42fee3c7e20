"""What predicates and operations are, in numbers, as z3 terms.

An operation also lists what it computes with floats: of which operands, and when.
"""

from typing import NamedTuple

import z3
from proofs.predicates.formats import IEEE
from proofs.predicates.instructions import FLOAT_FUNCTIONS


def zero(bits):
    return z3.BitVecVal(0, bits.size())


def at_most(format, a, b):
    return z3.Or(format.less(a, b), format.equal(a, b))


def at_most_zero(format, x):
    return z3.Or(format.below_zero(x), format.is_zero(x))


class Predicate(NamedTuple):
    holds: object
    of: object = lambda format, *x: z3.BoolVal(True)  # of these operands alone


PREDICATES = {
    "not_negative": Predicate(lambda format, x: z3.Not(format.below_zero(x))),
    "positive_or_nan": Predicate(lambda format, x: z3.Not(at_most_zero(format, x))),
    "is_number": Predicate(lambda format, x: z3.Not(format.is_nan(x))),
    "exceeds": Predicate(
        lambda format, x, bound: z3.Not(z3.Or(format.is_nan(x), at_most(format, x, bound))),
        of=lambda format, x, bound: z3.Not(format.below_zero(x)),
    ),
    "below": Predicate(
        lambda format, x, bound: z3.Or(format.is_nan(x), format.less(x, bound)),
        of=lambda format, x, bound: z3.Not(at_most_zero(format, x)),
    ),
    "outside": Predicate(
        lambda format, x, bound: z3.Not(at_most(format, format.magnitude(x), bound))
    ),
    "positive": Predicate(
        lambda format, x: z3.Not(z3.Or(format.is_nan(x), at_most_zero(format, x)))
    ),
}


class Computed(NamedTuple):
    """What is computed with floats in a lane."""

    name: str
    operands: list
    condition: object = True

    @property
    def result(self):
        a, b = self.operands
        return FLOAT_FUNCTIONS[self.name](a.size())(a, b)


def rectified(format, x):
    return z3.If(format.below_zero(x), zero(x), x)


def rectified_result(format, name, a, b):
    if not isinstance(format, IEEE):
        return rectified(format, {"add": a + b, "sub": a - b}[name]), []
    step = Computed(name, [a, b])
    return rectified(format, step.result), [step, Computed("not_less_zero", [step.result])]


def multiplied_unless(condition, a, b):
    step = Computed("mul", [a, b], z3.Not(condition))
    return z3.If(condition, a, step.result), [step]


def clipped_relu(format, x, bound):
    x = rectified(format, x)
    passes = z3.Or(format.is_nan(x), at_most(format, x, bound))
    return z3.If(passes, x, bound), []


def clipped_relu_backward(format, grad, x, bound):
    between = z3.And(z3.Not(at_most_zero(format, x)), format.less(x, bound))
    return z3.If(z3.Or(format.is_nan(x), between), grad, zero(grad)), []


def soft_threshold(format, x, threshold):
    above, steps = rectified_result(format, "sub", format.magnitude(x), threshold)
    product = Computed("mul", [format.sign(x), above])
    return z3.If(format.is_nan(x), x, product.result), [*steps, product]


OPERATIONS = {
    "relu": lambda format, x: (rectified(format, x), []),
    "relu_backward": lambda format, grad, x: (z3.If(at_most_zero(format, x), zero(grad), grad), []),
    "add_relu": lambda format, x, y: rectified_result(format, "add", x, y),
    "subtract_relu": lambda format, x, y: rectified_result(format, "sub", x, y),
    "leaky_relu": lambda format, x, slope: multiplied_unless(
        z3.Not(format.below_zero(x)), x, slope
    ),
    "leaky_relu_backward": lambda format, grad, x, slope: multiplied_unless(
        z3.Not(at_most_zero(format, x)), grad, slope
    ),
    "clipped_relu": clipped_relu,
    "clipped_relu_backward": clipped_relu_backward,
    "soft_threshold": soft_threshold,
    "soft_threshold_backward": lambda format, grad, x, threshold: (
        z3.If(at_most(format, format.magnitude(x), threshold), zero(grad), grad),
        [],
    ),
}
