"""fastrelu.torch is what PyTorch has, derivatives and all, and keeps nothing but a mask."""

import copy
import doctest
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch.fx.experimental.proxy_tensor import make_fx  # noqa: E402

import fastrelu.torch  # noqa: E402
from fastrelu import reference  # noqa: E402

# PyTorch's forward mode uses it itself.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is dep:DeprecationWarning")

relu = fastrelu.torch.relu
add_relu = fastrelu.torch.add_relu
leaky_relu = fastrelu.torch.leaky_relu

# Functions of one tensor, each with what it is in PyTorch.
FUNCTIONS = {
    "relu": (relu, torch.relu),
    "add_relu": (lambda x: add_relu(x, 0.25), lambda x: torch.relu(x + 0.25)),
    "leaky_relu": (leaky_relu, torch.nn.functional.leaky_relu),
}
with_every_function = pytest.mark.parametrize(
    ("function", "pytorch"), FUNCTIONS.values(), ids=FUNCTIONS
)

FLOATS = {"f2": torch.float16, "f4": torch.float32, "f8": torch.float64}
INTEGERS = ["u1", "i1", "i2", "i4", "i8"]
SIZES = [0, 1, 7, 8, 9, 1003, 600_000]


def gradient(function, x, grad):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(function(x), x, grad)[0]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", FLOATS)
def test_bits_of_floats(assert_same_bits, random_values, dtype, n):
    x, grad = random_values(dtype, n, 0), random_values(dtype, n, 1)
    for wanted in (False, True):
        y = relu(torch.tensor(x).requires_grad_(wanted))
        assert y.requires_grad is wanted
        assert_same_bits(y.detach().numpy(), reference.relu(x))
    actual = gradient(relu, torch.tensor(x), torch.tensor(grad))
    assert_same_bits(actual.numpy(), reference.relu_backward(grad, x))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_bits_of_integers(assert_same_bits, random_values, dtype, n):
    x = random_values(dtype, n, 0)
    assert_same_bits(relu(torch.tensor(x)).numpy(), reference.relu(x))


def test_bfloat16(assert_same_bits):
    bits = np.arange(1 << 16, dtype=np.uint16)
    x = torch.tensor(bits.view(np.int16)).view(torch.bfloat16)
    grad = x.flip(0)
    kept = ~(x.double() <= 0).numpy()
    numbers = ~x.isnan().numpy()
    expected = np.where(kept | (bits == 0x8000), bits, 0).astype(np.uint16)
    for wanted in (False, True):
        y = relu(x.clone().requires_grad_(wanted)).detach()
        assert y.isnan().numpy().tolist() == (~numbers).tolist()
        actual = y.view(torch.int16).numpy().view(np.uint16)
        assert_same_bits(actual[numbers], expected[numbers])
    actual = gradient(relu, x, grad).view(torch.int16).numpy().view(np.uint16)
    assert_same_bits(actual, np.where(kept, bits[::-1], 0).astype(np.uint16))


@with_every_function
@pytest.mark.parametrize("dtype", [*FLOATS.values(), torch.bfloat16])
def test_it_gives_what_torch_gives(function, pytorch, dtype):
    values = [-2.0, -0.0, 0.0, 3.0, float("inf"), -float("inf"), float("nan"), -float("nan")]
    x = torch.tensor(values * 9, dtype=dtype)
    grad = torch.tensor(values[::-1] * 9, dtype=dtype)
    actual, expected = function(x), pytorch(x)
    torch.testing.assert_close(actual, expected, rtol=0, atol=0, equal_nan=True)
    zeros = actual == 0
    assert torch.equal(actual.signbit()[zeros], expected.signbit()[zeros])
    numbers = ~x.isnan()  # PyTorch's gradient of leaky_relu does not pass at NaN
    actual, expected = (gradient(f, x[numbers], grad[numbers]) for f in (function, pytorch))
    torch.testing.assert_close(actual, expected, rtol=0, atol=0, equal_nan=True)


LAYOUTS = {
    "contiguous": lambda x: x,
    "scalar": lambda x: x[0, 0, 0, 0],
    "no_elements": lambda x: x[:, :0],
    "channels_last": lambda x: x.to(memory_format=torch.channels_last),
    "transposed": lambda x: x.transpose(1, 3),
    "part": lambda x: x[1:],
    "steps": lambda x: x[::2, :, ::2],
    "columns": lambda x: x[..., 1:3].transpose(0, 2),
    "expanded": lambda x: x[:, :1].expand(x.shape),
    "one_column": lambda x: x[..., :1],
    "negative_bit": lambda x: torch._neg_view(x),
    "imaginary": lambda x: torch.complex(x, x).conj().imag,
}


@with_every_function
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("grad_layout", ["contiguous", "expanded", "channels_last", "negative_bit"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(function, pytorch, layout, grad_layout, dtype):
    if dtype == torch.bfloat16 and layout == "imaginary":
        pytest.skip("there are no complex numbers of bfloat16")
    generator = torch.Generator().manual_seed(0)
    x = LAYOUTS[layout](torch.randn(3, 4, 6, 5, generator=generator).to(dtype))
    grad = torch.randn(x.shape, generator=generator).to(dtype)
    if grad.numel() and grad.dim() == 4:
        grad = LAYOUTS[grad_layout](grad)
    expected = pytorch(x)
    for wanted in (False, True):
        actual = function(x.detach().requires_grad_(wanted))
        assert torch.equal(actual, expected)
        assert actual.stride() == expected.stride() or not x.numel()
    assert torch.equal(gradient(function, x, grad), gradient(pytorch, x, grad))


@with_every_function
def test_an_input_is_left_alone(function, pytorch):
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    y = function(x)
    assert x.tolist() == [-1, 2]
    assert y.data_ptr() != x.data_ptr()


@with_every_function
@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
def test_derivatives_are_those_of_differences(function, pytorch):
    x = torch.tensor([[-2.0, -1.0, 0.5], [1.0, -0.5, 2.0]], dtype=torch.double, requires_grad=True)
    for layout in (x, x.T):
        operand = layout.detach().requires_grad_()
        assert torch.autograd.gradcheck(
            function,
            operand,
            check_forward_ad=True,
            check_batched_grad=True,
            check_batched_forward_grad=True,
        )
        assert torch.autograd.gradgradcheck(
            function, operand, check_fwd_over_rev=True, check_batched_grad=True
        )


func = torch.func
# Each takes a ReLU and gives a function of a tensor of three axes.
TRANSFORMS = {
    "grad": lambda r: func.grad(lambda x: (r(x) ** 2).sum()),
    "grad_of_grad": lambda r: func.grad(
        lambda x: func.grad(lambda z: (r(z) ** 3).sum())(x).pow(2).sum()
    ),
    "vmap": lambda r: func.vmap(r),
    "vmap_axes": lambda r: func.vmap(r, in_dims=1, out_dims=2),
    "vmap_of_vmap": lambda r: func.vmap(func.vmap(r)),
    "vmap_of_grad": lambda r: func.vmap(func.grad(lambda x: (r(x.T) ** 2).sum())),
    "grad_of_vmap": lambda r: func.grad(lambda x: (func.vmap(r, in_dims=1)(x) ** 2).sum()),
    "jacrev": lambda r: func.jacrev(r),
    "jacfwd": lambda r: func.jacfwd(r),
    "hessian": lambda r: func.hessian(lambda x: (r(x) ** 3).sum()),
    "jvp": lambda r: lambda x: func.jvp(r, (x,), (x + 1,)),
    "jvp_of_vmap": lambda r: lambda x: func.jvp(func.vmap(r), (x,), (x + 1,)),
    "jvp_of_grad": lambda r: (
        lambda x: func.jvp(func.grad(lambda z: (r(z) ** 3).sum()), (x,), (x + 1,))
    ),
    "linearize": lambda r: lambda x: func.linearize(r, x)[1](x + 1),
}


@with_every_function
@pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node:UserWarning")  # linearize
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms_of_functions(function, pytorch, transform):
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    expected = TRANSFORMS[transform](pytorch)(x)
    torch.testing.assert_close(TRANSFORMS[transform](function)(x), expected, rtol=0, atol=0)


@with_every_function
@pytest.mark.parametrize("grad_mode", [torch.enable_grad, torch.no_grad])
def test_forward_mode(function, pytorch, grad_mode):
    forward_ad = torch.autograd.forward_ad
    x = torch.tensor([[-1.0, 2.0], [3.0, -4.0]]).T
    with forward_ad.dual_level(), grad_mode():
        y, tangent = forward_ad.unpack_dual(function(forward_ad.make_dual(x, x + 7)))
    assert torch.equal(y, pytorch(x))
    assert torch.equal(tangent, gradient(pytorch, x, x + 7))


class Saved:
    """Counts what is saved for the backward pass."""

    def __init__(self):
        self.tensors = []

    def __enter__(self):
        self.hooks = torch.autograd.graph.saved_tensors_hooks(self.pack, lambda tensor: tensor)
        self.hooks.__enter__()
        return self

    def pack(self, tensor):
        self.tensors.append(tensor)
        return tensor.clone()

    def __exit__(self, *error):
        self.hooks.__exit__(*error)


@with_every_function
@pytest.mark.parametrize("n", [0, 1, 8, 9, 1003])
@pytest.mark.parametrize("dtype", [*FLOATS.values(), torch.bfloat16])
def test_a_bit_for_each_element_is_saved(function, pytorch, dtype, n):
    x = torch.linspace(-1, 1, n, dtype=dtype).requires_grad_()
    with Saved() as saved:
        y = function(x)
    (mask,) = saved.tensors
    assert (mask.dtype, mask.shape) == (torch.uint8, ((n + 7) // 8,))
    y.sum().backward()
    assert torch.equal(x.grad, gradient(pytorch, x, torch.ones_like(x)))


@with_every_function
def test_the_output_is_let_go(function, pytorch):
    x = torch.ones(100, requires_grad=True)
    y = function(x)
    memory = torch.multiprocessing.reductions.StorageWeakRef(y.untyped_storage())
    result = y + 1
    assert not memory.expired()
    del y
    assert memory.expired()
    result.sum().backward()
    assert x.grad.tolist() == [1] * 100


@with_every_function
def test_an_output_may_be_written_to(function, pytorch):
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    y = function(x * 2)
    y += 5
    assert torch.equal(y, pytorch(x * 2) + 5)
    y.sum().backward()
    assert torch.equal(x.grad, gradient(lambda x: pytorch(x * 2), x, torch.ones(2)))


@pytest.mark.skipif(fastrelu.cache_info().limit < 1 << 24, reason="no memory is kept")
def test_memory_of_outputs_is_kept_for_the_next():
    x = torch.ones(1 << 20)
    assert relu(x).shape == x.shape
    before = fastrelu.cache_info().hits
    gradient(relu, x, x)
    assert fastrelu.cache_info().hits > before


@with_every_function
@pytest.mark.parametrize(
    "mode", [torch.no_grad, torch.inference_mode, torch.enable_grad], ids=lambda m: m.__name__
)
def test_no_mask_without_a_gradient(function, pytorch, monkeypatch, mode):
    monkeypatch.setattr(fastrelu, "relu_with_mask", None)
    x = torch.tensor([-1.0, 2.0], requires_grad=mode is not torch.enable_grad)
    with mode(), Saved() as saved:
        y = function(x)
    assert torch.equal(y, pytorch(x.detach()))
    assert not y.requires_grad
    assert y.is_inference() is (mode is torch.inference_mode)
    assert [tensor for tensor in saved.tensors if tensor.numel()] == []


@with_every_function
@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpoint(function, pytorch, reentrant):
    x = torch.tensor([-1.0, 2.0, 3.0], requires_grad=True)
    y = torch.utils.checkpoint.checkpoint(
        lambda t: function(t * 2) ** 2, x, use_reentrant=reentrant, preserve_rng_state=False
    )
    y.sum().backward()
    expected = gradient(lambda t: pytorch(t * 2) ** 2, x, torch.ones(3))
    assert torch.equal(x.grad, expected)


@with_every_function
def test_a_graph_may_go_back_twice(function, pytorch):
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    y = function(x)
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    assert torch.equal(x.grad, gradient(pytorch, x, torch.full_like(x, 2)))
    with pytest.raises(RuntimeError, match="second time"):
        y.sum().backward()


@with_every_function
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled(function, pytorch, backend):
    compiled = torch.compile(lambda x: function(x * 2) + 1, backend=backend)
    for n in (3, 4, 50):
        x = torch.linspace(-1, 1, n, requires_grad=True)
        y = compiled(x)
        assert torch.equal(y, pytorch(x * 2) + 1)
        y.sum().backward()
        expected = gradient(lambda x: pytorch(x * 2), x, torch.ones(n))
        assert torch.equal(x.grad, expected)
        with torch.no_grad():
            assert torch.equal(compiled(x), y)


@with_every_function
def test_compiled_transforms(function, pytorch):
    x = torch.tensor([-1.0, 2.0])
    compiled = torch.compile(func.grad(lambda x: (function(x) ** 2).sum()), backend="aot_eager")
    expected = gradient(lambda x: pytorch(x) ** 2, x, torch.ones(2))
    assert torch.equal(compiled(x), expected)


@with_every_function
def test_make_fx_records_it(function, pytorch):
    def gradient_of_sum(x):
        x = x.detach().requires_grad_()
        return torch.autograd.grad(function(x).sum(), x)[0]

    recorded = make_fx(gradient_of_sum)(torch.ones(3))
    x = torch.tensor([-1.0, 0.0, 2.0])
    assert torch.equal(recorded(x), gradient(pytorch, x, torch.ones(3)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_operators(layout):
    x = LAYOUTS[layout](torch.randn(3, 4, 6, 5))
    operators = torch.ops.fastrelu
    y, mask = operators.relu_with_mask(x)
    backward = (torch.ones(x.shape), mask, y.stride())
    for operator, args in (
        (operators.relu, (x,)),
        (operators.relu_with_mask, (x,)),
        (operators.relu_backward_from_mask, backward),
        (operators.add_relu, (x, x)),
        (operators.add_relu_with_mask, (x, x)),
        (operators.leaky_relu, (x, 0.1)),
        (operators.leaky_relu_with_mask, (x, 0.1)),
        (operators.leaky_relu_backward_from_mask, (*backward, 0.1)),
    ):
        torch.library.opcheck(operator.default, args, test_utils=("test_schema", "test_faketensor"))


@with_every_function
def test_threads(function, pytorch):
    def work(seed):
        x = torch.randn(200_003, generator=torch.Generator().manual_seed(seed))
        return torch.equal(gradient(function, x, x), gradient(pytorch, x, x))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(24)))


class Watched(torch.Tensor):
    seen = ()

    @classmethod
    def __torch_function__(cls, function, *args):
        cls.seen += (function,)
        return super().__torch_function__(function, *args)


def test_subclasses():
    for function, *rest in ((relu,), (add_relu, torch.zeros(2)), (leaky_relu, 0)):
        x = torch.tensor([-1.0, 2.0]).as_subclass(Watched).requires_grad_()
        Watched.seen = ()
        y = function(x, *rest)
        assert Watched.seen[0] is function
        assert type(y) is Watched
        y.sum().backward()
        assert x.grad.tolist() == [0, 1]
    assert type(add_relu(torch.zeros(2), x)) is Watched
    assert type(relu(torch.nn.Parameter(torch.ones(2)))) is torch.Tensor


REFUSED = {
    "list": (lambda: [1.0], TypeError, "x must be a tensor, not list"),
    "array": (lambda: np.ones(2), TypeError, "x must be a tensor, not ndarray"),
    "none": (lambda: None, TypeError, "x must be a tensor, not NoneType"),
    "bool": (lambda: torch.ones(2, dtype=torch.bool), TypeError, "not torch.bool"),
    "complex": (lambda: torch.ones(2, dtype=torch.cfloat), TypeError, "not torch.complex64"),
    "uint16": (lambda: torch.ones(2, dtype=torch.uint16), TypeError, "not torch.uint16"),
    "float8": (lambda: torch.ones(2, dtype=torch.float8_e5m2), TypeError, "not torch.float8_e5m2"),
    "sparse": (lambda: torch.eye(2).to_sparse(), TypeError, "dense tensor, not torch.sparse_coo"),
    "mkldnn": (lambda: torch.ones(2, 2).to_mkldnn(), TypeError, "dense tensor, not torch._mkldnn"),
    "meta": (lambda: torch.ones(2, device="meta"), ValueError, "on the CPU, not on meta"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    make, error, message = REFUSED[case]
    for function, *rest in ((relu,), (add_relu, 1), (leaky_relu,)):
        with pytest.raises(error, match=message):
            function(make(), *rest)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged], ids=str)
def test_nested_tensors_are_refused(layout):
    x = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=layout)
    with pytest.raises(TypeError, match="dense tensor, not nested"):
        relu(x)


MODULES = {
    "ReLU": (fastrelu.torch.ReLU(), torch.nn.ReLU()),
    "LeakyReLU": (fastrelu.torch.LeakyReLU(), torch.nn.LeakyReLU()),
    "LeakyReLU with a slope": (fastrelu.torch.LeakyReLU(0.2), torch.nn.LeakyReLU(0.2)),
}


@pytest.mark.parametrize("case", MODULES)
def test_modules(case):
    module, pytorch = MODULES[case]
    assert list(module.parameters()) == []
    assert repr(module) == repr(pytorch)
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    for same in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert type(same) is type(module)
        assert torch.equal(same(x), pytorch(x))


@pytest.mark.parametrize("function", [relu, add_relu, leaky_relu], ids=lambda f: f.__name__)
def test_functions_can_be_pickled(function):
    assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.parametrize("name", fastrelu.torch.__all__)
def test_examples(name):
    examples = doctest.DocTestParser().get_doctest(
        getattr(fastrelu.torch, name).__doc__, {}, name, None, None
    )
    assert examples.examples
    assert doctest.DocTestRunner().run(examples).failed == 0


def run(code):
    command = [sys.executable, "-P", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return result.stdout.strip()


def test_fastrelu_does_not_import_torch():
    assert run("import fastrelu, sys; print('torch' in sys.modules)") == "False"


def test_without_torch():
    code = """
import sys
sys.modules["torch"] = None
try:
    import fastrelu.torch
except ImportError as error:
    print(error.name, error)
"""
    assert run(code).startswith("torch fastrelu.torch needs PyTorch, which cannot be imported (")
    assert run(code).endswith("): pip install torch")
