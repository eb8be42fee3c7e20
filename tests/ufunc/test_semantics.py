"""The tables of docs/semantics.md: each cell is measured, where its library is installed."""

import functools
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from semantics_tables import (
    LENGTHS,
    MEASURED_BY,
    NOT_OFFERED,
    ON_X86_64,
    SIGNALLING,
    TABLES,
    dtype_of,
    errors_reported,
    jax_on_cpu,
    library_of,
    nan,
    nan_or_infinity,
    of_bits,
    onnx_model,
    split,
    values,
    words_of,
)

import fastrelu

# ---------------------------------------------------------------- the libraries


def of_fastrelu():
    return SimpleNamespace(
        version=fastrelu.__version__,
        relu=fastrelu.relu,
        backward=fastrelu.relu_backward,
        native=fastrelu.relu,
        shifted=lambda memory: fastrelu.relu(memory[:-1], out=memory[1:]),
    )


def of_numpy():
    return SimpleNamespace(
        version=np.__version__,
        relu=lambda x: np.maximum(0, x),
        backward=lambda grad, x: grad * (x > 0),
        native=lambda x: np.maximum(0, x),
        shifted=lambda memory: np.maximum(0, memory[:-1], out=memory[1:]),
    )


def of_pytorch():
    torch = pytest.importorskip("torch")

    def tensor(array):
        if array.dtype.isbuiltin == 1:
            return torch.from_numpy(array)
        return torch.from_numpy(array.view(f"i{array.itemsize}")).view(
            getattr(torch, array.dtype.name)
        )

    def array(tensor, dtype):
        if dtype.isbuiltin == 1:
            return tensor.numpy()
        return tensor.view(getattr(torch, f"int{8 * dtype.itemsize}")).numpy().view(dtype)

    def backward(grad, x):
        leaf = tensor(x).requires_grad_()
        torch.relu(leaf).backward(tensor(grad))
        return array(leaf.grad, x.dtype)

    def shifted(memory):
        shared = tensor(memory)
        torch.clamp_min(shared[:-1], 0, out=shared[1:])

    return SimpleNamespace(
        version=torch.__version__,
        relu=lambda x: array(torch.relu(tensor(x)), x.dtype),
        backward=backward,
        native=lambda x: torch.relu(tensor(x)),
        shifted=shifted,
    )


def of_jax():
    jax = pytest.importorskip("jax")
    relu = jax_on_cpu(jax.nn.relu)
    backward = jax_on_cpu(lambda grad, x: jax.vjp(jax.nn.relu, x)[1](grad)[0])
    return SimpleNamespace(
        version=jax.__version__,
        relu=lambda x: np.asarray(relu(x)),
        backward=lambda grad, x: np.asarray(backward(grad, x)),
        native=relu,
        shifted=None,
    )


def of_tensorflow():
    tf = pytest.importorskip("tensorflow")

    def backward(grad, x):
        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.nn.relu(x)
        return tape.gradient(y, x, output_gradients=tf.constant(grad)).numpy()

    return SimpleNamespace(
        version=tf.__version__,
        relu=lambda x: tf.nn.relu(tf.constant(x)).numpy(),
        backward=backward,
        native=lambda x: tf.nn.relu(tf.constant(x)),
        shifted=None,
    )


def of_onnx_runtime():
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4

    def relu(x):
        session = onnxruntime.InferenceSession(
            onnx_model("Relu", [x], opset=14).SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )
        return session.run(None, {"0": x})[0]

    return SimpleNamespace(
        version=onnxruntime.__version__, relu=relu, backward=None, native=relu, shifted=None
    )


LIBRARIES = {
    "fastrelu": of_fastrelu,
    "NumPy": of_numpy,
    "PyTorch": of_pytorch,
    "JAX": of_jax,
    "TensorFlow": of_tensorflow,
    "ONNX Runtime": of_onnx_runtime,
}


# ---------------------------------------------------------------- the values


def subnormal(dtype):
    return of_bits(dtype, 3)


def minus_subnormal(dtype):
    return of_bits(dtype, 3 | 1 << (8 * dtype.itemsize - 1))


def complex_nan(dtype):
    parts = (-1.0, 0.0, 1.0)
    given = [complex(part, np.nan) for part in parts] + [complex(np.nan, part) for part in parts]
    return np.array(given, dtype)


# ---------------------------------------------------------------- what is measured, in words


def forward(values_of, *dtypes):
    """Return a probe: what becomes of x, at every place of arrays of all lengths."""

    def probe(library):
        given = [value for dtype in map(dtype_of, dtypes) for value in values_of(dtype)]
        try:
            with np.errstate(all="ignore"):
                results = [library.relu(np.full(n, value)) for value in given for n in LENGTHS]
        except Exception:  # each library has errors of its own
            return "error"
        unchanged = [value for value in given for n in LENGTHS]
        return words_of(zip(results, unchanged, strict=True))

    return probe


def backward(grads_of, values_of, *dtypes):
    """Return a probe: what becomes of the gradient."""

    def probe(library):
        if library.backward is None:
            return NOT_OFFERED
        return words_of(
            (library.backward(np.full(n, grad), np.full(n, value)), grad)
            for dtype in map(dtype_of, dtypes)
            for grad in grads_of(dtype)
            for value in values_of(dtype)
            for n in LENGTHS
        )

    return probe


def result_dtype(function, *arrays):
    try:
        dtype = function(*arrays).dtype
    except Exception:
        return None
    return dtype.names[0] if dtype.names else dtype.name


def dtypes_of(find, *dtypes):
    """Return a probe: which of the dtypes give a result of the same dtype, or of which other."""

    def probe(library):
        function, inputs = find(library)
        if function is None:
            return NOT_OFFERED
        given = [np.array([1, 0, 1]).astype(dtype) for dtype in map(dtype_of, dtypes)]
        gives = {x.dtype.name: result_dtype(function, *[x] * inputs) for x in given}
        if all(result is None for result in gives.values()):
            return "error"
        if all(result == name for name, result in gives.items()):
            return "same dtype"
        words = ", ".join(dict.fromkeys(filter(None, gives.values())))
        return f"{words} only" if None in gives.values() else words

    return probe


def by_relu(library):
    return library.relu, 1


def by_backward(library):
    return library.backward, 2


def warned(function, *arrays):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(*arrays)
    return ", ".join(sorted({warning.category.__name__ for warning in caught})) or "none"


def warnings_of_relu(name):
    def probe(library):
        dtype = dtype_of(name)
        others = np.array([-np.inf, -1, 0, np.inf]).astype(dtype)
        try:
            return warned(library.relu, np.concatenate([nan(dtype), others]))
        except Exception:
            return "error"

    return probe


def warnings_of_backward(library):
    if library.backward is None:
        return NOT_OFFERED
    x = np.array([-np.inf, -1, 0, np.nan], "f4")
    return warned(library.backward, np.full_like(x, np.inf), x)


def of_no_dimensions(library):
    result = library.native(np.array(2.0, "f4"))
    assert np.shape(result) == ()
    return "scalar" if isinstance(result, np.generic) else "0-d"


def overlapping(library):
    if library.shifted is None:
        return NOT_OFFERED
    memory = np.array([-1, 2, -3, 4, 5, -6, 7, -8] * 8, "f4")
    expected = np.maximum(0, memory[:-1])
    try:
        library.shifted(memory)
    except Exception:
        return "error"
    return "as if disjoint" if np.array_equal(memory[1:], expected) else "other values"


BELOW_OR_ZERO = values(-np.inf, -1.0, -0.0, 0.0)
PROBES = {
    "`x` is NaN: float32, float64": forward(nan, "f4", "f8"),
    "`x` is NaN: float16": forward(nan, "f2"),
    "`x` is NaN: bfloat16": forward(nan, "bfloat16"),
    "`x` is NaN in a part: complex": forward(complex_nan, "F", "D"),
    "`x` is NaT: timedelta64": forward(values("NaT"), "m8[s]"),
    "`x` is -0.0: float32, float64": forward(values(-0.0), "f4", "f8"),
    "`x` is -0.0: float16": forward(values(-0.0), "f2"),
    "`x` is -0.0: bfloat16": forward(values(-0.0), "bfloat16"),
    "`x` is -0.0: longdouble": forward(values(-0.0), "g"),
    "`x` is -0.0-0.0j: complex": forward(values(complex(-0.0, -0.0)), "F", "D"),
    "`x` is subnormal, above 0": forward(subnormal, "f4", "f8"),
    "`x` is subnormal, below 0": forward(minus_subnormal, "f4", "f8"),
    "gradient 1.0 at 0.0 and -0.0": backward(values(1.0), values(0.0, -0.0), "f4", "f8"),
    "gradient where `x` is NaN": backward(values(1.0), nan, "f4", "f8"),
    "NaN or infinity in the gradient, `x <= 0`": backward(
        nan_or_infinity, BELOW_OR_ZERO, "f4", "f8"
    ),
    "gradient below 0, `x <= 0`": backward(values(-1.0), BELOW_OR_ZERO, "f4", "f8"),
    "NaN in the gradient, `x > 0`": backward(nan, values(1.0, np.inf), "f4", "f8"),
    "gradient where `x` is subnormal, above 0": backward(values(1.0), subnormal, "f4", "f8"),
    "bool": dtypes_of(by_relu, "?"),
    "signed integers": dtypes_of(by_relu, "i1", "i2", "i4", "i8"),
    "unsigned integers": dtypes_of(by_relu, "u1", "u2", "u4", "u8"),
    "float16, float32, float64": dtypes_of(by_relu, "f2", "f4", "f8"),
    "bfloat16": dtypes_of(by_relu, "bfloat16"),
    "float8_e4m3fn, float8_e5m2": dtypes_of(by_relu, "float8_e4m3fn", "float8_e5m2"),
    "int4, uint4": dtypes_of(by_relu, "int4", "uint4"),
    "longdouble": dtypes_of(by_relu, "g"),
    "complex64, complex128": dtypes_of(by_relu, "F", "D"),
    "timedelta64": dtypes_of(by_relu, "m8[s]"),
    "object": dtypes_of(by_relu, "O"),
    "datetime64, strings": dtypes_of(by_relu, "M8[s]", "U1", "S1"),
    "gradient of float16, float32, float64": dtypes_of(by_backward, "f2", "f4", "f8"),
    "gradient of bfloat16": dtypes_of(by_backward, "bfloat16"),
    "gradient of integers": dtypes_of(by_backward, "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"),
    "gradient of bool": dtypes_of(by_backward, "?"),
    "gradient of complex numbers": dtypes_of(by_backward, "F", "D"),
    "warnings of the forward pass: float32": warnings_of_relu("float32"),
    "warnings of the forward pass: bfloat16": warnings_of_relu("bfloat16"),
    "warnings of the backward pass: float32": warnings_of_backward,
    "result of no dimensions": of_no_dimensions,
    "output over the next element of the input": overlapping,
}


# ---------------------------------------------------------------- add_relu and subtract_relu


def sums(*pairs, subtract=None):
    """
    Return a function from an operation to pairs of operands.

    Those of subtract are the pairs of add with y negated, unless given.
    """
    negated = [(x, -y) for x, y in pairs] if subtract is None else subtract

    def pairs_of(operation):
        return pairs if operation is np.add else negated

    return pairs_of


def fused(pairs_of, *dtypes):
    """Return a probe: what becomes of the sum, at every place of arrays of all lengths."""

    def probe(function, operation):
        with np.errstate(all="ignore"):
            return words_of(
                (function(*operands), operation(*operands)[0])
                for dtype in map(np.dtype, dtypes)
                for pair in pairs_of(operation)
                for n in LENGTHS
                for operands in [[np.full(n, value, dtype) for value in pair]]
            )

    return probe


def nan_operands(function, operation):
    """Probe what becomes of a NaN in either operand."""
    with np.errstate(all="ignore"):
        return words_of(
            (function(*operands), operation(*operands)[0])
            for dtype in map(np.dtype, ("f2", "f4", "f8"))
            for value in nan(dtype)
            for n in LENGTHS
            for x, y in [(np.full(n, value), np.ones(n, dtype))]
            for operands in [(x, y), (y, x)]
        )


def integers(dtype, pairs_of):
    """Return a probe: the result of one pair."""

    def probe(function, operation):
        (pair,) = pairs_of(operation)
        results = [function(*[np.full(n, value, dtype) for value in pair]) for n in LENGTHS]
        (result,) = {int(element) for y in results for element in y}
        return str(result)

    return probe


def fused_dtypes(*names):
    """Return a probe: the dtype of the result, for operands of these two or of one dtype each."""
    x_and_y = names if len(names) == 2 else names * 2

    def probe(function, operation):
        x, y = (np.array([1, 0, 1]).astype(dtype_of(name)) for name in x_and_y)
        result = result_dtype(function, x, y)
        if result is None:
            return "error"
        return "same dtype" if {x.dtype.name, y.dtype.name} == {result} else result

    return probe


def all_of(*probes):
    """Return a probe: what several find, if that is the same."""

    def probe(function, operation):
        (word,) = {probe(function, operation) for probe in probes}
        return word

    return probe


def reported(pairs_of, dtype="f4", n=67):
    """Return a probe: of which floating-point error the last of n elements warns."""

    def probe(function, operation):
        (pair,) = pairs_of(operation)
        operands = [np.zeros(n, dtype), np.zeros(n, dtype)]
        for operand, value in zip(operands, pair, strict=True):
            operand[-1] = value
        return errors_reported(function, *operands)

    return probe


HUGE = 3e38
OVERFLOW = sums((HUGE, HUGE))
FUSED_PROBES = {
    "`x` or `y` is NaN": nan_operands,
    "the result is NaN: inf + -inf, inf - inf": fused(sums((np.inf, -np.inf)), "f2", "f4", "f8"),
    "the sum is -0.0: float32, float64": fused(sums((-0.0, -0.0)), "f4", "f8"),
    "the sum is -0.0: float16": fused(sums((-0.0, -0.0)), "f2"),
    "the sum is below 0": fused(sums((-3.0, 2.0), (-np.inf, 2.0)), "f2", "f4", "f8"),
    "the sum overflows": fused(OVERFLOW, "f4"),
    "the sum is subnormal": fused(sums((1.5e-38, -1.2e-38)), "f4"),
    "int8: -128 + -1, -128 - 1": integers("i1", sums((-128, -1))),
    "uint8: 255 + 2, 0 - 255": integers("u1", sums((255, 2), subtract=[(0, 255)])),
    "integers": all_of(*map(fused_dtypes, "bBhHiIlLqQ")),
    "float16, float32, float64, longdouble": all_of(*map(fused_dtypes, "efdg")),
    "int8 and float32": fused_dtypes("i1", "f4"),
    "bool and bool": fused_dtypes("?"),
    "complex64, complex128": all_of(*map(fused_dtypes, "FD")),
    "object": fused_dtypes("O"),
    "timedelta64 and timedelta64": fused_dtypes("m8[s]"),
    "datetime64 and datetime64": fused_dtypes("M8[s]"),
    "datetime64 and timedelta64": fused_dtypes("M8[s]", "m8[s]"),
    "strings": fused_dtypes("U1"),
    "bfloat16 (ml_dtypes)": fused_dtypes("bfloat16"),
    "warning for a quiet NaN": reported(sums((np.nan, 1.0))),
    "warning for a signalling NaN": reported(sums((SIGNALLING, 1.0))),
    "warning for inf + -inf, inf - inf": reported(sums((np.inf, -np.inf))),
    "warning for an overflow": reported(OVERFLOW),
    "warning for an overflow in another thread": reported(OVERFLOW, n=1 << 20),
    "warning for an integer that wraps": reported(sums((-128, -1)), "i1"),
}
FUSED = {
    "`add_relu(x, y)`": (fastrelu.add_relu, np.add),
    "`np.maximum(0, x + y)`": (lambda x, y: np.maximum(0, np.add(x, y)), np.add),
    "`subtract_relu(x, y)`": (fastrelu.subtract_relu, np.subtract),
    "`np.maximum(0, x - y)`": (lambda x, y: np.maximum(0, np.subtract(x, y)), np.subtract),
}


# ---------------------------------------------------------------- reductions


def reduced(dtype, *values, times=1):
    """Return a probe: what becomes of an array of these values."""
    return lambda function: quietly(lambda: str(function(np.array(values * times, dtype))))


def quietly(call):
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


def reduced_dtypes(*dtypes):
    """Return a probe: the dtype of the result for each of these, if it is the same."""

    def probe(function):
        found = {np.dtype(dtype).name: function(np.ones(3, dtype)).dtype.name for dtype in dtypes}
        if all(dtype == result for dtype, result in found.items()):
            return "same dtype"
        (result,) = set(found.values())
        return result

    return probe


def reduction_warning(dtype, *values, times=1):
    """Return a probe: of what a call warns."""

    def probe(function):
        x = np.array(values * times, dtype)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            function(x)
        return str(caught[0].message).split(" encountered")[0].strip(".") if caught else "none"

    return probe


def signalling(function):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(np.full(3, 0x7F800003, "u4").view("f4"))
    return " or ".join(str(w.message).split(" encountered")[0] for w in caught) or "none"


REDUCTION_PROBES = {
    "`x` holds NaN": reduced("f4", 1, np.nan, -1),
    "`x` holds inf and -inf": reduced("f4", np.inf, -np.inf),
    "every element is -0.0": reduced("f4", -0.0, -0.0),
    "no element": reduced("f4"),
    "float32: 100 times 3e38": reduced("f4", 3e38, times=100),
    "float16: 100 times 1000": reduced("f2", 1000, times=100),
    "int8: 300 times 100": reduced("i1", 100, times=300),
    "float16, float32, float64": reduced_dtypes(*"efd"),
    "bool, int8, int16, int32, int64": reduced_dtypes("?", "i1", "i2", "i4", "i8"),
    "uint8, uint16, uint32, uint64": reduced_dtypes("u1", "u2", "u4", "u8"),
    "warning for a quiet NaN": reduction_warning("f4", 1, np.nan),
    "warning for a signalling NaN": signalling,
    "warning for float32: 100 times 3e38": reduction_warning("f4", 3e38, times=100),
    "warning for no element": reduction_warning("f4"),
}
REDUCTIONS = {
    "`relu_sum(x)`": fastrelu.relu_sum,
    "`np.maximum(0, x).sum()`": lambda x: np.maximum(0, x).sum(),
    "`relu_mean(x)`": fastrelu.relu_mean,
    "`np.maximum(0, x).mean()`": lambda x: np.maximum(0, x).mean(),
}


# ---------------------------------------------------------------- the tables


TABLE = {
    place: word for name in MEASURED_BY["test_semantics"] for place, word in TABLES[name].items()
}
COLUMNS = list(
    dict.fromkeys(column for _, column in TABLE if column not in {**FUSED, **REDUCTIONS})
)
library_in = functools.cache(lambda column: library_of(column, LIBRARIES))


def test_the_tables_have_every_row_and_column():
    assert [split(column)[0] for column in COLUMNS] == list(LIBRARIES)
    assert list(TABLE) == [
        *((row, column) for row in PROBES for column in COLUMNS),
        *((row, column) for row in FUSED_PROBES for column in FUSED),
        *((row, column) for row in REDUCTION_PROBES for column in REDUCTIONS),
    ]


@pytest.mark.filterwarnings("ignore:The 'generic' unit:DeprecationWarning")  # of a 0 as a time
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("row", PROBES)
def test_a_cell_is_what_is_measured(row, column):
    assert TABLE[row, column] == PROBES[row](library_in(column))


@pytest.mark.filterwarnings("ignore:The 'generic' unit:DeprecationWarning")  # of a 0 as a time
@pytest.mark.parametrize("column", FUSED)
@pytest.mark.parametrize("row", FUSED_PROBES)
def test_a_cell_of_the_fused_functions_is_what_is_measured(row, column):
    if "maximum" in column and not ON_X86_64:
        pytest.skip("measured on x86-64")
    assert TABLE[row, column] == FUSED_PROBES[row](*FUSED[column])


@pytest.mark.parametrize("column", REDUCTIONS)
@pytest.mark.parametrize("row", REDUCTION_PROBES)
def test_a_cell_of_the_reductions_is_what_is_measured(row, column):
    assert TABLE[row, column] == REDUCTION_PROBES[row](REDUCTIONS[column])


@pytest.mark.skipif(not ON_X86_64, reason="elsewhere maximum may give another zero")
@pytest.mark.parametrize(
    ("dtype", "zero_first", "zero_last"),
    [
        *((dtype, "0.0", "-0.0") for dtype in "egFDG"),
        *((dtype, "-0.0", "0.0") for dtype in "fd"),
    ],
)
def test_the_sign_of_zero_in_maximum(dtype, zero_first, zero_last):
    zero = complex(-0.0, -0.0) if dtype in "FDG" else -0.0
    x = np.full(67, zero, dtype)
    assert words_of([(np.maximum(0, x), x[0])]) == zero_first
    assert words_of([(np.maximum(x, 0), x[0])]) == zero_last
    assert words_of([(fastrelu.relu(x), x[0])]) == "-0.0"


@pytest.mark.parametrize("method", ["accumulate", "outer", "reduce", "reduceat"])
@pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is no ufunc")
def test_relu_has_no_methods_of_two_inputs(method):
    with pytest.raises(ValueError, match="only supported for binary functions"):
        getattr(fastrelu.relu, method)(np.ones(3))


@pytest.mark.parametrize("zero", [False, 0.0])
def test_an_object_that_equals_zero(zero):
    x = np.array([zero], object)
    assert fastrelu.relu(x)[0] is zero
    assert np.maximum(0, x)[0] is not zero


def test_maximum_of_jax_has_another_gradient_at_zero():
    jax = pytest.importorskip("jax")
    assert jax.grad(lambda x: jax.numpy.maximum(0, x))(0.0) == 0.5
