"""Every kernel of every instruction set, bit for bit, at every length, alignment and step."""

import functools
import itertools

import numpy as np
import pytest
from helpers import OPERATIONS, SENTINEL, every_kernel, small_lengths, unify_nans

LARGE = [1000, 4099, 65537]
MOST = 66000

# An argument that changes nothing, but keeps a call off the fast path.
PATHS = {"fast": {}, "numpy": {"where": True}}


@pytest.fixture
def check(ufunc, operation, n_inputs, oracle, random_values, with_guards, dtype):
    """
    Return check(n, steps, shifts, keywords): is a call right, and all memory else as it was?

    Of what many calls have in common, each is made once.
    """

    @functools.cache
    def values_and_result(n, numbers):
        start = n if n < 200 else 0
        values = [random_values(dtype, MOST, seed)[start : start + n] for seed in range(n_inputs)]
        for role in numbers:
            values[role] = values[role][:1].repeat(n)
        result = oracle(*values)
        unify_nans(operation, result)
        return values, result

    @functools.cache
    def placed_input(role, n, numbers, step, shift):
        view, memory = with_guards(values_and_result(n, numbers)[0][role], step, shift)
        return view, memory, memory.tobytes()

    @functools.cache
    def placed_output(n, step, shift):
        return with_guards(np.zeros(n, dtype), step, shift)

    @functools.cache
    def expected_memory(n, numbers, step, shift):
        out, memory = placed_output(n, step, shift)
        memory[:] = SENTINEL
        out[...] = values_and_result(n, numbers)[1]
        return memory.tobytes()

    def check(n, steps, shifts, keywords):
        numbers = tuple(role for role in range(n_inputs) if steps[role] == 0)
        inputs = [
            placed_input(role, n, numbers, steps[role], shifts[role]) for role in range(n_inputs)
        ]
        expected = expected_memory(n, numbers, steps[-1], shifts[-1])
        out, memory = placed_output(n, steps[-1], shifts[-1])
        memory[:] = SENTINEL
        result = ufunc(*(view for view, _, _ in inputs), out=out, **keywords)
        unify_nans(operation, out)
        return (
            result is out
            and memory.tobytes() == expected
            and all(around.tobytes() == before for _, around, before in inputs)
        )

    return check


@every_kernel()
def test_contiguous(check, operation, n_inputs, dtype):
    """Of contiguous operands, and of one number beside them where a kernel takes it."""
    itemsize = np.dtype(dtype).itemsize
    by = {"aligned": 0, "element": itemsize, "byte": 1}

    def is_right(path, n, input_shift, out_shift, number):
        steps = [itemsize] * (n_inputs + 1)
        if number is not None:
            steps[number] = 0
        shifts = [by[input_shift]] * n_inputs + [by[out_shift]]
        return check(n, steps, shifts, PATHS[path])

    lengths = [*small_lengths(dtype), *LARGE]
    cases = itertools.product(PATHS, lengths, by, by, [None, *OPERATIONS[operation].numbers])
    assert [case for case in cases if not is_right(*case)] == []


@every_kernel()
def test_inputs_of_different_alignment(check, n_inputs, dtype):
    itemsize = np.dtype(dtype).itemsize
    shifts = [*(itemsize, *[1] * n_inputs)[:n_inputs], 3 * itemsize]
    steps = [itemsize] * (n_inputs + 1)
    lengths = [*small_lengths(dtype), *LARGE]
    assert [n for n in lengths if not check(n, steps, shifts, {})] == []


@every_kernel()
def test_new_output(operation, ufunc, n_inputs, oracle, random_values, assert_same_bits, dtype):
    lengths = [*small_lengths(dtype), *LARGE]
    ends = np.cumsum(lengths)
    values = [random_values(dtype, int(ends[-1]), seed) for seed in range(n_inputs)]
    pieces = [
        ufunc(*(v[end - n : end] for v in values)) for n, end in zip(lengths, ends, strict=True)
    ]
    assert [len(piece) for piece in pieces] == lengths
    actual, expected = np.concatenate(pieces), oracle(*values)
    unify_nans(operation, actual, expected)
    assert_same_bits(actual, expected)


def steps_of(n_inputs):
    """Return steps in elements, of the inputs and the output."""
    farther = [
        tuple(1 if role == contiguous else step for role in range(n_inputs + 1))
        for step in (3, -2)
        for contiguous in (None, *range(n_inputs + 1))
    ]
    return [*itertools.product(*[[1, 2, -1, 0]] * n_inputs, [1, 2, -1]), *farther]


@every_kernel()
def test_strided(check, n_inputs, dtype):
    itemsize = np.dtype(dtype).itemsize
    assert [
        (n, steps)
        for steps in steps_of(n_inputs)
        for n in [*small_lengths(dtype), 1000]
        if not check(n, [step * itemsize for step in steps], [0] * len(steps), {})
    ] == []


# The operands marked 1 are fields of packed structs; the others are contiguous.
@every_kernel()
def test_fields_of_packed_structs(check, n_inputs, dtype):
    itemsize = np.dtype(dtype).itemsize

    def is_right(n, direction, packed):
        field = direction * (itemsize + 1)
        steps = [field if is_packed else itemsize for is_packed in packed]
        return check(n, steps, [0] * len(packed), {})

    fields = [packed for packed in itertools.product([0, 1], repeat=n_inputs + 1) if any(packed)]
    cases = itertools.product([*small_lengths(dtype), 9001], [1, -1], fields)
    assert [case for case in cases if not is_right(*case)] == []
