"""python -m fastrelu run --report: what it counts, and that the program runs as without it."""

import json
import os
import subprocess
import sys

import pytest

import fastrelu

if fastrelu.isa == "python":
    pytest.skip("nothing is compiled", allow_module_level=True)

IMPORTS = "import numpy as np\nx = np.ones((3, 4), np.float32)\n"


def run(text, folder, *options):
    (folder / "script.py").write_text(text)
    command = [sys.executable, "-m", "fastrelu", "run", *options, "script.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def report_of(text, folder):
    """Return what --json gets of a program."""
    done = run(text, folder, "--json", "report.json")
    assert (done.returncode, done.stdout) == (0, "")
    return json.loads((folder / "report.json").read_text())


def lines_of(text, folder):
    return report_of(IMPORTS + text, folder)["maximum_with_zero"]["lines"]


def test_counts(tmp_path):
    text = "for n in range(3):\n    np.maximum(x[: n + 1], 0)\nnp.maximum(0, x, out=x)\n"
    rows = sorted(lines_of(text, tmp_path), key=lambda row: row["line"])
    for row in rows:
        assert 0 < row.pop("seconds")
        assert 0 < row.pop("share") < 1
        assert row.pop("path").endswith("script.py")
    common = {"dtype": "float32", "not_by_fastrelu": {}}
    assert rows == [
        {"line": 4, "calls": 3, "by_fastrelu": 3, "elements": {"least": 4, "most": 12}, **common},
        {"line": 5, "calls": 1, "by_fastrelu": 1, "elements": {"least": 12, "most": 12}, **common},
    ]


@pytest.mark.parametrize(
    "call",
    ["x, 1", "x, x", "1, 0", "x, np.zeros(4)", "x, 0.5", "x, np.float32(1)", "x, -1"],
)
def test_calls_without_a_zero_are_not_counted(call, tmp_path):
    assert lines_of(f"np.maximum({call})\n", tmp_path) == []


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("x, np.float64(0)", "the zero is of float64"),
        ("x, -0.0", "the zero is -0.0"),
        ("x.astype('longdouble'), 0", f"no kernel for {'longdouble'}"),
        ("x.astype('>f4'), 0", "foreign byte order"),
        ("np.ma.array(x), 0", "MaskedArray is a subclass of ndarray"),
        ("x, 0, where=x > 0, out=x", "where= is given"),
        ("x, 0, dtype='f8'", "dtype= is given"),
        ("x[0, 0, ...], 0", "an array of no dimensions"),
        ("x, 0, out=np.ones((3, 4))", "out is of another shape or dtype"),
    ],
)
def test_reasons(call, reason, tmp_path):
    (row,) = lines_of(f"np.maximum({call})\n", tmp_path)
    assert row["by_fastrelu"] == 0
    (found,) = row["not_by_fastrelu"].items()
    assert found == (reason.replace("longdouble", row["dtype"]), 1)


@pytest.mark.parametrize(
    ("end", "status"),
    [("", 0), ("import sys; sys.exit(3)", 3), ("raise ValueError('enough')", 1)],
)
def test_program_ends_as_without_it(end, status, tmp_path):
    text = f"{IMPORTS}print(np.maximum(x, 0).sum())\n{end}\n"
    plain, watched = run(text, tmp_path), run(text, tmp_path, "--report")
    assert (plain.returncode, plain.stdout) == (watched.returncode, watched.stdout)
    assert watched.returncode == status
    assert watched.stderr.startswith(plain.stderr)
    printed = watched.stderr.removeprefix(plain.stderr).splitlines()
    assert printed[0].startswith("fastrelu: script.py ran for ")
    assert printed[1].startswith("np.maximum with a zero: 1 call, ")
    assert printed[3].endswith("12, float32, script.py:3")


def test_errors_pass(tmp_path):
    text = "try:\n    np.maximum(x, 0, out=np.ones(3))\nexcept ValueError:\n    pass\n"
    assert lines_of(text, tmp_path) == []


def test_nothing_to_report(tmp_path):
    done = run("print(1)\n", tmp_path, "--report")
    assert done.stdout == "1\n"
    assert done.stderr.splitlines()[1:] == [
        "np.maximum with a zero: no calls",
        "find: nothing in the program's files",
    ]


def test_find_reads_the_programs_own_files(tmp_path):
    (tmp_path / "own.py").write_text("import numpy as np\nf = lambda x: np.where(x > 0, x, 0)\n")
    (tmp_path / "other.py").write_text("import numpy as np\nf = lambda x: np.where(x > 0, x, 0)\n")
    found = report_of(f"import own\n{IMPORTS}", tmp_path)["found"]
    assert [(row["path"], row["line"], row["idiom"]) for row in found] == [
        ("own.py", 2, "where positive")
    ]


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork on this system")
def test_fork_reports_once(tmp_path):
    text = "import os, sys\nif os.fork() == 0:\n    sys.exit(0)\nos.wait()\n"
    assert run(text, tmp_path, "--report").stderr.count("ran for") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_fork_while_threads_call(tmp_path):
    text = """\
import os, threading, time
x, ended = x.astype(">f4"), False
def call():
    while not ended:
        np.maximum(x, 0)
threads = [threading.Thread(target=call) for _ in range(3)]
[thread.start() for thread in threads]
for _ in range(10):
    child = os.fork()
    if child == 0:
        np.maximum(x, 0)
        os._exit(0)
    before = time.monotonic()
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > before + 20:
            os.kill(child, 9)
            print("the child hangs")
            os.waitpid(child, 0)
            break
        time.sleep(0.001)
ended = True
"""
    assert lines_of(text, tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signal to a process alone")
def test_no_interrupt_is_lost(tmp_path):
    text = """\
import os, signal, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)
x = x.astype(">f4")
for _ in range(20):
    timer = threading.Timer(0.005, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        before = time.monotonic()
        while time.monotonic() < before + 20:
            np.maximum(x, 0), np.maximum(x, 0), np.maximum(x, 0), np.maximum(x, 0)
        print("an interrupt was lost")
    except KeyboardInterrupt:
        pass
"""
    assert lines_of(text, tmp_path)


def test_call_without_a_frame(tmp_path):
    text = "import _thread, time\n_thread.start_new_thread(np.maximum, (x, 0))\ntime.sleep(0.2)\n"
    (row,) = lines_of(text, tmp_path)
    assert row["path"] == "no line of Python"


def test_folder_that_is_gone(tmp_path):
    text = "import os\nos.mkdir('a')\nos.chdir('a')\nos.rmdir(os.getcwd())\nnp.maximum(x, 0)\n"
    if sys.platform == "win32":
        pytest.skip("Windows keeps the current folder")
    (row,) = lines_of(text, tmp_path)
    assert row["line"] == 7


def test_type_of_ml_dtypes(tmp_path):
    pytest.importorskip("ml_dtypes", reason="bfloat16 is a type of ml_dtypes")
    (row,) = lines_of("import ml_dtypes\nnp.maximum(x.astype(ml_dtypes.bfloat16), 0)\n", tmp_path)
    assert row["dtype"] == "bfloat16"


def test_stderr_that_is_closed(tmp_path):
    assert lines_of("import sys\nnp.maximum(x, 0)\nsys.stderr.close()\n", tmp_path)
    assert lines_of("import sys\nnp.maximum(x, 0)\nsys.stderr = None\n", tmp_path)


def test_threads(tmp_path):
    text = (
        "import threading\n"
        "work = lambda: [np.maximum(x, 0) for _ in range(500)]\n"
        "threads = [threading.Thread(target=work) for _ in range(4)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
    )
    (row,) = lines_of(text, tmp_path)
    assert (row["calls"], row["by_fastrelu"]) == (2000, 2000)


def test_no_report_of_what_does_not_start(tmp_path):
    command = [sys.executable, "-m", "fastrelu", "run", "--report", "none.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_json_needs_a_file(tmp_path):
    command = [sys.executable, "-m", "fastrelu", "run", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--json needs a file" in done.stderr


def test_file_that_cannot_be_written_is_known_before_the_program_runs(tmp_path):
    done = run("print(1)\n", tmp_path, "--json", "none/report.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "none/report.json: No such file or directory" in done.stderr


def test_file_that_can_no_longer_be_written(tmp_path):
    (tmp_path / "some").mkdir()
    done = run("import os; os.rmdir('some')\n", tmp_path, "--json", "some/report.json")
    assert done.returncode == 0
    assert "some/report.json: No such file or directory" in done.stderr
