"""np.maximum with a zero takes the kernels, and nothing of it changes."""

import ctypes
import itertools
import os
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from helpers import KERNEL_TYPES, allocations_fail_in_turn, failing, oracle_of

import fastrelu

try:
    from numpy._core.multiarray import get_handler_name
except ImportError:
    from numpy.core.multiarray import get_handler_name

if fastrelu.isa == "python":
    pytest.skip("nothing is compiled", allow_module_level=True)

from fastrelu import _patch
from fastrelu._tool.check import first_difference

maximum = np.maximum  # by name, as others have it
LARGE = (1 << 20) + 24  # elements: the new output is from fastrelu's memory, whatever the dtype


@pytest.fixture
def patched():
    with fastrelu.patched_numpy():
        yield


def zero_first(zero, x, *args, **kwargs):
    return maximum(zero, x, *args, **kwargs)


def zero_last(zero, x, *args, **kwargs):
    return maximum(x, zero, *args, **kwargs)


ORDERS = [zero_first, zero_last]

ZEROS = {
    "int": lambda dtype: 0,
    "False": lambda dtype: False,
    "scalar": lambda dtype: dtype.type(0),
    "0-d": lambda dtype: np.zeros((), dtype),
    "float": lambda dtype: 0.0,
}

LAYOUTS = {
    "c": lambda values: values[:4080].reshape(8, -1).copy(),
    "f": lambda values: values[:4080].reshape(8, -1).copy().T,
    "1-d": lambda values: values[:33].copy(),
    "one": lambda values: values[:1].copy(),
    "none": lambda values: values[:0].copy(),
    "columns": lambda values: values[:4080].reshape(8, -1).copy()[:, 3:],
    "reversed": lambda values: values[::-1],
    "stepped": lambda values: values[:4080].reshape(8, -1)[::2, ::3],
}

OUTPUTS = {
    "new": lambda x: {},
    "none": lambda x: {"out": None},
    "given": lambda x: {"out": np.full_like(x, 7)},
    "tuple": lambda x: {"out": (np.full_like(x, 7),)},
    "in place": lambda x: {"out": x},
    "shifted": lambda x: {"out": x[..., ::-1]},
}


def bits_of(result):
    """Return a result's bytes; the text of its elements where bytes are padding or pointers."""
    if not hasattr(result, "tobytes"):
        return repr(result)
    if result.dtype.hasobject or result.dtype.char in "gG":
        return [repr(element) for element in np.ravel(result)]
    return result.tobytes()


def outcome_of(function, *args, **kwargs):
    """Return all there is to see of a call: the result's bits, or its exception, and warnings."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            result = function(*args, **kwargs)
            found = [type(result), getattr(result, "dtype", None), getattr(result, "strides", None)]
            found.append(bits_of(result))
        except Exception as error:
            found = [type(error), str(error)]
    return found + [(warning.category, str(warning.message)) for warning in seen]


def same_call_twice(make):
    """Return the outcomes, as it is and patched, of the call that make makes anew each time."""
    function, args, kwargs = make()
    before = outcome_of(function, *args, **kwargs)
    function, args, kwargs = make()
    with fastrelu.patched_numpy():
        return before, outcome_of(function, *args, **kwargs)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("char", KERNEL_TYPES)
def test_same_bits(char, order, random_values):
    def check(case):
        layout, output = case

        def call():
            x = LAYOUTS[layout](random_values(np.dtype(char), 4096, 1).copy())
            return order, (0, x), OUTPUTS[output](x)

        before, after = same_call_twice(call)
        assert after == before

    assert failing(check, itertools.product(LAYOUTS, OUTPUTS)) == []


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("char", KERNEL_TYPES)
def test_same_bits_with_every_zero(char, order, random_values):
    dtype = np.dtype(char)

    def check(zero):
        args = ZEROS[zero](dtype), random_values(dtype, 100, 3)
        before, after = same_call_twice(lambda: (order, args, {}))
        assert after == before

    assert failing(check, ZEROS) == []


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("char", KERNEL_TYPES)
def test_same_bits_at_every_length(char, order, random_values):
    values = random_values(np.dtype(char), 300, 2)
    before = [order(0, values[:n]).tobytes() for n in range(300)]
    with fastrelu.patched_numpy():
        after = [order(0, values[:n]).tobytes() for n in range(300)]
    assert [n for n in range(300) if after[n] != before[n]] == []


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("char", KERNEL_TYPES)
def test_takes_the_kernels(char, order, patched):
    dtype = np.dtype(char)

    def check(name):
        zero = ZEROS[name](dtype)
        result = order(zero, np.ones(LARGE, dtype))
        integers_and_a_float = dtype.kind != "f" and isinstance(zero, float)
        own = get_handler_name(result) == "fastrelu"
        assert own != integers_and_a_float

    assert failing(check, ZEROS) == []


def test_takes_the_kernels_where_the_output_is_none(patched):
    assert get_handler_name(maximum(0, np.ones(LARGE), out=None)) == "fastrelu"


@pytest.mark.parametrize("output", ["given", "tuple", "in place"])
@pytest.mark.parametrize("keeps_sign_of_zero", [False, True])
def test_takes_the_kernels_with_an_output(keeps_sign_of_zero, output, choose_for_maximum):
    choose_for_maximum(fastrelu.relu if keeps_sign_of_zero else fastrelu.relu_backward, "f4")
    x = np.array([-0.0], "f4")
    assert np.signbit(maximum(0, x, **OUTPUTS[output](x))) == keeps_sign_of_zero


@pytest.mark.parametrize("order", ORDERS)
def test_numpy_computes_where_no_kernels_are_chosen(order, choose_for_maximum):
    x = np.ones(LARGE, "f4")
    choose_for_maximum(fastrelu.relu, "f4")
    assert get_handler_name(order(0, x)) == "fastrelu"
    choose_for_maximum(None, "f4")
    assert get_handler_name(order(0, x)) != "fastrelu"


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("char", "fd")
def test_sums_with_the_zero(char, order, choose_for_maximum, in_chunks, random_values):
    choose_for_maximum(fastrelu.add_relu, char)

    def check(case):
        layout, output, zero = case
        x = LAYOUTS[layout](random_values(np.dtype(char), 4096, 1).copy())
        expected = oracle_of("add_relu")(x, 0)
        with np.errstate(all="raise"):
            result = order(ZEROS[zero](x.dtype), x, **OUTPUTS[output](x))
        assert first_difference(result, expected) is None

    outputs = [output for output in OUTPUTS if output != "shifted"]  # NumPy takes that
    assert failing(check, itertools.product(LAYOUTS, outputs, ZEROS)) == []


NAN = np.array(0x7FC00001, "u4").view("f4")[()]
F = np.array([-1.0, -0.0, 0.0, 2.0, NAN], "f4")
I = np.array([-1, 0, 2], "i4")  # noqa: E741


class Array(np.ndarray):
    """A subclass that changes nothing."""


class Refuses:
    """Takes part in no ufunc."""

    __array_ufunc__ = None


def read_only():
    array = np.zeros(5, "f4")
    array.flags.writeable = False
    return array


def shared():
    memory = np.arange(-4, 4, dtype="f4")
    return (0, memory[1:]), {"out": memory[:-1]}


def aliased_zero():
    x = np.array([0.0, -1.0, 2.0], "f4")
    return (x[:1].reshape(()), x), {"out": x}


OTHER_CALLS = {
    "-0.0": lambda: ((-0.0, F), {}),
    "-0.0 last": lambda: ((F, -0.0), {}),
    "-0.0 of the dtype": lambda: ((np.float32(-0.0), F), {}),
    "-0.0 without dimensions": lambda: ((F, np.array(-0.0, "f4")), {}),
    "1": lambda: ((1, F), {}),
    "-1": lambda: ((-1, F), {}),
    "True": lambda: ((True, F), {}),
    "nan": lambda: ((float("nan"), F), {}),
    "tiny": lambda: ((5e-324, F), {}),
    "2**40": lambda: ((2**40, I), {}),
    "2**64": lambda: ((2**64, I), {}),
    "-2**200": lambda: ((-(2**200), F), {}),
    "0j": lambda: ((0j, F), {}),
    "None": lambda: ((None, F), {}),
    "a string": lambda: (("0", F), {}),
    "a list": lambda: ((0, [1.0, -1.0]), {}),
    "a list of zero": lambda: (([0], F), {}),
    "a tuple beside an array": lambda: ((F, (0, 0, 0, 0, 0)), {}),
    "another object": lambda: ((F, Refuses()), {}),
    "float64 zero beside float32": lambda: ((np.float64(0), F), {}),
    "float32 zero beside float64": lambda: ((np.float32(0), F.astype("f8")), {}),
    "float zero beside integers": lambda: ((0.0, I), {}),
    "int64 zero beside int32": lambda: ((np.int64(0), I), {}),
    "longlong zero beside long": lambda: ((np.longlong(0), I.astype("l")), {}),
    "float64 array of no dimensions": lambda: ((np.array(0.0), F), {}),
    "an array of one zero": lambda: ((np.zeros(1, "f4"), F), {}),
    "two arrays": lambda: ((F, F[::-1]), {}),
    "two without dimensions": lambda: ((np.array(0.0), np.array(-1.0)), {}),
    "two numbers": lambda: ((0, -1), {}),
    "x without dimensions": lambda: ((0, np.array(-1.0, "f4")), {}),
    "x of one type swapped": lambda: ((0, F.astype(">f4")), {}),
    "zero of one type swapped": lambda: ((np.array(0, ">f4"), F), {}),
    "unaligned": lambda: ((0, np.frombuffer(b"\0" * 9, "f4", 2, 1)), {}),
    "metadata": lambda: ((0, F.astype(np.dtype("f4", metadata={"a": 1}))), {}),
    "bool": lambda: ((0, I > 0), {}),
    "False and bool": lambda: ((False, I > 0), {}),
    "complex": lambda: ((0, F.astype("c8")), {}),
    "longdouble": lambda: ((0, F.astype("g")), {}),
    "longdouble zero": lambda: ((np.longdouble(0), F.astype("g")), {}),
    "timedelta": lambda: ((0, I.astype("m8[s]")), {}),
    "datetime": lambda: ((0, I.astype("M8[s]")), {}),
    "object": lambda: ((0, F.astype("O")), {}),
    "strings": lambda: ((0, np.array(["a"])), {}),
    "structure": lambda: ((0, np.zeros(2, "f4,i4")), {}),
    "subclass": lambda: ((0, F.view(Array)), {}),
    "subclass as output": lambda: ((0, F), {"out": np.zeros(5, "f4").view(Array)}),
    "matrix": lambda: ((0, np.matrix("1 -2")), {}),
    "masked": lambda: ((0, np.ma.array([1.0, -2.0], mask=[0, 1])), {}),
    "where": lambda: ((0, F), {"where": F == F, "out": np.ones(5, "f4")}),
    "dtype": lambda: ((0, F), {"dtype": "f8"}),
    "casting": lambda: ((0, F), {"dtype": "i4", "casting": "safe"}),
    "order": lambda: ((0, F), {"order": "F"}),
    "subok": lambda: ((0, F), {"subok": False}),
    "signature": lambda: ((0, F), {"signature": "dd->d"}),
    "unknown argument": lambda: ((0, F), {"outs": F}),
    "no argument": lambda: ((), {}),
    "one argument": lambda: ((F,), {}),
    "four arguments": lambda: ((0, F, F.copy(), F.copy()), {}),
    "output twice": lambda: ((0, F, F.copy()), {"out": F.copy()}),
    "two outputs": lambda: ((0, F), {"out": (F.copy(), F.copy())}),
    "no output in a tuple": lambda: ((0, F), {"out": ()}),
    "None in a tuple": lambda: ((0, F), {"out": (None,)}),
    "output is a list": lambda: ((0, F), {"out": [0.0] * 5}),
    "output of another dtype": lambda: ((0, F), {"out": np.zeros(5)}),
    "output of a smaller dtype": lambda: ((0, F), {"out": np.zeros(5, "i4")}),
    "output of another shape": lambda: ((0, F), {"out": np.zeros(4, "f4")}),
    "output of more dimensions": lambda: ((0, F), {"out": np.zeros((2, 5), "f4")}),
    "read-only output": lambda: ((0, F), {"out": read_only()}),
    "overlapping output": shared,
    "a zero inside the output": aliased_zero,
}


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("make", OTHER_CALLS.values(), ids=OTHER_CALLS.keys())
def test_other_calls(make):
    before, after = same_call_twice(lambda: (maximum, *make()))
    assert after == before


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("make", OTHER_CALLS.values(), ids=OTHER_CALLS.keys())
def test_other_calls_in_the_other_order(make):
    def call():
        args, kwargs = make()
        return maximum, args[1::-1] + args[2:], kwargs

    before, after = same_call_twice(call)
    assert after == before


METHODS = {
    "reduce": lambda: maximum.reduce(F[:4]),
    "reduce with initial": lambda: maximum.reduce(-I, initial=0),
    "accumulate": lambda: maximum.accumulate(F),
    "reduceat": lambda: maximum.reduceat(F, [0, 2]),
    "outer": lambda: maximum.outer(np.zeros(()), F),
    "at": lambda: (x := F.copy(), maximum.at(x, [0, 1], 0))[0],
    "types": lambda: repr(maximum.types),
    "doc": lambda: maximum.__doc__,
    "operator method": lambda: F.max(),
    "call": lambda: maximum.__call__(0, F),
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
def test_methods(method):
    before, after = same_call_twice(lambda: (method, (), {}))
    assert after == before


@pytest.mark.parametrize("order", ORDERS)
def test_raises_no_floating_point_error(order):
    x = np.array([0x7F800001, 0x7FC00000, 0x80000001, 0xFF800000], "u4").view("f4")
    before = order(0, x).tobytes()
    with np.errstate(all="raise"), fastrelu.patched_numpy():
        assert order(0, x).tobytes() == before


def test_stays_the_same_object(patched):
    assert np.maximum is maximum
    assert type(np.maximum) is np.ufunc


def test_is_never_on_by_itself():
    assert not fastrelu.numpy_is_patched()


def test_counts():
    for expected in True, True:
        fastrelu.patch_numpy()
        assert fastrelu.numpy_is_patched() == expected
    with fastrelu.patched_numpy():
        pass
    for expected in True, False:
        fastrelu.unpatch_numpy()
        assert fastrelu.numpy_is_patched() == expected
    with pytest.raises(RuntimeError, match=r"np\.maximum is not patched"):
        fastrelu.unpatch_numpy()
    assert not fastrelu.numpy_is_patched()


def test_block_that_fails_is_undone():
    with pytest.raises(ZeroDivisionError), fastrelu.patched_numpy():
        raise ZeroDivisionError
    assert not fastrelu.numpy_is_patched()


def words_of_maximum():
    """Return the memory of np.maximum, less what every object has: references are counted there."""
    return (ctypes.c_void_p * 30).from_address(id(np.maximum) + object.__basicsize__)


def test_block_that_is_interrupted_as_it_begins_is_undone(monkeypatch):
    def patch_and_interrupt(*arguments):
        patch(*arguments)
        raise KeyboardInterrupt

    patch = _patch.core.patch_maximum
    monkeypatch.setattr(_patch.core, "patch_maximum", patch_and_interrupt)
    with pytest.raises(KeyboardInterrupt), fastrelu.patched_numpy():
        pass
    assert not fastrelu.numpy_is_patched()


def test_block_without_memory_is_undone():
    def call():
        with fastrelu.patched_numpy():
            np.maximum(0, np.ones(3))

    call()
    for _ in allocations_fail_in_turn(call):
        assert not fastrelu.numpy_is_patched()


def test_undone_leaves_no_trace():
    before = list(words_of_maximum())
    with fastrelu.patched_numpy():
        assert list(words_of_maximum()) != before
    assert list(words_of_maximum()) == before


def test_refuses_to_undo_what_another_has_changed():
    words = words_of_maximum()
    before = list(words)
    fastrelu.patch_numpy()
    try:  # np.maximum that stayed patched would fail other tests
        (slot,) = (i for i in range(len(words)) if words[i] != before[i])
        ours, words[slot] = words[slot], before[slot]
        with pytest.raises(RuntimeError, match="has been changed by another"):
            fastrelu.unpatch_numpy()
        assert fastrelu.numpy_is_patched()
        words[slot] = ours
    finally:
        fastrelu.unpatch_numpy()


def test_refuses_what_is_no_ufunc(monkeypatch):
    monkeypatch.setattr(np, "maximum", max)
    with pytest.raises(RuntimeError, match=r"cannot be patched: .* <built-in function max>"):
        fastrelu.patch_numpy()
    assert not fastrelu.numpy_is_patched()


@pytest.mark.parametrize("char", KERNEL_TYPES)
@pytest.mark.parametrize("zero_is_last", [False, True])
def test_leaves_alone_what_numpy_gives_otherwise(char, zero_is_last, monkeypatch):
    monkeypatch.setattr(np, "maximum", np.minimum)
    assert _patch._choose(zero_is_last, np.dtype(char)) is None


@pytest.mark.parametrize("char", KERNEL_TYPES)
@pytest.mark.parametrize("zero_is_last", [False, True])
def test_chooses_a_kernel(zero_is_last, char):
    kernels = [fastrelu.relu, fastrelu.relu_backward, fastrelu.add_relu]
    assert _patch._choose(zero_is_last, np.dtype(char)) in kernels


def test_calls_at_once():
    x = np.linspace(-1, 1, 5000, dtype="f4")
    expected = maximum(0, x).tobytes()
    stop = threading.Event()
    wrong = []

    def call():
        while not stop.is_set():
            if maximum(0, x).tobytes() != expected:
                wrong.append(1)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(2000):
        with fastrelu.patched_numpy():
            pass
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert not fastrelu.numpy_is_patched()


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-P", "-W", "always", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


SHOW = "import fastrelu; print(fastrelu.numpy_is_patched())"


@pytest.mark.parametrize(
    ("value", "patched"), [("1", True), (" 1 ", True), ("0", False), ("", False)]
)
def test_environment(value, patched):
    done = python(SHOW, FASTRELU_PATCH_NUMPY=value)
    assert (done.stdout, done.stderr) == (f"{patched}\n", "")


def test_wrong_environment_is_a_warning():
    done = python(SHOW, FASTRELU_PATCH_NUMPY="yes")
    assert done.stdout == "False\n"
    assert "FASTRELU_PATCH_NUMPY=yes: 1 or 0 is needed" in done.stderr


def test_environment_without_anything_compiled_is_a_warning():
    done = python(SHOW, FASTRELU_PATCH_NUMPY="1", FASTRELU_ISA="python")
    assert done.stdout == "False\n"
    assert "FASTRELU_PATCH_NUMPY=1: np.maximum cannot be patched" in done.stderr


def test_refused_without_anything_compiled():
    done = python("import fastrelu; fastrelu.patch_numpy()", FASTRELU_ISA="python")
    assert "RuntimeError: np.maximum cannot be patched: fastrelu runs its reference" in done.stderr


def test_exit_while_patched():
    code = """
import atexit, numpy as np, fastrelu
fastrelu.patch_numpy()
atexit.register(lambda: print(np.maximum(0, np.array([-1, 2]))))
"""
    done = python(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[0 2]\n", "")
