"""Inputs and output in the same memory give what separate ones give; so do the ufunc's methods."""

import functools
import itertools

import numpy as np
import pytest
from helpers import EVERY_LOOP, OPERATIONS, every_kernel, failing, oracle_of, unify_nans

N = 200
FARTHEST = 70


@pytest.fixture
def sharings(n_inputs):
    """Return which inputs may lie in the output's memory, and so move with the shift."""
    return sorted({*((role,) for role in range(n_inputs)), tuple(range(n_inputs))})


@pytest.fixture
def disagreeing(operation, ufunc, oracle, n_inputs, sharings, random_values):
    """
    Return disagreeing(dtype, make, cases, size): the inputs that share memory, and the case.

    make(*case)(memory) returns an input and the output, which must be that of a copy of the input.
    """

    def agrees(dtype, shared_inputs, make, size):
        memory = random_values(dtype, size, 1).copy()
        before = memory.copy()
        shared, out = make(memory)
        inputs = [
            shared if role in shared_inputs else random_values(dtype, size, 2 + role)[: out.size]
            for role in range(n_inputs)
        ]
        expected = oracle(*(a.copy() for a in inputs))
        make(before)[1][...] = expected
        result = ufunc(*inputs, out=out)
        unify_nans(operation, out, make(before)[1])
        return result is out and memory.tobytes() == before.tobytes()

    def disagreeing(dtype, make, cases, size=1700):
        return [
            (shared_inputs, *case)
            for case in cases
            for shared_inputs in sharings
            if not agrees(dtype, shared_inputs, make(*case), size)
        ]

    return disagreeing


every_loop = pytest.mark.parametrize("operation", EVERY_LOOP, indirect=True)


def elements(memory, start, step, n=N):
    return memory[start : start + n * step : step] if step > 0 else memory[start + n - 1 :: -1][:n]


@every_kernel("befdQ", names=EVERY_LOOP)
def test_shifted_by_elements(disagreeing, dtype):
    def shifted(in_step, out_step, shift):
        return lambda memory: (
            elements(memory, 1000 + shift, in_step),
            elements(memory, 1000, out_step),
        )

    cases = itertools.product([1, 2, -1], [1, 2, -1], range(-FARTHEST, FARTHEST + 1))
    assert disagreeing(dtype, shifted, cases) == []


@every_loop
def test_shifted_by_bytes(disagreeing):
    def at(memory, step, offset):
        first = 4000 + offset + (-step * (N - 1) if step < 0 else 0)
        return np.ndarray(N, memory.dtype, memory, first, (step,))

    def shifted(step, shift):
        return lambda memory: (at(memory, step, shift), at(memory, step, 0))

    cases = itertools.product([4, 8, 12, 5, -4, -8], range(-FARTHEST, FARTHEST + 1))
    assert disagreeing("f", shifted, cases) == []


@every_kernel("befd", names=EVERY_LOOP)
def test_shifts_of_long_arrays(disagreeing, dtype):
    def shifted(shift):
        return lambda memory: (memory[500 + shift : 3500 + shift], memory[500:3500])

    shifts = [-129, -64, -33, -1, 1, 33, 64, 129, 500]
    assert disagreeing(dtype, shifted, itertools.product(shifts), size=4096) == []


@every_kernel(names=EVERY_LOOP)
def test_in_place(disagreeing, dtype):
    def same(step, n):
        return lambda memory: (elements(memory, 1000, step, n),) * 2

    assert disagreeing(dtype, same, itertools.product([1, 2, -1], [1, 7, 64, 129, N])) == []


@every_loop
@pytest.mark.parametrize("dtype", "FD")
def test_real_and_imaginary_parts(disagreeing, dtype):
    def parts(source, target, direction):
        def make(memory):
            numbers = memory.view(dtype)[:N][::direction]
            return getattr(numbers, source), getattr(numbers, target)

        return make

    cases = [
        (source, target, direction)
        for source, target in itertools.permutations(["real", "imag"])
        for direction in (1, -1)
    ]
    assert disagreeing(dtype.lower(), parts, cases) == []


@every_kernel("bhefd", names=EVERY_LOOP)
def test_fields_of_structs(disagreeing, dtype):
    def fields(is_aligned, source, target):
        names = [("a", dtype), ("pad", "i1"), ("b", dtype), ("c", dtype)]
        struct = np.dtype(names, align=is_aligned)

        def make(memory):
            structs = memory.view("u1")[: N * struct.itemsize].view(struct)
            return structs[source], structs[target]

        return make

    cases = [
        (is_aligned, source, target)
        for is_aligned in (False, True)
        for source, target in itertools.permutations("abc", 2)
    ]
    assert disagreeing(dtype, fields, cases) == []


SQUARES = {
    "in_t": lambda square: (square.T, square),
    "out_t": lambda square: (square, square.T),
    "flipped": lambda square: (square[::-1], square),
    "up": lambda square: (square[1:], square[:-1]),
    "down": lambda square: (square[:-1], square[1:]),
    "left": lambda square: (square[:, 1:], square[:, :-1]),
    "right": lambda square: (square[:, :-1], square[:, 1:]),
    "first_row": lambda square: (square[:1], square),
    "first_column": lambda square: (square[:, :1], square),
}


@every_kernel("bfd", names=EVERY_LOOP)
def test_in_two_dimensions(
    operation, ufunc, oracle, n_inputs, random_values, assert_same_bits, sharings, dtype
):
    def check(case):
        name, shared_inputs = case
        square = random_values(dtype, 32 * 32, 1).reshape(32, 32).copy()
        shared, out = SQUARES[name](square)
        apart = [random_values(dtype, 32 * 32, 2 + role) for role in range(n_inputs)]
        inputs = [
            shared if role in shared_inputs else apart[role][: out.size].reshape(out.shape)
            for role in range(n_inputs)
        ]
        expected = np.broadcast_to(oracle(*(a.copy() for a in inputs)), out.shape).copy()
        ufunc(*inputs, out=out)
        unify_nans(operation, out, expected)
        assert_same_bits(out, expected)

    assert failing(check, itertools.product(SQUARES, sharings)) == []


# ---------------------------------------------------------------- methods, element after element


METHOD_TYPES = "bHiqefd"
POSITIONS = [*range(0, 70, 3), 128, 150]

OF_TWO_INPUTS = [name for name in EVERY_LOOP if OPERATIONS[name].inputs == 2]
of_two_inputs = pytest.mark.parametrize("operation", OF_TWO_INPUTS, indirect=True)


def method_types(operation):
    return [dtype for dtype in METHOD_TYPES if dtype in OPERATIONS[operation].types]


def falls_at(dtype, n, position):
    """Return n values above zero, all different to their neighbours, but one that is not."""
    values = (np.arange(n) % 100 + 1).astype(dtype)
    values[position:][:1] = -1 if values.dtype.kind in "if" else 0
    return values


def accumulated(operation, values):
    results = [values[0]]
    for value in values[1:]:
        results.append(oracle_of(operation)(results[-1], value))
    return np.array(results, values.dtype)


@functools.cache
def accumulated_falls(operation, dtype, position, step=1):
    return accumulated(operation, falls_at(dtype, 150, position)[::step])


@of_two_inputs
def test_accumulate(ufunc, operation):
    def is_right(dtype, position, step):
        values = falls_at(dtype, 150, position).repeat(abs(step))[::step]
        result = ufunc.accumulate(values)
        expected = accumulated_falls(operation, dtype, position, 1 if step > 0 else -1)
        return result.tobytes() == expected.tobytes()

    cases = itertools.product(method_types(operation), POSITIONS, [1, 2, -1])
    assert [case for case in cases if not is_right(*case)] == []


@of_two_inputs
def test_accumulate_in_place(ufunc, operation):
    def is_right(dtype, position):
        values = falls_at(dtype, 150, position)
        ufunc.accumulate(values, out=values)
        return values.tobytes() == accumulated_falls(operation, dtype, position).tobytes()

    cases = itertools.product(method_types(operation), POSITIONS)
    assert [case for case in cases if not is_right(*case)] == []


@functools.cache
def square_of_falls(operation, dtype, axis):
    """Return values of which each column falls at another row, and what accumulates of them."""
    values = np.array([falls_at(dtype, 40, position) for position in range(80)])
    return values, np.apply_along_axis(lambda line: accumulated(operation, line), axis, values)


@of_two_inputs
def test_along_an_axis(ufunc, operation, assert_same_bits):
    def check(case):
        dtype, axis = case
        values, expected = square_of_falls(operation, dtype, axis)
        assert_same_bits(ufunc.accumulate(values, axis=axis), expected)
        assert_same_bits(ufunc.reduce(values, axis=axis), expected.take(-1, axis))

    assert failing(check, itertools.product(method_types(operation), [0, 1])) == []


@of_two_inputs
def test_reduce(ufunc, operation):
    def is_right(dtype, position, step):
        result = ufunc.reduce(falls_at(dtype, 150, position)[::step])
        expected = accumulated_falls(operation, dtype, position, step)[-1]
        return result.tobytes() == expected.tobytes()

    cases = itertools.product(method_types(operation), POSITIONS, [1, 2, -1])
    assert [case for case in cases if not is_right(*case)] == []


@every_kernel(METHOD_TYPES, OF_TWO_INPUTS)
def test_reduceat(ufunc, operation, assert_same_bits, dtype):
    values = falls_at(dtype, 150, 77)
    starts = [0, 5, 3, 60, 70, 78, 76, 77, 149]
    ends = [*starts[1:], values.size]
    expected = [
        accumulated(operation, values[start : max(end, start + 1)])[-1]
        for start, end in zip(starts, ends, strict=True)
    ]
    assert_same_bits(ufunc.reduceat(values, starts), np.array(expected, dtype))


@every_kernel(METHOD_TYPES, OF_TWO_INPUTS)
def test_outer(ufunc, operation, oracle, random_values, assert_same_bits, dtype):
    a, b = random_values(dtype, 33, 1), random_values(dtype, 67, 2)
    actual, expected = ufunc.outer(a, b), oracle(a[:, None], b)
    unify_nans(operation, actual, expected)
    assert_same_bits(actual, expected)


INDICES = [3, 3, 0, 66, -1, 12, 3, 5, 0, -67]


@every_kernel(METHOD_TYPES, ["relu", *OF_TWO_INPUTS])
def test_at(ufunc, operation, oracle, n_inputs, random_values, assert_same_bits, dtype):
    def check(step):
        values = random_values(dtype, 67, 1).repeat(2)[::step][:67]
        others = [random_values(dtype, 67, 2)[: len(INDICES)]] * (n_inputs - 1)
        expected = values.copy()
        for position, index in enumerate(INDICES):
            expected[index] = oracle(expected[index], *(other[position] for other in others))
        ufunc.at(values, INDICES, *others)
        unify_nans(operation, values, expected)
        assert_same_bits(values, expected)

    assert failing(check, [1, 2, -1]) == []
