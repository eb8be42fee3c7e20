"""The reference says what every function means: as fallback it answers as the ufuncs do."""

import ast
import contextlib
import doctest
import inspect
import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest
from calls import KEYWORDS, LAYOUTS, RARE_KEYWORDS, REFUSED, TAKEN, values_of
from helpers import OPERATIONS, failing, has_loop

import fastrelu
from fastrelu import reference

compiled = pytest.mark.skipif(fastrelu.isa == "python", reason="there is nothing to compare with")

# The others are not taken, or in another way: so is the casting of a Python number.
OTHERS = ("positional", "signature", "out_tuple_of", "subok_bad", "dtype_swapped", "dtype_same")
ALL_KEYWORDS = {
    name: make for name, make in (KEYWORDS | RARE_KEYWORDS).items() if not name.startswith(OTHERS)
}
CROSS = list(itertools.product([name for name in LAYOUTS if name != "python_scalar"], ALL_KEYWORDS))


def call(function, inputs, keywords):
    """Return the kind of error, the result, and the output that was given, unwrapped."""
    out = keywords.get("out")
    out = out[0] if isinstance(out, tuple) else out
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return None, function(*inputs, **keywords), out
    except (TypeError, ValueError, ArithmeticError) as error:
        kinds = (TypeError, ValueError, ArithmeticError)
        return next(kind for kind in kinds if isinstance(error, kind)), None, out


def steps(y, x):
    """Return the strides that matter: those of more than one element; not of a repeated x."""
    if not isinstance(y, np.ndarray) or y.size == 0 or 0 in getattr(x, "strides", ()):
        return None
    return [step for step, length in zip(y.strides, y.shape, strict=True) if length > 1]


def bits(y):
    """Return what to compare: bytes, but numbers for the types that have padding or references."""
    y = np.asarray(y)
    if y.dtype.char == "O":
        return [repr(element) for element in y.ravel()]
    if y.dtype.char in "gG":
        return [repr(element) for element in y.ravel()], np.signbit(y.real).tolist()
    return y.tobytes()


def assert_answers_as_compiled(name, inputs, make_keywords):
    x = inputs[-1]
    ours = call(getattr(reference, name), inputs, make_keywords(x))
    theirs = call(getattr(fastrelu, name), inputs, make_keywords(x))
    assert ours[0] == theirs[0]
    assert bits(ours[2]) == bits(theirs[2])
    if ours[0] is None:
        assert type(ours[1]) is type(theirs[1])
        assert getattr(ours[1], "dtype", None) == getattr(theirs[1], "dtype", None)
        assert (np.shape(ours[1]), steps(ours[1], x)) == (np.shape(theirs[1]), steps(theirs[1], x))
        assert bits(ours[1]) == bits(theirs[1])
        assert (ours[1] is ours[2]) == (theirs[1] is theirs[2])


def inputs_of(name, dtype, layout):
    values = values_of(dtype)
    n_inputs = OPERATIONS[name].inputs
    return [LAYOUTS[layout](np.roll(values, 5 * role)) for role in reversed(range(n_inputs))]


@compiled
@pytest.mark.parametrize("dtype", [*TAKEN, *REFUSED])
@pytest.mark.parametrize("name", OPERATIONS)
def test_answers_as_the_compiled_one(name, dtype):
    """In a tenth of the calls: in all, test_ufunc.py holds the compiled one against NumPy."""

    def check(case):
        layout, keywords = case
        inputs = inputs_of(name, dtype, layout)
        assert_answers_as_compiled(name, inputs, ALL_KEYWORDS[keywords])

    # In the reference, the first step of a fused operation gives an object without an array.
    fused = OPERATIONS[name].status == "ieee"
    if has_loop(getattr(fastrelu, name), dtype) and not (fused and dtype == "O"):
        cases = CROSS[TAKEN.index(dtype) % 11 :: 11]
        if fused:
            cases = [case for case in cases if "dtype_object" not in case]
    else:
        cases = [("c", "none"), ("c", "out"), ("c", "dtype_f8"), ("c", "where_true")]
    assert failing(check, cases) == []


@pytest.mark.parametrize("dtype", REFUSED)
@pytest.mark.parametrize("name", OPERATIONS)
def test_what_has_no_order_is_refused(name, dtype):
    x = values_of(dtype)
    for position in range(OPERATIONS[name].inputs):
        inputs = [np.ones(16)] * OPERATIONS[name].inputs
        inputs[position] = x
        with pytest.raises(TypeError):
            getattr(reference, name)(*inputs)


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("dtype", ["F", "D", "G", "m8[s]", "O"])
def test_backward_refuses_what_is_not_real(dtype, position):
    operands = [np.ones(16), np.ones(16)]
    operands[position] = values_of(dtype)
    with pytest.raises(TypeError):
        reference.relu_backward(*operands)


class Forbidden:
    """Stands where a function stood that is not to be called."""

    def __call__(self, *args, **kwargs):
        raise AssertionError("it was called")

    def __getattr__(self, name):
        raise AssertionError(f"{name} was looked up")


@pytest.mark.parametrize("dtype", [*"?bQefgDO", "m8[s]"])
@pytest.mark.parametrize("name", ["maximum", "minimum", "fmax", "clip"])
def test_never_calls_what_it_is_to_replace(monkeypatch, name, dtype):
    x = values_of(dtype)
    monkeypatch.setattr(np, name, Forbidden())
    with np.errstate(all="ignore"):
        for operation in OPERATIONS:
            with contextlib.suppress(TypeError):
                getattr(reference, operation)(*[x] * OPERATIONS[operation].inputs)
        with contextlib.suppress(TypeError):
            reference.relu_derivative(x, at_zero=1)
            reference.relu_backward_from_mask(x, reference.relu_with_mask(x)[1])


def test_imports_nothing_but_numpy_and_the_standard_library():
    tree = ast.parse(Path(reference.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(node) for node in imports] == [
        "import sys",
        "import warnings",
        "import numpy as np",
    ]


DOCUMENTED = [
    *OPERATIONS,
    "relu_derivative",
    "relu_with_mask",
    "relu_backward_from_mask",
]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_examples_of_the_docstring_run(name):
    function = getattr(reference, name)
    examples = doctest.DocTestParser().get_doctest(function.__doc__, {}, name, None, None)
    assert examples.examples
    report = []
    doctest.DocTestRunner(verbose=False).run(examples, out=report.append)
    assert report == []


@pytest.mark.parametrize("section", ["Parameters", "Returns", "Raises", "Examples"])
@pytest.mark.parametrize("name", DOCUMENTED)
def test_docstrings_have_their_sections(name, section):
    assert f"\n{section}\n{'-' * len(section)}\n" in inspect.getdoc(getattr(reference, name))


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_signature_is_that_of_a_ufunc(name):
    names = list(inspect.signature(getattr(reference, name)).parameters)[OPERATIONS[name].inputs :]
    assert names == ["out", "where", "casting", "order", "dtype", "subok"]


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (-1.5, 0),
        (0.0, 0),
        (2.5, 2.5),
        (np.inf, np.inf),
        (-np.inf, 0),
        (-3, 0),
        (3, 3),
        (True, 1),
        (False, 0),
        (1 - 2j, 1 - 2j),
        (-1 + 2j, 0),
        (-2j, 0),
        (2j, 2j),
    ],
)
def test_relu_by_hand(x, expected):
    assert reference.relu(x) == expected


@pytest.mark.parametrize(
    ("grad", "x", "expected"),
    [
        (5.0, 1.0, 5.0),
        (5.0, 0.0, 0.0),
        (5.0, -0.0, 0.0),
        (5.0, -1.0, 0.0),
        (np.nan, -1.0, 0.0),
        (np.inf, 0.0, 0.0),
        (5.0, np.nan, 5.0),
        (-5, 2, -5),
        (-5, -2, 0),
    ],
)
def test_backward_by_hand(grad, x, expected):
    assert reference.relu_backward(grad, x) == expected


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_a_zero_keeps_its_sign(zero):
    assert np.signbit(reference.relu(np.array([zero]))[0]) == np.signbit(zero)


@pytest.mark.parametrize("pattern", [0x7FC01234, 0xFFC01234, 0x7F812345, 0xFF812345])
def test_a_nan_passes_bit_for_bit(pattern):
    x = np.array([pattern], "u4").view("f4")
    assert reference.relu(x).view("u4") == pattern
    assert reference.relu_backward(x, np.ones(1, "f4")).view("u4") == pattern


@pytest.mark.parametrize("dtype", "efdgFDG")
def test_relu_gives_no_warning(dtype):
    x = values_of(dtype)
    with np.errstate(all="raise"):
        reference.relu(x)
        reference.relu(x, out=np.empty_like(x), where=x == x)


@pytest.mark.parametrize("dtype", "efdg")
def test_backward_gives_no_warning(dtype):
    x = values_of(dtype)
    with np.errstate(all="raise"):
        reference.relu_backward(x, x[::-1])


def test_the_input_is_left_alone():
    x = np.array([-1.0, 2.0])
    reference.relu(x)
    reference.relu_backward(x, x)
    assert x.tolist() == [-1, 2]


@pytest.mark.parametrize("shift", [-3, -1, 0, 1, 3])
def test_an_output_may_overlap_its_input(shift):
    base = np.arange(-8.0, 8.0)
    x, out = base[4:12], base[4 + shift : 12 + shift]
    expected = np.where(x < 0, 0, x)
    reference.relu(x, out)
    np.testing.assert_array_equal(out, expected)
