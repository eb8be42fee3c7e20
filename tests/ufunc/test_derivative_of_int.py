"""The derivative at a Python int is that at np.asarray of it, however large it is."""

import enum

import numpy as np
import pytest

import fastrelu
from fastrelu import reference

FUNCTIONS = {"fastrelu": fastrelu.relu_derivative, "reference": reference.relu_derivative}
FITTING = [0, 1, -1, 2**31, -(2**31), 2**63 - 1, -(2**63), 2**63, 2**64 - 1]
TOO_LARGE = [2**64, -(2**63) - 1, 2**200, -(2**200)]


class Level(enum.IntEnum):
    LOW = -3
    NONE = 0
    TOP = 2**63


@pytest.fixture(params=FUNCTIONS.values(), ids=FUNCTIONS)
def derivative(request):
    return request.param


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize(
    "x", [*FITTING, *Level, *([x] for x in FITTING), *([x, 0] for x in FITTING)]
)
def test_it_is_that_of_the_array(derivative, x, at_zero):
    array = np.asarray(x)
    y = derivative(x, at_zero)
    assert y.dtype == array.dtype
    assert np.ndim(y) == array.ndim
    np.testing.assert_array_equal(y, np.where(array == 0, at_zero, array > 0))


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("x", [*TOO_LARGE, *([x] for x in TOO_LARGE)])
def test_what_numpy_holds_as_an_object_is_refused(derivative, x, at_zero):
    assert np.asarray(x).dtype == object
    with pytest.raises(TypeError):
        derivative(x, at_zero)
