"""The protocol of the thread pool: its model in every order of events, its code under load."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MODEL = HERE / "threads.pml"
SOURCES = HERE.parent.parent / "csrc"

pytestmark = pytest.mark.slow

with_spin = pytest.mark.skipif(
    not (shutil.which("spin") and shutil.which("gcc")), reason="needs spin and gcc"
)
with_sources = pytest.mark.skipif(
    not (SOURCES.exists() and shutil.which("gcc")), reason="needs csrc/ and gcc"
)

CONFIGURATIONS = {
    "two workers and a fork": {},
    "two callers": {"CALLERS": 2, "WORKERS": 1, "CHUNKS": 3},
}

# What the protocol cannot do without: a line of the model, and another in its place.
MUTATIONS = {
    "a worker joins whatever has happened since it looked": (
        """\
        atomic {
            joined = (members[me].state == CALLED);
            if
            :: joined -> members[me].state = JOINED
            :: else
            fi
        }
""",
        """\
        joined = (members[me].state == CALLED);
        if
        :: joined -> members[me].state = JOINED
        :: else
        fi;
""",
    ),
    "the caller does not wait for the last chunks": ("        await(i);\n", ""),
    "the caller leaves a late worker's chunks": ("    run_others_ranges(0);\n", ""),
    "a worker does not wake the caller": (
        ":: old == AWAITED -> members[me].caller_sleeps = false",
        ":: old == AWAITED",
    ),
    "a worker sleeps without another look": (
        "atomic { members[me].sleeps = (members[me].state == IDLE) }",
        "members[me].sleeps = true",
    ),
    "workers are stopped without being woken": (
        "members[i].state = STOPPED;\n        members[i].sleeps = false;",
        "members[i].state = STOPPED;",
    ),
    "a fork does not lock the pool": (":: atomic { was = busy; busy = 2 }", ":: was = 0"),
    "a fork that waits is not woken": (":: was == 2 -> fork_sleeps = false", ":: was == 2"),
}


def errors(model, folder, **parameters):
    """Return what Spin finds wrong in a model."""
    (folder / "threads.pml").write_text(model)
    defines = [f"-D{name}={value}" for name, value in parameters.items()]
    commands = [
        ["spin", "-a", *defines, "threads.pml"],
        ["gcc", "-O2", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c"],
        ["./pan", "-m1000000", "-n"],
    ]
    for command in commands:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "errors: " in done.stdout
    return [line for line in done.stdout.splitlines() if line.startswith("pan:1:")]


@with_spin
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_the_model_in_every_order(configuration, tmp_path):
    assert errors(MODEL.read_text(), tmp_path, **CONFIGURATIONS[configuration]) == []


@with_spin
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_model_needs_each_of_its_steps(mutation, tmp_path):
    model = MODEL.read_text()
    line, other = MUTATIONS[mutation]
    assert model.count(line) == 1
    assert errors(model.replace(line, other), tmp_path) != []


@with_sources
@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.parametrize("define", ["FUTEX", "FASTRELU_WITHOUT_FUTEX"])
@pytest.mark.parametrize("sanitizer", ["thread", "undefined"])
def test_the_pool_alone(define, sanitizer, tmp_path):
    program = tmp_path / "stress"
    flags = f"-std=gnu11 -O1 -g -Wall -Wextra -Werror -pthread -fsanitize={sanitizer}".split()
    sources = [HERE / "stress_threads.c", SOURCES / "runtime/threads.c"]
    compiled = ["gcc", *flags, f"-D{define}", f"-I{SOURCES}", "-o", program, *sources, "-lm"]
    subprocess.run(compiled, check=True)
    options = {"TSAN_OPTIONS": "die_after_fork=0", "UBSAN_OPTIONS": "halt_on_error=1"}
    subprocess.run([program], check=True, env=os.environ | options)
