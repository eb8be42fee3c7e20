"""Builds fastrelu._core: one extension of plain C files, for every instruction set at once."""

import os
import sys
import sysconfig
from glob import glob

import numpy
from setuptools import Extension, setup

# All vectors are written by hand: the scalar set stays an honest yardstick.
UNIX_FLAGS = [
    "-std=c11",
    "-O2",
    "-fno-tree-vectorize",
    "-fno-tree-slp-vectorize",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-Wall",
    "-Wextra",
]

# Without debug information, and names that only a debugger wants, unless it is asked for.
STRIPPED = "-g" not in os.environ.get("CFLAGS", "").split()

# From here on one file serves every CPython with a GIL.
ABI3_FROM = (3, 12)


def uses_abi3():
    """Return whether this Python gets the file for all; FASTRELU_ABI3=0 asks for one of its own."""
    return (
        sys.implementation.name == "cpython"
        and sys.version_info >= ABI3_FROM
        and not sysconfig.get_config_var("Py_GIL_DISABLED")
        and os.environ.get("FASTRELU_ABI3", "1") != "0"
    )


def make_extension(platform, abi3, numpy_include):
    """Return the extension for a platform, by its name in sys.platform."""
    macros = [
        ("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"),
        ("NPY_TARGET_VERSION", "NPY_2_0_API_VERSION"),
        ("PY_ARRAY_UNIQUE_SYMBOL", "fastrelu_array_api"),
        ("PY_UFUNC_UNIQUE_SYMBOL", "fastrelu_ufunc_api"),
    ]
    if abi3:
        macros.append(("Py_LIMITED_API", "0x{:02X}{:02X}0000".format(*ABI3_FROM)))
    compile_args = [] if platform == "win32" else UNIX_FLAGS + ["-g0"] * STRIPPED
    return Extension(
        "fastrelu._core",
        sources=["fastrelu/_core.pyx", *sorted(glob("csrc/**/*.c", recursive=True))],
        depends=sorted(glob("csrc/**/*.[hi]*", recursive=True)),
        include_dirs=["csrc", numpy_include],
        define_macros=macros,
        libraries=["synchronization"] if platform == "win32" else ["m"],
        extra_compile_args=compile_args,
        extra_link_args=["-Wl,-s"] if STRIPPED and platform == "linux" else [],
        py_limited_api=abi3,
    )


if __name__ == "__main__":
    abi3 = uses_abi3()
    setup(
        ext_modules=[make_extension(sys.platform, abi3, numpy.get_include())],
        options={"bdist_wheel": {"py_limited_api": "cp{}{}".format(*ABI3_FROM)}} if abi3 else {},
    )
