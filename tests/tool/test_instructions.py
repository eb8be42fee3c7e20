"""The counts of instructions: how they are compared and kept, without counting any."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

import fastrelu

SCRIPT = Path(__file__).parents[2] / "bench" / "instructions.py"
if not SCRIPT.is_file():
    pytest.skip("bench/ is not beside these tests", allow_module_level=True)

spec = importlib.util.spec_from_file_location("instructions", SCRIPT)
instructions = importlib.util.module_from_spec(spec)
spec.loader.exec_module(instructions)

VERSIONS = {"numpy": "2.4.6", "python": "3.11.7"}


def counts(calls, kernels=(("avx2 float32 relu", 6.0),)):
    return {"calls": dict(calls), "kernels": dict(kernels)}


KEPT = counts({"len(x)": 168, "relu(x)": 1000})


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Return run(counted, options): the status, where a file keeps KEPT."""
    path = tmp_path / "kept.json"
    path.write_text(json.dumps(KEPT | {"versions": VERSIONS}))

    def run(count, *options, versions=VERSIONS):
        monkeypatch.setattr(instructions.shutil, "which", lambda name: name)
        monkeypatch.setattr(instructions, "count", count)
        monkeypatch.setattr(instructions, "versions", lambda: versions)
        return instructions.main(["--file", str(path), *options])

    run.path = path
    return run


@pytest.mark.parametrize(
    ("counted", "changed"),
    [
        (KEPT, []),
        (counts({"len(x)": 168, "relu(x)": 1020}), []),
        (counts({"len(x)": 168, "relu(x)": 1021}), ["relu(x)"]),
        (counts({"len(x)": 168, "relu(x)": 979}), ["relu(x)"]),
        (counts({"len(x)": 168}), ["relu(x)"]),
        (counts({"len(x)": 168, "relu(x)": 1000, "new(x)": 1}), ["new(x)"]),
        (counts(KEPT["calls"], {"avx2 float32 relu": 6.25}.items()), ["avx2 float32 relu"]),
    ],
)
def test_reports_what_changed_or_is_missing(run, capsys, counted, changed):
    assert run(lambda: counted) == bool(changed)
    lines = capsys.readouterr().out.splitlines()
    marked = [line[:40].strip() for line in lines if line.endswith("<--")]
    assert marked == changed


@pytest.mark.parametrize(
    ("versions", "control", "reason"),
    [
        (VERSIONS | {"numpy": "2.5.0"}, 168, "numpy is 2.5.0, not 2.4.6"),
        (VERSIONS, 100, "another build of Python or NumPy"),
    ],
)
def test_only_shows_what_cannot_be_compared(run, capsys, versions, control, reason):
    counted = counts({"len(x)": control, "relu(x)": 2000})
    assert run(lambda: counted, versions=versions) == 0
    assert f"NOT COMPARABLE, see --help: {reason}" in capsys.readouterr().out
    before = run.path.read_bytes()
    with pytest.raises(SystemExit):
        run(lambda: counted, "--write", versions=versions)
    assert f"--write: {reason}" in capsys.readouterr().err
    assert run.path.read_bytes() == before
    run.path.unlink()
    assert run(lambda: counted, "--write", versions=versions) == 0
    assert json.loads(run.path.read_text()) == counted | {"versions": versions}


def test_writes_a_line_for_each_count(run):
    counted = counts({"relu(x)": 900, "len(x)": 168})
    assert run(lambda: counted, "--write") == 0
    assert json.loads(run.path.read_text()) == counted | {"versions": VERSIONS}
    lines = [line.strip() for line in run.path.read_text().splitlines()]
    assert lines[:4] == ["{", '"calls": {', '"len(x)": 168,', '"relu(x)": 900']


def test_writes_the_whole_file_or_leaves_it(run):
    def interrupted():
        raise KeyboardInterrupt

    before = run.path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        run(interrupted, "--write")
    assert run.path.read_bytes() == before
    assert list(run.path.parent.iterdir()) == [run.path]


def test_every_case_has_a_kept_count():
    command = [sys.executable, "-P", SCRIPT, "--run"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    cases = {"calls": set(), "kernels": set()}
    for group, name, _ in json.loads(done.stdout):
        cases[group].add(name)
    kept = json.loads(SCRIPT.with_suffix(".json").read_text())
    assert cases["calls"] - {instructions.EMPTY} == kept["calls"].keys()
    both = {name.split()[0] for name in kept["kernels"]} & fastrelu.implementations.keys()
    assert {name for name in cases["kernels"] if name.split()[0] in both} == {
        name for name in kept["kernels"] if name.split()[0] in both
    }
