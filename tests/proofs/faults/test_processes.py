"""Threads that do not start, signals and forks at every point of a call: the result is right."""

import pytest
from proofs.faults.calls import CALLS

pytestmark = pytest.mark.xdist_group("alone")

# What a process does, and the fewest faults that it has to meet. Those that come after a time may
# come too late.
PROCESSES = {
    "a thread does not start": ("fail_to_start()", 6),
    "no memory to start a thread": ("fail_to_start_without_memory()", 3),
    "an interrupt, later and later": ("interrupt_at_every_point(60)", 1),
    "a storm of signals while a thread waits": ("storm(1)", 100),
    "a fork, later and later": ("fork_at_every_point(40)", 40),
}
INTERRUPT = "signal=signal.SIGINT, allowed=KeyboardInterrupt"


@pytest.fixture(scope="module")
def outcomes(with_faults):
    """Return how each process ended."""
    codes = {name: f"processes.{code}" for name, (code, _) in PROCESSES.items()}
    return with_faults("from proofs.faults import processes", codes)


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process(name, outcomes):
    status, out, err = outcomes[name]
    assert (status, err) == (0, "")
    assert int(out) >= PROCESSES[name][1]


@pytest.fixture(scope="module")
def interrupted(with_faults):
    """Return how each call ended that a signal interrupts at one of its allocations."""
    codes = {name: f"injection.fail_allocations({name!r}, {INTERRUPT})" for name in CALLS}
    return with_faults("import signal, fastrelu; from proofs.faults import injection", codes)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_is_interrupted(name, interrupted):
    status, out, err = interrupted[name]
    assert (status, err) == (0, "")
    assert int(out) > 0
