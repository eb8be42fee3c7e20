"""The table of docs/containers.md: each cell is measured, where its library is installed."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

import fastrelu

PAGE = Path(__file__).parents[2] / "docs" / "containers.md"
if not PAGE.exists():
    pytest.skip("docs/containers.md is not beside these tests", allow_module_level=True)

pytestmark = [
    pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is no ufunc"),
    pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning"),
]

VALUES = np.array([-2.5, -0.0, 1.5, 3.0])
MASK = np.array([0b1100], np.uint8)


class Decided:
    def __truediv__(self, count):  # np.mean divides the sum
        return self


DECIDED = Decided()


class Deciding(np.ndarray):
    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        return DECIDED


def memory_map(numpy):
    with tempfile.TemporaryFile() as file:
        array = numpy.memmap(file, VALUES.dtype, "w+", shape=VALUES.shape)
    array[:] = VALUES
    return array


# The module that a row needs, and what makes its containers.
ROWS = {
    "`np.ma.MaskedArray`": ("numpy", lambda np: [np.ma.array(VALUES, mask=VALUES > 2)]),
    "`np.memmap`": ("numpy", lambda np: [memory_map(np)]),
    "`np.matrix`": ("numpy", lambda np: [np.matrix(VALUES)]),
    "a subclass with `__array_ufunc__`": ("numpy", lambda np: [VALUES.view(Deciding)]),
    "pandas `Series`, `Index`": ("pandas", lambda pd: [pd.Series(VALUES), pd.Index(VALUES)]),
    "pandas `DataFrame`": ("pandas", lambda pd: [pd.DataFrame({"a": VALUES})]),
    "pandas array of `Float64`": ("pandas", lambda pd: [pd.array([-1, None, 3, 4], "Float64")]),
    "pandas array of `Int64`": ("pandas", lambda pd: [pd.array([-1, None, 3, 4], "Int64")]),
    "pandas `SparseArray`": ("pandas", lambda pd: [pd.arrays.SparseArray(VALUES)]),
    "xarray `DataArray`, `Variable`": (
        "xarray",
        lambda xr: [xr.DataArray(VALUES), xr.Variable("x", VALUES)],
    ),
    "xarray `Dataset`": ("xarray", lambda xr: [xr.Dataset({"a": ("x", VALUES)})]),
    "`dask.array`": ("dask.array", lambda da: [da.from_array(VALUES, chunks=2)]),
    "pydata/sparse `COO`": ("sparse", lambda sparse: [sparse.COO.from_numpy(VALUES[None])]),
    "pydata/sparse `GCXS`": ("sparse", lambda sparse: [sparse.GCXS.from_numpy(VALUES[None])]),
    "pydata/sparse `DOK`": ("sparse", lambda sparse: [sparse.DOK.from_numpy(VALUES[None])]),
    "`scipy.sparse` arrays": (
        "scipy.sparse",
        lambda sparse: [
            kind(VALUES[None]) for kind in (sparse.csr_array, sparse.csc_array, sparse.coo_array)
        ],
    ),
    "PyTorch tensor on the CPU": ("torch", lambda torch: [torch.from_numpy(VALUES)]),
    "JAX array on the CPU": (
        "jax",
        lambda jax: [jax.device_put(VALUES.astype("f4"), jax.devices("cpu")[0])],
    ),
    "list, tuple": ("numpy", lambda np: [VALUES.tolist(), tuple(VALUES.tolist())]),
    "number": ("numpy", lambda np: [2.5, -3]),
}

COLUMNS = {
    "`relu`": [fastrelu.relu],
    "gradient": [
        lambda x: fastrelu.relu_backward(x, x),
        fastrelu.relu_derivative,
    ],
    "sum": [
        lambda x: fastrelu.add_relu(x, x),
        lambda x: fastrelu.subtract_relu(x, x),
    ],
    "parameter": [
        lambda x: fastrelu.leaky_relu(x, 0.5),
        lambda x: fastrelu.leaky_relu_backward(x, x, 0.5),
        lambda x: fastrelu.clipped_relu(x, 0.5),
        lambda x: fastrelu.clipped_relu_backward(x, x, 0.5),
        lambda x: fastrelu.soft_threshold(x, 0.5),
        lambda x: fastrelu.soft_threshold_backward(x, x, 0.5),
    ],
    "mask": [
        lambda x: fastrelu.relu_with_mask(x)[0],
        lambda x: fastrelu.relu_backward_from_mask(x, MASK),
    ],
    "reduction": [fastrelu.relu_sum, fastrelu.relu_mean],
}


def word_of(function, x):
    """Say what a function returns for a container."""
    try:
        y = function(x)
    except (TypeError, ValueError, NotImplementedError):
        return "error"
    if y is DECIDED:
        return "custom"
    if type(y) is type(x):
        return "same"
    if type(y) is np.ndarray:
        return "ndarray"
    return "scalar" if isinstance(y, np.generic) else type(y).__name__


def table():
    """Return the cells of the table: from a row and a column to a word."""
    _, page = PAGE.read_text(encoding="utf-8").split("## What each gives\n\n")
    lines = page.partition("\n\n")[0].splitlines()
    header, _, *rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines
    ]
    return {
        (row[0], column): word
        for row in rows
        for column, word in zip(header[1:], row[1:], strict=True)
    }


TABLE = table()


def test_the_table_has_every_row_and_column():
    assert list(TABLE) == [(row, column) for row in ROWS for column in COLUMNS]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("row", ROWS)
def test_a_cell_is_what_is_measured(row, column):
    library, make = ROWS[row]
    containers = make(pytest.importorskip(library))
    words = {word_of(function, x) for function in COLUMNS[column] for x in containers}
    assert words == {TABLE[row, column]}
