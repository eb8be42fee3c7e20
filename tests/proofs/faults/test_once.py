"""The import and the first meeting of a type, without memory: the next try is right."""

import pytest

pytestmark = pytest.mark.xdist_group("faults")

BEFORE = "from proofs.faults import once"


def run(with_faults, code):
    """Return how many faults a process met, if all is right."""
    ((status, out, err),) = with_faults(BEFORE, {code: code}, timeout=3600).values()
    assert (status, err) == (0, "")
    return int(out)


def test_an_import_without_memory(with_faults):
    assert run(with_faults, "once.fail_to_import(97)") > 50


@pytest.mark.slow  # thousands of processes
def test_an_import_without_memory_for_any_object(with_faults):
    assert run(with_faults, "once.fail_to_import(1)") > 5000


def test_a_type_that_is_met_without_memory(with_faults):
    pytest.importorskip("ml_dtypes", reason="has the type")
    assert run(with_faults, "once.fail_to_meet_a_type()") > 10
