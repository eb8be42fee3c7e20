"""The list of mutations fits the tree, and the tool tells what is caught from what is missed."""

import collections
import importlib.util
import sys
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
    texts = {mutation.file: (ROOT / mutation.file).read_text() for mutation in MUTATIONS}
    counts = [(m.label, texts[m.file].count(m.old)) for m in MUTATIONS]
    assert [counted for counted in counts if counted[1] != 1] == []


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
    assert [m.label for m in MUTATIONS if bool(m.tests) == bool(m.driver)] == []


def test_there_are_enough_that_count():
    assert sum(not mutation.equivalent for mutation in MUTATIONS) >= 80


def test_what_cannot_be_seen_has_a_reason():
    assert [m.label for m in MUTATIONS if m.equivalent and len(m.equivalent) < 30] == []
