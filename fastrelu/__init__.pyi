from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import (
    Any,
    Final,
    Literal,
    NamedTuple,
    Protocol,
    SupportsIndex,
    overload,
    type_check_only,
)

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import reference as reference

__all__ = [
    "cache_info",
    "clear_cache",
    "get_num_threads",
    "implementations",
    "isa",
    "num_threads",
    "reference",
    "relu",
    "relu_backward",
    "relu_backward_from_mask",
    "relu_derivative",
    "relu_with_mask",
    "set_cache_limit",
    "set_num_threads",
    "show_config",
]

__version__: Final[str]

@type_check_only
class ReluWithMask(Protocol):
    def __call__(
        self,
        x: ArrayLike,
        out: NDArray[Any] | None = None,
        mask: NDArray[np.uint8] | None = None,
        *,
        at_zero: Literal[0, 1] = 0,
    ) -> tuple[NDArray[Any], NDArray[np.uint8]]: ...

@type_check_only
class ReluBackwardFromMask(Protocol):
    def __call__(
        self, grad: ArrayLike, mask: NDArray[np.uint8], out: NDArray[Any] | None = None
    ) -> NDArray[Any]: ...

@type_check_only
class Implementation(NamedTuple):
    relu: np.ufunc
    relu_backward: np.ufunc
    relu_with_mask: ReluWithMask
    relu_backward_from_mask: ReluBackwardFromMask

@type_check_only
class CacheInfo(NamedTuple):
    hits: int
    misses: int
    bytes_held: int
    limit: int

isa: Final[str]
implementations: Final[Mapping[str, Implementation]]
relu: Final[np.ufunc]
relu_backward: Final[np.ufunc]
relu_with_mask: Final[ReluWithMask]
relu_backward_from_mask: Final[ReluBackwardFromMask]

def relu_derivative(x: ArrayLike, at_zero: Literal[0, 1] = 0) -> Any: ...
def get_num_threads() -> int: ...
def set_num_threads(n: SupportsIndex) -> None: ...
def num_threads(n: SupportsIndex) -> AbstractContextManager[None]: ...
def cache_info() -> CacheInfo: ...
def clear_cache() -> None: ...
def set_cache_limit(n: SupportsIndex) -> None: ...
@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
def show_config(mode: Literal["dicts"]) -> dict[str, str | list[str]]: ...
