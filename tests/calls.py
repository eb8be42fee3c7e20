"""The calls that a ufunc is tried with: values by type, layouts of an input, and keywords."""

import numpy as np
from helpers import KERNEL_TYPES

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
REAL = [*KERNEL_TYPES, "g"]
TAKEN = ["?", *REAL, *"FDG", "m8[s]", "O"]
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


def nested_list(values):
    """Return lists of Python's numbers; of NumPy's, where Python's do not hold all of a type."""
    rows = two_d(values)
    return [list(row) for row in rows] if values.dtype.kind == "m" else rows.tolist()


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
    "list": nested_list,
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
