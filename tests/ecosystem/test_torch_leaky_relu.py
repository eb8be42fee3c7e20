"""The slope of fastrelu.torch.leaky_relu: values and gradients, bit for bit, and errors."""

import fractions

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import fastrelu.torch  # noqa: E402
from fastrelu import reference  # noqa: E402

# PyTorch's forward mode uses it itself.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is dep:DeprecationWarning")

leaky_relu = fastrelu.torch.leaky_relu

SLOPES = [0.01, 0.0, -0.0, 1, 2.5, -1.3, float("inf"), -float("inf"), float("nan")]


def gradient(x, slope, grad):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(leaky_relu(x, slope), x, grad)[0]


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 1003, 600_000])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("slope", SLOPES[:-1])  # of two NaN, a product may take either
def test_bits(assert_same_bits, random_values, slope, dtype, n):
    x, grad = random_values(dtype, n, 0), random_values(dtype, n, 1)
    with np.errstate(all="ignore"):
        y = reference.leaky_relu(x, slope)
        expected = reference.leaky_relu_backward(grad, x, slope)
    for wanted in (False, True):
        actual = leaky_relu(torch.tensor(x).requires_grad_(wanted), slope)
        assert actual.requires_grad is wanted
        assert_same_bits(actual.detach().numpy(), y)
    assert_same_bits(gradient(torch.tensor(x), slope, torch.tensor(grad)).numpy(), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("slope", [0.01, -1.3, float("inf"), float("nan")])
def test_every_pattern_of_16_bits(assert_same_bits, slope, dtype):
    def bits(tensor):
        return tensor.view(torch.int16).numpy()

    def check(actual, expected):
        assert actual.isnan().equal(expected.isnan())
        numbers = ~expected.isnan()
        assert_same_bits(bits(actual[numbers]), bits(expected[numbers]))

    # More than are taken at a time.
    x = torch.tensor(np.arange(1 << 16, dtype=np.uint16).view(np.int16)).view(dtype).repeat(3)
    grad = x.flip(0)
    for wanted in (False, True):
        y = leaky_relu(x.clone().requires_grad_(wanted), slope).detach()
        check(y, torch.where(x < 0, x * slope, x))
    check(gradient(x, slope, grad), torch.where(x <= 0, grad * slope, grad))


@pytest.mark.parametrize("slope", [0.01, 0.0, 1, 2.5, -1.3])
@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str
)
def test_it_gives_what_torch_gives(dtype, slope):
    values = torch.tensor([-3.3, -2.0, -1e-6, 0.7, 3.0, float("inf"), -float("inf")] * 9)
    x, grad = values.to(dtype), values.flip(0).to(dtype)
    expected = torch.nn.functional.leaky_relu(x, slope)
    torch.testing.assert_close(leaky_relu(x, slope), expected, rtol=0, atol=0, equal_nan=True)
    actual = gradient(x, slope, grad)
    expected = torch.ops.aten.leaky_relu_backward(grad, x, slope, False)
    torch.testing.assert_close(actual, expected, rtol=0, atol=0, equal_nan=True)


@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
@pytest.mark.parametrize("slope", [0, 1.5, -2])
def test_derivatives_are_those_of_differences(slope):
    x = torch.tensor([[-2.0, -1.0, 0.5], [1.0, -0.5, 2.0]], dtype=torch.double, requires_grad=True)
    options = {"check_batched_grad": True}
    assert torch.autograd.gradcheck(
        lambda x: leaky_relu(x, slope),
        x,
        check_forward_ad=True,
        check_batched_forward_grad=True,
        **options,
    )
    assert torch.autograd.gradgradcheck(
        lambda x: leaky_relu(x, slope), x, check_fwd_over_rev=True, **options
    )


def test_a_slope_may_be_any_real_number():
    x = torch.tensor([-2.0, 3.0])
    slopes = [0.5, np.float32(0.5), np.float16(0.5), fractions.Fraction(1, 2)]
    assert [leaky_relu(x, slope).tolist() for slope in slopes] == [[-1, 3]] * 4
    assert leaky_relu(x, negative_slope=True).tolist() == [-2, 3]
    assert leaky_relu(x, 1e300).tolist() == [-float("inf"), 3]


@pytest.mark.parametrize("slope", ["1", None, 1j, torch.tensor(0.1), np.ones(2)], ids=repr)
def test_a_slope_that_is_no_number_is_refused(slope):
    with pytest.raises(TypeError, match="negative_slope must be a real number, not"):
        leaky_relu(torch.ones(2), slope)


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8], ids=str)
def test_integers_are_refused(dtype):
    with pytest.raises(TypeError, match="among float16, bfloat16, float32, float64, not torch"):
        leaky_relu(torch.ones(2, dtype=dtype))
