"""Finds the programs below the given paths, and reads and writes their text."""

import ast
import io
import json
import os
import re
import subprocess
import tokenize
from typing import NamedTuple

from ..common import BadInputError, whole_file
from .search import is_worth_parsing

SUFFIXES = (".py", ".pyw", ".ipynb")
# Folders of environments, caches and repositories, where there is no git to ask.
PASSED_OVER = frozenset(
    ".git .hg .svn .tox .nox .venv venv env .eggs build dist node_modules __pycache__ "
    ".ipynb_checkpoints .mypy_cache .pytest_cache .ruff_cache site-packages".split()
)
CELL_MAGIC = re.compile(r"%%(?!time\b|timeit\b|capture\b|prun\b)")
LINE_MAGIC = re.compile(r"^([ \t]*)(?=[%!?]|\w[\w. ]*\?+[ \t]*$)", re.MULTILINE)
MARK = "# fastrelu: IPython: "  # and what follows is no Python


class Program(NamedTuple):
    """
    The text of a file, or of a notebook's code.

    Attributes
    ----------
    path : str
    source : str
        Of a notebook: the code cells, one after the other, where magics are comments.
    encoding : str
    cells : tuple of (int, int)
        Of a notebook: the number of each code cell from 1 on, and its first line in the source.
    """

    path: str
    source: str
    encoding: str = "utf-8"
    cells: tuple = ()

    def place(self, line):
        """Return the cell, or None, and the line in it of a line of the source."""
        inside = [(cell, first) for cell, first in self.cells if first <= line]
        return (inside[-1][0], line - inside[-1][1] + 1) if inside else (None, line)


def paths_of(given):
    """
    Yield the files that are given, and those in the folders that are.

    Raises
    ------
    BadInputError
        If a path does not exist.
    """
    seen = set()
    for path in given:
        if not os.path.exists(path):
            raise BadInputError(f"{path}: no such file or folder")
    for path in given:
        for file in _files_in(path) if os.path.isdir(path) else [path]:
            if (real := os.path.realpath(file)) not in seen:
                seen.add(real)
                yield os.path.normpath(file)


def _files_in(folder):
    found = _files_of_git(folder)
    if found is None:
        found = _files_by_walking(folder)
    return [path for path in found if os.path.isfile(path)]  # no pipe, which would not end


def _files_of_git(folder):
    """Return what git does not ignore, or None where there is no repository or no git."""
    command = ["git", "-C", folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    if not listed and _is_ignored(folder):
        return None
    names = sorted(os.fsdecode(name) for name in listed.split(b"\0") if name)
    return [os.path.join(folder, name) for name in names if name.endswith(SUFFIXES)]


def _is_ignored(folder):
    """Whether git ignores a folder as a whole: it was given, so it is searched all the same."""
    command = ["git", "-C", folder, "check-ignore", "-q", "."]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _files_by_walking(folder):
    files = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in PASSED_OVER)
        files += [os.path.join(where, name) for name in sorted(names) if name.endswith(SUFFIXES)]
    return files


def read(path):
    """
    Return a program, or None if its text shows that nothing is to be found.

    Raises
    ------
    OSError, SyntaxError, ValueError
        If it cannot be read, or is no Python or no notebook.
    """
    with open(path, "rb") as file:
        content = file.read()
    if not any(word in content for word in (b"numpy", b"sklearn", b"import *")):
        return None
    if path.endswith(".ipynb"):
        program = _notebook(path, content)
    else:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        program = Program(path, content.decode(encoding), encoding)
    return program if is_worth_parsing(program.source) else None


def write(program, source):
    """
    Replace the text of a program, as a whole or not at all.

    Raises
    ------
    BadInputError
        If it cannot be written, or a notebook would be formatted otherwise.
    """
    if program.path.endswith(".ipynb"):
        content = _notebook_with(program, source)
    else:
        content = source.encode(program.encoding)
    with whole_file("--write", program.path) as replace:
        mode = os.stat(program.path).st_mode
        replace(content)
        os.chmod(program.path, mode)


def _cells_of(notebook):
    """Yield the number of each code cell of Python, and its text."""
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise ValueError("not a notebook of format 4")
    for number, cell in enumerate(cells, 1):
        if cell.get("cell_type") == "code":
            lines = cell.get("source", "")
            if not isinstance(lines, str | list) or not all(isinstance(x, str) for x in lines):
                raise ValueError(f"cell {number} has no text")
            text = "".join(lines)
            if MARK in text:
                raise ValueError(f"cell {number} has {MARK!r}")
            if not CELL_MAGIC.match(text.lstrip()):
                yield number, text


def _notebook(path, content):
    lines, cells = [], []
    for number, text in _cells_of(json.loads(content)):
        lines.append(f"{MARK}cell {number}")
        cells.append((number, len(lines) + 1))
        lines += _as_python(text).split("\n")
    return Program(path, "\n".join(lines), cells=tuple(cells))


def _as_python(text):
    """Return a cell with what only IPython understands as comments."""
    code = LINE_MAGIC.sub(rf"\1pass  {MARK}", text)
    try:
        ast.parse(code)
    except (SyntaxError, ValueError):
        return "\n".join(f"{MARK}{line}" for line in text.split("\n"))
    return code


def _notebook_with(program, source):
    """Return the bytes of a notebook with other text in its cells."""
    with open(program.path, "rb") as file:
        content = file.read()
    notebook = json.loads(content)
    dumps = _format_of(content, notebook)
    if dumps is None:
        raise BadInputError(f"{program.path}: its JSON has another format than nbformat's")
    _, *parts = re.split(rf"^{MARK}cell (\d+)$\n?", source, flags=re.MULTILINE)
    for number, part in zip(map(int, parts[::2]), parts[1::2], strict=True):
        text = re.sub(rf"(pass  )?{MARK}", "", part)
        if number != program.cells[-1][0]:
            text = text.removesuffix("\n")
        cell = notebook["cells"][number - 1]
        if text != "".join(cell["source"]):
            is_list = isinstance(cell["source"], list)
            cell["source"] = re.findall(r"[^\n]*\n|[^\n]+", text) if is_list else text
    return dumps(notebook).encode()


def _format_of(content, notebook):
    """Return the function that writes a notebook as it is written, or None."""
    text = content.decode()
    end = text[len(text.rstrip()) :]
    for indent in 1, 2, 4, None:
        for ascii_only in False, True:

            def dumps(value, indent=indent, ascii_only=ascii_only):
                return json.dumps(value, indent=indent, ensure_ascii=ascii_only) + end

            if dumps(notebook) == text:
                return dumps
    return None
