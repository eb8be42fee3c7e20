from typing import Any, Literal

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
def check_at_zero(at_zero: object) -> None: ...
