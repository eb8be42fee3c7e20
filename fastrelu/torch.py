"""ReLU and relatives for PyTorch's tensors on the CPU: gradients that keep one bit an element."""

import numbers
import operator

import numpy as np

import fastrelu

try:
    import torch

    operator.attrgetter("compiler.disable", "library.register_fake", "nn.Module", "ops")(torch)
    _HALVES = (torch.float16, torch.bfloat16)
    _FLOATS = (*_HALVES, torch.float32, torch.float64)
    _DTYPES = (*_FLOATS, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
except Exception as error:  # a broken installation may raise any
    raise ImportError(
        "fastrelu.torch needs PyTorch, which cannot be imported "
        f"({type(error).__name__}: {error}): pip install torch",
        name="torch",
    ) from error

__all__ = ["LeakyReLU", "ReLU", "add_relu", "leaky_relu", "relu"]


@torch.compiler.disable
def relu(x, /):
    """
    Rectified linear unit of a tensor: `torch.relu` that keeps one bit an element for its gradient.

    `torch.relu` keeps its output until the backward pass; this function keeps a mask, which takes a
    thirty-second of the memory of a float32 output. It saves memory where nothing else keeps the
    output. A convolution or `torch.nn.Linear` that follows keeps it as its input; the mask is then
    an addition.

    Parameters
    ----------
    x : torch.Tensor
        On the CPU, of any shape and strides; of dtype float16, bfloat16, float32 or float64, or,
        without a gradient, uint8, int8, int16, int32 or int64.

    Returns
    -------
    torch.Tensor
        Of the shape, dtype and strides of ``torch.relu(x)``: x itself, bit for bit, unless
        ``x < 0``; then it is 0. The gradient passes, bit for bit, unless ``x <= 0``. Only a NaN of
        bfloat16 may get another sign and payload, as PyTorch gives it.

    Raises
    ------
    TypeError
        If x is not a tensor, or is sparse, nested, quantized or of another dtype.
    ValueError
        If x is on another device.

    See Also
    --------
    ReLU : The same as a module.
    add_relu : Of a sum.
    leaky_relu : With a slope below zero.
    fastrelu.relu_with_mask : The same for NumPy arrays.

    Notes
    -----
    It can be differentiated any number of times, in reverse and in forward mode, and under the
    transforms of `torch.func`, where `torch.vmap` takes row by row. Without ``x.requires_grad``,
    and under `torch.no_grad` and `torch.inference_mode`, no mask is made. `torch.compile` breaks
    its graph here, and so cannot do with ``fullgraph=True``. `torch.jit.script` raises a
    RuntimeError, and a module of `torch.jit.trace` runs but cannot be saved. It is for large
    tensors: what a call costs beyond the work is some 45 µs, of `torch.relu` 2 µs; with the
    gradient it is some 180 and 25 µs.

    The memory of a large result comes from fastrelu's block cache (see `fastrelu.cache_info`):
    PyTorch's statistics of memory do not count it, and its storage cannot be resized.

    Examples
    --------
    >>> import torch
    >>> import fastrelu.torch
    >>> x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    >>> fastrelu.torch.relu(x).sum().backward()
    >>> x.grad
    tensor([0., 0., 1.])
    """
    if torch.overrides.has_torch_function_unary(x):
        return torch.overrides.handle_torch_function(relu, (x,), x)
    _check("x", x, _DTYPES, "torch.relu")
    return _apply("relu", x)


@torch.compiler.disable
def leaky_relu(x, /, negative_slope=0.01):
    """
    Leaky ReLU: `torch.nn.functional.leaky_relu` that keeps one bit an element for its gradient.

    ``torch.nn.functional.leaky_relu`` keeps its input until the backward pass; this function keeps
    a mask, as `relu` does.

    Parameters
    ----------
    x : torch.Tensor
        On the CPU, of any shape and strides; of dtype float16, bfloat16, float32 or float64.
    negative_slope : number, optional
        The slope below zero, of any sign.

    Returns
    -------
    torch.Tensor
        Of the shape, dtype and strides of ``torch.nn.functional.leaky_relu(x, negative_slope)``: x
        itself, bit for bit, unless ``x < 0``; then it is ``x * negative_slope``. The gradient
        passes, bit for bit, unless ``x <= 0``; then it is multiplied by negative_slope. Only a NaN
        of float16 or bfloat16 may get another sign and payload.

    Raises
    ------
    TypeError
        If x is not a tensor, or is sparse, nested, quantized or of another dtype; or if
        negative_slope is not a real number.
    ValueError
        If x is on another device.

    See Also
    --------
    LeakyReLU : The same as a module.
    relu : With the slope 0, where infinities give 0; its notes apply here, too.
    fastrelu.leaky_relu : The same for NumPy arrays.

    Notes
    -----
    It differs from PyTorch's in two cases. Where x is NaN, the gradient passes, as that of
    `torch.relu` does; PyTorch multiplies it. Where x is zero, it is returned as it is; PyTorch
    multiplies it, which gives another sign if negative_slope is below 0, and NaN if it is infinite.

    Mask and gradient take passes of their own over slices that fit a cache. Where everything fits
    the caches, PyTorch is two to three times as fast.

    Products of float16 and bfloat16 are computed in float32 and rounded once, as PyTorch's are;
    `fastrelu.leaky_relu` rounds the slope to float16 first.

    Examples
    --------
    >>> import torch
    >>> import fastrelu.torch
    >>> x = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    >>> y = fastrelu.torch.leaky_relu(x, 0.25)
    >>> y.tolist()
    [-0.5, 0.0, 3.0]
    >>> y.sum().backward()
    >>> x.grad
    tensor([0.2500, 0.2500, 1.0000])
    """
    if torch.overrides.has_torch_function_unary(x):
        return torch.overrides.handle_torch_function(leaky_relu, (x,), x, negative_slope)
    _check("x", x, _FLOATS, "torch.nn.functional.leaky_relu")
    if not isinstance(negative_slope, numbers.Real):
        kind = type(negative_slope).__name__
        raise TypeError(f"negative_slope must be a real number, not {kind}")
    return _apply("leaky_relu", x, slope=float(negative_slope))


@torch.compiler.disable
def add_relu(x, y, /):
    """
    ReLU of a sum: `torch.relu` of ``x + y`` that keeps one bit an element for both gradients.

    One pass over the operands gives the result, and the sum is not stored. ``torch.relu(x + y)``
    keeps its output until the backward pass; this function keeps a mask, as `relu` does.

    Parameters
    ----------
    x : torch.Tensor
        As `relu` takes it.
    y : torch.Tensor or number
        A tensor of the dtype of x that broadcasts with it; or a number, an int if x is of integers.

    Returns
    -------
    torch.Tensor
        Of the shape and dtype of ``torch.relu(x + y)``, and with its values: the sum is rounded
        once, or wraps if it is of integers. The gradient with respect to both operands is that of
        `relu`, summed over the axes along which an operand was broadcast. Only a NaN may get
        another sign and payload than PyTorch's.

    Raises
    ------
    TypeError
        If x is not a tensor or y is neither a tensor nor a real number, if one is sparse, nested,
        quantized or of a dtype that `relu` does not take, if their dtypes differ, or if y is a
        float and x of integers.
    ValueError
        If an operand is on another device.
    RuntimeError
        If the shapes do not broadcast.

    See Also
    --------
    relu : Of one tensor, with the notes that apply to both.
    fastrelu.add_relu : The same for NumPy arrays.

    Notes
    -----
    A number is rounded to the dtype of x before the sum, as PyTorch does. In bfloat16, the sum is
    PyTorch's, and ReLU follows in place.

    Examples
    --------
    >>> import torch
    >>> import fastrelu.torch
    >>> x = torch.tensor([[-3.0, 1.0], [2.0, -0.5]], requires_grad=True)
    >>> bias = torch.tensor([1.0, 0.0], requires_grad=True)
    >>> y = fastrelu.torch.add_relu(x, bias)
    >>> y.tolist()
    [[0.0, 1.0], [3.0, 0.0]]
    >>> y.sum().backward()
    >>> bias.grad
    tensor([1., 1.])
    """
    if torch.overrides.has_torch_function_variadic(x, y):
        return torch.overrides.handle_torch_function(add_relu, (x, y), x, y)
    _check("x", x, _DTYPES, "torch.relu(x + y)")
    if isinstance(y, numbers.Real):
        y = _tensor_of_number(y, x)
    _check("y", y, _DTYPES, "torch.relu(x + y)", " or a real number")
    if x.dtype != y.dtype:
        raise TypeError(f"x and y must be of one dtype, not {x.dtype} and {y.dtype}")
    return _apply("add_relu", *torch.broadcast_tensors(x, y))


class ReLU(torch.nn.Module):
    """
    The module of `relu`, in place of `torch.nn.ReLU`.

    See Also
    --------
    relu : The function, with the notes that apply to both.

    Examples
    --------
    >>> import torch
    >>> import fastrelu.torch
    >>> model = torch.nn.Sequential(torch.nn.LayerNorm(3), fastrelu.torch.ReLU())
    >>> model(torch.zeros(2, 3)).shape
    torch.Size([2, 3])
    """

    def forward(self, x):
        """Return ``relu(x)``."""
        return relu(x)


class LeakyReLU(torch.nn.Module):
    """
    The module of `leaky_relu`, in place of `torch.nn.LeakyReLU`.

    Parameters
    ----------
    negative_slope : number, optional
        The slope below zero.

    Raises
    ------
    TypeError
        When it is called, if negative_slope is not a real number.

    See Also
    --------
    leaky_relu : The function, with the notes that apply to both.

    Examples
    --------
    >>> import torch
    >>> import fastrelu.torch
    >>> fastrelu.torch.LeakyReLU(0.25)(torch.tensor([-2.0, 3.0]))
    tensor([-0.5000,  3.0000])
    """

    def __init__(self, negative_slope=0.01):
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x):
        """Return ``leaky_relu(x, negative_slope)``."""
        return leaky_relu(x, self.negative_slope)

    def extra_repr(self):
        """Return what repr shows of the module."""
        return f"negative_slope={self.negative_slope}"


def _check(name, x, dtypes, alternative, or_else=""):
    """Raise unless x is a tensor that the kernels take."""
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"{name} must be a tensor{or_else}, not {type(x).__name__}")
    if x.is_nested or x.layout != torch.strided:
        kind = "nested" if x.is_nested else x.layout
        raise TypeError(f"{name} must be a dense tensor, not {kind}")
    if x.dtype not in dtypes:
        names = ", ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)
        raise TypeError(f"{name} must be of a dtype among {names}, not {x.dtype}")
    if x.device.type != "cpu":
        raise ValueError(
            f"{name} must be on the CPU, not on {x.device}; {alternative} takes it there"
        )


def _tensor_of_number(number, x):
    """Return a number as a tensor of the dtype of x."""
    if isinstance(number, numbers.Integral):
        return torch.tensor(int(number)).to(x.dtype)  # which wraps
    if not x.dtype.is_floating_point:
        raise TypeError(
            f"y must be an integer beside an x of {x.dtype}, not {type(number).__name__}"
        )
    return torch.tensor(float(number), dtype=torch.float64).to(x.dtype)


def _apply(operation, *operands, slope=None):
    wanted = torch.is_grad_enabled() and True in [operand.requires_grad for operand in operands]
    return _Activation.apply(operation, slope, wanted, *operands)[0]


class _Activation(torch.autograd.Function):
    """Gives y, and the mask if one is wanted, else an empty one; without a slope, slope is None."""

    @staticmethod
    def forward(operation, slope, wanted, *operands):
        args = operands if slope is None else (*operands, slope)
        if wanted:
            return getattr(torch.ops.fastrelu, f"{operation}_with_mask")(*args)
        return getattr(torch.ops.fastrelu, operation)(*args), torch.empty(0, dtype=torch.uint8)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, ctx.slope, _, *operands = inputs
        y, mask = output
        ctx.save_for_backward(mask)
        # Given to jvp within this call, and let go then; with a slope, y may have any sign.
        ctx.save_for_forward(y if ctx.slope is None else operands[0])
        ctx.stride = y.stride()

    @staticmethod
    @torch.compiler.disable
    def backward(ctx, grad, _):
        grad = _Backward.apply(grad, *ctx.saved_tensors, ctx.stride, ctx.slope)
        return None, None, None, *[grad] * (len(ctx.needs_input_grad) - 3)

    @staticmethod
    def jvp(ctx, _, __, ___, *tangents):
        _, mask = _Activation.apply("relu", None, True, *ctx.saved_tensors)
        return _Backward.apply(sum(tangents), mask, ctx.stride, ctx.slope), None

    @staticmethod
    def vmap(info, in_dims, operation, slope, wanted, *operands):
        rows = [
            [row.contiguous() for row in _rows(info, operand, dim)]
            for operand, dim in zip(operands, in_dims[3:], strict=True)
        ]
        results = [
            _Activation.apply(
                operation, slope, wanted or any(row.requires_grad for row in row_of), *row_of
            )
            for row_of in zip(*rows, strict=True)
        ]
        return tuple(map(torch.stack, zip(*results, strict=True))), (0, 0)


class _Backward(torch.autograd.Function):
    """Linear in grad, and so the same again when it is differentiated."""

    @staticmethod
    def forward(grad, mask, stride, slope):
        if slope is None:
            return torch.ops.fastrelu.relu_backward_from_mask(grad, mask, stride)
        return torch.ops.fastrelu.leaky_relu_backward_from_mask(grad, mask, stride, slope)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, mask, *ctx.rest = inputs
        ctx.save_for_backward(mask)
        ctx.save_for_forward(mask)

    @staticmethod
    @torch.compiler.disable
    def backward(ctx, grad):
        return _Backward.apply(grad, *ctx.saved_tensors, *ctx.rest), None, None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        return _Backward.apply(tangent, *ctx.saved_tensors, *ctx.rest)

    @staticmethod
    def vmap(info, in_dims, grad, mask, *rest):
        grads, masks = (
            _rows(info, rows, dim) for rows, dim in zip((grad, mask), in_dims[:2], strict=True)
        )
        rows = [_Backward.apply(*row_of, *rest) for row_of in zip(grads, masks, strict=True)]
        return torch.stack(rows), 0


def _rows(info, operand, dim):
    return [operand] * info.batch_size if dim is None else operand.unbind(dim)


# As operators they are seen by what watches or records PyTorch's: fake tensors, make_fx, profilers.
# torch.compile would at times trace them without their gradient: it is kept from all that has one.
# A process defines an operator once, and may import this module again: an operator calls the
# function that the last import has left here, beside PyTorch's own records of it.
_here = vars(torch.ops.fastrelu)
_library = _here["_library"] = _here.get("_library") or torch.library.Library("fastrelu", "DEF")
_functions = _here.setdefault("_functions", {})


def _operator(signature, empty):
    """Define an operator by its function and by what it returns, but for the values."""

    def define(function):
        name = signature.partition("(")[0]
        if name not in _functions:
            _library.define(signature)
            _library.impl(name, lambda *args: _functions[name](*args), "CPU")
            torch.library.register_fake(f"fastrelu::{name}", empty, lib=_library)
        _functions[name] = function
        return function

    return define


def _y_and_mask(y):
    """Return what register_fake is to give for an operator with a mask."""
    return y, y.new_empty((y.numel() + 7) // 8, dtype=torch.uint8)


def _memory(dense):
    """Return the memory of a tensor without gaps as an array of one dimension."""
    dense = dense.detach()
    if dense.dtype == torch.bfloat16:  # which NumPy lacks
        dense = dense.view(torch.int16)
    return dense.as_strided((dense.numel(),), (1,)).numpy()


def _call(function, x, stride, *args):
    """Return what a function of arrays gives, and that as a tensor of the shape of x."""
    if x.stride() != stride:
        y = x.new_empty_strided(x.shape, stride).copy_(x)
        return function(_memory(y), *args, out=_memory(y)), y
    # Without out= the memory comes from the block cache, which needs no new pages.
    given = function(_memory(x), *args)
    return given, _tensor(given[0] if isinstance(given, tuple) else given, x, stride)


def _tensor(memory, x, stride):
    """Return an array of one dimension as a tensor of the dtype and shape of x."""
    storage = torch.from_numpy(memory).untyped_storage()
    return torch.empty(0, dtype=x.dtype).set_(storage, 0, x.shape, stride)


def _stride_of_relu(x):
    return torch.empty_like(x, device="meta").stride()


def _stride_of_sum(x, y):
    for operand in (x, y):
        if 0 not in operand.stride():  # not broadcast
            return _stride_of_relu(operand)
    return torch.empty(x.shape, device="meta").stride()


def _add_relu(x, y):
    """Return relu(x + y) as an array in the order of memory, and as a tensor."""
    stride = _stride_of_sum(x, y)
    axes = sorted(range(x.dim()), key=stride.__getitem__, reverse=True)
    with np.errstate(all="ignore"):
        z = fastrelu.add_relu(*(a.detach().permute(axes).numpy() for a in (x, y)))
    z = np.ascontiguousarray(z).reshape(-1)
    return z, _tensor(z, x, stride)


def _mask_of_bfloat16(y):
    magnitude = _memory(y) & 0x7FFF  # 0 for either zero; a NaN may have either sign
    return fastrelu.relu_with_mask(magnitude, magnitude)[1]


# A slice of an array must fit a cache with what is made of it, and start at a byte of the mask.
_SLICE = 1 << 17


def _slices(n):
    """Yield the slices of n elements, and those of their mask."""
    for start in range(0, n, _SLICE):
        end = min(start + _SLICE, n)
        yield slice(start, end), slice(start // 8, (end + 7) // 8)


def _mask(memory):
    """Return the mask of relu_with_mask without a second array of y."""
    mask = np.empty((memory.size + 7) // 8, np.uint8)
    y = np.empty(min(memory.size, _SLICE), memory.dtype)
    for part, bits in _slices(memory.size):
        x = memory[part]
        fastrelu.relu_with_mask(x, y[: x.size], mask[bits])
    return mask


@_operator("relu(Tensor x) -> Tensor", torch.empty_like)
def _(x):
    if x.dtype == torch.bfloat16:
        return torch.clamp_min(x, 0)
    return _call(fastrelu.relu, x, _stride_of_relu(x))[1]


@_operator(
    "relu_with_mask(Tensor x) -> (Tensor, Tensor)",
    lambda x: _y_and_mask(torch.empty_like(x)),
)
def _(x):
    if x.dtype == torch.bfloat16:
        y = torch.empty_like(x)
        torch.clamp_min(x, 0, out=y)
        mask = _mask_of_bfloat16(y)
    else:
        (_, mask), y = _call(fastrelu.relu_with_mask, x, _stride_of_relu(x))
    return y, torch.from_numpy(mask)


@_operator("add_relu(Tensor x, Tensor y) -> Tensor", torch.add)
def _(x, y):
    if x.dtype == torch.bfloat16:
        return torch.add(x, y).clamp_min_(0)
    return _add_relu(x, y)[1]


@_operator(
    "add_relu_with_mask(Tensor x, Tensor y) -> (Tensor, Tensor)",
    lambda x, y: _y_and_mask(torch.add(x, y)),
)
def _(x, y):
    if x.dtype == torch.bfloat16:
        z = torch.add(x, y).clamp_min_(0)
        return z, torch.from_numpy(_mask_of_bfloat16(z))
    memory, z = _add_relu(x, y)
    return z, torch.from_numpy(_mask(memory))


@_operator(
    "relu_backward_from_mask(Tensor grad, Tensor mask, SymInt[] stride) -> Tensor",
    lambda grad, mask, stride: grad.new_empty_strided(grad.shape, stride),
)
def _(grad, mask, stride):
    return _call(fastrelu.relu_backward_from_mask, grad, tuple(stride), _memory(mask))[1]


def _flat(x, stride):
    """Return a tensor, or a copy of these strides, in one dimension and the order of memory."""
    if x.stride() != stride:
        x = x.new_empty_strided(x.shape, stride).copy_(x)
    return x.detach().as_strided((x.numel(),), (1,))


# Up to here PyTorch's memory comes from pages that malloc has kept; glibc maps anew what is larger.
_KEPT = 32 << 20


def _new(flat):
    """Return memory for a result, as an array and as a tensor."""
    if flat.nbytes <= _KEPT:
        result = torch.empty_like(flat)
        return _memory(result), result
    memory = fastrelu.relu(_memory(flat))  # one pass for memory of the block cache
    return memory, _tensor(memory, flat, (1,))


def _leaky_relu(x, slope, masked):
    """Return y, and a list of the masks of its slices."""
    stride = _stride_of_relu(x)
    flat = _flat(x, stride)
    with np.errstate(all="ignore"):
        if x.dtype not in _HALVES:
            memory = fastrelu.leaky_relu(flat.numpy(), slope)
            masks = [_mask(flat.numpy())] if masked else []
        else:
            memory, y = _new(flat)
            masks = []
            for part, _ in _slices(x.numel()):
                single = flat[part].float().numpy()
                if masked:
                    masks.append(_mask(single))
                y[part] = torch.from_numpy(fastrelu.leaky_relu(single, slope, out=single))
    return _tensor(memory, x, stride), masks


@_operator(
    "leaky_relu(Tensor x, float negative_slope) -> Tensor",
    lambda x, negative_slope: torch.empty_like(x),
)
def _(x, negative_slope):
    return _leaky_relu(x, negative_slope, masked=False)[0]


@_operator(
    "leaky_relu_with_mask(Tensor x, float negative_slope) -> (Tensor, Tensor)",
    lambda x, negative_slope: _y_and_mask(torch.empty_like(x)),
)
def _(x, negative_slope):
    y, masks = _leaky_relu(x, negative_slope, masked=True)
    return y, torch.from_numpy(np.concatenate([np.empty(0, np.uint8), *masks]))


@_operator(
    "leaky_relu_backward_from_mask"
    "(Tensor grad, Tensor mask, SymInt[] stride, float negative_slope) -> Tensor",
    lambda grad, mask, stride, negative_slope: grad.new_empty_strided(grad.shape, stride),
)
def _(grad, mask, stride, negative_slope):
    stride, mask = tuple(stride), _memory(mask)
    flat = _flat(grad, stride)
    memory, result = _new(flat)
    halves = grad.dtype in _HALVES
    grads = None if halves else flat.numpy()
    ones = np.ones(min(grad.numel(), _SLICE), np.float32 if halves else grads.dtype)
    signs = np.empty_like(ones)
    with np.errstate(all="ignore"):
        for part, bits in _slices(grad.numel()):
            g = flat[part].float().numpy() if halves else grads[part]
            y = g if halves else memory[part]
            x = signs[: g.size]
            fastrelu.relu_backward_from_mask(ones[: g.size], mask[bits], x)
            fastrelu.leaky_relu_backward(g, x, negative_slope, out=y)
            if halves:
                result[part] = torch.from_numpy(y)
    return _tensor(memory, grad, stride)
