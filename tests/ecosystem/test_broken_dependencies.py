"""An optional dependency that is broken costs its own feature alone, and says so."""

import os
import subprocess
import sys

import numpy as np
import pytest
from helpers import in_forks, needs_fork

import fastrelu

ODD = {
    "nothing": "types.SimpleNamespace()",
    "half": "types.SimpleNamespace(register=print, __all__=['bfloat16'], float16=1)",
    "number": "42",
    "module": "types.ModuleType('odd')",
    "raising": "Raising()",
}
PUT = """
import sys, types

class Raising:
    def __getattr__(self, name):
        raise RuntimeError("broken")

sys.modules[{name!r}] = {odd}
"""
WORKS = """
import numpy as np
import fastrelu
assert fastrelu.relu(np.array([-1.0, 2.0])).tolist() == [0, 2]
assert fastrelu.relu_derivative([-1, 0, 2], at_zero=1).tolist() == [0, 1, 1]
assert fastrelu.relu_with_mask(np.array([-1.0, 2.0]))[1].tolist() == [2]
assert fastrelu.relu(np.array([None is None], object)).tolist() == [True]
with fastrelu.num_threads(1):
    assert fastrelu.get_num_threads() == 1
"""


def python(code, *options, path=None):
    environment = dict(os.environ)
    if path is not None:  # nothing empty, which would be the current folder
        paths = filter(None, [str(path), environment.get("PYTHONPATH")])
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return subprocess.run(
        [sys.executable, "-P", *options, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def with_odd(name, code, *options):
    """Run code beside every odd module of a name; return what in_forks does."""
    codes = {kind: PUT.format(name=name, odd=odd) + code for kind, odd in ODD.items()}
    outcomes = in_forks("import numpy", codes, *options)
    assert list(outcomes) == list(ODD)
    return outcomes


@needs_fork
@pytest.mark.parametrize("name", ["ml_dtypes", "pandas", "torch", "jax", "matplotlib"])
def test_an_odd_module_changes_nothing(name):
    outcomes = with_odd(name, WORKS, "-W", "error")
    assert [outcome for outcome in outcomes.items() if outcome[1] != [0, "", ""]] == []


@needs_fork
@pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback has no pool")
def test_an_odd_threadpoolctl_is_a_warning():
    for status, _, err in with_odd("threadpoolctl", WORKS).values():
        assert status == 0, err
        assert err.count("RuntimeWarning: threadpoolctl does not see fastrelu's threads") == 1


@pytest.mark.parametrize("isa", [fastrelu.isa, "python"])
def test_a_threadpoolctl_that_is_forbidden_is_none(isa):
    code = f"import os, sys; os.environ['FASTRELU_ISA'] = {isa!r}\n" + WORKS
    done = python("import sys; sys.modules['threadpoolctl'] = None\n" + code)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback has no pool")
@pytest.mark.parametrize("content", ["", "import no_such_module", "1 / 0", "LibController = int"])
def test_a_broken_threadpoolctl_breaks_no_import(tmp_path, content):
    (tmp_path / "threadpoolctl.py").write_text(content)
    later = """
try:
    import threadpoolctl
except Exception as error:
    print(type(error).__name__)
"""
    done = python(WORKS + later, path=tmp_path)
    assert done.returncode == 0, done.stderr
    raised = {"import no_such_module": "ModuleNotFoundError\n", "1 / 0": "ZeroDivisionError\n"}
    assert done.stdout == raised.get(content, "")
    assert ("RuntimeWarning: threadpoolctl does not see" in done.stderr) == (not done.stdout)


@needs_fork
def test_an_odd_torch_is_an_import_error_with_a_name():
    code = """
try:
    import fastrelu.torch
except ImportError as error:
    print(error.name, error)
"""
    for _, out, err in with_odd("torch", WORKS + code).values():
        assert err == ""
        assert out.startswith("torch fastrelu.torch needs PyTorch, which cannot be imported (")


@pytest.mark.parametrize("content", ["1 / 0", "float16 = bfloat16 = 1", "raise OSError('lib.so')"])
def test_a_broken_torch_is_an_import_error_with_a_name(tmp_path, content):
    (tmp_path / "torch.py").write_text(content)
    code = """
try:
    import fastrelu.torch
except ImportError as error:
    print(error.name, type(error.__cause__).__name__)
"""
    done = python(WORKS + code, path=tmp_path)
    kind = {"1 / 0": "ZeroDivisionError", "raise OSError('lib.so')": "OSError"}
    assert (done.stdout, done.stderr) == (f"torch {kind.get(content, 'AttributeError')}\n", "")


MAIN = """
from fastrelu._tool import check, main
check.DTYPES, check.LENGTHS, check.LARGE = "f", (9,), {}  # a self-test of a moment
sys.exit(main.main(sys.argv[1:]))
"""


def command(name, odd, *arguments):
    code = PUT.format(name=name, odd=odd) + MAIN
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_ml_dtypes_leaves_the_self_test(odd):
    done = command("ml_dtypes", odd, "check")
    assert done.returncode == 0, done.stderr
    assert "RuntimeWarning: without the types of ml_dtypes: " in done.stderr
    done = command("ml_dtypes", odd, "--dtype", "bfloat16")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "error: --dtype: NumPy knows no type 'bfloat16'; try float32 or int8"
    )


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_matplotlib_costs_the_plots(tmp_path, odd):
    arguments = "bench --sizes 16 --operations forward --seconds 0.1 --contenders fastrelu".split()
    done = command("matplotlib", odd, *arguments, "--html", str(tmp_path / "page.html"))
    assert done.returncode == 2
    assert "error: --html needs matplotlib: " in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("library", ["numba", "torch", "numexpr", "jax", "onnxruntime"])
@pytest.mark.parametrize("odd", ["types.SimpleNamespace()", "Raising()"])
def test_an_odd_contender_is_left_out(library, odd):
    arguments = "bench --sizes 16 --operations forward --where new --seconds 0.1".split()
    done = command(library, odd, *arguments, "--contenders", f"fastrelu,{library}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "cannot be imported: " in done.stdout


@pytest.mark.parametrize("dtype", ["f4", "O", "V4", "m8[s]"])
def test_a_broken_ml_dtypes_knows_no_type(monkeypatch, dtype):
    class Raising:
        def __getattr__(self, name):
            raise RuntimeError("broken")

    monkeypatch.setitem(sys.modules, "ml_dtypes", Raising())
    assert fastrelu.reference.name_in_ml_dtypes(np.dtype(dtype)) is None
