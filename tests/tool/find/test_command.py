"""python -m fastrelu find: arguments, output, files that are rewritten, and exit status."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

main = importlib.import_module("fastrelu._tool.main").main

RELU = "import numpy as np\n\n\ndef relu(x):\n    return np.maximum(x, 0)\n"
REWRITTEN = "import fastrelu\nimport numpy as np\n\n\ndef relu(x):\n    return fastrelu.relu(x)\n"


def notebook(*cells, indent=1):
    """Return the text of a notebook."""
    cells = [{"cell_type": "code", "metadata": {}, "source": list(cell)} for cell in cells]
    cells.insert(1, {"cell_type": "markdown", "metadata": {}, "source": ["np.maximum(x, 0)"]})
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=indent, ensure_ascii=False) + "\n"


def records(path, *arguments):
    """Return what is written to --json for the files below a path."""
    report = path.parent / "report.json"
    assert main(["find", str(path), "--json", str(report), *arguments]) == 0
    return json.loads(report.read_text())


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "code").mkdir()
    return tmp_path / "code"


def test_output(folder, capsys):
    (folder / "layer.py").write_text(RELU)
    assert main(["find", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{folder}{os.sep}layer.py:5:12: maximum"
    assert lines[1] == "    np.maximum(x, 0)"
    assert lines[2].startswith("    -> fastrelu.relu(x)")
    assert lines[3] == "    if signs of zero do not matter"
    assert lines[4].startswith("1 place in 1 of 1 file; ")


def test_nothing_found(folder, capsys):
    (folder / "a.py").write_text("import numpy as np\n")
    assert main(["find", "--exit-code", str(folder)]) == 0
    assert capsys.readouterr().out == "nothing found in 1 file\n"


def test_exit_code(folder):
    (folder / "layer.py").write_text(RELU)
    assert main(["find", "--exit-code", str(folder)]) == 1


def test_json(folder):
    path = folder / "layer.py"
    path.write_text(RELU)
    (row,) = records(folder)
    assert row["factor"] is None or row["factor"] > 0
    assert {name: row[name] for name in row if name != "factor"} == {
        **{"path": str(path), "cell": None, "line": 5, "column": 12, "idiom": "maximum"},
        **{"found": "np.maximum(x, 0)", "replacement": "fastrelu.relu(x)"},
        **{"condition": "signs of zero do not matter", "safe": True, "by_hand": ""},
    }


def test_diff_is_what_write_does(folder, capsys, monkeypatch):
    (folder / "layer.py").write_text(RELU)
    (folder / "same.py").write_text("import numpy as np\nx = np.maximum(1, 2)\n")
    monkeypatch.chdir(folder)
    assert main(["find", "--diff", "."]) == 0
    patch = capsys.readouterr().out
    assert (folder / "layer.py").read_text() == RELU
    subprocess.run(["git", "apply"], input=patch, text=True, check=True, cwd=folder)
    assert (folder / "layer.py").read_text() == REWRITTEN


def test_write(folder, capsys):
    path = folder / "layer.py"
    path.write_text(RELU)
    path.chmod(0o755)
    assert main(["find", "--write", str(folder)]) == 0
    assert path.read_text() == REWRITTEN
    assert path.stat().st_mode & 0o777 == 0o755
    assert capsys.readouterr().out == "1 of 1 file rewritten\n"
    assert sorted(os.listdir(folder)) == ["layer.py"]
    assert main(["find", "--exit-code", str(folder)]) == 0


@pytest.mark.parametrize(
    ("before", "after"),
    {
        "a docstring": (
            '"""Layers."""\n\nfrom numpy import maximum\n\nf = lambda x: maximum(x, 0)\n',
            '"""Layers."""\nimport fastrelu\n\nfrom numpy import maximum\n\n'
            "f = lambda x: fastrelu.relu(x)\n",
        ),
        "an import within": (
            "def f(x):\n    import numpy as np\n    return np.maximum(x, 0)\n",
            "import fastrelu\ndef f(x):\n    import numpy as np\n    return fastrelu.relu(x)\n",
        ),
        "its own name for fastrelu": (
            "import fastrelu as fr\nimport numpy as np\ny = lambda x: np.maximum(x, 0)\n",
            "import fastrelu as fr\nimport numpy as np\ny = lambda x: fr.relu(x)\n",
        ),
        "an import that is there": (
            "import numpy as np\nimport fastrelu\ny = lambda x: np.maximum(x, 0)\n",
            "import numpy as np\nimport fastrelu\ny = lambda x: fastrelu.relu(x)\n",
        ),
        "one within another": (
            "import numpy as np\ny = lambda x, w: np.maximum(np.where(x > 0, x, 0) @ w, 0) + x\n",
            "import fastrelu\nimport numpy as np\n"
            "y = lambda x, w: fastrelu.relu(fastrelu.relu(x) @ w) + x\n",
        ),
        "carriage returns": (
            "import numpy as np\r\ny = lambda x: np.maximum(x, 0)\r\n",
            "import fastrelu\r\nimport numpy as np\r\ny = lambda x: fastrelu.relu(x)\r\n",
        ),
        "letters of several bytes": (
            "import numpy as np\nß = 'ä€𝄞', lambda ö: np.maximum(ö, 0)  # ü\n",
            "import fastrelu\nimport numpy as np\nß = 'ä€𝄞', lambda ö: fastrelu.relu(ö)  # ü\n",
        ),
        "comments and a mask": (
            "import numpy as np\n\n\ndef f(x):  # one\n    # two\n    m = x > 0\n    # three\n"
            "    return (x  *  m)  # four\n",
            "import fastrelu\nimport numpy as np\n\n\ndef f(x):  # one\n    # two\n    # three\n"
            "    return (fastrelu.relu(x))  # four\n",
        ),
        "a mask of a module, which others may import": (
            "import numpy as np\nm = x > 0\nz = x - 1\nr = x * m, np.maximum(z, 0)\n",
            "import fastrelu\nimport numpy as np\nm = x > 0\nz = x - 1\n"
            "r = fastrelu.relu(x), fastrelu.relu(z)\n",
        ),
        "a keyword before it": (
            "import numpy as np\ndef f(x):\n    return-np.minimum(x, 0)if[]else(x>0)*x\n",
            "import fastrelu\nimport numpy as np\ndef f(x):\n"
            "    return fastrelu.relu(-x)if[]else fastrelu.relu(x)\n",
        ),
        "a mask alone in its block": (
            "import numpy as np\ndef f(x, c):\n    if c:\n        m = x > 0\n    return x * m\n",
            "import numpy as np\ndef f(x, c):\n    if c:\n        m = x > 0\n    return x * m\n",
        ),
        "no newline at the end": (
            "import numpy as np\ny = lambda x: np.maximum(x, 0)",
            "import fastrelu\nimport numpy as np\ny = lambda x: fastrelu.relu(x)",
        ),
    }.values(),
)
def test_text_is_kept(before, after, folder):
    path = folder / "layer.py"
    path.write_bytes(before.encode())
    assert main(["find", "--write", str(path)]) == 0
    assert path.read_bytes().decode() == after


def test_encoding_is_kept(folder):
    path = folder / "layer.py"
    path.write_bytes("# coding: latin-1\n".encode("latin-1") + (RELU + "# ä\n").encode("latin-1"))
    assert main(["find", "--write", str(path)]) == 0
    assert path.read_bytes() == b"# coding: latin-1\n" + (REWRITTEN + "# ä\n").encode("latin-1")


def test_taken_name(folder):
    (folder / "layer.py").write_text(f"fastrelu = 1\n{RELU}")
    (row,) = records(folder)
    assert (row["safe"], row["by_hand"]) == (False, "the name fastrelu is taken")


@pytest.mark.parametrize(
    "change", ["x.sort()", "x.fill(1)", "np.subtract(x, 5, x)", "f(x)", "np.random.shuffle(x)"]
)
def test_mask_of_what_is_changed_since(change, folder):
    path = folder / "layer.py"
    text = "import numpy as np\n\n\ndef f(x, grad):\n    m = x > 0\n    {}\n    return grad * m\n"
    path.write_text(text.format("print(x)"))
    assert len(records(folder)) == 1
    path.write_text(text.format(change))
    assert records(folder) == []


@pytest.mark.parametrize(
    "body",
    [
        "m = x > 0\n    x = x - 2; return grad * m",
        "m = x > 0\n    return [grad * m for x in grad]",
        "z = x - 1\n    return [np.maximum(z, 0) for x in grad]",
        "m = x > 0\n    x.flat[0] = 1\n    return grad * m",
    ],
)
def test_name_that_is_another_where_it_is_used(body, folder):
    text = f"import numpy as np\n\n\ndef f(x, grad):\n    {body}\n"
    (folder / "layer.py").write_text(text)
    assert [row["replacement"] for row in records(folder) if "x" in row["replacement"]] == []


@pytest.mark.parametrize(
    ("code", "is_said"),
    [
        ("np.maximum(x, np.float64(0))", True),
        ("np.maximum(x, 0.0)", False),
        ("np.clip(x, 0, np.float32('inf'))", False),
        ("np.where(x > 0, x, np.float32(0.1) * x)", False),
    ],
)
def test_type_of_a_number(code, is_said, folder):
    (folder / "layer.py").write_text(f"import numpy as np\n\n\ndef f(x):\n    return {code}\n")
    (row,) = records(folder)
    assert ("the type of the number" in row["condition"]) == is_said


@pytest.mark.parametrize(
    ("call", "is_safe"),
    {
        "next(x)": False,
        "x.pop()": False,
        "np.random.randn(3)": False,
        "f(x)": False,
        "np.dot(x, x)": True,
        "x.dot(x)": True,
        "abs(x)": True,
    }.items(),
)
def test_calls_that_would_be_made_once(call, is_safe, folder):
    path = folder / "layer.py"
    path.write_text(
        f"import numpy as np\n\n\ndef f(x):\n    return np.where({call} > 0, {call}, 0)\n"
    )
    (row,) = records(folder)
    reason = "" if is_safe else "what is called twice would be called once"
    assert (row["safe"], row["by_hand"]) == (is_safe, reason)
    path.write_text(f"import numpy as np\n\n\ndef f(x):\n    return np.maximum({call}, 0)\n")
    (row,) = records(folder)
    assert row["safe"]


@pytest.mark.parametrize(
    "function",
    ["def f(fastrelu, x):\n", "def f(x):\n    fastrelu = x\n", "def f(x, *fastrelu):\n"],
)
def test_name_that_is_taken_in_a_function(function, folder):
    text = f"import numpy as np\n{function}    return np.maximum(x, 0)\n"
    (folder / "layer.py").write_text(text)
    (row,) = records(folder)
    assert (row["safe"], row["by_hand"]) == (False, "the name fastrelu is taken")
    (folder / "layer.py").write_text(
        text.replace("fastrelu", "fr").replace("np\n", "np, fastrelu as fr\n", 1)
    )
    (row,) = records(folder)
    assert (row["safe"], row["by_hand"]) == (False, "the name fr is taken")


@pytest.mark.parametrize("indent", [1, 2, None])
def test_notebook(indent, folder):
    path = folder / "model.ipynb"
    cells = [
        ["%matplotlib inline\n", "import numpy as np\n", "!ls\n", "np.maximum?"],
        ["files = !ls\n", "np.maximum(x, 0)"],
        ["%%bash\n", "np.maximum(x, 0)"],
        ["%%time\n", "def relu(x):\n", "    return np.maximum(x, 0)  # ä\n"],
    ]
    path.write_text(notebook(*cells, indent=indent), encoding="utf-8")
    (row,) = records(path)
    assert (row["cell"], row["line"], row["column"]) == (5, 3, 12)
    assert main(["find", "--write", str(path)]) == 0
    cells[0].insert(1, "import fastrelu\n")
    cells[3][2] = "    return fastrelu.relu(x)  # ä\n"
    assert path.read_text(encoding="utf-8") == notebook(*cells, indent=indent)


def test_notebook_of_another_format(folder, capsys):
    path = folder / "model.ipynb"
    path.write_text(notebook(["import numpy as np\n", "f = lambda x: np.maximum(x, 0)"], indent=7))
    with pytest.raises(SystemExit) as stopped:
        main(["find", "--write", str(path)])
    assert stopped.value.code == 2
    assert "its JSON has another format" in capsys.readouterr().err


def test_write_goes_on_after_a_file_that_cannot_be_written(folder, capsys):
    refused = [folder / "a.ipynb", folder / "b.ipynb"]
    for path in refused:
        path.write_text(notebook(["import numpy as np\n", "np.maximum(x, 0)"], indent=7))
    (folder / "c.py").write_text(RELU)
    with pytest.raises(SystemExit) as stopped:
        main(["find", "--write", str(folder)])
    captured = capsys.readouterr()
    assert (stopped.value.code, captured.out) == (2, "1 of 3 files rewritten\n")
    assert captured.err == (
        f"python -m fastrelu find: error: {refused[0]}: its JSON has another format than "
        "nbformat's; and 1 more\n"
    )
    assert (folder / "c.py").read_text() == REWRITTEN


def test_ignored_by_git(folder):
    subprocess.run(["git", "init", "-q"], check=True, cwd=folder)
    for name in "kept.py", "left.py", "sub/left.py", "sub/kept.py":
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(RELU)
    (folder / ".gitignore").write_text("left.py\n")
    assert [os.path.basename(row["path"]) for row in records(folder)] == ["kept.py", "kept.py"]
    assert len(records(folder / "left.py")) == 1


def test_without_git(folder, monkeypatch):
    monkeypatch.setenv("PATH", "")
    for name in ".venv/a.py", "__pycache__/a.py", "sub/a.py", "a.txt":
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(RELU)
    assert [row["path"] for row in records(folder)] == [str(folder / "sub" / "a.py")]


def test_file_given_twice(folder):
    (folder / "a.py").write_text(RELU)
    assert len(records(folder, str(folder / "a.py"))) == 1


def code_cell(source):
    return f'{{"cells": [{{"cell_type": "code", "source": {source}, "for": "numpy"}}]}}'.encode()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.py", b"import numpy as np\nnp.maximum(x, 0\n", "line 2: '(' was never closed"),
        ("b.py", b"import numpy\nmaximum = '\xff'\n", "can't decode byte 0xff"),
        ("c.py", b"# coding: none\nimport numpy\nmaximum\n", "unknown encoding: none"),
        ("d.py", b"import numpy\nmaximum = '\0'\n", "null byte"),
        ("e.ipynb", b"numpy maximum", "Expecting value"),
        ("f.ipynb", b'["numpy maximum"]', "not a notebook of format 4"),
        ("g.ipynb", b'{"cells": ["numpy maximum"]}', "not a notebook of format 4"),
        ("h.ipynb", code_cell("null"), "cell 1 has no text"),
        ("i.ipynb", code_cell('["numpy maximum", 1]'), "cell 1 has no text"),
        ("j.ipynb", code_cell('"numpy # fastrelu: IPython: cell 2"'), "cell 1 has '# fastrelu"),
    ],
)
def test_what_does_not_parse_is_passed_over(name, content, reason, folder, capsys):
    (folder / name).write_bytes(content)
    (folder / "good.py").write_text(RELU)
    assert main(["find", str(folder)]) == 0
    captured = capsys.readouterr()
    assert f"passed over: {folder / name}: " in captured.err
    assert reason in captured.err
    assert "1 place in 1 of 2 files" in captured.out


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes among its files")
def test_only_files_are_read(folder):
    os.mkfifo(folder / "pipe.py")
    (folder / "gone.py").symlink_to("nothing.py")
    (folder / "itself").symlink_to(folder)
    (folder / "good.py").write_text(RELU)
    assert [row["path"] for row in records(folder)] == [str(folder / "good.py")]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a full device")
@pytest.mark.parametrize("option", ["--diff", "--exit-code"])
def test_output_that_cannot_be_printed(option, folder):
    (folder / "layer.py").write_text(RELU)
    command = [sys.executable, "-P", "-m", "fastrelu", "find", option, str(folder)]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    error = f"python -m fastrelu find: error: cannot print: {os.strerror(28)}\n"
    assert (done.returncode, done.stderr) == (2, error)


def test_missing_path(folder, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["find", str(folder), "nothing.py"])
    assert stopped.value.code == 2
    assert "nothing.py: no such file or folder" in capsys.readouterr().err


def test_many_files_in_several_processes(folder):
    for n in range(300):
        (folder / f"layer{n:03}.py").write_text(RELU)
    assert [row["path"][-6:-3] for row in records(folder)] == [f"{n:03}" for n in range(300)]


def test_help(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["find", "--help"])
    assert stopped.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 40
    assert "example:" in lines


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no groups of processes to signal")
def test_interrupted(folder):
    for n in range(400):
        (folder / f"layer{n:03}.py").write_text(RELU * 200)
    ready = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    run = "from fastrelu._tool.main import main; print('ready', flush=True); sys.exit(main())"
    command = [sys.executable, "-P", "-c", ready + run, "find", str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)  # until it is at work
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "python -m fastrelu find: interrupted\n")
