from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

def relu(
    x: ArrayLike,
    /,
    out: NDArray[Any] | tuple[NDArray[Any]] | None = None,
    *,
    where: ArrayLike = True,
    casting: Literal["no", "equiv", "safe", "same_kind", "unsafe"] = "same_kind",
    order: Literal["K", "A", "C", "F"] = "K",
    dtype: DTypeLike | None = None,
    subok: bool = True,
) -> Any: ...
def relu_backward(
    grad: ArrayLike,
    x: ArrayLike,
    /,
    out: NDArray[Any] | tuple[NDArray[Any]] | None = None,
    *,
    where: ArrayLike = True,
    casting: Literal["no", "equiv", "safe", "same_kind", "unsafe"] = "same_kind",
    order: Literal["K", "A", "C", "F"] = "K",
    dtype: DTypeLike | None = None,
    subok: bool = True,
) -> Any: ...
def relu_derivative(x: ArrayLike, at_zero: Literal[0, 1] = 0) -> Any: ...
def relu_with_mask(
    x: ArrayLike,
    out: NDArray[Any] | None = None,
    mask: NDArray[np.uint8] | None = None,
    *,
    at_zero: Literal[0, 1] = 0,
) -> tuple[NDArray[Any], NDArray[np.uint8]]: ...
def relu_backward_from_mask(
    grad: ArrayLike, mask: NDArray[np.uint8], out: NDArray[Any] | None = None
) -> NDArray[Any]: ...
def check_at_zero(at_zero: object) -> None: ...
def contiguous_operand(name: str, operand: ArrayLike) -> NDArray[Any]: ...
def check_out(out: object, operand: NDArray[Any]) -> None: ...
def check_mask(mask: object, operand: NDArray[Any], *, written: bool) -> None: ...
def check_apart(out: NDArray[Any], mask: NDArray[np.uint8]) -> None: ...
