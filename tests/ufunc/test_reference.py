"""The reference says what every function means: as fallback it answers as the ufuncs do."""

import ast
import contextlib
import doctest
import inspect
import warnings
from pathlib import Path

import numpy as np
import pytest

import fastrelu
from fastrelu import reference

compiled = pytest.mark.skipif(fastrelu.isa == "python", reason="there is nothing to compare with")

FLOATS = [-np.inf, -2.5, -1, -0.0, 0.0, 1, 2.5, np.inf, np.nan, -np.nan, 3, -4]
VALUES = {
    "?": [True, False, True, False] * 3,
    **{t: np.array([1, 0, 2, 0, 3, 4, 5, 127, 6, 7, 8, 9], t) for t in "BHILQ"},
    **{t: np.array([-1, 0, 2, -3, 3, -4, 5, 127, -128, 7, 8, -9], t) for t in "bhilq"},
    **{t: np.array(FLOATS, t) for t in "efdg"},
    **{
        t: np.array([complex(a, b) for a in (-1, 0, np.nan) for b in (-2, 0, 3, np.nan)], t)
        for t in "FDG"
    },
    "m8[s]": np.array([-5, 0, 5, "NaT", -1, 1] * 2, "m8[s]"),
    "O": np.array([-3, 0, 5, -2.5, 2.5, True, 10**30, -(10**30), 1, -1, 2, -2], object),
}
REAL = "bBhHiIlLqQefdg"
REFUSED = {
    "datetime": np.arange(12).astype("M8[s]"),
    "string": np.array(["1"] * 12),
    "bytes": np.array([b"1"] * 12),
    "struct": np.zeros(12, "i4,f8"),
    "void": np.zeros(12, "V4"),
    "text": "1",
}


class Tagged(np.ndarray):
    """A subclass: results are of its kind too."""


def misaligned(values):
    packed = np.zeros(values.size, [("pad", "V1"), ("x", values.dtype)])
    packed["x"] = values
    return packed["x"]


LAYOUTS = {
    "c": lambda values: values.reshape(3, 4),
    "fortran": lambda values: np.asfortranarray(values.reshape(3, 4)),
    "step_2": lambda values: values[::2],
    "reversed": lambda values: values[::-1],
    "transposed": lambda values: values.reshape(2, 3, 2).transpose(1, 2, 0),
    "stride_0": lambda values: np.broadcast_to(values, (2, 12)),
    "zero_d": lambda values: values[:1].reshape(()),
    "empty": lambda values: values[:0].reshape(3, 0),
    "swapped": lambda values: values.astype(values.dtype.newbyteorder("S")),
    "subclass": lambda values: values.view(Tagged),
    "scalar": lambda values: values[0],
    "list": lambda values: list(values) if values.dtype.kind == "m" else values.tolist(),
}


def result_dtype(x):
    dtype = np.asanyarray(x).dtype
    return np.dtype(int) if dtype.kind == "b" else dtype.newbyteorder("=")


def out_like(x, dtype=None):
    return np.full(np.shape(x), 77).astype(dtype or result_dtype(x))


def larger_out(x):
    return np.full((2, *np.shape(x)), 77).astype(result_dtype(x))


def wider_out(x):
    return out_like(x, {"m": "m8[ms]", "O": "O", "c": "G"}.get(result_dtype(x).kind, "g"))


def other_kind_out(x):
    return out_like(x, "i4" if result_dtype(x).kind in "fcm" else "u2")


def read_only_out(x):
    out = out_like(x)
    out.flags.writeable = False
    return out


def every_other(x):
    return np.arange(np.size(x)).reshape(np.shape(x)) % 2 == 0


KEYWORDS = {
    "none": lambda x: {},
    "out": lambda x: {"out": out_like(x)},
    "out_none": lambda x: {"out": None},
    "out_tuple": lambda x: {"out": (out_like(x),)},
    "out_strided": lambda x: {"out": np.repeat(out_like(x)[..., None], 2, -1)[..., 0]},
    "out_larger": lambda x: {"out": larger_out(x)},
    "out_smaller": lambda x: {"out": np.full(7, 77).astype(result_dtype(x))},
    "out_wider": lambda x: {"out": wider_out(x)},
    "out_other_kind": lambda x: {"out": other_kind_out(x)},
    "out_other_kind_unsafe": lambda x: {"out": out_like(x, "f4"), "casting": "unsafe"},
    "out_read_only": lambda x: {"out": read_only_out(x)},
    "out_list": lambda x: {"out": [77]},
    "where": lambda x: {"out": out_like(x), "where": every_other(x)},
    "where_false": lambda x: {"out": out_like(x), "where": False},
    "where_true": lambda x: {"where": True},
    "dtype_f4": lambda x: {"dtype": "f4"},
    "dtype_f8": lambda x: {"dtype": float},
    "dtype_f8_unsafe": lambda x: {"dtype": "f8", "casting": "unsafe"},
    "dtype_i8_unsafe": lambda x: {"dtype": "i8", "casting": "unsafe"},
    "dtype_f8_no": lambda x: {"dtype": "f8", "casting": "no"},
    "dtype_g_safe": lambda x: {"dtype": "g", "casting": "safe"},
    "dtype_datetime": lambda x: {"dtype": "M8[s]"},
    "dtype_bad": lambda x: {"dtype": "nonsense"},
    "casting_equiv": lambda x: {"casting": "equiv"},
    "casting_bad": lambda x: {"casting": "rough"},
    "order_c": lambda x: {"order": "C"},
    "order_f": lambda x: {"order": "F"},
    "order_bad": lambda x: {"order": "Z"},
    "subok_false": lambda x: {"subok": False},
    "unknown": lambda x: {"alpha": 1},
}


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


@compiled
@pytest.mark.parametrize("keywords", KEYWORDS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["?", "b", "Q", "e", "f", "g", "D", "m8[s]", "O"])
def test_relu_answers_as_the_compiled_one(dtype, layout, keywords):
    x = LAYOUTS[layout](np.array(VALUES[dtype]))
    assert_answers_as_compiled("relu", [x], KEYWORDS[keywords])


@compiled
@pytest.mark.parametrize("keywords", KEYWORDS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["b", "Q", "e", "f", "g"])
def test_backward_answers_as_the_compiled_one(dtype, layout, keywords):
    x = LAYOUTS[layout](VALUES[dtype])
    grad = LAYOUTS[layout](np.roll(VALUES[dtype], 5))
    assert_answers_as_compiled("relu_backward", [grad, x], KEYWORDS[keywords])


@compiled
@pytest.mark.parametrize("dtype", VALUES)
def test_relu_answers_alike_for_every_type(dtype):
    assert_answers_as_compiled("relu", [np.array(VALUES[dtype])], KEYWORDS["none"])


@compiled
@pytest.mark.parametrize("layout", ["misaligned", "read_only"])
@pytest.mark.parametrize("dtype", ["b", "i", "f", "D"])
def test_relu_answers_alike_for_other_memory(dtype, layout):
    x = misaligned(VALUES[dtype]) if layout == "misaligned" else np.broadcast_to(VALUES[dtype], 12)
    assert_answers_as_compiled("relu", [x], KEYWORDS["none"])


@compiled
@pytest.mark.parametrize("keywords", ["none", "out", "dtype_f8", "where_true"])
@pytest.mark.parametrize("refused", REFUSED)
def test_relu_refuses_what_the_compiled_one_refuses(refused, keywords):
    make = KEYWORDS[keywords] if keywords != "out" else lambda x: {"out": np.empty(np.shape(x))}
    assert_answers_as_compiled("relu", [REFUSED[refused]], make)


@pytest.mark.parametrize("refused", REFUSED)
def test_relu_refuses_what_has_no_order(refused):
    with pytest.raises(TypeError):
        reference.relu(REFUSED[refused])


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("dtype", ["F", "D", "G", "m8[s]", "O", *REFUSED])
def test_backward_refuses_what_is_not_real(dtype, position):
    operands = [np.ones(12), np.ones(12)]
    operands[position] = REFUSED[dtype] if dtype in REFUSED else VALUES[dtype]
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
    x = np.array(VALUES[dtype])
    monkeypatch.setattr(np, name, Forbidden())
    with np.errstate(all="ignore"):
        reference.relu(x)
        with contextlib.suppress(TypeError):
            reference.relu_backward(x, x)
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
    "relu",
    "relu_backward",
    "add_relu",
    "subtract_relu",
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


@pytest.mark.parametrize("name", ["relu", "relu_backward"])
def test_the_signature_is_that_of_a_ufunc(name):
    plain = {1: np.positive, 2: np.add}[2 if name == "relu_backward" else 1]
    names = list(inspect.signature(getattr(reference, name)).parameters)[plain.nin :]
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
    x = VALUES[dtype]
    with np.errstate(all="raise"):
        reference.relu(x)
        reference.relu(x, out=np.empty_like(x), where=x == x)


@pytest.mark.parametrize("dtype", "efdg")
def test_backward_gives_no_warning(dtype):
    x = VALUES[dtype]
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
