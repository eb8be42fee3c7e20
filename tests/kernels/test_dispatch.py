"""The instruction set is chosen once, at import, by name; without a compiled part, none is."""

import importlib.machinery
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from helpers import OPERATIONS

import fastrelu

PACKAGE = Path(fastrelu.__file__).parent
SETS = Path(__file__).parents[2] / "csrc" / "kernels" / "isa"
MACHINE = platform.machine().lower() if sys.maxsize > 2**32 else "32 bits"
X86_64 = MACHINE in ("x86_64", "amd64")
AARCH64 = MACHINE in ("aarch64", "arm64")
EXPECTED = [*X86_64 * ["avx512", "avx2", "sse2"], *AARCH64 * ["neon"], "scalar"]
RESULTS = """
x = np.array([-1.5, 0.0, 2.5, np.nan], "f4")
assert fastrelu.relu(x).tolist()[:3] == [0, 0, 2.5]
assert fastrelu.relu_backward(np.ones_like(x), x).tolist() == [0, 0, 1, 1]
assert fastrelu.relu_derivative(x, at_zero=1).tolist() == [0, 1, 1, 1]
y, mask = fastrelu.relu_with_mask(x)
assert y.tolist()[:3] == [0, 0, 2.5] and mask.tolist() == [12]
assert fastrelu.relu_backward_from_mask(np.ones_like(x), mask).tolist() == [0, 0, 1, 1]
"""
SHOW = """
import json
import numpy as np
import fastrelu
print(json.dumps({
    "isa": fastrelu.isa,
    "implementations": list(fastrelu.implementations),
    "forward": type(fastrelu.relu).__name__,
    "in_use": fastrelu.isa in fastrelu.implementations and all(
        getattr(fastrelu, name) is function
        for name, function in fastrelu.implementations[fastrelu.isa]._asdict().items()
    ),
    "config": fastrelu.show_config(mode="dicts"),
}))
"""
# A finder that fails for the compiled part, as a missing or a damaged file does.
WITHOUT_CORE = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "fastrelu._core":
            raise ImportError("cannot open shared object file")

sys.meta_path.insert(0, Finder())
"""

compiled = pytest.mark.skipif(not fastrelu.implementations, reason="the compiled part is not used")


def python(code, *options, isa=None, path=PACKAGE.parent):
    """Run code in a fresh Python and return the process, its output and its errors."""
    environment = {name: value for name, value in os.environ.items() if name != "FASTRELU_ISA"}
    environment["PYTHONPATH"] = os.pathsep.join([str(path), os.environ.get("PYTHONPATH", "")])
    environment.pop("PYTHONWARNINGS", None)
    if isa is not None:
        environment["FASTRELU_ISA"] = isa
    return subprocess.run(
        [sys.executable, "-P", *options, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def shown(isa=None, before="", **kwargs):
    run = python(before + SHOW + RESULTS, isa=isa, **kwargs)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout) | {"stderr": run.stderr}


def core():
    return pytest.importorskip("fastrelu._core", reason="there is no compiled part")


def test_the_sets_that_must_be_built_are_built():
    assert core().compiled_isas == EXPECTED


def test_the_sets_of_this_cpu_keep_the_order_of_the_list():
    here = list(core().implementations)
    assert here == [isa for isa in EXPECTED if isa in here]
    assert here[-1] == "scalar"


@pytest.mark.skipif(not X86_64, reason="these are sets of x86-64")
def test_sse2_runs_on_every_x86_64():
    assert "sse2" in core().implementations


def features_of(isa):
    """Return the names of the CPU features that the sources compile a set for."""
    region = re.search(r'^TARGET_BEGIN\("(.*)"\)', (SETS / f"{isa}.c").read_text(), re.MULTILINE)
    return set(region[1].split(",")) if region else set()


@pytest.mark.skipif(not X86_64, reason="these are sets of x86-64")
@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="there is no list of CPU flags")
@pytest.mark.skipif(not SETS.exists(), reason="needs csrc/")
def test_a_set_runs_where_the_system_lists_all_features_it_is_compiled_for():
    cpu = Path("/proc/cpuinfo").read_text()
    listed = set(next(line for line in cpu.splitlines() if line.startswith("flags")).split())
    assert [isa for isa in EXPECTED if features_of(isa) <= listed] == list(core().implementations)


@pytest.mark.skipif(not SETS.exists(), reason="needs csrc/")
def test_the_features_are_found_in_the_sources():
    assert features_of("sse2") == {"sse2"}
    assert features_of("avx2") == {"avx2", "f16c"}
    assert features_of("avx512") > features_of("avx2")


@compiled
@pytest.mark.parametrize("isa", fastrelu.implementations)
def test_the_set_that_was_asked_for_is_in_use(isa):
    found = shown(isa)
    assert found["isa"] == isa
    assert found["in_use"]
    assert found["forward"] == "ufunc"
    assert found["implementations"] == list(fastrelu.implementations)
    assert found["stderr"] == ""


@compiled
@pytest.mark.parametrize("unset", [None, ""])
def test_the_best_set_is_the_default(unset):
    found = shown(unset)
    assert found["isa"] == found["implementations"][0] == next(iter(core().implementations))
    assert found["in_use"]
    assert found["stderr"] == ""


@compiled
@pytest.mark.parametrize("isa", ["avx3", "AVX2", "neon2", "avx2 ", "none", "numpy", "0"])
def test_an_unknown_name_fails_and_names_the_choices(isa):
    run = python("import fastrelu", isa=isa)
    assert run.returncode == 1
    message = run.stderr.splitlines()[-1]
    assert message.startswith("ImportError: ")
    assert f"FASTRELU_ISA={isa}" in message
    assert "no such set" in message
    assert all(name in message for name in [*fastrelu.implementations, "python"])


@compiled
def test_a_set_that_this_cpu_lacks_fails_and_names_the_choices():
    # A stand-in for the compiled part: made for another CPU, it offers less than was built.
    stand_in = """
import sys, types
core = types.ModuleType("fastrelu._core")
core.compiled_isas, core.implementations = ["best", "good", "scalar"], {"good": (), "scalar": ()}
sys.modules["fastrelu._core"] = core
import fastrelu
"""
    run = python(stand_in, isa="best")
    message = run.stderr.splitlines()[-1]
    assert run.returncode == 1
    assert message.startswith("ImportError: FASTRELU_ISA=best: ")
    assert "this CPU" in message
    assert message.endswith("good, scalar, python")


def test_python_is_the_reference():
    found = shown("python")
    assert found["isa"] == "python"
    assert found["implementations"] == []
    assert found["forward"] == "function"
    assert found["stderr"] == ""


def test_python_does_not_load_the_compiled_part():
    run = python("import sys, fastrelu; assert 'fastrelu._core' not in sys.modules", isa="python")
    assert run.returncode == 0, run.stderr


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Return a folder with a copy of the package that lacks its compiled part."""
    folder = tmp_path_factory.mktemp("bare")
    compiled_names = [f"*{suffix}" for suffix in importlib.machinery.EXTENSION_SUFFIXES]
    skipped = shutil.ignore_patterns(*compiled_names, "*.so", "*.pyd", "*.c", "__pycache__")
    shutil.copytree(PACKAGE, folder / "fastrelu", ignore=skipped)
    return folder


def test_without_its_compiled_part_it_works_and_warns_once(bare):
    found = shown(path=bare)
    assert (found["isa"], found["implementations"]) == ("python", [])
    assert found["stderr"].count("RuntimeWarning: ") == 1
    assert found["stderr"].count("Warning: ") == 1
    assert "fastrelu._core" in found["stderr"]
    assert "FASTRELU_ISA=python" in found["stderr"]
    assert "C compiler" in found["stderr"]
    assert found["config"]["isas built"] == []


def test_the_warning_says_why():
    found = shown(before=WITHOUT_CORE)
    assert found["isa"] == "python"
    assert found["stderr"].count("RuntimeWarning: ") == 1
    assert "cannot open shared object file" in found["stderr"]


def test_the_warning_points_to_the_import(bare, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import os\n\nimport fastrelu\n")
    run = python(f"import runpy; runpy.run_path({str(script)!r})", path=bare)
    assert "RuntimeWarning: " in run.stderr
    assert "script.py:3: " in run.stderr


def test_as_an_error_the_warning_fails_the_import(bare):
    run = python("import fastrelu", "-W", "error", path=bare)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("RuntimeWarning: ")


def test_python_needs_no_compiled_part_and_no_warning(bare):
    assert shown("python", path=bare)["stderr"] == ""


@pytest.mark.parametrize("isa", ["avx2", "scalar"])
def test_a_named_set_without_the_compiled_part_fails(bare, isa):
    run = python("import fastrelu", isa=isa, path=bare)
    assert run.returncode == 1
    message = run.stderr.splitlines()[-1]
    assert message.startswith(f"ImportError: FASTRELU_ISA={isa}: ")
    assert "FASTRELU_ISA=python" in message
    assert "RuntimeWarning" not in run.stderr


CONFIG_KEYS = ["version", "isa in use", "isas built", "isas of this CPU", "compiler"]


def test_show_config_returns_what_is_so():
    config = fastrelu.show_config(mode="dicts")
    assert list(config)[:5] == CONFIG_KEYS
    assert config["version"] == fastrelu.__version__
    assert config["isa in use"] == fastrelu.isa
    assert config["isas of this CPU"] == list(fastrelu.implementations)
    assert config["numpy"] == np.__version__
    assert config["python"] == platform.python_version()
    json.dumps(config)


def test_show_config_prints_what_it_returns(capsys):
    assert fastrelu.show_config() is None
    printed = capsys.readouterr().out
    lines = {line[:18].rstrip(): line[18:] for line in printed.splitlines()}
    config = fastrelu.show_config(mode="dicts")
    assert list(lines) == list(config)
    assert lines["isa in use"] == fastrelu.isa
    assert lines["isas built"] == ", ".join(config["isas built"])


@pytest.mark.parametrize("mode", ["dict", "", None, 1])
def test_show_config_names_its_modes(mode):
    with pytest.raises(ValueError, match=r"stdout.*dicts") as caught:
        fastrelu.show_config(mode)
    assert repr(mode) in str(caught.value)


@compiled
def test_nothing_but_the_module_and_the_number_of_threads_is_exported():
    nm = shutil.which("nm")
    if nm is None or sys.platform != "linux":
        pytest.skip("needs nm, for ELF")
    run = subprocess.run(
        [nm, "-D", "--defined-only", core().__file__], capture_output=True, text=True, check=True
    )
    exported = {line.split()[-1] for line in run.stdout.splitlines()}
    assert exported == {"PyInit__core", "fastrelu_get_num_threads", "fastrelu_set_num_threads"}


IMPORTED = """
import sys
import numpy
before = set(sys.modules)
import fastrelu
names = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(names - set(sys.stdlib_module_names) - {"numpy"}))
"""


@pytest.mark.parametrize("isa", [None, "python"])
def test_import_brings_in_nothing_but_numpy_and_the_standard_library(isa):
    run = python(IMPORTED, isa=isa)
    assert run.returncode == 0, run.stderr
    others = [name for name in run.stdout.split() if not name.startswith(("_cython", "cython_"))]
    assert others == ["fastrelu"]


def test_import_is_quick_as_it_needs_little_of_the_standard_library():
    code = IMPORTED.replace("names - set(sys.stdlib_module_names)", "names - {'fastrelu'}")
    others = [name for name in python(code).stdout.split() if not name.startswith("_cython")]
    assert set(others) <= {"cython_runtime", "gc", "resource"}


def test_import_is_silent_under_every_warning():
    run = python("import fastrelu", "-W", "error")
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_implementations_cannot_be_changed():
    assert isinstance(fastrelu.implementations, types.MappingProxyType)
    with pytest.raises(TypeError):
        fastrelu.implementations["other"] = None
    with pytest.raises(TypeError):
        del fastrelu.implementations["scalar"]


@compiled
@pytest.mark.parametrize("isa", fastrelu.implementations)
def test_an_implementation_has_functions_of_its_own(isa):
    functions = fastrelu.implementations[isa]
    masks = ("relu_with_mask", "relu_backward_from_mask")
    assert functions._fields == (*OPERATIONS, *masks, *fastrelu.reference.REDUCTIONS)
    assert all(type(ufunc) is np.ufunc for ufunc in functions[: len(OPERATIONS)])
    for name, function in functions._asdict().items():
        assert function.__name__ == name
        assert (function is getattr(fastrelu, name)) == (isa == fastrelu.isa)
    with pytest.raises(AttributeError):
        functions.relu = None


@compiled
def test_no_two_sets_share_a_function():
    functions = [f for found in fastrelu.implementations.values() for f in found]
    assert len({id(function) for function in functions}) == len(functions)


def test_the_public_names_are_there():
    assert sorted(fastrelu.__all__) == fastrelu.__all__
    assert all(hasattr(fastrelu, name) for name in fastrelu.__all__)


def test_star_gives_the_public_names_alone():
    run = python("from fastrelu import *\nprint(*sorted(n for n in dir() if n[0] != '_'))")
    assert run.stdout.split() == fastrelu.__all__
