"""The self-test: every instruction set of this CPU against the reference, bit for bit."""

import warnings
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

import fastrelu

from .. import reference

DTYPES = "bBhHiIlLqQefd"  # and types_of_ml_dtypes()
MOST_LANES = 64
LENGTHS = (*range(2 * MOST_LANES + 2), 4099, 50_021)
LARGE = {"f": 2_000_003}  # beyond most caches; one type will do, for all share the way there
SENTINEL = 85

# The fallback is the reference, so it is held against the definitions instead.
DEFINITIONS = SimpleNamespace(
    relu=lambda x: np.where(x < 0, x.dtype.type(0), x),
    relu_backward=lambda grad, x: np.where(x <= 0, x.dtype.type(0), grad),
    relu_with_mask=lambda x, at_zero: (
        DEFINITIONS.relu(x),
        np.packbits(~(x < 0) if at_zero else ~(x <= 0), bitorder="little"),
    ),
    relu_backward_from_mask=lambda grad, mask: np.where(
        np.unpackbits(mask, bitorder="little")[: grad.size], grad, grad.dtype.type(0)
    ),
)


_WITHOUT_BITS = [np.dtype(char).num for char in "gGO"]


class Result(NamedTuple):
    """What the self-test found: values compared, and the first mismatch described, or None."""

    name: str
    comparisons: int
    mismatch: str | None


def types_of_ml_dtypes():
    """Return the types of ml_dtypes that have kernels, or none where it cannot be imported."""
    try:
        import ml_dtypes

        scalars = [getattr(ml_dtypes, name) for name in ml_dtypes.__all__]
        dtypes = [np.dtype(s) for s in scalars if isinstance(s, type) and issubclass(s, np.generic)]
    except ImportError:
        return []
    except Exception as error:  # a broken installation may raise any
        what = f"{type(error).__name__}: {error}"
        warnings.warn(f"without the types of ml_dtypes: {what}", RuntimeWarning, stacklevel=2)
        return []
    return [
        dtype
        for dtype in dtypes
        if reference.is_real(dtype) and fastrelu.relu(np.zeros(1, dtype)).dtype == dtype
    ]


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
    """Return the values of an integer or a real float type that code gets wrong most easily."""
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
    for where, got, wanted in _cases(functions, oracle):
        comparisons += wanted.size
        if got.dtype != wanted.dtype or got.shape != wanted.shape:
            what = f"expected {wanted.dtype} {wanted.shape}, got {got.dtype} {got.shape}"
        elif got.tobytes() == wanted.tobytes():
            continue
        else:
            i = first_difference(got, wanted)
            what = f"index {i}: expected {_show(wanted[i])}, got {_show(got[i])}"
        return Result(name, comparisons, f"{where}, {what}")
    return Result(name, comparisons, None)


def _cases(functions, oracle):
    """Yield the name of each case, what the functions give, and what they should give."""
    for dtype in [*map(np.dtype, DTYPES), *types_of_ml_dtypes()]:
        lengths = sorted({*LENGTHS, LARGE.get(dtype.char, 0)})
        grad, x = (_sample(dtype, lengths[-1] + MOST_LANES, seed) for seed in (1, 2))
        for operation, operands in ("relu", [x]), ("relu_backward", [grad, x]):
            function, expected = (
                getattr(functions, operation),
                getattr(oracle, operation)(*operands),
            )
            for length in lengths:
                cut = slice(length % MOST_LANES, length % MOST_LANES + length)
                for layout, got, wanted in _layouts(
                    function, [a[cut] for a in operands], expected[cut]
                ):
                    where = f"{operation} of {dtype}, length {length}, {layout}"
                    yield where, got, wanted
        for length in lengths:
            cut = slice(length % MOST_LANES, length % MOST_LANES + length)
            for operation, layout, got, wanted in _mask_layouts(
                functions, oracle, grad[cut], x[cut]
            ):
                yield f"{operation} of {dtype}, length {length}, {layout}", got, wanted


def _mask_layouts(functions, oracle, grad, x):
    """Yield operation and layout, what the functions give there, and what they should give."""
    for at_zero in 0, 1:
        y, mask = oracle.relu_with_mask(x, at_zero=at_zero)
        got_y, got_mask = functions.relu_with_mask(x, at_zero=at_zero)
        yield "relu_with_mask", f"at_zero={at_zero}, new output", got_y, y
        yield "relu_with_mask", f"at_zero={at_zero}, new mask", got_mask, mask

        framed_y, framed_mask = (np.full(a.size + 2, SENTINEL, a.dtype) for a in (y, mask))
        inside_y, inside_mask = framed_y[1:-1], framed_mask[1:-1]
        inside_y[:] = x
        functions.relu_with_mask(inside_y, inside_y, inside_mask, at_zero=at_zero)
        yield "relu_with_mask", f"at_zero={at_zero}, in place", framed_y, _framed(y)
        yield "relu_with_mask", f"at_zero={at_zero}, mask=", framed_mask, _framed(mask)

    expected = oracle.relu_backward_from_mask(grad, mask)
    got = functions.relu_backward_from_mask(grad, inside_mask)
    yield "relu_backward_from_mask", "new output", got, expected
    functions.relu_backward_from_mask(grad, inside_mask, inside_y)
    yield "relu_backward_from_mask", "out=", framed_y, _framed(expected)


def _framed(expected):
    """Return what was expected, with the element on either side."""
    return np.pad(expected, 1, constant_values=SENTINEL)


def _layouts(function, operands, expected):
    """Yield the name of each layout, what the function gives there, and what it should give."""
    yield "new output", function(*operands), expected

    for name, output in [("out=", None), *((f"out=argument {i}", i) for i in range(len(operands)))]:
        arrays = list(operands)
        framed = np.full(expected.size + 2, SENTINEL, expected.dtype)
        inside = framed[1:-1]
        if output is not None:
            inside[:] = operands[output]
            arrays[output] = inside
        function(*arrays, out=inside)
        yield name, inside, expected
        yield (
            f"{name}, the element on either side",
            framed[[0, -1]],
            np.full_like(framed[:2], SENTINEL),
        )

    expected = expected[::-2]
    wide = np.full(2 * expected.size + 1, SENTINEL, expected.dtype)
    function(*(a[::-2] for a in operands), out=wide[1::2])
    yield "strided", wide[1::2], expected
    yield "strided, the elements between", wide[::2], np.full_like(wide[::2], SENTINEL)


def _sample(dtype, n, seed):
    rng = np.random.default_rng(seed)
    bits = np.dtype(f"u{dtype.itemsize}")
    some = 50_000 + seed
    anything = rng.integers(0, np.iinfo(bits).max, some, bits, endpoint=True)
    special = rng.choice(special_values(dtype).view(bits), some)
    return np.resize(np.where(rng.random(some) < 0.5, anything, special), n).view(dtype)


def _show(value):
    bits = value.view(f"u{value.dtype.itemsize}")
    return f"{value} (0x{bits:0{2 * value.dtype.itemsize}x})"
