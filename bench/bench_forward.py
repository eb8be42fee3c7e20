"""The forward pass: every instruction set beside every NumPy idiom."""

import numpy as np
import pytest

import fastrelu

OPERANDS = 2


def times_mask(x, out=None):
    return np.multiply(x, x > 0, out=out)


def copy(x, out):
    np.copyto(out, x)


# Each returns the function to call and its arguments; all these functions take out=.
CONTENDERS = {
    **{
        name: lambda x, relu=implementation.relu: (relu, x)
        for name, implementation in fastrelu.implementations.items()
    },
    "maximum(0, x)": lambda x: (np.maximum, 0, x),
    "maximum(x, 0)": lambda x: (np.maximum, x, 0),
    "maximum(zeros_array, x)": lambda x: (np.maximum, np.zeros_like(x), x),
    "clip(x, 0, None)": lambda x: (np.clip, x, 0, None),
    "x * (x > 0)": lambda x: (times_mask, x),
}


@pytest.mark.benchmark(max_time=0.1)
@pytest.mark.parametrize("contender", CONTENDERS)
def test_new_output(group, operands, contender):
    x, _ = operands
    group.group += ", new output"
    group(*CONTENDERS[contender](x))


@pytest.mark.benchmark(max_time=0.1)
@pytest.mark.parametrize("contender", CONTENDERS)
def test_out(group, operands, contender):
    x, y = operands
    group.group += ", out="
    group(*CONTENDERS[contender](x), out=y)


# After the first round no value is below zero; no contender's time depends on that.
@pytest.mark.benchmark(max_time=0.1)
@pytest.mark.parametrize("contender", CONTENDERS)
def test_in_place(group, operands, contender):
    x = operands[0].copy()
    group.group += ", in place"
    group(*CONTENDERS[contender](x), out=x)


@pytest.mark.benchmark(max_time=0.1)
def test_limit_new_output(group, operands):
    x, _ = operands
    group.group += ", new output"
    group(np.copy, x)


@pytest.mark.benchmark(max_time=0.1)
def test_limit_out(group, operands):
    x, y = operands
    group.group += ", out="
    group(np.copyto, y, x)
