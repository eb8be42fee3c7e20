# To a checker a bool is an int, an int a float, and a number ArrayLike: what fits first is meant.
# For mypy, what fits depends on where the result goes, too. For it to find an error where float64
# goes to a variable of float32, what fits next returns generic or inexact, and not yet Any.
# mypy: disable-error-code="overload-overlap, overload-cannot-match"
# pyright: reportOverlappingOverload=false

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeVar, overload, type_check_only

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

_ArrayT = TypeVar("_ArrayT", bound=NDArray[Any])
_ShapeT = TypeVar("_ShapeT", bound=tuple[int, ...])
_ScalarT = TypeVar("_ScalarT", bound=np.generic)
_NumberT = TypeVar("_NumberT", bound=np.number[Any] | np.timedelta64 | np.object_)
_FloatT = TypeVar("_FloatT", bound=np.floating[Any])

_Array: TypeAlias = np.ndarray[_ShapeT, np.dtype[_ScalarT]]
_AtZero: TypeAlias = Literal[0, 1]
_Axes: TypeAlias = int | tuple[int, ...] | None
_Casting: TypeAlias = Literal["no", "equiv", "safe", "same_kind", "unsafe"]
_Mask: TypeAlias = NDArray[np.uint8]
_Order: TypeAlias = Literal["K", "A", "C", "F"] | None
_Out: TypeAlias = _ArrayT | tuple[_ArrayT]
_Where: TypeAlias = bool | np.bool | NDArray[np.bool] | Sequence[_Where]

# A container that takes over the calls of ufuncs. Its method is any str, which ndarray's own, of
# some literals, does not take: so that an array is none, and what it gives does not become Any.
@type_check_only
class _Container(Protocol):
    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, /, *inputs: Any, **kwargs: Any
    ) -> Any: ...

@overload
def relu(
    x: ArrayLike,
    /,
    out: _Out[_ArrayT],
    *,
    where: _Where = True,
    casting: _Casting = "same_kind",
    order: _Order = "K",
    dtype: DTypeLike | None = None,
    subok: bool = True,
) -> _ArrayT: ...
@overload
def relu(
    x: _Array[_ShapeT, _NumberT],
    /,
    out: None = None,
    *,
    where: _Where = True,
    casting: _Casting = "same_kind",
    order: _Order = "K",
    dtype: None = None,
    subok: bool = True,
) -> _Array[_ShapeT, _NumberT]: ...
@overload
def relu(
    x: _Array[_ShapeT, np.bool],
    /,
    out: None = None,
    *,
    where: _Where = True,
    casting: _Casting = "same_kind",
    order: _Order = "K",
    dtype: None = None,
    subok: bool = True,
) -> _Array[_ShapeT, np.intp]: ...
@overload
def relu(
    x: ArrayLike,
    /,
    out: None = None,
    *,
    where: _Where = True,
    casting: _Casting = "same_kind",
    order: _Order = "K",
    dtype: DTypeLike | None = None,
    subok: bool = True,
) -> Any: ...
@overload
def relu_backward(
    grad: ArrayLike,
    x: ArrayLike,
    /,
    out: _Out[_ArrayT],
    *,
    where: _Where = True,
    casting: _Casting = "same_kind",
    order: _Order = "K",
    dtype: DTypeLike | None = None,
    subok: bool = True,
) -> _ArrayT: ...
@overload
def relu_backward(
    grad: _Array[_ShapeT, _FloatT] | int,
    x: _Array[_ShapeT, _FloatT],
    /,
    out: None = None,
    *,
    where: _Where = True,
    casting: _Casting = "same_kind",
    order: _Order = "K",
    dtype: None = None,
    subok: bool = True,
) -> _Array[_ShapeT, _FloatT]: ...
@overload
def relu_backward(
    grad: ArrayLike,
    x: ArrayLike,
    /,
    out: None = None,
    *,
    where: _Where = True,
    casting: _Casting = "same_kind",
    order: _Order = "K",
    dtype: DTypeLike | None = None,
    subok: bool = True,
) -> Any: ...

@type_check_only
class _OfTwo(Protocol):
    @overload
    def __call__(
        self,
        x: ArrayLike,
        y: ArrayLike,
        /,
        out: _Out[_ArrayT],
        *,
        where: _Where = True,
        casting: _Casting = "same_kind",
        order: _Order = "K",
        dtype: DTypeLike | None = None,
        subok: bool = True,
    ) -> _ArrayT: ...
    @overload
    def __call__(
        self,
        x: _Array[_ShapeT, _FloatT] | float,
        y: _Array[_ShapeT, _FloatT],
        /,
        out: None = None,
        *,
        where: _Where = True,
        casting: _Casting = "same_kind",
        order: _Order = "K",
        dtype: None = None,
        subok: bool = True,
    ) -> _Array[_ShapeT, _FloatT]: ...
    @overload
    def __call__(
        self,
        x: _Array[_ShapeT, _FloatT],
        y: float,
        /,
        out: None = None,
        *,
        where: _Where = True,
        casting: _Casting = "same_kind",
        order: _Order = "K",
        dtype: None = None,
        subok: bool = True,
    ) -> _Array[_ShapeT, _FloatT]: ...
    @overload
    def __call__(
        self,
        x: ArrayLike,
        y: ArrayLike,
        /,
        out: None = None,
        *,
        where: _Where = True,
        casting: _Casting = "same_kind",
        order: _Order = "K",
        dtype: DTypeLike | None = None,
        subok: bool = True,
    ) -> Any: ...

@type_check_only
class _OfThree(Protocol):
    @overload
    def __call__(
        self,
        grad: ArrayLike,
        x: ArrayLike,
        y: ArrayLike,
        /,
        out: _Out[_ArrayT],
        *,
        where: _Where = True,
        casting: _Casting = "same_kind",
        order: _Order = "K",
        dtype: DTypeLike | None = None,
        subok: bool = True,
    ) -> _ArrayT: ...
    @overload
    def __call__(
        self,
        grad: _Array[_ShapeT, _FloatT] | float,
        x: _Array[_ShapeT, _FloatT],
        y: _Array[_ShapeT, _FloatT] | float,
        /,
        out: None = None,
        *,
        where: _Where = True,
        casting: _Casting = "same_kind",
        order: _Order = "K",
        dtype: None = None,
        subok: bool = True,
    ) -> _Array[_ShapeT, _FloatT]: ...
    @overload
    def __call__(
        self,
        grad: ArrayLike,
        x: ArrayLike,
        y: ArrayLike,
        /,
        out: None = None,
        *,
        where: _Where = True,
        casting: _Casting = "same_kind",
        order: _Order = "K",
        dtype: DTypeLike | None = None,
        subok: bool = True,
    ) -> Any: ...

add_relu: Final[_OfTwo]
subtract_relu: Final[_OfTwo]
leaky_relu: Final[_OfTwo]
leaky_relu_backward: Final[_OfThree]
clipped_relu: Final[_OfTwo]
clipped_relu_backward: Final[_OfThree]
soft_threshold: Final[_OfTwo]
soft_threshold_backward: Final[_OfThree]

@overload
def relu_derivative(
    x: _Array[_ShapeT, _NumberT], at_zero: _AtZero = 0
) -> _Array[_ShapeT, _NumberT]: ...
@overload
def relu_derivative(
    x: _Array[_ShapeT, np.bool], at_zero: _AtZero = 0
) -> _Array[_ShapeT, np.intp]: ...
@overload
def relu_derivative(x: NDArray[np.generic], at_zero: _AtZero = 0) -> NDArray[np.generic]: ...
@overload
def relu_derivative(x: _NumberT, at_zero: _AtZero = 0) -> _NumberT: ...
@overload
def relu_derivative(x: int | np.bool, at_zero: _AtZero = 0) -> np.intp: ...
@overload
def relu_derivative(x: float, at_zero: _AtZero = 0) -> np.float64: ...
@overload
def relu_derivative(x: np.generic | _Container, at_zero: _AtZero = 0) -> Any: ...
@overload
def relu_derivative(x: ArrayLike, at_zero: _AtZero = 0) -> NDArray[Any]: ...
@overload
def relu_with_mask(
    x: ArrayLike, out: _ArrayT, mask: _Mask | None = None, *, at_zero: _AtZero = 0
) -> tuple[_ArrayT, _Mask]: ...
@overload
def relu_with_mask(
    x: _Array[_ShapeT, _NumberT],
    out: None = None,
    mask: _Mask | None = None,
    *,
    at_zero: _AtZero = 0,
) -> tuple[_Array[_ShapeT, _NumberT], _Mask]: ...
@overload
def relu_with_mask(
    x: _Array[_ShapeT, np.bool],
    out: None = None,
    mask: _Mask | None = None,
    *,
    at_zero: _AtZero = 0,
) -> tuple[_Array[_ShapeT, np.intp], _Mask]: ...
@overload
def relu_with_mask(
    x: NDArray[np.generic], out: None = None, mask: _Mask | None = None, *, at_zero: _AtZero = 0
) -> tuple[NDArray[np.generic], _Mask]: ...
@overload
def relu_with_mask(
    x: ArrayLike, out: None = None, mask: _Mask | None = None, *, at_zero: _AtZero = 0
) -> tuple[NDArray[Any], _Mask]: ...
@overload
def relu_backward_from_mask(grad: ArrayLike, mask: _Mask, out: _ArrayT) -> _ArrayT: ...
@overload
def relu_backward_from_mask(
    grad: _Array[_ShapeT, _NumberT], mask: _Mask, out: None = None
) -> _Array[_ShapeT, _NumberT]: ...
@overload
def relu_backward_from_mask(
    grad: _Array[_ShapeT, np.bool], mask: _Mask, out: None = None
) -> _Array[_ShapeT, np.intp]: ...
@overload
def relu_backward_from_mask(
    grad: NDArray[np.generic], mask: _Mask, out: None = None
) -> NDArray[np.generic]: ...
@overload
def relu_backward_from_mask(grad: ArrayLike, mask: _Mask, out: None = None) -> NDArray[Any]: ...

REDUCTIONS: Final[tuple[str, ...]]

@overload
def relu_sum(
    x: ArrayLike,
    axis: _Axes = None,
    *,
    threshold: ArrayLike = 0,
    dtype: DTypeLike | None = None,
    out: _ArrayT,
    keepdims: bool = False,
) -> _ArrayT: ...
@overload
def relu_sum(
    x: _Array[Any, _FloatT],
    axis: None = None,
    *,
    threshold: float = 0,
    dtype: None = None,
    out: None = None,
    keepdims: Literal[False] = False,
) -> _FloatT: ...
@overload
def relu_sum(
    x: ArrayLike | _Container,
    axis: _Axes = None,
    *,
    threshold: ArrayLike = 0,
    dtype: DTypeLike | None = None,
    out: None = None,
    keepdims: bool = False,
) -> Any: ...
@overload
def relu_mean(
    x: ArrayLike,
    axis: _Axes = None,
    *,
    threshold: ArrayLike = 0,
    dtype: DTypeLike | None = None,
    out: _ArrayT,
    keepdims: bool = False,
) -> _ArrayT: ...
@overload
def relu_mean(
    x: _Array[Any, _FloatT],
    axis: None = None,
    *,
    threshold: float = 0,
    dtype: None = None,
    out: None = None,
    keepdims: Literal[False] = False,
) -> _FloatT: ...
@overload
def relu_mean(
    x: ArrayLike | _Container,
    axis: _Axes = None,
    *,
    threshold: ArrayLike = 0,
    dtype: DTypeLike | None = None,
    out: None = None,
    keepdims: bool = False,
) -> Any: ...
@overload
def activity(x: NDArray[Any], axis: None) -> np.float64: ...
@overload
def activity(x: ArrayLike | _Container, axis: _Axes = 0) -> Any: ...
@overload
def dead_units(x: NDArray[Any], axis: None) -> np.bool: ...
@overload
def dead_units(x: ArrayLike | _Container, axis: _Axes = 0) -> Any: ...
def reduced(
    reduce: Callable[..., Any],
    relu: Callable[..., Any],
    x: object,
    axis: object,
    threshold: object,
    dtype: object,
    out: object,
    keepdims: object,
) -> Any: ...
def reduce_otherwise(
    function: Callable[..., Any],
    numpys: Callable[..., Any],
    x: object,
    axis: object,
    **options: object,
) -> Any: ...
def name_in_ml_dtypes(dtype: np.dtype[Any]) -> str | None: ...
def is_real(dtype: np.dtype[Any]) -> bool: ...
def zero_of(dtype: np.dtype[Any]) -> Any: ...
def one_of(x: object) -> Any: ...
def check_at_zero(at_zero: object) -> None: ...
def contiguous_operand(name: str, operand: ArrayLike) -> NDArray[Any]: ...
def check_out(out: object, operand: NDArray[Any]) -> None: ...
def check_mask(mask: object, operand: NDArray[Any], written: bool = ...) -> None: ...
def check_written_mask(mask: object, operand: NDArray[Any]) -> None: ...
def check_apart(out: NDArray[Any], mask: _Mask) -> None: ...
