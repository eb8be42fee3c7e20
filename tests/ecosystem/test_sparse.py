"""pydata/sparse: what is sparse stays so, as under np.maximum(0, x); SciPy's has no ufuncs."""

import numpy as np
import pytest

import fastrelu
from fastrelu import reference

sparse = pytest.importorskip("sparse")

pytestmark = pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is no ufunc")

RANDOM = np.random.default_rng(0)
DENSE = np.where(RANDOM.random((40, 30)) < 0.1, RANDOM.integers(-3, 4, (40, 30)), 0).astype("f4")
DENSE[3, 4], DENSE[5, 6] = np.nan, -np.inf
GRADS = np.where(RANDOM.random((40, 30)) < 0.2, RANDOM.integers(1, 9, (40, 30)), 0).astype("f4")

KINDS = {"coo": sparse.COO, "gcxs": sparse.GCXS, "dok": sparse.DOK}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def of(kind, dense, fill=0):
    coo = sparse.COO.from_numpy(dense, fill_value=dense.dtype.type(fill))
    return coo if kind is sparse.COO else coo.asformat(kind.__name__.lower())


def values_of(dtype):
    dense = DENSE if np.dtype(dtype).kind == "f" else np.nan_to_num(DENSE, neginf=-9)
    return dense.astype(dtype)


def assert_same(ours, theirs):
    assert type(ours) is type(theirs)
    assert (ours.dtype, ours.shape, ours.nnz) == (theirs.dtype, theirs.shape, theirs.nnz)
    np.testing.assert_array_equal(ours.fill_value, theirs.fill_value)
    np.testing.assert_array_equal(ours.todense(), theirs.todense())


@pytest.mark.parametrize("dtype", ["f", "d", "b", "q", "?"])
@every_kind
def test_forward_is_maximum(kind, dtype):
    x = of(kind, values_of(dtype))
    assert_same(fastrelu.relu(x), np.maximum(0, x))


@pytest.mark.parametrize("fill", [-1, 2, np.nan])
@pytest.mark.parametrize("kind", [sparse.COO, sparse.GCXS], ids=["coo", "gcxs"])
def test_forward_of_another_fill_is_maximum(kind, fill):
    x = of(kind, DENSE, fill)
    assert_same(fastrelu.relu(x), np.maximum(0, x))


@every_kind
def test_only_what_passes_is_stored(kind):
    x, grad = of(kind, DENSE), of(kind, GRADS)
    passes = ~(DENSE <= 0)
    assert fastrelu.relu(x).nnz == passes.sum()
    assert fastrelu.relu_derivative(x).nnz == passes.sum()
    assert fastrelu.relu_backward(grad, x).nnz == (passes & (GRADS != 0)).sum()


@every_kind
def test_backward_is_the_reference(kind):
    x = of(kind, DENSE)
    for grad in of(kind, GRADS), GRADS:
        y = fastrelu.relu_backward(grad, x)
        assert type(y) is kind
        assert (y.dtype, y.fill_value) == (np.float32, 0)
        np.testing.assert_array_equal(y.todense(), reference.relu_backward(GRADS, DENSE))


@every_kind
def test_a_sparse_gradient_of_a_dense_input_stays_sparse(kind):
    y = fastrelu.relu_backward(of(kind, GRADS), DENSE)
    assert type(y) is kind
    np.testing.assert_array_equal(y.todense(), reference.relu_backward(GRADS, DENSE))


@pytest.mark.parametrize("at_zero", [0, 1])
@every_kind
def test_derivative_is_filled_with_the_value_at_zero(kind, at_zero):
    y = fastrelu.relu_derivative(of(kind, DENSE), at_zero)
    assert type(y) is kind
    assert (y.dtype, y.fill_value) == (np.float32, at_zero)
    np.testing.assert_array_equal(y.todense(), reference.relu_derivative(DENSE, at_zero))


def test_out_is_replaced_as_for_maximum():
    x, out, expected = of(sparse.COO, DENSE), of(sparse.COO, GRADS), of(sparse.COO, GRADS)
    assert fastrelu.relu(x, out=out) is out
    assert np.maximum(0, x, out=expected) is expected
    assert_same(out, expected)


@pytest.mark.parametrize("ufunc", [fastrelu.relu, fastrelu.relu_backward, np.maximum])
def test_out_is_not_dense(ufunc):
    x = of(sparse.COO, DENSE)
    with pytest.raises(TypeError, match="returned NotImplemented"):
        ufunc(*[x] * ufunc.nin, out=np.empty(x.shape, "f4"))


@pytest.mark.parametrize("ufunc", [fastrelu.relu, fastrelu.relu_backward, np.maximum])
def test_out_is_not_sparse_for_what_is_dense(ufunc):
    with pytest.raises(ValueError, match="None of the args is sparse"):
        ufunc(*[DENSE] * ufunc.nin, out=of(sparse.COO, DENSE))


@every_kind
def test_the_functions_with_masks_do_not_make_it_dense(kind):
    x = of(kind, DENSE)
    with pytest.raises(TypeError, match=r"x must be an array of NumPy, not sparse\."):
        fastrelu.relu_with_mask(x)
    with pytest.raises(TypeError, match=r"grad must be an array of NumPy, not sparse\."):
        fastrelu.relu_backward_from_mask(x, np.ones(150, "u1"))


@pytest.mark.parametrize("kind", ["csr_array", "csc_array", "coo_array", "csr_matrix"])
@pytest.mark.filterwarnings("ignore:Comparing:scipy.sparse.SparseEfficiencyWarning")
def test_those_of_scipy_are_refused_as_by_maximum(kind):
    x = getattr(pytest.importorskip("scipy.sparse"), kind)(DENSE)
    for ufunc in fastrelu.relu, lambda x: np.maximum(0, x):
        with pytest.raises(ValueError, match="truth value"):
            ufunc(x)
    with pytest.raises(TypeError, match="'relu_backward' not supported for the input types"):
        fastrelu.relu_backward(x, x)
    with pytest.raises(TypeError, match="x must hold integers or real floats, not object"):
        fastrelu.relu_with_mask(x)


def test_the_data_of_those_of_scipy_will_do():
    x = pytest.importorskip("scipy.sparse").csr_array(DENSE)
    fastrelu.relu(x.data, out=x.data)
    np.testing.assert_array_equal(x.toarray(), np.maximum(0, DENSE))
