"""Finds classes that keep a mask in one method and multiply a gradient by it in another."""

import ast
from typing import NamedTuple

from .names import Scope
from .terms import Reader, is_mask


class KeptMask(NamedTuple):
    """
    A comparison with 0 that is assigned to an attribute.

    Attributes
    ----------
    path : str
        Of the attribute: "self.mask".
    operand : ast.expr
        What is compared.
    at_zero : bool
        Whether the gradient passes at 0.
    statement : ast.Assign
    method : ast.FunctionDef
    scope : Scope
        Of the method.
    uses : list of Use
        In other methods.
    """

    path: str
    operand: ast.expr
    at_zero: bool
    statement: ast.Assign
    method: ast.FunctionDef
    scope: Scope
    uses: list


class Use(NamedTuple):
    """
    A gradient that is set to 0 where the mask says.

    Attributes
    ----------
    node, gradient : ast.AST
    in_place : bool
    method : ast.FunctionDef
    """

    node: ast.AST
    gradient: ast.expr
    in_place: bool
    method: ast.FunctionDef


def masks_kept_in(node, scope, may_have):
    """
    Return the masks that a class keeps, each assigned in one place.

    Parameters
    ----------
    node : ast.ClassDef
    scope : Scope
        Of the class.
    may_have : callable
        Whether it is worth looking into a method.

    Returns
    -------
    list of KeptMask
    """
    methods = [m for m in node.body if isinstance(m, ast.FunctionDef)]
    kept = [mask for m in methods if may_have(m) for mask in _masks_assigned_in(m, scope)]
    if not kept:
        return []
    written = [path for part in ast.walk(node) for path in _attributes_changed_by(part)]
    found = []
    for path, term, statement, method, reader in kept:
        zeros = [a.op == "number" and a.value == 0 for a in term.args]
        if written.count(path) != 1 or sum(zeros) != 1:
            continue
        is_positive = zeros[1]  # x > 0 or x >= 0, and not 0 >= x or 0 > x
        at_zero = is_positive == (term.op == ">=")
        uses = [
            Use(*use, other)
            for other in methods
            if other is not method
            for use in _uses_in(other, path, is_positive, scope)
        ]
        operand = term.args[zeros.index(False)].node
        found.append(KeptMask(path, operand, at_zero, statement, method, reader.scope, uses))
    return found


def _path(node):
    """Return an attribute as it is written, "self.mask", or None if it is a part of something."""
    inner = node
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    is_whole = isinstance(node, ast.Attribute) and isinstance(inner, ast.Name)
    return ast.unparse(node) if is_whole else None


def _is_none(node):
    return isinstance(node, ast.Constant) and node.value is None


def _attributes_changed_by(node):
    """Yield the attributes that a node sets or changes, but for those that are set to None."""
    match node:
        case ast.Assign(targets=targets, value=value) if not _is_none(value):
            changed = targets
        case ast.AnnAssign(target=target, value=value) if value and not _is_none(value):
            changed = [target]
        case ast.AugAssign(target=target) | ast.For(target=target):
            changed = [target]
        case ast.Delete(targets=changed):
            pass
        case ast.keyword(arg="out", value=value):
            changed = [value]
        case _:
            return
    while changed:
        match changed:
            case [ast.Tuple(elts=targets) | ast.List(elts=targets), *rest]:
                changed = [*targets, *rest]
            case [ast.Subscript(value=target) | ast.Starred(value=target), *rest]:
                changed = [target, *rest]
            case [target, *rest]:
                changed = rest
                if path := _path(target):
                    yield path


def _masks_assigned_in(method, scope):
    """Yield path, comparison and statement of what a method keeps, the method, and its reader."""
    reader = None
    for statement in ast.walk(method):
        match statement:
            case ast.Assign(targets=[target], value=value) if not _is_none(value):
                path = _path(target)
            case _:
                continue
        if path is None:
            continue
        reader = reader or Reader(Scope(method, scope))
        term = reader.term(statement.value)
        while term.op in ("copy", "astype"):
            term = term.args[0]
        if is_mask(term) and term.op in (">", ">="):
            yield path, term, statement, method, reader


def _uses_in(method, path, is_positive, scope):
    """Yield where a method multiplies by a mask, the gradient, and whether it is changed."""

    def passes(node, where=True):
        """Whether a gradient passes where, or where not, an expression holds."""
        match node:
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                return passes(operand, not where)
            case ast.Call(func=ast.Attribute(attr="astype", value=value)):
                return passes(value, where)
        return _path(node) == path and where == is_positive

    def is_gradient(node):
        numbers = (ast.Constant, ast.UnaryOp, ast.Yield, ast.Await)
        parts = [_path(part) for part in ast.walk(node)]
        return not isinstance(node, numbers) and path not in parts

    own = Scope(method, scope)
    for node in ast.walk(method):
        masked = []
        match node:
            case ast.Assign(
                targets=[ast.Subscript(value=gradient, slice=mask)], value=ast.Constant(value=0)
            ):
                masked = [(mask, gradient, False)]
            case ast.AugAssign(target=gradient, op=ast.Mult(), value=mask):
                masked = [(mask, gradient, True)]
            case ast.BinOp(op=ast.Mult(), left=left, right=right):
                masked = [(left, right, True), (right, left, True)]
            case ast.Call(func=function, args=args, keywords=[]):
                match own.origin(function), args:
                    case "numpy.multiply", [left, right]:
                        masked = [(left, right, True), (right, left, True)]
                    case "numpy.where", [mask, gradient, ast.Constant(value=0)]:
                        masked = [(mask, gradient, True)]
                    case "numpy.where", [mask, ast.Constant(value=0), gradient]:
                        masked = [(mask, gradient, False)]
        for mask, gradient, where in masked:
            if passes(mask, where) and is_gradient(gradient):
                yield node, gradient, isinstance(node, ast.stmt)
