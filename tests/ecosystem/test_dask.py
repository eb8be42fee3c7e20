"""dask: as lazy, as chunked and as distributed as under np.maximum(0, x), and computed alike."""

import pickle

import numpy as np
import pytest

import fastrelu
from fastrelu import reference

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

pytestmark = pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is no ufunc")

VALUES = np.random.default_rng(1).integers(-3, 4, (60, 50)).astype("f4")
VALUES[::7, ::5] = np.nan
GRADS = np.random.default_rng(2).normal(size=(60, 50)).astype("f4")


def chunked(values=VALUES, chunks=(17, 20)):
    return da.from_array(values, chunks)


ARRAYS = {
    "float32": chunked(),
    "float64": chunked(VALUES.astype("f8")),
    "int16": chunked(np.nan_to_num(VALUES).astype("i2")),
    "bool": chunked(VALUES > 0),
    "one_chunk": chunked(chunks=(60, 50)),
    "transposed": chunked().T,
    "step_2": chunked()[::2, 3:],
    "no_dimensions": chunked()[0, 1],
    "unknown_chunks": chunked()[chunked()[:, 1] > 0],
    "masked": da.ma.masked_equal(chunked(np.nan_to_num(VALUES)), 2),
    "empty": chunked()[:0],
}
every = pytest.mark.parametrize("x", ARRAYS.values(), ids=ARRAYS)


@pytest.fixture(autouse=True)
def _in_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def untouched(*arrays):
    raise AssertionError("a chunk was computed")


def assert_same(ours, theirs):
    """Assert that two lazy arrays are alike, also when computed."""
    assert type(ours) is type(theirs) is da.Array
    assert str(ours.chunks) == str(theirs.chunks)  # where one is unknown it is NaN
    assert ours.dtype == theirs.dtype
    assert type(ours._meta) is type(theirs._meta)
    ours, theirs = dask.compute(ours, theirs)
    assert type(ours) is type(theirs)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(np.ma.getmaskarray(ours), np.ma.getmaskarray(theirs))
    np.testing.assert_array_equal(np.ma.filled(ours, 0), np.ma.filled(theirs, 0))


@every
def test_forward_is_maximum(x):
    assert_same(fastrelu.relu(x), np.maximum(0, x))


def where_passed(grad, x):
    return da.where(~(x <= 0), grad, da.zeros_like(grad))


@pytest.mark.parametrize("name", sorted(ARRAYS.keys() - {"bool", "masked", "no_dimensions"}))
def test_backward_is_where_it_passes(name):
    x = ARRAYS[name]
    assert_same(fastrelu.relu_backward(x * 2, x), where_passed(x * 2, x))


def test_backward_of_masked_chunks_is_masked():
    x = ARRAYS["masked"]
    y, plain = fastrelu.relu_backward(x * 2, x).compute(), x.compute()
    assert type(y) is np.ma.MaskedArray
    np.testing.assert_array_equal(y.mask, plain.mask)
    np.testing.assert_array_equal(y, fastrelu.relu_backward(plain * 2, plain))


@pytest.mark.parametrize(
    "grad", [GRADS, 3, chunked(GRADS, (60, 7))], ids=["array", "number", "dask"]
)
def test_backward_of_other_gradients(grad):
    x = chunked()
    y, expected = fastrelu.relu_backward(grad, x), np.maximum(grad, x)
    assert (y.chunks, y.dtype) == (expected.chunks, expected.dtype)
    grads = grad if isinstance(grad, int) else GRADS
    np.testing.assert_array_equal(y.compute(), reference.relu_backward(grads, VALUES))


@pytest.mark.parametrize("at_zero", [0, 1])
def test_derivative_keeps_the_chunks(at_zero):
    y = fastrelu.relu_derivative(chunked(), at_zero)
    assert (type(y), y.chunks, y.dtype) == (da.Array, chunked().chunks, np.float32)
    np.testing.assert_array_equal(y.compute(), reference.relu_derivative(VALUES, at_zero))


def test_nothing_is_computed_early():
    x = da.map_blocks(untouched, chunked(), dtype="f4", meta=np.empty((0, 0), "f4"))
    for y in fastrelu.relu(x), fastrelu.relu_backward(x, x), fastrelu.relu_derivative(x, 1):
        assert type(y) is da.Array
        with pytest.raises(AssertionError, match="a chunk was computed"):
            y.compute()


def test_a_number_is_a_number_when_computed():
    x = ARRAYS["no_dimensions"]
    y, number = fastrelu.relu_backward(x * 2, x).compute(), x.compute()
    assert type(y) is np.float32
    assert y == reference.relu_backward(number * 2, number)


def test_the_same_call_has_the_same_name():
    x = chunked()
    assert fastrelu.relu(x).name == fastrelu.relu(x).name != np.maximum(0, x).name
    assert fastrelu.relu_backward(x, x).name == fastrelu.relu_backward(x, x).name


def test_dtype_is_taken_as_for_maximum():
    assert_same(fastrelu.relu(chunked(), dtype="f8"), np.maximum(0, chunked(), dtype="f8"))


@pytest.mark.parametrize(
    "keyword", [{"casting": "safe"}, {"order": "C"}, {"subok": False}], ids=str
)
@pytest.mark.parametrize("ufunc", [fastrelu.relu, fastrelu.relu_backward, np.maximum])
def test_other_keywords_are_refused_as_by_maximum(ufunc, keyword):
    with pytest.raises(TypeError, match="does not take the following keyword arguments"):
        ufunc(*[chunked()] * ufunc.nin, **keyword)


def test_out_is_replaced_as_for_maximum():
    x, out, expected = chunked(), da.zeros((60, 50), "f4"), da.zeros((60, 50), "f4")
    assert fastrelu.relu(x, out=out) is out
    assert np.maximum(0, x, out=expected) is expected
    assert_same(out, expected)


def test_where_goes_with_out():
    x, where = chunked(), chunked() > -2
    y, expected = (
        ufunc(*operands, where=where, out=da.full((60, 50), 7, dtype="f4", chunks=(17, 20)))
        for ufunc, operands in ((fastrelu.relu, (x,)), (np.maximum, (0, x)))
    )
    assert_same(y, expected)


@pytest.mark.parametrize("ufunc", [fastrelu.relu, fastrelu.relu_backward, np.maximum])
def test_out_is_no_plain_array(ufunc):
    with pytest.raises(NotImplementedError, match="expected Dask Array"):
        ufunc(*[chunked()] * ufunc.nin, out=np.empty((60, 50), "f4"))


def test_methods_are_left_to_chunks():
    x = chunked()
    for call in (
        lambda: fastrelu.relu.at(x, [0]),
        lambda: fastrelu.relu_backward.accumulate(x),
        lambda: np.maximum.accumulate(x),
    ):
        with pytest.raises(TypeError, match="returned NotImplemented"):
            call()
    np.testing.assert_array_equal(x.map_blocks(fastrelu.relu), fastrelu.relu(VALUES))


def test_the_functions_with_masks_do_not_compute_it():
    x = da.map_blocks(untouched, chunked(), dtype="f4", meta=np.empty((0, 0), "f4"))
    with pytest.raises(TypeError, match=r"x must be an array of NumPy, not dask\.array"):
        fastrelu.relu_with_mask(x)
    with pytest.raises(TypeError, match=r"grad must be an array of NumPy, not dask\.array"):
        fastrelu.relu_backward_from_mask(x, np.ones(375, "u1"))


def test_in_threads_it_is_the_same():
    x, grad = chunked(), chunked(GRADS)
    y, dx = dask.compute(
        fastrelu.relu(x), fastrelu.relu_backward(grad, x), scheduler="threads", num_workers=4
    )
    np.testing.assert_array_equal(y, np.maximum(0, VALUES))
    np.testing.assert_array_equal(dx, reference.relu_backward(GRADS, VALUES))


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            processes=True, n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def test_workers_find_it_by_its_name(client):
    for name in "relu", "relu_backward", "relu_with_mask", "relu_backward_from_mask":
        function = getattr(fastrelu, name)
        assert client.submit(lambda f: f, function).result(timeout=30) is function
        assert len(pickle.dumps(function)) < 200


def test_workers_compute_both_passes(client):
    x, grad = chunked(), chunked(GRADS)
    y, dx = client.compute([fastrelu.relu(x), fastrelu.relu_backward(grad, x)])
    np.testing.assert_array_equal(y.result(timeout=30), np.maximum(0, VALUES))
    np.testing.assert_array_equal(dx.result(timeout=30), reference.relu_backward(GRADS, VALUES))


def test_workers_keep_chunks_where_they_are(client):
    y = client.persist(fastrelu.relu(chunked()))
    assert y.chunks == chunked().chunks
    total = client.compute(fastrelu.relu_backward(y, y).sum()).result(timeout=30)
    np.testing.assert_allclose(total, np.maximum(0, VALUES).sum())


def test_both_workers_map_it(client):
    workers = list(client.scheduler_info(n_workers=-1)["workers"])
    assert len(workers) == 2
    results = [
        client.submit(fastrelu.relu_with_mask, VALUES, workers=[worker]) for worker in workers
    ]
    for y, mask in client.gather(results):
        np.testing.assert_array_equal(y, np.maximum(0, VALUES))
        np.testing.assert_array_equal(
            fastrelu.relu_backward_from_mask(GRADS, mask), reference.relu_backward(GRADS, VALUES)
        )


def test_workers_share_the_machine(client):
    """A worker is given one thread for the libraries in it (OMP_NUM_THREADS), and takes one."""
    assert set(client.run(fastrelu.get_num_threads).values()) == {1}
