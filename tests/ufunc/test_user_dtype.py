"""A dtype of another library is computed in the first of NumPy's that it casts to safely."""

import numpy as np
import pytest

import fastrelu
from fastrelu import reference

rational = pytest.importorskip("numpy._core._rational_tests").rational
MODULES = {"fastrelu": fastrelu, "reference": reference}
FLOATS = np.array([-0.5, 0.0, 1.5])


@pytest.fixture(params=MODULES.values(), ids=MODULES)
def module(request):
    return request.param


@pytest.fixture
def x():
    return np.array([rational(-1, 2), rational(0), rational(3, 2)])


def assert_is(result, expected):
    np.testing.assert_array_equal(result, expected, strict=True)


def test_forward_gives_float64(module, x):
    assert_is(module.relu(x), np.array([0, 0, 1.5]))
    assert type(module.relu(x[2])) is np.float64
    assert np.maximum(0, x).dtype == x.dtype  # NumPy's test has a loop for it


def test_backward_and_derivative_give_float64(module, x):
    assert_is(module.relu_backward(FLOATS + 1, x), reference.relu_backward(FLOATS + 1, FLOATS))
    assert_is(module.relu_backward(x, x), reference.relu_backward(FLOATS, FLOATS))
    assert_is(module.relu_derivative(x), reference.relu_derivative(FLOATS))
    assert_is(module.relu_derivative(x, 1), reference.relu_derivative(FLOATS, 1))


def test_an_output_of_its_dtype_is_refused(module, x):
    with pytest.raises(TypeError, match=r"[Cc]annot cast"):
        module.relu(x, out=x.copy())


def test_masks_are_refused(module, x):
    with pytest.raises(TypeError, match="x must hold integers or real floats, not rational"):
        module.relu_with_mask(x)
    with pytest.raises(TypeError, match="grad must hold integers or real floats, not rational"):
        module.relu_backward_from_mask(x, np.zeros(1, "u1"))
