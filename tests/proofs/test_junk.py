"""What is no array, no keyword and no signature raises the class of error that NumPy raises."""

import array
import decimal
import functools
import itertools
import warnings

import numpy as np
import pytest
from helpers import OPERATIONS, UFUNCS

import fastrelu
from fastrelu import reference

pytestmark = pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback is no ufunc")


class OwnError(Exception):
    """What a junk object raises, and nobody else."""


def raising(*methods, error=OwnError, **attributes):
    """Return an object whose methods raise."""

    def method(self, *args, **keywords):
        raise error("junk")

    return type("Raising", (), {**dict.fromkeys(methods, method), **attributes})()


def returning(**results):
    """Return an object whose methods return these results."""
    methods = {
        name: lambda self, *args, value=value, **keywords: value for name, value in results.items()
    }
    return type("Returning", (), methods)()


def recursive():
    junk = [1.0]
    junk.append(junk)
    return junk


def deep():
    return functools.reduce(lambda inner, _: [inner], range(100), 1.0)


def itself():
    class Itself:
        def __array__(self, dtype=None, copy=None):
            return self

    return Itself()


JUNK = {
    "None": lambda: None,
    "Ellipsis": lambda: ...,
    "NotImplemented": lambda: NotImplemented,
    "object": object,
    "class": lambda: int,
    "function": lambda: len,
    "text": lambda: "text",
    "empty text": lambda: "",
    "digits": lambda: "1",
    "surrogate": lambda: "\ud800",
    "bytes": lambda: b"bytes",
    "bytearray": lambda: bytearray(b"bytes"),
    "memoryview": lambda: memoryview(b"bytes"),
    "array.array": lambda: array.array("d", [1, 2, 3]),
    "decimal": lambda: decimal.Decimal(1),
    "zero": lambda: 0,
    "one": lambda: 1,
    "minus one": lambda: -1,
    "true": lambda: True,
    "false": lambda: False,
    "huge": lambda: 2**63,
    "huger": lambda: 10**400,
    "below": lambda: -(2**64),
    "nan": lambda: float("nan"),
    "complex": lambda: 1j,
    "empty list": list,
    "empty tuple": tuple,
    "tuple": lambda: (1, 2, 3),
    "ragged": lambda: [[1, 2], [3]],
    "recursive": recursive,
    "deep": deep,
    "mixed": lambda: [1, "a", None],
    "dict": lambda: {"a": 1},
    "set": lambda: {1, 2},
    "range": lambda: range(3),
    "generator": lambda: (n for n in range(3)),
    "slice": lambda: slice(None),
    "dtype": lambda: np.dtype("f4"),
    "array": lambda: np.ones(3),
    "too long": lambda: np.ones(4),
    "zero_d": lambda: np.array(1.0),
    "bools": lambda: np.ones(3, bool),
    "objects": lambda: np.array([1, None, "a"], object),
    "structured": lambda: np.ones(3, "i4,f8"),
    "void": lambda: np.zeros(3, "V8"),
    "strings": lambda: np.array(["a", "b", "c"]),
    "bytes array": lambda: np.array([b"a", b"b", b"c"]),
    "datetime": lambda: np.zeros(3, "M8[s]"),
    "timedelta": lambda: np.zeros(3, "m8"),
    "masked": lambda: np.ma.masked,
    "matrix of strings": lambda: np.rec.array([(1, "a")] * 3),
    "endless": lambda: np.broadcast_to(1.0, (1 << 50,)),
    "read-only": lambda: np.broadcast_to(1.0, (3,)),
    "raising __array__": lambda: raising("__array__"),
    "AttributeError of __array__": lambda: raising("__array__", error=AttributeError),
    "MemoryError of __array__": lambda: raising("__array__", error=MemoryError),
    "raising __float__": lambda: raising("__float__", "__int__", "__index__", "__complex__"),
    "raising __bool__": lambda: raising("__bool__"),
    "raising __len__": lambda: raising("__len__", "__getitem__"),
    "raising __getitem__": lambda: type(
        "Sequence", (), {"__len__": lambda self: 3, "__getitem__": lambda self, i: 1 // 0}
    )(),
    "raising __iter__": lambda: raising("__iter__"),
    "raising __hash__": lambda: raising("__hash__", "__eq__"),
    "raising __lt__": lambda: raising("__lt__", "__le__", "__gt__", "__add__", "__sub__"),
    "raising __array_ufunc__": lambda: raising("__array_ufunc__"),
    "raising __array_wrap__": lambda: raising("__array_wrap__", __array_priority__=10),
    "raising __array_function__": lambda: raising("__array_function__"),
    "no __array_ufunc__": lambda: raising(__array_ufunc__=None),
    "bad __array_ufunc__": lambda: raising(__array_ufunc__=1),
    "refusing __array_ufunc__": lambda: returning(__array_ufunc__=NotImplemented),
    "text of __array__": lambda: returning(__array__="text"),
    "itself of __array__": itself,
    "bad __array_interface__": lambda: raising(__array_interface__={"shape": (3,), "version": 3}),
    "null __array_interface__": lambda: raising(
        __array_interface__={"shape": (-3,), "typestr": "<f8", "data": (0, False), "version": 3}
    ),
    "bad __array_struct__": lambda: raising(__array_struct__=1),
    "bad dtype": lambda: raising(dtype="nonsense"),
}
FINITE = [junk for junk in JUNK if junk != "endless"]  # what a reduction can read in a lifetime
SIGNATURES = [
    "",
    "->",
    "d",
    "d->",
    "->d",
    "d->d->d",
    "dd->dd",
    "d" * 1000 + "->d",
    "()->()",
    "é->d",
    "\0->d",
    "Z->d",
    "O->d",
    ("d",),
    ("d", None, "Z"),
    (None, None),
    (None, None, "d"),
    (None, None, None),
    (int, float, "nonsense"),
    (np.dtype("m8[s]"), None),
    (object(), object()),
    ["d", "d"],
]
MODELS = {1: np.positive, 2: np.minimum, 3: np._core.umath.clip}


def outcome(function, *args, **keywords):
    """Return the class of error of a call, or "result"."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            function(*args, **keywords)
        except Exception as error:
            kinds = (TypeError, ValueError, MemoryError, OverflowError)
            return next((kind for kind in kinds if isinstance(error, kind)), type(error)).__name__
    return "result"


def differing(function, calls, *oracles):
    """Return the calls, made by functions of no argument, whose outcome is that of no oracle."""
    found = []
    for name, make in calls:
        args, keywords = make()
        ours = outcome(function, *args, **keywords)
        theirs = []
        for oracle in oracles:
            args, keywords = make()
            theirs.append(outcome(oracle, *args, **keywords))
            if theirs[-1] == ours:
                break
        else:
            found.append((name, ours, theirs))
    return found


def operands(n):
    return [np.ones(3) for _ in range(n)]


def in_place(position, n, junk):
    inputs = operands(n)
    inputs[position] = JUNK[junk]()
    return inputs, {}


@pytest.fixture(params=UFUNCS)
def name(request):
    return request.param


def oracles_of(name):
    """Return a ufunc that refuses as an operation does, and the definition for the types."""
    return MODELS[OPERATIONS[name].inputs], getattr(reference, name)


def test_junk_as_an_operand(name):
    n = OPERATIONS[name].inputs
    calls = [
        ((junk, position), functools.partial(in_place, position, n, junk))
        for junk, position in itertools.product(JUNK, range(n))
    ]
    assert differing(UFUNCS[name], calls, *oracles_of(name)) == []


KEYWORDS = [
    *("out", "where", "casting", "order", "subok", "dtype", "signature", "sig"),
    *("axes", "axis", "keepdims", "initial", "extobj", "alpha", ""),
]


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_junk_as_a_keyword(name, keyword):
    n = OPERATIONS[name].inputs
    calls = [(junk, lambda junk=junk: (operands(n), {keyword: JUNK[junk]()})) for junk in JUNK]
    if keyword == "out":  # one of another keyword as well
        calls += [
            ((junk, "tuple"), lambda junk=junk: (operands(n), {"out": (JUNK[junk](),)}))
            for junk in JUNK
        ]
    assert differing(UFUNCS[name], calls, *oracles_of(name)) == []


def test_junk_as_a_positional_output(name):
    n = OPERATIONS[name].inputs
    calls = [(junk, lambda junk=junk: ([*operands(n), JUNK[junk]()], {})) for junk in JUNK]
    assert differing(UFUNCS[name], calls, *oracles_of(name)) == []


@pytest.mark.parametrize("keyword", ["signature", "sig", "dtype"])
def test_bad_signatures(name, keyword):
    n = OPERATIONS[name].inputs
    calls = [
        (repr(signature)[:40], lambda signature=signature: (operands(n), {keyword: signature}))
        for signature in SIGNATURES
    ]
    assert differing(UFUNCS[name], calls, MODELS[n]) == []


def test_arguments_that_are_too_few_too_many_or_given_twice(name):
    n = OPERATIONS[name].inputs
    out = np.ones(3)
    calls = [(f"{k} operands", lambda k=k: (operands(k), {})) for k in range(n + 8)]
    calls += [
        ("out twice", lambda: ([*operands(n), out], {"out": out})),
        ("out and too many", lambda: (operands(n + 2), {"out": out})),
        ("two outputs", lambda: (operands(n), {"out": (out, out)})),
        ("no output", lambda: (operands(n), {"out": ()})),
        ("signature twice", lambda: (operands(n), {"sig": "d->d", "signature": "d->d"})),
        ("signature and dtype", lambda: (operands(n), {"dtype": "d", "signature": "d->d"})),
        ("keywords alone", lambda: ([], {"x": out, "out": out})),
        ("operand by name", lambda: (operands(n - 1), {"x": out})),
    ]
    assert differing(UFUNCS[name], calls, MODELS[n]) == []


METHODS = {
    "at": [(), (0,), (0, 1.0), ("a",), ([0, 9],), ([0, 9], 1.0), (None,), (1 << 70,), (slice(2),)],
    "reduce": [(), (0,), (7,), ("a",), (None, "nonsense")],
    "accumulate": [(), (0,), (7,), ("a",)],
    "reduceat": [(), ([0],), ([7],), ("a",), ([0], 9)],
    "outer": [(), (1.0,), ("a",), (1.0, 1.0), (None,)],
    "resolve_dtypes": [(), (None,), ("a",), ((None, None),)],
}


@pytest.mark.parametrize("method", METHODS)
def test_junk_to_a_method(name, method):
    n = OPERATIONS[name].inputs
    calls = [(rest, lambda rest=rest: ([np.ones(3), *rest], {})) for rest in METHODS[method]]
    calls += [(junk, lambda junk=junk: ([JUNK[junk](), 0], {})) for junk in FINITE]

    # The definition has no methods, but the types that the operation takes.
    def by_itself(first, *rest):
        getattr(reference, name)(*[np.asarray(first)] * n)

    def by_zero(first, *rest):
        getattr(reference, name)(np.asarray(first), *[0] * (n - 1))

    ours, model = getattr(UFUNCS[name], method), getattr(MODELS[n], method)
    assert differing(ours, calls, model, by_itself, by_zero) == []


PARAMETERS = {
    "relu_derivative": ["x", "at_zero"],
    "relu_with_mask": ["x", "out", "mask", "at_zero", "alpha"],
    "relu_backward_from_mask": ["grad", "mask", "out", "alpha"],
    "relu_sum": ["x", "axis", "threshold", "dtype", "out", "keepdims", "alpha"],
    "relu_mean": ["x", "axis", "threshold", "dtype", "out", "keepdims", "alpha"],
    "activity": ["x", "axis", "alpha"],
    "dead_units": ["x", "axis", "alpha"],
}


EXPRESSIONS = {
    "relu_derivative": lambda x: np.greater(x, 0),
    "relu_sum": lambda x: np.sum(np.maximum(0, x)),
    "relu_mean": lambda x: np.mean(np.maximum(0, x)),
}


@pytest.mark.parametrize(
    ("function", "parameter"), [(f, p) for f, given in PARAMETERS.items() for p in given]
)
def test_junk_to_the_other_functions(function, parameter):
    given = {"x": np.ones(3), "grad": np.ones(3), "mask": np.zeros(1, "u1")}
    first = [key for key in PARAMETERS[function] if key in ("x", "grad")]
    if function == "relu_backward_from_mask":
        first.append("mask")

    def call(junk):
        known = {key: given[key] for key in first} | {parameter: JUNK[junk]()}
        return [], known

    calls = [
        (junk, functools.partial(call, junk))
        for junk in FINITE
        # Where NumPy takes an int, it must fit into C's long.
        if parameter != "keepdims" or junk not in ("huge", "huger", "below")
    ]
    oracles = [getattr(reference, function)]
    if parameter == "x":  # beside the reference, which is no ufunc, NumPy's expression
        oracles.append(EXPRESSIONS.get(function, oracles[0]))
    assert differing(getattr(fastrelu, function), calls, *oracles) == []


SETTERS = ["set_num_threads", "num_threads", "set_cache_limit", "show_config"]
REFUSED = ["TypeError", "ValueError", "OverflowError", "MemoryError", "OwnError"]


@pytest.mark.parametrize("setter", SETTERS)
def test_junk_to_a_setting_is_refused_and_changes_nothing(setter):
    def settings():
        return fastrelu.get_num_threads(), fastrelu.cache_info().limit

    before = settings()
    accepted = {junk: outcome(getattr(fastrelu, setter), make()) for junk, make in JUNK.items()}
    refused = {junk: error for junk, error in accepted.items() if error != "result"}
    fastrelu.set_num_threads(before[0])
    assert set(refused.values()) <= set(REFUSED)
    assert refused.keys() >= {"text", "None", "nan", "object", "array"}
    assert settings()[0] == before[0]
