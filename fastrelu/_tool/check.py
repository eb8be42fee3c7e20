"""The self-test: every instruction set of this CPU against the reference, bit for bit."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

import fastrelu

from .. import reference
from .operations import MAX_LANES, OPERATIONS, REAL_TYPES, types_of

SMALL = 4099
LENGTHS = (*range(2 * MAX_LANES + 2), SMALL, 50_021)
LARGE = {"f": 2_000_003}  # exceeds most caches; one type is enough, for all share that path
MASK_OPERATION = "relu"  # whose types have kernels for masks
SENTINEL = 85


def _select(condition, a, b):
    bits = f"u{a.itemsize}"  # in NumPy 2.0 np.where fails on types of ml_dtypes
    return np.where(condition, a.view(bits), b.view(bits)).view(a.dtype)


def _zero_where(condition, values):
    return _select(condition, np.zeros((), values.dtype), values)


# The fallback is the reference, so it is checked against these definitions instead.
DEFINITIONS = SimpleNamespace(
    relu=lambda x: _zero_where(x < 0, x),
    relu_backward=lambda grad, x: _zero_where(x <= 0, grad),
    add_relu=lambda x, y: _zero_where(x + y < 0, x + y),
    subtract_relu=lambda x, y: _zero_where(x - y < 0, x - y),
    leaky_relu=lambda x, slope: _select(x < 0, x * slope, x),
    leaky_relu_backward=lambda grad, x, slope: _select(x <= 0, grad * slope, grad),
    clipped_relu=lambda x, cap: _select(
        (x == x) & ((x > cap) | (cap < 0) | (cap != cap)), cap, DEFINITIONS.relu(x)
    ),
    clipped_relu_backward=lambda grad, x, cap: _zero_where((x == x) & ~((x > 0) & (x < cap)), grad),
    soft_threshold=lambda x, t: _select(x != x, x, np.sign(x) * DEFINITIONS.relu(np.abs(x) - t)),
    soft_threshold_backward=lambda grad, x, t: _zero_where((-t <= x) & (x <= t), grad),
    relu_with_mask=lambda x, at_zero: (
        DEFINITIONS.relu(x),
        np.packbits(~(x < 0) if at_zero else ~(x <= 0), bitorder="little"),
    ),
    relu_sum=lambda x, axis: np.where(x > 0, x, x.dtype.type(0)).sum(axis),
    relu_mean=lambda x, axis, threshold=0: np.where(
        x > threshold, x - x.dtype.type(threshold), x.dtype.type(0)
    ).mean(axis),
    activity=lambda x, axis: np.greater(x, 0).mean(axis),
    dead_units=lambda x, axis: np.logical_not(np.greater(x, 0).any(axis)),
    relu_backward_from_mask=lambda grad, mask: _zero_where(
        np.unpackbits(mask, bitorder="little")[: grad.size] == 0, grad
    ),
)


_WITHOUT_BITS = [np.dtype(char).num for char in "gGO"]


class Result(NamedTuple):
    """The result for one implementation: values compared, and the first mismatch or None."""

    name: str
    comparisons: int
    mismatch: str | None


def check():
    """
    Check every implementation against the reference, or the fallback if none was compiled.

    Yields
    ------
    Result
        One for each instruction set that this CPU runs, best first; else one named "python".
    """
    for name, functions in fastrelu.implementations.items():
        yield _check(name, functions, reference)
    if not fastrelu.implementations:
        with np.errstate(invalid="ignore"):  # from the comparisons of ml_dtypes
            result = _check("python", fastrelu, DEFINITIONS)
        yield result


def first_difference(got, expected):
    """Return the index, in memory order, of the first element that differs in a bit, or None."""
    got, expected = np.ravel(got, "K"), np.ravel(expected, "K")
    if got.dtype.num in _WITHOUT_BITS:  # padding bytes and pointers are not values
        differs = unequal(got, expected)
    else:
        width = min(got.dtype.itemsize, 8)
        differs = got.view(f"u{width}") != expected.view(f"u{width}")
        differs = differs.reshape(got.size, got.dtype.itemsize // width).any(axis=1)
    return int(differs.argmax()) if differs.any() else None


def unequal(a, b):
    """Return where two arrays differ in value, NaN and NaT counting as equal to themselves."""
    return ~((a == b) | ((a != a) & (b != b))).astype(bool)


def special_values(dtype):
    """Return the values of an integer or real float type where errors are most likely."""
    dtype = np.dtype(dtype)
    if reference.name_in_ml_dtypes(dtype):
        if dtype.itemsize == 1:
            return np.arange(256, dtype=np.uint8).view(dtype)
        return (special_values(np.float32).view("u4") >> 16).astype("u2").view(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return np.array([info.min, info.min + 1, 0, 1, info.max - 1, info.max], dtype)
    bits = np.dtype(f"u{dtype.itemsize}")
    mantissa = np.finfo(dtype).nmant
    smallest_normal, quiet = 1 << mantissa, 1 << (mantissa - 1)
    infinity, one, sign = (int(dtype.type(v).view(bits)) for v in (np.inf, 1, -0.0))
    magnitudes = [
        *(0, 1, smallest_normal - 1, smallest_normal, one, infinity - 1, infinity),
        *(infinity + 1, infinity + quiet - 1, infinity + quiet, sign - 1),  # NaN, half of it quiet
    ]
    return np.array(magnitudes + [sign + m for m in magnitudes], bits).view(dtype)


def _check(name, functions, oracle):
    comparisons = 0
    for operation in [*OPERATIONS, "masks", "reductions"]:
        if operation == "masks":
            cases, errors = _mask_cases(functions, oracle), {}
        elif operation == "reductions":
            cases, errors = _reduction_cases(functions, oracle), {}
        elif hasattr(oracle, operation):
            cases = _cases(operation, getattr(functions, operation), getattr(oracle, operation))
            errors = {"all": "ignore"} if OPERATIONS[operation].status == "ieee" else {}
        else:
            return Result(name, comparisons, f"{operation}: no definition to check it against")
        with np.errstate(**errors):
            for case, got, wanted in cases:
                comparisons += wanted.size
                if got.dtype != wanted.dtype or got.shape != wanted.shape:
                    what = f"expected {wanted.dtype} {wanted.shape}, got {got.dtype} {got.shape}"
                elif got.tobytes() == wanted.tobytes():
                    continue
                else:
                    what = _describe_difference(got, wanted)
                operation, dtype, length, layout = case
                case = f"{operation} of {dtype}, length {length}, {layout}"
                return Result(name, comparisons, f"{case}, {what}")
    return Result(name, comparisons, None)


def _describe_difference(got, wanted):
    i = first_difference(got, wanted)
    where = i if wanted.ndim == 1 else tuple(map(int, np.unravel_index(i, wanted.shape)))
    return f"index {where}: expected {_show(wanted.ravel()[i])}, got {_show(got.ravel()[i])}"


def _cases(operation, function, oracle):
    """Yield each case of an operation, what the function returns, and what it should return."""
    inputs, _, status = OPERATIONS[operation]
    for dtype in types_of(operation):
        lengths = _lengths(dtype, operation)
        operands = _operands(dtype, lengths, inputs)
        if status == "ieee":
            operands = _with_one_nan(operands)
        expected = oracle(*operands)
        for length in lengths:
            start = length % MAX_LANES
            cut = slice(start, start + length)
            for layout, got, wanted in _layouts(
                function, [a[cut] for a in operands], expected[cut]
            ):
                yield (operation, dtype, length, layout), got, wanted
            for i, kind, arrays in _broadcasts(operands, length):
                if status == "ieee":
                    arrays = _with_one_nan(arrays, i)
                wanted_here = oracle(*arrays)
                if kind == "a number":
                    arrays[i] = arrays[i].item()
                for layout, got, wanted in _layouts(function, arrays, wanted_here):
                    layout = f"argument {i} {kind}, {layout}"
                    yield (operation, dtype, length, layout), got, wanted


def _mask_cases(functions, oracle):
    """Yield the same of the functions that write and read masks."""
    for dtype in types_of(MASK_OPERATION):
        lengths = _lengths(dtype)
        grad, x = _operands(dtype, lengths, 2)
        for length in lengths:
            cut = slice(length % MAX_LANES, length % MAX_LANES + length)
            for operation, layout, got, wanted in _mask_layouts(
                functions, oracle, grad[cut], x[cut]
            ):
                yield (operation, dtype, length, layout), got, wanted


def _mask_layouts(functions, oracle, grad, x):
    """Yield operation and layout, what the functions return, and what they should return."""
    for at_zero in 0, 1:
        y, mask = oracle.relu_with_mask(x, at_zero=at_zero)
        got_y, got_mask = functions.relu_with_mask(x, at_zero=at_zero)
        yield "relu_with_mask", f"at_zero={at_zero}, new output", got_y, y
        yield "relu_with_mask", f"at_zero={at_zero}, new mask", got_mask, mask

        framed_y, framed_mask = _framed(x), _framed(np.full_like(mask, SENTINEL))
        inside_y, inside_mask = framed_y[1:-1], framed_mask[1:-1]
        functions.relu_with_mask(inside_y, inside_y, inside_mask, at_zero=at_zero)
        yield "relu_with_mask", f"at_zero={at_zero}, in place", framed_y, _framed(y)
        yield "relu_with_mask", f"at_zero={at_zero}, mask=", framed_mask, _framed(mask)

    expected = oracle.relu_backward_from_mask(grad, mask)
    got = functions.relu_backward_from_mask(grad, inside_mask)
    yield "relu_backward_from_mask", "new output", got, expected
    functions.relu_backward_from_mask(grad, inside_mask, inside_y)
    yield "relu_backward_from_mask", "out=", framed_y, _framed(expected)


def _reduction_cases(functions, oracle):
    """Yield the same of the reductions, of whole numbers, whose sums are exact in any order."""
    rng = np.random.default_rng(0)
    for dtype in map(np.dtype, REAL_TYPES):
        for length in (*range(1, 2 * MAX_LANES, 5), SMALL):
            x = np.maximum(rng.integers(-3, 4, (3, length)), -3 if dtype.kind != "u" else 0)
            x = x.astype(dtype)
            x[:, ::7] = 0
            for axis in (None, 0, 1):
                for name in reference.REDUCTIONS:
                    threshold = {"threshold": 1} if "mean" in name and dtype.kind != "u" else {}
                    got, wanted = (
                        getattr(f, name)(x, axis, **threshold) for f in (functions, oracle)
                    )
                    yield (name, dtype, length, f"3 rows, axis={axis}"), got, wanted


def _framed(values):
    """Return a vector with a sentinel on either side."""
    framed = np.empty(values.size + 2, values.dtype)
    framed[0] = framed[-1] = SENTINEL
    framed[1:-1] = values
    return framed


def _broadcasts(operands, length):
    """
    Yield the position of an operand that is broadcast to the others, its kind, all operands.

    A number, a 0-d array and each value of a column reach the same kernels, and a row those of
    vectors. So every length has a number in one form, and a matrix in one. Of three operands two
    lengths in turn broadcast each.
    """
    if len(operands) == 1 or reference.name_in_ml_dtypes(operands[0].dtype):
        return  # steps do not depend on the type: NumPy's are enough
    start = length % MAX_LANES
    rows, columns = (3, length) if length <= SMALL else (length // 257, 257)
    vectors = [a[start : start + length] for a in operands]
    matrices = [a[start : start + rows * columns].reshape(rows, columns) for a in operands]
    positions = range(len(operands))
    for i in positions if len(operands) < 3 else [length // 2 % len(operands)]:
        operand = operands[i]
        number = operand[length : length + 1].reshape(())
        if length % 2:
            number = np.array(number.item(), number.dtype)  # this makes a signalling NaN quiet
            kinds = [("a number", vectors, number)]
            kinds += [("a row", matrices, operand[start : start + columns])]
        else:
            kinds = [("a 0-d array", vectors, number)]
            kinds += [("a column", matrices, operand[start : start + rows, np.newaxis])]
        for kind, arrays, broadcast in kinds:
            yield i, kind, [*arrays[:i], broadcast, *arrays[i + 1 :]]


def _layouts(function, operands, expected):
    """Yield the name of each layout, what the function returns, and what it should return."""
    yield "new output", function(*operands), expected

    sides = np.full(2, SENTINEL, expected.dtype)
    for i in (None, *range(len(operands))):
        arrays = list(operands)
        framed = np.empty(expected.size + 2, expected.dtype)
        framed[:: framed.size - 1] = sides
        inside = framed[1:-1].reshape(expected.shape)
        name = "out="
        if i is not None:
            if np.shape(operands[i]) != expected.shape:
                continue
            inside[...] = operands[i]
            arrays[i] = inside
            name = f"out=argument {i}"
        function(*arrays, out=inside)
        yield name, inside, expected
        yield f"{name}, the element on either side", framed[:: framed.size - 1], sides

    expected = expected[..., ::-2]
    wide = np.full((*expected.shape[:-1], 2 * expected.shape[-1] + 1), SENTINEL, expected.dtype)
    strided = [a[..., ::-2] if np.ndim(a) and a.shape[-1] > 1 else a for a in operands]
    function(*strided, out=wide[..., 1::2])
    yield "strided", wide[..., 1::2], expected
    between = wide[..., ::2]
    yield "strided, the elements between", between, np.full_like(between, SENTINEL)


def _lengths(dtype, operation=None):
    """Return the lengths to check: a third of them where another operation has the same loops."""
    same = [o for o in OPERATIONS if operation and _loops_of(o) == _loops_of(operation)]
    if same and operation != same[0]:
        return sorted({*LENGTHS[::3], SMALL})
    return sorted({*LENGTHS, LARGE.get(dtype.char, 0)})


def _loops_of(operation):
    return OPERATIONS[operation].inputs, OPERATIONS[operation].status


def _operands(dtype, lengths, inputs):
    """Return long vectors, one for each input of an operation."""
    n = max(lengths[-1], 3 * SMALL) + MAX_LANES
    return [_sample(dtype, n, seed) for seed in range(1, inputs + 1)]


def _with_one_nan(operands, first=0):
    """Return operands whose NaN, where several have one, are that of the first, to the bit."""
    # Of two NaN, which one an addition returns depends on the order of operands in machine code.
    found = list(operands)
    done = [first]
    for i in range(len(operands)):
        if i != first:
            for j in done:
                both = np.isnan(found[i]) & np.isnan(found[j])
                found[i] = np.where(both, found[j], found[i])
            done.append(i)
    return found


def _sample(dtype, n, seed):
    rng = np.random.default_rng(seed)
    bits = np.dtype(f"u{dtype.itemsize}")
    distinct = 50_000 + seed
    anything = rng.integers(0, np.iinfo(bits).max, distinct, bits, endpoint=True)
    special = rng.choice(special_values(dtype).view(bits), distinct)
    return np.resize(np.where(rng.random(distinct) < 0.5, anything, special), n).view(dtype)


def _show(value):
    bits = value.view(f"u{value.dtype.itemsize}")
    return f"{value} (0x{bits:0{2 * value.dtype.itemsize}x})"
