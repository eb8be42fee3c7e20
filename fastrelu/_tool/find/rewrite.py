"""Replaces in the text of a program what can be replaced without a person."""

import ast
import difflib
import os

from .search import find
from .text import Text

MOST_ROUNDS = 8


def rewritten(source, chosen=lambda finding: True):
    """
    Return the text of a program with the replacements of what is found in it.

    One replacement may stand within another: then the outer one is made first, and the text is
    searched again.

    Parameters
    ----------
    source : str
    chosen : callable, optional
        Whether to make the replacement of a finding.

    Returns
    -------
    str

    Raises
    ------
    SyntaxError, ValueError, RecursionError
        If it, or what has been made of it, cannot be parsed.
    """
    for _ in range(MOST_ROUNDS):
        edits = _apart([f.edits for f in find(source) if f.edits and chosen(f)])
        if not edits:
            break
        source = _edited(source, edits)
    return source


def _apart(groups):
    """Return the edits of those groups that do not touch an earlier one."""
    taken = []
    for group in groups:
        if not any(a < end and start < b for a, b, _ in group for start, end, _ in taken):
            taken += group
    return taken


def _edited(source, edits):
    new = source
    for start, end, text in sorted(edits, reverse=True):
        new = new[:start] + text + new[end:]
    tree = ast.parse(new)
    if "fastrelu." in "".join(text for _, _, text in edits):
        new = _with_import(new, tree)
    return new


def _with_import(source, tree):
    """Return the text with an import of fastrelu, unless it has one."""
    text = Text(source)
    for node in tree.body:
        if isinstance(node, ast.Import) and any(a.name == "fastrelu" for a in node.names):
            return source
    place, line = text.place_of_import(tree)
    return source[:place] + line + source[place:]


def difference(path, old, new):
    """Return a unified diff of two texts of a file."""
    path = path.replace(os.sep, "/").lstrip("/")
    lines = difflib.unified_diff(
        old.splitlines(keepends=True),
        new.splitlines(keepends=True),
        f"a/{path}",
        f"b/{path}",
    )
    return "".join(
        line if line.endswith(("\n", "\r")) else f"{line}\n\\ No newline at end of file\n"
        for line in lines
    )
