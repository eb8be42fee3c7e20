"""The text of a program by the places of its nodes, and its comments."""

import ast
import bisect
import io
import re
import tokenize
from functools import cached_property
from typing import NamedTuple

LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")


class Prefix(NamedTuple):
    """What stands before fastrelu's functions in a program, and why it cannot be imported."""

    text: str
    problem: str = ""

    def problem_in(self, scope):
        """Return why it does not reach fastrelu in a scope, or ""."""
        name = self.text.rstrip(".")
        is_taken = any(b.how != "import" or b.what != "fastrelu" for b in scope.bindings_of(name))
        return self.problem or f"the name {name} is taken" * is_taken


class Text:
    """The text of a program, with the places of its lines."""

    def __init__(self, source):
        self.source = source
        self.lines = [found[0] for found in LINE.finditer(source) if found[0]]
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def start(self, node):
        """Return where a node starts, in characters."""
        return self._place(node.lineno, node.col_offset)

    def end(self, node):
        return self._place(node.end_lineno, node.end_col_offset)

    def of(self, node):
        """Return the text of a node."""
        return self.source[self.start(node) : self.end(node)]

    def column(self, place):
        """Return the column of a place, from 1 on."""
        return place - self.starts[bisect.bisect(self.starts, place) - 1] + 1

    def _place(self, line, offset):
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        if not text.isascii():
            offset = len(text.encode()[:offset].decode())
        return self.starts[line - 1] + offset

    @cached_property
    def comments(self):
        """The places and texts of the comments, by line."""
        comments = {}
        try:
            for token in tokenize.generate_tokens(io.StringIO(self.source, newline="").readline):
                if token.type == tokenize.COMMENT:
                    line, column = token.start
                    comments[line] = (self.starts[line - 1] + column, token.string)
        except (tokenize.TokenError, SyntaxError):
            pass
        return comments

    def has_comment(self, first, last, words):
        """Whether a comment on some lines has these words."""
        lines = range(first, last + 1)
        return words in self.source and any(
            words in self.comments[n][1] for n in lines if n in self.comments
        )

    def loses_comment(self, start, end, kept):
        """Whether a comment lies in a range of the text, outside what is kept of it."""
        if "#" not in self.source[start:end]:
            return False
        return any(
            start <= place < end and not any(a <= place < b for a, b in kept)
            for place, _ in self.comments.values()
        )

    def apart(self, place, text):
        """Return a text as it is written after what stands before a place: "return-x"."""
        is_word = place > 0 and (self.source[place - 1].isalnum() or self.source[place - 1] == "_")
        return f" {text}" if is_word else text

    def lines_of(self, node):
        """Return the range of the lines of a statement, or None if it shares them."""
        first, last = node.lineno - 1, node.end_lineno - 1
        before = self.source[self.starts[first] : self.start(node)]
        after = self.source[self.end(node) : self.starts[last + 1]]
        if before.strip() or after.strip():
            return None
        return self.starts[first], self.starts[last + 1]

    def prefix(self, scope):
        """Return how a program reaches fastrelu."""
        for name, bindings in scope.bindings.items():
            if all(b.how == "import" and b.what == "fastrelu" for b in bindings):
                return Prefix(f"{name}.")
        if "fastrelu" in scope.bindings:
            return Prefix("fastrelu.", "the name fastrelu is taken")
        return Prefix("fastrelu.")

    def place_of_import(self, tree):
        """Return where the import of fastrelu goes, and its text."""
        newline = "\r\n" if "\r\n" in self.source else "\n"
        place = 0
        for node in tree.body:
            is_numpy = isinstance(node, ast.Import) and any(
                alias.name.partition(".")[0] == "numpy" for alias in node.names
            )
            if is_numpy and self.start(node) == self.starts[node.lineno - 1]:
                return self.start(node), f"import fastrelu{newline}"
        for node in tree.body:
            is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
            if not (is_docstring or is_future):
                break
            place = self.starts[node.end_lineno]
        else:
            node = None
        if node is not None and place == 0:
            place = self.starts[min([node.lineno, *_decorators(node)]) - 1]
        return place, f"import fastrelu{newline}"


def _decorators(node):
    return [decorator.lineno for decorator in getattr(node, "decorator_list", ())]
