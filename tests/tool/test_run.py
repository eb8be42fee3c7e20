"""python -m fastrelu run: what a script sees and leaves is what it is with python alone."""

import os
import signal
import subprocess
import sys
import zipfile

import pytest

import fastrelu

if fastrelu.isa == "python":
    pytest.skip("nothing is compiled", allow_module_level=True)

pytestmark = pytest.mark.usefixtures("interruptible")

SHOW = """\
import sys
if __name__ == "__main__":
    print(sys.argv, sys.path, __file__, __spec__ and __spec__.name, __package__, __doc__)
    print(sys.modules["__main__"].__dict__ is globals())
"""
FAIL = """\
def fail(n):
    raise ValueError(n)

try:
    fail(1)
except ValueError:
    fail(2)
"""
KINDS = {
    "ends": SHOW,
    "fails": FAIL,
    "has a syntax error": "x = = 1\n",
    "exits": "import sys; sys.exit(3)\n",
    "exits with a message": "raise SystemExit('enough')\n",
    "is interrupted": "import os, signal; os.kill(os.getpid(), signal.SIGINT)\n",
    "has its own hook": "import sys; sys.excepthook = lambda *a: print(a[0], a[1]); 1 / 0\n",
    "has a handler at exit": "import atexit; x = 5; atexit.register(lambda: print(x))\n",
    "has a thread that lasts": """\
import pickle, threading, time
class Kept: pass
def work():
    threading.main_thread().join()
    print(pickle.loads(pickle.dumps(Kept())).__class__ is Kept)
threading.Thread(target=work).start()
""",
    "starts processes": """\
import multiprocessing, os
def work(n):
    return n, os.path.basename(__file__)
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(work, [1, 2]))
""",
}
SKLEARN = """\
import sys
print(sys.argv[1:], "sklearn" in sys.modules)
import sklearn.neural_network
import fastrelu.sklearn
print(fastrelu.sklearn.is_patched(), fastrelu.numpy_is_patched())
"""
PATCHED = """\
import numpy as np, fastrelu
print(fastrelu.numpy_is_patched(), np.maximum(0, np.array([-1, 2])))
"""


def python(*arguments, cwd):
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def both(*arguments, cwd, options=()):
    """Return what python alone, and what run, makes of the arguments."""
    alone = python(*options, *arguments, cwd=cwd)
    return alone, python(*options, "-m", "fastrelu", "run", *arguments, cwd=cwd)


def assert_same(alone, run):
    assert (run.returncode, run.stdout, run.stderr) == (
        alone.returncode,
        alone.stdout,
        alone.stderr,
    )


@pytest.mark.parametrize("text", KINDS.values(), ids=KINDS.keys())
def test_script(text, tmp_path):
    (tmp_path / "script.py").write_text(text)
    assert_same(*both("script.py", "-m", "--help", "x y", cwd=tmp_path))


def test_script_in_another_folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "script.py").write_text(SHOW)
    assert_same(*both("sub/script.py", cwd=tmp_path))


def test_script_by_a_link(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "script.py").write_text(SHOW)
    (tmp_path / "link.py").symlink_to("sub/script.py")
    assert_same(*both("link.py", cwd=tmp_path))


def test_folder_and_zip_file(tmp_path):
    (tmp_path / "__main__.py").write_text(PATCHED)
    with zipfile.ZipFile(tmp_path / "program.zip", "w") as file:
        file.write(tmp_path / "__main__.py", "__main__.py")
    for program in ".", "program.zip":
        done = python("-m", "fastrelu", "run", program, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "True [0 2]\n", "")


def test_safe_path(tmp_path):
    (tmp_path / "script.py").write_text(SHOW)
    assert_same(*both("script.py", cwd=tmp_path, options=["-P"]))


# Of a syntax error python -m shows frames of its own; and runpy takes its __main__ away at the end.
OF_SCRIPTS = ["has a syntax error", "has a thread that lasts"]
MODULE_KINDS = {kind: text for kind, text in KINDS.items() if kind not in OF_SCRIPTS}


@pytest.mark.parametrize("text", MODULE_KINDS.values(), ids=MODULE_KINDS.keys())
def test_module(text, tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "module.py").write_text(text)
    alone, run = both("-m", "package.module", "a", "-m", cwd=tmp_path)
    alone.stderr = without_frames_of_runpy(alone.stderr)
    assert_same(alone, run)


def without_frames_of_runpy(text):
    return "\n".join(line for line in text.split("\n") if "<frozen runpy>" not in line)


def test_is_patched(tmp_path):
    (tmp_path / "script.py").write_text(PATCHED)
    for arguments in ["script.py"], ["-m", "script"]:
        done = python("-m", "fastrelu", "run", *arguments, cwd=tmp_path)
        assert (done.stdout, done.stderr) == ("True [0 2]\n", "")


def test_forked_child_is_patched(tmp_path):
    (tmp_path / "script.py").write_text(
        "import os, fastrelu\nif os.fork():\n    os.wait()\n" + SHOW
    )
    (tmp_path / "script.py").write_text(
        "import os, fastrelu\n"
        "if os.fork() == 0:\n"
        "    os._exit(not fastrelu.numpy_is_patched())\n"
        "print(os.wait()[1])\n"
    )
    assert python("-m", "fastrelu", "run", "script.py", cwd=tmp_path).stdout == "0\n"


@pytest.mark.parametrize("arguments", [["script.py"], ["-m", "script"]], ids=" ".join)
@pytest.mark.parametrize("option", [["--sklearn"], []], ids=["sklearn", "not"])
def test_sklearn(option, arguments, tmp_path):
    pytest.importorskip("sklearn")
    (tmp_path / "script.py").write_text(SKLEARN)
    run = ["-W", "error::RuntimeWarning", "-m", "fastrelu", "run", *option, *arguments]
    done = python(*run, "--sklearn", "-m", cwd=tmp_path)
    expected = f"['--sklearn', '-m'] False\n{bool(option)} True\n"
    assert (done.stdout, done.stderr) == (expected, "")


def test_sklearn_that_is_refused_fails_where_it_is_imported(tmp_path):
    pytest.importorskip("sklearn")
    (tmp_path / "script.py").write_text(
        "import sklearn.neural_network._base as base\nprint('imported')\n"
    )
    (tmp_path / "sitecustomize.py").write_text(
        "import fastrelu._sklearn as patch\n"
        "patch.ENTRIES = [patch.ENTRIES[0]._replace(known='renamed')]\n"
    )
    paths = filter(None, [os.fspath(tmp_path), os.environ.get("PYTHONPATH")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        done = python("-m", "fastrelu", "run", "--sklearn", "script.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "line 1, in <module>\n    import sklearn.neural_network._base" in done.stderr
    assert "RuntimeError: scikit-learn" in done.stderr
    assert "['relu'] should be sklearn.neural_network._base.renamed" in done.stderr


def test_sklearn_that_is_not_installed(tmp_path):
    (tmp_path / "script.py").write_text("print(1)\n")
    code = (
        "import importlib.util, sys; importlib.util.find_spec = lambda name: None\n"
        "from fastrelu._tool.main import main\n"
        "sys.exit(main(['run', '--sklearn', 'script.py']))\n"
    )
    done = python("-c", code, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "python -m fastrelu run: error: --sklearn: scikit-learn is not installed for "
        f"{sys.executable}: pip install scikit-learn\n"
    )


ERRORS = {
    (): (2, "nothing was given"),
    ("-x", "script.py"): (2, "not '-x'"),
    ("-m",): (2, "nothing was given"),
    ("--sklearn",): (2, "nothing was given"),
    ("--report", "--verbose", "script.py"): (2, "not '--verbose'"),
    ("missing.py",): (2, "can't open file"),
    ("-m", "missing"): (1, "no module named 'missing'"),
    ("-m", "missing.module"): (1, "no module named 'missing.module'"),
}


@pytest.mark.parametrize(("arguments", "expected"), ERRORS.items(), ids=map(" ".join, ERRORS))
def test_errors(arguments, expected, tmp_path):
    done = python("-m", "fastrelu", "run", *arguments, cwd=tmp_path)
    status, message = expected
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("python -m fastrelu run: error: ")
    assert message in done.stderr


def test_help(tmp_path):
    for option in [], ["--sklearn"]:
        done = python("-m", "fastrelu", "run", *option, "--help", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("usage: python -m fastrelu run [OPTION ...] SCRIPT")


def test_comes_first(tmp_path):
    done = python("-m", "fastrelu", "--json", "a.json", "run", cwd=tmp_path)
    assert done.returncode == 2
    assert "unexpected 'run'" in done.stderr


def test_refused_where_nothing_is_compiled(tmp_path, monkeypatch):
    (tmp_path / "script.py").write_text(SHOW)
    monkeypatch.setenv("FASTRELU_ISA", "python")
    done = python("-m", "fastrelu", "run", "script.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "np.maximum cannot be patched" in done.stderr


def test_interrupt_ends_by_the_signal(tmp_path):
    (tmp_path / "script.py").write_text(KINDS["is interrupted"])
    done = python("-m", "fastrelu", "run", os.fspath("script.py"), cwd=tmp_path)
    assert done.returncode == -signal.SIGINT
