"""What a process under shim.c does once without memory: it imports the core, and meets a type."""

import gc
import importlib.util
import re
import sys
import types
import warnings

import numpy as np
from proofs.faults.injection import LOOP, shim, spare_others, sweep_in_forks

x = np.arange(-9, 9, dtype="f4")
expected = np.maximum(x, 0)

# What Python and Cython say without memory.
OF_OTHERS = (
    "can't allocate lock",
    "numpy._core.multiarray failed to import",
    "numpy._core.umath failed to import",
)
OF_THE_INTERPRETER = re.compile(
    r"<function __getattr__ at 0x\w+> returned NULL without setting an exception"
)


def fail_to_import(step):
    """
    Let each allocation fail, at a distance, with which the core is imported; print how many.

    It is imported without the rest of the package, which Python would have to compile. Then the
    import of the package in the same process must succeed.
    """
    package = types.ModuleType("fastrelu")
    package.__path__ = importlib.util.find_spec("fastrelu").submodule_search_locations
    sys.modules["fastrelu"] = package
    importlib.import_module("fastrelu.reference")

    library = importlib.util.find_spec("fastrelu._core").origin

    def check(raised):
        if raised is not None and not isinstance(raised, MemoryError):
            text = str(raised)
            of_the_loader = isinstance(raised, ImportError) and text.startswith(f"{library}: ")
            assert of_the_loader or text in OF_OTHERS or OF_THE_INTERPRETER.fullmatch(text), raised
        del sys.modules["fastrelu"]
        with warnings.catch_warnings(action="error"):
            import fastrelu
        assert fastrelu.isa != "python"
        for functions in fastrelu.implementations.values():
            np.testing.assert_array_equal(functions.relu(x), expected)
            np.testing.assert_array_equal(functions.relu_with_mask(x)[0], expected)
        with fastrelu.patched_numpy():
            np.testing.assert_array_equal(np.maximum(0, x), expected)
        names = [getattr(callback, "__name__", None) for callback in gc.callbacks]
        assert names.count("release_idle") == 1, f"callbacks of the garbage collector: {names}"

    # Cython's own, where tracebacks then lack its code
    warnings.filterwarnings("ignore", "Code object creation failed in Cython", RuntimeWarning)
    spare_others()
    shim.expect_objects_of_no_type()
    print(sweep_in_forks(lambda: importlib.import_module("fastrelu._core"), check, step, excused=2))


def fail_to_meet_a_type():
    """Let each allocation fail with which ufuncs get loops, and each loop; print how many."""
    import ml_dtypes

    import fastrelu

    operand = x.astype(ml_dtypes.bfloat16)

    def check(raised):
        assert raised is None or isinstance(raised, MemoryError), raised
        for functions in fastrelu.implementations.values():
            for result in functions.relu(operand), functions.relu_backward(operand, operand):
                np.testing.assert_array_equal(result.astype("f4"), expected)

    spare_others()
    faults = sweep_in_forks(lambda: fastrelu.relu(operand), check)
    print(faults + sweep_in_forks(lambda: fastrelu.relu(operand), check, kind=LOOP))
