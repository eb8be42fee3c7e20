"""The list of mutations fits the tree, and the tool tells what is caught from what is missed."""

import collections
import importlib.util
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "mutate.py"
ROOT = SCRIPT.parents[1]
if not (ROOT / "fastrelu" / "_core.pyx").is_file():
    pytest.skip("fastrelu/ is not beside these tests", allow_module_level=True)

spec = importlib.util.spec_from_file_location("mutate", SCRIPT)
mutate = importlib.util.module_from_spec(spec)
sys.modules["mutate"] = mutate  # where its dataclasses look for their annotations
spec.loader.exec_module(mutate)

MUTATIONS = mutate.load()


def test_each_old_text_stands_once_in_its_file():
    mutate.check_texts(MUTATIONS)


def test_each_changes_its_text():
    assert [m.label for m in MUTATIONS if m.old == m.new] == []


def test_each_has_a_name_of_its_own():
    counts = collections.Counter(mutation.label for mutation in MUTATIONS)
    assert [name for name, count in counts.items() if count > 1] == []


def test_each_is_met_by_tests_that_are_there():
    def named(test):
        path, _, function = test.partition("::")
        file = ROOT / path
        return file.is_file() and (not function or f"def {function}(" in file.read_text())

    assert [m.label for m in MUTATIONS if not all(map(named, m.tests))] == []
    given = [(m.label, [bool(tests) for tests in (m.tests, m.driver, m.shapes)]) for m in MUTATIONS]
    assert [label for label, kinds in given if sum(kinds) != 1] == []


def test_there_are_enough_that_count():
    assert sum(not mutation.equivalent for mutation in MUTATIONS) >= 80


def test_what_cannot_be_seen_has_a_reason():
    assert [m.label for m in MUTATIONS if m.equivalent and len(m.equivalent) < 30] == []


def mutation(**fields):
    fields = {"name": "it", "file": "file.c", "old": "a < b", "new": "a > b"} | fields
    return mutate.Mutation(area="area", **fields)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Return a copy of a tree with one file."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "file.c").write_text("return a < b;\n")
    monkeypatch.setattr(mutate, "ROOT", tmp_path / "root")
    return mutate.Tree(tmp_path / "copy", ["file.c"], mutate.Processes())


def test_a_break_is_made_in_the_copy_and_taken_back(tree):
    with tree.broken(mutation()):
        assert (tree.folder / "file.c").read_text() == "return a > b;\n"
    assert (tree.folder / "file.c").read_text() == "return a < b;\n"
    assert (mutate.ROOT / "file.c").read_text() == "return a < b;\n"


@pytest.mark.parametrize(("old", "times"), [("a <= b", 0), (" ", 3)])
def test_an_old_text_that_does_not_stand_there_once_is_refused(tree, old, times):
    message = f"area: it: file.c has its old text {times} times"
    with pytest.raises(mutate.ListError, match=message):
        mutate.check_texts([mutation(old=old)])


@pytest.mark.parametrize(
    ("status", "hangs", "met"),
    [
        (0, 0, "passed"),
        (1, 0, "caught"),
        (-11, 0, "caught"),
        (None, 9, "caught"),
        (None, 0, "too slow"),
        (5, 0, "no tests"),
    ],
)
def test_how_a_break_is_met(tree, monkeypatch, status, hangs, met):
    monkeypatch.setattr(tree, "build", lambda command: None)
    monkeypatch.setattr(tree, "test", lambda command, tests, limit: (status, "FAILED x\n"))
    assert mutate.meet(tree, mutation(hangs=hangs))[0] == met


def test_what_cannot_be_built_is_not_caught(tree, monkeypatch):
    monkeypatch.setattr(tree, "build", lambda command: "file.c: error: expected ';'\n")
    assert mutate.meet(tree, mutation()) == ("not built", "file.c: error: expected ';'")


@pytest.mark.parametrize(
    ("equivalent", "met", "outcome"),
    [
        ("", "caught", "caught"),
        ("", "passed", "MISSED"),
        ("", "not built", "NOT BUILT"),
        ("as fast", "passed", "equivalent"),
        ("as fast", "caught", "NOT EQUIVALENT"),
    ],
)
def test_what_becomes_of_it(equivalent, met, outcome):
    assert mutate.outcome(mutation(equivalent=equivalent), met) == outcome


def test_results_of_the_same_texts_are_kept(tree, tmp_path):
    def key(change="a > b"):
        state = mutate.State(None, ["file.c", "tests/test_it.py", "tests/other.txt"])
        return state.key(mutation().command, ("tests/test_it.py::test",), change)

    (mutate.ROOT / "tests").mkdir()
    for name in ("test_it.py", "other.txt"):
        (mutate.ROOT / "tests" / name).write_text("")
    before = key()
    (mutate.ROOT / "tests" / "other.txt").write_text("changed")
    assert key() == before
    assert key("a == b") != before
    (mutate.ROOT / "tests" / "test_it.py").write_text("changed")
    assert key() != before
    state = mutate.State(tmp_path / "state.json", [])
    state.put("key", {"met": "caught"})
    assert mutate.State(tmp_path / "state.json", []).kept == {"key": {"met": "caught"}}


def test_what_takes_too_long_is_ended_with_all_that_it_has_started(tmp_path):
    command = ["sh", "-c", "sleep 600 & echo $! >pid; wait"]
    status, _, _ = mutate.Processes().run(command, tmp_path, limit=0.5)
    assert status is None
    stat = Path(f"/proc/{int((tmp_path / 'pid').read_text())}/stat")
    end = time.monotonic() + 60
    while time.monotonic() < end and stat.exists() and stat.read_text().split()[2] != "Z":
        time.sleep(0.01)
    assert time.monotonic() < end


def test_a_sample_follows_the_seed_and_leaves_out_what_cannot_be_seen():
    def drawn(seed):
        args = mutate.parse(["--sample", "10", "--seed", seed])
        return mutate.chosen(MUTATIONS, args)

    assert drawn("2026-11-26") == drawn("2026-11-26") != drawn("2026-11-27")
    assert len(drawn("2026-11-26")) == 10
    assert not any(mutation.equivalent for mutation in drawn("1") + drawn("2") + drawn("3"))


@pytest.mark.parametrize("pattern", ["pool:", "pool: *", "*not be started*"])
def test_a_pattern_chooses(pattern, capsys):
    assert mutate.main(["--list", "--only", pattern]) == 0
    assert "threads that could not be started are called (equivalent)" in capsys.readouterr().out


def test_a_pattern_without_a_match(capsys):
    assert mutate.main(["--list", "--only", "no such"]) == 2
    assert capsys.readouterr().err == "mutate.py: no mutation is called so: no such\n"


def test_an_unknown_key_of_the_list_is_named(tmp_path):
    path = tmp_path / "list.toml"
    path.write_text('[[area]]\nname = "it"\nfiel = "file.c"\n')
    with pytest.raises(mutate.ListError, match=r"area: it: unknown keys .*fiel"):
        mutate.load(path)
