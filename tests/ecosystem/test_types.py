"""The stubs say what happens: to mypy, to pyright, beside the package as imported, and when run."""

import runpy
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np
import pytest

import fastrelu

ROOT = Path(__file__).parents[2]
EXPECTATIONS = ROOT / "tests/ecosystem/typing/expectations.py"
STUBS = [Path(fastrelu.__file__).parent / name for name in ("__init__.pyi", "reference.pyi")]

COMMANDS = {
    "mypy": [EXPECTATIONS],
    "pyright": ["--pythonpath", sys.executable, EXPECTATIONS, *STUBS],
    "mypy.stubtest": [
        *("--mypy-config-file", "pyproject.toml"),
        *("--allowlist", "tests/ecosystem/typing/not_checked.txt"),
        "fastrelu",
    ],
}


def is_of(value, stated):
    if stated is None or stated is Any:
        return stated is Any or value is None
    origin, args = get_origin(stated) or stated, get_args(stated)
    if hasattr(origin, "__value__"):  # NDArray, from NumPy 2.5 on
        return is_of(value, origin.__value__[args])
    if origin is tuple:
        return len(value) == len(args) and all(map(is_of, value, args))
    if origin is not np.ndarray:
        return isinstance(value, origin)
    lengths, (scalar,) = get_args(args[0]), get_args(args[1])
    return (
        isinstance(value, np.ndarray)
        and (set(lengths) != {int} or value.ndim == len(lengths))
        and (scalar is Any or value.dtype.type is scalar)
    )


@pytest.mark.skipif(fastrelu.isa == "python", reason="the reference is no ufunc")
def test_values_are_of_the_types_stated(monkeypatch):
    seen = []

    def assert_type(value, stated):
        seen.append(stated)
        assert is_of(value, stated), f"{value!r} is no {stated}"
        return value

    monkeypatch.setattr(typing, "assert_type", assert_type)
    runpy.run_path(EXPECTATIONS)
    assert len(seen) > 100


@pytest.mark.parametrize("command", COMMANDS)
def test_stubs(command):
    pytest.importorskip(command)
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("pyproject.toml is not beside these tests")
    run = subprocess.run(
        [sys.executable, "-P", "-m", command, *COMMANDS[command]],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
