"""Arrays of any strides on the fast path: values, layout, overlap, and nothing else written."""

import itertools

import numpy as np
import pytest
from helpers import EVERY_LOOP, OPERATIONS, SENTINEL, every_kernel, failing, numpy_ufunc, unify_nans

import fastrelu
from fastrelu import reference

pytestmark = pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is NumPy's alone")

SOME_TYPES = "befQ"


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


@every_kernel(SOME_TYPES, EVERY_LOOP)
@pytest.mark.usefixtures("in_chunks")
def test_given_outputs(operation, ufunc, oracle, n_inputs, random_values, assert_same_bits, dtype):
    def check(seed):
        rng = np.random.default_rng(seed)
        shape = random_shape(rng, large=seed % 2)
        inputs = [random_view(rng, shape, dtype, random_values)[0] for _ in range(n_inputs)]
        out, memory = random_view(rng, shape, dtype, random_values)
        beside = memory.copy()
        expected = oracle(*map(np.ascontiguousarray, inputs))
        assert ufunc(*inputs, out) is out
        unify_nans(operation, out, expected)
        assert_same_bits(out, expected)
        same_view(beside, memory, out)[...] = out
        assert_same_bits(memory, beside)

    assert failing(check, range(25)) == []


def same_view(of, memory, view):
    """Return the view of another memory that the view is of its own."""
    offset = view.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
    return np.ndarray(view.shape, view.dtype, of, offset, view.strides)


def in_order(values, order, turned, step=1):
    """Return a view of these values, its axes in that order in memory, and all its memory."""
    spans = [values.shape[axis] for axis in order]
    spans[-1] = spans[-1] * step + 3
    memory = np.full(np.prod(spans) * values.itemsize, SENTINEL, "u1").view(values.dtype)
    view = memory.reshape(spans)[..., 2 : spans[-1] - 1 : step].transpose(np.argsort(order))
    view = np.flip(view, turned)
    view[...] = values
    return view, memory


ROWS = [1, 15, 16, 63, 64, 65, 197]
COLUMNS = [1, 16, 63, 64, 65, 127, 128, 129, 389]


def transposed_cases():
    """Return shapes around those of panels and their groups, each with a way to go and a seed."""
    shapes = [*itertools.product(ROWS, COLUMNS), (0, 100), (100, 0), (513, 517)]
    shapes += [(3, 40, 70), (40, 3, 70), (65, 33, 5), (2, 17, 3, 129), (3, 65, 33, 2)]
    ways = itertools.cycle(itertools.product([None, 1, 2, 3, 7], [False, True]))
    return [
        (shape, *way, seed) for seed, (shape, way) in enumerate(zip(shapes, ways, strict=False))
    ]


@pytest.mark.parametrize("pages", [1, 2, 3, 5, 6, 7, 9, 17])
@pytest.mark.parametrize("threads", [1, 2])
def test_columns_that_lie_pages_apart(pages, threads, chunked, random_values):
    chunked(threads, True)
    for dtype in "bhfd":
        memory = np.zeros((192, pages * 4096), np.uint8).view(dtype)
        memory[:, :100] = random_values(dtype, 19_200, 1).reshape(192, 100)
        x = memory[:, :100].T
        for name, functions in fastrelu.implementations.items():
            out = np.full(x.shape, 99, dtype)
            with np.errstate(invalid="ignore"):
                expected = np.maximum(0, x)
            np.testing.assert_array_equal(functions.relu(x, out=out), expected, name)


@every_kernel(SOME_TYPES, EVERY_LOOP)
def test_inputs_that_lie_along_another_axis(
    operation, ufunc, oracle, n_inputs, chunked, random_values, assert_same_bits, dtype
):
    def operand(rng, shape, role, order, step=1):
        values = random_values(dtype, int(np.prod(shape)), role).reshape(shape)
        turned = tuple(np.flatnonzero(rng.random(len(shape)) < 0.25))
        return in_order(values, order, turned, step)

    def check(case):
        shape, threads, streamed, seed = case
        rng = np.random.default_rng(seed)
        axes = rng.permutation(len(shape))
        if threads:
            chunked(threads, streamed)
        foreign = rng.integers(n_inputs)
        inputs = []
        for i in range(n_inputs):
            kind = (
                "foreign" if i == foreign else rng.choice(["foreign", "same", "broadcast", "any"])
            )
            of_shape = list(shape)
            if kind == "broadcast":
                of_shape[rng.integers(len(shape))] = 1
            order = {"same": axes, "any": rng.permutation(len(shape))}.get(kind, axes[::-1])
            inputs.append(operand(rng, of_shape, 1 + i, order, rng.choice([1, 1, 1, 2]))[0])
        out, memory = operand(rng, shape, 0, axes, rng.choice([1, 1, 2]))
        in_place = seed % 5 == 0 and foreign > 0
        if in_place:
            inputs[0] = out
        expected = oracle(*map(np.ascontiguousarray, inputs))
        beside = memory.copy()
        assert ufunc(*inputs, out=out) is out
        unify_nans(operation, out, expected)
        assert_same_bits(out, expected)
        if out.size:
            same_view(beside, memory, out)[...] = out
        assert_same_bits(memory, beside)

    assert failing(check, transposed_cases()) == []


@pytest.mark.parametrize(
    ("operation", "dtype"),
    [
        (name, dtype)
        for name in EVERY_LOOP
        for dtype in SOME_TYPES
        if dtype in OPERATIONS[name].types
    ],
    indirect=["operation"],
)
@pytest.mark.usefixtures("in_chunks")
def test_new_outputs_have_the_layout_of_numpys(
    operation, oracle, n_inputs, random_values, assert_same_bits, dtype
):
    ufunc = getattr(fastrelu, operation)

    def check(seed):
        rng = np.random.default_rng(seed)
        x, _ = random_view(rng, random_shape(rng, large=seed % 2), dtype, random_values)
        others = [random_view(rng, x.shape, dtype, random_values)[0] for _ in range(n_inputs - 1)]
        for inputs in [*others, x], [x] * n_inputs:
            y, expected = ufunc(*inputs), oracle(*map(np.ascontiguousarray, inputs))
            with np.errstate(all="ignore"):
                strides = numpy_ufunc(n_inputs)(*inputs).strides
            assert y.strides == strides
            unify_nans(operation, y, expected)
            assert_same_bits(y, expected)

    assert failing(check, range(40)) == []


@pytest.mark.parametrize("step", [8, 0, -8])
def test_axes_of_the_same_stride_keep_their_order(step):
    memory = np.arange(100, dtype="f4")
    x = np.lib.stride_tricks.as_strided(memory[50:], (3, 4, 5), (step, step, 4))
    assert fastrelu.relu(x).strides == np.positive(x).strides


@pytest.mark.parametrize("dtype", ["i1", "f4", "d"])
@pytest.mark.parametrize("n", [64, 192, 256, 512, 513, 1501])
@pytest.mark.usefixtures("in_chunks")
def test_rows_at_any_address(n, implementation, dtype, random_values, assert_same_bits):
    x = random_values(dtype, 5 * n, 7).reshape(5, n)
    for gap in range(1, 18):
        memory = np.ones((5, n + gap), dtype)
        implementation.relu(x, memory[:, :n])
        assert_same_bits(memory[:, :n], reference.relu(x))
        assert (memory[:, n:] == 1).all()


@pytest.mark.parametrize("dtype", ["i1", "f4", "d"])
@pytest.mark.usefixtures("in_chunks")
def test_short_rows(implementation, dtype, random_values, assert_same_bits):
    column = np.arange(50).astype(dtype)[:, None]
    for n in (2, 3, 7, 16, 40):
        values = random_values(dtype, 50 * n, n).reshape(50, n)
        memory = np.ones((2, 50, n + 3), dtype)
        x, view = memory[..., :n]
        x[...] = values
        for out in (np.ones_like(values), view):
            implementation.relu(x[::-1], out)
            assert_same_bits(out, reference.relu(values[::-1]))
            with np.errstate(all="ignore"):
                implementation.add_relu(x, column, out)
                assert_same_bits(out, reference.add_relu(values, column))
        assert (memory[..., n:] == 1).all()


@pytest.mark.parametrize("dtype", ["i1", "f4", "d"])
@pytest.mark.parametrize("shape", [(45, 77, 3), (3, 700, 31), (2, 9, 2100, 5)])
@pytest.mark.usefixtures("in_chunks")
def test_short_rows_in_another_order(shape, implementation, dtype, random_values, assert_same_bits):
    values = random_values(dtype, int(np.prod(shape)), 7).reshape(shape)
    x = np.ascontiguousarray(np.swapaxes(values, -3, -2)).swapaxes(-3, -2)
    memory = np.ones((*shape[:-1], shape[-1] + 2), dtype)
    out = memory[..., : shape[-1]]
    implementation.relu(x, out)
    assert_same_bits(out, reference.relu(values))
    implementation.relu_backward(x, values, out)
    assert_same_bits(out, reference.relu_backward(values, values))
    assert (memory[..., shape[-1] :] == 1).all()


@pytest.mark.parametrize("dtype", ["i1", "f4", "d"])
@pytest.mark.parametrize("gap", [0, 1])
def test_a_short_row_beside_arrays(gap, implementation, dtype, assert_same_bits):
    for n, shift in itertools.product([3, 7, 16, 40], range(0, 20, 3)):
        row = np.arange(n).astype(dtype)
        x, memory = np.ones((2, 300 * (n + gap) + shift), dtype)
        x, out = (a[shift:].reshape(300, n + gap)[:, :n] for a in (x, memory))
        implementation.add_relu(x, row, out)
        assert_same_bits(out, np.broadcast_to(row + row.dtype.type(1), out.shape))
        assert memory.sum() == memory.size + 300 * row.sum()


@pytest.mark.parametrize("dtype", ["i1", "f4"])
@pytest.mark.usefixtures("in_chunks")
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


@pytest.mark.usefixtures("in_chunks")
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
