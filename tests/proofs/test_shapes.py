"""The proofs over shapes (check_shapes.sh) find a break of what they prove."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FILES = ["setup.py", "csrc", "tests/proofs"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (all((ROOT / name).exists() for name in FILES) and shutil.which("gcc")),
        reason="needs csrc/, setup.py and gcc",
    ),
    pytest.mark.skipif(os.name == "nt", reason="needs bash and mmap"),
]

# A line of the code, and another in its place: the part that finds it, and where the line stands.
BREAKS = {
    "an output behind its input is taken forward": (
        "overlap",
        "runtime/overlap.h",
        "return (out < in) == (out_step > 0)",
        "return (out > in) == (out_step > 0)",
    ),
    "operands that share a byte are taken in any order": (
        "overlap",
        "runtime/overlap.h",
        "if (in_high <= out_low ||",
        "if (in_high <= out_low + 1 ||",
    ),
    "an axis is flipped for the output alone": (
        "axes",
        "runtime/strides.c",
        "for (int i = 0; i < operands->n_operands; i++) {\n        operands->args",
        "for (int i = operands->n_operands - 1; i < operands->n_operands; i++) {\n"
        "        operands->args",
    ),
    "axes are coalesced by the output alone": (
        "axes",
        "runtime/strides.c",
        "for (int i = 0; i < operands->n_operands; i++)\n        if (operands->steps[outer]",
        "for (int i = operands->n_operands - 1; i < operands->n_operands; i++)\n"
        "        if (operands->steps[outer]",
    ),
    "blocks begin without the peel": (
        "chunks",
        "runtime/execute.c",
        "block == 0 ? 0 : execution->peel + block * execution->block_size;",
        "block * execution->block_size;",
    ),
    "two blocks share a byte of the mask": (
        "chunks",
        "runtime/execute.c",
        "size / FASTRELU_MIN_CHUNK * FASTRELU_MIN_CHUNK / itemsize;",
        "size / itemsize + 1;",
    ),
    "a tile begins at another column": (
        "panels",
        "runtime/execute.c",
        "memcpy(tile, row + head * itemsize, (n - head) * itemsize);",
        "memcpy(tile, row, (n - head) * itemsize);",
    ),
    "rows of a panel are reversed from the one before": (
        "panels",
        "runtime/transpose.c",
        "const ptrdiff_t first = step < 0 ? (ptrdiff_t)parts[part].rows - 1 : 0;",
        "const ptrdiff_t first = step < 0 ? (ptrdiff_t)parts[part].rows - 2 : 0;",
    ),
    "lines are streamed from another byte": (
        "chunks",
        "runtime/execute.c",
        "const size_t head = -(uintptr_t)args[kernel->inputs] % line;",
        "const size_t head = (uintptr_t)args[kernel->inputs] % line;",
    ),
    "a panel has a column of the one before": (
        "panels",
        "runtime/transpose.c",
        "const size_t from = panel > panels->over ? panel - panels->over : 0;",
        "const size_t from = panel > panels->over ? panel - panels->over - 1 : 0;",
    ),
    "a task of a reduction is left out": (
        "reductions",
        "runtime/reduce.c",
        "(work->units + work->units_per_task - 1) / work->units_per_task",
        "(work->units + work->units_per_task / 2) / work->units_per_task",
    ),
    "a kernel of sums is given fewer columns than it takes": (
        "reductions",
        "runtime/reduce.c",
        "is_sum ? together >= LANES",
        "is_sum ? together > 1",
    ),
    "a mask is written a byte too far": (
        "bounds",
        "kernels/masks.inc",
        "store_bytes(mask, pending, (n_pending + 7) / 8);",
        "store_bytes(mask, pending, (n_pending + 8) / 8);",
    ),
    "the first of four strided elements is taken where three are left": (
        "bounds",
        "kernels/kernels.inc",
        "for (; n - done >= 4; done += 4) {",
        "for (; n - done >= 3; done += 4) {",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_is_found(name, tmp_path):
    part, path, line, other = BREAKS[name]
    for source in FILES:
        copied = tmp_path / source
        copied.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, copied)
        else:
            shutil.copy(ROOT / source, copied)
    broken = tmp_path / "csrc" / path
    text = broken.read_text()
    assert text.count(line) == 1
    broken.write_text(text.replace(line, other))
    command = ["bash", "tests/proofs/check_shapes.sh", part]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
