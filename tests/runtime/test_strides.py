"""Arrays of any strides on the fast path: values, layout, overlap, and nothing else written."""

import numpy as np
import pytest

import fastrelu
from fastrelu import reference

pytestmark = pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is NumPy's alone")

TYPES = ["i1", "f2", "f4", "u8"]


@pytest.fixture(params=["whole", "in parts", "in parts, streaming"])
def in_parts(request):
    """Have every run taken whole, or in parts by three threads."""
    from fastrelu import _core

    before, threads = _core.get_thresholds(), fastrelu.get_num_threads()
    if request.param != "whole":
        fastrelu.set_num_threads(3)
        _core.set_thresholds(1, 1 if "streaming" in request.param else 2**62)
    yield
    _core.set_thresholds(*before)
    fastrelu.set_num_threads(threads)


def random_view(rng, shape, dtype, random_values):
    """Return a view of that shape, its axes permuted, turned and stepped, and all its memory."""
    order = rng.permutation(len(shape))
    steps = rng.choice([1, 1, 2, 3, -1, -2], len(shape))
    margins = rng.integers(0, 3, len(shape))
    spans = [(abs(s) * n + m) for n, s, m in zip(shape, steps, margins, strict=True)]
    memory = random_values(dtype, int(np.prod([spans[i] for i in order])), 3).copy()
    view = memory.reshape([spans[i] for i in order]).transpose(np.argsort(order))
    for axis, (n, step, margin) in enumerate(zip(shape, steps, margins, strict=True)):
        part = slice(margin, margin + abs(step) * n)
        view = np.moveaxis(np.moveaxis(view, axis, 0)[part][:: int(step)], 0, axis)
    assert view.shape == tuple(shape)
    return view, memory


def random_shape(rng, large):
    ndim = rng.integers(1, 5)
    most = {1: 100_000, 2: 300, 3: 50, 4: 14}[ndim] if large else 7
    return tuple(int(n) for n in rng.integers(1, most, ndim))


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.usefixtures("in_parts")
def test_given_outputs(implementation, dtype, seed, random_values, assert_same_bits):
    rng = np.random.default_rng(seed)
    shape = random_shape(rng, large=seed % 2)
    x, _ = random_view(rng, shape, dtype, random_values)
    grad, _ = random_view(rng, shape, dtype, random_values)
    for ufunc, inputs in (("relu", (x,)), ("relu_backward", (grad, x))):
        out, memory = random_view(rng, shape, dtype, random_values)
        beside = memory.copy()
        expected = getattr(reference, ufunc)(*[np.ascontiguousarray(a) for a in inputs])
        assert getattr(implementation, ufunc)(*inputs, out) is out
        assert_same_bits(out, expected)
        written = out.copy()
        out[...] = 0
        copy, zeroed = beside.copy(), memory
        same_view(copy, memory, out)[...] = 0
        assert_same_bits(zeroed, copy)
        out[...] = written


def same_view(of, memory, view):
    """Return the view of another memory that the view is of its own."""
    offset = view.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
    return np.ndarray(view.shape, view.dtype, of, offset, view.strides)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.usefixtures("in_parts")
def test_new_outputs_have_the_layout_of_numpys(dtype, seed, random_values, assert_same_bits):
    rng = np.random.default_rng(seed)
    x, _ = random_view(rng, random_shape(rng, large=seed % 2), dtype, random_values)
    y = fastrelu.relu(x)
    assert_same_bits(y, reference.relu(np.ascontiguousarray(x)))
    assert y.strides == np.maximum(0, x).strides
    grad, _ = random_view(rng, x.shape, dtype, random_values)
    for g in (grad, x):
        y = fastrelu.relu_backward(g, x)
        assert_same_bits(y, reference.relu_backward(*map(np.ascontiguousarray, (g, x))))
        assert y.strides == np.maximum(g, x).strides


@pytest.mark.parametrize("dtype", ["i1", "f4"])
@pytest.mark.usefixtures("in_parts")
def test_overlapping_views(implementation, dtype, random_values, assert_same_bits):
    n = 260
    for dst, src in [
        (np.s_[:-1, :-1], np.s_[1:, 1:]),
        (np.s_[1:, 1:], np.s_[:-1, :-1]),
        (np.s_[:, ::2], np.s_[:, 1::2]),
        (np.s_[:, :9], np.s_[:, :9]),
        (np.s_[::-1], np.s_[:]),
        (np.s_[:, ::-1], np.s_[:]),
        (np.s_[: n // 2], np.s_[n // 2 :]),
    ]:
        memory = random_values(dtype, n * n, 5).reshape(n, n).copy()
        expected = memory.copy()
        expected[dst] = reference.relu(memory[src].copy())
        implementation.relu(memory[src], memory[dst])
        assert_same_bits(memory, expected)
    memory = random_values(dtype, n * n, 5).reshape(n, n).copy()
    expected = reference.relu(memory.T.copy())
    implementation.relu(memory.T, memory)
    assert_same_bits(memory, expected)


@pytest.mark.usefixtures("in_parts")
def test_an_output_that_overlaps_itself():
    x = np.arange(-60_000, 60_000, dtype="f4").reshape(2, -1)
    for strides in ((4, 4), (0, 4), (4, 0)):
        ours, numpys = np.zeros(70_000, "f4"), np.zeros(70_000, "f4")
        for ufunc, memory in ((fastrelu.relu, ours), (np.positive, numpys)):
            out = np.lib.stride_tricks.as_strided(memory, x.shape, strides)
            ufunc(np.abs(x), out)
        np.testing.assert_array_equal(ours, numpys)


@pytest.mark.parametrize("wrong", ["read-only", "shape", "dtype"])
def test_nothing_is_written_on_an_error(wrong):
    x = -np.ones((300, 300), "f4")[:, ::2]
    memory = np.ones((300, 300), "f4")
    out = memory[:, ::2]
    if wrong == "read-only":
        out.flags.writeable = False
    elif wrong == "shape":
        out = memory[:, 1::3]
    else:
        out = memory.view("i4")[:, ::2]
    with pytest.raises((ValueError, TypeError)):
        fastrelu.relu(x, out)
    assert (memory == 1).all()
