"""NumPy's own subclasses of ndarray, and one with its own rule: all is as under np.maximum."""

import numpy as np
import pytest

import fastrelu
from fastrelu import reference

pytestmark = [
    pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is no ufunc"),
    pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning"),
]

N = 1000
VALUES = np.resize([-2.5, -0.0, 0.0, 1.5, np.nan, -np.inf, np.inf, 3], N)
GRADS = np.resize(np.arange(1.0, 8), N)
MASKS = {
    "some": np.arange(N) % 3 == 0,
    "all": np.ones(N, bool),
    "none": np.zeros(N, bool),
    "no_mask": np.ma.nomask,
}
LAYOUTS = {
    "one_d": lambda a: a,
    "transposed": lambda a: a.reshape(20, 50).T,
    "step_2": lambda a: a[::2],
    "zero_d": lambda a: a[1:2].reshape(()),
    "empty": lambda a: a[:0],
}
DTYPES = ["e", "f", "d", "g", "b", "q", "?"]


def values_of(values, dtype):
    return (
        np.nan_to_num(values, posinf=9, neginf=-9).astype(dtype)
        if dtype in "bq?"
        else (values.astype(dtype))
    )


def masked(values, dtype, mask):
    return np.ma.array(values_of(values, dtype), mask=MASKS[mask], fill_value=1)


def assert_same_masked(ours, theirs):
    assert type(ours) is type(theirs)
    if theirs is np.ma.masked:
        assert ours is theirs
        return
    assert (ours.dtype, ours.shape, ours.fill_value) == (
        theirs.dtype,
        theirs.shape,
        theirs.fill_value,
    )
    np.testing.assert_array_equal(np.ma.getmaskarray(ours), np.ma.getmaskarray(theirs))
    np.testing.assert_array_equal(np.ma.getdata(ours), np.ma.getdata(theirs))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("mask", MASKS)
def test_masked_forward_is_maximum(mask, layout, dtype):
    x = LAYOUTS[layout](masked(VALUES, dtype, mask))
    assert_same_masked(fastrelu.relu(x), np.maximum(0, x))


@pytest.mark.parametrize("hard", [False, True])
def test_masked_flags_are_those_of_maximum(hard):
    x = np.ma.array([-1.0, 2.0], mask=[True, False], hard_mask=hard, fill_value=7)
    y, expected = fastrelu.relu(x), np.maximum(0, x)
    assert (y.hardmask, y.sharedmask) == (expected.hardmask, expected.sharedmask)


@pytest.mark.parametrize("grad_mask", [*MASKS, "plain"])
@pytest.mark.parametrize("mask", [*MASKS, "plain"])
def test_masked_backward_masks_as_maximum_does(mask, grad_mask):
    grad, x = (
        values if kind == "plain" else masked(values, "d", kind)
        for values, kind in ((GRADS, grad_mask), (VALUES[::-1], mask))
    )
    y, expected = fastrelu.relu_backward(grad, x), np.maximum(grad, x)
    assert type(y) is type(expected)
    np.testing.assert_array_equal(np.ma.getmaskarray(y), np.ma.getmaskarray(expected))
    np.testing.assert_array_equal(np.ma.getdata(y), reference.relu_backward(GRADS, VALUES[::-1]))


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("mask", MASKS)
def test_masked_derivative_keeps_the_mask(mask, at_zero):
    y = fastrelu.relu_derivative(masked(VALUES, "f", mask), at_zero)
    assert (type(y), y.dtype) == (np.ma.MaskedArray, np.float32)
    expected = reference.relu_derivative(VALUES.astype("f"), at_zero)
    np.testing.assert_array_equal(y.data, expected)
    np.testing.assert_array_equal(np.ma.getmaskarray(y), np.broadcast_to(MASKS[mask], N))


OUTPUTS = {
    "plain": lambda: np.full(N, 7.0),
    "masked": lambda: masked(np.full(N, 7.0), "d", "some"),
    "hard": lambda: np.ma.array(np.full(N, 7.0), mask=MASKS["some"], hard_mask=True),
}


@pytest.mark.parametrize("keywords", ["out", "where"])
@pytest.mark.parametrize("out", ["plain", "masked", "hard"])
@pytest.mark.parametrize("mask", [*MASKS, "plain"])
def test_masked_out_is_that_of_maximum(mask, out, keywords):
    x = VALUES if mask == "plain" else masked(VALUES, "d", mask)
    outs = OUTPUTS[out](), OUTPUTS[out]()
    others = {"where": VALUES > -1} if keywords == "where" else {}
    ours = fastrelu.relu(x, out=outs[0], **others)
    theirs = np.maximum(0, x, out=outs[1], **others)
    assert (ours is outs[0]) == (theirs is outs[1])
    if isinstance(ours, np.ma.MaskedArray):
        assert_same_masked(ours, theirs)
        assert_same_masked(*outs)
    else:
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(*outs)


def test_masked_in_place_changes_what_is_masked_too():
    x, expected = masked(VALUES, "d", "some"), masked(VALUES, "d", "some")
    assert fastrelu.relu(x, out=x) is x
    assert_same_masked(x, np.maximum(expected, 0, out=expected))


def test_masked_alone_stays_masked():
    assert fastrelu.relu(np.ma.masked) is np.ma.masked
    assert fastrelu.relu_backward(2.0, np.ma.masked) is np.ma.masked
    assert fastrelu.relu_backward(np.ma.masked, 2.0) is np.ma.masked


def test_the_mask_of_a_result_is_shared_as_by_every_ufunc_of_one_input():
    x = masked(VALUES, "d", "some")
    ours, theirs = (np.may_share_memory(f(x).mask, x.mask) for f in (fastrelu.relu, np.negative))
    assert ours == theirs


MATRIX = VALUES.reshape(20, 50).view(np.matrix)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cut", [np.s_[:], np.s_[:, ::2], np.s_[::-1], np.s_[:0]], ids=str)
def test_matrix_forward_is_maximum(cut, dtype):
    x = values_of(MATRIX, dtype).T[cut]
    y, expected = fastrelu.relu(x), np.maximum(0, x)
    assert (type(y), y.dtype, y.shape) == (np.matrix, expected.dtype, expected.shape)
    np.testing.assert_array_equal(y, expected)


def test_matrix_backward_is_by_element():
    grad = GRADS.reshape(20, 50).view(np.matrix)
    for operands in (grad, MATRIX), (grad.A, MATRIX), (grad, MATRIX.A):
        y = fastrelu.relu_backward(*operands)
        assert type(y) is np.matrix
        np.testing.assert_array_equal(y, reference.relu_backward(grad.A, MATRIX.A))


@pytest.mark.parametrize("at_zero", [0, 1])
def test_matrix_derivative(at_zero):
    y = fastrelu.relu_derivative(MATRIX, at_zero)
    assert type(y) is np.matrix
    np.testing.assert_array_equal(y, reference.relu_derivative(MATRIX.A, at_zero))


def test_matrix_out_is_returned():
    out = np.empty((20, 50)).view(np.matrix)
    assert fastrelu.relu(MATRIX.A, out=out) is out
    np.testing.assert_array_equal(out, np.maximum(0, MATRIX))


def test_matrix_becomes_an_array_with_its_mask():
    y, mask = fastrelu.relu_with_mask(MATRIX)
    grad = fastrelu.relu_backward_from_mask(MATRIX, mask)
    assert (type(y), y.shape, type(grad), grad.shape) == (np.ndarray, (20, 50)) * 2


@pytest.fixture
def mapped(tmp_path):
    """Return mapped(mode, offset): VALUES in a file, and the file."""

    def mapped(mode, offset=0):
        path = tmp_path / f"{mode}{offset}"
        path.write_bytes(b" " * offset + VALUES.tobytes())
        return np.memmap(path, "d", mode, offset, shape=(20, 50)), path

    return mapped


@pytest.mark.parametrize("offset", [0, 3, 4096])
@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_memmap_gives_what_maximum_gives(mapped, mode, offset):
    x, path = mapped(mode, offset)
    before = path.read_bytes()
    for view in x, x[1:, ::2], x[0, 0], x[:1, :1].reshape(()):
        y, expected = fastrelu.relu(view), np.maximum(0, view)
        assert (type(y), y.dtype) == (type(expected), expected.dtype)
        np.testing.assert_array_equal(y, expected)
    grad = GRADS.reshape(20, 50)
    y = fastrelu.relu_backward(grad, x)
    assert type(y) is type(np.maximum(grad, x))
    np.testing.assert_array_equal(y, reference.relu_backward(grad, np.asarray(x)))
    derivative = fastrelu.relu_derivative(x, 1)
    np.testing.assert_array_equal(derivative, reference.relu_derivative(np.asarray(x), 1))
    assert path.read_bytes() == before


def test_memmap_in_place_changes_the_file(mapped):
    x, path = mapped("r+", 3)
    assert fastrelu.relu(x, out=x) is x
    x.flush()
    np.testing.assert_array_equal(np.frombuffer(path.read_bytes()[3:]), np.maximum(0, VALUES))


def test_memmap_copied_on_write_leaves_the_file(mapped):
    x, path = mapped("c")
    before = path.read_bytes()
    fastrelu.relu(x, out=x)
    np.testing.assert_array_equal(x.ravel(), np.maximum(0, VALUES))
    assert path.read_bytes() == before


@pytest.mark.parametrize("ufunc", [fastrelu.relu, fastrelu.relu_backward, np.maximum])
def test_memmap_to_read_is_no_out(mapped, ufunc):
    x, path = mapped("r")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="read-only"):
        ufunc(*[np.zeros(x.shape)] * ufunc.nin, out=x)
    assert path.read_bytes() == before


class Quantity(np.ndarray):
    """Numbers of a unit, which its __array_ufunc__ hands on to every result."""

    def __new__(cls, values, unit):
        self = np.array(values).view(cls)
        self.unit = unit
        return self

    def __array_finalize__(self, parent):
        self.unit = getattr(parent, "unit", None)

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **keywords):
        unit = next(a.unit for a in (*inputs, *(out or ())) if isinstance(a, Quantity))
        if out is not None:
            keywords["out"] = tuple(np.asarray(a) for a in out)
        result = getattr(ufunc, method)(*map(np.asarray, inputs), **keywords)
        if out is None:
            return result if method == "at" else Quantity(result, unit)
        if isinstance(out[0], Quantity):
            out[0].unit = unit
        return out[0]


METRES = Quantity(VALUES, "m")
SECONDS = Quantity(GRADS, "s")


@pytest.mark.parametrize(
    "keywords", [{}, {"dtype": "f4"}, {"where": True}, {"order": "F"}], ids=str
)
@pytest.mark.parametrize("x", [METRES, METRES[::2], METRES[:2].reshape(1, 2).T], ids=len)
def test_own_ufunc_decides_as_for_maximum(x, keywords):
    y, expected = (f(x, **keywords) for f in (fastrelu.relu, lambda x, **k: np.maximum(0, x, **k)))
    assert (type(y), y.unit, y.dtype, y.strides) == (
        Quantity,
        "m",
        expected.dtype,
        expected.strides,
    )
    np.testing.assert_array_equal(np.asarray(y), np.asarray(expected))


@pytest.mark.parametrize(
    ("grad", "x", "unit"),
    [(SECONDS, METRES, "s"), (GRADS, METRES, "m"), (SECONDS, VALUES, "s")],
    ids=["both", "x", "grad"],
)
def test_own_ufunc_decides_backward(grad, x, unit):
    y = fastrelu.relu_backward(grad, x)
    assert (type(y), y.unit) == (Quantity, unit)
    np.testing.assert_array_equal(np.asarray(y), reference.relu_backward(GRADS, VALUES))


@pytest.mark.parametrize("at_zero", [0, 1])
def test_own_ufunc_decides_for_the_derivative(at_zero):
    y = fastrelu.relu_derivative(METRES, at_zero)
    assert (type(y), y.unit) == (Quantity, "m")
    np.testing.assert_array_equal(np.asarray(y), reference.relu_derivative(VALUES, at_zero))


@pytest.mark.parametrize("x", [METRES, VALUES], ids=["quantity", "array"])
@pytest.mark.parametrize("unit", ["km", None], ids=["quantity", "array"])
def test_own_ufunc_decides_for_out(x, unit):
    out = np.empty(N) if unit is None else Quantity(np.empty(N), unit)
    assert fastrelu.relu(x, out=out) is out
    assert getattr(out, "unit", None) == (unit and getattr(x, "unit", unit))
    np.testing.assert_array_equal(np.asarray(out), np.maximum(0, VALUES))


def test_own_ufunc_decides_for_the_methods():
    x = METRES[:4].copy()
    fastrelu.relu.at(x, [0, 1])
    assert np.asarray(x).tolist() == [0, 0, 0, 1.5]
    y = fastrelu.relu_backward.outer(SECONDS[:2], METRES[:4])
    assert (type(y), y.unit, y.shape) == (Quantity, "s", (2, 4))


def test_own_ufunc_is_not_asked_by_the_functions_with_masks():
    y, mask = fastrelu.relu_with_mask(METRES)
    grad = fastrelu.relu_backward_from_mask(SECONDS, mask)
    assert type(y) is type(grad) is np.ndarray
    np.testing.assert_array_equal(y, np.maximum(0, VALUES))
    np.testing.assert_array_equal(grad, reference.relu_backward(GRADS, VALUES))
