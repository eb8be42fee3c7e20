"""The list of contenders: the statements of each library, and how its threads are set."""

import functools
import importlib
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

import fastrelu
from fastrelu._limits import usable_cpus
from fastrelu._tool import operations

OUTPUTS = ("new", "out=", "in place")


class Operation(NamedTuple):
    """
    What is timed under one name: a function of fastrelu and what its operands are.

    Attributes
    ----------
    function : str
        Its name.
    operands : mapping
        From the name of each operand in the statements to "array", "row" (a value for each column
        of a matrix), "mask" (a bit for each element), or a literal number. The first is an array.
    returns_mask : bool
        Whether it returns a mask after the array.
    """

    function: str
    operands: Mapping[str, Any]
    returns_mask: bool = False

    @property
    def types_like(self):
        """The operation on the list whose types it takes: those of relu for one with masks."""
        return self.function if self.function in operations.OPERATIONS else "relu"

    @property
    def kinds(self):
        return list(self.operands.values())

    @property
    def target(self):
        """The operand that is overwritten in place."""
        return next(iter(self.operands))

    def statement(self, output):
        """Return the call of fastrelu with a kind of output."""
        mask = ", mask=mask" if self.returns_mask else ""
        given = {
            "new": "",
            "out=": f", out=y{mask}",
            "in place": f", out={self.target}{mask}",
        }
        return f"{self.function}({', '.join(self.operands)}{given[output]})"


# The numbers of the operations with a parameter, as people set them.
SLOPE, CAP, THRESHOLD = 0.01, 6, 0.5


def _with_gradient(name, function, number):
    """Return the forms of an operation with a parameter, which is a number here, by name."""
    operands = {"x": "array", str(number): number}
    return {
        name: Operation(function, operands),
        f"{name} backward": Operation(f"{function}_backward", {"grad": "array"} | operands),
    }


def _operations():
    """Return what is timed by name: several forms of some functions, one of every other."""
    forms = {
        "forward": Operation("relu", {"x": "array"}),
        "backward": Operation("relu_backward", {"grad": "array", "x": "array"}),
        "mask forward": Operation("relu_with_mask", {"x": "array"}, returns_mask=True),
        "mask backward": Operation("relu_backward_from_mask", {"grad": "array", "mask": "mask"}),
        "add": Operation("add_relu", {"x": "array", "b": "array"}),
        "add row": Operation("add_relu", {"x": "array", "b": "row"}),
        "subtract": Operation("subtract_relu", {"x": "array", "1": 1}),
        **_with_gradient("leaky", "leaky_relu", SLOPE),
        **_with_gradient("clipped", "clipped_relu", CAP),
        **_with_gradient("soft", "soft_threshold", THRESHOLD),
    }
    with_masks = {"relu_with_mask", "relu_backward_from_mask"}
    found = {
        name: form
        for name, form in forms.items()
        if form.function in with_masks or form.function in operations.OPERATIONS
    }
    named = {form.function for form in forms.values()}
    for name, operation in operations.OPERATIONS.items():
        if name not in named:
            found[name] = Operation(name, dict.fromkeys("xbcd"[: operation.inputs], "array"))
    return found


OPERATIONS = _operations()


class UnavailableError(Exception):
    """A contender cannot be timed; the message says why."""


class Contender(NamedTuple):
    """
    One way to compute some operations, or to copy.

    Attributes
    ----------
    name : str
        The name in tables and plots.
    library : str
        The module that it imports.
    statements : mapping
        From an operation and an output to the statement that is timed.
    names : callable
        Takes a dict of arrays; returns the names of the statements, with arrays of the library.
    set_threads : callable or None
        Sets the number of threads; None for a library that cannot set it.
    is_threaded : bool
        Whether it always uses all cores.
    """

    name: str
    library: str
    statements: Mapping[tuple[str, str], str]
    names: Callable[[dict[str, np.ndarray]], dict[str, Any]]
    set_threads: Callable[[int], Any] | None = None
    is_threaded: bool = False

    @property
    def is_limit(self):
        """Whether it copies, which is the limit set by memory and caches."""
        return all(operation == "copy" for operation, _ in self.statements)

    def statement(self, operation, output):
        """Return the statement for a case, or None. For every case, a limit returns its copy."""
        if self.is_limit:
            operation, output = "copy", "out=" if output == "in place" else output
        return self.statements.get((operation, output))

    def threads(self, wanted):
        """Return those of the wanted numbers of threads that it can be timed with."""
        if self.set_threads is not None:
            return list(wanted)
        if not self.is_threaded:
            return [1]
        if (cores := usable_cpus()) not in wanted:
            raise UnavailableError(f"takes {cores} threads, and no other number")
        return [cores]

    def use_threads(self, n):
        """Set the threads of its library to n, if it can be set."""
        if self.set_threads is not None:
            self.set_threads(n)

    def version(self):
        """Return the version of its library, which must be loaded."""
        return sys.modules[self.library].__version__

    def load(self):
        """Import its library, or raise an UnavailableError."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                importlib.import_module(self.library)
                self.version()
        except ImportError as error:
            missing = getattr(error, "name", None) == self.library
            raise UnavailableError("not installed" if missing else str(error)) from None
        except Exception as error:
            raise UnavailableError(f"cannot be imported: {error}") from None


def find(libraries=None):
    """
    Return the contenders that can be imported, and why the others cannot.

    Parameters
    ----------
    libraries : collection of str, optional
        Those to import; by default all. fastrelu and NumPy's copy are always included.

    Returns
    -------
    found : list of Contender
    missing : dict of str
        From each library that cannot be imported to the reason.
    """
    found, missing = [], {}
    for contender in CONTENDERS:
        always = contender.library == "fastrelu" or contender in LIMITS_OF_NUMPY
        if libraries is None or always or contender.library in libraries:
            try:
                contender.load()
                found.append(contender)
            except UnavailableError as error:
                missing[contender.library] = str(error)
    return found, missing


def _fastrelu(arrays):
    names = {operation.function for operation in OPERATIONS.values()}
    return {name: getattr(fastrelu, name) for name in names} | arrays


def _fastrelu_copy(arrays):
    try:
        from fastrelu._core import copy
    except ImportError:
        raise UnavailableError("not in this build") from None
    return {"copy": copy, "empty_like": np.empty_like} | arrays


def _numpy(arrays):
    names = ("add", "clip", "copyto", "maximum", "minimum", "multiply", "packbits", "sign")
    names += ("subtract", "unpackbits", "where")
    return {name: getattr(np, name) for name in names} | arrays


def _torch(arrays):
    import torch

    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    aten = torch.ops.aten
    functions = (aten.leaky_relu, aten.hardtanh, aten.softshrink)
    gradients = (aten.threshold_backward, aten.leaky_relu_backward, aten.hardtanh_backward)
    gradients += (aten.softshrink_backward,)
    return {
        **tensors,
        **{f.__name__: f.default for f in (*functions, *gradients)},
        **{f"{f.__name__}_out": f.out for f in functions},
        **{f"{f.__name__}_out": f.grad_input for f in gradients},
        "relu": torch.relu,
        "relu_": torch.relu_,
        "add": torch.add,
        "sub": torch.sub,
        "clamp_min": torch.clamp_min,
    }


def set_torch_threads(n):
    import torch

    torch.set_num_threads(n)


def _onnxruntime(arrays):
    import onnxruntime

    x = arrays["x"]
    session = _onnx_session(x.dtype, _onnx_threads[0])
    names = {"run": session.run, "run_bound": session.run_with_iobinding, "feed": {"x": x}}
    if "y" not in arrays:
        return names
    x, y = (onnxruntime.OrtValue.ortvalue_from_numpy(arrays[name]) for name in "xy")
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", x)
    binding.bind_ortvalue_output("y", y)
    return names | {"binding": binding}


# The number of threads of a session is fixed when it is made.
_onnx_threads = [1]


def _set_onnx_threads(n):
    _onnx_threads[0] = n


@functools.cache
def _onnx_session(dtype, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        relu_model(dtype), options, providers=["CPUExecutionProvider"]
    )


def relu_model(dtype):
    """Return an ONNX model of a single Relu of a vector, as the bytes of its protobuf."""
    element = {"float32": 1, "int8": 3, "float16": 10, "float64": 11}.get(dtype.name)
    if element is None:
        raise UnavailableError(f"no Relu of {dtype}")

    def field(number, value):
        if isinstance(value, int):
            return bytes([number << 3, value])
        value = value.encode() if isinstance(value, str) else value
        return bytes([number << 3 | 2, len(value)]) + value

    shape = field(1, field(2, "n"))
    tensor = field(2, field(1, field(1, element) + field(2, shape)))
    node = field(1, "x") + field(2, "y") + field(4, "Relu")
    values = [field(number, field(1, name) + tensor) for number, name in ((11, "x"), (12, "y"))]
    graph = field(1, node) + field(2, "relu") + b"".join(values)
    return field(1, 8) + field(7, graph) + field(8, field(2, 14))


@functools.cache
def _numba_functions():
    import numba

    prange = numba.prange

    @numba.njit(parallel=True)
    def relu(x, y):
        zero = x.dtype.type(0)
        for i in prange(x.size):
            y[i] = zero if x[i] < zero else x[i]
        return y

    @numba.njit(parallel=True)
    def relu_backward(grad, x, y):
        zero = x.dtype.type(0)
        for i in prange(x.size):
            y[i] = zero if x[i] <= zero else grad[i]
        return y

    @numba.njit(parallel=True)
    def add_relu(x, b, y):
        zero = x.dtype.type(0)
        for i in prange(x.size):
            total = x[i] + b[i]
            y[i] = zero if total < zero else total
        return y

    @numba.njit(parallel=True)
    def add_row_relu(x, b, y):
        zero = x.dtype.type(0)
        for i in prange(x.shape[0]):
            for j in range(x.shape[1]):
                total = x[i, j] + b[j]
                y[i, j] = zero if total < zero else total
        return y

    @numba.njit(parallel=True)
    def subtract_relu(x, number, y):
        zero = x.dtype.type(0)
        number = x.dtype.type(number)
        for i in prange(x.size):
            difference = x[i] - number
            y[i] = zero if difference < zero else difference
        return y

    @numba.njit(parallel=True)
    def leaky_relu(x, slope, y):
        zero = x.dtype.type(0)
        slope = x.dtype.type(slope)
        for i in prange(x.size):
            y[i] = x[i] * slope if x[i] < zero else x[i]
        return y

    @numba.njit(parallel=True)
    def leaky_relu_backward(grad, x, slope, y):
        zero = x.dtype.type(0)
        slope = x.dtype.type(slope)
        for i in prange(x.size):
            y[i] = grad[i] * slope if x[i] <= zero else grad[i]
        return y

    @numba.njit(parallel=True)
    def clipped_relu(x, cap, y):
        zero = x.dtype.type(0)
        cap = x.dtype.type(cap)
        for i in prange(x.size):
            value = cap if x[i] > cap else x[i]
            y[i] = zero if value < zero else value
        return y

    @numba.njit(parallel=True)
    def clipped_relu_backward(grad, x, cap, y):
        zero = x.dtype.type(0)
        cap = x.dtype.type(cap)
        for i in prange(x.size):
            y[i] = zero if (x[i] <= zero) | (x[i] >= cap) else grad[i]
        return y

    @numba.njit(parallel=True)
    def soft_threshold(x, threshold, y):
        zero = x.dtype.type(0)
        threshold = x.dtype.type(threshold)
        for i in prange(x.size):
            above = x[i] - threshold
            below = x[i] + threshold
            y[i] = above if above > zero else below if below < zero else zero
        return y

    @numba.njit(parallel=True)
    def soft_threshold_backward(grad, x, threshold, y):
        zero = x.dtype.type(0)
        threshold = x.dtype.type(threshold)
        for i in prange(x.size):
            y[i] = zero if (x[i] <= threshold) & (x[i] >= -threshold) else grad[i]
        return y

    functions = (relu, relu_backward, add_relu, add_row_relu, subtract_relu, leaky_relu)
    functions += (leaky_relu_backward, clipped_relu, clipped_relu_backward, soft_threshold)
    functions += (soft_threshold_backward,)
    return {f.__name__: f for f in functions} | {"empty_like": np.empty_like}


def _numba(arrays):
    return _numba_functions() | arrays


def _set_numba_threads(n):
    import numba

    numba.set_num_threads(n)


def _numexpr(arrays):
    import numexpr

    dtype = next(iter(arrays.values())).dtype
    numbers = {"slope": SLOPE, "cap": CAP, "threshold": THRESHOLD}
    # A float in the text of an expression would make a float64 of it.
    typed = {name: dtype.type(number) for name, number in numbers.items()}
    return {"evaluate": numexpr.evaluate, "arrays": arrays | typed} | arrays


def _set_numexpr_threads(n):
    import numexpr

    numexpr.set_num_threads(n)


@functools.cache
def _jax_functions():
    import jax

    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", True)

    def with_gradient(name, function):
        gradient = jax.jit(lambda grad, x: jax.vjp(function, x)[1](grad)[0])
        return {name: jax.jit(function), f"{name}_backward": gradient}

    return {
        **with_gradient("relu", jax.nn.relu),
        "add_relu": jax.jit(lambda x, b: jax.nn.relu(x + b)),
        "subtract_relu": jax.jit(lambda x: jax.nn.relu(x - 1)),
        **with_gradient("leaky_relu", lambda x: jax.nn.leaky_relu(x, SLOPE)),
        **with_gradient("clipped_relu", lambda x: jax.numpy.clip(x, 0, CAP)),
        **with_gradient(
            "soft_threshold",
            lambda x: jax.numpy.sign(x) * jax.nn.relu(jax.numpy.abs(x) - THRESHOLD),
        ),
    }


def _jax(arrays):
    if "grad" in arrays and arrays["grad"].dtype.kind != "f":
        raise UnavailableError("has no gradient of integers")
    functions = _jax_functions()
    import jax.numpy as jnp

    return functions | {name: jnp.asarray(array) for name, array in arrays.items()}


def _torch_statements(operation, function, numbers):
    return {
        (operation, "new"): f"{function}(x, {numbers})",
        (operation, "out="): f"{function}_out(x, {numbers}, out=y)",
        (operation, "in place"): f"{function}_out(x, {numbers}, out=x)",
    }


def _torch_gradients(operation, function, numbers):
    start = f"{function}_backward"
    return {
        (operation, "new"): f"{start}(grad, x, {numbers})",
        (operation, "out="): f"{start}_out(grad, x, {numbers}, grad_input=y)",
        (operation, "in place"): f"{start}_out(grad, x, {numbers}, grad_input=grad)",
    }


def _numba_statements(name):
    """Return the statements of an operation with a parameter: its operands, then the output."""
    operation = OPERATIONS[name]
    start = f"{operation.function}({', '.join(operation.operands)}"
    return {
        (name, "new"): f"{start}, empty_like(x))",
        (name, "out="): f"{start}, y)",
        (name, "in place"): f"{start}, {operation.target})",
    }


def _numexpr_statements(operation, expression, target="x"):
    start = f"evaluate({expression!r}, local_dict=arrays"
    return {
        (operation, "new"): f"{start})",
        (operation, "out="): f"{start}, out=y, casting='same_kind')",
        (operation, "in place"): f"{start}, out={target}, casting='same_kind')",
    }


NUMPY_MASK = "packbits(x > 0, bitorder='little')"
NUMPY_PASSES = "unpackbits(mask, count=grad.size, bitorder='little').view('?')"


def _each(names, statements):
    """Return statements by operation and output; several operations may share their statements."""
    return {(name, output): text for name in names for output, text in statements.items()}


ADDITIONS = ("add", "add row")  # the operands broadcast in all libraries but Numba

CONTENDERS = (
    Contender(
        "fastrelu",
        "fastrelu",
        {
            (name, output): operation.statement(output)
            for name, operation in OPERATIONS.items()
            for output in OUTPUTS
        },
        _fastrelu,
        lambda n: fastrelu.set_num_threads(n),
    ),
    Contender(
        "NumPy maximum",
        "numpy",
        {
            ("forward", "new"): "maximum(0, x)",
            ("forward", "out="): "maximum(0, x, out=y)",
            ("forward", "in place"): "maximum(x, 0, out=x)",
            **_each(
                ADDITIONS,
                {
                    "new": "maximum(0, x + b)",
                    "out=": "maximum(add(x, b, out=y), 0, out=y)",
                    "in place": "maximum(add(x, b, out=x), 0, out=x)",
                },
            ),
            ("subtract", "new"): "maximum(x - 1, 0)",
            ("subtract", "out="): "maximum(subtract(x, 1, out=y), 0, out=y)",
            ("subtract", "in place"): "maximum(subtract(x, 1, out=x), 0, out=x)",
            ("leaky", "new"): "maximum(x, 0.01 * x)",
            ("leaky", "out="): "maximum(x, multiply(x, 0.01, out=y), out=y)",
            ("leaky", "in place"): "maximum(x, 0.01 * x, out=x)",
            ("clipped", "new"): "minimum(maximum(x, 0), 6)",
            ("clipped", "out="): "minimum(maximum(x, 0, out=y), 6, out=y)",
            ("clipped", "in place"): "minimum(maximum(x, 0, out=x), 6, out=x)",
            ("soft", "new"): "sign(x) * maximum(abs(x) - 0.5, 0)",
            ("soft", "out="): "multiply(sign(x), maximum(abs(x) - 0.5, 0), out=y)",
            ("soft", "in place"): "multiply(sign(x), maximum(abs(x) - 0.5, 0), out=x)",
            ("mask forward", "new"): f"(maximum(0, x), {NUMPY_MASK})",
            ("mask forward", "out="): f"(maximum(0, x, out=y), copyto(mask, {NUMPY_MASK}))",
            ("mask forward", "in place"): f"(copyto(mask, {NUMPY_MASK}), maximum(x, 0, out=x))",
        },
        _numpy,
    ),
    Contender(
        "NumPy multiply",
        "numpy",
        {
            ("forward", "new"): "x * (x > 0)",
            ("forward", "out="): "multiply(x, x > 0, out=y)",
            ("forward", "in place"): "multiply(x, x > 0, out=x)",
            ("backward", "new"): "grad * (x > 0)",
            ("backward", "out="): "multiply(grad, x > 0, out=y)",
            ("backward", "in place"): "multiply(grad, x > 0, out=grad)",
            ("leaky backward", "out="): (
                "(copyto(y, grad), multiply(grad, 0.01, out=y, where=x <= 0))"
            ),
            ("leaky backward", "in place"): "multiply(grad, 0.01, out=grad, where=x <= 0)",
            ("clipped backward", "new"): "grad * ((x > 0) & (x < 6))",
            ("clipped backward", "out="): "multiply(grad, (x > 0) & (x < 6), out=y)",
            ("clipped backward", "in place"): "multiply(grad, (x > 0) & (x < 6), out=grad)",
            ("soft backward", "new"): "grad * (abs(x) > 0.5)",
            ("soft backward", "out="): "multiply(grad, abs(x) > 0.5, out=y)",
            ("soft backward", "in place"): "multiply(grad, abs(x) > 0.5, out=grad)",
            ("mask backward", "new"): f"grad * {NUMPY_PASSES}",
            ("mask backward", "out="): f"multiply(grad, {NUMPY_PASSES}, out=y)",
            ("mask backward", "in place"): f"multiply(grad, {NUMPY_PASSES}, out=grad)",
        },
        _numpy,
    ),
    Contender(
        "NumPy where",
        "numpy",
        {
            ("forward", "new"): "where(x > 0, x, 0)",
            ("backward", "new"): "where(x > 0, grad, 0)",
            ("leaky", "new"): "where(x > 0, x, 0.01 * x)",
            ("leaky backward", "new"): "where(x > 0, grad, 0.01 * grad)",
            ("clipped backward", "new"): "where((x > 0) & (x < 6), grad, 0)",
            ("soft backward", "new"): "where(abs(x) > 0.5, grad, 0)",
        },
        _numpy,
    ),
    Contender(
        "NumPy clip",
        "numpy",
        {
            ("clipped", "new"): "clip(x, 0, 6)",
            ("clipped", "out="): "clip(x, 0, 6, out=y)",
            ("clipped", "in place"): "clip(x, 0, 6, out=x)",
        },
        _numpy,
    ),
    Contender(
        "PyTorch",
        "torch",
        {
            ("forward", "new"): "relu(x)",
            ("forward", "out="): "clamp_min(x, 0, out=y)",
            ("forward", "in place"): "relu_(x)",
            **_torch_gradients("backward", "threshold", "0"),
            **_each(
                ADDITIONS,
                {
                    "new": "relu_(add(x, b))",
                    "out=": "relu_(add(x, b, out=y))",
                    "in place": "relu_(x.add_(b))",
                },
            ),
            ("subtract", "new"): "relu_(sub(x, 1))",
            ("subtract", "out="): "relu_(sub(x, 1, out=y))",
            ("subtract", "in place"): "relu_(x.sub_(1))",
            **_torch_statements("leaky", "leaky_relu", "0.01"),
            **_torch_statements("clipped", "hardtanh", "0, 6"),
            **_torch_statements("soft", "softshrink", "0.5"),
            **_torch_gradients("leaky backward", "leaky_relu", "0.01, False"),
            **_torch_gradients("clipped backward", "hardtanh", "0, 6"),
            **_torch_gradients("soft backward", "softshrink", "0.5"),
        },
        _torch,
        set_torch_threads,
    ),
    Contender(
        "ONNX Runtime",
        "onnxruntime",
        {
            ("forward", "new"): "run(None, feed)[0]",
            ("forward", "out="): "run_bound(binding)",
        },
        _onnxruntime,
        _set_onnx_threads,
    ),
    Contender(
        "Numba",
        "numba",
        {
            ("forward", "new"): "relu(x, empty_like(x))",
            ("forward", "out="): "relu(x, y)",
            ("forward", "in place"): "relu(x, x)",
            ("backward", "new"): "relu_backward(grad, x, empty_like(x))",
            ("backward", "out="): "relu_backward(grad, x, y)",
            ("backward", "in place"): "relu_backward(grad, x, grad)",
            ("add", "new"): "add_relu(x, b, empty_like(x))",
            ("add", "out="): "add_relu(x, b, y)",
            ("add", "in place"): "add_relu(x, b, x)",
            ("add row", "new"): "add_row_relu(x, b, empty_like(x))",
            ("add row", "out="): "add_row_relu(x, b, y)",
            ("add row", "in place"): "add_row_relu(x, b, x)",
            ("subtract", "new"): "subtract_relu(x, 1, empty_like(x))",
            ("subtract", "out="): "subtract_relu(x, 1, y)",
            ("subtract", "in place"): "subtract_relu(x, 1, x)",
            **_numba_statements("leaky"),
            **_numba_statements("leaky backward"),
            **_numba_statements("clipped"),
            **_numba_statements("clipped backward"),
            **_numba_statements("soft"),
            **_numba_statements("soft backward"),
        },
        _numba,
        _set_numba_threads,
    ),
    Contender(
        "numexpr",
        "numexpr",
        {
            **_numexpr_statements("forward", "where(x < 0, 0, x)"),
            **_numexpr_statements("backward", "where(x <= 0, 0, grad)", target="grad"),
            **_numexpr_statements("add", "where(x + b < 0, 0, x + b)"),
            **_numexpr_statements("add row", "where(x + b < 0, 0, x + b)"),
            **_numexpr_statements("subtract", "where(x < 1, 0, x - 1)"),
            **_numexpr_statements("leaky", "where(x < 0, x * slope, x)"),
            **_numexpr_statements(
                "leaky backward", "where(x <= 0, grad * slope, grad)", target="grad"
            ),
            **_numexpr_statements("clipped", "where(x < 0, 0, where(x > cap, cap, x))"),
            **_numexpr_statements(
                "clipped backward", "where((x <= 0) | (x >= cap), 0, grad)", target="grad"
            ),
            **_numexpr_statements(
                "soft",
                "where(x > threshold, x - threshold, where(x < -threshold, x + threshold, 0))",
            ),
            **_numexpr_statements(
                "soft backward", "where(abs(x) <= threshold, 0, grad)", target="grad"
            ),
        },
        _numexpr,
        _set_numexpr_threads,
    ),
    Contender(
        "JAX",
        "jax",
        {
            ("forward", "new"): "relu(x).block_until_ready()",
            ("backward", "new"): "relu_backward(grad, x).block_until_ready()",
            ("add", "new"): "add_relu(x, b).block_until_ready()",
            ("add row", "new"): "add_relu(x, b).block_until_ready()",
            ("subtract", "new"): "subtract_relu(x).block_until_ready()",
            ("leaky", "new"): "leaky_relu(x).block_until_ready()",
            ("leaky backward", "new"): "leaky_relu_backward(grad, x).block_until_ready()",
            ("clipped", "new"): "clipped_relu(x).block_until_ready()",
            ("clipped backward", "new"): "clipped_relu_backward(grad, x).block_until_ready()",
            ("soft", "new"): "soft_threshold(x).block_until_ready()",
            ("soft backward", "new"): "soft_threshold_backward(grad, x).block_until_ready()",
        },
        _jax,
        is_threaded=True,
    ),
    Contender(
        "copy",
        "fastrelu",
        {
            ("copy", "new"): "copy(x, empty_like(x), streaming=False)",
            ("copy", "out="): "copy(x, y, streaming=False)",
        },
        _fastrelu_copy,
        lambda n: fastrelu.set_num_threads(n),
    ),
    Contender(
        "streaming copy",
        "fastrelu",
        {
            ("copy", "new"): "copy(x, empty_like(x), streaming=True)",
            ("copy", "out="): "copy(x, y, streaming=True)",
        },
        _fastrelu_copy,
        lambda n: fastrelu.set_num_threads(n),
    ),
    Contender(
        "NumPy copy",
        "numpy",
        {("copy", "new"): "x.copy()", ("copy", "out="): "copyto(y, x)"},
        _numpy,
    ),
    Contender(
        "PyTorch copy",
        "torch",
        {("copy", "new"): "x.clone()", ("copy", "out="): "y.copy_(x)"},
        _torch,
        set_torch_threads,
    ),
)
LIMITS_OF_NUMPY = [c for c in CONTENDERS if c.is_limit and c.library == "numpy"]
LIBRARIES = tuple(dict.fromkeys(contender.library for contender in CONTENDERS))
