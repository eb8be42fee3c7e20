"""The recipe of docs/integrations.md for JAX runs where the process has one CPU."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastrelu

pytest.importorskip("jax")
pytestmark = pytest.mark.skipif(fastrelu.isa == "python", reason="its numbers are those of Python")

PAGE = Path(__file__).parents[2] / "docs" / "integrations.md"
SETTING = 'jax.config.update("jax_cpu_enable_async_dispatch", False)'
ONE_CPU = """
import os
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
import numpy as np
import fastrelu
"""
LARGE = """
x = jnp.asarray(np.random.default_rng(0).standard_normal((1000, 1000)), "float32")
for _ in range(10):
    y = jax.jit(relu)(x)
    grad = jax.jit(jax.grad(lambda x: (3 * relu(x)).sum()))(x)
assert np.array_equal(y, np.maximum(0, x))
assert np.array_equal(grad, np.where(x > 0, np.float32(3), np.float32(0)))
print("ok")
"""


@pytest.fixture(scope="module")
def recipe():
    if not PAGE.exists():
        pytest.skip("docs/ is not beside these tests")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (block,) = (block for block in blocks if "jax.custom_vjp" in block)
    return "\n".join(line[4:] for line in block.splitlines() if line[:4] in (">>> ", "... "))


def test_it_sets_what_one_cpu_needs_before_all_else(recipe):
    lines = recipe.splitlines()
    assert lines[lines.index(SETTING) - 2 : lines.index(SETTING)] == [
        "import jax",
        "import jax.numpy as jnp",
    ]


def test_it_runs_with_one_cpu(recipe):
    done = subprocess.run(
        [sys.executable, "-P", "-c", ONE_CPU + recipe + LARGE],
        env={k: v for k, v in os.environ.items() if not k.startswith("JAX_")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("ok\n", 0), done.stderr
