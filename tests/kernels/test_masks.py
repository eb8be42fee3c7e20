"""Masks of one bit: what is packed, what they give back, and what is refused, in every set."""

import functools
import gc
import inspect
import itertools
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import DISTINCT_TYPES, KERNEL_TYPES, SENTINEL, failing, numbers, small_lengths

import fastrelu
from fastrelu import reference

LENGTHS = [511, 512, 513, 1000, 4099, 65537]
MOST = 66000

FUNCTIONS = {**fastrelu.implementations, "python": reference}


@pytest.fixture(scope="module", params=FUNCTIONS.values(), ids=FUNCTIONS.keys())
def functions(request):
    """Return what has relu_with_mask and relu_backward_from_mask: a set, or the reference."""
    return request.param


def lengths_of(dtype):
    return [*small_lengths(dtype), *LENGTHS]


def bits_of(x, at_zero=0):
    """Return the mask as it is specified."""
    with np.errstate(all="ignore"):
        passes = ~(x < 0) if at_zero else ~(x <= 0)
    return np.packbits(passes, axis=None, bitorder="little")


@pytest.fixture
def check(implementation, random_values, with_guards):
    """Return check(dtype, n, at_zero, shifts): are all results right, and is all else as it was?"""

    def put(values, shift):
        return with_guards(values, values.itemsize, shift)

    def after(view, memory, values):
        """The memory round a view, as it should be once the view holds the values."""
        expected = memory.copy()
        offset = view.ctypes.data - memory.ctypes.data
        expected[offset : offset + view.nbytes] = values.view("u1")
        return expected

    def check(dtype, n, at_zero, shifts, in_place=False):
        start = n if n < 200 else 0
        values, grads = (random_values(dtype, MOST, seed)[start : start + n] for seed in (1, 2))
        x, x_memory = put(values, shifts[0])
        out, out_memory = (x, x_memory) if in_place else put(values[::-1], shifts[1])
        mask, mask_memory = put(np.full(-(-n // 8), 0x5A, "u1"), shifts[2])
        bits = bits_of(values, at_zero)
        wanted = [
            x_memory if in_place else x_memory.copy(),
            after(out, out_memory, reference.relu(values)),
            after(mask, mask_memory, bits),
        ]
        result = implementation.relu_with_mask(x, out, mask, at_zero=at_zero)
        right = result[0] is out and result[1] is mask
        right &= all(map(np.array_equal, (x_memory, out_memory, mask_memory), wanted))

        grad, grad_memory = (out, out_memory) if in_place else put(grads, shifts[0])
        grad[...] = grads
        passes = np.unpackbits(bits, count=n, bitorder="little").astype(bool)
        expected = grads.copy()
        expected[~passes] = 0
        if n % 8:  # spare bits do not count
            mask[-1] |= 0xFF << n % 8 & 0xFF
        wanted = [
            grad_memory if in_place else grad_memory.copy(),
            after(out, out_memory, expected),
            mask_memory.copy(),
        ]
        right &= implementation.relu_backward_from_mask(grad, mask, out) is out
        return right & all(map(np.array_equal, (grad_memory, out_memory, mask_memory), wanted))

    return check


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("dtype", DISTINCT_TYPES)
def test_kernels(check, dtype, at_zero):
    itemsize = np.dtype(dtype).itemsize
    shifts = [(0, 0, 0), (itemsize, 2 * itemsize, 1), (1, 2, 3)]
    cases = itertools.product(lengths_of(dtype), shifts)
    assert [(n, shift) for n, shift in cases if not check(dtype, n, at_zero, shift)] == []


@pytest.mark.parametrize("dtype", DISTINCT_TYPES)
def test_kernels_in_place(check, dtype):
    cases = itertools.product(lengths_of(dtype), [0, 1])
    assert [
        (n, shift) for n, shift in cases if not check(dtype, n, 0, [shift] * 3, in_place=True)
    ] == []


@pytest.mark.parametrize(("dtype", "shift"), [("b", 0), ("f", 1), ("d", 16)])
def test_outputs_larger_than_the_caches(implementation, random_values, dtype, shift):
    period = random_values(dtype, 9973 * 8, 1)  # of the mask too, and not that of any register
    n = (64 << 20) // period.itemsize + 77
    x = np.resize(period, n)
    memory = np.full(x.nbytes + 256, SENTINEL, "u1")
    first = -memory.ctypes.data % 64 + 64 + shift
    out = memory[first : first + x.nbytes].view(dtype)
    y, mask = implementation.relu_with_mask(x, out)
    assert np.array_equal(y.view("u1"), np.resize(reference.relu(period), n).view("u1"))
    packed = np.resize(bits_of(period), mask.size)
    assert np.array_equal(mask[:-1], packed[:-1])
    assert mask[-1] == packed[-1] & (1 << n % 8) - 1

    assert implementation.relu_backward_from_mask(x, mask, out) is out
    expected = period.copy()
    expected[bits_off(period)] = 0
    assert np.array_equal(out.view("u1"), np.resize(expected, n).view("u1"))
    assert (memory[:first] == SENTINEL).all()
    assert (memory[first + x.nbytes :] == SENTINEL).all()


def test_new_outputs(functions, random_values, assert_same_bits):
    def check(case):
        dtype, at_zero, n = case
        x = (numbers("g", 1001) if dtype == "g" else random_values(dtype, 1001, 1))[:n]
        y, mask = functions.relu_with_mask(x, at_zero=at_zero)
        assert_same_bits(y, reference.relu(x))
        assert_same_bits(mask, bits_of(x, at_zero))
        assert y.flags.c_contiguous
        assert y.flags.owndata

    cases = itertools.product([*KERNEL_TYPES, "g"], [0, 1], [1, 9, 500, 501, 1001])
    assert failing(check, cases) == []


def test_the_gradient_is_that_of_relu_backward(functions, random_values, assert_same_bits):
    def check(case):
        x_dtype, dtype = case
        x, grad = random_values(x_dtype, 999, 1), numbers(dtype, 999, 2)
        expected = grad.copy()
        expected[bits_off(x)] = 0
        got = functions.relu_backward_from_mask(grad, functions.relu_with_mask(x)[1])
        assert_same_bits(got, expected)
        if dtype == x_dtype:
            assert_same_bits(got, fastrelu.relu_backward(grad, x))

    assert failing(check, itertools.product("fb", [*KERNEL_TYPES, "g"])) == []


def bits_off(x):
    with np.errstate(all="ignore"):
        return x <= 0


@pytest.mark.parametrize("at_zero", [0, 1])
def test_every_float16(functions, assert_same_bits, at_zero):
    x = np.arange(1 << 16, dtype="u2").view("f2")
    y, mask = functions.relu_with_mask(x, at_zero=at_zero)
    assert_same_bits(y, reference.relu(x))
    assert_same_bits(mask, bits_of(x, at_zero))
    grad = x[::-1].copy()
    assert_same_bits(
        functions.relu_backward_from_mask(grad, mask),
        np.where(np.unpackbits(mask, bitorder="little"), grad.view("u2"), 0).view("f2"),
    )


@pytest.mark.parametrize("dtype", "efdg")
def test_no_flag_is_raised(functions, edge_values, dtype):
    if dtype == "g":
        x = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 0, 1, -1] * 70, "g")
        x.view("u1").reshape(-1, x.itemsize)[0, 7] = 0x80  # a signalling NaN in the form of x87
    else:
        x = np.tile(edge_values(dtype), 9)
    with np.errstate(all="raise"):
        for at_zero in 0, 1:
            _, mask = functions.relu_with_mask(x, at_zero=at_zero)
            functions.relu_backward_from_mask(x, mask)
            functions.relu_with_mask(x[::-1], at_zero=at_zero)
            functions.relu_with_mask(x.astype(x.dtype.newbyteorder()), at_zero=at_zero)


class Subclass(np.ndarray):
    pass


def misaligned(x):
    return np.frombuffer(b" " + x.tobytes(), "u1")[1:].view(x.dtype).reshape(x.shape)


LAYOUTS = {
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "fortran": np.asfortranarray,
    "transposed": lambda x: x.T.copy().T,
    "swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "swapped_fortran": lambda x: np.asfortranarray(x.astype(x.dtype.newbyteorder())),
    "misaligned": misaligned,
    "field": lambda x: np.rec.fromarrays([x, np.zeros(x.shape, "u1")])["f0"],
    "read_only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "subclass": lambda x: x.view(Subclass),
    "matrix_in_fortran_order": lambda x: np.asfortranarray(x).view(Subclass),
    "list": lambda x: x.tolist(),
    "metadata": lambda x: x.view(np.dtype(x.dtype, metadata={"unit": "m"})),
}


@pytest.mark.parametrize("dtype", ["i1", "f4", "f8", "g"])
def test_layouts(functions, assert_same_bits, dtype):
    layouts = [layout for layout in LAYOUTS if layout != "list" or dtype == "f8"]
    check = functools.partial(check_layout, functions, assert_same_bits, dtype)
    assert failing(check, layouts) == []


def check_layout(functions, assert_same_bits, dtype, layout):
    x, grad = numbers(dtype, 35 * 33).reshape(35, 33), numbers(dtype, 35 * 33, 1).reshape(35, 33)
    y, mask = functions.relu_with_mask(LAYOUTS[layout](x))
    assert type(y) is type(mask) is np.ndarray
    assert y.flags.c_contiguous
    assert_same_bits(y, reference.relu(x))
    assert_same_bits(mask, bits_of(x))

    out, given = np.empty_like(x), np.empty_like(mask)
    result = functions.relu_with_mask(LAYOUTS[layout](x), out=out, mask=given, at_zero=1)
    assert result[0] is out
    assert result[1] is given
    assert_same_bits(out, reference.relu(x))
    assert_same_bits(given, bits_of(x, 1))

    got = functions.relu_backward_from_mask(LAYOUTS[layout](grad), mask)
    assert type(got) is np.ndarray
    assert got.flags.c_contiguous
    assert_same_bits(got, reference.relu_backward(grad, x))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1, 1), (2, 3, 4), (7,)])
def test_shapes(functions, shape):
    x = numbers("f4", int(np.prod(shape))).reshape(shape)
    y, mask = functions.relu_with_mask(x)
    assert (type(y), y.shape, y.tolist()) == (np.ndarray, shape, np.maximum(x, 0).tolist())
    assert (mask.shape, mask.tolist()) == (((x.size + 7) // 8,), bits_of(x).tolist())
    got = functions.relu_backward_from_mask(x, mask)
    assert (type(got), got.shape, got.tolist()) == (np.ndarray, shape, np.maximum(x, 0).tolist())
    out = np.ones_like(x)
    assert functions.relu_with_mask(x, out)[0] is out
    assert functions.relu_backward_from_mask(x, mask, out) is out


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (3, int),
        (-2.5, float),
        (True, int),
        (np.float16(-1), "e"),
        ([], float),
        ([1, -2], int),
        ([True, False], int),
        (np.array([False, True]), int),
    ],
    ids=str,
)
def test_what_is_no_array_is_taken_as_one(functions, given, dtype):
    y, mask = functions.relu_with_mask(given)
    x = np.asarray(given, dtype)
    assert (y.dtype, y.shape, y.tolist()) == (x.dtype, x.shape, np.maximum(x, 0).tolist())
    assert mask.tolist() == bits_of(x).tolist()
    got = functions.relu_backward_from_mask(given, mask)
    assert (got.dtype, got.shape, got.tolist()) == (y.dtype, y.shape, y.tolist())


def test_bits_by_hand(functions):
    x = np.array([-1.0, -0.0, 0.0, 1.0, np.nan, -np.nan, -np.inf, np.inf, 2.0], "f4")
    assert functions.relu_with_mask(x)[1].tolist() == [0b10111000, 1]
    assert functions.relu_with_mask(x, at_zero=1)[1].tolist() == [0b10111110, 1]
    assert functions.relu_with_mask([1] * 11, at_zero=1)[1].tolist() == [0b11111111, 0b111]


@pytest.mark.parametrize("at_zero", [1, True, np.int64(1), 1.0, np.float32(1)])
def test_a_one_of_any_type_is_at_zero(functions, at_zero):
    assert functions.relu_with_mask([0, -1], at_zero=at_zero)[1].tolist() == [1]


@pytest.mark.parametrize("at_zero", [2, -1, 0.5, "1", None, [1], np.array([1])], ids=repr)
def test_another_at_zero_is_refused(functions, at_zero):
    with pytest.raises(ValueError, match="at_zero must be 0 or 1, not"):
        functions.relu_with_mask([0, -1], at_zero=at_zero)


def test_long_is_one_with_the_type_of_its_size(functions):
    same = "lq" if np.dtype("l").itemsize == 8 else "il"
    for ours, theirs in itertools.product(same, repeat=2):
        x, out = np.arange(-3, 4, dtype=ours), np.empty(7, theirs)
        assert functions.relu_with_mask(x, out)[0] is out
        assert out.tolist() == [0, 0, 0, 0, 1, 2, 3]


def test_subclasses_are_written_and_returned(functions, tmp_path):
    x = numbers("f4", 1000)
    out = np.memmap(tmp_path / "out", "f4", "w+", shape=1000)
    mask = np.memmap(tmp_path / "mask", "u1", "w+", shape=125)
    y, bits = functions.relu_with_mask(x, out, mask)
    assert y is out
    assert bits is mask
    np.testing.assert_array_equal(out, np.maximum(x, 0))
    np.testing.assert_array_equal(mask, bits_of(x))
    out[:] = 0
    assert functions.relu_backward_from_mask(x, mask, out) is out
    np.testing.assert_array_equal(out, np.maximum(x, 0))


def test_a_mask_to_read_may_be_read_only(functions):
    x = numbers("f4", 1000)
    mask = np.frombuffer(bits_of(x).tobytes(), "u1")
    expected = np.maximum(x, 0)
    np.testing.assert_array_equal(functions.relu_backward_from_mask(x, mask), expected)


def read_only(a):
    a.flags.writeable = False
    return a


N = 1003
MASK = f"mask must be a {{}}C-contiguous array of uint8 and shape (126,), a bit for each of {N} el"
OUT = f"out must be a writable, C-contiguous array of float32 and shape ({N},)"
# out, mask, the error, how its message begins and ends; None: as it should be.
REFUSED = {
    "mask_short": (None, np.ones(125, "u1"), ValueError, MASK, "its shape is (125,)"),
    "mask_long": (None, np.ones(127, "u1"), ValueError, MASK, "its shape is (127,)"),
    "mask_deep": (None, np.ones((1, 126), "u1"), ValueError, MASK, "its shape is (1, 126)"),
    "mask_int8": (None, np.ones(126, "i1"), ValueError, MASK, "its dtype is int8"),
    "mask_bool": (None, np.ones(126, "?"), ValueError, MASK, "its dtype is bool"),
    "mask_step": (None, np.ones(252, "u1")[::2], ValueError, MASK, "it is not C-contiguous"),
    "mask_reversed": (None, np.ones(126, "u1")[::-1], ValueError, MASK, "it is not C-contiguous"),
    "mask_list": (None, [1] * 126, TypeError, MASK, "not list"),
    "mask_bytes": (None, b"1" * 126, TypeError, MASK, "not bytes"),
    "mask_masked": (None, np.ma.ones(126, "u1"), TypeError, MASK, "not MaskedArray"),
    "out_shape": (np.ones(N - 1, "f4"), None, ValueError, OUT, "its shape is (1002,)"),
    "out_deep": (np.ones((1, N), "f4"), None, ValueError, OUT, "its shape is (1, 1003)"),
    "out_dtype": (np.ones(N, "f8"), None, ValueError, OUT, "its dtype is float64"),
    "out_int": (np.ones(N, "i4"), None, ValueError, OUT, "its dtype is int32"),
    "out_order": (np.ones(N, ">f4"), None, ValueError, OUT, "its dtype is >f4"),
    "out_step": (np.ones(2 * N, "f4")[::2], None, ValueError, OUT, "it is not C-contiguous"),
    "out_read_only": (read_only(np.ones(N, "f4")), None, ValueError, OUT, "it is read-only"),
    "out_list": ([1.0] * N, None, TypeError, OUT, "not list"),
    "out_masked": (np.ma.ones(N, "f4"), None, TypeError, OUT, "not MaskedArray"),
    "out_tuple": ((np.ones(N, "f4"),), None, TypeError, OUT, "not tuple"),
}


def refusal(call, error, start, end):
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert message.startswith(start)
    assert message.endswith(end)


def test_a_mask_has_no_byte_to_spare(functions):
    def check(n):
        x, fits, long = np.ones(n, "f4"), np.zeros(n // 8, "u1"), np.zeros(n // 8 + 1, "u1")
        assert functions.relu_with_mask(x, mask=fits)[1] is fits
        with pytest.raises(ValueError, match="its shape is"):
            functions.relu_with_mask(x, mask=long)
        with pytest.raises(ValueError, match="its shape is"):
            functions.relu_backward_from_mask(x, long)

    assert failing(check, [0, 8, 64, 1024]) == []


def test_what_relu_with_mask_refuses(functions):
    def check(case):
        bad_out, bad_mask, error, start, end = REFUSED[case]
        x = numbers("f4", N)
        out = np.ones(N, "f4") if bad_out is None else bad_out
        mask = np.ones(126, "u1") if bad_mask is None else bad_mask
        before = np.array(out), np.array(mask)
        start = start.format("writable, ")
        refusal(lambda: functions.relu_with_mask(x, out, mask), error, start, end)
        assert np.array_equal(before[0], out)
        assert np.array_equal(before[1], mask)

    assert failing(check, REFUSED) == []


def test_what_relu_backward_from_mask_refuses(functions):
    def check(case):
        bad_out, bad_mask, error, start, end = REFUSED[case]
        grad = numbers("f4", N)
        out = np.ones(N, "f4") if bad_out is None else bad_out
        mask = np.ones(126, "u1") if bad_mask is None else bad_mask
        before = np.array(out)
        start = start.format("")
        refusal(lambda: functions.relu_backward_from_mask(grad, mask, out), error, start, end)
        assert np.array_equal(before, out)

    assert failing(check, REFUSED) == []


def test_a_read_only_mask_is_refused_where_it_is_written(functions):
    out, mask = np.ones(N, "f4"), read_only(np.ones(126, "u1"))
    refusal(
        lambda: functions.relu_with_mask(numbers("f4", N), out, mask),
        ValueError,
        MASK.format("writable, "),
        "it is read-only",
    )
    assert out.all()


def test_a_mask_must_be_given_to_go_back(functions):
    with pytest.raises(TypeError, match="not NoneType"):
        functions.relu_backward_from_mask(np.ones(3), None)
    with pytest.raises(TypeError):
        functions.relu_backward_from_mask(np.ones(3))


def test_a_bool_gives_the_default_integer_to_out_too(functions):
    x = np.array([True, False])
    with pytest.raises(ValueError, match="its dtype is bool"):
        functions.relu_with_mask(x, np.ones(2, "?"))
    assert functions.relu_with_mask(x, np.ones(2, int))[0].tolist() == [1, 0]


class Lazy:
    """An array of another library: NumPy leaves its functions to it, and may compute it."""

    def __array_function__(self, *args):
        return NotImplemented

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("it was computed")


CONTAINERS = {
    "masked": (np.ma.masked_less(np.ones(N, "f4"), 0), "a masked array, .* {0}.data or {0}.filled"),
    "lazy": (Lazy(), "an array of NumPy, not .*Lazy; relu and relu_backward take it"),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_that_would_be_lost_is_refused(functions, container):
    operand, message = CONTAINERS[container]
    out, mask = np.ones(N, "f4"), np.ones(126, "u1")
    with pytest.raises(TypeError, match="x must (not )?be " + message.format("x")):
        functions.relu_with_mask(operand, out, mask)
    with pytest.raises(TypeError, match="grad must (not )?be " + message.format("grad")):
        functions.relu_backward_from_mask(operand, mask, out)
    assert out.all()
    assert mask.all()


UNFIT = {
    "complex": np.ones(8, "F"),
    "object": np.ones(8, object),
    "timedelta": np.ones(8, "m8[s]"),
    "datetime": np.ones(8, "M8[s]"),
    "string": np.full(8, "1"),
    "bytes": np.full(8, b"1"),
    "struct": np.ones(8, "i4,f4"),
    "variable_string": np.full(8, "1", np.dtypes.StringDType()),
    "none": None,
}


@pytest.mark.parametrize("dtype", UNFIT)
def test_dtypes_without_masks(functions, dtype):
    out, mask = np.ones(8), np.ones(1, "u1")
    with pytest.raises(TypeError, match="x must hold integers or real floats, not "):
        functions.relu_with_mask(UNFIT[dtype], out, mask)
    with pytest.raises(TypeError, match="grad must hold integers or real floats, not "):
        functions.relu_backward_from_mask(UNFIT[dtype], mask, out)
    assert out.all()
    assert mask.tolist() == [1]


def test_a_mask_within_out_is_refused(functions):
    x, memory = numbers("f4", N), np.ones(N * 4 + 252, "u1")
    out = memory[126:-126].view("f4")
    for start in (1, 126, 500, N * 4 + 125):
        with pytest.raises(ValueError, match="mask must not share memory with out"):
            functions.relu_with_mask(x, out, memory[start : start + 126])
        assert memory.all()
    for mask in memory[:126], memory[-126:]:
        functions.relu_with_mask(x, out, mask)
        assert mask.tolist() == bits_of(x).tolist()


@pytest.mark.parametrize("dtype", ["i1", "f4", "g"])
def test_shared_memory_of_input_and_output(functions, assert_same_bits, dtype):
    values = numbers(dtype, 1000)
    expected, bits = reference.relu(values), bits_of(values)

    def check(case):
        function, by = case
        memory = numbers(dtype, 1200, 1)
        x, out = memory[100:1100], memory[100 + by : 1100 + by]
        x[:] = values
        if function == "forward":
            y, mask = functions.relu_with_mask(x, out)
            assert_same_bits(mask, bits)
        else:
            y = functions.relu_backward_from_mask(x, bits, out)
        assert y is out
        assert_same_bits(out, expected)

    shifts = [-64, -9, -1, 0, 1, 2, 31, 64]
    assert failing(check, itertools.product(["forward", "backward"], shifts)) == []


@pytest.mark.parametrize("start", [0, 1, 77, 3870])
def test_a_mask_within_an_input(functions, start):
    values = numbers("f4", 1000)
    expected = np.maximum(values, 0)
    x = values.copy()
    mask = x.view("u1")[start : start + 125]
    y, _ = functions.relu_with_mask(x, None, mask)
    np.testing.assert_array_equal(y, expected)
    assert mask.tolist() == bits_of(values).tolist()

    out = np.empty_like(x)
    mask = out.view("u1")[start : start + 125]
    mask[:] = bits_of(values)
    functions.relu_backward_from_mask(values, mask, out)
    np.testing.assert_array_equal(out, expected)


def test_a_warning_about_an_output_may_be_an_error(functions):
    x, out, mask = np.arange(4.0), np.ones(4), np.ones(1, "u1")
    with pytest.raises((DeprecationWarning, FutureWarning)):
        functions.relu_with_mask(x[None], np.broadcast_arrays(out, np.ones((1, 4)))[0], mask)
    assert out.all()
    assert mask.all()


@pytest.mark.parametrize("n", [100, 5000, 200_003])
def test_threads(functions, n):
    def work(number):
        x = numbers("f4", n, number)
        expected, bits, out, mask = np.maximum(x, 0), bits_of(x), np.empty_like(x), None
        for _ in range(20):
            _, mask = functions.relu_with_mask(x, out, mask)
            assert np.array_equal(out, expected)
            assert np.array_equal(mask, bits)
            assert np.array_equal(functions.relu_backward_from_mask(out, mask), expected)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


def test_threads_that_write_parts_of_one_mask(functions):
    x = numbers("f4", 64_000)
    y, mask = np.empty_like(x), np.empty(8000, "u1")

    def work(part):
        piece = slice(part * 8000, part * 8000 + 8000)
        functions.relu_with_mask(x[piece], y[piece], mask[part * 1000 : part * 1000 + 1000])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    np.testing.assert_array_equal(mask, bits_of(x))


def test_references_stay_level(functions):
    n = 1000
    x, y, mask, short = numbers("f4", n), np.ones(n, "f4"), np.ones(125, "u1"), np.ones(1, "u1")

    def refused(function, *args):
        with pytest.raises((TypeError, ValueError)):
            function(*args)

    calls = [
        lambda: functions.relu_with_mask(x),
        lambda: functions.relu_with_mask(x, y, mask),
        lambda: functions.relu_with_mask(x, x.view(), mask, at_zero=1),
        lambda: functions.relu_with_mask(x[1:], x[:-1], mask),
        lambda: functions.relu_with_mask(x.reshape(10, 100).T),
        lambda: functions.relu_backward_from_mask(x, mask),
        lambda: functions.relu_backward_from_mask(x, mask, y),
        lambda: functions.relu_backward_from_mask(x[1:], mask, x[:-1]),
        lambda: refused(functions.relu_with_mask, x, y, short),
        lambda: refused(functions.relu_with_mask, x, x[1:], mask),
        lambda: refused(functions.relu_with_mask, x, x, x.view("u1")[:125]),
        lambda: refused(functions.relu_backward_from_mask, x, short, y),
        lambda: refused(functions.relu_backward_from_mask, x, mask, x[1:]),
    ]
    watched = [x, y, mask, short, x.dtype, mask.dtype]
    gc.collect()  # or the garbage of other tests lets go of the dtypes meanwhile
    for call in calls:
        call()
        before = [sys.getrefcount(a) for a in watched]
        for _ in range(50):
            call()
        assert [sys.getrefcount(a) for a in watched] == before
    arrays = [*functions.relu_with_mask(x), np.ones(3)]
    assert len({sys.getrefcount(a) for a in arrays}) == 1
    assert [a.base for a in arrays] == [None, None, None]


def test_signatures_and_docstrings(functions):
    for name in ("relu_with_mask", "relu_backward_from_mask"):
        ours, theirs = getattr(functions, name), getattr(reference, name)
        assert inspect.signature(ours) == inspect.signature(theirs)
        assert ours.__doc__ == theirs.__doc__
        assert ours.__name__ == ours.__qualname__ == name
