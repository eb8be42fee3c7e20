"""fastrelu.torch can be reloaded and imported afresh, and what came from it before goes on."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("torch")

START = """
import gc, importlib, sys, torch
import fastrelu.torch

def check(relu):
    x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(relu(x).sum(), x, create_graph=True)
    assert gradient.tolist() == [0, 0, 1]
    assert relu(x.detach()).tolist() == [0, 0, 2]
    assert torch.func.vmap(relu)(torch.ones(2, 3) - 2).tolist() == [[0, 0, 0]] * 2
    assert relu(torch.ones(3, dtype=torch.bfloat16)).dtype == torch.bfloat16

def forget(*packages):
    for name in [name for name in sys.modules if name.startswith(packages)]:
        del sys.modules[name]
    gc.collect()

before = [fastrelu.torch.relu, fastrelu.torch.ReLU()]
"""
AGAIN = {
    "reload": "importlib.reload(fastrelu.torch)",
    "reload both": "importlib.reload(fastrelu); importlib.reload(fastrelu.torch)",
    "afresh, twice": """
for _ in range(2):
    forget("fastrelu.torch")
    import fastrelu.torch
""",
    "afresh, all of it": "forget('fastrelu'); import fastrelu.torch",
    "afresh, and nothing is left": """
before.clear()
del fastrelu
forget("fastrelu")
import fastrelu.torch
""",
}
END = """
gc.collect()
x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
y = fastrelu.torch.leaky_relu(fastrelu.torch.add_relu(x, 1), 0.5)
assert torch.autograd.grad(y.sum(), x)[0].tolist() == [0, 1, 1]
for relu in [fastrelu.torch.relu, fastrelu.torch.ReLU(), *before]:
    check(relu)
print("ok")
"""


def python(code, *options):
    return subprocess.run(
        [sys.executable, "-P", *options, "-c", code],
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("again", AGAIN.values(), ids=AGAIN)
def test_it_works_again(again):
    done = python(START + again + END, "-W", "error:::fastrelu")
    assert (done.stdout, done.returncode) == ("ok\n", 0), done.stderr
