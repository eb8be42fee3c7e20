"""A genuine ufunc: whatever np.maximum(0, x) takes and gives, refuses or keeps, so does relu(x)."""

import doctest
import pickle
import warnings
from collections import namedtuple
from itertools import product

import numpy as np
import pytest

import fastrelu
from fastrelu import reference

pytestmark = pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is no ufunc")

REALS = [-np.inf, -2.5, -1, -0.0, 0.0, 1, 2.5, np.inf, np.nan, -3, 4, -5, 6, 7, -8, 9]
COMPLEX = [complex(re, im) for re in (-1.5, 0.0, 2, np.nan) for im in (-2, 0, 3, np.nan)]
OBJECTS = [-3, 0, 5, -2.5, 2.5, True, 10**30, -(10**30), 1, -1, 2, -2, 3, -3, 4, -4]
INTEGERS = [0, 1, 2, 3, 126, 127, 255, 254, 128, 129, 5, 6, 7, 8, 9, 10]
VALUES = {
    "?": [True, False, True, True] * 4,
    **dict.fromkeys("efdg", REALS),
    **dict.fromkeys("FDG", COMPLEX),
    "m8[s]": np.array([-5, 0, 5, "NaT", -1, 1, 2**40, -(2**40)] * 2, "m8[s]"),
    "O": OBJECTS,
    "M8[s]": np.arange(16).astype("M8[s]"),
    "U3": [str(n) for n in range(-8, 8)],
    "S3": [str(n) for n in range(-8, 8)],
    "i4,f8": [(n, n) for n in range(-8, 8)],
    "V4": np.arange(16, dtype="i4").view("V4"),
    "T": [str(n) for n in range(-8, 8)],
}
TAKEN = [*"?bBhHiIlLqQefdgFDG", "m8[s]", "O"]
REFUSED = ["M8[s]", "U3", "S3", "i4,f8", "V4", "T"]


class Tagged(np.ndarray):
    """A subclass that hands a tag on to every array made from it."""

    tag = "none"

    def __array_finalize__(self, parent):
        self.tag = getattr(parent, "tag", "none")


def values_of(dtype):
    if dtype in VALUES:
        return np.array(VALUES[dtype], "T" if dtype == "T" else dtype)
    return np.array(INTEGERS, "u1").astype(dtype) << 8 * (np.dtype(dtype).itemsize - 1)


def ordered(dtype, order):
    """Return the dtype with its bytes in that order, if it has one."""
    return dtype if dtype.kind == "T" else dtype.newbyteorder(order)


def two_d(values):
    return values.reshape(4, 4)


def misaligned(values):
    if values.dtype.kind in "OT":
        return two_d(values)
    packed = np.zeros(values.size, [("pad", "V1"), ("x", values.dtype)])
    packed["x"] = values
    return packed["x"].reshape(4, 4)


def read_only(values):
    values.flags.writeable = False
    return two_d(values)


def tagged(values):
    array = two_d(values).view(Tagged)
    array.tag = "input"
    return array


LAYOUTS = {
    "c": two_d,
    "one_d": lambda values: values,
    "fortran": lambda values: np.asfortranarray(two_d(values)),
    "step_2": lambda values: values[::2],
    "negative_step": lambda values: values[::-1],
    "transposed_3d": lambda values: values.reshape(2, 4, 2).transpose(1, 2, 0),
    "column_block": lambda values: two_d(values)[:, 1:3],
    "stride_0": lambda values: np.broadcast_to(values, (3, 16)),
    "stride_0_columns": lambda values: np.broadcast_to(values[:, None], (16, 3)),
    "zero_d": lambda values: values[1:2].reshape(()),
    "empty": lambda values: values[:0],
    "empty_3d": lambda values: values[:0].reshape(0, 2, 3).transpose(2, 0, 1),
    "size_1_dims": lambda values: values.reshape(1, 4, 1, 4).transpose(3, 2, 1, 0),
    "misaligned": misaligned,
    "byte_swapped": lambda values: two_d(values.astype(ordered(values.dtype, "S"))),
    "read_only": read_only,
    "subclass": tagged,
    "numpy_scalar": lambda values: values[1],
    "python_scalar": lambda values: values[1:2].tolist()[0],
    "list": lambda values: two_d(values).tolist(),
}


def result_dtype(x):
    dtype = np.asanyarray(x).dtype
    return np.dtype(int) if dtype.kind == "b" else ordered(dtype, "=")


def filled(shape, dtype, order="C"):
    """Return an array of something that neither the input nor a result holds."""
    out = np.zeros(shape, dtype, order)
    dtype = out.dtype
    if dtype.kind == "T":
        out[...] = "77"
    elif dtype.kind in "biufcmMO":
        out[...] = np.array(77).astype(dtype)
    return out


def out_like(x, dtype=None, order="C"):
    return filled(np.shape(x), dtype or result_dtype(x), order)


def strided_out(x):
    return filled((*np.shape(x), 2), result_dtype(x))[..., 0]


def reversed_out(x):
    return out_like(x)[(..., *(slice(None, None, -1),) * np.ndim(x))]


def larger_out(x):
    return filled((2, *np.shape(x)), result_dtype(x))


def smaller_out(x):
    return filled((*np.shape(x), 7)[1:], result_dtype(x))


def wider_out(x):
    wider = {"u": "f8", "i": "f8", "f": "G", "c": "G", "m": "m8[ms]"}
    dtype = result_dtype(x)
    return out_like(x, wider.get(dtype.kind, dtype))


def narrower_out(x):
    narrower = {"u": "u1", "i": "i1", "f": "e", "c": "F", "m": "m8[h]"}
    dtype = result_dtype(x)
    return out_like(x, narrower.get(dtype.kind, dtype))


def other_kind_out(x):
    return out_like(x, "i4" if result_dtype(x).kind in "fcm" else "u2")


def swapped_out(x):
    return out_like(x, ordered(result_dtype(x), "S"))


def misaligned_out(x):
    dtype = result_dtype(x)
    return (
        out_like(x)
        if dtype.kind in "OT"
        else filled(np.shape(x), [("pad", "V1"), ("x", dtype)])["x"]
    )


def read_only_out(x):
    out = out_like(x)
    out.flags.writeable = False
    return out


def subclass_out(x):
    return out_like(x).view(Tagged)


def every_other(x):
    return np.arange(np.size(x)).reshape(np.shape(x)) % 2 == 0


# Each makes the keywords from x; "positional" is an output that goes without its name, and
# "types" a signature of that many inputs.
KEYWORDS = {
    "none": lambda x: {},
    "out": lambda x: {"out": out_like(x)},
    "positional": lambda x: {"positional": out_like(x)},
    "out_fortran": lambda x: {"out": out_like(x, order="F")},
    "out_strided": lambda x: {"out": strided_out(x)},
    "out_reversed": lambda x: {"out": reversed_out(x)},
    "out_larger": lambda x: {"out": larger_out(x)},
    "out_smaller": lambda x: {"out": smaller_out(x)},
    "out_wider": lambda x: {"out": wider_out(x)},
    "out_narrower": lambda x: {"out": narrower_out(x)},
    "out_narrower_unsafe": lambda x: {"out": narrower_out(x), "casting": "unsafe"},
    "out_other_kind": lambda x: {"out": other_kind_out(x)},
    "out_swapped": lambda x: {"out": swapped_out(x)},
    "out_misaligned": lambda x: {"out": misaligned_out(x)},
    "out_read_only": lambda x: {"out": read_only_out(x)},
    "out_subclass": lambda x: {"out": subclass_out(x)},
    "where": lambda x: {"out": out_like(x), "where": every_other(x)},
    "where_strided": lambda x: {"out": strided_out(x), "where": every_other(x)},
    "where_broadcast": lambda x: {
        "out": larger_out(x),
        "where": np.ones((2,) + (1,) * np.ndim(x), bool),
    },
    "where_with_dtype": lambda x: {"out": wider_out(x), "where": every_other(x), "dtype": "f8"},
    "order_c": lambda x: {"order": "C"},
    "order_f": lambda x: {"order": "F"},
    "order_a": lambda x: {"order": "A"},
    "subok_false": lambda x: {"subok": False},
    "casting_no": lambda x: {"casting": "no"},
    "casting_equiv": lambda x: {"casting": "equiv"},
    "casting_safe": lambda x: {"casting": "safe"},
    "casting_unsafe": lambda x: {"casting": "unsafe"},
    "dtype_same": lambda x: {"dtype": result_dtype(x)},
    "dtype_f4": lambda x: {"dtype": "f4"},
    "dtype_f8": lambda x: {"dtype": float},
    "dtype_f8_unsafe": lambda x: {"dtype": "f8", "casting": "unsafe"},
    "dtype_f8_equiv": lambda x: {"dtype": "f8", "casting": "equiv"},
    "dtype_i8_unsafe": lambda x: {"dtype": "i8", "casting": "unsafe"},
    "dtype_complex": lambda x: {"dtype": "D"},
    "dtype_object": lambda x: {"dtype": object},
    "signature_d": lambda x: {"types": "d"},
    "signature_f_unsafe": lambda x: {"types": "f", "casting": "unsafe"},
}
RARE_KEYWORDS = {
    "out_none": lambda x: {"out": None},
    "out_tuple_of_none": lambda x: {"out": (None,)},
    "out_tuple_of_two": lambda x: {"out": (out_like(x), out_like(x))},
    "out_list": lambda x: {"out": [out_like(x)]},
    "positional_none": lambda x: {"positional": None},
    "positional_and_out": lambda x: {"positional": out_like(x), "out": out_like(x)},
    "out_narrower_safe": lambda x: {"out": narrower_out(x), "casting": "safe"},
    "out_swapped_no": lambda x: {"out": swapped_out(x), "casting": "no"},
    "where_integers": lambda x: {"out": out_like(x), "where": every_other(x).astype(int)},
    "where_false": lambda x: {"out": out_like(x), "where": False},
    "order_bad": lambda x: {"order": "Z"},
    "subok_bad": lambda x: {"subok": 0},
    "casting_bad": lambda x: {"casting": "rough"},
    "dtype_none": lambda x: {"dtype": None},
    "dtype_bad": lambda x: {"dtype": "nonsense"},
    "dtype_datetime": lambda x: {"dtype": "M8[s]"},
    "signature_unknown": lambda x: {"types": "U"},
    "signature_and_dtype": lambda x: {"types": "d", "dtype": "d"},
    "unknown": lambda x: {"axes": 0},
    "dtype_i8_no": lambda x: {"dtype": "i8", "casting": "no"},
    "dtype_swapped": lambda x: {"dtype": ">f8"},
    "where_true": lambda x: {"where": True},
    "out_tuple": lambda x: {"out": (out_like(x),)},
    "dtype_of_out": lambda x: {"out": out_like(x, "f8"), "dtype": "f8"},
    "order_k": lambda x: {"order": "K"},
    "dtype_g": lambda x: {"dtype": "g"},
}

ERRORS = [TypeError, ValueError, ArithmeticError]
Outcome = namedtuple("Outcome", "error kind shape strides tag dtype values is_out out warned")


def is_ours(warning):
    return "positional arguments to np.maximum" not in str(warning.message)


def steps(y):
    """Return the strides that matter: those of more than one element."""
    if not isinstance(y, np.ndarray) or y.size == 0:
        return None
    return [step for step, length in zip(y.strides, y.shape, strict=True) if length > 1]


def zero_for(x, keywords):
    """Return the 0 for maximum: with a unit for times, typed where casting refuses an integer."""
    kind = result_dtype(x).kind
    strict = keywords.get("casting") in ("no", "equiv", "safe")
    times = kind == "m" and keywords.get("dtype") is not object
    typed = times or (strict and kind in "iufc")
    return np.zeros((), result_dtype(x))[()] if typed else 0


def call(ufunc, leading, x, keywords):
    """Return all that can be seen of a call: what it gives or raises, and what it writes."""
    keywords = dict(keywords)
    inputs = (*leading, x)
    positional = (keywords.pop("positional"),) if "positional" in keywords else ()
    if "types" in keywords:
        types = keywords.pop("types")
        keywords["signature"] = f"{types * len(inputs)}->{types}"
    out = keywords.get("out", positional[0] if positional else None)
    while isinstance(out, tuple | list):
        out = out[0]
    before = None if out is None else out.copy()
    error, y = None, None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            y = ufunc(*inputs, *positional, **keywords)
        except Exception as raised:
            error = next(kind for kind in ERRORS if isinstance(raised, kind))
            if out is not None:
                np.testing.assert_array_equal(out, before)
    return Outcome(
        error,
        type(y),
        np.shape(y),
        steps(y),
        getattr(y, "tag", None),
        getattr(y, "dtype", None),
        y,
        y is out,
        out,
        {warning.category for warning in caught if is_ours(warning)},
    )


def assert_equal(ours, theirs):
    if np.asanyarray(theirs).dtype.kind == "O":  # where a NaN is not even itself
        ours, theirs = ([a if a == a else "nan" for a in np.ravel(y)] for y in (ours, theirs))
        assert ours == theirs
    else:
        np.testing.assert_array_equal(ours, theirs)


def assert_same(ours, theirs):
    assert ours.error == theirs.error
    for field in ("kind", "shape", "strides", "tag", "dtype", "is_out"):
        assert getattr(ours, field) == getattr(theirs, field), field
    assert ours.warned | {RuntimeWarning} == theirs.warned | {RuntimeWarning}
    assert ours.warned <= theirs.warned  # it may be silent where a cast meets a NaN
    assert_equal(ours.values, theirs.values)
    assert_equal(ours.out, theirs.out)


def is_about_x(dtype, layout, keywords):
    """Tell whether the answer of maximum depends on x alone, and not on what becomes of its 0."""
    if dtype == "?":  # of 0 and False, as objects, maximum gives its own
        return keywords != "dtype_object"
    weak = dtype in ("F", "D") and layout == "python_scalar"  # a number beside a number is
    return not (weak and keywords.endswith("_unsafe"))


def cross(*axes):
    return [case for case in product(*axes) if is_about_x(*case)]


def assert_is_maximum(dtype, layout, make_keywords):
    x = LAYOUTS[layout](values_of(dtype))
    ours = call(fastrelu.relu, (), x, make_keywords(x))
    theirs = call(np.maximum, (zero_for(x, make_keywords(x)),), x, make_keywords(x))
    assert_same(ours, theirs)


@pytest.mark.parametrize(("dtype", "layout", "keywords"), cross(TAKEN, LAYOUTS, KEYWORDS))
def test_every_call_is_that_of_maximum(dtype, layout, keywords):
    assert_is_maximum(dtype, layout, KEYWORDS[keywords])


@pytest.mark.parametrize(
    ("dtype", "layout", "keywords"), cross(TAKEN, ["c", "step_2", "zero_d"], RARE_KEYWORDS)
)
def test_a_rare_keyword_is_that_of_maximum(dtype, layout, keywords):
    assert_is_maximum(dtype, layout, RARE_KEYWORDS[keywords])


@pytest.mark.parametrize(
    ("dtype", "layout", "keywords"),
    cross(REFUSED, ["c", "zero_d", "empty_3d", "list"], KEYWORDS | RARE_KEYWORDS),
)
def test_what_maximum_refuses_is_refused(dtype, layout, keywords):
    assert_is_maximum(dtype, layout, (KEYWORDS | RARE_KEYWORDS)[keywords])


def test_the_cross_has_answers_and_errors():
    x = values_of("f")
    assert call(fastrelu.relu, (), x, {}).error is None
    assert call(fastrelu.relu, (), x, {"out": out_like(x, "i4")}).error is TypeError
    assert call(fastrelu.relu, (), x, {"out": smaller_out(x)}).error is ValueError


UFUNCS = {"relu": fastrelu.relu, "relu_backward": fastrelu.relu_backward}
both = pytest.mark.parametrize("ufunc", UFUNCS.values(), ids=UFUNCS)


@both
def test_is_a_ufunc(ufunc):
    assert type(ufunc) is np.ufunc


@pytest.mark.parametrize(("name", "nin"), [("relu", 1), ("relu_backward", 2)])
def test_takes_its_inputs_and_gives_one_output(name, nin):
    ufunc = UFUNCS[name]
    assert (ufunc.nin, ufunc.nout, ufunc.nargs, ufunc.signature) == (nin, 1, nin + 1, None)


@pytest.mark.parametrize("name", UFUNCS)
def test_bears_its_public_name(name):
    assert UFUNCS[name].__name__ == name
    assert repr(UFUNCS[name]) == f"<ufunc '{name}'>"


@pytest.mark.parametrize("name", UFUNCS)
@pytest.mark.skipif(not hasattr(np.add, "__qualname__"), reason="NumPy 2.2 made these settable")
def test_says_where_it_lives(name):
    assert (UFUNCS[name].__module__, UFUNCS[name].__qualname__) == ("fastrelu", name)


def test_relu_has_a_loop_for_every_type():
    integers_and_floats = [f"{t}->{t}" for t in "bBhHiIlLqQefdgFDGmO"]
    assert fastrelu.relu.types == integers_and_floats


def test_relu_backward_has_a_loop_for_every_real_type():
    assert fastrelu.relu_backward.types == [f"{t}{t}->{t}" for t in "bBhHiIlLqQefdg"]


@pytest.mark.parametrize("name", UFUNCS)
def test_has_the_docstring_of_the_reference(name):
    assert getattr(reference, name).__doc__ in UFUNCS[name].__doc__


DOCUMENTED = [
    "relu",
    "relu_backward",
    "relu_derivative",
    "relu_with_mask",
    "relu_backward_from_mask",
    "show_config",
]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_examples_of_the_docstring_run(name):
    examples = doctest.DocTestParser().get_doctest(
        getattr(fastrelu, name).__doc__, {}, name, None, None
    )
    assert examples.examples
    report = []
    doctest.DocTestRunner(verbose=False).run(examples, out=report.append)
    assert report == []


@both
def test_too_few_arguments(ufunc):
    with pytest.raises(TypeError, match="takes from"):
        ufunc(*[np.ones(3)] * (ufunc.nin - 1))


@both
def test_too_many_arguments(ufunc):
    with pytest.raises(TypeError, match="takes from"):
        ufunc(*[np.ones(3)] * (ufunc.nin + 2))


@both
def test_unknown_keyword(ufunc):
    with pytest.raises(TypeError, match="unexpected keyword argument 'alpha'"):
        ufunc(*[np.ones(3)] * ufunc.nin, alpha=1)


@both
@pytest.mark.parametrize("n", [3, 4096])
def test_read_only_out_is_named_and_kept(ufunc, n):
    out = np.full(n, 7.0)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        ufunc(*[np.ones(n)] * ufunc.nin, out)
    assert (out == 7).all()


@both
@pytest.mark.parametrize("shape", [(2,), (4,), (3, 1), ()])
def test_out_of_another_shape_is_refused_and_kept(ufunc, shape):
    out = np.full(shape, 7.0)
    with pytest.raises(ValueError, match="broadcast"):
        ufunc(*[np.ones((2, 3))] * ufunc.nin, out=out)
    assert (out == 7).all()


@both
@pytest.mark.parametrize("out", [[1.0], 1.0, "out"])
def test_out_that_is_no_array_is_refused(ufunc, out):
    with pytest.raises(TypeError, match="array"):
        ufunc(*[np.ones(1)] * ufunc.nin, out=out)


@both
@pytest.mark.parametrize("dtype", ["b", "d", "g"])
@pytest.mark.parametrize("n", [1, 3, 4096])
def test_a_new_output_owns_its_data(ufunc, dtype, n):
    x = np.ones((2, n), dtype)
    y = ufunc(*[x] * ufunc.nin)
    assert y.base is None
    assert y.flags.owndata
    assert y.flags.writeable
    assert not np.may_share_memory(x, y)


@both
def test_fortran_order_is_kept(ufunc):
    y = ufunc(*[np.ones((3, 5), order="F")] * ufunc.nin)
    assert y.flags.f_contiguous
    assert not y.flags.c_contiguous


@both
@pytest.mark.parametrize("layout", ["c", "fortran", "step_2", "column_block"])
def test_a_given_out_is_returned(ufunc, layout):
    x = LAYOUTS[layout](values_of("f"))
    out = np.empty(x.shape, "f")
    assert ufunc(*[x] * ufunc.nin, out) is out
    assert ufunc(*[x] * ufunc.nin, out=out) is out
    assert ufunc(*[x] * ufunc.nin, out=(out,)) is out


@both
def test_a_scalar_comes_out_of_no_dimensions(ufunc):
    y = ufunc(*[np.float32(2)] * ufunc.nin)
    assert type(y) is np.float32
    assert type(ufunc(*[np.array(2, "f")] * ufunc.nin)) is np.float32


@both
def test_ellipsis_as_out_gives_an_array(ufunc):
    if np.lib.NumpyVersion(np.__version__) < "2.3.0":
        pytest.skip("since NumPy 2.3")
    y = ufunc(*[np.array(2, "f")] * ufunc.nin, out=...)
    assert (type(y), y.shape, y.dtype) == (np.ndarray, (), np.float32)


class Recorder:
    """Takes over every ufunc that it meets, and returns what it was asked."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return ufunc, method, inputs, kwargs


@both
def test_an_input_takes_over(ufunc):
    recorder = Recorder()
    inputs = (np.ones(2), recorder)[-ufunc.nin :]
    assert ufunc(*inputs, where=True, dtype="f4") == (
        ufunc,
        "__call__",
        inputs,
        {"where": True, "dtype": "f4"},
    )


@both
@pytest.mark.parametrize("path", ["positional", "out", "tuple"])
def test_an_output_takes_over(ufunc, path):
    recorder, x = Recorder(), np.ones(2)
    if path == "positional":
        answer = ufunc(*[x] * ufunc.nin, recorder)
    else:
        answer = ufunc(*[x] * ufunc.nin, out=recorder if path == "out" else (recorder,))
    assert (answer[0], answer[1], answer[3]["out"][0]) == (ufunc, "__call__", recorder)


class Refuser:
    __array_ufunc__ = None


@both
def test_an_input_may_refuse(ufunc):
    with pytest.raises(TypeError, match="does not support ufuncs"):
        ufunc(*[Refuser()] * ufunc.nin)


class Overriding(np.ndarray):
    """A subclass of the kind that computes on plain arrays and counts its calls."""

    calls = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        type(self).calls += 1
        plain = [np.asarray(a) for a in inputs]
        return getattr(ufunc, method)(*plain, **kwargs).view(type(self))


@both
def test_a_subclass_takes_over(ufunc):
    before = Overriding.calls
    y = ufunc(*[np.array([-1.0, 2.0]).view(Overriding)] * ufunc.nin)
    assert type(y) is Overriding
    assert y.tolist() == [0, 2]
    assert Overriding.calls == before + 1


class Wrapping(np.ndarray):
    """A subclass that sees its results before anyone else."""

    def __array_wrap__(self, array, context=None, return_scalar=False):
        wrapped = array.view(Wrapping)
        wrapped.context = context
        wrapped.return_scalar = return_scalar
        return wrapped


@both
@pytest.mark.parametrize("shape", [(), (2,)])
def test_a_subclass_wraps_the_result(ufunc, shape):
    x = np.full(shape, -1.0).view(Wrapping)
    y = ufunc(*[x] * ufunc.nin)
    assert type(y) is Wrapping
    assert y.context[0] is ufunc
    assert all(a is x for a in y.context[1])
    assert y.return_scalar == (shape == ())
    assert not y.any()


class Container:
    """Not an array: offers one, and wraps what is made of it."""

    def __array__(self, dtype=None, copy=None):
        return np.array([-1.0, 2.0], dtype)

    def __array_wrap__(self, array, context=None, return_scalar=False):
        return "wrapped", array.tolist()


@both
def test_a_container_wraps_the_result(ufunc):
    assert ufunc(*[Container()] * ufunc.nin) == ("wrapped", [0, 2])


@both
def test_subok_false_gives_a_plain_array(ufunc):
    x = np.ones(3).view(Tagged)
    assert type(ufunc(*[x] * ufunc.nin, subok=False)) is np.ndarray
    assert type(ufunc(*[x] * ufunc.nin)) is Tagged


@both
@pytest.mark.parametrize("size", [5, 10_000])
def test_a_subclass_as_out_is_returned_as_it_is(ufunc, size):
    out = np.empty(size).view(Tagged)
    out.tag = "mine"
    assert ufunc(*[np.ones(size)] * ufunc.nin, out=out) is out
    assert out.tag == "mine"


@both
def test_memmap_stays_one(ufunc, tmp_path):
    x = np.memmap(tmp_path / "x", "f4", "w+", shape=(8,))
    x[:] = np.arange(-4, 4)
    out = np.memmap(tmp_path / "out", "f4", "w+", shape=(8,))
    assert ufunc(*[x] * ufunc.nin, out) is out
    out.flush()
    assert np.fromfile(tmp_path / "out", "f4").tolist() == [0, 0, 0, 0, 0, 1, 2, 3]


def test_masked_arrays_keep_their_mask():
    y = fastrelu.relu(np.ma.array([-1.0, 2.0, -3.0], mask=[False, True, False]))
    assert type(y) is np.ma.MaskedArray
    assert y.mask.tolist() == [False, True, False]
    assert y.filled(9).tolist() == [0, 9, 0]


OTHER_DESCRIPTORS = {
    "copied": lambda dtype: np.dtype(dtype, copy=True),
    "unpickled": lambda dtype: pickle.loads(pickle.dumps(np.dtype(dtype))),
    "with_metadata": lambda dtype: np.dtype(dtype, metadata={"unit": "m"}),
    "from_a_field": lambda dtype: np.dtype([("a", dtype)])["a"],
    "byte_order_named": lambda dtype: np.dtype(dtype).newbyteorder("<").newbyteorder("="),
}


@both
@pytest.mark.parametrize("dtype", [*"bQefdg"])
@pytest.mark.parametrize("descriptor", OTHER_DESCRIPTORS)
def test_other_descriptors_of_the_same_type(ufunc, descriptor, dtype):
    other = OTHER_DESCRIPTORS[descriptor](dtype)
    x = values_of(dtype)
    odd = np.empty(x.shape, other)
    odd[:] = x
    expected = ufunc(*[x] * ufunc.nin)
    y = ufunc(*[odd] * ufunc.nin)
    assert y.dtype == expected.dtype
    assert y.dtype.isnative
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(ufunc(*[x] * ufunc.nin, out=np.empty_like(odd)), expected)
    np.testing.assert_array_equal(ufunc(*[odd] * ufunc.nin, out=odd), expected)


REAL = "bBhHiIlLqQefdg"


@pytest.mark.parametrize(("grad", "x"), list(product(REAL, REAL)))
def test_backward_of_mixed_types_is_the_reference(grad, x):
    grads, xs = np.arange(1, 17).astype(grad), values_of(x)
    y = fastrelu.relu_backward(grads, xs)
    expected = reference.relu_backward(grads, xs)
    assert y.dtype == expected.dtype
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("dtype", [*"FDGO", "m8[s]", *REFUSED])
@pytest.mark.parametrize("position", [0, 1])
def test_backward_takes_no_other_type(dtype, position):
    operands = [np.ones(16, "f4"), np.ones(16, "f4")]
    operands[position] = values_of(dtype)
    with pytest.raises(TypeError):
        fastrelu.relu_backward(*operands)


SHAPES = [(), (1,), (4,), (3, 1), (3, 4), (2, 1, 4), (0,), (2, 3, 4)]
NUMBERS = [2, -2, 0, 2.5, np.float32(3), np.float64(-1), np.int8(1), True]


@pytest.mark.parametrize(("grad_shape", "x_shape"), list(product(SHAPES, SHAPES)))
def test_backward_broadcasts_as_the_reference(grad_shape, x_shape):
    grad = np.arange(1.0, np.prod(grad_shape) + 1).reshape(grad_shape)
    x = (np.arange(np.prod(x_shape)) % 3 - 1.0).reshape(x_shape)
    try:
        expected = reference.relu_backward(grad, x)
    except ValueError:
        with pytest.raises(ValueError, match="broadcast"):
            fastrelu.relu_backward(grad, x)
        return
    y = fastrelu.relu_backward(grad, x)
    assert type(y) is type(expected)
    assert y.shape == expected.shape
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("position", [0, 1])
def test_backward_of_a_number_and_an_array_is_the_reference(number, dtype, position):
    operands = [values_of(dtype), number]
    if position == 0:
        operands.reverse()
    ours = call(fastrelu.relu_backward, operands[:1], operands[1], {})
    theirs = call(reference.relu_backward, operands[:1], operands[1], {})
    assert (ours.error, ours.dtype) == (theirs.error, theirs.dtype)
    np.testing.assert_array_equal(ours.values, theirs.values)


@pytest.mark.parametrize("keywords", sorted(KEYWORDS.keys() - {"dtype_complex", "dtype_object"}))
@pytest.mark.parametrize("layout", ["c", "fortran", "step_2", "transposed_3d", "zero_d"])
@pytest.mark.parametrize("dtype", [*"bQefg"])
def test_backward_of_itself_is_maximum_of_itself(dtype, layout, keywords):
    x = LAYOUTS[layout](np.arange(1, 17).astype(dtype))
    ours = call(fastrelu.relu_backward, (x,), x, KEYWORDS[keywords](x))
    theirs = call(np.maximum, (x,), x, KEYWORDS[keywords](x))
    assert_same(ours, theirs)


def test_at_writes_only_where_it_is_told():
    x = np.array([-1.0, -2.0, -3.0, 4.0])
    fastrelu.relu.at(x, [0, 2, 2, 3])
    assert x.tolist() == [0, -2, 0, 4]


def test_backward_has_the_methods_of_a_binary_ufunc():
    grad, x = np.array([1.0, 2.0]), np.array([-1.0, 0.0, 3.0])
    assert fastrelu.relu_backward.outer(grad, x).tolist() == [[0, 0, 1], [0, 0, 2]]
    with pytest.raises(ValueError, match="reduc"):
        fastrelu.relu.reduce(x)
