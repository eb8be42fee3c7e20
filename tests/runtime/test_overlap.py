"""Inputs and output in the same memory give what separate ones give; so do the ufunc's methods."""

import itertools

import numpy as np
import pytest

from fastrelu import reference

N = 200
FARTHEST = 70

# Which operands lie in the output's memory, and so move with the shift.
SHARING = {
    "relu": ("relu", (True,)),
    "grad": ("relu_backward", (True, False)),
    "x": ("relu_backward", (False, True)),
    "both": ("relu_backward", (True, True)),
}
sharing = pytest.mark.parametrize("sharing", SHARING)


@pytest.fixture
def agrees(implementation, random_values):
    """Return agrees(sharing, dtype, make): is the output what it is on copies taken before?"""

    def agrees(sharing, dtype, make):
        operation, shares = SHARING[sharing]
        memory = random_values(dtype, 4096, 1).copy()
        before = memory.copy()
        shared, out = make(memory)
        inputs = [
            shared if share else random_values(dtype, 4096, 2)[: out.size] for share in shares
        ]
        expected = getattr(reference, operation)(*(a.copy() for a in inputs))
        make(before)[1][...] = expected
        result = getattr(implementation, operation)(*inputs, out=out)
        return result is out and memory.tobytes() == before.tobytes()

    return agrees


def elements(memory, start, step, n=N):
    return memory[start : start + n * step : step] if step > 0 else memory[start + n - 1 :: -1][:n]


@sharing
@pytest.mark.parametrize("out_step", [1, 2, -1])
@pytest.mark.parametrize("in_step", [1, 2, -1])
@pytest.mark.parametrize("dtype", "befdQ")
def test_shifted_by_elements(agrees, sharing, dtype, in_step, out_step):
    def shifted(shift):
        return lambda memory: (
            elements(memory, 1000 + shift, in_step),
            elements(memory, 1000, out_step),
        )

    shifts = range(-FARTHEST, FARTHEST + 1)
    assert [shift for shift in shifts if not agrees(sharing, dtype, shifted(shift))] == []


@sharing
@pytest.mark.parametrize("step", [4, 8, 12, 5, -4, -8])
def test_shifted_by_bytes(agrees, sharing, step):
    def at(memory, offset):
        first = 4000 + offset + (-step * (N - 1) if step < 0 else 0)
        return np.ndarray(N, memory.dtype, memory, first, (step,))

    def shifted(shift):
        return lambda memory: (at(memory, shift), at(memory, 0))

    shifts = range(-FARTHEST, FARTHEST + 1)
    assert [shift for shift in shifts if not agrees(sharing, "f", shifted(shift))] == []


@sharing
@pytest.mark.parametrize("dtype", "befd")
def test_shifts_of_long_arrays(agrees, sharing, dtype):
    def shifted(shift):
        return lambda memory: (memory[500 + shift : 3500 + shift], memory[500:3500])

    shifts = [-129, -64, -33, -1, 1, 33, 64, 129, 500]
    assert [shift for shift in shifts if not agrees(sharing, dtype, shifted(shift))] == []


@sharing
@pytest.mark.parametrize("n", [1, 7, 64, 129, N])
@pytest.mark.parametrize("step", [1, 2, -1])
@pytest.mark.parametrize("dtype", "bBhHiIlLqQefd")
def test_in_place(agrees, sharing, dtype, step, n):
    def same(memory):
        return (elements(memory, 1000, step, n),) * 2

    assert agrees(sharing, dtype, same)


@sharing
@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(["real", "imag"])))
@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("dtype", "FD")
def test_real_and_imaginary_parts(agrees, sharing, dtype, direction, source, target):
    def parts(memory):
        numbers = memory.view(dtype)[:N][::direction]
        return getattr(numbers, source), getattr(numbers, target)

    assert agrees(sharing, dtype.lower(), parts)


@sharing
@pytest.mark.parametrize(("source", "target"), list(itertools.permutations("abc", 2)))
@pytest.mark.parametrize("align", [False, True], ids=["packed", "padded"])
@pytest.mark.parametrize("dtype", "bhefd")
def test_fields_of_structs(agrees, sharing, dtype, align, source, target):
    struct = np.dtype([("a", dtype), ("pad", "i1"), ("b", dtype), ("c", dtype)], align=align)

    def fields(memory):
        structs = memory.view("u1")[: N * struct.itemsize].view(struct)
        return structs[source], structs[target]

    assert agrees(sharing, dtype, fields)


@sharing
@pytest.mark.parametrize("dtype", "bfd")
@pytest.mark.parametrize(
    "make",
    [
        lambda square: (square.T, square),
        lambda square: (square, square.T),
        lambda square: (square[::-1], square),
        lambda square: (square[1:], square[:-1]),
        lambda square: (square[:-1], square[1:]),
        lambda square: (square[:, 1:], square[:, :-1]),
        lambda square: (square[:, :-1], square[:, 1:]),
        lambda square: (square[:1], square),
        lambda square: (square[:, :1], square),
    ],
    ids=["in_t", "out_t", "flipped", "up", "down", "left", "right", "first_row", "first_column"],
)
def test_in_two_dimensions(implementation, random_values, assert_same_bits, sharing, dtype, make):
    operation, shares = SHARING[sharing]
    square = random_values(dtype, 32 * 32, 1).reshape(32, 32).copy()
    shared, out = make(square)
    apart = random_values(dtype, 32 * 32, 2)[: out.size].reshape(out.shape)
    inputs = [shared if share else apart for share in shares]
    expected = getattr(reference, operation)(*(a.copy() for a in inputs))
    getattr(implementation, operation)(*inputs, out=out)
    assert_same_bits(out, np.broadcast_to(expected, out.shape))


# ---------------------------------------------------------------- methods, element after element


def falls_at(dtype, n, place):
    """Return n values above zero, all different to their neighbours, but one that is not."""
    values = (np.arange(n) % 100 + 1).astype(dtype)
    values[place:][:1] = -1 if values.dtype.kind in "if" else 0
    return values


def accumulated(values):
    results = [values[0]]
    for value in values[1:]:
        results.append(reference.relu_backward(results[-1], value))
    return np.array(results, values.dtype)


METHOD_TYPES = "bHiqefd"
PLACES = [*range(0, 70, 3), 128, 150]


@pytest.mark.parametrize("step", [1, 2, -1])
@pytest.mark.parametrize("dtype", METHOD_TYPES)
def test_accumulate(implementation, dtype, step):
    def is_right(place):
        values = falls_at(dtype, 150, place)
        result = implementation.relu_backward.accumulate(values.repeat(abs(step))[::step])
        return result.tobytes() == accumulated(values[:: 1 if step > 0 else -1]).tobytes()

    assert [place for place in PLACES if not is_right(place)] == []


@pytest.mark.parametrize("dtype", METHOD_TYPES)
def test_accumulate_in_place(implementation, dtype):
    def is_right(place):
        values = falls_at(dtype, 150, place)
        expected = accumulated(values)
        implementation.relu_backward.accumulate(values, out=values)
        return values.tobytes() == expected.tobytes()

    assert [place for place in PLACES if not is_right(place)] == []


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", METHOD_TYPES)
def test_accumulate_along_an_axis(implementation, assert_same_bits, dtype, axis):
    values = np.array([falls_at(dtype, 40, place) for place in range(40)])
    expected = np.apply_along_axis(accumulated, axis, values)
    assert_same_bits(implementation.relu_backward.accumulate(values, axis=axis), expected)


@pytest.mark.parametrize("step", [1, 2, -1])
@pytest.mark.parametrize("dtype", METHOD_TYPES)
def test_reduce(implementation, dtype, step):
    def is_right(place):
        values = falls_at(dtype, 150, place)[::step]
        result = implementation.relu_backward.reduce(values)
        return result.tobytes() == accumulated(values)[-1].tobytes()

    assert [place for place in PLACES if not is_right(place)] == []


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", METHOD_TYPES)
def test_reduce_along_an_axis(implementation, assert_same_bits, dtype, axis):
    values = np.array([falls_at(dtype, 40, place) for place in range(0, 80, 2)])
    expected = np.apply_along_axis(lambda line: accumulated(line)[-1], axis, values)
    assert_same_bits(implementation.relu_backward.reduce(values, axis=axis), expected)


@pytest.mark.parametrize("dtype", METHOD_TYPES)
def test_reduceat(implementation, assert_same_bits, dtype):
    values = falls_at(dtype, 150, 77)
    starts = [0, 5, 3, 60, 70, 78, 76, 77, 149]
    ends = [*starts[1:], values.size]
    expected = [
        accumulated(values[start : max(end, start + 1)])[-1]
        for start, end in zip(starts, ends, strict=True)
    ]
    result = implementation.relu_backward.reduceat(values, starts)
    assert_same_bits(result, np.array(expected, dtype))


@pytest.mark.parametrize("dtype", METHOD_TYPES)
def test_outer(implementation, random_values, assert_same_bits, dtype):
    grad, x = random_values(dtype, 33, 1), random_values(dtype, 67, 2)
    expected = np.array([[reference.relu_backward(g, b) for b in x] for g in grad], dtype)
    assert_same_bits(implementation.relu_backward.outer(grad, x), expected)


INDICES = [3, 3, 0, 66, -1, 12, 3, 5, 0, -67]


@pytest.mark.parametrize("step", [1, 2, -1])
@pytest.mark.parametrize("dtype", METHOD_TYPES)
def test_relu_at(implementation, random_values, assert_same_bits, dtype, step):
    values = random_values(dtype, 67, 1).repeat(2)[::step][:67]
    expected = values.copy()
    for index in INDICES:
        expected[index] = reference.relu(expected[index])
    implementation.relu.at(values, INDICES)
    assert_same_bits(values, expected)


@pytest.mark.parametrize("dtype", METHOD_TYPES)
def test_relu_backward_at(implementation, random_values, assert_same_bits, dtype):
    grad, x = random_values(dtype, 67, 1).copy(), random_values(dtype, 67, 2)[: len(INDICES)]
    expected = grad.copy()
    for index, value in zip(INDICES, x, strict=True):
        expected[index] = reference.relu_backward(expected[index], value)
    implementation.relu_backward.at(grad, INDICES, x)
    assert_same_bits(grad, expected)
