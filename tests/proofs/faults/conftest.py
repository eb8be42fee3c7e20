"""Runs codes in processes in which calls into the system fail, by shim.c."""

import os
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from helpers import in_forks

import fastrelu

HERE = Path(__file__).parent
TESTS = HERE.parents[1]


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    """Return the path of the compiled shim; skip where there can be none."""
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        pytest.skip("shim.c stands before the functions of glibc")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("a Python without the GIL does not take its memory by malloc")
    if os.environ.get("LD_PRELOAD"):
        pytest.skip("another library stands before the functions of glibc")
    if fastrelu.isa == "python":
        pytest.skip("the fallback has no C")
    library = tmp_path_factory.mktemp("faults") / "shim.so"
    compiler = os.environ.get("CC", "gcc").split()
    options = ["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([*compiler, *options, "-o", library, HERE / "shim.c", "-ldl"], check=True)
    return library


@pytest.fixture(scope="session")
def with_faults(shim):
    """Return with_faults(before, codes): as helpers.in_forks, where calls can be let fail."""

    def with_faults(before, codes, **options):
        environment = {
            "LD_PRELOAD": str(shim),
            "PYTHONMALLOC": "malloc",  # each object is an allocation
            "PYTHONHASHSEED": "0",  # a set of the same size, so the same allocations, in each run
            "PYTHONPATH": os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")])),
        }
        return in_forks(before, codes, environment=environment, **options)

    return with_faults
