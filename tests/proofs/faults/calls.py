"""The calls whose allocations fail, by name: each returns what it computes."""

import contextvars

import numpy as np

import fastrelu
from fastrelu import _core

SMALL, LARGE = 600, 1 << 19  # above the threshold of the GIL; above that of the block cache


def values(dtype, *shape):
    n = int(np.prod(shape))
    return np.random.default_rng(n).integers(-3, 4, n).astype(dtype).reshape(shape)


x, large, matrix = values("f4", SMALL), values("f4", LARGE), values("f4", 60, 40)
doubles = values("f8", 2 * SMALL)
half, integers, objects = values("f2", SMALL), values("i4", SMALL), values("O", 8)
tall, wide, row = values("f4", 1 << 11, 1 << 8), values("i8", 40, 3000), values("f4", 40)
out, mask = np.empty_like(x), np.full(SMALL // 8, 255, "u1")
swapped, longs, bools = x.astype(">f4"), x.astype("g"), values("?", SMALL)
complexes, times = values("F", SMALL), values("m8[s]", SMALL)
where = values("?", SMALL)
OPERANDS = x, large, matrix, half, integers, doubles, objects, tall, wide, row, out, mask


def patched(call):
    with fastrelu.patched_numpy():
        return call()


def limited():
    with fastrelu.num_threads(3):
        return fastrelu.relu(x)


CALLS = {
    "relu": lambda: fastrelu.relu(x),
    "relu of a list": lambda: fastrelu.relu([-1.0, 2.0]),
    "relu of a number": lambda: fastrelu.relu(-1.5),
    "relu of a scalar": lambda: fastrelu.relu(np.float16(2)),
    "relu with dtype": lambda: fastrelu.relu(x, dtype="f4"),
    "relu with where": lambda: fastrelu.relu(x, out=out, where=where)[where],
    "relu with a cast": lambda: fastrelu.relu(x, out=np.empty(SMALL, "f8")),
    "relu of other byte order": lambda: fastrelu.relu(swapped),
    "relu of bool": lambda: fastrelu.relu(bools),
    "relu of longdouble": lambda: fastrelu.relu(longs),
    "relu of complex": lambda: fastrelu.relu(complexes),
    "relu of timedelta64": lambda: fastrelu.relu(times),
    "relu of objects": lambda: fastrelu.relu(objects),
    "add_relu of objects": lambda: fastrelu.add_relu(objects, objects),
    "subtract_relu of objects": lambda: fastrelu.subtract_relu(objects, 1),
    "relu, new large output": lambda: fastrelu.relu(large),
    "relu, two large outputs": lambda: (fastrelu.relu(large), fastrelu.relu(large)),
    "relu, large and strided": lambda: fastrelu.relu(tall[:, ::-2]),
    "relu, transposed": lambda: fastrelu.relu(tall.T, out=np.empty(tall.shape[::-1], "f4")),
    "relu, overlapping": lambda: fastrelu.relu(x.copy()[1:], out=x.copy()[:-1]),
    "relu, strided": lambda: fastrelu.relu(matrix[::2, ::-3]),
    "add_relu.accumulate": lambda: fastrelu.add_relu.accumulate(x[:9]),
    "add_relu.reduce": lambda: fastrelu.add_relu.reduce(matrix, axis=1),
    "add_relu.outer": lambda: fastrelu.add_relu.outer(row, row),
    "add_relu.at": lambda: fastrelu.add_relu.at(x.copy(), [1, 2], 1),
    "add_relu, broadcast": lambda: fastrelu.add_relu(matrix, row),
    "add_relu with a number": lambda: fastrelu.add_relu(x, 2),
    "add_relu of float16 with a number": lambda: fastrelu.add_relu(half, 1.5),
    "add_relu of float16 with a scalar": lambda: fastrelu.add_relu(half, np.int8(1)),
    "add_relu of two dtypes": lambda: fastrelu.add_relu(half, x),
    "add_relu of two large dtypes": lambda: fastrelu.add_relu(large, large.astype("f2")),
    "relu_derivative": lambda: fastrelu.relu_derivative(x, at_zero=1),
    "relu_derivative of a number": lambda: fastrelu.relu_derivative(3),
    "relu_with_mask": lambda: fastrelu.relu_with_mask(x),
    "relu_with_mask, large": lambda: fastrelu.relu_with_mask(large),
    "relu_with_mask, out": lambda: fastrelu.relu_with_mask(x, out=out, mask=mask.copy()),
    "relu_with_mask, strided": lambda: fastrelu.relu_with_mask(matrix[:, ::2], at_zero=1),
    "relu_with_mask of longdouble": lambda: fastrelu.relu_with_mask(longs),
    "relu_with_mask, overlapping": lambda: fastrelu.relu_with_mask(large[1:], large.copy()[:-1]),
    "relu_backward_from_mask": lambda: fastrelu.relu_backward_from_mask(x, mask),
    "relu_backward_from_mask, large": lambda: fastrelu.relu_backward_from_mask(
        large, np.full(LARGE // 8, 255, "u1")
    ),
    "relu_backward_from_mask of a list": lambda: fastrelu.relu_backward_from_mask([1, 2], mask[:1]),
    "relu_backward_from_mask of longdouble": lambda: fastrelu.relu_backward_from_mask(longs, mask),
    "relu_sum": lambda: fastrelu.relu_sum(x),
    "relu_sum of float16": lambda: fastrelu.relu_sum(half, threshold=0.5),
    "relu_sum along an axis": lambda: fastrelu.relu_sum(matrix, axis=0, keepdims=True),
    "relu_sum into out": lambda: fastrelu.relu_sum(wide, axis=1, out=np.empty(40, "i8")),
    "relu_sum, large": lambda: fastrelu.relu_sum(large),
    "relu_sum of a list": lambda: fastrelu.relu_sum([1, -2]),
    "relu_mean": lambda: fastrelu.relu_mean(integers, dtype="f8"),
    "relu_mean, large": lambda: fastrelu.relu_mean(tall, axis=0),
    "relu_mean, infinite threshold": lambda: fastrelu.relu_mean(x, threshold=np.inf),
    "activity": lambda: fastrelu.activity(matrix),
    "activity, large": lambda: fastrelu.activity(tall, axis=1),
    "dead_units": lambda: fastrelu.dead_units(matrix),
    "dead_units, large": lambda: fastrelu.dead_units(tall),
    "np.maximum, patched": lambda: patched(lambda: np.maximum(0, x)),
    "np.maximum of float16, patched": lambda: patched(lambda: np.maximum(half, 0.0)),
    "np.maximum of float16 and a number, patched": lambda: patched(lambda: np.maximum(half, 1.5)),
    "np.maximum, patched and large": lambda: patched(lambda: np.maximum(large, 0)),
    "np.clip, patched": lambda: patched(lambda: np.clip(x, 0, None)),
    "num_threads": limited,
    "implementations": lambda: [f.relu(x) for f in fastrelu.implementations.values()][-1],
    "cache_info": lambda: fastrelu.cache_info()[3:],
    "show_config": lambda: fastrelu.show_config(mode="dicts"),
    "a resized output": lambda: resized(fastrelu.relu(large)),
}


def mask_of_longdouble():
    with np.errstate(all="ignore"):
        passes = ~(longs <= np.longdouble(0))
    return np.packbits(passes, axis=None, bitorder="little"), np.where(passes, longs, 0)


def resized(y):
    y.resize(2 * y.size, refcheck=False)
    return y


CALLS |= {
    f"{name}, {what}": lambda name=name, given=given: getattr(fastrelu, name)(*given)
    for name, operation in _core.OPERATIONS.items()
    for what, given in {
        "arrays": [x] * operation.inputs,
        "numbers": [x, 2, 1][: operation.inputs],
        "doubles in steps": [doubles[::2]] * operation.inputs,
    }.items()
}

# What NumPy does wrong in the same way: then a call that needs it cannot be right.
OF_NUMPY = {
    "relu with where": lambda: np.positive(x, out=out, where=where)[where],
    "relu with a cast": lambda: np.positive(x, out=np.empty(SMALL, "f8")),
    "relu of timedelta64": lambda: times.dtype.newbyteorder("="),
    "add_relu.at": lambda: np.add.at(x.copy(), [1, 2], 1),
    "add_relu.reduce": lambda: np.add.reduce(matrix, axis=1),
    "add_relu.outer": lambda: np.add.outer(row, row),
    "add_relu of two large dtypes": lambda: np.add(large, large.astype("f2")),
    "relu_with_mask of longdouble": mask_of_longdouble,
    "relu_mean, infinite threshold": lambda: np.mean(x),
}

# New large outputs set NumPy's memory handler, which is a variable of the context. Python crashes
# where two allocations for such a variable fail.
variable = contextvars.ContextVar("variable")
OF_PYTHON = dict.fromkeys(
    [
        "relu, new large output",
        "relu, two large outputs",
        "relu, large and strided",
        "relu_with_mask, large",
        "relu_backward_from_mask, large",
        "np.maximum, patched and large",
        "a resized output",
    ],
    lambda: variable.set(object()) and None,
)
