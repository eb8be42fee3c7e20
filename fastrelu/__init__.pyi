from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, overload, type_check_only

import numpy as np
from numpy.typing import ArrayLike

from . import reference as reference

__all__ = [
    "implementations",
    "isa",
    "reference",
    "relu",
    "relu_backward",
    "relu_derivative",
    "show_config",
]

__version__: Final[str]

@type_check_only
class Implementation(NamedTuple):
    relu: np.ufunc
    relu_backward: np.ufunc

isa: Final[str]
implementations: Final[Mapping[str, Implementation]]
relu: Final[np.ufunc]
relu_backward: Final[np.ufunc]

def relu_derivative(x: ArrayLike, at_zero: Literal[0, 1] = 0) -> Any: ...
@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
def show_config(mode: Literal["dicts"]) -> dict[str, str | list[str]]: ...
