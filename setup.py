"""Builds fastrelu._core: one extension of plain C files, for every instruction set at once."""

import json
import os
import shutil
import sys
import sysconfig
from glob import glob
from pathlib import Path

import numpy
from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

# All vectors are written by hand: the scalar set stays an honest yardstick.
UNIX_FLAGS = [
    "-std=c11",
    "-O2",
    "-fno-tree-vectorize",
    "-fno-tree-slp-vectorize",
    "-fno-unroll-loops",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-Wall",
    "-Wextra",
]

# For clang-cl, which takes so what its driver for Unix takes. The last one is for setuptools' /GL.
WINDOWS_FLAGS = [*(f"/clang:{flag}" for flag in UNIX_FLAGS), "-Wno-unused-command-line-argument"]

# Without debug information, and names that only a debugger wants, unless it is asked for.
STRIPPED = "-g" not in os.environ.get("CFLAGS", "").split()
STRIPPED_FLAGS = ["-g0", "-fno-asynchronous-unwind-tables"]

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
    if platform == "win32":
        compile_args = WINDOWS_FLAGS
    else:
        compile_args = UNIX_FLAGS + STRIPPED_FLAGS * STRIPPED
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


class BuildExtension(build_ext):
    """On Windows compiles by clang-cl (or $CC) and links as setuptools does."""

    def build_extensions(self):
        if self.compiler.compiler_type == "msvc":
            if not self.compiler.initialized:
                self.compiler.initialize(self.plat_name)
            self.compiler.cc = find_clang_cl()
            machine = "aarch64" if self.plat_name == "win-arm64" else "x86_64"
            self.compiler.compile_options.append(f"--target={machine}-pc-windows-msvc")
        super().build_extensions()


def find_clang_cl():
    """Return the path of clang-cl, or end with the advice to install it."""
    path = shutil.which(os.environ.get("CC") or "clang-cl")
    if path is None or os.path.basename(path).lower() in ("cl", "cl.exe"):
        raise SystemExit(
            "fastrelu cannot be built by Microsoft's compiler, which lacks target regions and "
            "vectors. Install LLVM (its installer, or 'C++ Clang tools for Windows' of Visual "
            "Studio), and put clang-cl on PATH or its path into CC."
        )
    return path


class WheelWithSBOM(bdist_wheel):
    """Adds a software bill of materials (PEP 770): a wheel holds nothing but fastrelu."""

    def egg2dist(self, egginfo_path, distinfo_path):
        super().egg2dist(egginfo_path, distinfo_path)
        name, version = self.distribution.get_name(), self.distribution.get_version()
        purl = f"pkg:pypi/{name}@{version}"
        component = {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "licenses": [{"license": {"id": self.distribution.metadata.license_expression}}],
            "purl": purl,
        }
        bill = {
            "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {"component": component},
            "components": [],
            "dependencies": [{"ref": purl}],
        }
        path = Path(distinfo_path, "sboms", f"{name}.cdx.json")
        path.parent.mkdir()
        path.write_text(json.dumps(bill, indent=2) + "\n")


if __name__ == "__main__":
    abi3 = uses_abi3()
    setup(
        ext_modules=[make_extension(sys.platform, abi3, numpy.get_include())],
        cmdclass={"build_ext": BuildExtension, "bdist_wheel": WheelWithSBOM},
        options={"bdist_wheel": {"py_limited_api": "cp{}{}".format(*ABI3_FROM)}} if abi3 else {},
    )
