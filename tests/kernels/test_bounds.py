"""No byte outside the operands is read or written: on both sides of them lie forbidden pages."""

import ctypes
import itertools
import mmap
import os
import subprocess
import sys

import numpy as np
import pytest
from helpers import OPERATIONS, numbers, oracle_of, small_lengths

import fastrelu

PROT_NONE, PROT_READ = 0, 1
SOME_TYPES = "bHeifqd"
PAGE = mmap.PAGESIZE


class Guarded:
    """Memory that ends and begins at a forbidden page."""

    def __init__(self, size=PAGE):
        self.size = -(-size // PAGE) * PAGE
        self.memory = mmap.mmap(-1, self.size + 2 * PAGE)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.protect(0, PAGE, PROT_NONE)
        self.protect(PAGE + self.size, PAGE, PROT_NONE)

    def protect(self, start, size, protection):
        libc = ctypes.CDLL(None, use_errno=True)
        where = ctypes.c_void_p(self.address + start), ctypes.c_size_t(size)
        if libc.mprotect(*where, protection) != 0:
            raise OSError(ctypes.get_errno(), "mprotect")

    def make_read_only(self):
        self.protect(PAGE, self.size, PROT_READ)

    def hold(self, values, step, side):
        """Return a view of the values, step bytes apart, that touches the guard on that side."""
        span = abs(step) * max(values.size - 1, 0) + values.itemsize * min(values.size, 1)
        first = PAGE if side == "start" else PAGE + self.size - span
        if step < 0:
            first += max(span - values.itemsize, 0)
        view = np.ndarray(values.shape, values.dtype, self.memory, first, (step,))
        view[...] = values
        return view


def kernels():
    for name, operation in OPERATIONS.items():
        yield from ((name, dtype) for dtype in SOME_TYPES if dtype in operation.types)


def steps_of(itemsize, inputs):
    """Return steps in bytes: of whole elements, and of fields of packed structs."""
    whole, packed = [itemsize, 2 * itemsize, -itemsize], [itemsize + 1, -(itemsize + 1)]
    for steps in whole, packed:
        yield from itertools.product(steps, repeat=inputs + 1)


def call_at_the_guards(isa):
    """Call with every operand at a guard, at every length; the caller's process may die of it."""
    for operation, dtype in kernels():
        ufunc = getattr(fastrelu.implementations[isa], operation)
        guarded = [Guarded() for _ in range(ufunc.nargs)]
        lengths = small_lengths(dtype)
        values = [numbers(dtype, lengths[-1], seed) for seed in range(ufunc.nargs)]
        expected = oracle_of(operation)(*values[:-1])
        for steps in steps_of(values[0].itemsize, ufunc.nin):
            print(f"{operation}: dtype {dtype}, steps {steps}", flush=True)
            for n, side in itertools.product(lengths, ["start", "end"]):
                *inputs, out = (
                    memory.hold(a[:n], step, side)
                    for memory, a, step in zip(guarded, values, steps, strict=True)
                )
                ufunc(*inputs, out=out)
                assert out.tobytes() == expected[:n].tobytes(), (n, side)


def call_masks_at_the_guards(isa):
    """Call both with every operand at a guard; the caller's process may die of it."""
    functions = fastrelu.implementations[isa]
    operand, output, bits = Guarded(), Guarded(), Guarded()
    for dtype in SOME_TYPES:
        print(f"masks: dtype {dtype}", flush=True)
        lengths = small_lengths(dtype)
        values = numbers(dtype, lengths[-1])
        for n, side in itertools.product(lengths, ["start", "end"]):
            mask = np.packbits(values[:n] > 0, bitorder="little")
            x = operand.hold(values[:n], values.itemsize, side)
            y = output.hold(values[:n], values.itemsize, side)
            held = bits.hold(mask ^ 0xFF, 1, side)
            functions.relu_with_mask(x, y, held)
            assert held.tobytes() == mask.tobytes(), (n, side)
            assert y.tobytes() == np.maximum(values[:n], 0).tobytes(), (n, side)
            y[:] = 1
            functions.relu_backward_from_mask(x, held, y)
            assert y.tobytes() == np.maximum(values[:n], 0).tobytes(), (n, side)


def call_with_read_only_inputs(isa):
    """Call with inputs that cannot be written; the caller's process may die of it."""
    for (operation, dtype), step in itertools.product(kernels(), [1, 2, -1]):
        print(f"{operation}, read-only: dtype {dtype}, step {step}", flush=True)
        ufunc = getattr(fastrelu.implementations[isa], operation)
        values = [numbers(dtype, 1000, seed) for seed in range(ufunc.nin)]
        inputs = []
        for a in values:
            memory = Guarded(16 * a.size)
            inputs.append(memory.hold(a, step * a.itemsize, "end"))
            memory.make_read_only()
        expected = oracle_of(operation)(*values)
        np.testing.assert_array_equal(ufunc(*inputs), expected)
        np.testing.assert_array_equal(ufunc(*inputs, out=np.empty_like(values[0])), expected)


def call_transposed_at_the_guards(isa):
    """Call with inputs in panels; the caller's process may die of it."""
    n = 64  # rows of whole cache lines, which begin within one
    values = numbers("f", n * n)
    memory = Guarded(values.nbytes)
    for side, *signs in itertools.product(["start", "end"], *[[1, -1]] * 4):
        print(f"transposed: {side}, signs {signs}", flush=True)
        x, out = memory.hold(values, 4, side).reshape(n, n), np.empty(n * n + 17, "f")
        out = out[-out.ctypes.data % 64 // 4 + 1 :][: n * n].reshape(n, n)
        x, out = x[:: signs[0], :: signs[1]], out[:: signs[2], :: signs[3]]
        fastrelu.implementations[isa].relu(x.T, out=out)
        np.testing.assert_array_equal(out, np.maximum(x.T, 0))

    n = 1700  # three arrays of more than a quarter of most last-level caches
    ufunc = fastrelu.implementations[isa].relu_backward
    values = numbers("f", n * n), numbers("f", n * n, 1)
    guarded = [Guarded(values[0].nbytes) for _ in values]
    for side, rows, columns in itertools.product(["start", "end"], [1, -1], [1, -1]):
        print(f"transposed: {side}, steps {rows} {columns}", flush=True)
        grad, x = (
            memory.hold(a, a.itemsize, side).reshape(n, n)[::rows, ::columns]
            for memory, a in zip(guarded, values, strict=True)
        )
        np.testing.assert_array_equal(ufunc(grad, x.T, out=np.empty_like(x)), grad * (x.T > 0))


def survives(function, *arguments):
    command = [sys.executable, "-P", "-X", "faulthandler", __file__, function, *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    reached = done.stdout.splitlines()[-1:]
    assert done.returncode == 0, f"exit code {done.returncode} in {reached}\n{done.stderr}"


needs_mprotect = pytest.mark.skipif(sys.platform == "win32", reason="there is no mprotect")
every_isa = pytest.mark.parametrize("isa", list(fastrelu.implementations))


@needs_mprotect
@every_isa
@pytest.mark.parametrize(
    "function",
    [
        "call_at_the_guards",
        "call_masks_at_the_guards",
        "call_with_read_only_inputs",
        "call_transposed_at_the_guards",
    ],
)
def test_nothing_beyond_the_operands_is_touched(function, isa):
    survives(function, isa)


def read_the_guard(where):
    memory = Guarded()
    offset = {"start": PAGE - 1, "end": PAGE + memory.size}[where]
    return memory.memory[offset]


def write_the_input():
    memory = Guarded()
    view = memory.hold(np.ones(8), 8, "end")
    memory.make_read_only()
    view[7] = 0


@needs_mprotect
@pytest.mark.parametrize(
    "crime",
    [("read_the_guard", "start"), ("read_the_guard", "end"), ("write_the_input",)],
    ids="-".join,
)
def test_the_guards_are_on_duty(crime):
    with pytest.raises(AssertionError, match=r"exit code -|exit code 1\d\d"):
        survives(*crime)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
