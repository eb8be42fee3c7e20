"""Calls drawn from bytes: what is called, the operands and their memory, and the keywords."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from calls import Tagged
from helpers import MIN_CHUNK, OPERATIONS, SENTINEL

import fastrelu

try:
    import ml_dtypes
except ModuleNotFoundError:  # its types are then not drawn
    ml_dtypes = None

BITS_OF_ML_DTYPES = {
    "bfloat16": 16,
    **dict.fromkeys(
        ["float8_e3m4", "float8_e4m3", "float8_e4m3fn", "float8_e4m3b11fnuz", "float8_e4m3fnuz"], 8
    ),
    **dict.fromkeys(["float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"], 8),
    **dict.fromkeys(["float6_e2m3fn", "float6_e3m2fn"], 6),
    **dict.fromkeys(["float4_e2m1fn", "int4", "uint4"], 4),
    **dict.fromkeys(["int2", "uint2"], 2),
    **dict.fromkeys(["int1", "uint1"], 1),
}
OF_ML_DTYPES = [name for name in BITS_OF_ML_DTYPES if hasattr(ml_dtypes, name)]
FLOATS = ["f", "d", "e", "g"]
INTEGERS = [*"bBhHiIlLqQ"]
DTYPES = [*FLOATS, *INTEGERS, "?", *"FDGO", "m8[s]", "M8[s]", "U3", "S3", *OF_ML_DTYPES]
FUNCTIONS = [
    "relu_derivative",
    "relu_with_mask",
    "relu_backward_from_mask",
    "relu_sum",
    "relu_mean",
    "activity",
    "dead_units",
]
ANY_BITS = [*"fdeFD", *INTEGERS, *(name for name in OF_ML_DTYPES if "float8" in name)]
CONTAINERS = ["array", "number", "scalar", "list", "tagged", "memmap", "masked", "offers", "takes"]
# The reference returns a plain array for these.
NOT_OF_FUNCTIONS = {name: ["tagged", "masked", "offers", "takes"] for name in FUNCTIONS}
NOT_OF_FUNCTIONS |= {name: ["takes"] for name in FUNCTIONS if "mask" in name}
NUMBERS = [1, 0, 2, -1, 0.5, -0.0, 0.0, 100, 6.0, 300, 70_000, -200, 2**40, True, 2j]
NUMBERS += [float("inf"), float("nan"), 1e-30]
CASTINGS = ["same_kind", "unsafe", "safe", "equiv", "no"]
ORDERS = ["K", "C", "F", "A"]
FORMS = ["keyword", "positional", "tuple"]


class Brief:
    """Shows the fields that are not the default's."""

    def __repr__(self):
        shown = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True, repr=False)
class Operand(Brief):
    """
    An operand, and where it lies in memory.

    axes are the numbers of its axes, the innermost of its memory first. A step is that of an axis,
    as in a slice; 0 repeats one element. gap bytes lie between neighbours. The operand begins
    shift bytes after a multiple of 64, or after the lowest byte of the first input.
    """

    dtype: str = "f"
    shape: tuple = (3,)
    axes: tuple = ()
    steps: tuple = ()
    gap: int = 0
    shift: int = 0
    overlaps: bool = False
    swapped: bool = False
    writable: bool = True
    container: str = "array"
    start: int = 0
    number: object = None


@dataclass(frozen=True, repr=False)
class Call(Brief):
    """A function, its inputs, and the keywords that are not their defaults."""

    function: str = "relu"
    isa: str = ""
    inputs: tuple = ()
    out: Operand = None
    form: str = "keyword"
    where: object = None
    casting: str = "same_kind"
    order: str = "K"
    subok: bool = True
    dtype: str = ""
    signature: str = ""
    calm: bool = False
    shared: bool = False
    at_zero: int = 0
    mask: Operand = None
    axis: object = None
    keepdims: bool = False
    threshold: object = 0


class Choices:
    """Bytes as choices: 0, and what is beyond the end, is the first and simplest."""

    def __init__(self, data):
        self.data = iter(data)

    def one_of(self, options):
        return options[next(self.data, 0) % len(options)]

    def once_in(self, n):
        return next(self.data, 0) > 255 - 256 // n


# ------------------------------------------------------------------------------- draw

ISAS = list(fastrelu.implementations)
SMALL = [3, 1, 2, 4, 5, 0, 7, 8, 16, 17, 33, 67]
LARGE = [(40_000,), (3, 9000), (150, 200), (9000, 3), (2, 3, 5000), (520,), (1100,)]
NDIMS = [1, 1, 2, 2, 2, 3, 0, 4]
SHIFTS = [0, 0, 1, -1, 2, -2, 3, 4, -4, 8, -8, 12, 16, -16, 24, 32, 40]
FAR_SHIFTS = [0, 4, -4, 8, 3 * MIN_CHUNK // 2, MIN_CHUNK + 4, MIN_CHUNK // 2, -MIN_CHUNK // 2]
STEPS = [1, 1, 1, 1, -1, 2, -2, 3]
MOST_ELEMENTS = 1200
BYTES = 80  # which a call may draw


def draw(data):
    """Return the call that bytes stand for."""
    choices = Choices(data)
    function = choices.one_of([*OPERATIONS, *OPERATIONS, *OPERATIONS, *FUNCTIONS])
    isa = choices.one_of(ISAS)
    shape = draw_shape(choices)
    large = int(np.prod(shape)) > MOST_ELEMENTS
    call = {"function": function, "isa": isa, "shared": choices.once_in(2 if large else 5)}
    if function in OPERATIONS:
        n_inputs = OPERATIONS[function].inputs
        dtype = choices.one_of(usual_dtypes(function))
        inputs = [draw_input(choices, dtype, shape, i, n_inputs) for i in range(n_inputs)]
        call |= draw_keywords(choices, n_inputs, dtype, shape)
    else:
        dtype = choices.one_of(usual_dtypes("relu"))
        inputs = [draw_input(choices, dtype, shape, 0, 1)]
        if inputs[0].container in NOT_OF_FUNCTIONS[function]:
            inputs[0] = dataclasses.replace(inputs[0], container="array")
        call |= draw_options(choices, function, dtype, shape)
    if not all(a.dtype in ANY_BITS for a in inputs):  # one would change the other's values
        inputs = [dataclasses.replace(a, overlaps=False, shift=max(a.shift, 0)) for a in inputs]
    return Call(inputs=tuple(inputs), **call)


def usual_dtypes(function):
    """Return the types that an operation takes, more or less."""
    types = [*OPERATIONS[function].types]
    if function in ("add_relu", "subtract_relu"):
        return [*types, *types, "g", "?", "O", "m8[s]", *"FDG"]
    if "B" in types:
        others = [*"FDG", "O", "m8[s]"] if function == "relu" else []
        return [*types, *types, "g", "?", *others, *OF_ML_DTYPES]
    return [*types, *types, *types, "g"]


def draw_shape(choices):
    if choices.once_in(64):
        return choices.one_of(LARGE)
    ndim, size, shape = choices.one_of(NDIMS), 1, []
    for _ in range(ndim):
        length = choices.one_of(SMALL)
        if size * length > MOST_ELEMENTS:
            length = 2
        size *= max(length, 1)
        shape.append(length)
    return tuple(shape)


def draw_input(choices, dtype, shape, number, n_inputs):
    if choices.once_in(6):
        dtype = choices.one_of(DTYPES)
    container = "array"
    if choices.once_in(4):
        container = choices.one_of(CONTAINERS)
    if n_inputs > 1 and choices.once_in(3):
        kind = choices.one_of(["zero_d", "row", "column", "some", "other"])
        shape = {
            "zero_d": (),
            "row": shape[-1:],
            "column": (*shape[:-1], 1) if shape else (),
            "some": tuple(1 if choices.once_in(3) else n for n in shape),
            "other": (*shape, 2),
        }[kind]
    if container == "number":
        return Operand(container="number", number=choices.one_of(NUMBERS))
    overlaps = number > 0 and choices.once_in(8)
    return draw_operand(choices, dtype, shape, container, overlaps, repeats=True)


def draw_operand(choices, dtype, shape, container="array", overlaps=False, repeats=False):
    axes, steps, gap, shift, swapped = (), (), 0, 0, False
    if choices.once_in(2):
        ndim = len(shape)
        if ndim > 1 and choices.once_in(2):
            turn = choices.one_of(range(ndim))
            axes = (*range(ndim)[turn:], *range(ndim)[:turn])
        steps = tuple(choices.one_of(STEPS) for _ in shape)
        if repeats and choices.once_in(8):
            steps = tuple(0 if choices.once_in(2) else step for step in steps)
        if choices.once_in(4):
            gap, shift = choices.one_of([0, 1, 3, 8]), choices.one_of([0, 1, 2, 4, 5])
        swapped = choices.once_in(10)
    if overlaps:
        large = int(np.prod(shape)) > MOST_ELEMENTS
        shift = choices.one_of(FAR_SHIFTS if large else SHIFTS)
    if dtype == "O":
        gap = shift = 0
    return Operand(
        dtype=dtype,
        shape=shape,
        axes=axes,
        steps=() if all(step == 1 for step in steps) else steps,
        gap=gap,
        shift=shift,
        overlaps=overlaps,
        swapped=swapped,
        container=container,
        start=choices.one_of(range(256)),
    )


def draw_out(choices, dtype, shape):
    if choices.once_in(5):
        dtype = choices.one_of(DTYPES)
    if choices.once_in(8):
        shape = choices.one_of([(2, *shape), shape[1:], (*shape, 1), tuple(n + 1 for n in shape)])
    container = choices.one_of(["array"] * 6 + ["tagged", "memmap"])
    overlaps = dtype != "O" and choices.once_in(3)
    out = draw_operand(choices, dtype, shape, container, overlaps)
    return dataclasses.replace(out, writable=not choices.once_in(20))


def draw_keywords(choices, n_inputs, dtype, shape):
    found = {}
    if choices.once_in(3):
        return found
    if choices.once_in(2):
        found["out"] = draw_out(choices, dtype, shape)
        found["form"] = choices.one_of(FORMS)
        if choices.once_in(3):
            kind = choices.one_of(["array", True, False, "row", "integers"])
            if isinstance(kind, bool):
                found["where"] = kind
            else:
                where = shape[-1:] if kind == "row" else shape
                found["where"] = draw_operand(choices, "i" if kind == "integers" else "?", where)
    if choices.once_in(3):
        found["casting"] = choices.one_of(CASTINGS)
        found["calm"] = found["casting"] == "unsafe"
    if choices.once_in(4):
        found["order"] = choices.one_of(ORDERS)
    if choices.once_in(8):
        found["subok"] = False
    if choices.once_in(3):
        asked = dtype if choices.once_in(2) else choices.one_of([*FLOATS, *INTEGERS, *"FDO"])
        if len(asked) == 1 and choices.once_in(2):
            other = choices.one_of([asked, asked, asked, "d"])
            found["signature"] = f"{asked * (n_inputs - 1)}{other}->{asked}"
        else:
            found["dtype"] = asked
    return found


def draw_options(choices, function, dtype, shape):
    if function == "relu_derivative":
        return {"at_zero": choices.one_of([0, 1])}
    if "mask" in function:
        found = {}
        bits = (-(-int(np.prod(shape)) // 8),)
        if function == "relu_with_mask":
            found["at_zero"] = choices.one_of([0, 1])
        if function == "relu_backward_from_mask" or choices.once_in(3):
            size = bits if not choices.once_in(10) else (bits[0] + 1,)
            found["mask"] = dataclasses.replace(
                draw_mask(choices, size), writable=not choices.once_in(10)
            )
        if choices.once_in(2):
            found["out"] = draw_out(choices, dtype, shape)
        return found
    axes = [*range(len(shape)), None, -1, len(shape), (), (0, 1), (0, -1)]
    found = {"axis": choices.one_of(axes)}
    if function in ("relu_sum", "relu_mean"):
        found["calm"] = True
        found["threshold"] = choices.one_of([0, 1, 0.5, 0.0, float("nan"), -1])
        found["keepdims"] = choices.once_in(4)
        if choices.once_in(4):
            found["dtype"] = choices.one_of(["d", "f", "l", "e"])
        if choices.once_in(4):
            axis = found["axis"]
            kept = [n for i, n in enumerate(shape) if axis is not None and i != axis]
            out = draw_out(choices, found.get("dtype", dtype), tuple(kept))
            # np.sum of floats into an array of objects ends the process: NumPy 2.4.6
            found["out"] = dataclasses.replace(out, dtype="f" if out.dtype == "O" else out.dtype)
    return found


def draw_mask(choices, size):
    return Operand("B", size, start=choices.one_of(range(256)))


# ------------------------------------------------------------------------------ build


def dtype_of(name):
    return np.dtype(getattr(ml_dtypes, name)) if name in BITS_OF_ML_DTYPES else np.dtype(name)


def calm_values(dtype, name):
    """Return small numbers, which every type holds as they are."""
    whole = np.array([1, -1, 2, 0, 3, -2, 1, -3, 0, 2, 1, 1, -1, 3, 2, -2] * 16)
    if name in ("M8[s]", "U3", "S3"):
        return np.arange(256).astype(dtype)
    if dtype.kind in "ub" or name.startswith("u") or name == "float8_e8m0fnu":
        whole = abs(whole)
    if name in BITS_OF_ML_DTYPES:
        return np.minimum(np.maximum(whole, -1), 1).astype("f").astype(dtype)
    return whole.astype(dtype)


def wild_values(dtype, name):
    """Return the extremes of a type, NaN of every kind, and bits at random."""
    rng = np.random.default_rng(0)
    if name in BITS_OF_ML_DTYPES:
        patterns = np.arange(1 << BITS_OF_ML_DTYPES[name], dtype=f"u{dtype.itemsize}")
        return np.resize(rng.permutation(patterns), 1024).view(dtype)
    if dtype.kind == "O":
        return np.array([-3, 0, 5, -2.5, 2.5, True, 10**30, -(10**30), float("nan")], "O")
    if dtype.kind == "m":
        return np.array([-5, 0, 5, "NaT", -1, 1, 2**40, -(2**40)], dtype)
    if dtype.kind in "iu":
        info, values = np.iinfo(dtype), rng.bytes(256 * dtype.itemsize)
        edges = [info.min, info.max, info.max // 2, info.max // 2 + 1, info.min // 2]
        return np.append(np.array(edges * 4, dtype), np.frombuffer(values, dtype))
    if dtype.kind in "fc":
        part = np.dtype({"F": "f", "D": "d", "G": "g"}.get(name, name))
        info = np.finfo(part)
        edges = [0, info.tiny, info.smallest_subnormal, info.max, np.inf, np.nan, 1, info.eps, 7]
        values = np.array([*edges, *(-value for value in edges)] * 4, part)
        if part.char != "g":
            bits = np.dtype(f"u{part.itemsize}")
            quiet = np.array(np.nan, part).view(bits)
            signalling = quiet ^ np.array(3 << (info.nmant - 1), bits) ^ (1 << info.nmant)
            values = np.concatenate(
                [
                    values,
                    np.frombuffer(rng.bytes(256 * part.itemsize), part),
                    np.array([quiet | 1, signalling | 1], bits).view(part),
                ]
            )
        if dtype.kind == "c":
            pairs = np.empty((values.size, 2), part)
            pairs[:, 0], pairs[:, 1] = values, rng.permutation(values)
            return pairs.view(dtype)[:, 0]
        return values
    return calm_values(dtype, name)


def pools_of(name):
    dtype = dtype_of(name)
    calm, wild = calm_values(dtype, name), wild_values(dtype, name)
    with np.errstate(all="ignore"):
        wild = np.random.default_rng(1).permutation(np.concatenate([wild, calm[:64]]))
    # Long enough that a slice from any start is a small call's operand.
    return tuple(np.resize(pool, MOST_ELEMENTS + 512) for pool in (calm, wild))


POOLS = {name: pools_of(name) for name in DTYPES}


class Taking:
    """Takes over every ufunc that it meets, and returns what it was asked."""

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        return ufunc, method, inputs, keywords


class Offering:
    """Not an array: offers one, in memory of its own."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array.astype(dtype or self.array.dtype)


def strides_and_extent(operand, itemsize):
    """Return the strides, and the bytes below and above the first element."""
    ndim = len(operand.shape)
    strides, size, low, high = [0] * ndim, itemsize + operand.gap, 0, itemsize
    steps = operand.steps or (1,) * ndim
    for axis in operand.axes or range(ndim)[::-1]:
        length, step = operand.shape[axis], steps[axis]
        stride = strides[axis] = size * step
        if length > 1:
            low += min(stride, 0) * (length - 1)
            high += max(stride, 0) * (length - 1)
        size *= max(length, 1) * max(abs(step), 1)
    return strides, low, high


class Memory:
    """The operands of a call, one behind the other or over the first, and the bytes around them."""

    def __init__(self, call):
        self.call = call
        self.places = {}
        self.sizes = {False: 64, True: 8}  # of bytes, and of objects
        first = None
        where = [call.where] if isinstance(call.where, Operand) else []
        for operand in (*call.inputs, call.out, call.mask, *where):
            if operand is None or operand.container == "number":
                continue
            dtype = dtype_of(operand.dtype)
            strides, low, high = strides_and_extent(operand, dtype.itemsize)
            of_objects = dtype.hasobject
            begin = self.sizes[of_objects] * (8 if of_objects else 1)
            if operand.overlaps and first is not None and not of_objects:
                begin = max(first + operand.shift, 0)
            else:
                begin = -(-begin // 64) * 64 + max(operand.shift, 0)
            if first is None and not of_objects:
                first = begin
            end = begin - low + high
            self.places[id(operand)] = dtype, strides, begin - low
            self.sizes[of_objects] = max(
                self.sizes[of_objects], -(-end // 8) + 8 if of_objects else end + 64
            )
        self.bytes = np.full(self.sizes[False], SENTINEL, "u1")
        self.objects = np.full(self.sizes[True], 77, "O") if self.sizes[True] > 8 else None
        for operand in (call.out, *call.inputs, call.mask, *where):
            if operand is not None and operand.container != "number":
                self.fill(operand)

    def fill(self, operand):
        view = self.view(operand)
        if view.size:
            pool = POOLS[operand.dtype][not self.call.calm]
            start = operand.start
            if view.size <= MOST_ELEMENTS:
                values = pool[start : start + view.size]
            else:
                values = np.resize(pool[start:], view.size)
            view[...] = values.reshape(view.shape)

    def copy(self):
        other = object.__new__(Memory)
        other.call, other.places = self.call, self.places
        other.bytes = self.bytes.copy()
        other.objects = None if self.objects is None else self.objects.copy()
        return other

    def view(self, operand):
        """Return the operand as an array."""
        dtype, strides, begin = self.places[id(operand)]
        if dtype.hasobject:
            return np.lib.stride_tricks.as_strided(
                self.objects[begin // 8 :], operand.shape, strides
            )
        if operand.swapped:
            dtype = dtype.newbyteorder()
        return np.ndarray(operand.shape, dtype, self.bytes, begin, strides)

    def operand(self, operand):
        """Return the operand as it is given to a function."""
        if not isinstance(operand, Operand):
            return operand
        if operand.container == "number":
            return operand.number
        view = self.view(operand)
        if not operand.writable:
            view.flags.writeable = False
        return CONTAINED[operand.container](view)


CONTAINED = {
    "array": lambda view: view,
    "scalar": lambda view: view.ravel()[0] if view.size else view,
    "list": lambda view: view.tolist() if view.dtype.kind in "bif" else view,
    "tagged": lambda view: view.view(Tagged),
    "memmap": lambda view: view.view(np.memmap),
    "masked": lambda view: np.ma.array(
        view, mask=np.arange(view.size).reshape(view.shape) % 3 == 0
    ),
    "offers": Offering,
    "takes": lambda view: Taking(),
}


# ------------------------------------------------------------------------------ count


def layout_of(operand):
    """Return the words for the memory of an operand."""
    steps, words = operand.steps, []
    for word, found in (
        ("other order of axes", operand.axes),
        ("negative step", any(step < 0 for step in steps)),
        ("gaps", operand.gap or any(abs(step) > 1 for step in steps)),
        ("step 0", 0 in steps),
        ("misaligned", (operand.gap or operand.shift) % dtype_of(operand.dtype).itemsize),
        ("swapped", operand.swapped),
        ("overlap", operand.overlaps),
        ("no element", 0 in operand.shape),
    ):
        if found:
            words.append(word)
    return words or ["plain"]


def beside(shape, whole):
    """Return the word for the shape of an operand beside another."""
    if shape == whole:
        return "whole"
    if not shape:
        return "zero_d"
    if shape == whole[-1:]:
        return "row"
    return "column" if shape == (*whole[:-1], 1) else "broadcast"


def traits(call):
    """Return what a call is an example of, to be counted."""
    found = [f"function: {call.function}", f"set: {call.isa}", f"shared: {call.shared}"]
    whole = max((a.shape for a in call.inputs if a.container != "number"), key=len, default=())
    found.append(f"axes: {len(whole)}")
    for operand in call.inputs:
        found.append(f"input: {operand.container}")
        if operand.container != "number":
            found.append(f"dtype: {operand.dtype}")
            found += [f"input: {word}" for word in layout_of(operand)]
            found.append(f"input: {beside(operand.shape, whole)}")
    if call.out is not None:
        found += [f"out: {word}" for word in layout_of(call.out)]
        found += [f"out: {call.out.container}", f"out: {call.form}"]
        found.append(f"out: {'writable' if call.out.writable else 'read-only'}")
        found.append(f"out: {'same' if call.out.shape == whole else 'other'} shape")
        same = call.out.dtype == call.inputs[0].dtype
        found.append(f"out: {'same' if same else 'other'} dtype")
    where = call.where
    found.append(f"where: {where.dtype if isinstance(where, Operand) else where}")
    found += [f"casting: {call.casting}", f"order: {call.order}", f"subok: {call.subok}"]
    found += [f"dtype=: {bool(call.dtype)}", f"signature=: {bool(call.signature)}"]
    found += [f"at_zero: {call.at_zero}", f"keepdims: {call.keepdims}"]
    found.append(f"mask: {call.mask is not None}")
    return found


LAYOUTS = ["plain", "other order of axes", "negative step", "gaps", "misaligned", "swapped"]
TRAITS = [
    *(f"function: {name}" for name in [*OPERATIONS, *FUNCTIONS]),
    *(f"set: {name}" for name in ISAS),
    *(f"dtype: {name}" for name in DTYPES),
    *(f"axes: {n}" for n in range(5)),
    *(f"input: {word}" for word in [*CONTAINERS, *LAYOUTS, "step 0", "overlap", "no element"]),
    *(f"input: {word}" for word in ["whole", "zero_d", "row", "column", "broadcast"]),
    *(f"out: {word}" for word in [*LAYOUTS, "overlap", "no element", "array", "tagged", "memmap"]),
    *(f"out: {word}" for word in [*FORMS, "writable", "read-only", "same shape", "other shape"]),
    *(f"out: {word}" for word in ["same dtype", "other dtype"]),
    *(f"where: {word}" for word in ["None", "True", "False", "?", "i"]),
    *(f"casting: {word}" for word in CASTINGS),
    *(f"order: {word}" for word in ORDERS),
    *(
        f"{name}: {value}"
        for name in ["shared", "subok", "dtype=", "signature=", "keepdims", "mask"]
        for value in [True, False]
    ),
    "at_zero: 0",
    "at_zero: 1",
]
