"""Builds fastrelu._core: one extension of plain C files, for every instruction set at once."""

import sys
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

setup(
    ext_modules=[
        Extension(
            "fastrelu._core",
            sources=["fastrelu/_core.pyx", *sorted(glob("csrc/**/*.c", recursive=True))],
            depends=glob("csrc/**/*.*", recursive=True),
            include_dirs=["csrc", numpy.get_include()],
            define_macros=[
                ("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"),
                ("NPY_TARGET_VERSION", "NPY_2_0_API_VERSION"),
                ("PY_ARRAY_UNIQUE_SYMBOL", "fastrelu_array_api"),
                ("PY_UFUNC_UNIQUE_SYMBOL", "fastrelu_ufunc_api"),
            ],
            libraries=[] if sys.platform == "win32" else ["m"],
            extra_compile_args=[] if sys.platform == "win32" else UNIX_FLAGS,
        )
    ]
)
