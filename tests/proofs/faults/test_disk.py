"""A full disk: the command line writes a file whole, or says so and leaves the old one."""

import ast
from pathlib import Path

import pytest

import fastrelu

pytestmark = pytest.mark.xdist_group("faults")  # they share a process

SHORT = ["--sizes", "16", "--seconds", "0.01", "--contenders", "numpy", "--threads", "1"]
BENCH = ["bench", "--operations", "forward", "--where", "out", *SHORT]
LAYER = ["bench", "--layer", "--shapes", "4x3x2", *SHORT[2:]]
EXHAUSTIVE = ["check", "--exhaustive", "--only", "relu", "--slice", "1/65536"]
COMMANDS = {
    "info": (["info"], {"--json": "a.json"}),
    "check": (["check"], {"--json": "a.json"}),
    "check --exhaustive": (EXHAUSTIVE, {"--json": "a.json"}),
    "find": (["find", fastrelu.__file__], {"--json": "a.json"}),
    "compare": (["compare", "--most", "16", "--seconds", "0.1"], {"--json": "a.json"}),
    "bench": (BENCH, {"--json": "a.json"}),
    "bench --layer": (LAYER, {"--json": "a.json"}),
    "bench, all files": (BENCH, {"--json": "a.json", "--plot": "b.svg", "--html": "c.html"}),
}


@pytest.fixture(scope="module")
def outcomes(with_faults):
    """Return how each command ended."""
    codes = {name: f"disk.fill_disk(*{command!r})" for name, command in COMMANDS.items()}
    return with_faults("from proofs.faults import disk", codes)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk(name, outcomes):
    if len(COMMANDS[name][1]) > 1:
        pytest.importorskip("matplotlib", reason="draws the plots")
    status, out, err = outcomes[name]
    assert (status, err) == (0, "")
    assert int(out) > 5


def calls_that_write(path):
    """Return the calls of a module that may write a file, but for those within whole_file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    whole = [node for node in tree.body if getattr(node, "name", "") == "whole_file"]
    inside = {id(node) for function in whole for node in ast.walk(function)}
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and id(n) not in inside]
    return [ast.unparse(call) for call in calls if may_write(call)]


FUNCTIONS = ("np.save", "np.savez", "json.dump", "pickle.dump")


def may_write(call):
    """Return whether a call may write a file, by the name of what is called."""
    function = ast.unparse(call.func)
    name = function.rpartition(".")[2]
    if name == "open" and function != "os.open":  # which the command line uses for os.devnull
        given = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "mode")]
        return any(not isinstance(m, ast.Constant) or set(m.value) & set("wax+") for m in given)
    return name in ("write_text", "write_bytes", "tofile") or function in FUNCTIONS


PROJECT = Path(__file__).parents[3]
FOLDERS = [Path(fastrelu.__file__).parent, PROJECT / "bench", PROJECT / "examples"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_files_are_written_by_whole_file_alone(folder):
    modules = list(folder.rglob("*.py"))
    assert len(modules) > 5
    assert [(path.name, call) for path in modules for call in calls_that_write(path)] == []
