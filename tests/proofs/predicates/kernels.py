"""The kernels of each instruction set, as the preprocessor leaves them to a compiler."""

import functools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from proofs.predicates.c_to_z3 import Source, Value
from proofs.predicates.instructions import Instructions

SOURCES = Path(__file__).parents[3] / "csrc"
COMPILER = shutil.which("gcc") or shutil.which("clang")

ARCHITECTURES = {
    "x86-64": ["-D__x86_64__"],
    "AArch64": ["-D__aarch64__", "-D__AARCH64EL__"],
}
COMPILERS = {"gcc": ["-U__clang__"], "clang": ["-D__clang__"]}
UNDEFINED = [f"-U{name}" for name in ("__x86_64__", "__aarch64__", "__AARCH64EL__", "_WIN32")]
LISTED = """
#define ROW(dtype, width, kind, group, encoding, operation, inputs, dtypes, status) \\
    FASTRELU_IF(dtypes, group, KERNEL operation inputs status dtype width kind encoding;)
#define ROWS(operation, inputs, numbers, dtypes, status, model, ...) \\
    FASTRELU_DTYPES(ROW, operation, inputs, dtypes, status)
FASTRELU_OPERATIONS(ROWS, )
"""


def preprocess(text, *options):
    """Return what a compiler sees of C code, the headers of the system apart."""
    headers = {
        header
        for path in SOURCES.rglob("*.[ch]")
        for header in re.findall(r"#include <([\w.]+)>", path.read_text("utf-8"))
    }
    with tempfile.TemporaryDirectory() as folder:
        for header in headers:
            (Path(folder) / header).touch()
        command = [COMPILER, "-E", "-P", "-nostdinc", "-isystem", folder, f"-I{SOURCES}"]
        return subprocess.run(
            [*command, *UNDEFINED, *options, "-x", "c", "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout


def instruction_sets():
    """Return what each set is to a compiler: by name, and by compiler where they differ."""
    found = {}
    for options in ARCHITECTURES.values():
        listed = preprocess('#define ISA(name) SET name;\n#include "kernels/isa.inc"', *options)
        for name in re.findall(r"SET (\w+);", listed):
            for compiler, defined in COMPILERS.items():
                code = f'#include "kernels/isa/{name}.c"\n{LISTED}'
                lines = preprocess(code, *options, *defined).splitlines()
                text = " ".join(" ".join(x for x in lines if not x.startswith("#")).split())
                if text not in found.values():
                    found[f"{name} by {compiler}"] = text
    return found


SETS = instruction_sets() if SOURCES.exists() and COMPILER else {}


class Kernel(NamedTuple):
    operation: str
    inputs: int
    status: str
    dtype: str
    width: int
    kind: str
    encoding: Value


@functools.cache
def read(set):
    """Return the source of an instruction set and the kernels that it must have."""
    text = SETS[set]
    source = Source(text, Instructions())
    rows = re.findall(r"KERNEL (\w+) (\d) (\w+) (\w+) (\d+) (\w+) (.*?);", text, re.S)
    return source, [
        Kernel(operation, int(inputs), status, dtype, int(width), kind, source.expression(encoding))
        for operation, inputs, status, dtype, width, kind, encoding in rows
    ]


def predicates(set):
    """Return the predicates in the code: by name, the kinds and widths of each register."""
    source, _ = read(set)
    found = {}
    for name, head in source.heads.items():
        match = re.fullmatch(r"([a-z]+)_(\w+?)_(signed|unsigned|float|small)(\d+)", name)
        if match and head[1] == f"{match[1]}_mask{match[4]}":
            found.setdefault(match[2], []).append((match[1], match[3], int(match[4])))
    return found
