"""Arrays of up to 64 dimensions, NumPy's limit, in every function and in the comparison."""

import itertools
import math
import os
import subprocess
import sys

import numpy as np
import pytest

import fastrelu
from fastrelu import reference

DIMENSIONS = [31, 32, 33, 63, 64]
MODULES = {"fastrelu": fastrelu, "reference": reference}
LEADING = {"ones": (), "empty": (0,), "some": (2, 3), "spread": (2, 1, 3)}


def values(shape, dtype="f4"):
    return np.resize(np.array([-1, 0, 2, -3, 4], dtype), shape)


@pytest.fixture(params=MODULES.values(), ids=MODULES)
def module(request):
    return request.param


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["i1", "f4", "g"])
@pytest.mark.parametrize("leading", LEADING.values(), ids=LEADING)
@pytest.mark.parametrize("n", DIMENSIONS)
def test_every_function(module, n, leading, dtype, order):
    shape = (*leading, *[1] * (n - len(leading)))
    flat = values(math.prod(shape), dtype)
    x = np.array(flat.reshape(shape), order=order)
    grad = np.array(flat.reshape(shape) + flat.dtype.type(5), order=order)
    expected = {
        "relu": reference.relu(flat),
        "relu_backward": reference.relu_backward(flat + flat.dtype.type(5), flat),
        "relu_derivative": reference.relu_derivative(flat, 1),
    }
    got = {
        "relu": module.relu(x),
        "relu_backward": module.relu_backward(grad, x),
        "relu_derivative": module.relu_derivative(x, 1),
    }
    y, mask = module.relu_with_mask(x)
    got["with_mask"], expected["with_mask"] = y, expected["relu"]
    got["from_mask"] = module.relu_backward_from_mask(grad, mask)
    expected["from_mask"] = expected["relu_backward"]
    for name, result in got.items():
        assert result.shape == shape, name
        assert result.dtype == x.dtype, name
        np.testing.assert_array_equal(result.reshape(flat.shape), expected[name], name)


@pytest.mark.parametrize("n", DIMENSIONS)
def test_broadcasting(module, n):
    grad, x = values((2, *[1] * (n - 1))), values((*[1] * (n - 1), 3))
    y = module.relu_backward(grad, x)
    assert y.shape == (2, *[1] * (n - 2), 3)
    expected = reference.relu_backward(values((2, 1)), values((1, 3)))
    np.testing.assert_array_equal(y.reshape(2, 3), expected)


@pytest.mark.parametrize("n", DIMENSIONS)
def test_keywords(module, n):
    x = values((2, 3, *[1] * (n - 2)))
    for where, order, subok in itertools.product([True, x > 0], "CFKA", [True, False]):
        out = np.full_like(x, 7)
        assert module.relu_backward(x, x, out, where=where, order=order, subok=subok) is out
        expected = np.where(where, reference.relu(values((2, 3))).reshape(x.shape), 7)
        np.testing.assert_array_equal(out, expected)


def test_shapes_that_do_not_broadcast_are_refused(module):
    with pytest.raises(ValueError, match="could not be broadcast together with shapes"):
        module.relu_backward(np.ones((2, *[1] * 40)), np.ones((3, *[1] * 40)))


COMPARE = """
import sys
from fastrelu._tool import main
main.check = lambda: []  # the self-test takes seconds
sys.exit(main.main(["--input", sys.argv[1], "--seconds", "0.01"]))
"""


@pytest.mark.parametrize("isa", [fastrelu.isa, "python"])
@pytest.mark.parametrize("n", [33, 64])
def test_the_comparison_takes_a_file(tmp_path, n, isa):
    path = tmp_path / "nd.npy"
    np.save(path, values((2, *[1] * (n - 2), 3)))
    done = subprocess.run(
        [sys.executable, "-P", "-c", COMPARE, path],
        env={**os.environ, "FASTRELU_ISA": isa},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "backward new" in done.stdout
