"""No byte outside the operands is read or written: on both sides of them lie forbidden pages."""

import ctypes
import itertools
import mmap
import os
import subprocess
import sys

import numpy as np
import pytest

import fastrelu
from fastrelu import reference

PROT_NONE, PROT_READ = 0, 1
DTYPES = "bHeifqd"
WIDEST_REGISTER = 64
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


def numbers(dtype, n, seed):
    values = np.random.default_rng(seed).integers(-3, 4, n)
    return (abs(values) if np.dtype(dtype).kind == "u" else values).astype(dtype)


def steps_of(layout, itemsize):
    if layout == "elements":
        return [itemsize, 2 * itemsize, -itemsize]
    return [itemsize + 1, -(itemsize + 1)]


def call_at_the_guards(isa, operation, layout):
    """Call with every operand at a guard, at every length; the caller's process may die of it."""
    ufunc = getattr(fastrelu.implementations[isa], operation)
    guarded = [Guarded() for _ in range(ufunc.nargs)]
    for dtype in DTYPES:
        itemsize = np.dtype(dtype).itemsize
        longest = 2 * WIDEST_REGISTER // itemsize + 1
        values = [numbers(dtype, longest, seed) for seed in range(ufunc.nargs)]
        expected = getattr(reference, operation)(*values[:-1])
        for steps in itertools.product(steps_of(layout, itemsize), repeat=ufunc.nargs):
            print(f"{isa} {operation}: dtype {dtype}, steps {steps}", flush=True)
            for n, side in itertools.product(range(longest + 1), ["start", "end"]):
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
    for dtype in DTYPES:
        print(f"{isa} masks: dtype {dtype}", flush=True)
        longest = 2 * WIDEST_REGISTER // np.dtype(dtype).itemsize + 1
        values = numbers(dtype, longest, 0)
        for n, side in itertools.product(range(longest + 1), ["start", "end"]):
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


def call_with_read_only_inputs(isa, operation):
    """Call with inputs that cannot be written; the caller's process may die of it."""
    ufunc = getattr(fastrelu.implementations[isa], operation)
    for dtype, step in itertools.product(DTYPES, [1, 2, -1]):
        print(f"{isa} {operation}, read-only: dtype {dtype}, step {step}", flush=True)
        values = [numbers(dtype, 1000, seed) for seed in range(ufunc.nin)]
        inputs = []
        for a in values:
            memory = Guarded(16 * a.size)
            inputs.append(memory.hold(a, step * a.itemsize, "end"))
            memory.make_read_only()
        expected = getattr(reference, operation)(*values)
        np.testing.assert_array_equal(ufunc(*inputs), expected)
        np.testing.assert_array_equal(ufunc(*inputs, out=np.empty_like(values[0])), expected)


def survives(function, *arguments):
    command = [sys.executable, "-P", "-X", "faulthandler", __file__, function, *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    reached = done.stdout.splitlines()[-1:]
    assert done.returncode == 0, f"exit code {done.returncode} in {reached}\n{done.stderr}"


needs_mprotect = pytest.mark.skipif(sys.platform == "win32", reason="there is no mprotect")
every_isa = pytest.mark.parametrize("isa", list(fastrelu.implementations))
every_operation = pytest.mark.parametrize("operation", ["relu", "relu_backward"])


@needs_mprotect
@every_isa
@every_operation
@pytest.mark.parametrize("layout", ["elements", "odd_bytes"])
def test_nothing_beyond_the_operands_is_touched(isa, operation, layout):
    survives("call_at_the_guards", isa, operation, layout)


@needs_mprotect
@every_isa
def test_nothing_beyond_a_mask_and_its_operands_is_touched(isa):
    survives("call_masks_at_the_guards", isa)


@needs_mprotect
@every_isa
@every_operation
def test_inputs_are_only_read(isa, operation):
    survives("call_with_read_only_inputs", isa, operation)


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
