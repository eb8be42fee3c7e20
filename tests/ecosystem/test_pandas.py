"""pandas: type, index, names, dtypes and missing values are as under np.maximum(0, x)."""

import numpy as np
import pytest

import fastrelu
from fastrelu import reference

pd = pytest.importorskip("pandas")

pytestmark = pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is no ufunc")

FLOATS = [-2.5, -0.0, 0.0, 1.5, np.nan, -np.inf, np.inf, 3]
INTEGERS = [-128, -1, 0, 1, 127, -3, 4, 0]
LABELS = pd.Index(list("stuvwxyz"), name="label")
PAIRS = pd.MultiIndex.from_product([[1, 2], list("abcd")], names=["number", "letter"])
HOURS = pd.date_range("2020-01-01", periods=8, freq="h")


def series(values, dtype=None, index=LABELS):
    return pd.Series(values, index, dtype, name="x")


def nullable(values, dtype):
    return pd.array([pd.NA, *values[1:]], dtype=dtype)


SERIES = {
    "float16": series(FLOATS, "f2"),
    "float32": series(FLOATS, "f4"),
    "float64": series(FLOATS, "f8"),
    "int8": series(INTEGERS, "i1"),
    "uint16": series(np.abs(INTEGERS), "u2"),
    "int64": series(INTEGERS, "i8"),
    "bool": series(np.array(INTEGERS) > 0),
    "timedelta": series(pd.to_timedelta(INTEGERS, unit="s")),
    "object": series([-1, 2.5, True, 10**30, -(10**30), 0, 1, 2], object),
    "multi_index": series(FLOATS, "f4", PAIRS),
    "hours": series(FLOATS, "f4", HOURS),
    "doubled_labels": series(FLOATS, "f4", list("aabbccdd")),
    "strided": series(FLOATS, "f4")[::-2],
    "empty": series(FLOATS, "f4")[:0],
    "Int8": series(nullable(INTEGERS, "Int8")),
    "Int64": series(nullable(INTEGERS, "Int64")),
    "Int64_without_na": series(INTEGERS, "Int64"),
    "Float32": series(nullable(FLOATS[:4] * 2, "Float32")),
    "Float64": series(nullable(FLOATS[:4] * 2, "Float64")),
    "boolean": series(nullable([True, False] * 4, "boolean")),
}
INDEXES = {
    "int64": pd.Index(INTEGERS, name="i"),
    "float32": pd.Index(FLOATS, dtype="f4", name="i"),
    "range": pd.RangeIndex(-3, 5, name="i"),
    "timedelta": pd.to_timedelta(INTEGERS, unit="s"),
    "Int64": pd.Index(nullable(INTEGERS, "Int64"), name="i"),
}
EXTENSIONS = {name: SERIES[name].array for name in ("Int8", "Int64", "Float64", "boolean")}


def mixed(*names):
    return pd.DataFrame({name: SERIES[name] for name in names})


FRAMES = {
    "float32": pd.DataFrame({"a": SERIES["float32"], "b": SERIES["float32"][::-1].array}),
    "int8": pd.DataFrame({"a": SERIES["int8"], 3: SERIES["int8"][::-1].array}),
    "columns_of_two_levels": pd.DataFrame(np.reshape(FLOATS, (1, 8)), columns=PAIRS),
    "rows_cut": pd.DataFrame(np.tile(FLOATS, (4, 1))).iloc[::2, 1:4],
    "empty": pd.DataFrame({"a": SERIES["float32"]}).iloc[:0],
    "mixed_numbers": mixed("float32", "int8", "float64", "uint16", "float16"),
    "mixed_with_bool": mixed("float32", "bool"),
    "mixed_with_timedelta": mixed("int64", "timedelta"),
    "mixed_with_nullable": mixed("float32", "Int8", "Float64", "boolean"),
}


def maximum(*operands, **keywords):
    """Return np.maximum without its warnings of NaN."""
    with np.errstate(invalid="ignore"):
        return np.maximum(*operands, **keywords)


def assert_same(ours, theirs):
    assert type(ours) is type(theirs)
    if isinstance(theirs, pd.DataFrame):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True, check_flags=True)
    elif isinstance(theirs, pd.Series):
        pd.testing.assert_series_equal(ours, theirs, check_exact=True, check_flags=True)
    elif isinstance(theirs, pd.Index):
        pd.testing.assert_index_equal(ours, theirs, exact=True, check_exact=True)
    elif isinstance(theirs, np.ndarray):
        np.testing.assert_array_equal(ours, theirs, strict=True)
    else:
        pd.testing.assert_extension_array_equal(ours, theirs, check_exact=True)


def cases(**groups):
    return [
        pytest.param(container, id=f"{kind}-{name}")
        for kind, group in groups.items()
        for name, container in group.items()
    ]


@pytest.mark.parametrize("x", cases(series=SERIES, index=INDEXES, array=EXTENSIONS))
def test_forward_is_maximum(x):
    before = x.copy()
    assert_same(fastrelu.relu(x), maximum(0, x))
    assert_same(x, before)


@pytest.mark.parametrize("x", cases(frame=FRAMES))
def test_forward_is_maximum_of_each_column(x):
    expected = pd.concat([maximum(0, column) for _, column in x.items()], axis=1)
    expected.columns = x.columns
    assert_same(fastrelu.relu(x), expected)


@pytest.mark.parametrize("name", ["float32", "int8", "mixed_numbers", "rows_cut", "empty"])
def test_maximum_of_a_frame_has_one_dtype(name):
    x = FRAMES[name]
    expected = maximum(0, x)
    assert set(expected.dtypes) <= {np.dtype("f8"), np.dtype("i8")}
    pd.testing.assert_frame_equal(fastrelu.relu(x), expected, check_dtype=False)


def test_text_is_refused_as_by_maximum():
    x = pd.DataFrame({"a": SERIES["float32"], "b": list("stuvwxyz")})
    for ufunc in fastrelu.relu, lambda x: np.maximum(0, x):
        with pytest.raises(TypeError, match="not supported between instances of"):
            ufunc(x)


def test_categories_are_refused_as_by_maximum():
    x = pd.Series(INTEGERS, dtype="category")
    for call in (
        lambda: fastrelu.relu(x),
        lambda: fastrelu.relu_backward(x, x),
        lambda: fastrelu.relu_derivative(x),
        lambda: np.maximum(0, x),
    ):
        with pytest.raises(TypeError, match="dtype category cannot perform the numpy op"):
            call()


def test_what_a_label_says_stays():
    class Labelled(pd.Series):
        _metadata = ("source",)

        @property
        def _constructor(self):
            return Labelled

    x = Labelled(FLOATS)
    x.attrs["unit"] = "m"
    assert type(fastrelu.relu(x)) is Labelled
    assert fastrelu.relu(x).attrs == np.maximum(0, x).attrs == {"unit": "m"}


def missing(x):
    """Return where a nullable dtype has no value; a NaN of NumPy is one."""
    nullable = isinstance(getattr(x, "dtype", None), pd.api.extensions.ExtensionDtype)
    return np.asarray(x.isna()) if nullable else np.zeros(np.shape(x), bool)


def numbers(x):
    return x.to_numpy("f8", na_value=1) if missing(x).any() else np.asarray(x, "f8")


def assert_gives(y, values, like):
    """Assert that y holds the values, and that all else of it is as in like."""
    assert type(y) is type(like)
    for axis, expected in zip(getattr(y, "axes", []), getattr(like, "axes", []), strict=True):
        pd.testing.assert_index_equal(axis, expected, exact=True)
    for field in ("dtype", "dtypes", "shape", "name", "names", "attrs"):
        assert np.all(getattr(y, field, None) == getattr(like, field, None)), field
    np.testing.assert_array_equal(missing(y), missing(like))
    np.testing.assert_array_equal(numbers(y)[~missing(y)], values[~missing(y)])


NUMBERS = [
    case
    for case in cases(series=SERIES, index=INDEXES, array=EXTENSIONS, frame=FRAMES)
    if not case.id.endswith(("timedelta", "object", "bool", "boolean", "mixed_with_nullable"))
]


@pytest.mark.parametrize("x", NUMBERS)
def test_backward_is_in_the_container_of_maximum(x):
    for grad in (x, np.arange(1, x.size + 1).reshape(x.shape), 3):
        passed = numbers(x) if grad is x else np.broadcast_to(np.asarray(grad, "f8"), x.shape)
        expected = reference.relu_backward(passed, numbers(x))
        assert_gives(fastrelu.relu_backward(grad, x), expected, maximum(grad, x))


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("x", NUMBERS)
def test_derivative_is_in_the_container_of_maximum(x, at_zero):
    expected = reference.relu_derivative(numbers(x), at_zero)
    assert_gives(fastrelu.relu_derivative(x, at_zero), expected, maximum(1, x))


def test_derivative_by_column_keeps_each_dtype():
    x = FRAMES["mixed_numbers"]
    assert x.apply(fastrelu.relu_derivative).dtypes.equals(x.dtypes)


@pytest.mark.parametrize("name", ["mixed_with_bool", "mixed_with_timedelta", "mixed_with_nullable"])
def test_columns_without_a_common_number_have_no_backward(name):
    x = FRAMES[name]
    for call in (lambda: fastrelu.relu_backward(x, x), lambda: fastrelu.relu_derivative(x)):
        with pytest.raises(TypeError, match="'relu_backward' not supported for the input types"):
            call()


def test_labels_are_aligned_as_for_maximum():
    grad = pd.Series([1.0, 2, 3], ["b", "a", "d"])
    x = pd.Series([-1.0, 2, 3], ["a", "b", "c"])
    y, expected = fastrelu.relu_backward(grad, x), np.maximum(grad, x)
    pd.testing.assert_index_equal(y.index, expected.index)
    pd.testing.assert_series_equal(y, pd.Series([0, 1, np.nan, 3], list("abcd")))


def test_a_frame_and_a_series_are_refused_as_by_maximum():
    x = FRAMES["float32"]
    for ufunc in fastrelu.relu_backward, np.maximum:
        with pytest.raises(NotImplementedError, match="mixed DataFrame and Series"):
            ufunc(x, x["a"])


OUTPUTS = {
    "series-array": (SERIES["float32"], lambda: np.full(8, 7, "f4")),
    "series-wider": (SERIES["float32"], lambda: np.full(8, 7, "f8")),
    "series-series": (SERIES["float32"], lambda: series([7] * 8, "f4")),
    "array-series": (np.array(FLOATS, "f4"), lambda: series([7] * 8, "f4")),
    "frame-array": (FRAMES["float32"], lambda: np.full((8, 2), 7, "f4")),
    "frame-frame": (FRAMES["float32"], lambda: FRAMES["float32"] * 0 + 7),
    "mixed-array": (FRAMES["mixed_numbers"], lambda: np.full((8, 5), 7, "f8")),
    "index-array": (INDEXES["float32"], lambda: np.full(8, 7, "f4")),
    "Int64-array": (SERIES["Int64_without_na"].array, lambda: np.full(8, 7, "i8")),
    "Int64-Int64": (SERIES["Int64"].array, lambda: nullable([7] * 8, "Int64")),
}


@pytest.mark.parametrize("case", OUTPUTS)
def test_out_is_that_of_maximum(case):
    x, output = OUTPUTS[case]
    ours, theirs = output(), output()
    y, expected = fastrelu.relu(x, out=ours), maximum(0, x, out=theirs)
    assert_same(y, expected)
    assert_same(ours, theirs)


def test_an_index_takes_no_results():
    x = INDEXES["int64"]
    for ufunc in fastrelu.relu, fastrelu.relu_backward, np.maximum:
        with pytest.raises(TypeError, match="Index does not support mutable operations"):
            ufunc(*[x] * ufunc.nin, out=x)


@pytest.mark.parametrize("fill", [0, -1.0, 2.5, np.nan])
def test_sparse_stays_sparse(fill):
    x = pd.arrays.SparseArray([fill, -1, 2, fill, 0, fill], fill_value=fill)
    y = fastrelu.relu(x)
    assert type(y) is pd.arrays.SparseArray
    np.testing.assert_array_equal(y.fill_value, fastrelu.relu(fill))
    np.testing.assert_array_equal(np.asarray(y), np.asarray(maximum(0, x)))
    assert y.sp_index.npoints == x.sp_index.npoints
    y = fastrelu.relu_backward(x, x)
    assert type(y) is pd.arrays.SparseArray
    np.testing.assert_array_equal(np.asarray(y), reference.relu_backward(*[np.asarray(x)] * 2))


@pytest.mark.parametrize("x", [case for case in NUMBERS if "Int" not in case.id])
def test_the_functions_with_masks_give_arrays(x):
    y, mask = fastrelu.relu_with_mask(x)
    assert type(y) is np.ndarray
    np.testing.assert_array_equal(y, maximum(0, np.asarray(x)), strict=True)
    grad = fastrelu.relu_backward_from_mask(x, mask)
    expected = reference.relu_backward(np.asarray(x), np.asarray(x))
    np.testing.assert_array_equal(grad, expected, strict=True)


@pytest.mark.parametrize("name", ["Int64", "Float32", "Float64"])
def test_a_missing_number_is_nan_with_a_mask(name):
    y, mask = fastrelu.relu_with_mask(SERIES[name])
    assert y.dtype == np.asarray(SERIES[name]).dtype
    assert np.isnan(y[0])
    assert mask[0] & 1


@pytest.mark.parametrize("x", [SERIES["boolean"], FRAMES["mixed_with_nullable"]], ids=["1d", "2d"])
def test_objects_have_no_mask(x):
    with pytest.raises(TypeError, match="x must hold integers or real floats, not object"):
        fastrelu.relu_with_mask(x)
    with pytest.raises(TypeError, match="grad must hold integers or real floats, not object"):
        fastrelu.relu_backward_from_mask(x, np.ones(-(-x.size // 8), "u1"))
