# As in reference.pyi, whose heading says why:
# mypy: disable-error-code="overload-overlap, overload-cannot-match"
# pyright: reportOverlappingOverload=false

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import (
    Any,
    Final,
    Literal,
    NamedTuple,
    SupportsIndex,
    TypeAlias,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
    type_check_only,
)

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import reference as reference
from .reference import (
    _Array,
    _ArrayT,
    _Casting,
    _Container,
    _FloatT,
    _Mask,
    _NumberT,
    _Order,
    _Out,
    _ScalarT,
    _ShapeT,
    _Where,
)
from .reference import activity as activity
from .reference import dead_units as dead_units
from .reference import relu_backward_from_mask as relu_backward_from_mask
from .reference import relu_derivative as relu_derivative
from .reference import relu_mean as relu_mean
from .reference import relu_sum as relu_sum
from .reference import relu_with_mask as relu_with_mask

__all__ = [
    "activity",
    "add_relu",
    "cache_info",
    "clear_cache",
    "clipped_relu",
    "clipped_relu_backward",
    "dead_units",
    "get_num_threads",
    "implementations",
    "isa",
    "leaky_relu",
    "leaky_relu_backward",
    "num_threads",
    "numpy_is_patched",
    "patch_numpy",
    "patched_numpy",
    "reference",
    "relu",
    "relu_backward",
    "relu_backward_from_mask",
    "relu_derivative",
    "relu_mean",
    "relu_sum",
    "relu_with_mask",
    "set_cache_limit",
    "set_num_threads",
    "show_config",
    "soft_threshold",
    "soft_threshold_backward",
    "subtract_relu",
    "unpatch_numpy",
]

__version__: Final[str]

_SignedT = TypeVar("_SignedT", bound=np.signedinteger[Any])
_UnsignedT = TypeVar("_UnsignedT", bound=np.unsignedinteger[Any])

_Dtype: TypeAlias = type[_ScalarT] | np.dtype[_ScalarT]
_Scalar: TypeAlias = complex | np.generic

@type_check_only
class _Options(TypedDict, total=False):
    where: _Where
    casting: _Casting
    order: _Order
    subok: bool

@type_check_only
class _AllOptions(_Options, total=False):
    dtype: DTypeLike | None
    signature: str | tuple[DTypeLike | None, ...]

@type_check_only
class _Relu(np.ufunc):  # type: ignore[misc]  # NumPy's stubs call it final
    @overload
    def __call__(
        self, x: ArrayLike | _Container, /, out: _Out[_ArrayT], **options: Unpack[_AllOptions]
    ) -> _ArrayT: ...
    @overload
    def __call__(
        self,
        x: _Array[_ShapeT, _NumberT],
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, _NumberT]: ...
    @overload
    def __call__(
        self,
        x: _Array[_ShapeT, np.bool],
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, np.intp]: ...
    @overload
    def __call__(
        self,
        x: NDArray[np.generic],
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> NDArray[np.generic]: ...
    @overload
    def __call__(
        self,
        x: np.ndarray[_ShapeT, Any],
        /,
        out: None = None,
        *,
        dtype: _Dtype[_ScalarT],
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, _ScalarT]: ...
    @overload
    def __call__(
        self, x: _NumberT, /, out: None = None, *, dtype: None = None, **options: Unpack[_Options]
    ) -> _NumberT: ...
    @overload
    def __call__(
        self,
        x: int | np.bool,
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> np.intp: ...
    @overload
    def __call__(
        self, x: float, /, out: None = None, *, dtype: None = None, **options: Unpack[_Options]
    ) -> np.float64: ...
    @overload
    def __call__(
        self, x: complex, /, out: None = None, *, dtype: None = None, **options: Unpack[_Options]
    ) -> np.complex128: ...
    @overload
    def __call__(
        self,
        x: _Scalar,
        /,
        out: None = None,
        *,
        dtype: _Dtype[_ScalarT],
        **options: Unpack[_Options],
    ) -> _ScalarT: ...
    @overload
    def __call__(
        self, x: _Scalar | _Container, /, out: None = None, **options: Unpack[_AllOptions]
    ) -> Any: ...
    @overload
    def __call__(
        self, x: ArrayLike, /, out: None = None, **options: Unpack[_AllOptions]
    ) -> NDArray[Any]: ...

# Of two types of one kind, the result has the wider.
@type_check_only
class _ReluBackward(np.ufunc):  # type: ignore[misc]  # NumPy's stubs call it final
    @overload
    def __call__(
        self,
        grad: ArrayLike | _Container,
        x: ArrayLike | _Container,
        /,
        out: _Out[_ArrayT],
        **options: Unpack[_AllOptions],
    ) -> _ArrayT: ...
    @overload
    def __call__(
        self,
        grad: _Array[_ShapeT, _FloatT] | int,
        x: _Array[_ShapeT, _FloatT],
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, _FloatT]: ...
    @overload
    def __call__(
        self,
        grad: NDArray[np.floating[Any]] | int,
        x: NDArray[np.floating[Any]],
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> NDArray[np.inexact[Any]]: ...
    @overload
    def __call__(
        self,
        grad: _Array[_ShapeT, _SignedT] | int,
        x: _Array[_ShapeT, _SignedT],
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, _SignedT]: ...
    @overload
    def __call__(
        self,
        grad: _Array[_ShapeT, _UnsignedT] | int,
        x: _Array[_ShapeT, _UnsignedT],
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, _UnsignedT]: ...
    @overload
    def __call__(
        self,
        grad: np.ndarray[_ShapeT, Any],
        x: np.ndarray[_ShapeT, Any],
        /,
        out: None = None,
        *,
        dtype: _Dtype[_ScalarT],
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, _ScalarT]: ...
    @overload
    def __call__(
        self,
        grad: _FloatT,
        x: _FloatT,
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _FloatT: ...
    @overload
    def __call__(
        self, grad: _Scalar, x: _Scalar, /, out: None = None, **options: Unpack[_AllOptions]
    ) -> Any: ...
    @overload
    def __call__(
        self,
        grad: _Container,
        x: ArrayLike | _Container,
        /,
        out: None = None,
        **options: Unpack[_AllOptions],
    ) -> Any: ...
    @overload
    def __call__(
        self, grad: ArrayLike, x: _Container, /, out: None = None, **options: Unpack[_AllOptions]
    ) -> Any: ...
    @overload
    def __call__(
        self, grad: ArrayLike, x: ArrayLike, /, out: None = None, **options: Unpack[_AllOptions]
    ) -> NDArray[Any]: ...

# Of two types of one kind, the result has the wider. A number of Python takes the type of an array.
@type_check_only
class _AddRelu(np.ufunc):  # type: ignore[misc]  # NumPy's stubs call it final
    @overload
    def __call__(
        self,
        x: ArrayLike | _Container,
        y: ArrayLike | _Container,
        /,
        out: _Out[_ArrayT],
        **options: Unpack[_AllOptions],
    ) -> _ArrayT: ...
    @overload
    def __call__(
        self,
        x: _Array[_ShapeT, _FloatT] | float,
        y: _Array[_ShapeT, _FloatT],
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, _FloatT]: ...
    @overload
    def __call__(
        self,
        x: _Array[_ShapeT, _FloatT],
        y: float,
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, _FloatT]: ...
    @overload
    def __call__(
        self,
        x: NDArray[np.floating[Any]] | float,
        y: NDArray[np.floating[Any]],
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> NDArray[np.inexact[Any]]: ...
    @overload
    def __call__(
        self,
        x: NDArray[np.floating[Any]],
        y: float,
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> NDArray[np.inexact[Any]]: ...
    @overload
    def __call__(
        self,
        x: _Array[_ShapeT, _SignedT] | int,
        y: _Array[_ShapeT, _SignedT],
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, _SignedT]: ...
    @overload
    def __call__(
        self,
        x: _Array[_ShapeT, _SignedT],
        y: int,
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, _SignedT]: ...
    @overload
    def __call__(
        self,
        x: _Array[_ShapeT, _UnsignedT] | int,
        y: _Array[_ShapeT, _UnsignedT],
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, _UnsignedT]: ...
    @overload
    def __call__(
        self,
        x: _Array[_ShapeT, _UnsignedT],
        y: int,
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, _UnsignedT]: ...
    @overload
    def __call__(
        self,
        x: np.ndarray[_ShapeT, Any],
        y: np.ndarray[_ShapeT, Any],
        /,
        out: None = None,
        *,
        dtype: _Dtype[_ScalarT],
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, _ScalarT]: ...
    @overload
    def __call__(
        self,
        x: _FloatT,
        y: _FloatT,
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _FloatT: ...
    @overload
    def __call__(
        self,
        x: _Scalar,
        y: _Scalar,
        /,
        out: None = None,
        **options: Unpack[_AllOptions],
    ) -> Any: ...
    @overload
    def __call__(
        self,
        x: _Container,
        y: ArrayLike | _Container,
        /,
        out: None = None,
        **options: Unpack[_AllOptions],
    ) -> Any: ...
    @overload
    def __call__(
        self,
        x: ArrayLike,
        y: _Container,
        /,
        out: None = None,
        **options: Unpack[_AllOptions],
    ) -> Any: ...
    @overload
    def __call__(
        self,
        x: ArrayLike,
        y: ArrayLike,
        /,
        out: None = None,
        **options: Unpack[_AllOptions],
    ) -> NDArray[Any]: ...

# As _AddRelu, but for floats alone: integers beside a number of Python become float64.
@type_check_only
class _LeakyRelu(np.ufunc):  # type: ignore[misc]  # NumPy's stubs call it final
    @overload
    def __call__(
        self,
        x: ArrayLike | _Container,
        parameter: ArrayLike | _Container,
        /,
        out: _Out[_ArrayT],
        **options: Unpack[_AllOptions],
    ) -> _ArrayT: ...
    @overload
    def __call__(
        self,
        x: _Array[_ShapeT, _FloatT],
        parameter: _Array[_ShapeT, _FloatT] | float,
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, _FloatT]: ...
    @overload
    def __call__(
        self,
        x: NDArray[np.floating[Any]],
        parameter: NDArray[np.floating[Any]] | float,
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> NDArray[np.inexact[Any]]: ...
    @overload
    def __call__(
        self,
        x: _Array[_ShapeT, np.integer[Any]],
        parameter: float,
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, np.float64]: ...
    @overload
    def __call__(
        self,
        x: np.ndarray[_ShapeT, Any],
        parameter: np.ndarray[_ShapeT, Any] | float,
        /,
        out: None = None,
        *,
        dtype: _Dtype[_ScalarT],
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, _ScalarT]: ...
    @overload
    def __call__(
        self,
        x: _FloatT,
        parameter: _FloatT,
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _FloatT: ...
    @overload
    def __call__(
        self,
        x: _Scalar,
        parameter: _Scalar,
        /,
        out: None = None,
        **options: Unpack[_AllOptions],
    ) -> Any: ...
    @overload
    def __call__(
        self,
        x: _Container,
        parameter: ArrayLike | _Container,
        /,
        out: None = None,
        **options: Unpack[_AllOptions],
    ) -> Any: ...
    @overload
    def __call__(
        self,
        x: ArrayLike,
        parameter: _Container,
        /,
        out: None = None,
        **options: Unpack[_AllOptions],
    ) -> Any: ...
    @overload
    def __call__(
        self,
        x: ArrayLike,
        parameter: ArrayLike,
        /,
        out: None = None,
        **options: Unpack[_AllOptions],
    ) -> NDArray[Any]: ...

@type_check_only
class _LeakyReluBackward(np.ufunc):  # type: ignore[misc]  # NumPy's stubs call it final
    @overload
    def __call__(
        self,
        grad: ArrayLike | _Container,
        x: ArrayLike | _Container,
        parameter: ArrayLike | _Container,
        /,
        out: _Out[_ArrayT],
        **options: Unpack[_AllOptions],
    ) -> _ArrayT: ...
    @overload
    def __call__(
        self,
        grad: _Array[_ShapeT, _FloatT] | float,
        x: _Array[_ShapeT, _FloatT],
        parameter: _Array[_ShapeT, _FloatT] | float,
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, _FloatT]: ...
    @overload
    def __call__(
        self,
        grad: NDArray[np.floating[Any]] | float,
        x: NDArray[np.floating[Any]],
        parameter: NDArray[np.floating[Any]] | float,
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> NDArray[np.inexact[Any]]: ...
    @overload
    def __call__(
        self,
        grad: np.ndarray[_ShapeT, Any],
        x: np.ndarray[_ShapeT, Any],
        parameter: np.ndarray[_ShapeT, Any] | float,
        /,
        out: None = None,
        *,
        dtype: _Dtype[_ScalarT],
        **options: Unpack[_Options],
    ) -> _Array[_ShapeT, _ScalarT]: ...
    @overload
    def __call__(
        self,
        grad: _FloatT,
        x: _FloatT,
        parameter: _FloatT,
        /,
        out: None = None,
        *,
        dtype: None = None,
        **options: Unpack[_Options],
    ) -> _FloatT: ...
    @overload
    def __call__(
        self,
        grad: _Scalar,
        x: _Scalar,
        parameter: _Scalar,
        /,
        out: None = None,
        **options: Unpack[_AllOptions],
    ) -> Any: ...
    @overload
    def __call__(
        self,
        grad: _Container,
        x: ArrayLike | _Container,
        parameter: ArrayLike | _Container,
        /,
        out: None = None,
        **options: Unpack[_AllOptions],
    ) -> Any: ...
    @overload
    def __call__(
        self,
        grad: ArrayLike,
        x: _Container,
        parameter: ArrayLike | _Container,
        /,
        out: None = None,
        **options: Unpack[_AllOptions],
    ) -> Any: ...
    @overload
    def __call__(
        self,
        grad: ArrayLike,
        x: ArrayLike,
        parameter: _Container,
        /,
        out: None = None,
        **options: Unpack[_AllOptions],
    ) -> Any: ...
    @overload
    def __call__(
        self,
        grad: ArrayLike,
        x: ArrayLike,
        parameter: ArrayLike,
        /,
        out: None = None,
        **options: Unpack[_AllOptions],
    ) -> NDArray[Any]: ...

@type_check_only
class Implementation(NamedTuple):
    relu: _Relu
    relu_backward: _ReluBackward
    add_relu: _AddRelu
    subtract_relu: _AddRelu
    leaky_relu: _LeakyRelu
    leaky_relu_backward: _LeakyReluBackward
    clipped_relu: _AddRelu
    clipped_relu_backward: _LeakyReluBackward
    soft_threshold: _LeakyRelu
    soft_threshold_backward: _LeakyReluBackward
    relu_with_mask: Callable[..., tuple[NDArray[Any], _Mask]]
    relu_backward_from_mask: Callable[..., NDArray[Any]]
    relu_sum: Callable[..., Any]
    relu_mean: Callable[..., Any]
    activity: Callable[..., Any]
    dead_units: Callable[..., Any]

@type_check_only
class CacheInfo(NamedTuple):
    hits: int
    misses: int
    bytes_held: int
    limit: int

isa: Final[str]
implementations: Final[Mapping[str, Implementation]]
relu: Final[_Relu]
relu_backward: Final[_ReluBackward]
add_relu: Final[_AddRelu]
subtract_relu: Final[_AddRelu]
leaky_relu: Final[_LeakyRelu]
leaky_relu_backward: Final[_LeakyReluBackward]
clipped_relu: Final[_AddRelu]
clipped_relu_backward: Final[_LeakyReluBackward]
soft_threshold: Final[_LeakyRelu]
soft_threshold_backward: Final[_LeakyReluBackward]

def get_num_threads() -> int: ...
def set_num_threads(n: SupportsIndex) -> None: ...
def num_threads(n: SupportsIndex) -> AbstractContextManager[None]: ...
def cache_info() -> CacheInfo: ...
def clear_cache() -> None: ...
def set_cache_limit(n: SupportsIndex) -> None: ...
def patch_numpy() -> None: ...
def unpatch_numpy() -> None: ...
def numpy_is_patched() -> bool: ...
def patched_numpy() -> AbstractContextManager[None]: ...
@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
def show_config(mode: Literal["dicts"]) -> dict[str, str | list[str]]: ...
