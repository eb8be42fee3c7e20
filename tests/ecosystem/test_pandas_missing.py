"""The derivative of a missing number is missing, in every nullable type of pandas."""

import numpy as np
import pytest

import fastrelu

pd = pytest.importorskip("pandas")

pytestmark = pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is no ufunc")

MASKED = ["Float32", "Float64", "Int8", "Int64", "UInt8", "UInt64", "boolean"]
ARROW = [f"{name}[pyarrow]" for name in ("halffloat", "float", "double", "int8", "int64")]
ARROW += [f"{name}[pyarrow]" for name in ("uint8", "uint64", "bool")]

CONTAINERS = {
    "Series": lambda values, dtype: pd.Series(values, list("abcd")[: len(values)], dtype, "x"),
    "Index": lambda values, dtype: pd.Index(pd.array(values, dtype), name="x"),
    "array": pd.array,
}


def values_of(dtype):
    if dtype.startswith("bool"):
        return [True, False, None, True]
    return [5 if dtype.lower().startswith("uint") else -5, 0, None, 2]


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("kept", [4, 2, 0], ids=["missing", "complete", "empty"])
@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("dtype", [*MASKED, *ARROW])
def test_missing_stays_missing(dtype, container, kept, at_zero):
    if dtype in ARROW:
        pytest.importorskip("pyarrow")
    values = values_of(dtype)[:kept]
    x = container(values, dtype)
    before = x.copy()
    y = fastrelu.relu_derivative(x, at_zero)
    assert type(y) is type(fastrelu.relu(container(values_of(dtype)[:2], dtype)))
    expected = [pd.NA if v is None else at_zero if v == 0 else int(v > 0) for v in values]
    assert [v is pd.NA or v for v in y] == [v is pd.NA or v for v in expected]
    assert x.equals(before)
    if isinstance(x, pd.Series):
        assert y.name == "x"
        assert y.index.equals(x.index)


@pytest.mark.parametrize("dtype", [*MASKED, *ARROW])
def test_the_type_is_that_of_maximum(dtype):
    if dtype in ARROW:
        pytest.importorskip("pyarrow")
    for kept in 2, 4:
        if dtype == "bool[pyarrow]" and kept == 4:
            continue  # NumPy's maximum refuses it
        x = pd.Series(values_of(dtype)[:kept], dtype=dtype)
        for at_zero in 0, 1:
            assert fastrelu.relu_derivative(x, at_zero).dtype == np.maximum(1, x).dtype


@pytest.mark.parametrize("at_zero", [0, 1])
def test_all_missing(at_zero):
    pytest.importorskip("pyarrow")
    x = pd.Series([None, None], dtype="double[pyarrow]")
    assert fastrelu.relu_derivative(x, at_zero).isna().all()


@pytest.mark.parametrize("at_zero", [0, 1])
def test_no_warning_and_no_sign_of_zero(at_zero):
    pytest.importorskip("pyarrow")
    x = pd.Series([-0.0, 0.0, -np.inf, np.inf, 5e-324, None], dtype="double[pyarrow]")
    with np.errstate(all="raise"):
        y = fastrelu.relu_derivative(x, at_zero)
    assert y[:5].tolist() == [at_zero, at_zero, 0, 1, 1]
    assert not np.signbit(y.to_numpy("f8", na_value=1)).any()


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("kind", ["string", "timestamp", "duration", "decimal128"])
def test_what_is_no_number_is_refused(kind, at_zero):
    pa = pytest.importorskip("pyarrow")
    kinds = {"timestamp": ["s"], "duration": ["s"], "decimal128": [5]}
    dtype = pd.ArrowDtype(getattr(pa, kind)(*kinds.get(kind, [])))
    x = pd.Series(["a" if kind == "string" else 1, None], dtype=dtype)
    with pytest.raises(TypeError, match="'relu_backward' not supported for the input types"):
        fastrelu.relu_derivative(x, at_zero)
