"""The backward pass: every instruction set beside every NumPy idiom."""

import numpy as np
import pytest

import fastrelu

OPERANDS = 3


def times_mask(grad, x, out=None):
    return np.multiply(grad, x > 0, out=out)


def where(grad, x, out=None):
    if out is None:
        return np.where(x > 0, grad, 0)
    out[...] = np.where(x > 0, grad, 0)
    return out


def store_masked(grad, x, out=None):
    out = grad.copy() if out is None else out
    if out is not grad:
        np.copyto(out, grad)
    out[x <= 0] = 0
    return out


CONTENDERS = {
    **{name: found.relu_backward for name, found in fastrelu.implementations.items()},
    "grad * (x > 0)": times_mask,
    "where(x > 0, grad, 0)": where,
    "out[x <= 0] = 0": store_masked,
}


@pytest.mark.benchmark(max_time=0.1)
@pytest.mark.parametrize("contender", CONTENDERS)
def test_new_output(group, operands, contender):
    grad, x, _ = operands
    group.group += ", new output"
    group(CONTENDERS[contender], grad, x)


@pytest.mark.benchmark(max_time=0.1)
@pytest.mark.parametrize("contender", CONTENDERS)
def test_out(group, operands, contender):
    grad, x, y = operands
    group.group += ", out="
    group(CONTENDERS[contender], grad, x, out=y)


@pytest.mark.benchmark(max_time=0.1)
@pytest.mark.parametrize("contender", CONTENDERS)
def test_in_place(group, operands, contender):
    grad, x = operands[0].copy(), operands[1]
    group.group += ", in place"
    group(CONTENDERS[contender], grad, x, out=grad)
