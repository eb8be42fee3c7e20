"""
Whether fastrelu answers a drawn call as NumPy and the reference do.

What becomes of types, keywords, shapes, strides, classes and errors is NumPy's machinery: the same
as in the call of one of NumPy's ufuncs with as many inputs and a loop of the same type. The type of
the loop and the values are those of fastrelu.reference, as is all that the other functions give.
"""

import functools
import warnings
from typing import NamedTuple

import numpy as np
from helpers import NEVER, OPERATIONS
from proofs.drawn_calls import INTEGERS, OF_ML_DTYPES, Memory, Taking, dtype_of

import fastrelu
from fastrelu import _core, reference

ERRORS = [TypeError, ValueError, OverflowError, FloatingPointError]
LONG = [np.dtype("g"), np.dtype("G")]
WEAK = {int: 1, float: 1.0, complex: 1j}


class UndefinedError(Exception):
    """There is nothing to compare with."""


class MismatchError(AssertionError):
    """fastrelu answers otherwise than NumPy."""


@functools.cache
def loop_dtype(function, kinds, asked):
    """Return the type of the loop for inputs of these types; None if there is none."""
    inputs = [WEAK[kind] if kind in WEAK else np.ones(0, kind) for kind in kinds]
    definition = getattr(reference, function)
    types = {kind for kind in kinds if kind not in WEAK}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if function in ("relu_backward", "clipped_relu") and not asked and len(types) > 1:
                if any(map(reference.name_in_ml_dtypes, types)):
                    # np.result_type, and so the reference, knows less of them than the ufuncs
                    asked = np.add(*inputs).dtype
            dtype = getattr(definition(*inputs, dtype=asked, casting="unsafe"), "dtype", asked)
        except TypeError:
            return None
    return dtype if asked is None or dtype == asked or is_time(dtype) else None


@functools.cache
def model_of(function, n_inputs, dtype):
    """Return a ufunc of NumPy that has a loop of this type, and as many inputs, or one more."""
    if function in ("add_relu", "subtract_relu"):
        return {"add_relu": np.add, "subtract_relu": np.subtract}[function]
    if n_inputs == 3:
        return np._core.umath.clip
    if reference.name_in_ml_dtypes(dtype):
        return np.add
    return np.positive if n_inputs == 1 else np.minimum


def is_time(dtype):
    return getattr(dtype, "kind", None) in ("m", "M")


def class_of(error):
    """Return the class of an error that a user would catch."""
    return next((kind for kind in ERRORS if isinstance(error, kind)), type(error))


def kind_of(operand):
    if type(operand) in WEAK:
        return type(operand)
    return getattr(operand, "dtype", None) or np.asarray(operand).dtype


def kinds_of(operands):
    """Return the type of each operand, or of Python for a number; objects if no integer fits."""
    if all(type(a) in WEAK for a in operands):
        objects = [np.asarray(a).dtype for a in operands if np.asarray(a).dtype.hasobject]
        if objects:
            return tuple(objects[:1] * len(operands))
    return tuple(map(kind_of, operands))


def plain(operand):
    """Return a copy of an operand, in memory of its own."""
    return operand if type(operand) in WEAK else np.array(np.ma.getdata(operand), subok=False)


def keywords_of(call, memory):
    keywords, positional = {}, ()
    if call.out is not None:
        out = memory.operand(call.out)
        if call.form == "positional":
            positional = (out,)
        else:
            keywords["out"] = out if call.form == "keyword" else (out,)
    if call.where is not None:
        keywords["where"] = memory.operand(call.where)
    if call.casting != "same_kind":
        keywords["casting"] = call.casting
    if call.order != "K":
        keywords["order"] = call.order
    if not call.subok:
        keywords["subok"] = False
    return positional, keywords


def attempt(function, inputs, keywords, caught):
    """Return the result and the error of a call, one of them None, and what it warned of."""
    caught.clear()
    result = error = None
    try:
        result = function(*inputs, **keywords)
    except Exception as raised:
        error = raised
    of_floats = {str(w.message).split()[0] for w in caught if w.category is RuntimeWarning}
    others = {w.category for w in caught} - {RuntimeWarning}
    return result, error, of_floats, others


def expect(condition, what, ours, theirs):
    if not condition:
        raise MismatchError(f"{what}: {ours!r} instead of {theirs!r}")


def expect_same_error(ours, theirs):
    expect(ours is not None and theirs is not None, "error", ours, theirs)
    expect(class_of(ours) is class_of(theirs), "error", ours, theirs)


def comparable(array):
    """Return bytes, or text of objects, that are equal where values are, bit for bit."""
    if array.dtype.hasobject:
        return repr(array.tolist())
    array = array.astype(array.dtype.newbyteorder("="), "C", copy=False)
    if array.dtype in LONG:  # whose values have bytes to spare
        array = array.reshape(-1).view("g").view("u1").reshape(-1, LONG[0].itemsize)
        return array[:, : 10 if np.finfo("g").nmant == 63 else None].tobytes()
    return array.tobytes()


def expect_same_values(ours, theirs, what, nans=None):
    """Compare bit for bit; where nans are, any NaN will do, as will whatever it was cast to."""
    theirs = np.asarray(theirs)
    ours = np.array(ours, theirs.dtype if theirs.dtype.hasobject else None, subok=False)
    if nans is not None and nans.any():
        if ours.dtype.kind in "fc":
            expect(np.isnan(ours[nans]).all(), what, ours[nans], "NaN")
        ours[nans] = theirs[nans]
    if comparable(ours) != comparable(theirs):
        differ = np.array([a != b for a, b in zip(ours.ravel(), theirs.ravel(), strict=True)])
        raise MismatchError(f"{what}: {ours!r} instead of {theirs!r}, at {np.flatnonzero(differ)}")


def steps(array):
    """Return the strides that matter: those of more than one element."""
    if not isinstance(array, np.ndarray) or array.size == 0:
        return None
    return [step for step, n in zip(array.strides, array.shape, strict=True) if n > 1]


def expect_same_kind(ours, theirs):
    # int64 is two types of NumPy, "l" and "q", whose arrays have equal dtypes.
    if not (isinstance(ours, np.integer) and isinstance(theirs, np.integer)):
        expect(type(ours) is type(theirs), "class", type(ours), type(theirs))
    expect(np.shape(ours) == np.shape(theirs), "shape", np.shape(ours), np.shape(theirs))
    dtypes = [getattr(y, "dtype", None) for y in (ours, theirs)]
    expect(dtypes[0] == dtypes[1], "dtype", *dtypes)
    if isinstance(theirs, np.ma.MaskedArray):
        masks = [np.ma.getmaskarray(y) for y in (ours, theirs)]
        expect(np.array_equal(*masks), "mask", *masks)


def expect_same_memory(ours, theirs, written, nans=None):
    """Compare all bytes around and in the operands; those written by what they stand for."""
    for operand in written:
        if operand is not None:
            views = [memory.view(operand) for memory in (ours, theirs)]
            expect_same_values(*views, "written", nans)
            views[0][...] = views[1]
    if not np.array_equal(ours.bytes, theirs.bytes):
        at = np.flatnonzero(ours.bytes != theirs.bytes)
        raise MismatchError(f"memory: {at.size} bytes differ, from {at[0]} on")
    if ours.objects is not None:
        expect_same_values(ours.objects, theirs.objects, "objects")


def check(call, caught):
    """
    Return what both answer, "result", "error" or "taken over"; raise if they differ.

    caught is the list to which warnings are appended.
    """
    memory = Memory(call)
    if call.shared:
        before = _core.get_thresholds()
        _core.set_thresholds(1, 1, 1, 1, 1, 0, NEVER)
    try:
        if call.function in OPERATIONS:
            return check_operation(call, memory, caught)
        return check_function(call, memory, caught)
    finally:
        if call.shared:
            _core.set_thresholds(*before)


def skip_undefined(call, kinds):
    """Raise an error for a call of which neither NumPy nor the reference says what it gives."""
    arrays = {kind for kind in kinds if kind not in WEAK}
    types = arrays | ({dtype_of(call.out.dtype)} if call.out else set())
    if any(map(reference.name_in_ml_dtypes, types)) and len(types) > 1:
        if call.dtype or (call.out and (len(set(kinds)) > 1 or np.dtype("?") in kinds)):
            # Which loop NumPy takes, np.add's too, depends on the output, and for later calls on
            # that of the first.
            raise UndefinedError("a type of ml_dtypes beside others, with an output")
    fused = call.function in ("add_relu", "subtract_relu") and not (call.dtype or call.signature)
    if fused and len(arrays) > 1 and any(kind.kind in "SUTV" for kind in arrays):
        # As np.hypot: after a call with an output of objects NumPy takes their loop without one.
        raise UndefinedError("a text beside another type: earlier calls decide")
    infinite = any(type(a.number) is float and not np.isfinite(a.number) for a in call.inputs)
    if infinite and call.casting == "unsafe" and call.dtype in INTEGERS:
        raise UndefinedError("an infinity as an integer")
    if call.dtype in OF_ML_DTYPES and len(arrays) < len(kinds):
        raise UndefinedError("a number beside a type that it may not fit")
    if call.casting in ("no", "equiv") and arrays == {np.dtype("?")}:
        raise UndefinedError("NumPy has no loops from bool to integers")
    if any(map(is_time, arrays)) and (call.dtype or call.signature) and len(kinds) > 1:
        raise UndefinedError("np.add goes by the types of its inputs, or by those asked for")
    of_objects = {call.dtype, call.signature[:1]} & {"O"} or any(a.hasobject for a in arrays)
    if of_objects and call.out and call.out.dtype != "O":
        raise UndefinedError("objects below zero may not fit the output, and NumPy has them")
    if any(map(is_time, arrays)) and call.out and call.out.dtype == "O":
        raise UndefinedError("which loop NumPy takes depends on the output")
    if call.function == "add_relu" and arrays == {np.dtype("?")} and call.dtype in ("l", "q"):
        raise UndefinedError("the loop of bool, whose result is an integer, or that of integers")


class Answer(NamedTuple):
    """What a call of NumPy's gives; the values are an array, and any NaN will do where nans is."""

    result: object = None
    error: Exception = None
    warned: set = frozenset()
    values: np.ndarray = None
    nans: np.ndarray = None
    floats: set = None  # floating-point warnings, where they are all those of the arithmetic


def loop_of(call, kinds):
    """Return the type of the loop that a call takes; None if there is none."""
    given = tuple(dict.fromkeys(call.signature.replace("->", "")))
    if len(given) > 1:
        return None
    if given:  # NumPy then looks at no input for the loop
        asked = np.dtype(given[0])
        kinds = (asked,) * len(kinds)
    else:
        asked = dtype_of(call.dtype) if call.dtype else None
    dtype = loop_dtype(call.function, kinds, asked)
    # int64 and the like are two types of NumPy, which are equal
    return asked if asked and dtype and not is_time(dtype) else dtype


def answer_of_numpy(call, memory, caught):
    """Return the answer of one of NumPy's ufuncs, with the values of the reference."""
    inputs = [memory.operand(a) for a in call.inputs]
    copies = [plain(a) for a in inputs]
    kinds = kinds_of(copies)
    skip_undefined(call, kinds)
    dtype = loop_of(call, kinds)
    if dtype is None:
        is_read_only = call.out is not None and not call.out.writable
        return Answer(error=ValueError() if is_read_only else TypeError())

    model = model_of(call.function, len(inputs), dtype)
    given = inputs * 2 if model.nin > len(inputs) else inputs
    out, keywords = keywords_of(call, memory)
    if out:  # which np.minimum deprecates
        keywords["out"] = out[0]
    if (call.dtype or call.signature) and not reference.name_in_ml_dtypes(dtype):
        keywords |= types_of(call)
    elif not any(map(is_time, kinds)):
        keywords["signature"] = (type(dtype),) * (model.nin + 1)
    result, error, _, warned = attempt(model, given, keywords, caught)
    if error is not None:
        return Answer(error=error)

    out = None if call.out is None else memory.view(call.out)
    where = memory.operand(call.where) if call.where is not None else True
    values = np.zeros(np.shape(result) if out is None else out.shape, dtype)
    if call.signature:
        with np.errstate(all="ignore"):
            cast = all(type(a) in WEAK for a in copies)  # beside an array a number is one of Python
            copies = [
                a if type(a) in WEAK and not cast else np.asarray(a).astype(dtype) for a in copies
            ]
    keywords = {"casting": "unsafe", "out": values, "where": where}
    if len(set(kinds)) > 1 or (call.dtype and not is_time(dtype)):
        keywords["dtype"] = None if is_time(dtype) else dtype
    _, error, floats, _ = attempt(getattr(reference, call.function), copies, keywords, caught)
    if error is not None:  # in the arithmetic of objects
        return Answer(error=error)
    # The reference computes before it broadcasts to the output.
    of_numbers = call.signature and not {*kinds} - WEAK.keys()
    is_cast = of_numbers or {*kinds} - {dtype, *WEAK} or (out is not None and out.dtype != dtype)
    floats = None if is_cast or values.size == 0 else floats
    has_nans = OPERATIONS[call.function].status == "ieee" and dtype.kind in "fc"
    nans = np.isnan(values) & where if has_nans else None
    if out is None:
        return Answer(result, None, warned, values, nans, floats)
    with np.errstate(all="ignore"):
        np.copyto(out, values, casting="unsafe", where=where)
    return Answer(result, None, warned, out, nans, floats)


def types_of(call):
    """Return the keyword that asks for a loop."""
    if call.dtype:
        return {"dtype": dtype_of(call.dtype)}
    return {"signature": call.signature} if call.signature else {}


def check_operation(call, mine, caught):
    theirs = mine.copy()
    ufunc = getattr(fastrelu.implementations[call.isa], call.function)
    inputs = tuple(mine.operand(a) for a in call.inputs)
    out, keywords = keywords_of(call, mine)
    keywords |= types_of(call)

    if any(type(a) is Taking for a in inputs):
        asked, error, *_ = attempt(ufunc, (*inputs, *out), keywords, caught)
        expect(error is None, "error", error, None)
        expect(asked[:3] == (ufunc, "__call__", inputs), "taken over", asked, inputs)
        return "taken over"

    answer = answer_of_numpy(call, theirs, caught)
    result, error, floats, warned = attempt(ufunc, (*inputs, *out), keywords, caught)
    if error is not None or answer.error is not None:
        expect_same_error(error, answer.error)
        if not any(a.dtype == "O" for a in call.inputs):  # in whose arithmetic it may be raised
            expect_same_memory(mine, theirs, ())
        return "error"
    expect(warned == answer.warned, "warnings", warned, answer.warned)
    if answer.floats is not None:
        expect(floats == answer.floats, "floating-point warnings", floats, answer.floats)
    if call.out is not None:
        (given,) = out or [keywords["out"]]
        expect(result is (given[0] if call.form == "tuple" else given), "result", result, "out")
    if not answer.values.dtype.hasobject or isinstance(answer.result, np.ndarray):
        expect_same_kind(result, answer.result)
    expect(steps(result) == steps(answer.result), "strides", steps(result), steps(answer.result))
    if result is not np.ma.masked:
        expect_same_values(np.ma.getdata(result), answer.values, "values", answer.nans)
    expect_same_memory(mine, theirs, (call.out,), answer.nans)
    return "result"


def options_of(call, memory):
    """Return the inputs and keywords of a function that is no ufunc."""
    inputs, keywords = [memory.operand(call.inputs[0])], {}
    if call.function == "relu_backward_from_mask":
        inputs.append(memory.operand(call.mask))
    elif call.mask is not None:
        keywords["mask"] = memory.operand(call.mask)
    if call.out is not None:
        keywords["out"] = memory.operand(call.out)
    if call.function in ("relu_derivative", "relu_with_mask"):
        keywords["at_zero"] = call.at_zero
    if call.function in reference.REDUCTIONS:
        keywords["axis"] = call.axis
    if call.function in ("relu_sum", "relu_mean"):
        keywords |= {"threshold": call.threshold, "keepdims": call.keepdims}
        if call.dtype:
            keywords["dtype"] = call.dtype
    return inputs, keywords


def sum_in_float64(call, inputs, keywords):
    keywords = {name: value for name, value in keywords.items() if name != "out"}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(getattr(reference, call.function)(*inputs, **keywords | {"dtype": "d"}))


def check_function(call, mine, caught):
    theirs = mine.copy()
    function = getattr(fastrelu.implementations[call.isa], call.function, fastrelu.relu_derivative)
    inputs, given = options_of(call, mine)
    results, error, floats, warned = attempt(function, inputs, given, caught)
    of_theirs, their_given = options_of(call, theirs)
    copies = [plain(a) for a in of_theirs]
    expected, their_error, their_floats, their_warned = attempt(
        getattr(reference, call.function), of_theirs, their_given, caught
    )
    if error is not None or their_error is not None:
        expect_same_error(error, their_error)
        expect_same_memory(mine, theirs, ())
        return "error"
    expect(warned == their_warned, "warnings", warned, their_warned)
    expect(floats == their_floats, "floating-point warnings", floats, their_floats)
    if not isinstance(expected, tuple):
        results, expected = (results,), (expected,)
    for name, ours, answer in zip(("out", "mask"), results, expected, strict=False):
        if their_given.get(name) is answer:
            expect(ours is given[name], "result", ours, name)
        expect_same_kind(ours, answer)
        values = np.asarray(answer)
        is_sum = call.function in ("relu_sum", "relu_mean") and values.dtype.kind == "f"
        # np.sum adds float16 in float16 along some axes, the kernels never do.
        if is_sum and values.dtype == np.float16 and comparable(ours) != comparable(values):
            values = sum_in_float64(call, copies, their_given).astype(values.dtype)
        expect_same_values(ours, values, name, np.isnan(values) if is_sum else None)
    expect_same_memory(mine, theirs, (call.out, call.mask))
    return "result"
