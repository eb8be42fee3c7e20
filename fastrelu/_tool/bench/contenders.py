"""The one list of what is timed: for each library, how it is called and with which threads."""

import functools
import importlib
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

import fastrelu
from fastrelu._limits import usable_cpus

OPERATIONS = ("forward", "backward", "mask forward", "mask backward")
OUTPUTS = ("new", "out=", "in place")


class UnavailableError(Exception):
    """A contender cannot take part; the message says why."""


class Contender(NamedTuple):
    """
    One way to compute relu, or to copy.

    Attributes
    ----------
    name : str
        As tables and plots show it.
    library : str
        The module that it needs.
    statements : mapping
        From an operation and an output to the statement that is timed.
    names : callable
        Takes a dict of arrays; returns all names of the statements, arrays in the library's form.
    set_threads : callable or None
        Takes the number of threads to use from now on; None for a library that has no such number.
    is_threaded : bool
        Whether it uses all cores, without set_threads to tell it otherwise.
    """

    name: str
    library: str
    statements: Mapping[tuple[str, str], str]
    names: Callable[[dict[str, np.ndarray]], dict[str, Any]]
    set_threads: Callable[[int], Any] | None = None
    is_threaded: bool = False

    @property
    def is_limit(self):
        """Whether it copies: what memory and caches allow."""
        return all(operation == "copy" for operation, _ in self.statements)

    def statement(self, operation, output):
        """Return the statement for a case, or None. That of a limit copies, for any case."""
        if self.is_limit:
            operation, output = "copy", "out=" if output == "in place" else output
        return self.statements.get((operation, output))

    def threads(self, wanted):
        """Return which of the wanted numbers of threads it can be timed with."""
        if self.set_threads is not None:
            return list(wanted)
        if not self.is_threaded:
            return [1]
        if (cores := usable_cpus()) not in wanted:
            raise UnavailableError(f"takes {cores} threads, and no other number")
        return [cores]

    def use_threads(self, n):
        """Make its library use n threads from now on, if it can be told."""
        if self.set_threads is not None:
            self.set_threads(n)

    def version(self):
        """Return the version of its library, once that is loaded."""
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
    Return the contenders that can run here, and why the others cannot.

    Parameters
    ----------
    libraries : collection of str, optional
        Those to look for; by default all. fastrelu and NumPy's copy are always among them.

    Returns
    -------
    found : list of Contender
    missing : dict of str
        From each library that was looked for in vain to the reason.
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
    names = ("relu", "relu_backward", "relu_with_mask", "relu_backward_from_mask")
    return {name: getattr(fastrelu, name) for name in names} | arrays


def _fastrelu_copy(arrays):
    try:
        from fastrelu._core import copy
    except ImportError:
        raise UnavailableError("not in this build") from None
    return {"copy": copy, "empty_like": np.empty_like} | arrays


def _numpy(arrays):
    names = ("copyto", "maximum", "multiply", "packbits", "unpackbits", "where")
    return {name: getattr(np, name) for name in names} | arrays


def _torch(arrays):
    import torch

    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    backward = torch.ops.aten.threshold_backward
    return tensors | {
        "relu": torch.relu,
        "relu_": torch.relu_,
        "clamp_min": torch.clamp_min,
        "threshold_backward": backward,
        "threshold_backward_out": backward.grad_input,
    }


def _set_torch_threads(n):
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


# A session keeps its threads, so they are chosen when one is made.
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

    return {"relu": relu, "relu_backward": relu_backward, "empty_like": np.empty_like}


def _numba(arrays):
    return _numba_functions() | arrays


def _set_numba_threads(n):
    import numba

    numba.set_num_threads(n)


def _numexpr(arrays):
    import numexpr

    return {"evaluate": numexpr.evaluate, "arrays": arrays} | arrays


def _set_numexpr_threads(n):
    import numexpr

    numexpr.set_num_threads(n)


@functools.cache
def _jax_functions():
    import jax

    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", True)
    return {
        "relu": jax.jit(jax.nn.relu),
        "relu_backward": jax.jit(lambda grad, x: jax.vjp(jax.nn.relu, x)[1](grad)[0]),
    }


def _jax(arrays):
    if "grad" in arrays and arrays["grad"].dtype.kind != "f":
        raise UnavailableError("has no gradient of integers")
    functions = _jax_functions()
    import jax.numpy as jnp

    return functions | {name: jnp.asarray(array) for name, array in arrays.items()}


def _numexpr_statement(expression, out=None):
    given = "" if out is None else f", out={out}, casting='same_kind'"
    return f"evaluate({expression!r}, local_dict=arrays{given})"


NUMPY_MASK = "packbits(x > 0, bitorder='little')"
NUMPY_PASSES = "unpackbits(mask, count=grad.size, bitorder='little').view('?')"

CONTENDERS = (
    Contender(
        "fastrelu",
        "fastrelu",
        {
            ("forward", "new"): "relu(x)",
            ("forward", "out="): "relu(x, out=y)",
            ("forward", "in place"): "relu(x, out=x)",
            ("backward", "new"): "relu_backward(grad, x)",
            ("backward", "out="): "relu_backward(grad, x, out=y)",
            ("backward", "in place"): "relu_backward(grad, x, out=grad)",
            ("mask forward", "new"): "relu_with_mask(x)",
            ("mask forward", "out="): "relu_with_mask(x, out=y, mask=mask)",
            ("mask forward", "in place"): "relu_with_mask(x, out=x, mask=mask)",
            ("mask backward", "new"): "relu_backward_from_mask(grad, mask)",
            ("mask backward", "out="): "relu_backward_from_mask(grad, mask, out=y)",
            ("mask backward", "in place"): "relu_backward_from_mask(grad, mask, out=grad)",
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
            ("backward", "new"): "threshold_backward(grad, x, 0)",
            ("backward", "out="): "threshold_backward_out(grad, x, 0, grad_input=y)",
            ("backward", "in place"): "threshold_backward_out(grad, x, 0, grad_input=grad)",
        },
        _torch,
        _set_torch_threads,
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
        },
        _numba,
        _set_numba_threads,
    ),
    Contender(
        "numexpr",
        "numexpr",
        {
            ("forward", "new"): _numexpr_statement("where(x < 0, 0, x)"),
            ("forward", "out="): _numexpr_statement("where(x < 0, 0, x)", "y"),
            ("forward", "in place"): _numexpr_statement("where(x < 0, 0, x)", "x"),
            ("backward", "new"): _numexpr_statement("where(x <= 0, 0, grad)"),
            ("backward", "out="): _numexpr_statement("where(x <= 0, 0, grad)", "y"),
            ("backward", "in place"): _numexpr_statement("where(x <= 0, 0, grad)", "grad"),
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
        _set_torch_threads,
    ),
)
LIMITS_OF_NUMPY = [c for c in CONTENDERS if c.is_limit and c.library == "numpy"]
LIBRARIES = tuple(dict.fromkeys(contender.library for contender in CONTENDERS))
