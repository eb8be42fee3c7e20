"""The second operand of fastrelu.torch.add_relu: numbers, broadcasting, both gradients, errors."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import fastrelu.torch  # noqa: E402

# PyTorch's forward mode uses it itself.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is dep:DeprecationWarning")

add_relu = fastrelu.torch.add_relu

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
INTEGERS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
SPECIAL = [-2.0, -0.0, 0.0, 3.0, 6e4, 1e-7, float("inf"), -float("inf"), float("nan")]


def pytorch(x, y):
    return torch.relu(x + y)


def gradients(function, x, y, grad):
    x, y = x.detach().requires_grad_(), y.detach().requires_grad_()
    return torch.autograd.grad(function(x, y), (x, y), grad)


def differs(actual, expected):
    """Return whether a value, or the sign of a number, differs."""
    numbers = ~expected.isnan()
    return (
        actual.dtype != expected.dtype
        or not torch.equal(~actual.isnan(), numbers)
        or not torch.equal(actual[numbers], expected[numbers])
        or not torch.equal(actual[numbers].signbit(), expected[numbers].signbit())
    )


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_floats(dtype):
    values = torch.tensor(SPECIAL, dtype=dtype)
    x, y = values[:, None], torch.cat([values, torch.randn(16_000).to(dtype)])
    for wanted in (False, True):
        z = add_relu(x.clone().requires_grad_(wanted), y)
        assert z.requires_grad is wanted
        assert not differs(z.detach(), pytorch(x, y))
    grad = torch.linspace(-3, 3, x.numel() * y.numel(), dtype=dtype).view(9, -1)
    full = x.expand(grad.shape), y.expand(grad.shape)
    actual = gradients(add_relu, *full, grad)
    expected = gradients(pytorch, *full, grad)
    assert not any(map(differs, actual, expected))


def test_strides_are_those_of_the_operand_that_is_not_broadcast():
    x, y = torch.randn(3, 1), torch.randn(4, 3).T
    assert add_relu(x, y).stride() == add_relu(y, x).stride() == pytorch(x, y).stride()


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_integers_wrap(dtype):
    x = torch.arange(-200, 200).to(dtype)
    limits = torch.tensor([torch.iinfo(dtype).min, torch.iinfo(dtype).max, 0, 1], dtype=dtype)
    assert torch.equal(add_relu(x[:, None], limits), pytorch(x[:, None], limits))
    for number in (0, 3, -3, 300, True, np.int8(2)):
        assert torch.equal(add_relu(x, number), pytorch(x, number))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_numbers(dtype):
    x = torch.tensor(SPECIAL, dtype=dtype)
    numbers = [0, -3, True, 0.1, -0.0, float("inf"), float("nan"), 1e300, np.float32(0.1)]
    for wanted in (False, True):
        operand = x.clone().requires_grad_(wanted)
        actual = [add_relu(operand, number).detach() for number in numbers]
        expected = [pytorch(x, number) for number in numbers]
        wrong = map(differs, actual, expected)
        assert [number for number, is_wrong in zip(numbers, wrong, strict=True) if is_wrong] == []


SHAPES = {
    "row": ((5, 4), (4,)),
    "column": ((5, 4), (5, 1)),
    "scalar": ((5, 4), ()),
    "both": ((5, 1), (2, 1, 4)),
    "x": ((4,), (5, 4)),
    "one": ((1, 3, 1), (1, 1, 1)),
    "none": ((0, 4), (1,)),
    "scalars": ((), ()),
}


@pytest.mark.parametrize("dtype", FLOATS[1:], ids=str)
@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
def test_gradients_have_the_shapes_of_the_operands(shapes, dtype):
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(shape, generator=generator).to(dtype) for shape in shapes)
    expected = pytorch(x, y)
    assert torch.equal(add_relu(x, y), expected)
    grad = torch.randn(expected.shape, generator=generator).to(dtype)
    actual = gradients(add_relu, x, y, grad)
    assert list(map(torch.equal, actual, gradients(pytorch, x, y, grad))) == [True, True]


@pytest.mark.parametrize("which", [0, 1])
def test_one_operand_may_have_a_gradient(which):
    x, y = (torch.tensor([-1.0, 2.0], requires_grad=i == which) for i in range(2))
    add_relu(x, y).sum().backward()
    assert [x.grad, y.grad][which].tolist() == [0, 1]
    assert [x.grad, y.grad][1 - which] is None


@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
@pytest.mark.parametrize("shape", [(3,), (2, 1), (2, 2, 3), ()], ids=str)
def test_derivatives_are_those_of_differences(shape):
    generator = torch.Generator().manual_seed(1)
    options = {"dtype": torch.double, "generator": generator, "requires_grad": True}
    operands = torch.randn(2, 3, **options), torch.randn(shape, **options)
    assert torch.autograd.gradcheck(
        add_relu,
        operands,
        check_forward_ad=True,
        check_batched_grad=True,
        check_batched_forward_grad=True,
    )
    assert torch.autograd.gradgradcheck(
        add_relu, operands, check_fwd_over_rev=True, check_batched_grad=True
    )


func = torch.func
TRANSFORMS = {
    "grad of y": lambda f: func.grad(lambda x, y: (f(x, y) ** 2).sum(), argnums=1),
    "jacrev of both": lambda f: func.jacrev(f, argnums=(0, 1)),
    "jacfwd of both": lambda f: func.jacfwd(f, argnums=(0, 1)),
    "jacfwd of y": lambda f: func.jacfwd(f, argnums=1),
    "hessian": lambda f: func.hessian(lambda x, y: (f(x, y) ** 3).sum(), argnums=(0, 1)),
    "vmap of x": lambda f: func.vmap(f, in_dims=(0, None)),
    "vmap of y": lambda f: func.vmap(f, in_dims=(None, 0)),
    "vmap of both": lambda f: func.vmap(f, in_dims=(1, 0)),
    "grad of vmap": lambda f: func.grad(
        lambda x, y: (func.vmap(f, in_dims=(0, None))(x, y) ** 2).sum(), argnums=(0, 1)
    ),
    "vmap of grad": lambda f: func.vmap(func.grad(lambda x, y: (f(x, y) ** 2).sum(), (0, 1))),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms_of_functions(transform):
    generator = torch.Generator().manual_seed(0)
    operands = torch.randn(4, 4, generator=generator), torch.randn(4, 1, generator=generator)
    actual = TRANSFORMS[transform](add_relu)(*operands)
    expected = TRANSFORMS[transform](pytorch)(*operands)
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)


LAYOUTS = {
    "contiguous": lambda x: x,
    "channels_last": lambda x: x.to(memory_format=torch.channels_last),
    "transposed": lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
    "steps": lambda x: torch.stack([x, x], -1)[..., 0],
    "expanded": lambda x: x[:, :1].expand(x.shape),
    "channels": lambda x: x[0, :, :1, :1],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout):
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(3, 4, 6, 5, generator=generator) for _ in range(2))
    grad = torch.randn(x.shape, generator=generator)
    for one in LAYOUTS.values():
        operands = one(x), LAYOUTS[layout](y)
        expected = pytorch(*operands)
        for wanted in (False, True):
            z = add_relu(operands[0].detach().requires_grad_(wanted), operands[1])
            assert torch.equal(z, expected)
        if z.shape == x.shape:
            actual = gradients(add_relu, *operands, grad)
            torch.testing.assert_close(actual, gradients(pytorch, *operands, grad))


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "transposed"])
@pytest.mark.parametrize("second", ["alike", "channels", "number"])
def test_the_order_of_memory_is_kept(layout, second):
    x = LAYOUTS[layout](torch.randn(3, 4, 6, 5))
    y = {"alike": x, "channels": torch.ones(4, 1, 1), "number": 1.0}[second]
    assert add_relu(x, y).stride() == pytorch(x, y).stride() == x.stride()


def test_the_sum_is_not_kept():
    x, bias = torch.randn(100, 8, requires_grad=True), torch.randn(8, requires_grad=True)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(saved.append, lambda tensor: tensor):
        add_relu(x, bias)
    assert [(mask.dtype, mask.shape) for mask in saved] == [(torch.uint8, (100,))]


REFUSED = {
    "string": (lambda x: (x, "1"), TypeError, "y must be a tensor or a real number, not str"),
    "complex": (lambda x: (x, 1j), TypeError, "y must be a tensor or a real number, not complex"),
    "array": (lambda x: (x, np.ones(2)), TypeError, "a real number, not ndarray"),
    "number first": (lambda x: (1.0, x), TypeError, "x must be a tensor, not float"),
    "dtypes": (lambda x: (x, x.double()), TypeError, "not torch.float32 and torch.float64"),
    "float": (lambda x: (x.int(), 1.5), TypeError, "beside an x of torch.int32, not float"),
    "sparse": (lambda x: (x, x.to_sparse()), TypeError, "y must be a dense tensor"),
    "bool": (lambda x: (x, x > 0), TypeError, "y must be of a dtype among .*, not torch.bool"),
    "device": (lambda x: (x, x.to("meta")), ValueError, "y must be on the CPU, not on meta"),
    "shapes": (lambda x: (x, torch.ones(3)), RuntimeError, "must match the size"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    operands, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        add_relu(*operands(torch.ones(2)))
