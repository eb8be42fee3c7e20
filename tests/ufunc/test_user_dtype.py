"""A dtype of another library is refused: a cast to float64 would lose what it is."""

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


@pytest.mark.parametrize("out", [None, "same", "float"])
def test_is_refused(module, x, out):
    given = {None: None, "same": x.copy(), "float": FLOATS.copy()}[out]
    before = None if given is None else given.copy()
    for name in ("relu", "relu_backward", "add_relu", "subtract_relu"):
        function = getattr(module, name)
        operands = [x] if name == "relu" else [x, x]
        with pytest.raises(TypeError, match=r"no loop for the dtype rational|[Cc]annot cast"):
            function(*operands, out=given)
    if given is not None:
        np.testing.assert_array_equal(given, before)


def test_is_refused_beside_a_number_and_a_float(module, x):
    for operands in ([FLOATS, x], [x, FLOATS], [1, x], [x, 1.5]):
        for name in ("relu_backward", "add_relu", "subtract_relu"):
            with pytest.raises(TypeError, match="no loop for the dtype rational"):
                getattr(module, name)(*operands)
    with pytest.raises(TypeError, match="no loop for the dtype rational"):
        module.relu_derivative(x)


def test_masks_are_refused(module, x):
    with pytest.raises(TypeError, match="x must hold integers or real floats, not rational"):
        module.relu_with_mask(x)
    with pytest.raises(TypeError, match="grad must hold integers or real floats, not rational"):
        module.relu_backward_from_mask(x, np.zeros(1, "u1"))
