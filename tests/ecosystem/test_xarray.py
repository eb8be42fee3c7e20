"""xarray: dimensions, coordinates, names, attributes and chunks are as under np.maximum(0, x)."""

import numpy as np
import pytest

import fastrelu
from fastrelu import reference

xr = pytest.importorskip("xarray")

pytestmark = pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is no ufunc")

VALUES = np.array([[-2.5, -0.0, 0.0, 1.5], [np.nan, -np.inf, np.inf, 3]])


def labelled(values):
    coordinates = {"row": [10, 20], "column": list("abcd"), "depth": ("row", [0.5, 1.5])}
    return xr.DataArray(values, coordinates, ("row", "column"), "x", {"unit": "m"})


ARRAYS = {
    "float16": labelled(VALUES.astype("f2")),
    "float32": labelled(VALUES.astype("f4")),
    "float64": labelled(VALUES),
    "int8": labelled(np.arange(-4, 4, dtype="i1").reshape(2, 4)),
    "bool": labelled(np.arange(8).reshape(2, 4) > 3),
    "transposed": labelled(VALUES).T,
    "one_column": labelled(VALUES)[:, 1],
    "one_element": labelled(VALUES)[0, 0],
    "empty": labelled(VALUES)[:0],
}
DATASET = xr.Dataset(
    {"wide": ARRAYS["float32"], "narrow": ("row", np.array([-3, 4], "i2"))},
    attrs={"source": "here"},
)
CONTAINERS = {
    **ARRAYS,
    "variable": ARRAYS["float32"].variable,
    "dataset": DATASET,
}
every = pytest.mark.parametrize("x", CONTAINERS.values(), ids=CONTAINERS)


def assert_same(ours, theirs):
    assert type(ours) is type(theirs)
    xr.testing.assert_identical(ours, theirs)
    assert dtypes_of(ours) == dtypes_of(theirs)


def dtypes_of(x):
    return dict(x.dtypes) if isinstance(x, xr.Dataset) else x.dtype


def by_reference(function, *operands):
    """Return what the reference makes of the values, in the container of np.maximum."""
    like = np.maximum(*operands)
    if isinstance(like, xr.Dataset):
        parts = {
            name: [o[name] if isinstance(o, xr.Dataset) else o for o in operands] for name in like
        }
        return like.assign({name: by_reference(function, *parts[name]) for name in like})
    values = function(*(np.asarray(operand) for operand in operands))
    return like.copy(data=np.asarray(values, like.dtype))


@every
def test_forward_is_maximum(x):
    assert_same(fastrelu.relu(x), np.maximum(0, x))


@every
@pytest.mark.parametrize("keep", [True, False, "default"])
def test_attributes_are_kept_as_by_maximum(x, keep):
    with xr.set_options(keep_attrs=keep):
        assert_same(fastrelu.relu(x), np.maximum(0, x))


@every
def test_backward_is_in_the_container_of_maximum(x):
    y = fastrelu.relu_backward(x * 2, x)
    assert_same(y, by_reference(reference.relu_backward, x * 2, x))


@pytest.mark.parametrize("at_zero", [0, 1])
@every
def test_derivative_is_in_the_container_of_x(x, at_zero):
    y = fastrelu.relu_derivative(x, at_zero)
    assert_same(y, by_reference(lambda _, x: reference.relu_derivative(x, at_zero), 1, x))


@pytest.mark.parametrize("x", ["float32", "transposed", "one_column"])
def test_gradients_may_be_plain(x):
    x = ARRAYS[x]
    grad = np.arange(1.0, x.size + 1).reshape(x.shape)
    assert_same(fastrelu.relu_backward(grad, x), by_reference(reference.relu_backward, grad, x))


def test_dimensions_are_broadcast_by_name():
    grad, x = ARRAYS["one_column"], ARRAYS["transposed"]
    y = fastrelu.relu_backward(grad, x)
    assert y.dims == np.maximum(grad, x).dims == ("row", "column")
    np.testing.assert_array_equal(y, reference.relu_backward(grad.values[:, None], x.values.T))


def test_labels_are_joined_as_by_maximum():
    grad, x = ARRAYS["float32"][:, 1:], ARRAYS["float32"][::-1]
    joined = xr.align(grad, x, join="inner")
    assert_same(fastrelu.relu_backward(grad, x), by_reference(reference.relu_backward, *joined))
    assert np.maximum(grad, x).coords.equals(np.maximum(*joined).coords)


@pytest.mark.parametrize(
    "grad", [3, np.float32(3), ARRAYS["one_column"]], ids=lambda grad: type(grad).__name__
)
def test_a_dataset_takes_a_gradient_of_each_variable(grad):
    y = fastrelu.relu_backward(grad, DATASET)
    xr.testing.assert_equal(y, DATASET.map(lambda x: fastrelu.relu_backward(grad, x)))
    assert dtypes_of(y) == dtypes_of(np.maximum(grad, DATASET))


def test_out_is_an_array_as_for_maximum():
    x, out, expected = ARRAYS["float32"], np.empty((2, 4), "f4"), np.empty((2, 4), "f4")
    assert_same(fastrelu.relu(x, out=out), np.maximum(0, x, out=expected))
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("ufunc", [fastrelu.relu, fastrelu.relu_backward, np.maximum])
def test_out_is_no_labelled_array(ufunc):
    with pytest.raises(NotImplementedError, match="not yet supported in the `out` argument"):
        ufunc(*[VALUES] * ufunc.nin, out=labelled(np.empty((2, 4))))


def test_chunks_are_kept():
    pytest.importorskip("dask.array")
    x = ARRAYS["float32"].chunk({"column": 3})
    for y in (fastrelu.relu(x), fastrelu.relu_backward(x, x), fastrelu.relu_derivative(x, 1)):
        assert y.chunks == ((2,), (3, 1))
        assert type(y.data) is type(x.data)
    assert_same(fastrelu.relu(x).compute(), fastrelu.relu(ARRAYS["float32"]))


@pytest.mark.parametrize("x", ["float32", "transposed", "one_element"])
def test_the_functions_with_masks_give_arrays(x):
    x = ARRAYS[x]
    y, mask = fastrelu.relu_with_mask(x)
    grad = fastrelu.relu_backward_from_mask(x * 2, mask)
    assert type(y) is type(grad) is np.ndarray
    np.testing.assert_array_equal(y, np.maximum(0, x.values), strict=x.ndim > 0)
    np.testing.assert_array_equal(grad, reference.relu_backward(x.values * 2, x.values))


def test_a_dataset_has_no_mask():
    with pytest.raises(TypeError, match=r"cannot directly convert an xarray\.Dataset"):
        fastrelu.relu_with_mask(DATASET)
