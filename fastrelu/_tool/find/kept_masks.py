"""Finds classes that keep a mask in one method and multiply a gradient by it in another."""

import ast
from typing import NamedTuple

from .names import Scope, path_of
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
    written = [
        path_of(target)
        for method in methods
        for part in ast.walk(method)
        if (target := _attribute_set_by(part))
    ]
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
            for use in _uses_in(other, path, is_positive)
        ]
        operand = term.args[zeros.index(False)].node
        found.append(KeptMask(path, operand, at_zero, statement, method, reader.scope, uses))
    return found


def _attribute_set_by(node):
    """Return the attribute to which a statement assigns more than None, or None."""
    match node:
        case ast.Assign(targets=[ast.Attribute() as target], value=value):
            return None if isinstance(value, ast.Constant) and value.value is None else target
    return None


def _masks_assigned_in(method, scope):
    """Yield path, comparison and statement of what a method keeps, the method, and its reader."""
    reader = None
    for statement in ast.walk(method):
        target = _attribute_set_by(statement)
        if target is None or (path := path_of(target)) is None:
            continue
        reader = reader or Reader(Scope(method, scope))
        term = reader.term(statement.value)
        while term.op in ("copy", "astype"):
            term = term.args[0]
        if is_mask(term) and term.op in (">", ">="):
            yield path, term, statement, method, reader


def _uses_in(method, path, is_positive):
    """Yield where a method multiplies by a mask, the gradient, and whether it is changed."""

    def passes(node, where=True):
        """Whether a gradient passes where, or where not, an expression holds."""
        match node:
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                return passes(operand, not where)
            case ast.Call(func=ast.Attribute(attr="astype", value=value)):
                return passes(value, where)
        return isinstance(node, ast.Attribute) and path_of(node) == path and where == is_positive

    for node in ast.walk(method):
        match node:
            case ast.Assign(
                targets=[ast.Subscript(value=gradient, slice=mask)], value=ast.Constant(value=0)
            ) if passes(mask, where=False):
                yield node, gradient, True
            case ast.AugAssign(target=gradient, op=ast.Mult(), value=mask) if passes(mask):
                yield node, gradient, True
            case (
                ast.BinOp(op=ast.Mult(), left=left, right=right)
                | ast.Call(func=ast.Attribute(attr="multiply"), args=[left, right])
            ):
                for mask, gradient in (left, right), (right, left):
                    if passes(mask):
                        yield node, gradient, False
            case ast.Call(func=ast.Attribute(attr="where"), args=[mask, *values]):
                for gradient, zero, where in zip(values, values[::-1], (True, False), strict=False):
                    if getattr(zero, "value", None) == 0 and passes(mask, where):
                        yield node, gradient, False
