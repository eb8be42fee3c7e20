"""A genuine ufunc: whatever np.maximum(0, x) takes and gives, refuses or keeps, so does relu(x)."""

import doctest
import pickle
import warnings
from collections import namedtuple
from itertools import product

import numpy as np
import pytest
from calls import (
    KEYWORDS,
    LAYOUTS,
    RARE_KEYWORDS,
    REAL,
    REFUSED,
    TAKEN,
    Tagged,
    out_like,
    result_dtype,
    smaller_out,
    values_of,
)
from helpers import OPERATIONS, UFUNCS, every_ufunc, failing, has_loop, oracle_of

import fastrelu
from fastrelu import reference

pytestmark = pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is no ufunc")

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


ALL_KEYWORDS = KEYWORDS | RARE_KEYWORDS


def assert_is_maximum(dtype, layout, all_keywords):
    """Assert that relu gives for all keywords, by name, what maximum gives."""

    def check(keywords):
        make_keywords = ALL_KEYWORDS[keywords]
        x = LAYOUTS[layout](values_of(dtype))
        ours = call(fastrelu.relu, (), x, make_keywords(x))
        theirs = call(np.maximum, (zero_for(x, make_keywords(x)),), x, make_keywords(x))
        assert_same(ours, theirs)

    asked = [keywords for keywords in all_keywords if is_about_x(dtype, layout, keywords)]
    assert failing(check, asked) == []


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TAKEN)
def test_every_call_is_that_of_maximum(dtype, layout):
    assert_is_maximum(dtype, layout, KEYWORDS)


@pytest.mark.parametrize("layout", ["c", "step_2", "zero_d"])
@pytest.mark.parametrize("dtype", TAKEN)
def test_a_rare_keyword_is_that_of_maximum(dtype, layout):
    assert_is_maximum(dtype, layout, RARE_KEYWORDS)


@pytest.mark.parametrize("layout", ["c", "zero_d", "empty_3d", "list"])
@pytest.mark.parametrize("dtype", REFUSED)
def test_what_maximum_refuses_is_refused(dtype, layout):
    assert_is_maximum(dtype, layout, ALL_KEYWORDS)


def test_the_cross_has_answers_and_errors():
    x = values_of("f")
    assert call(fastrelu.relu, (), x, {}).error is None
    assert call(fastrelu.relu, (), x, {"out": out_like(x, "i4")}).error is TypeError
    assert call(fastrelu.relu, (), x, {"out": smaller_out(x)}).error is ValueError


@every_ufunc
def test_is_a_ufunc(ufunc):
    assert type(ufunc) is np.ufunc


@pytest.mark.parametrize("name", UFUNCS)
def test_takes_its_inputs_and_gives_one_output(name):
    ufunc, nin = UFUNCS[name], OPERATIONS[name].inputs
    assert (ufunc.nin, ufunc.nout, ufunc.nargs, ufunc.signature) == (nin, 1, nin + 1, None)


@pytest.mark.parametrize("name", UFUNCS)
def test_bears_its_public_name(name):
    assert UFUNCS[name].__name__ == name
    assert repr(UFUNCS[name]) == f"<ufunc '{name}'>"


@pytest.mark.parametrize("name", UFUNCS)
@pytest.mark.skipif(not hasattr(np.add, "__qualname__"), reason="NumPy 2.2 made these settable")
def test_says_where_it_lives(name):
    assert (UFUNCS[name].__module__, UFUNCS[name].__qualname__) == ("fastrelu", name)


@pytest.mark.parametrize("name", UFUNCS)
def test_has_a_loop_for_every_type_with_a_kernel(name):
    ufunc = UFUNCS[name]
    expected = [f"{char * ufunc.nin}->{char}" for char in OPERATIONS[name].types]
    assert [loop for loop in ufunc.types if loop in expected] == expected


def test_relu_has_a_loop_for_every_type():
    integers_and_floats = [f"{t}->{t}" for t in "bBhHiIlLqQefdgFDGmO"]
    assert fastrelu.relu.types == integers_and_floats


def test_relu_backward_has_a_loop_for_every_real_type():
    assert fastrelu.relu_backward.types == [f"{t}{t}->{t}" for t in "bBhHiIlLqQefdg"]


@pytest.mark.parametrize("name", UFUNCS)
def test_has_the_docstring_of_the_reference(name):
    assert getattr(reference, name).__doc__ in UFUNCS[name].__doc__


DOCUMENTED = [
    *OPERATIONS,
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


@every_ufunc
def test_too_few_arguments(ufunc):
    with pytest.raises(TypeError, match="takes from"):
        ufunc(*[np.ones(3)] * (ufunc.nin - 1))


@every_ufunc
def test_too_many_arguments(ufunc):
    with pytest.raises(TypeError, match="takes from"):
        ufunc(*[np.ones(3)] * (ufunc.nin + 2))


@every_ufunc
def test_unknown_keyword(ufunc):
    with pytest.raises(TypeError, match="unexpected keyword argument 'alpha'"):
        ufunc(*[np.ones(3)] * ufunc.nin, alpha=1)


@every_ufunc
@pytest.mark.parametrize("n", [3, 4096])
def test_read_only_out_is_named_and_kept(ufunc, n):
    out = np.full(n, 7.0)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        ufunc(*[np.ones(n)] * ufunc.nin, out)
    assert (out == 7).all()


@every_ufunc
@pytest.mark.parametrize("shape", [(2,), (4,), (3, 1), ()])
def test_out_of_another_shape_is_refused_and_kept(ufunc, shape):
    out = np.full(shape, 7.0)
    with pytest.raises(ValueError, match="broadcast"):
        ufunc(*[np.ones((2, 3))] * ufunc.nin, out=out)
    assert (out == 7).all()


@every_ufunc
@pytest.mark.parametrize("out", [[1.0], 1.0, "out"])
def test_out_that_is_no_array_is_refused(ufunc, out):
    with pytest.raises(TypeError, match="array"):
        ufunc(*[np.ones(1)] * ufunc.nin, out=out)


@every_ufunc
@pytest.mark.parametrize("n", [1, 3, 4096])
def test_a_new_output_owns_its_data(ufunc, n):
    for dtype in [dtype for dtype in "bdg" if has_loop(ufunc, dtype)]:
        x = np.ones((2, n), dtype)
        y = ufunc(*[x] * ufunc.nin)
        assert y.base is None
        assert y.flags.owndata
        assert y.flags.writeable
        assert not np.may_share_memory(x, y)


@every_ufunc
def test_fortran_order_is_kept(ufunc):
    y = ufunc(*[np.ones((3, 5), order="F")] * ufunc.nin)
    assert y.flags.f_contiguous
    assert not y.flags.c_contiguous


@every_ufunc
@pytest.mark.parametrize("layout", ["c", "fortran", "step_2", "column_block"])
def test_a_given_out_is_returned(ufunc, layout):
    x = LAYOUTS[layout](np.arange(-8, 8, dtype="f"))
    out = np.empty(x.shape, "f")
    assert ufunc(*[x] * ufunc.nin, out) is out
    assert ufunc(*[x] * ufunc.nin, out=out) is out
    assert ufunc(*[x] * ufunc.nin, out=(out,)) is out


@every_ufunc
def test_a_scalar_comes_out_of_no_dimensions(ufunc):
    y = ufunc(*[np.float32(2)] * ufunc.nin)
    assert type(y) is np.float32
    assert type(ufunc(*[np.array(2, "f")] * ufunc.nin)) is np.float32


@every_ufunc
def test_ellipsis_as_out_gives_an_array(ufunc):
    if np.lib.NumpyVersion(np.__version__) < "2.3.0":
        pytest.skip("since NumPy 2.3")
    y = ufunc(*[np.array(2, "f")] * ufunc.nin, out=...)
    assert (type(y), y.shape, y.dtype) == (np.ndarray, (), np.float32)


class Recorder:
    """Takes over every ufunc that it meets, and returns what it was asked."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return ufunc, method, inputs, kwargs


@every_ufunc
def test_an_input_takes_over(ufunc):
    recorder = Recorder()
    inputs = (*[np.ones(2)] * (ufunc.nin - 1), recorder)
    assert ufunc(*inputs, where=True, dtype="f4") == (
        ufunc,
        "__call__",
        inputs,
        {"where": True, "dtype": "f4"},
    )


@every_ufunc
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


@every_ufunc
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


@every_ufunc
def test_a_subclass_takes_over(ufunc):
    before, x = Overriding.calls, np.array([-1.0, 2.0])
    y = ufunc(*[x.view(Overriding)] * ufunc.nin)
    assert type(y) is Overriding
    np.testing.assert_array_equal(np.asarray(y), oracle_of(ufunc.__name__)(*[x] * ufunc.nin))
    assert Overriding.calls == before + 1


class Wrapping(np.ndarray):
    """A subclass that sees its results before anyone else."""

    def __array_wrap__(self, array, context=None, return_scalar=False):
        wrapped = array.view(Wrapping)
        wrapped.context = context
        wrapped.return_scalar = return_scalar
        return wrapped


@every_ufunc
@pytest.mark.parametrize("shape", [(), (2,)])
def test_a_subclass_wraps_the_result(ufunc, shape):
    x = np.full(shape, -1.0).view(Wrapping)
    y = ufunc(*[x] * ufunc.nin)
    assert type(y) is Wrapping
    assert y.context[0] is ufunc
    assert all(a is x for a in y.context[1])
    assert y.return_scalar == (shape == ())
    np.testing.assert_array_equal(y, oracle_of(ufunc.__name__)(*[np.asarray(x)] * ufunc.nin))


class Container:
    """Not an array: offers one, and wraps what is made of it."""

    def __array__(self, dtype=None, copy=None):
        return np.array([-1.0, 2.0], dtype)

    def __array_wrap__(self, array, context=None, return_scalar=False):
        return "wrapped", array.tolist()


@every_ufunc
def test_a_container_wraps_the_result(ufunc):
    expected = oracle_of(ufunc.__name__)(*[np.asarray(Container())] * ufunc.nin)
    assert ufunc(*[Container()] * ufunc.nin) == ("wrapped", expected.tolist())


@every_ufunc
def test_subok_false_gives_a_plain_array(ufunc):
    x = np.ones(3).view(Tagged)
    assert type(ufunc(*[x] * ufunc.nin, subok=False)) is np.ndarray
    assert type(ufunc(*[x] * ufunc.nin)) is Tagged


@every_ufunc
@pytest.mark.parametrize("size", [5, 10_000])
def test_a_subclass_as_out_is_returned_as_it_is(ufunc, size):
    out = np.empty(size).view(Tagged)
    out.tag = "mine"
    assert ufunc(*[np.ones(size)] * ufunc.nin, out=out) is out
    assert out.tag == "mine"


@every_ufunc
def test_memmap_stays_one(ufunc, tmp_path):
    x = np.memmap(tmp_path / "x", "f4", "w+", shape=(8,))
    x[:] = np.arange(-4, 4)
    out = np.memmap(tmp_path / "out", "f4", "w+", shape=(8,))
    assert ufunc(*[x] * ufunc.nin, out) is out
    out.flush()
    expected = oracle_of(ufunc.__name__)(*[np.asarray(x)] * ufunc.nin)
    np.testing.assert_array_equal(np.fromfile(tmp_path / "out", "f4"), expected)


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


@every_ufunc
def test_other_descriptors_of_the_same_type(ufunc):
    def check(case):
        descriptor, dtype = case
        x = values_of(dtype)
        odd = np.empty(x.shape, OTHER_DESCRIPTORS[descriptor](dtype))
        odd[:] = x
        with np.errstate(all="ignore"):
            expected = ufunc(*[x] * ufunc.nin)
            results = (
                ufunc(*[odd] * ufunc.nin),
                ufunc(*[x] * ufunc.nin, out=np.empty_like(odd)),
                ufunc(*[odd] * ufunc.nin, out=odd),
            )
        assert results[0].dtype == expected.dtype
        assert results[0].dtype.isnative
        for y in results:
            np.testing.assert_array_equal(y, expected)

    dtypes = [dtype for dtype in "bQefdg" if has_loop(ufunc, dtype)]
    assert failing(check, product(OTHER_DESCRIPTORS, dtypes)) == []


OF_TWO_INPUTS = [name for name, operation in OPERATIONS.items() if operation.inputs == 2]


def assert_is_the_reference(name, inputs):
    with np.errstate(all="ignore"):
        ours = call(UFUNCS[name], inputs[:-1], inputs[-1], {})
        theirs = call(getattr(reference, name), inputs[:-1], inputs[-1], {})
    assert (ours.error, ours.kind, ours.shape, ours.dtype) == (
        theirs.error,
        theirs.kind,
        theirs.shape,
        theirs.dtype,
    )
    np.testing.assert_array_equal(ours.values, theirs.values)


@pytest.mark.parametrize("dtype", ["?", *REAL])
@pytest.mark.parametrize("name", OF_TWO_INPUTS)
def test_two_types_give_what_the_reference_gives(name, dtype):
    def check(other):
        assert_is_the_reference(name, (values_of(dtype), np.roll(values_of(other), 5)))

    assert failing(check, ["?", *REAL]) == []


@pytest.mark.parametrize("dtype", [*"FDGO", "m8[s]", *REFUSED])
@pytest.mark.parametrize("position", [0, 1])
def test_backward_takes_no_other_type(dtype, position):
    operands = [np.ones(16, "f4"), np.ones(16, "f4")]
    operands[position] = values_of(dtype)
    with pytest.raises(TypeError):
        fastrelu.relu_backward(*operands)


SHAPES = [(), (1,), (4,), (3, 1), (3, 4), (2, 1, 4), (0,), (2, 3, 4)]
NUMBERS = [2, -2, 0, 2.5, np.float32(3), np.float64(-1), np.int8(1), True]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", OF_TWO_INPUTS)
def test_shapes_broadcast_as_in_the_reference(name, shape):
    def check(other_shape):
        a = np.arange(1.0, np.prod(shape) + 1).reshape(shape)
        b = (np.arange(np.prod(other_shape)) % 3 - 1.0).reshape(other_shape)
        assert_is_the_reference(name, (a, b))

    assert failing(check, SHAPES) == []


def test_shapes_that_do_not_broadcast_are_named():
    with pytest.raises(ValueError, match=r"broadcast together with shapes \(3,\) \(2,\)"):
        fastrelu.relu_backward(np.ones(3), np.ones(2))


@pytest.mark.parametrize("dtype", ["?", *REAL])
@pytest.mark.parametrize("name", OF_TWO_INPUTS)
def test_a_number_beside_an_array_gives_what_the_reference_gives(name, dtype):
    def check(case):
        number, position = case
        inputs = [values_of(dtype), values_of(dtype)]
        inputs[position] = number
        assert_is_the_reference(name, tuple(inputs))

    assert failing(check, product(NUMBERS, [0, 1])) == []


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        (name, char)
        for name in OF_TWO_INPUTS
        for char in OPERATIONS[name].types
        if char not in "efd"
    ],
)
def test_an_integer_that_does_not_fit_the_array_is_refused(name, dtype):
    info = np.iinfo(dtype)
    ufunc, x = getattr(fastrelu, name), np.ones(9, dtype)
    for number in (info.min, info.max):
        assert ufunc(x, number).dtype == dtype
    for number in (info.min - 1, info.max + 1):
        with pytest.raises(OverflowError):
            ufunc(x, number)


@pytest.mark.parametrize("layout", ["c", "fortran", "step_2", "transposed_3d", "zero_d"])
@pytest.mark.parametrize("dtype", [*"bQefg"])
def test_backward_of_itself_is_maximum_of_itself(dtype, layout):
    def check(keywords):
        x = LAYOUTS[layout](np.arange(1, 17).astype(dtype))
        ours = call(fastrelu.relu_backward, (x,), x, KEYWORDS[keywords](x))
        theirs = call(np.maximum, (x,), x, KEYWORDS[keywords](x))
        assert_same(ours, theirs)

    assert failing(check, sorted(KEYWORDS.keys() - {"dtype_complex", "dtype_object"})) == []


def test_at_writes_only_where_it_is_told():
    x = np.array([-1.0, -2.0, -3.0, 4.0])
    fastrelu.relu.at(x, [0, 2, 2, 3])
    assert x.tolist() == [0, -2, 0, 4]


def test_backward_has_the_methods_of_a_binary_ufunc():
    grad, x = np.array([1.0, 2.0]), np.array([-1.0, 0.0, 3.0])
    assert fastrelu.relu_backward.outer(grad, x).tolist() == [[0, 0, 1], [0, 0, 2]]
    with pytest.raises(ValueError, match="reduc"):
        fastrelu.relu.reduce(x)
