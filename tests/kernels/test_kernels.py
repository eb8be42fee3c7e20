"""Every kernel of every instruction set, bit for bit, at every length, alignment and step."""

import itertools

import numpy as np
import pytest

from fastrelu import reference

DTYPES = "bBhHiIlLqQefd"
WIDEST_REGISTER = 64
LARGE = [1000, 4099, 65537]

# An argument that changes nothing, but keeps a call off the fast path.
PATHS = {"fast": {}, "numpy": {"where": True}}


def small_lengths(dtype):
    return range(2 * (WIDEST_REGISTER // np.dtype(dtype).itemsize) + 2)


def name(parameter):
    return parameter if isinstance(parameter, str) else ",".join(map(str, parameter))


@pytest.fixture(params=["relu", "relu_backward"])
def operation(request):
    return request.param


@pytest.fixture
def n_inputs(operation):
    return 1 if operation == "relu" else 2


@pytest.fixture
def check(implementation, operation, n_inputs, random_values, with_guards):
    """Return check(dtype, n, steps, shifts, keywords): is it right, and all else as it was?"""
    ufunc, oracle = getattr(implementation, operation), getattr(reference, operation)

    def check(dtype, n, steps, shifts, keywords):
        start = n if n < 200 else 0
        values = [random_values(dtype, 66000, seed)[start : start + n] for seed in range(n_inputs)]
        values = [values[i] if steps[i] else values[i][:1].repeat(n) for i in range(n_inputs)]
        inputs, around = zip(*map(with_guards, values, steps, shifts), strict=True)
        before = [memory.copy() for memory in around]

        out, out_memory = with_guards(random_values(dtype, 66000, 9)[:n], steps[-1], shifts[-1])
        expected_memory = out_memory.copy()
        offset = out.ctypes.data - out_memory.ctypes.data
        expected = np.ndarray(n, dtype, expected_memory, offset, (steps[-1],))
        expected[...] = oracle(*values)

        result = ufunc(*inputs, out=out, **keywords)
        return (
            result is out
            and np.array_equal(out_memory, expected_memory)
            and all(map(np.array_equal, around, before))
        )

    return check


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("out_shift", ["aligned", "element", "byte"])
@pytest.mark.parametrize("input_shift", ["aligned", "element", "byte"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_contiguous(check, n_inputs, dtype, input_shift, out_shift, path):
    itemsize = np.dtype(dtype).itemsize
    bytes_of = {"aligned": 0, "element": itemsize, "byte": 1}
    shifts = [bytes_of[input_shift]] * n_inputs + [bytes_of[out_shift]]
    steps = [itemsize] * (n_inputs + 1)
    lengths = [*small_lengths(dtype), *LARGE]
    assert [n for n in lengths if not check(dtype, n, steps, shifts, PATHS[path])] == []


@pytest.mark.parametrize("dtype", DTYPES)
def test_inputs_of_different_alignment(check, n_inputs, dtype):
    itemsize = np.dtype(dtype).itemsize
    shifts = [*(itemsize, 1)[:n_inputs], 3 * itemsize]
    steps = [itemsize] * (n_inputs + 1)
    lengths = [*small_lengths(dtype), *LARGE]
    assert [n for n in lengths if not check(dtype, n, steps, shifts, {})] == []


@pytest.mark.parametrize("dtype", DTYPES)
def test_new_output(implementation, operation, n_inputs, random_values, assert_same_bits, dtype):
    lengths = [*small_lengths(dtype), *LARGE]
    ends = np.cumsum(lengths)
    values = [random_values(dtype, int(ends[-1]), seed) for seed in range(n_inputs)]
    ufunc = getattr(implementation, operation)
    pieces = [
        ufunc(*(v[end - n : end] for v in values)) for n, end in zip(lengths, ends, strict=True)
    ]
    assert [len(piece) for piece in pieces] == lengths
    assert_same_bits(np.concatenate(pieces), getattr(reference, operation)(*values))


# In elements: for the gradient, x and the output; forward has no gradient.
MIXTURES = list(itertools.product([1, 2, -1, 0], [1, 2, -1, 0], [1, 2, -1]))
FARTHER = [
    tuple(1 if role == contiguous else step for role in range(3))
    for step in (3, -2)
    for contiguous in (None, 0, 1, 2)
]
BACKWARD_STEPS = MIXTURES + FARTHER
FORWARD_STEPS = sorted({steps[1:] for steps in BACKWARD_STEPS})


@pytest.mark.parametrize(
    ("operation", "steps"),
    [("relu", steps) for steps in FORWARD_STEPS]
    + [("relu_backward", steps) for steps in BACKWARD_STEPS],
    ids=name,
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_strided(check, dtype, steps):
    in_bytes = [step * np.dtype(dtype).itemsize for step in steps]
    lengths = [*small_lengths(dtype), 1000]
    assert [n for n in lengths if not check(dtype, n, in_bytes, [0, 0, 0], {})] == []


# The operands marked 1 are fields of packed structs; the others are contiguous.
@pytest.mark.parametrize(
    ("operation", "packed"),
    [("relu", packed) for packed in itertools.product([0, 1], repeat=2) if any(packed)]
    + [("relu_backward", packed) for packed in itertools.product([0, 1], repeat=3) if any(packed)],
    ids=name,
)
@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("dtype", DTYPES)
def test_fields_of_packed_structs(check, dtype, direction, packed):
    itemsize = np.dtype(dtype).itemsize
    steps = [direction * (itemsize + 1) if is_packed else itemsize for is_packed in packed]
    lengths = [*small_lengths(dtype), 9001]
    assert [n for n in lengths if not check(dtype, n, steps, [0, 0, 0], {})] == []
