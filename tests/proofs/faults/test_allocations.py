"""Each allocation of a call fails in turn: its result is right, or it is a clean MemoryError."""

import pytest
from proofs.faults.calls import CALLS, OF_NUMPY, OF_PYTHON

FAULTS = {"alone": "None", "with all that follow": "ALL"}
BEFORE = "import fastrelu; from proofs.faults import injection; ALL = injection.ALL"

pytestmark = pytest.mark.xdist_group("faults")  # they share a process


@pytest.fixture(scope="module")
def outcomes(with_faults):
    """Return how calls of fastrelu ended, and what they need that fails by itself."""
    codes = {
        f"{of} {name} {kind}": f"injection.fail_{of}({name!r}, {last})"
        for of, names in {"allocations": CALLS, "others": OF_NUMPY | OF_PYTHON}.items()
        for name in names
        for kind, last in FAULTS.items()
    }
    for name in OF_PYTHON:
        codes[f"maps {name}"] = f"injection.fail_allocations({name!r}, ALL, kind=injection.MAP)"
    return with_faults(BEFORE, codes)


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("name", CALLS)
def test_a_call_without_memory(name, kind, outcomes):
    status, out, err = outcomes[f"allocations {name} {kind}"]
    of_others, _, err_of_others = outcomes.get(f"others {name} {kind}", (0, "", ""))
    if status and of_others:
        who = "NumPy" if name in OF_NUMPY else "Python"
        how = err_of_others.strip().split("\n")[-1] or f"it ends by signal {-of_others}"
        pytest.skip(f"{who} itself does it wrong: {how}")
    assert (status, err) == (0, "")
    assert int(out) > 0


@pytest.mark.parametrize("name", OF_PYTHON)
def test_a_large_output_without_maps(name, outcomes):
    status, out, err = outcomes[f"maps {name}"]
    assert (status, err) == (0, "")
    assert int(out) > 0
