"""What torch.jit does with fastrelu.torch, as its docstring says."""

import io

import pytest

torch = pytest.importorskip("torch")

import fastrelu.torch  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "add_relu", "ReLU", "LeakyReLU"])
def test_it_cannot_be_scripted(name):
    function = getattr(fastrelu.torch, name)
    if isinstance(function, type):
        function = function()
    with pytest.raises(RuntimeError, match=r"undefined value x|fastrelu"):
        torch.jit.script(function)


def test_a_trace_runs_and_cannot_be_saved():
    traced = torch.jit.trace(fastrelu.torch.ReLU(), torch.randn(3))
    assert traced(torch.tensor([-1.0, 2.0])).tolist() == [0, 2]
    with pytest.raises(RuntimeError, match="Could not export Python function call"):
        torch.jit.save(traced, io.BytesIO())
