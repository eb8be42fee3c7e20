"""Where the pointer lies by which the interpreter calls a ufunc, as the behaviour shows."""

import ctypes

import numpy as np
import pytest

import fastrelu

is_vectorcall_at = fastrelu._core.is_vectorcall_at
POINTER = ctypes.sizeof(ctypes.c_void_p)
SIZE = np.ufunc.__basicsize__
WITNESSES = np.add, np.negative


def pointer_at(ufunc, offset):
    return ctypes.c_size_t.from_address(id(ufunc) + offset).value


def contents(ufunc):
    return ctypes.string_at(id(ufunc) + object.__basicsize__, SIZE - object.__basicsize__)


def found():
    """Return the offset that the type states, behind a length, a name, two sizes and a function."""
    offset = object.__basicsize__ + 5 * POINTER
    return ctypes.c_ssize_t.from_address(id(np.ufunc) + offset).value


@pytest.fixture
def ufunc():
    return np.frompyfunc(lambda x, y: x, 2, 1)


def test_one_offset_is_found(ufunc):
    before = contents(ufunc)
    offsets = [
        i for i in range(-64, SIZE + 64) if i >= 0 and is_vectorcall_at(i, ufunc, *WITNESSES)
    ]
    assert offsets == [found()]
    assert contents(ufunc) == before
    assert ufunc(np.arange(3), 1).tolist() == [0, 1, 2]


def test_pointer_that_is_not_called(ufunc):
    """The type resolver is the same in many ufuncs. A call of no arguments does not get so far."""
    resolver = found() - 2 * POINTER
    other, another = (np.frompyfunc(abs, 1, 1) for _ in range(2))
    assert (
        pointer_at(ufunc, resolver) == pointer_at(other, resolver) == pointer_at(another, resolver)
    )
    before = contents(ufunc)
    assert not is_vectorcall_at(resolver, ufunc, other, another)
    assert contents(ufunc) == before
    assert ufunc(np.arange(3), 1).tolist() == [0, 1, 2]


def test_pointers_that_differ(ufunc):
    assert not is_vectorcall_at(found(), ufunc, np.add, fastrelu.relu)
    assert not is_vectorcall_at(found(), ufunc, fastrelu.relu, np.add)
    assert not is_vectorcall_at(found(), fastrelu.relu, *WITNESSES)


@pytest.mark.parametrize("other", [abs, None, np.ufunc, np.float32(1)])
def test_what_is_no_ufunc(ufunc, other):
    assert not is_vectorcall_at(found(), other, *WITNESSES)
    assert not is_vectorcall_at(found(), ufunc, other, np.negative)
    assert not is_vectorcall_at(found(), ufunc, np.add, other)


@pytest.mark.parametrize("name", fastrelu._core.OPERATIONS)
def test_installed(implementation, name):
    """All ufuncs have the fast call, which is not NumPy's."""
    pointer = pointer_at(getattr(implementation, name), found())
    assert pointer == pointer_at(fastrelu.relu, found())
    assert pointer != pointer_at(np.add, found())
