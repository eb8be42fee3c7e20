"""The tables of leaky_relu and its relatives in docs/semantics.md: each cell is measured."""

import functools
import os
import tempfile
from types import SimpleNamespace
from unittest import mock

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
    onnx_model,
    values,
    words_of,
)

import fastrelu
from fastrelu import reference

# ---------------------------------------------------------------- the libraries


class NotOfferedError(Exception):
    """A library has no function for this parameter."""


def of_fastrelu():
    """Return all implementations and the reference, with the parameter as number and as array."""

    def with_array(function):
        return lambda *operands: function(*operands[:-1], np.full_like(operands[0], operands[-1]))

    def all_of(name):
        modules = (*fastrelu.implementations.values(), reference)
        functions = [getattr(module, name) for module in modules]
        return functions + [with_array(function) for function in functions]

    names = ("leaky_relu", "clipped_relu", "soft_threshold")
    return library(
        fastrelu.__version__,
        **{name: all_of(name) for name in names},
        **{f"{name}_backward": all_of(f"{name}_backward") for name in names},
    )


def library(version, **functions):
    """Return a library: for functions of the family, all of its own that mean the same."""
    return SimpleNamespace(version=version, **functions)


def of_numpy(**idioms):
    return lambda: library(np.__version__, **{name: [idiom] for name, idiom in idioms.items()})


def of_pytorch(functions_of):
    def import_it():
        torch = pytest.importorskip("torch")

        def forward(function):
            return lambda x, parameter: function(torch.from_numpy(x), parameter).numpy()

        def backward(function):
            def gradient(grad, x, parameter):
                leaf = torch.from_numpy(x).requires_grad_()
                function(leaf, parameter).backward(torch.from_numpy(grad))
                return leaf.grad.numpy()

            return gradient

        functions = functions_of(torch)
        return library(
            torch.__version__,
            **{name: list(map(forward, found)) for name, found in functions.items()},
            **{f"{name}_backward": list(map(backward, found)) for name, found in functions.items()},
        )

    return import_it


def leaky_relu_and_softshrink(torch):
    def prelu(x, slope):
        return torch.nn.functional.prelu(x, torch.tensor([slope], dtype=x.dtype))

    return {
        "leaky_relu": [torch.nn.functional.leaky_relu, prelu],
        "soft_threshold": [torch.nn.functional.softshrink],
    }


def hardtanh(torch):
    return {"clipped_relu": [lambda x, cap: torch.nn.functional.hardtanh(x, 0, cap)]}


def clamp(torch):
    return {"clipped_relu": [lambda x, cap: torch.clamp(x, 0, cap)]}


def of_jax():
    jax = pytest.importorskip("jax")

    def forward(function):
        return lambda x, parameter: np.asarray(jax_on_cpu(lambda x: function(x, parameter))(x))

    def backward(function):
        def gradient(grad, x, parameter):
            def pulled_back(grad, x):
                return jax.vjp(lambda x: function(x, parameter), x)[1](grad)[0]

            return np.asarray(jax_on_cpu(pulled_back)(grad, x))

        return gradient

    def relu6(x, cap):
        if cap != 6:
            raise NotOfferedError
        return jax.nn.relu6(x)

    return library(
        jax.__version__,
        leaky_relu=[forward(jax.nn.leaky_relu)],
        leaky_relu_backward=[backward(jax.nn.leaky_relu)],
        clipped_relu=[forward(relu6)],
        clipped_relu_backward=[backward(relu6)],
    )


def of_keras():
    with (
        tempfile.TemporaryDirectory() as home,
        mock.patch.dict(os.environ, KERAS_BACKEND="numpy", KERAS_HOME=home),
    ):
        keras = pytest.importorskip("keras")
    if keras.config.backend() != "numpy":
        pytest.skip("Keras was imported with another backend")
    return library(
        keras.__version__,
        leaky_relu=[keras.ops.leaky_relu],
        clipped_relu=[lambda x, cap: keras.activations.relu(x, max_value=cap)],
        soft_threshold=[keras.ops.soft_shrink],
    )


def of_onnx(name, call):
    """Return what imports the reference implementation of an operator: call gives it operands."""

    def import_it():
        onnx = pytest.importorskip("onnx")
        from onnx.reference import ReferenceEvaluator

        def run(operator, *inputs, **attributes):
            model = onnx_model(operator, inputs, opset=18, **attributes)
            given = {str(i): x for i, x in enumerate(inputs)}
            return ReferenceEvaluator(model).run(None, given)[0]

        return library(onnx.__version__, **{name: [functools.partial(call, run)]})

    return import_it


LIBRARIES = {
    "fastrelu": of_fastrelu,
    "NumPy": of_numpy(
        leaky_relu_backward=lambda grad, x, slope: grad * np.where(x > 0, 1, slope),
        clipped_relu_backward=lambda grad, x, cap: grad * ((x > 0) & (x < cap)),
        soft_threshold_backward=lambda grad, x, threshold: grad * (np.abs(x) > threshold),
    ),
    "`np.where`": of_numpy(
        leaky_relu=lambda x, slope: np.where(x > 0, x, slope * x),
        soft_threshold=lambda x, threshold: np.where(
            x > threshold, x - threshold, np.where(x < -threshold, x + threshold, 0)
        ),
    ),
    "`np.maximum`": of_numpy(leaky_relu=lambda x, slope: np.maximum(x, slope * x)),
    "`np.minimum`": of_numpy(clipped_relu=lambda x, cap: np.minimum(np.maximum(0, x), cap)),
    "`np.clip` of NumPy": of_numpy(clipped_relu=lambda x, cap: np.clip(x, 0, cap)),
    "`np.sign`": of_numpy(
        soft_threshold=lambda x, threshold: (
            np.sign(x) * np.maximum(0, np.subtract(np.abs(x), threshold))
        )
    ),
    "PyTorch": of_pytorch(leaky_relu_and_softshrink),
    "`hardtanh` of PyTorch": of_pytorch(hardtanh),
    "`clamp` of PyTorch": of_pytorch(clamp),
    "JAX": of_jax,
    "Keras": of_keras,
    "`LeakyRelu` of ONNX": of_onnx(
        "leaky_relu", lambda run, x, slope: run("LeakyRelu", x, alpha=float(slope))
    ),
    "`PRelu` of ONNX": of_onnx(
        "leaky_relu", lambda run, x, slope: run("PRelu", x, np.array([slope], x.dtype))
    ),
    "`Clip` of ONNX": of_onnx(
        "clipped_relu", lambda run, x, cap: run("Clip", x, x.dtype.type(0), x.dtype.type(cap))
    ),
    "`Shrink` of ONNX": of_onnx(
        "soft_threshold",
        lambda run, x, threshold: run("Shrink", x, lambd=float(threshold), bias=float(threshold)),
    ),
}

# ---------------------------------------------------------------- values


def becomes(parameter, xs, grads=None, dtypes="efd"):
    """Return a probe: what x becomes, or with grads the gradient, at all places of all lengths."""

    def results(functions):
        for dtype in map(np.dtype, dtypes):
            for x in xs(dtype):
                for first in [x] if grads is None else grads(dtype):
                    for n in LENGTHS:
                        operands = [np.full(n, first), np.full(n, x)][grads is None :]
                        for function in functions:
                            with np.errstate(all="ignore"):
                                y = function(*operands, parameter)
                                yield y.astype(dtype), first  # a few give another dtype

    def probe(functions):
        try:
            return words_of(results(functions))
        except NotOfferedError:
            return NOT_OFFERED
        except (TypeError, ValueError, RuntimeError):
            return "error"

    return probe


INF, NAN = np.inf, np.nan
ZEROS = values(0.0, -0.0)
TWO = values(2.0)

VALUES = {
    "leaky_relu": {
        "`x` is NaN: float32, float64": becomes(0.5, nan, dtypes="fd"),
        "`x` is NaN: float16": becomes(0.5, nan, dtypes="e"),
        "`x` is -0.0": becomes(0.5, values(-0.0)),
        "slope 0.5: `x` is 2": becomes(0.5, TWO),
        "slope 0.5: `x` is -2": becomes(0.5, values(-2.0)),
        "slope 3: `x` is 2": becomes(3.0, TWO),
        "slope 3: `x` is -2": becomes(3.0, values(-2.0)),
        "slope -0.5: `x` is -2": becomes(-0.5, values(-2.0)),
        "slope -0.5: `x` is -0.0": becomes(-0.5, values(-0.0), dtypes="fd"),
        "slope 0: `x` is -2": becomes(0.0, values(-2.0)),
        "slope 0: `x` is -inf": becomes(0.0, values(-INF)),
        "slope 0: `x` is inf": becomes(0.0, values(INF)),
        "slope inf: `x` is -2": becomes(INF, values(-2.0)),
        "slope inf: `x` is -0.0": becomes(INF, values(-0.0)),
        "slope inf: `x` is 2": becomes(INF, TWO),
        "slope NaN: `x` is -2": becomes(NAN, values(-2.0)),
        "slope NaN: `x` is -0.0": becomes(NAN, values(-0.0)),
        "slope NaN: `x` is 2": becomes(NAN, TWO),
    },
    "leaky_relu_backward": {
        "gradient 2, slope 0.5: `x` is 3": becomes(0.5, values(3.0), TWO),
        "gradient 2, slope 0.5: `x` is -3": becomes(0.5, values(-3.0), TWO),
        "gradient 2, slope 0.5: `x` is 0.0 or -0.0": becomes(0.5, ZEROS, TWO),
        "gradient 2, slope 0.5: `x` is NaN": becomes(0.5, nan, TWO),
        "gradient 2, slope 3: `x` is -3": becomes(3.0, values(-3.0), TWO),
        "gradient 2, slope -0.5: `x` is -3": becomes(-0.5, values(-3.0), TWO),
        "NaN or infinity in the gradient, `x` is 3": becomes(0.5, values(3.0), nan_or_infinity),
        "infinity in the gradient, slope 0: `x` is -3": becomes(0.0, values(-3.0), values(INF)),
        "slope inf: `x` is 3": becomes(INF, values(3.0), TWO),
        "slope NaN: `x` is 3": becomes(NAN, values(3.0), TWO),
        "slope NaN: `x` is -3": becomes(NAN, values(-3.0), TWO),
    },
    "clipped_relu": {
        "`x` is NaN: float32, float64": becomes(6, nan, dtypes="fd"),
        "`x` is NaN: float16": becomes(6, nan, dtypes="e"),
        "`x` is -0.0: float32, float64": becomes(6, values(-0.0), dtypes="fd"),
        "`x` is -0.0: float16": becomes(6, values(-0.0), dtypes="e"),
        "`x` is -2 or -inf": becomes(6, values(-2.0, -INF)),
        "`x` is 2 or 6": becomes(6, values(2.0, 6.0)),
        "`x` is 8 or inf": becomes(6, values(8.0, INF)),
        "max_value 0: `x` is 8": becomes(0, values(8.0)),
        "max_value 0: `x` is -0.0": becomes(0, values(-0.0), dtypes="fd"),
        "max_value -1: `x` is 2, 0 or -2": becomes(-1, values(2.0, 0.0, -2.0)),
        "max_value -1: `x` is NaN": becomes(-1, nan, dtypes="fd"),
        "max_value inf: `x` is 8 or inf": becomes(INF, values(8.0, INF)),
        "max_value NaN: `x` is 2": becomes(NAN, TWO),
        "max_value NaN: `x` is NaN": becomes(NAN, nan, dtypes="fd"),
    },
    "clipped_relu_backward": {
        "gradient 2: `x` is 3": becomes(6, values(3.0), TWO),
        "gradient 2: `x` is -3 or 8": becomes(6, values(-3.0, 8.0), TWO),
        "gradient 2: `x` is 0.0 or -0.0": becomes(6, ZEROS, TWO),
        "gradient 2: `x` is max_value": becomes(6, values(6.0), TWO),
        "gradient 2: `x` is NaN": becomes(6, nan, TWO),
        "NaN or infinity in the gradient, `x` is -3 or 8": becomes(
            6, values(-3.0, 8.0), nan_or_infinity
        ),
        "gradient below 0, `x` is -3 or 8": becomes(6, values(-3.0, 8.0), values(-2.0)),
        "NaN or infinity in the gradient, `x` is 3": becomes(6, values(3.0), nan_or_infinity),
        "max_value -1: `x` is 3 or -3": becomes(-1, values(3.0, -3.0), TWO),
        "max_value inf: `x` is 8": becomes(INF, values(8.0), TWO),
        "max_value inf: `x` is inf": becomes(INF, values(INF), TWO),
        "max_value NaN: `x` is 3": becomes(NAN, values(3.0), TWO),
    },
    "soft_threshold": {
        "`x` is NaN": becomes(0.5, nan),
        "threshold 0.5: `x` is 2": becomes(0.5, TWO),
        "threshold 0.5: `x` is -2": becomes(0.5, values(-2.0)),
        "threshold 0.5: `x` is 0.25 or 0.5": becomes(0.5, values(0.25, 0.5)),
        "threshold 0.5: `x` is -0.25 or -0.5": becomes(0.5, values(-0.25, -0.5)),
        "threshold 0.5: `x` is 0.0": becomes(0.5, values(0.0)),
        "threshold 0.5: `x` is -0.0": becomes(0.5, values(-0.0)),
        "threshold 0.5: `x` is inf or -inf": becomes(0.5, values(INF, -INF)),
        "threshold 0: `x` is 2 or -2": becomes(0.0, values(2.0, -2.0)),
        "threshold -0.5: `x` is 2": becomes(-0.5, TWO),
        "threshold -0.5: `x` is -0.25": becomes(-0.5, values(-0.25)),
        "threshold -0.5: `x` is 0.0": becomes(-0.5, values(0.0)),
        "threshold inf: `x` is 2": becomes(INF, TWO),
        "threshold inf: `x` is inf": becomes(INF, values(INF)),
        "threshold NaN: `x` is 2": becomes(NAN, TWO),
    },
    "soft_threshold_backward": {
        "gradient 2: `x` is 3 or -3": becomes(0.5, values(3.0, -3.0), TWO),
        "gradient 2: `x` is 0.25, -0.25 or 0.0": becomes(0.5, values(0.25, -0.25, 0.0), TWO),
        "gradient 2: `x` is 0.5 or -0.5": becomes(0.5, values(0.5, -0.5), TWO),
        "gradient 2: `x` is NaN": becomes(0.5, nan, TWO),
        "NaN or infinity in the gradient, `x` is 0.25": becomes(0.5, values(0.25), nan_or_infinity),
        "gradient below 0, `x` is 0.25": becomes(0.5, values(0.25), values(-2.0)),
        "NaN or infinity in the gradient, `x` is 3": becomes(0.5, values(3.0), nan_or_infinity),
        "threshold 0: `x` is 0.0": becomes(0.0, values(0.0), TWO),
        "threshold -0.5: `x` is 0.0": becomes(-0.5, values(0.0), TWO),
        "threshold inf: `x` is inf": becomes(INF, values(INF), TWO),
        "threshold NaN: `x` is 3": becomes(NAN, values(3.0), TWO),
    },
}
COLUMNS = {
    "leaky_relu": [
        *("fastrelu", "`np.where`", "`np.maximum`", "PyTorch", "JAX", "Keras"),
        *("`LeakyRelu` of ONNX", "`PRelu` of ONNX"),
    ],
    "leaky_relu_backward": ["fastrelu", "NumPy", "PyTorch", "JAX"],
    "clipped_relu": [
        *(
            "fastrelu",
            "`np.minimum`",
            "`np.clip` of NumPy",
            "`hardtanh` of PyTorch",
            "`clamp` of PyTorch",
        ),
        *("JAX", "Keras", "`Clip` of ONNX"),
    ],
    "clipped_relu_backward": [
        *("fastrelu", "NumPy", "`hardtanh` of PyTorch", "`clamp` of PyTorch", "JAX")
    ],
    "soft_threshold": [
        *("fastrelu", "`np.sign`", "`np.where`", "PyTorch", "Keras", "`Shrink` of ONNX")
    ],
    "soft_threshold_backward": ["fastrelu", "NumPy", "PyTorch"],
}

# ---------------------------------------------------------------- dtypes


def on_gradient(function):
    return lambda x, parameter: function(x, x, parameter)


FUNCTIONS = {
    "`leaky_relu`, `soft_threshold`": [fastrelu.leaky_relu, fastrelu.soft_threshold],
    "`clipped_relu`": [fastrelu.clipped_relu],
    "the gradients": [
        on_gradient(fastrelu.leaky_relu_backward),
        on_gradient(fastrelu.clipped_relu_backward),
        on_gradient(fastrelu.soft_threshold_backward),
    ],
}


def gives(parameter, *dtypes):
    """Return a probe: the dtype of the result, or the error, for x of each of these dtypes.

    A parameter that is a str names the dtype of an array; "its own" is that of x.
    """

    def word(function, name):
        x = np.array([1, 0, 1]).astype(dtype_of(name))
        operand = parameter
        if isinstance(parameter, str):
            operand = x if parameter == "its own" else x.astype(dtype_of(parameter))
        try:
            dtype = function(x, operand).dtype
        except (OverflowError, TypeError, ValueError) as error:
            return next(e for e in type(error).__mro__ if e.__module__ == "builtins").__name__
        return "same dtype" if dtype == x.dtype else dtype.name

    def probe(functions):
        return " or ".join(sorted({word(f, name) for f in functions for name in dtypes}))

    return probe


FLOATS, INTEGERS = "efdg", "bBhHiIlLqQ"
OPERANDS = {
    "floats and a Python number": gives(1, *FLOATS),
    "floats and themselves": gives("its own", *FLOATS),
    "float32 and a float64 of NumPy": gives(np.float64(1), "f"),
    "float16 and float32": gives("f", "e"),
    "int8 and float32": gives("f", "b"),
    "integers, bool and a Python float": gives(1.0, *INTEGERS, "?"),
    "integers and a Python int": gives(1, *INTEGERS),
    "integers and themselves": gives("its own", *INTEGERS),
    "int8 and 300": gives(300, "b"),
    "bool and bool": gives("its own", "?"),
    "bfloat16, float8_e4m3fn, int4 and themselves": gives(
        "its own", "bfloat16", "float8_e4m3fn", "int4"
    ),
    "bfloat16, float8_e4m3fn and a Python int": gives(1, "bfloat16", "float8_e4m3fn"),
    "bfloat16, float8_e4m3fn and a Python float": gives(1.0, "bfloat16", "float8_e4m3fn"),
    "int4 and a Python int": gives(1, "int4"),
    "complex numbers, timedelta64, object and themselves": gives("its own", "F", "D", "m8[s]", "O"),
    "datetime64, strings and themselves": gives("its own", "M8[s]", "U1", "S1"),
    "shapes that do not broadcast": gives(np.ones(5), "d"),
}

# ---------------------------------------------------------------- warnings


def warns_of(x, parameter, n=67):
    """Return a probe: of which floating-point error the last of n elements warns."""

    def probe(functions):
        xs = np.ones(n, "f4")
        xs[-1] = x
        operand = parameter
        if not isinstance(parameter, float):
            operand = np.ones_like(xs)
            operand[-1] = parameter
        return " or ".join(sorted({errors_reported(f, xs, operand) for f in functions}))

    return probe


HUGE = np.float32(3e38)
WARNINGS = {
    "`x` is a quiet NaN": warns_of(np.float32(NAN), np.float32(2)),
    "`x` is a signalling NaN": warns_of(SIGNALLING, np.float32(2)),
    "`x` is 1, the parameter a signalling NaN": warns_of(np.float32(1), SIGNALLING),
    "`x` is inf, the parameter 0": warns_of(np.float32(INF), np.float32(0)),
    "`x` is -inf, the parameter 0": warns_of(np.float32(-INF), np.float32(0)),
    "`x` is inf, the parameter inf": warns_of(np.float32(INF), np.float32(INF)),
    "`x` is -3e38, the parameter 2": warns_of(-HUGE, np.float32(2)),
    "`x` is -3e38, the parameter 2, in another thread": warns_of(-HUGE, np.float32(2), 1 << 20),
    "`x` is 3e38, the parameter -3e38": warns_of(HUGE, -HUGE),
    "`x` is 3e38, the parameter -3e38, in another thread": warns_of(HUGE, -HUGE, 1 << 20),
    "the parameter is the Python number 1e300": warns_of(np.float32(1), 1e300),
}
WARNING = {
    "`leaky_relu`": [fastrelu.leaky_relu],
    "`np.where`": LIBRARIES["`np.where`"]().leaky_relu,
    "`leaky_relu_backward`": [on_gradient(fastrelu.leaky_relu_backward)],
    "`soft_threshold`": [fastrelu.soft_threshold],
    "`np.sign`": LIBRARIES["`np.sign`"]().soft_threshold,
    "`clipped_relu`, its gradient, `soft_threshold_backward`": [
        fastrelu.clipped_relu,
        on_gradient(fastrelu.clipped_relu_backward),
        on_gradient(fastrelu.soft_threshold_backward),
    ],
    "`np.minimum`": LIBRARIES["`np.minimum`"]().clipped_relu,
}

# ---------------------------------------------------------------- the tables

library_in = functools.cache(lambda column: library_of(column, LIBRARIES))
PROBES = {**VALUES, "operands": OPERANDS, "warnings": WARNINGS}


def columns_of(table):
    return list(dict.fromkeys(column for _, column in TABLES[table]))


def without_version(column):
    return column.rstrip("0123456789.").rstrip()


def assert_measured(table, column, functions):
    """Compare all cells of a column, so that a failure names each that differs."""
    stated = {row: word for (row, name), word in TABLES[table].items() if name == column}
    assert stated == {row: probe(functions) for row, probe in PROBES[table].items()}


def test_the_tables_have_every_row_and_column():
    expected = {**COLUMNS, "operands": list(FUNCTIONS), "warnings": list(WARNING)}
    for table in MEASURED_BY["test_meaning"]:
        assert list(map(without_version, columns_of(table))) == expected[table]
        assert list(dict.fromkeys(row for row, _ in TABLES[table])) == list(PROBES[table])


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table in VALUES for column in columns_of(table)]
)
def test_values(table, column):
    assert_measured(table, column, getattr(library_in(column), table))


@pytest.mark.skipif(fastrelu.isa == "python", reason="tests of the reference compare its dtypes")
@pytest.mark.parametrize("column", FUNCTIONS)
def test_dtypes_and_errors(column):
    pytest.importorskip("ml_dtypes")
    if np.lib.NumpyVersion(np.__version__) < "2.1.0":
        pytest.skip("an int beside bfloat16 makes it float32")
    assert_measured("operands", column, FUNCTIONS[column])


@pytest.mark.parametrize("column", WARNING)
def test_warnings(column):
    if column.startswith("`np.") and not ON_X86_64:
        pytest.skip("measured on x86-64")
    assert_measured("warnings", column, WARNING[column])


def test_other_dtypes():
    """NumPy's gradient with a slope is float64; Keras computes in the dtype that it is set to."""
    x = np.ones(3, "f4")
    assert library_in("NumPy").leaky_relu_backward[0](x, x, 0.5).dtype == "f8"
    (leaky_relu,) = library_in("Keras").leaky_relu
    assert leaky_relu(x.astype("f8"), 0.5).dtype == "f4"
