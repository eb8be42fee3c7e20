"""Bit masks: both directions of every instruction set, beside the same without a mask."""

import numpy as np
import pytest

import fastrelu

OPERANDS = 3
every_isa = pytest.mark.parametrize("isa", fastrelu.implementations)


def with_packbits(x, out, mask):
    np.maximum(x, 0, out=out)
    mask[:] = np.packbits(x > 0, bitorder="little")


def with_unpackbits(grad, mask, out):
    np.multiply(grad, np.unpackbits(mask, count=grad.size, bitorder="little"), out=out)


@pytest.fixture
def mask(operands):
    return fastrelu.relu_with_mask(operands[0])[1]


@pytest.mark.benchmark(max_time=0.1)
@every_isa
def test_forward(group, operands, mask, isa):
    x, _, y = operands
    group.group += ", forward"
    group(fastrelu.implementations[isa].relu_with_mask, x, out=y, mask=mask)


@pytest.mark.benchmark(max_time=0.1)
@every_isa
def test_forward_without_a_mask(group, operands, isa):
    x, _, y = operands
    group.group += ", forward"
    group(fastrelu.implementations[isa].relu, x, out=y)


@pytest.mark.benchmark(max_time=0.1)
def test_forward_in_numpy(group, operands, mask):
    x, _, y = operands
    group.group += ", forward"
    group(with_packbits, x, out=y, mask=mask)


@pytest.mark.benchmark(max_time=0.1)
@every_isa
def test_backward(group, operands, mask, isa):
    _, grad, y = operands
    group.group += ", backward"
    group(fastrelu.implementations[isa].relu_backward_from_mask, grad, mask, out=y)


@pytest.mark.benchmark(max_time=0.1)
@every_isa
def test_backward_without_a_mask(group, operands, isa):
    x, grad, y = operands
    group.group += ", backward"
    group(fastrelu.implementations[isa].relu_backward, grad, x, out=y)


@pytest.mark.benchmark(max_time=0.1)
def test_backward_in_numpy(group, operands, mask):
    _, grad, y = operands
    group.group += ", backward"
    group(with_unpackbits, grad, mask, out=y)
