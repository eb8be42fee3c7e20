"""Floating-point errors on every path: none of an operation that selects, else those of NumPy."""

import ctypes
import ctypes.util
import itertools
import platform
import sys
import warnings

import numpy as np
import pytest
from helpers import MIN_CHUNK, OPERATIONS, UFUNCS, distinct_kernels, every_kernel, failing, has_loop

import fastrelu
from fastrelu import reference

FLOATS = "efd"
QUIET = [name for name, operation in OPERATIONS.items() if operation.status == "quiet"]
N = 300


@pytest.fixture(autouse=True)
def _everything_raises():
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def special_values(n_inputs, random_values):
    """Return special_values(dtype, n): inputs with zeros, subnormals, infinities, NaNs."""
    return lambda dtype, n=N: [random_values(dtype, n, seed) for seed in range(n_inputs)]


def reported(function, *inputs, **keywords):
    """Return the kinds of floating-point errors that NumPy reports of a call."""
    kinds = set()
    with np.errstate(all="call", call=lambda kind, flags: kinds.add(kind)):
        function(*inputs, **keywords)
    return kinds


@pytest.fixture
def assert_status(operation, ufunc):
    """Return assert_status(*inputs, **keywords): a call reports what it must, and nothing else."""

    def expected(inputs, keywords):
        if operation in QUIET:
            return set()
        if isinstance(keywords.get("where"), np.ndarray):
            inputs = [a[keywords["where"]] for a in inputs]
            keywords = {}
        return reported(getattr(reference, operation), *inputs, **keywords)

    def assert_status(*inputs, **keywords):
        expected_kinds = expected(inputs, keywords)
        assert reported(ufunc, *inputs, **keywords) == expected_kinds

    return assert_status


# ---------------------------------------------------------------- the flags of the CPU itself


def find_fenv():
    names = ["ucrtbase"] if sys.platform == "win32" else map(ctypes.util.find_library, "mc")
    for library in filter(None, names):
        libm = ctypes.CDLL(library)
        if hasattr(libm, "feclearexcept"):
            return libm
    return None


LIBM = find_fenv()
ALL_FLAGS = {"x86_64": 0x3D, "AMD64": 0x1F, "aarch64": 0x1F, "arm64": 0x1F}.get(platform.machine())
DOWNWARDS = {"x86_64": 0x400, "aarch64": 0x800000, "arm64": 0x800000}.get(platform.machine())


def raise_flags():
    if sys.platform != "win32":
        LIBM.feraiseexcept(ALL_FLAGS)
    else:  # there it is not in the library
        for a, b in [(1e300, 1e300), (1e-300, 1e-300), (np.inf, 0.0)]:
            float.__mul__(a, b)


@pytest.fixture(scope="module")
def flags_after():
    """Return flags_after(function, *arguments): the CPU's flags that the call leaves."""
    if LIBM is None or ALL_FLAGS is None:
        pytest.skip("there is no libm that tells the flags")

    def flags_after(function, *arguments, **keywords):
        LIBM.feclearexcept(ALL_FLAGS)
        function(*arguments, **keywords)
        return LIBM.fetestexcept(ALL_FLAGS)

    return flags_after


def test_flags_are_seen(flags_after):
    assert flags_after(float.__mul__, 1e300, 1e300) != 0
    assert flags_after(float.__mul__, 1.0, 1.0) == 0


@pytest.mark.parametrize("char", "fd")
def test_a_patched_maximum_leaves_no_flags(flags_after, choose_for_maximum, random_values, char):
    choose_for_maximum(fastrelu.add_relu, char)  # which raises some

    def check(n):
        x = random_values(np.dtype(char), n, 1)
        assert flags_after(np.maximum, 0, x) == flags_after(np.maximum, x, 0) == 0

    assert failing(check, [1, 16, N]) == []


@pytest.mark.parametrize("char", "efd")
def test_masks_leave_no_flags(flags_after, random_values, char):
    x = random_values(np.dtype(char), 4099, 1)
    assert np.isnan(x).any()
    assert flags_after(fastrelu.relu_with_mask, x) == 0


@pytest.mark.skipif(None in (LIBM, DOWNWARDS), reason="there is no libm that rounds downwards")
def test_a_patched_maximum_rounded_downwards(choose_for_maximum):
    choose_for_maximum(fastrelu.add_relu, "f")  # which gives -0.0 then
    x = np.full(3, -0.0, "f")
    LIBM.fesetround(DOWNWARDS)
    try:
        patched = np.maximum(x, 0).tobytes()
        choose_for_maximum(None, "f")
        assert np.maximum(x, 0).tobytes() == patched
    finally:
        LIBM.fesetround(0)


quiet_kernels = pytest.mark.parametrize(
    ("operation", "dtype"),
    [(name, dtype) for name in QUIET for dtype in distinct_kernels(OPERATIONS[name].types)],
    indirect=["operation"],
)
quiet = pytest.mark.parametrize("operation", QUIET, indirect=True)


@quiet_kernels
def test_fast_path_leaves_no_flags(flags_after, ufunc, special_values, dtype):
    def check(n):
        inputs = special_values(dtype, n)
        out = np.empty(n, dtype)
        assert flags_after(ufunc, *inputs) == 0
        assert flags_after(ufunc, *inputs, out=out) == 0

    assert failing(check, [1, 2, 7, 16, 63, N]) == []


@quiet
def test_fast_path_leaves_no_flags_for_one_pattern(flags_after, ufunc):
    def check(case):
        n, pattern = case
        x = np.full(n, pattern, "u4").view("f")
        assert flags_after(ufunc, *[x] * ufunc.nin) == 0

    patterns = [0x7F800001, 0xFF800001, 0x7FC00000, 0xFFC00000, 1, 0x80000001]
    assert failing(check, itertools.product([1, 16, 100], patterns)) == []


@quiet
def test_flags_raised_before_stay(ufunc, special_values):
    if LIBM is None or ALL_FLAGS is None:
        pytest.skip("there is no libm that tells the flags")
    inputs = special_values("f")
    LIBM.feclearexcept(ALL_FLAGS)
    raise_flags()
    raised = LIBM.fetestexcept(ALL_FLAGS)
    ufunc(*inputs)
    left = LIBM.fetestexcept(ALL_FLAGS)
    LIBM.feclearexcept(ALL_FLAGS)
    assert left == raised != 0


# ---------------------------------------------------------------- what NumPy reports


def packed(values):
    fields = np.zeros(values.shape, [("pad", "V1"), ("a", values.dtype)])
    fields["a"] = values
    return fields["a"]


LAYOUTS = {
    "contiguous": lambda a: a,
    "step_2": lambda a: a[::2],
    "step_minus_1": lambda a: a[::-1],
    "two_d": lambda a: a.reshape(3, -1)[:, 1:],
    "stride_0": lambda a: np.broadcast_to(a[:, None], (a.size, 3)),
    "misaligned": packed,
    "byte_swapped": lambda a: a.byteswap().view(a.dtype.newbyteorder("S")),
    "empty": lambda a: a[:0],
    "zero_d": lambda a: a[0].reshape(()),
}
KEYWORDS = {
    "none": lambda shape, dtype: {},
    "out": lambda shape, dtype: {"out": np.zeros(shape, dtype)},
    "out_strided": lambda shape, dtype: {"out": np.zeros((*shape, 2), dtype)[..., 0]},
    "out_byte_swapped": lambda shape, dtype: {
        "out": np.zeros(shape, np.dtype(dtype).newbyteorder("S"))
    },
    "out_misaligned": lambda shape, dtype: {"out": packed(np.zeros(shape, dtype))},
    "where": lambda shape, dtype: {
        "out": np.zeros(shape, dtype),
        "where": np.arange(np.prod(shape, dtype=int)).reshape(shape) % 2 == 0,
    },
}


@every_kernel(FLOATS)
def test_layouts(assert_status, special_values, dtype):
    def check(case):
        layout, keywords = case
        inputs = [LAYOUTS[layout](a) for a in special_values(dtype)]
        assert_status(*inputs, **KEYWORDS[keywords](inputs[0].shape, dtype))

    assert failing(check, itertools.product(LAYOUTS, KEYWORDS)) == []


@pytest.fixture
def one_special_element(n_inputs):
    """Return one_special_element(dtype, values, n, at): ones, but for the values at one place."""

    def one_special_element(dtype, values, n, at):
        inputs = np.ones((n_inputs, n), dtype)
        inputs[:, at] = values
        return inputs

    return one_special_element


def special_numbers(dtype):
    info = np.finfo(dtype)
    positive = [0, info.smallest_subnormal, info.tiny, info.max, np.inf, np.nan]
    return [sign * number for number in positive for sign in (1, -1)]


@every_kernel(FLOATS)
def test_one_element_is_reported_wherever_it_is(
    assert_status, n_inputs, one_special_element, dtype
):
    def check(case):
        values, at = case
        for n in 16, 63, N:
            assert_status(*one_special_element(dtype, values, n, at))

    values = list(itertools.product(special_numbers(dtype), repeat=n_inputs))
    assert failing(check, zip(values, itertools.cycle([0, 1, 7, 15, -1]))) == []


@every_kernel(FLOATS)
def test_one_element_is_reported_by_every_thread(
    assert_status, n_inputs, one_special_element, chunked, dtype
):
    n = 4 * MIN_CHUNK
    chunked(4)

    def check(case):
        assert_status(*one_special_element(dtype, *case))

    extremes = [(np.finfo(dtype).max,) * n_inputs, (np.inf, -np.inf, np.inf)[:n_inputs]]
    cases = itertools.product(extremes, [n], range(1, n, n // 9))
    assert failing(check, cases) == []


SPECIAL = ["nan", "-nan", "inf", "-inf", "subnormal", "-0.0"]


@pytest.mark.parametrize(
    ("operation", "dtype"),
    [(name, char) for name in QUIET for char in "efdgFDG" if has_loop(UFUNCS[name], char)],
    indirect=["operation"],
)
def test_values(ufunc, dtype):
    def check(case):
        value, layout = case
        subnormal = np.finfo(dtype).smallest_subnormal
        number = subnormal if value == "subnormal" else float(value)
        ufunc(*[LAYOUTS[layout](np.full(N, number, dtype))] * ufunc.nin)

    assert failing(check, itertools.product(SPECIAL, LAYOUTS)) == []


@pytest.mark.parametrize("path", ["fast", "strided", "zero_d"])
@pytest.mark.parametrize("dtype", "gFDG")
def test_signalling_nan_without_kernels(implementation, dtype, path):
    part = dtype.lower()
    x = np.zeros(40, dtype)
    words = x.view("u1").reshape(-1, np.dtype(part).itemsize)
    words[:] = np.frombuffer(signalling_nan(part), "u1")
    x = {"fast": x, "strided": x[::2], "zero_d": x[:1].reshape(())}[path]
    assert implementation.relu(x).tobytes() == x.tobytes()
    if dtype == "g":
        implementation.relu_backward(x, x)


def signalling_nan(dtype):
    info = np.finfo(dtype)
    if dtype == "g" and info.nmant == 63:
        pattern = 0x7FFF << 64 | 1 << 63 | 1
    else:
        pattern = ((1 << info.nexp) - 1) << info.nmant | 1
    return pattern.to_bytes(info.dtype.itemsize, sys.byteorder)


def test_casts(assert_status, n_inputs):
    special = [np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -1.5, 100, -100]
    masks = {"everywhere": True, "where": np.arange(N) % 2 == 0}

    def check(case):
        (dtype, out_dtype), step, where = case
        x = np.array(special * (2 * N // len(special)), dtype)[::step][:N]
        assert_status(*[x] * n_inputs, out=np.zeros(N, out_dtype), where=masks[where])

    casts = ["ef", "fd", "df", "de", "fe", "fg"]
    assert failing(check, itertools.product(casts, [1, 2, -1], masks)) == []


@pytest.mark.parametrize(("dtype", "asked_for"), ["de", "df", "dg", "gd"])
def test_casts_of_many_elements(implementation, dtype, asked_for):
    """NumPy casts them part by part, between its calls of the loop."""
    largest = np.finfo(dtype).max
    signalling = np.array(0x7FF0000000000001, "u8").view("d")
    x = np.tile(np.array([largest, -largest, 1], dtype), 7000)
    if dtype == "d":
        x[::5] = signalling
    ours = reported(implementation.relu_backward, x, x, dtype=asked_for)
    assert ours == reported(np.maximum, x, x, dtype=asked_for)


def test_dtype_asked_for(assert_status, n_inputs):
    def check(dtype):
        x = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -1.5])
        assert_status(*[x] * n_inputs, dtype=dtype, casting="same_kind")

    assert failing(check, "efd") == []


def test_python_numbers(assert_status, n_inputs):
    def check(value):
        assert_status(*[value] * n_inputs)
        assert_status(*[[value] * 3] * n_inputs)

    assert failing(check, [np.nan, -np.nan, np.inf, -np.inf, -0.0, 5e-324]) == []


def test_longdoubles(implementation):
    x, nan = np.ones(9, "g"), np.longdouble("nan")
    assert reported(implementation.soft_threshold, x, nan) == set()
    signalling = np.full(20_000, 0x7FF0000000000001, "u8").view("d")
    assert reported(implementation.relu, signalling, dtype="g") == set()


def test_the_least_sum_of_float16_that_overflows(implementation):
    x = np.full(40, 65504, "e")
    assert reported(implementation.add_relu, x, np.full(40, 15, "e")) == set()
    assert reported(implementation.add_relu, x, np.full(40, 16, "e")) == {"overflow"}


@pytest.mark.parametrize("dtype", FLOATS)
def test_python_numbers_beside_an_array(implementation, dtype):
    x = np.ones(9, dtype)

    def check(number):
        theirs = reported(np.add, x, number)
        assert reported(implementation.add_relu, x, number) == theirs
        assert reported(implementation.relu_backward, number, x) == theirs

    assert failing(check, [1e5, 1e39, -1e300, 1e-9, 1e-46, 5e-324, np.inf, np.nan, 10**5]) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, np.float32(np.nan)], ids=repr)
@pytest.mark.parametrize("n", [1, 40])
def test_objects(implementation, value, n):
    implementation.relu(np.array([value] * n, object))


@pytest.mark.parametrize("method", ["reduce", "accumulate", "outer"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_methods(implementation, random_values, dtype, method):
    x = random_values(dtype, 100, 1)
    arguments = (x, x) if method == "outer" else (x,)
    getattr(implementation.relu_backward, method)(*arguments)


@pytest.mark.parametrize("dtype", FLOATS)
def test_at(implementation, random_values, dtype):
    x = random_values(dtype, 100, 1).copy()
    implementation.relu_backward.at(x, np.arange(100), x[::-1].copy())
    implementation.relu.at(x, np.arange(100))


# ---------------------------------------------------------------- the derivative, and the reference


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("module", [fastrelu, reference], ids=lambda module: module.__name__)
def test_derivative(random_values, module, dtype):
    def check(case):
        layout, at_zero = case
        module.relu_derivative(LAYOUTS[layout](random_values(dtype, N, 1)), at_zero)

    assert failing(check, itertools.product(LAYOUTS, [0, 1])) == []


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("module", [fastrelu, reference], ids=lambda module: module.__name__)
def test_derivative_of_longdoubles(module, at_zero):
    x = np.frombuffer(signalling_nan("g") * 40, np.longdouble)
    module.relu_derivative(x, at_zero)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", "efdFD")
def test_reference(random_values, dtype, layout):
    x = LAYOUTS[layout](random_values(dtype.lower(), 2 * N, 1).view(dtype)[:N])
    for name in QUIET:
        if has_loop(UFUNCS[name], dtype):
            getattr(reference, name)(*[x] * OPERATIONS[name].inputs)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in QUIET])
def test_the_reference_reports_nothing_that_it_does_not_write(name):
    largest, nowhere = np.full(9, np.finfo("f8").max), np.zeros(9, bool)
    for signs in itertools.product([1, -1], repeat=OPERATIONS[name].inputs):
        inputs = [sign * largest for sign in signs]
        out = np.zeros(9)
        assert reported(getattr(reference, name), *inputs, out=out, where=nowhere) == set()


@pytest.mark.parametrize("garbage", [0x7FF0000000000001, 0x7F0000001000], ids=["nan", "subnormal"])
def test_what_where_leaves_out(implementation, garbage):
    """NumPy casts the old contents of out into its buffer, those that where leaves out too."""
    out = np.full(12, garbage, "u8").view("f8")
    x = np.array([-1.0, np.nan, 2.0] * 4, "f4")
    where = np.arange(12) % 2 == 0
    with np.errstate(all="raise"):
        implementation.relu(x, out=out, where=where)
        implementation.relu_backward(x, x, out=out, where=where)
    assert (out.view("u8")[~where] == garbage).all()
