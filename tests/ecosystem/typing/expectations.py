"""What the checkers of types must find; test_types.py runs it and checks the values, too."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from contextlib import AbstractContextManager
from typing import Any, TypeVar, assert_type

import numpy as np
from numpy.typing import NDArray

import fastrelu
from fastrelu import (
    activity,
    add_relu,
    clipped_relu,
    clipped_relu_backward,
    dead_units,
    leaky_relu,
    leaky_relu_backward,
    reference,
    relu,
    relu_backward,
    relu_backward_from_mask,
    relu_derivative,
    relu_mean,
    relu_sum,
    relu_with_mask,
    soft_threshold,
    soft_threshold_backward,
    subtract_relu,
)

ScalarT = TypeVar("ScalarT", bound=np.generic)

Float32 = NDArray[np.float32]
Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Mask = NDArray[np.uint8]


class Tagged(np.ndarray[tuple[int, ...], np.dtype[np.float32]]):
    """A subclass of ndarray."""


class Container:
    """What takes over the calls of ufuncs, as the arrays of other libraries do."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        return self


def array(dtype: type[ScalarT]) -> NDArray[ScalarT]:
    return np.array([0, 1, 1], dtype)


bools = array(np.bool)
int8, int16, uint8, uint16 = array(np.int8), array(np.int16), array(np.uint8), array(np.uint16)
float16, float32, float64 = array(np.float16), array(np.float32), array(np.float64)
complex64 = array(np.complex64)
durations: NDArray[np.timedelta64] = np.array([0, 1, 1], "m8[s]")
tagged = float32.view(Tagged)


def matrix() -> Matrix:
    return np.ones((2, 3))


# An array gives an array of its shape and dtype.
assert_type(relu(int8), NDArray[np.int8])
assert_type(relu(uint16), NDArray[np.uint16])
assert_type(relu(float16), NDArray[np.float16])
assert_type(relu(float32), Float32)
assert_type(relu(float64), NDArray[np.float64])
assert_type(relu(complex64), NDArray[np.complex64])
assert_type(relu(matrix()), Matrix)
assert_type(relu(bools), NDArray[np.intp])
assert_type(relu(np.array([1, 2], np.int8)), NDArray[np.int8])
assert_type(relu([1.0, 2.0]), NDArray[Any])
assert_type(relu([[1, 2], [3, 4]]), NDArray[Any])
assert_type(relu(Container()), Any)

# A scalar gives a scalar.
assert_type(relu(np.int8(1)), np.int8)
assert_type(relu(np.float32(1)), np.float32)
assert_type(relu(np.float64(1)), np.float64)
assert_type(relu(np.bool(True)), np.intp)
assert_type(relu(True), np.intp)
assert_type(relu(1), np.intp)
assert_type(relu(1.5), np.float64)
assert_type(relu(1j), np.complex128)

# With out, the result is out.
assert_type(relu(float32, np.empty_like(float32)), Float32)
assert_type(relu(float32, out=float64), NDArray[np.float64])
assert_type(relu(float32, out=(float32,)), Float32)
assert_type(relu(float32, out=tagged), Tagged)
assert_type(relu([1, 0, 1], out=float32), Float32)
assert_type(relu(float32, out=float32, where=bools), Float32)
assert_type(relu(float32, out=float32, where=[True, False, True]), Float32)
assert_type(relu(float32, out=matrix()[:, :3], dtype="f8"), NDArray[np.float64])

# What does not touch the type, and what does.
assert_type(relu(float32, where=True, casting="no", order="C", subok=False), Float32)
assert_type(relu(float32, dtype=np.float64), NDArray[np.float64])
assert_type(relu(float32, dtype=np.dtype(np.float16)), NDArray[np.float16])
assert_type(relu(float32, dtype="f8"), NDArray[Any])
assert_type(relu([1, 2], dtype=np.float32), NDArray[Any])
assert_type(relu(1, dtype=np.float32), np.float32)
assert_type(relu(1, dtype="f4"), Any)
assert_type(relu(float32, signature="d->d"), NDArray[Any])
assert_type(relu(float32, signature=(None, np.float64)), NDArray[Any])

# The gradient: of two types of one kind the wider, else one that is not told.
assert_type(relu_backward(float32, float32), Float32)
assert_type(relu_backward(matrix(), matrix()), Matrix)
assert_type(relu_backward(int8, int8), NDArray[np.int8])
assert_type(relu_backward(uint8, uint8), NDArray[np.uint8])
assert_type(relu_backward(1, float32), Float32)
assert_type(relu_backward(1, int8), NDArray[np.int8])
assert_type(relu_backward(1.5, float32), NDArray[Any])
assert_type(relu_backward(np.float64(1), float32), NDArray[Any])
assert_type(relu_backward(float32, 1), NDArray[Any])
assert_type(relu_backward(int8, uint8), NDArray[Any])
assert_type(relu_backward(int16, float16), NDArray[Any])
assert_type(relu_backward(bools, bools), NDArray[Any])
assert_type(relu_backward([1, 2, 3], float32), NDArray[Any])
assert_type(relu_backward(np.float32(1), np.float32(2)), np.float32)
assert_type(relu_backward(1, 2), Any)
assert_type(relu_backward(Container(), float32), Any)
assert_type(relu_backward(float32, Container()), Any)
assert_type(relu_backward(float32, float32, float32), Float32)
assert_type(relu_backward(float32, int8, out=tagged, where=bools), Tagged)
assert_type(relu_backward(float32, float32, out=(float32,), casting="unsafe"), Float32)
assert_type(relu_backward(float32, float32, where=True, order="F", subok=True), Float32)
assert_type(relu_backward(float32, int8, dtype=np.float64), NDArray[np.float64])
assert_type(relu_backward(float32, float32, dtype="f8"), NDArray[Any])
assert_type(relu_backward(float32, float32, signature="dd->d"), NDArray[Any])

# A sum or a difference has the type of NumPy's.
assert_type(add_relu(float32, float32), Float32)
assert_type(subtract_relu(float32, float32), Float32)
assert_type(add_relu(matrix(), matrix()), Matrix)
assert_type(add_relu(int8, int8), NDArray[np.int8])
assert_type(subtract_relu(uint8, 1), NDArray[np.uint8])
assert_type(add_relu(1, float32), Float32)
assert_type(add_relu(float32, 1.5), Float32)
assert_type(subtract_relu(1.5, float32), Float32)
assert_type(add_relu(int8, uint8), NDArray[Any])
assert_type(add_relu([1, 2, 3], float32), NDArray[Any])
assert_type(add_relu(np.float32(1), np.float32(2)), np.float32)
assert_type(add_relu(1, 2), Any)
assert_type(add_relu(Container(), float32), Any)
assert_type(add_relu(float32, Container()), Any)
assert_type(add_relu(float32, float32, float32), Float32)
assert_type(subtract_relu(float32, int8, out=tagged, where=bools), Tagged)
assert_type(subtract_relu(float32, int8, dtype=np.float64), NDArray[np.float64])

# A parameter is an operand: a number of Python takes the type of the array beside it.
assert_type(leaky_relu(float32, 0.1), Float32)
assert_type(soft_threshold(float32, 1), Float32)
assert_type(leaky_relu(float32, float32), Float32)
assert_type(leaky_relu(matrix(), 0.1), Matrix)
assert_type(soft_threshold(int8, 0.5), NDArray[np.float64])
assert_type(leaky_relu(matrix(), matrix()), Matrix)
assert_type(leaky_relu(int8, float32), NDArray[Any])
assert_type(leaky_relu([-1.0, 2.0], 0.1), NDArray[Any])
assert_type(leaky_relu(np.float32(1), np.float32(2)), np.float32)
assert_type(leaky_relu(1.5, 0.1), Any)
assert_type(leaky_relu(Container(), 0.1), Any)
assert_type(leaky_relu(float32, Container()), Any)
assert_type(leaky_relu(float32, 0.1, float32), Float32)
assert_type(soft_threshold(float32, 0.1, out=tagged, where=bools), Tagged)
assert_type(leaky_relu(float32, float32, dtype=np.float64), NDArray[np.float64])
assert_type(leaky_relu(int8, 0.1, dtype=np.float32), Float32)
assert_type(leaky_relu(float32, 0.1, signature="dd->d"), NDArray[Any])
assert_type(clipped_relu(float32, 6), Float32)
assert_type(clipped_relu(uint8, 6), NDArray[np.uint8])
assert_type(clipped_relu(int8, int8), NDArray[np.int8])
assert_type(clipped_relu(matrix(), 6.0), Matrix)
assert_type(clipped_relu(bools, bools), NDArray[Any])
assert_type(clipped_relu(float32, 6, out=float32), Float32)

# Their gradients.
assert_type(leaky_relu_backward(float32, float32, 0.1), Float32)
assert_type(clipped_relu_backward(1.0, float32, 6), Float32)
assert_type(soft_threshold_backward(matrix(), matrix(), 0.5), Matrix)
assert_type(leaky_relu_backward(float32, float32, float32), Float32)
assert_type(leaky_relu_backward(int8, float32, 0.1), NDArray[Any])
assert_type(leaky_relu_backward([1.0, 2.0, 3.0], float32, 0.1), NDArray[Any])
assert_type(leaky_relu_backward(np.float32(1), np.float32(2), np.float32(3)), np.float32)
assert_type(leaky_relu_backward(1.5, 2.5, 0.1), Any)
assert_type(leaky_relu_backward(Container(), float32, 0.1), Any)
assert_type(leaky_relu_backward(float32, Container(), 0.1), Any)
assert_type(leaky_relu_backward(float32, float32, Container()), Any)
assert_type(clipped_relu_backward(float32, float32, 6, out=tagged), Tagged)
assert_type(soft_threshold_backward(float32, float32, 1, dtype=np.float64), NDArray[np.float64])

# The derivative.
assert_type(relu_derivative(float32), Float32)
assert_type(relu_derivative(x=matrix(), at_zero=1), Matrix)
assert_type(relu_derivative(bools), NDArray[np.intp])
assert_type(relu_derivative(np.float32(1)), np.float32)
assert_type(relu_derivative(True), np.intp)
assert_type(relu_derivative(2), np.intp)
assert_type(relu_derivative(2.5), np.float64)
assert_type(relu_derivative([1, 2]), NDArray[Any])
assert_type(relu_derivative(Container()), Any)

# Masks.
assert_type(relu_with_mask(float32), tuple[Float32, Mask])
assert_type(relu_with_mask(matrix(), at_zero=1), tuple[Matrix, Mask])
assert_type(relu_with_mask(bools), tuple[NDArray[np.intp], Mask])
assert_type(relu_with_mask(x=[1.0]), tuple[NDArray[Any], Mask])
assert_type(relu_with_mask(float32, out=tagged), tuple[Tagged, Mask])
y, mask = relu_with_mask(float32, float32, np.zeros(1, np.uint8))
assert_type(y, Float32)
assert_type(mask, Mask)
assert_type(relu_backward_from_mask(float32, mask), Float32)
assert_type(relu_backward_from_mask(grad=bools, mask=mask), NDArray[np.intp])
assert_type(relu_backward_from_mask([1, 2, 3], mask), NDArray[Any])
assert_type(relu_backward_from_mask([1, 2, 3], mask, out=relu(bools)), NDArray[np.intp])

# Reductions.
assert_type(relu_sum(float32), np.float32)
assert_type(relu_mean(float64, threshold=0.5), np.float64)
assert_type(relu_sum(matrix(), 0, threshold=[0.5, 1, 2], keepdims=True), Any)
assert_type(relu_sum(int8, dtype=np.float64), Any)
assert_type(relu_mean([[1.0, 2.0]], axis=(0, 1)), Any)
assert_type(relu_mean(matrix(), 0, out=float64), NDArray[np.float64])
assert_type(activity(float32, None), np.float64)
assert_type(activity(matrix()), Any)
assert_type(dead_units(x=float32, axis=None), np.bool)
assert_type(dead_units(matrix(), (0, 1)), Any)
assert_type(reference.relu_sum(float32), np.float32)
assert_type(reference.dead_units([1.0]), Any)

# The reference.
assert_type(reference.relu(float32), Float32)
assert_type(reference.relu(matrix()), Matrix)
assert_type(reference.relu(bools), NDArray[np.intp])
assert_type(reference.relu(float32, out=float64, where=bools), NDArray[np.float64])
assert_type(reference.relu(1.5), Any)
assert_type(reference.relu_backward(float32, float32), Float32)
assert_type(reference.relu_backward(int8, int8), Any)
assert_type(reference.add_relu(float32, 1.5), Float32)
assert_type(reference.subtract_relu(int8, int8), Any)
assert_type(reference.leaky_relu(float32, 0.1), Float32)
assert_type(reference.leaky_relu_backward(float32, float32, 0.1), Float32)
assert_type(reference.clipped_relu(int8, 6), Any)
assert_type(reference.clipped_relu_backward(float32, float32, 6, out=tagged), Tagged)
assert_type(reference.soft_threshold(matrix(), matrix()), Matrix)
assert_type(reference.soft_threshold_backward(1.5, 1.5, 0.5), Any)
assert_type(reference.relu_backward(float32, int8, out=(tagged,)), Tagged)
assert_type(reference.relu_derivative(float32), Float32)
assert_type(reference.relu_with_mask(float32), tuple[Float32, Mask])
assert_type(reference.relu_backward_from_mask(float32, mask), Float32)

# Genuine ufuncs, here and by the name of an instruction set.
ufunc: np.ufunc = relu
ufunc = relu_backward
assert_type(relu.nin, int)
relu.at(float32, [0, 1])
relu_backward.at(float32, [0, 1], float32[:2])
for functions in fastrelu.implementations.values():
    assert_type(functions.relu(float32), Float32)
    assert_type(functions.relu_backward(float32, float32), Float32)
    assert_type(functions.leaky_relu(float32, 0.1), Float32)
    assert_type(functions.clipped_relu_backward(float32, float32, 6), Float32)
    assert_type(functions.relu_with_mask(float32), tuple[NDArray[Any], Mask])
    assert_type(functions.relu_backward_from_mask(float32, mask), NDArray[Any])

# All else.
assert_type(fastrelu.__version__, str)
assert_type(fastrelu.isa, str)
assert_type(fastrelu.get_num_threads(), int)
assert_type(fastrelu.set_num_threads(np.int8(fastrelu.get_num_threads())), None)
assert_type(fastrelu.num_threads(1), AbstractContextManager[None])
assert_type(fastrelu.clear_cache(), None)
assert_type(fastrelu.cache_info().bytes_held, int)
assert_type(fastrelu.set_cache_limit(fastrelu.cache_info().limit), None)
assert_type(fastrelu.show_config(), None)
assert_type(fastrelu.show_config("stdout"), None)
assert_type(fastrelu.show_config(mode="dicts"), dict[str, str | list[str]])


def patch_and_unpatch() -> None:
    assert_type(fastrelu.patch_numpy(), None)
    assert_type(fastrelu.numpy_is_patched(), bool)
    assert_type(fastrelu.unpatch_numpy(), None)
    with fastrelu.patched_numpy() as nothing:
        assert_type(nothing, None)


def with_or_without_out(x: Float32, out: Float32 | None = None) -> Float32:
    assert_type(relu_backward(x, x, out), Float32)
    assert_type(relu_with_mask(x, out), tuple[Float32, Mask])
    return relu(x, out=out)


def floats_of(floats: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Neither result is Any, which mypy lets no function return that tells its type."""
    return relu(floats) if floats.ndim else relu_backward(floats, floats)


def generics_of(generics: NDArray[np.generic], unknown: NDArray[Any]) -> NDArray[np.generic]:
    return relu(generics) if generics.ndim else relu(unknown)


def wrong(float32: Float32, float64: NDArray[np.float64], mask: Mask) -> None:
    """Each line must be an error."""
    relu()  # type: ignore[call-overload]
    relu(x=float32)  # type: ignore[call-overload]
    relu(None)  # type: ignore[call-overload]
    relu(float32, out=[1.0])  # type: ignore[call-overload]
    relu(float32, out=(float32, float32))  # type: ignore[arg-type]
    relu(float32, where=0.5)  # type: ignore[call-overload]
    relu(float32, where=float32)  # type: ignore[arg-type]
    relu(float32, casting="sometimes")  # type: ignore[call-overload]
    relu(float32, order="Z")  # type: ignore[call-overload]
    relu(float32, at_zero=1)  # type: ignore[call-overload]
    relu_backward(float32)  # type: ignore[call-overload]
    relu_backward(float32, x=float32)  # type: ignore[call-overload]
    relu_backward(float32, float32, out=1.0)  # type: ignore[call-overload]
    relu_backward(float32, float32, where=1.0)  # type: ignore[call-overload]
    leaky_relu(float32)  # type: ignore[call-overload]
    leaky_relu(float32, negative_slope=0.1)  # type: ignore[call-overload]
    leaky_relu(float32, None)  # type: ignore[call-overload]
    soft_threshold_backward(float32, float32)  # type: ignore[call-overload]
    relu_derivative(float32, 0.5)  # type: ignore[call-overload]
    relu_with_mask(float32, mask=float32)  # type: ignore[arg-type]
    relu_with_mask(float32, out=(float32,))  # type: ignore[call-overload]
    relu_with_mask(float32, at_zero=2)  # type: ignore[call-overload]
    relu_backward_from_mask(float32)  # type: ignore[call-overload]
    relu_backward_from_mask(float32, float32)  # type: ignore[arg-type]
    relu_sum(float32, 0, 1)  # type: ignore[call-overload]
    relu_mean(float32, axis=0.5)  # type: ignore[call-overload]
    activity(float32, keepdims=True)  # type: ignore[call-overload]
    reference.relu(float32, signature="d->d")  # type: ignore[call-overload]
    fastrelu.show_config("text")  # type: ignore[call-overload]
    fastrelu.set_num_threads(1.5)  # type: ignore[arg-type]
    a: Float32 = relu(float64)  # type: ignore[assignment]
    a = relu_backward(float64, float64)  # type: ignore[assignment]
    a = relu_backward(float32, float64)  # type: ignore[assignment]
    a = relu_backward(1, float64)  # type: ignore[assignment]
    a = add_relu(float64, 1.5)  # type: ignore[assignment]
    a = leaky_relu(float64, 0.1)  # type: ignore[assignment]
    a = clipped_relu(float64, 6)  # type: ignore[assignment]
    a = soft_threshold_backward(float64, float64, 0.5)  # type: ignore[assignment]
    a = relu(float32, out=float64)  # type: ignore[arg-type]
    a = relu_derivative(float64)  # type: ignore[assignment]
    a = relu_backward_from_mask(float64, mask)  # type: ignore[assignment]
    a, mask = relu_with_mask(float64)  # type: ignore[assignment]
    b: Matrix = relu(a)  # type: ignore[assignment]
    c: Mask = relu_with_mask(float32)[0]  # type: ignore[assignment]
    fastrelu.cache_info().hits = 1  # type: ignore[misc]
    fastrelu.implementations["sse2"] = 1  # type: ignore[index]
    print(a, b, c, mask)
