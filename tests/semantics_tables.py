"""The tables of docs/semantics.md, and what the tests that measure their cells share."""

import functools
import platform
import warnings
from pathlib import Path

import numpy as np
import pytest

import fastrelu

PAGE = Path(__file__).parents[1] / "docs" / "semantics.md"
if not PAGE.exists():
    pytest.skip("docs/semantics.md is not beside these tests", allow_module_level=True)

LENGTHS = (1, 2, 67)  # a lone element, and those of the body and the tail of a vector loop
ON_X86_64 = platform.machine() in ("x86_64", "AMD64")
NOT_OFFERED = "n/a"


# ---------------------------------------------------------------- the page


def read_tables():
    """Return the tables by their first cell: each from a row and a column to a word."""
    found, columns = {}, None
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            columns = None
            continue
        name, *words = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if columns is None:
            assert name not in found, f"two tables begin with {name}"
            cells, columns = found.setdefault(name, {}), words
        elif name.strip("-"):
            cells |= {(name, column): word for column, word in zip(columns, words, strict=True)}
    return found


MEASURED_BY = {
    "test_semantics": ("forward", "backward", "dtype", "call", "sum or difference", "reduction"),
    "test_meaning": (
        *("leaky_relu", "leaky_relu_backward"),
        *("clipped_relu", "clipped_relu_backward"),
        *("soft_threshold", "soft_threshold_backward"),
        *("operands", "warnings"),
    ),
}
TABLES = read_tables()
assert sorted(TABLES) == sorted(name for names in MEASURED_BY.values() for name in names)


# ---------------------------------------------------------------- the libraries


def split(column):
    """Return the name of a column and the version of its library, if it states one."""
    name, _, version = column.rpartition(" ")
    return (name, version) if name and version[0].isdigit() else (column, "")


def library_of(column, libraries):
    """
    Return the library of a column, or skip: it is missing, or the page states something else.

    libraries has a function for each name of a column, which imports it.
    """
    name, version = split(column)
    if name != "fastrelu" and not ON_X86_64:
        pytest.skip("measured on x86-64")
    if version and "avx512" not in fastrelu.implementations:
        pytest.skip("measured on x86-64 with AVX-512")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = libraries[name]()
    if version and not f"{library.version}.".startswith(f"{version}."):
        pytest.skip(f"the table is of {column}, and here is {library.version}")
    return library


def jax_on_cpu(function):
    """Return a function of arrays for JAX to compute on the CPU, with 64-bit types."""
    import jax

    jax.config.update("jax_cpu_enable_async_dispatch", False)  # for tests of callbacks after it

    @functools.wraps(function)
    def call(*arrays):
        with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
            return function(*map(jax.numpy.asarray, arrays))

    return call


def onnx_model(operator, inputs, opset, **attributes):
    """Return a model of one operator, which names its inputs "0", "1" and so on."""
    import onnx

    element = onnx.helper.np_dtype_to_tensor_dtype(inputs[0].dtype)
    names = [str(i) for i in range(len(inputs))]
    given = [
        onnx.helper.make_tensor_value_info(name, element, x.shape)
        for name, x in zip(names, inputs, strict=True)
    ]
    result = onnx.helper.make_tensor_value_info("y", element, inputs[0].shape)
    node = onnx.helper.make_node(operator, names, ["y"], **attributes)
    return onnx.helper.make_model(
        onnx.helper.make_graph([node], operator, given, [result]),
        opset_imports=[onnx.helper.make_opsetid("", opset)],
        ir_version=8,
    )


# ---------------------------------------------------------------- the values


NANS = {  # quiet and signalling, of both signs, with a payload
    "bfloat16": (0x7FC3, 0xFFC3, 0x7F83, 0xFF83),
    "float16": (0x7E03, 0xFE03, 0x7C03, 0xFC03),
    "float32": (0x7FC00003, 0xFFC00003, 0x7F800003, 0xFF800003),
    "float64": (
        0x7FF8000000000003,
        0xFFF8000000000003,
        0x7FF0000000000003,
        0xFFF0000000000003,
    ),
}


def dtype_of(name):
    """Return the dtype of that name, which may be one of ml_dtypes."""
    if name in ("bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4"):
        return np.dtype(getattr(pytest.importorskip("ml_dtypes"), name))
    return np.dtype(name)


def of_bits(dtype, *patterns):
    return np.array(patterns, f"u{dtype.itemsize}").view(dtype)


def nan(dtype):
    return of_bits(dtype, *NANS[dtype.name])


def nan_or_infinity(dtype):
    return np.concatenate([nan(dtype), np.array([np.inf, -np.inf], dtype)])


def values(*given):
    return lambda dtype: np.array(given).astype(dtype)


SIGNALLING = of_bits(np.dtype("f4"), 0x7F800003)[0]


# ---------------------------------------------------------------- what is measured, in words


def word_of(element, unchanged):
    """Say what an element of a result is."""
    if element == 0:
        return "-0.0" if np.signbit(np.real(element)) else "0.0"
    if element.tobytes() == unchanged.tobytes():
        return "same"
    return "NaN" if element != element else str(element)


def words_of(results):
    """Say what the elements of results are: pairs of an array and of what it should be full of."""
    with np.errstate(all="ignore"):
        found = {word_of(element, unchanged) for y, unchanged in results for element in y}
    if "NaN" in found:
        found.discard("same")
    return " or ".join(sorted(found))


def errors_reported(function, *operands, **options):
    """Say of which floating-point errors a call warns, with two threads."""
    with warnings.catch_warnings(record=True) as caught, fastrelu.num_threads(2):
        warnings.simplefilter("always")
        function(*operands, **options)
    return " or ".join(sorted({str(w.message).split(" encountered")[0] for w in caught})) or "none"
