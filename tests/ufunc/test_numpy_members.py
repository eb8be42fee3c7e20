"""The members of NumPy's ufunc objects that the C code uses are where NumPy's header has them."""

import ctypes

import numpy as np
import pytest

import fastrelu

if fastrelu.isa == "python":
    pytest.skip("nothing is compiled", allow_module_level=True)

from fastrelu import _core

POINTER = ctypes.c_void_p
CHARS = {np.dtype(char).num: np.dtype(char).char for char in np.typecodes["All"]}


class UFunc(ctypes.Structure):
    """PyUFuncObject up to the last member that fastrelu uses."""

    _fields_ = [
        ("head", ctypes.c_byte * object.__basicsize__),
        *[(name, ctypes.c_int) for name in ("nin", "nout", "nargs", "identity")],
        *[(name, ctypes.POINTER(POINTER)) for name in ("functions", "data")],
        *[(name, ctypes.c_int) for name in ("ntypes", "reserved1")],
        ("name", ctypes.c_char_p),
        ("types", ctypes.POINTER(ctypes.c_byte)),
        *[(name, POINTER) for name in ("doc", "ptr", "obj", "userloops")],
        *[(name, ctypes.c_int) for name in ("core_enabled", "core_num_dim_ix")],
        *[(f"core_{name}", POINTER) for name in ("num_dims", "dim_ixs", "offsets", "signature")],
        *[(name, POINTER) for name in ("type_resolver", "dict", "vectorcall")],
    ]


def members(ufunc):
    return UFunc.from_address(id(ufunc))


def loops(ufunc):
    """Return the types of the loops as the attribute `types` gives them."""
    c = members(ufunc)
    chars = [CHARS[number] for number in c.types[: c.ntypes * c.nargs]]
    each = ["".join(chars[i : i + c.nargs]) for i in range(0, len(chars), c.nargs)]
    return [f"{types[: c.nin]}->{types[c.nin :]}" for types in each]


def function(x):
    return x


of_python = np.frompyfunc(function, 1, 1)
add, relu, add_relu = np.add, fastrelu.relu, fastrelu.add_relu
EXPECTED = {
    "nin": lambda: members(add).nin == add.nin,
    "nargs": lambda: members(add).nargs == add.nargs,
    "ntypes": lambda: members(add).ntypes == add.ntypes,
    "types": lambda: loops(add) == add.types,
    "functions": lambda: (
        members(relu).functions[1] and members(relu).functions[1] == members(add_relu).functions[1]
    ),
    "data": lambda: len({*members(relu).data[:5], *members(add_relu).data[:5]}) == 10,
    "obj": lambda: members(of_python).obj == id(function),
    "type_resolver": lambda: (
        members(add).type_resolver != members(relu).type_resolver
        and members(relu).type_resolver == members(add_relu).type_resolver
    ),
    "vectorcall": lambda: _core.is_vectorcall_at(
        UFunc.vectorcall.offset, np.frompyfunc(function, 1, 1), np.add, np.negative
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_member_of_a_ufunc(name):
    if not EXPECTED[name]():
        pytest.fail(
            f"NumPy {np.__version__} has {name} of its ufuncs elsewhere, or uses it otherwise. "
            "docs/internals.md says what fastrelu does with it.",
            pytrace=False,
        )
