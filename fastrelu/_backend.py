"""The instruction set in use, its functions, and the compiled core or what stands in for it."""

import os
import warnings
from types import MappingProxyType

from . import reference


class NoCore:
    """The settings of the compiled core where only the reference runs: it has none to change."""

    MAX_THREADS = 64
    KERNEL_TYPES = ""

    def get_num_threads(self):
        return 1

    def set_num_threads(self, n):
        pass

    def set_thresholds(self, *bytes_moved):
        pass

    def cache_info(self):
        return 0, 0, 0, 0

    def set_cache_limit(self, size):
        pass

    def set_huge_pages(self, wanted):
        pass

    def clear_cache(self):
        pass

    def patch_maximum(self, maximum, done):
        raise RuntimeError("np.maximum cannot be patched: fastrelu runs its reference in Python")

    def unpatch_maximum(self):
        raise RuntimeError("np.maximum is not patched")

    def maximum_is_patched(self):
        return False


def _choose():
    """Return the name of the instruction set, all implementations, and the core."""
    wanted = os.environ.get("FASTRELU_ISA", "")
    if wanted == "python":
        return "python", {}, NoCore()
    try:
        from . import _core
    except ImportError as error:
        advice = (
            f"fastrelu._core, its compiled part, cannot be imported ({error}). To build it for "
            "this Python, install fastrelu again where there is a C compiler"
        )
        if wanted:
            raise ImportError(
                f"FASTRELU_ISA={wanted}: {advice}; FASTRELU_ISA=python does without it."
            ) from error
        warnings.warn(
            f"{advice}; to do without it and see no warning, set FASTRELU_ISA=python. "
            "Until then fastrelu runs its reference, which is slow.",
            RuntimeWarning,
            stacklevel=4,
        )
        return "python", {}, NoCore()
    names = list(_core.implementations)
    if wanted and wanted not in names:
        compiled = wanted in _core.compiled_isas
        why = "this CPU does not run it" if compiled else "there is no such set"
        raise ImportError(
            f"FASTRELU_ISA={wanted}: {why}; the choices here are {', '.join(names)}, python"
        )
    return wanted or names[0], _core.implementations, _core


isa, _found, core = _choose()
implementations = MappingProxyType(_found)
functions = implementations.get(isa, reference)
