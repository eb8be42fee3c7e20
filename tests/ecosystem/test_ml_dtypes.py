"""The types of ml_dtypes: every pattern of each, every path of a call, and their first use."""

import itertools
import subprocess
import sys
import types
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import QUICK_CHECK, failing, in_forks, needs_fork, small_lengths

import fastrelu
from fastrelu import reference

ml_dtypes = pytest.importorskip("ml_dtypes")

BITS = {
    "bfloat16": 16,
    "float8_e3m4": 8,
    "float8_e4m3": 8,
    "float8_e4m3fn": 8,
    "float8_e4m3b11fnuz": 8,
    "float8_e4m3fnuz": 8,
    "float8_e5m2": 8,
    "float8_e5m2fnuz": 8,
    "float8_e8m0fnu": 8,
    "float6_e2m3fn": 6,
    "float6_e3m2fn": 6,
    "float4_e2m1fn": 4,
    "int4": 4,
    "uint4": 4,
    "int2": 2,
    "uint2": 2,
    "int1": 1,
    "uint1": 1,
}
DTYPES = [np.dtype(getattr(ml_dtypes, name)) for name in BITS if hasattr(ml_dtypes, name)]
FLOATS = [dtype for dtype in DTYPES if "float" in dtype.name]
INTEGERS = [dtype for dtype in DTYPES if "float" not in dtype.name]
SIGNED_FLOATS = [dtype for dtype in FLOATS if dtype.name != "float8_e8m0fnu"]
SOME = [dtype for dtype in DTYPES if dtype.name in ("bfloat16", "float8_e4m3fn", "int4")]
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)

by_name = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
some_by_name = pytest.mark.parametrize("dtype", SOME, ids=lambda dtype: dtype.name)


def every_pattern(dtype):
    """Return all that the bytes of a type may hold, bits that it does not read included."""
    return np.arange(256**dtype.itemsize).astype(f"u{dtype.itemsize}").view(dtype)


def shuffled(dtype, seed=1):
    values = every_pattern(dtype)
    return values[np.random.default_rng(seed).permutation(values.size)]


def bits(array):
    return np.ascontiguousarray(array).view(f"u{array.itemsize}")


@pytest.fixture
def same_bits():
    def same_bits(actual, expected):
        assert isinstance(actual, np.ndarray)
        assert actual.dtype == expected.dtype
        assert actual.shape == expected.shape
        np.testing.assert_array_equal(bits(actual), bits(expected))

    return same_bits


# ---------------------------------------------------------------- the reference is what it says


def as_numpy(values):
    """Return the same numbers as a type of NumPy's, of patterns without bits to spare."""
    return values.astype(np.float32 if "float" in values.dtype.name else np.int8)


@by_name
def test_reference(same_bits, dtype):
    x = every_pattern(dtype)[: 1 << BITS[dtype.name]]
    grad = shuffled(dtype)[: x.size]
    number = as_numpy(x)
    forward = np.where(number < 0, 0, bits(x)).astype(bits(x).dtype)
    backward = np.where(number <= 0, 0, bits(grad)).astype(bits(x).dtype)
    same_bits(reference.relu(x), forward.view(dtype))
    same_bits(reference.relu_backward(grad, x), backward.view(dtype))


@pytest.mark.parametrize(
    "dtype", [d for d in DTYPES if BITS[d.name] < 8], ids=lambda dtype: dtype.name
)
def test_bits_that_a_type_does_not_read(dtype):
    x = every_pattern(dtype)
    read = bits(x) % (1 << BITS[dtype.name])
    passes = (bits(reference.relu(read.view(dtype))) != 0) | (read == 0)
    assert bits(reference.relu(x)).tolist() == np.where(passes, bits(x), 0).tolist()


# ---------------------------------------------------------------- every pattern on every path


def contiguous(ufunc, *inputs):
    return ufunc(*inputs)


def through_numpy(ufunc, *inputs):
    return ufunc(*inputs, where=True)


def to_out(ufunc, *inputs):
    out = np.empty_like(inputs[0])
    assert ufunc(*inputs, out=out) is out
    return out


def in_place(ufunc, *inputs):
    out = inputs[-1].copy()
    assert ufunc(*inputs[:-1], out, out) is out
    return out


def strided(ufunc, *inputs):
    return ufunc(*(a.repeat(2)[::2] for a in inputs))


def strided_by_numpy(ufunc, *inputs):
    return ufunc(*(a.repeat(3)[::3] for a in inputs), out=np.empty_like(inputs[0]), where=True)


def backwards(ufunc, *inputs):
    return ufunc(*(a[::-1] for a in inputs))[::-1]


def transposed(ufunc, *inputs):
    out = np.empty_like(inputs[0].reshape(16, -1))
    return ufunc(*(a.reshape(16, -1).copy("F") for a in inputs), out=out).ravel()


def misaligned(ufunc, *inputs):
    fields = [np.zeros(a.shape, [("pad", "V1"), ("a", a.dtype)]) for a in inputs]
    for field, a in zip(fields, inputs, strict=True):
        field["a"] = a
    return ufunc(*(field["a"] for field in fields))


def byte_swapped(ufunc, *inputs):
    return ufunc(*(a.astype(a.dtype.newbyteorder("S")) for a in inputs)).astype(inputs[0].dtype)


def where_alternating(ufunc, *inputs):
    out = np.empty_like(inputs[0])
    even = np.arange(out.size) % 2 == 0
    ufunc(*inputs, out=out, where=even)
    return ufunc(*inputs, out=out, where=~even)


def at_every_index(ufunc, *inputs):
    if ufunc.nin == 1:
        out = inputs[0].copy()
        ufunc.at(out, np.arange(out.size))
    else:
        out = inputs[0].copy()
        ufunc.at(out, np.arange(out.size), inputs[1])
    return out


PATHS = {
    path.__name__: path
    for path in (
        contiguous,
        through_numpy,
        to_out,
        in_place,
        strided,
        strided_by_numpy,
        backwards,
        transposed,
        misaligned,
        byte_swapped,
        where_alternating,
        at_every_index,
    )
}


@by_name
def test_every_pattern(implementation, same_bits, dtype):
    x, grad = every_pattern(dtype), shuffled(dtype)
    expected = [
        ("relu", [x], reference.relu(x)),
        ("relu_backward", [grad, x], reference.relu_backward(grad, x)),
        ("relu_backward", [x, grad], reference.relu_backward(x, grad)),
    ]

    def check(path):
        for operation, inputs, result in expected:
            same_bits(PATHS[path](getattr(implementation, operation), *inputs), result)

    assert failing(check, PATHS) == []


@pytest.mark.parametrize("at_zero", [0, 1])
@by_name
def test_masks_of_every_pattern(implementation, same_bits, dtype, at_zero):
    x, grad = every_pattern(dtype)[:-3], shuffled(dtype)[:-3]
    y, mask = implementation.relu_with_mask(x, at_zero=at_zero)
    expected_y, expected_mask = reference.relu_with_mask(x, at_zero=at_zero)
    same_bits(y, expected_y)
    same_bits(mask, expected_mask)
    for passes in mask, np.random.default_rng(3).integers(0, 256, mask.size, "u1"):
        same_bits(
            implementation.relu_backward_from_mask(grad, passes),
            reference.relu_backward_from_mask(grad, passes),
        )


@pytest.mark.parametrize("functions", [fastrelu, reference], ids=["fastrelu", "reference"])
@pytest.mark.parametrize("at_zero", [0, 1])
@by_name
def test_derivative(same_bits, functions, dtype, at_zero):
    x = every_pattern(dtype)[: 1 << BITS[dtype.name]]
    number = as_numpy(x)
    expected = np.where(number < 0, 0, np.where(number == 0, at_zero, 1))
    derivative = functions.relu_derivative(x, at_zero)
    assert derivative.dtype == dtype
    assert (np.abs(as_numpy(derivative)) == expected).all()  # the 1 of int1 is -1


STEPS = [(1, 1, 1), (2, 2, 2), (1, 1, 2), (3, 1, 1), (-1, -1, -1), (2, -3, 1), (0, 1, 1)]


@pytest.mark.parametrize("path", [{}, {"where": True}], ids=["fast", "numpy"])
@some_by_name
def test_every_length(implementation, with_guards, dtype, path):
    pool = np.resize(shuffled(dtype), 4096)

    def check(case):
        steps, shift, n = case
        grad, x = pool[:n], pool[::-1][:n]
        steps_in_bytes = [step * dtype.itemsize for step in steps]
        grad = grad if steps[0] else grad[:1].repeat(n)
        (a, _), (b, _), (out, memory) = (
            with_guards(values, step, shift)
            for values, step in zip((grad, x, grad), steps_in_bytes, strict=True)
        )
        expected = memory.copy()
        start = out.ctypes.data - memory.ctypes.data
        for ufunc, inputs in (
            (implementation.relu, [b]),
            (implementation.relu_backward, [a, b]),
        ):
            oracle = getattr(reference, ufunc.__name__)
            view = np.ndarray(n, dtype, expected, start, (steps_in_bytes[2],))
            view[...] = oracle(*(np.ascontiguousarray(i) for i in inputs))
            ufunc(*inputs, out=out, **path)
            assert np.array_equal(memory, expected)

    assert failing(check, itertools.product(STEPS, [0, 1], [*small_lengths(dtype), 4096])) == []


@pytest.mark.parametrize("threads", [1, 2])
@some_by_name
def test_large(implementation, same_bits, dtype, threads):
    x = np.resize(shuffled(dtype), 6_000_011)
    grad = np.resize(shuffled(dtype, 2), x.size)
    y = np.empty_like(x)
    with fastrelu.num_threads(threads):
        implementation.relu(x, out=y)
        same_bits(y, np.resize(reference.relu(x[:65536]), x.size))
        implementation.relu(x[1:], out=y[:-1])
        same_bits(y[:-1], np.resize(reference.relu(x[:65536]), x.size)[1:])
        implementation.relu_backward(grad, x, out=y)
        expected = np.resize(reference.relu_backward(grad[:65536], x[:65536]), x.size)
        same_bits(y, expected)
        implementation.relu_backward(grad[::2], x[::2], out=y[::2])
        same_bits(y, expected)


@some_by_name
def test_stores_past_the_caches(implementation, chunked, same_bits, dtype):
    chunked(1, streaming=True)
    x, grad = np.resize(shuffled(dtype), 70_001), np.resize(shuffled(dtype, 2), 70_001)
    same_bits(implementation.relu(x), reference.relu(x))
    same_bits(implementation.relu_backward(grad, x), reference.relu_backward(grad, x))
    y, mask = implementation.relu_with_mask(x)
    same_bits(y, reference.relu(x))
    same_bits(implementation.relu_backward_from_mask(grad, mask), reference.relu_backward(grad, x))


# ---------------------------------------------------------------- np.maximum, rules of dtypes


@pytest.mark.parametrize("dtype", SIGNED_FLOATS, ids=lambda dtype: dtype.name)
def test_values_of_maximum_of_floats(implementation, dtype):
    x = every_pattern(dtype)[: 1 << BITS[dtype.name]]
    with np.errstate(all="ignore"):
        expected = np.maximum(dtype.type(0), x)
    result = implementation.relu(x)
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(as_numpy(result), as_numpy(expected))


@pytest.mark.parametrize("dtype", INTEGERS, ids=lambda dtype: dtype.name)
def test_values_of_maximum_of_integers(implementation, dtype):
    x = every_pattern(dtype)
    result = implementation.relu(x)
    assert result.dtype == dtype  # maximum gives int8
    np.testing.assert_array_equal(result.astype(int), np.maximum(0, x))


@by_name
def test_no_flag(implementation, dtype):
    x, grad = every_pattern(dtype), shuffled(dtype)
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        for keywords in {}, {"where": True}:
            implementation.relu(x, **keywords)
            implementation.relu_backward(grad, x, **keywords)
        implementation.relu_with_mask(x)
        fastrelu.relu_derivative(x, 1)


@pytest.mark.parametrize("path", [list, tuple])
@some_by_name
def test_scalars_in_a_sequence(implementation, same_bits, dtype, path):
    x = shuffled(dtype)[:20]
    same_bits(implementation.relu(path(x)), reference.relu(x))


@some_by_name
def test_a_scalar_gives_a_scalar(implementation, dtype):
    x = every_pattern(dtype)[1]
    for result in implementation.relu(x), implementation.relu_backward(x, x):
        assert type(result) is dtype.type
        assert result == x


@some_by_name
def test_a_subclass_stays(implementation, dtype):
    class Sub(np.ndarray):
        pass

    result = implementation.relu(shuffled(dtype).view(Sub))
    assert type(result) is Sub
    assert result.dtype == dtype


@pytest.mark.parametrize(
    ("x", "keywords", "expected"),
    [
        (BFLOAT16, {"dtype": "f4"}, "f4"),
        (BFLOAT16, {"dtype": "f8"}, "f8"),
        (BFLOAT16, {"dtype": BFLOAT16}, BFLOAT16),
        ("f4", {"dtype": BFLOAT16}, BFLOAT16),
        ("f8", {"dtype": BFLOAT16}, BFLOAT16),
        ("i1", {"dtype": BFLOAT16}, BFLOAT16),
        ("?", {"dtype": BFLOAT16}, BFLOAT16),
        ("f4", {"signature": (BFLOAT16, None)}, BFLOAT16),
        ("f4", {"signature": (BFLOAT16, BFLOAT16)}, BFLOAT16),
        (ml_dtypes.int4, {"dtype": "i1"}, "i1"),
        (ml_dtypes.float8_e5m2, {"dtype": BFLOAT16, "casting": "unsafe"}, BFLOAT16),
    ],
)
def test_a_type_that_is_asked_for(implementation, same_bits, x, keywords, expected):
    x = np.array([-3, -1, 0, 1, 2]).astype(x)
    result = implementation.relu(x, **keywords)
    same_bits(result, np.maximum(x.astype(expected), np.zeros((), expected)))


@pytest.mark.parametrize(("x", "out"), [(BFLOAT16, "f4"), ("f4", BFLOAT16), ("?", BFLOAT16)])
def test_out_of_another_type(implementation, x, out):
    x, out = np.array([-3, 0, 2]).astype(x), np.full(3, 7, out)
    assert implementation.relu(x, out=out) is out
    assert out.astype(float).tolist() == np.maximum(x.astype(float), 0).tolist()


@pytest.mark.parametrize(
    ("grad", "x"),
    [
        (BFLOAT16, "f2"),
        (BFLOAT16, "f4"),
        ("f8", BFLOAT16),
        (BFLOAT16, "i4"),
        ("?", BFLOAT16),
        (BFLOAT16, ml_dtypes.int4),
        (ml_dtypes.int4, "i2"),
        (BFLOAT16, ml_dtypes.float8_e4m3fn),
    ],
)
def test_inputs_of_two_types(implementation, grad, x):
    grad, x = np.array([1, 1, 0, 1]).astype(grad), np.array([-3, 0, 1, 2]).astype(x)
    result = implementation.relu_backward(grad, x)
    assert result.dtype == np.multiply(grad, x).dtype
    assert result.astype(float).tolist() == [0, 0, 0, 1]


@some_by_name
def test_a_type_is_resolved_without_a_call(implementation, dtype):
    assert implementation.relu.resolve_dtypes((dtype, None)) == (dtype, dtype)
    assert implementation.relu_backward.resolve_dtypes((dtype, dtype, None)) == (dtype,) * 3


@pytest.mark.parametrize("operation", ["relu", "relu_backward"])
@pytest.mark.parametrize(
    ("error", "keywords"),
    [
        (TypeError, {"out": np.ones(4, "i4")}),
        (TypeError, {"out": np.ones(4, "f2")}),
        (TypeError, {"dtype": "i4"}),
        (TypeError, {"dtype": BFLOAT16, "casting": "no"}),
        (TypeError, {"out": [1, 2, 3, 4]}),
        (ValueError, {"out": np.ones(3, BFLOAT16)}),
        (ValueError, {"out": np.broadcast_to(np.ones(1, BFLOAT16), 4)}),
    ],
)
def test_what_is_refused(implementation, operation, error, keywords):
    ufunc = getattr(implementation, operation)
    x = np.ones(4, "f4" if keywords.get("casting") else BFLOAT16)
    with pytest.raises(error):
        ufunc(*[x] * ufunc.nin, **keywords)
    out = keywords.get("out")
    assert not isinstance(out, np.ndarray) or (out == 1).all()


@pytest.mark.skipif(not hasattr(ml_dtypes, "complex32"), reason="this ml_dtypes has none")
def test_complex_numbers_have_no_gradient(implementation):
    x = np.ones(4, ml_dtypes.complex32)
    assert implementation.relu(x).tolist() == [1, 1, 1, 1]
    with pytest.raises(TypeError):
        implementation.relu_backward(x, x)
    with pytest.raises(TypeError, match="x must hold integers or real floats, not complex32"):
        implementation.relu_with_mask(x)


def test_a_type_is_known_by_itself_and_not_by_its_name():
    pretender = types.SimpleNamespace(type=type("bfloat16", (), {}))
    assert reference.name_in_ml_dtypes(pretender) is None
    assert reference.name_in_ml_dtypes(BFLOAT16) == "bfloat16"
    assert reference.name_in_ml_dtypes(np.dtype("f4")) is None


# ---------------------------------------------------------------- met for the first time


def run(code):
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_nobody_else_imports_ml_dtypes():
    code = """
import sys
import numpy as np
import fastrelu
x = np.linspace(-1, 1, 100)
for function in fastrelu.relu, fastrelu.relu_derivative, fastrelu.relu_with_mask:
    function(x), function([1.0]), function(x.astype(int))
fastrelu.relu_backward(x, x)
for x in "U1", "V3", "M8[s]":
    try:
        fastrelu.relu(np.zeros(3, x))
    except TypeError:
        pass
print("ml_dtypes" in sys.modules)
"""
    assert run(code) == ["False"]


IMPORTS = {
    "after": "import fastrelu; import ml_dtypes",
    "before": "import ml_dtypes; import fastrelu",
}
MEETINGS = {
    "array": "fastrelu.relu(x)",
    "list": "fastrelu.relu(list(x))",
    "scalar": "fastrelu.relu(x[1])",
    "strided": "fastrelu.relu(np.ones(9, x.dtype)[::3])",
    "subclass": "fastrelu.relu(np.rec.array(x))",
    "where": "fastrelu.relu(x, out=x.copy(), where=[True, False, True])",
    "out": "fastrelu.relu(np.ones(3, 'f4'), out=x.copy())",
    "dtype": "fastrelu.relu(np.ones(3, 'f4'), dtype=x.dtype)",
    "its dtype": "fastrelu.relu(x, dtype=x.dtype)",
    "signature": "fastrelu.relu(x, signature=(x.dtype, x.dtype))",
    "at": "fastrelu.relu.at(x, [1, 1])",
    "backward": "fastrelu.relu_backward(x, x)",
    "backward of a number": "fastrelu.relu_backward(x, 1)",
    "two types": "fastrelu.relu_backward(np.ones(3, 'f4'), x)",
    "accumulate": "fastrelu.relu_backward.accumulate(x)",
    "derivative": "fastrelu.relu_derivative(x)",
    "mask": "fastrelu.relu_with_mask(x)",
    "from mask": "fastrelu.relu_backward_from_mask(x, np.ones(1, 'u1'))",
    "resolve": "fastrelu.relu.resolve_dtypes((x.dtype, None))",
    "other set": "list(fastrelu.implementations.values())[-1].relu(x)",
    "nothing": "None",
    "error": "refused(lambda: fastrelu.relu(x, dtype='U4'))",
    "error of two": "refused(lambda: fastrelu.relu_backward(x, 'text'))",
}


@pytest.mark.parametrize(
    ("imports", "dtype"),
    [("after", "bfloat16"), ("after", "float8_e5m2"), ("after", "int4"), ("before", "bfloat16")],
)
@needs_fork
def test_a_first_meeting(imports, dtype):
    before = f"""
import numpy as np
{IMPORTS[imports]}

def refused(call):
    try:
        call()
    except TypeError:
        return
    raise AssertionError

def as_floats(y):
    return [y.dtype == x.dtype, *y.astype(float).tolist()]

fastrelu.relu(np.ones(3))
x = np.array([-1, 0, 1]).astype(ml_dtypes.{dtype})
"""
    codes = {
        name: f"""
{meeting}
x = np.array([-1, 0, 1]).astype(ml_dtypes.{dtype})
for _ in range(2):
    for functions in fastrelu, *fastrelu.implementations.values():
        assert as_floats(functions.relu(x)) == [True, 0, 0, 1]
        assert as_floats(functions.relu(list(x))) == [True, 0, 0, 1]
        assert as_floats(functions.relu_backward(x, x)) == [True, 0, 0, 1]
        y, mask = functions.relu_with_mask(x)
        assert as_floats(y) == [True, 0, 0, 1] and mask.tolist() == [4]
    {meeting}
    x = np.array([-1, 0, 1]).astype(ml_dtypes.{dtype})
"""
        for name, meeting in MEETINGS.items()
    }
    outcomes = in_forks(before, codes, "-W", "error")
    assert list(outcomes) == list(MEETINGS)
    assert [(name, err) for name, (status, _, err) in outcomes.items() if status] == []


def test_a_first_meeting_of_many_threads():
    code = """
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import fastrelu
import ml_dtypes
x = np.array([-1, 0, 1]).astype(ml_dtypes.bfloat16)
with ThreadPoolExecutor(8) as pool:
    results = list(pool.map(fastrelu.relu, [x] * 64))
print({(str(y.dtype), *y.astype(int).tolist()) for y in results})
"""
    assert " ".join(run(code)) == "{('bfloat16', 0, 0, 1)}"


def test_threads_that_find_a_dtype_unknown_together():
    code = f"""
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
import numpy as np
import fastrelu
from fastrelu import reference
import ml_dtypes
name_in_ml_dtypes = reference.name_in_ml_dtypes
all_are_here = Barrier(2)
def name_when_all_are_here(dtype):
    name = name_in_ml_dtypes(dtype)
    all_are_here.wait(60)
    return name
reference.name_in_ml_dtypes = name_when_all_are_here
with ThreadPoolExecutor(2) as pool:
    for name in {[dtype.name for dtype in FLOATS]}:
        x = np.array([1, 1]).astype(getattr(ml_dtypes, name))
        assert [y.tobytes() for y in pool.map(fastrelu.relu, [x] * 2)] == [x.tobytes()] * 2, name
"""
    assert run(code) == []


def test_the_fallback():
    code = """
import os
os.environ["FASTRELU_ISA"] = "python"
import numpy as np
import fastrelu
import ml_dtypes
x = np.array([-1, 0, 1]).astype(ml_dtypes.bfloat16)
y, mask = fastrelu.relu_with_mask(x)
for y in y, fastrelu.relu(x), fastrelu.relu_backward(x, x), fastrelu.relu_derivative(x):
    print(y.dtype, *y.astype(int))
"""
    assert run(code) == ["bfloat16", "0", "0", "1"] * 4


@some_by_name
def test_many_threads(implementation, same_bits, dtype):
    x = np.resize(shuffled(dtype), 100_003)
    expected = reference.relu(x)

    def work(_):
        for _ in range(10):
            same_bits(implementation.relu(x), expected)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


# ---------------------------------------------------------------- on the command line


def test_the_self_test_has_all_types():
    from fastrelu._tool.operations import types_of_ml_dtypes

    assert set(types_of_ml_dtypes()) == set(DTYPES)


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-P", *QUICK_CHECK, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "int4"])
def test_bench_takes_them_by_name(dtype):
    # The masks have no np.where, which crashes on them in NumPy 2.0.
    options = ["--operations", "mask", "--sizes", "100", "--seconds", "0.5"]
    done = command("bench", "--dtype", dtype, *options)
    assert done.returncode == 0, done.stderr
    assert f"mask forward, new, {dtype}" in done.stdout
    assert f"mask backward, in place, {dtype}" in done.stdout


def test_the_comparison_takes_one_by_name():
    done = command("--dtype", "bfloat16", "--most", "100", "--seconds", "0.5")
    assert done.returncode == 0, done.stderr
    assert "WRONG" not in done.stdout
    assert "backward out=" in done.stdout


def test_a_name_that_nobody_knows():
    done = command("--dtype", "float9_e4m3")
    assert done.returncode == 2
    assert "knows no type 'float9_e4m3'" in done.stderr
