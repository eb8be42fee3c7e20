"""Without docstrings and assertions, as under python -OO, all functions and commands work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastrelu

ROOT = Path(__file__).parents[2]

FUNCTIONS = """
import numpy as np
import fastrelu

x = np.array([-1.5, 0.0, 2.5], "f4")
for module in [fastrelu, fastrelu.reference, *fastrelu.implementations.values()]:
    print(module.relu(x).tolist(), module.relu_backward(x + 1, x).tolist())
    y, mask = module.relu_with_mask(x)
    print(y.tolist(), mask.tolist(), module.relu_backward_from_mask(x + 1, mask).tolist())
for module in fastrelu, fastrelu.reference:
    print(module.relu_derivative(x).tolist(), module.relu_derivative(x, at_zero=1).tolist())
print(fastrelu.isa, fastrelu.cache_info(), fastrelu.numpy_is_patched())
with fastrelu.num_threads(1):
    print(fastrelu.get_num_threads())
fastrelu.clear_cache()
fastrelu.show_config()
if fastrelu.implementations:
    with fastrelu.patched_numpy():
        print(np.maximum(0, x).tolist())
"""
COMMAND = """
import sys
from fastrelu._tool import check, main
check.DTYPES, check.LENGTHS, check.LARGE = "f", (9,), {}  # a self-test of a moment
sys.exit(main.main(sys.argv[1:]))
"""


def python(*arguments, options=(), **environment):
    names = ("FASTRELU_ISA", "PYTHONOPTIMIZE")
    safe_path = ["-P"] if arguments[0] in ("-c", "-m") else []  # a script imports those beside it
    return subprocess.run(
        [sys.executable, *options, *safe_path, *arguments],
        env={k: v for k, v in os.environ.items() if k not in names} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("isa", [*fastrelu.implementations, "python"])
def test_functions(isa):
    plain = python("-c", FUNCTIONS, FASTRELU_ISA=isa)
    optimized = python("-c", FUNCTIONS, FASTRELU_ISA=isa, options=["-OO", "-W", "error"])
    assert (optimized.returncode, optimized.stderr) == (0, "")
    assert optimized.stdout == plain.stdout


@pytest.mark.parametrize("level", ["1", "2"])
def test_by_the_variable(level):
    done = python("-c", "import fastrelu; print(fastrelu.isa)", PYTHONOPTIMIZE=level)
    assert (done.stdout, done.stderr) == (f"{fastrelu.isa}\n", "")


BENCH = "bench --sizes 16 --operations forward --seconds 0.1 --contenders fastrelu".split()
COMMANDS = {
    "help": ["--help"],
    "info": ["info"],
    "check": ["check"],
    "compare": ["compare", "--most", "16", "--seconds", "0.01"],
    "bench": BENCH,
    "bench with a page": [*BENCH, "--html", "{}/page.html"],
    "run help": ["run", "--help"],
    "run": ["run", "-m", "json.tool", "--help"],
    "bad input": ["--dtype", "nonsense"],
}


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_commands(arguments, tmp_path):
    if "--html" in arguments:
        pytest.importorskip("matplotlib")
    arguments = [argument.format(tmp_path) for argument in arguments]
    plain = python("-c", COMMAND, *arguments)
    optimized = python("-c", COMMAND, *arguments, options=["-OO"])
    assert optimized.returncode == plain.returncode, optimized.stderr
    assert optimized.stderr == plain.stderr
    assert "Traceback" not in optimized.stderr


SCRIPTS = {
    "bench/targets.py": [],
    "bench/torch_memory.py": ["torch"],
    "bench/sklearn_mlp.py": ["sklearn"],
    "examples/cluster.py": ["dask.array", "distributed"],
    "examples/dying_relu.py": ["sklearn"],
    "examples/option_prices.py": [],
    "examples/train_digits.py": ["sklearn"],
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_of_scripts(script):
    if not (ROOT / script).exists():
        pytest.skip(f"{script} is not beside these tests")
    for name in SCRIPTS[script]:
        pytest.importorskip(name)
    done = python(ROOT / script, "--help", options=["-OO"])
    assert (done.returncode, done.stderr) == (0, "")
    assert "--help" in done.stdout
