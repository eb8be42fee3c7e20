"""Compares the terms of a program with the forms of the idioms."""

import ast
from functools import cache
from typing import NamedTuple

from .idioms import EXPRESSIONS, FORWARD, STATEMENTS
from .names import Scope
from .terms import COMMUTATIVE, Reader, Term, is_mask, is_number_type

# The keywords that a ufunc of fastrelu takes over from one of NumPy.
OF_UFUNCS = frozenset("out where dtype casting order subok".split())
OF_REDUCTIONS = frozenset("axis dtype out keepdims".split())
REDUCTIONS = frozenset("sum mean all any".split())
AUGMENTED = {ast.Add: "+=", ast.Sub: "-=", ast.Mult: "*="}


class Form(NamedTuple):
    """
    One way of writing an idiom.

    Attributes
    ----------
    idiom : Idiom
    terms : tuple of Term
        A statement each.
    wanted : tuple of (frozenset of str, or None), or None
        The operations that each operand of the first term may be; None stands for any.
    """

    idiom: object
    terms: tuple
    wanted: tuple | None


class Match(NamedTuple):
    """
    An idiom where it stands in a program.

    Attributes
    ----------
    idiom : Idiom
    bound : dict of str to Term
        What each letter of its form stands for.
    options : dict of str to Term
        The keywords that its call takes over.
    conditions : tuple of str
        Those of the idiom, and of the forms of ReLU within it.
    """

    idiom: object
    bound: dict
    options: dict
    conditions: tuple


def statement_term(statement, reader):
    """Return a statement as a term, or None."""
    match statement:
        case ast.Assign(targets=[target], value=value):
            return Term("=", [reader.term(target), reader.term(value)], statement)
        case ast.AnnAssign(target=target, value=value) if value is not None:
            return Term("=", [reader.term(target), reader.term(value)], statement)
        case ast.AugAssign(target=target, op=op, value=value) if type(op) in AUGMENTED:
            return Term(AUGMENTED[type(op)], [reader.term(target), reader.term(value)], statement)
        case ast.Expr(value=value):
            return Term("do", [reader.term(value)], statement)
        case ast.Return(value=value) if value is not None:
            return Term("return", [reader.term(value)], statement)
    return None


def find_expression(term):
    """Yield the idioms that an expression is, those that contain others first."""
    for form in _forms_like("expressions", term):
        yield from _matches(form, [term])


def find_statements(terms):
    """Yield the idioms that a statement and those after it are, and the number of statements."""
    for form in _forms_like("statements", terms[0]):
        if len(form.terms) <= len(terms) and None not in terms[: len(form.terms)]:
            for match in _matches(form, terms):
                yield match, len(form.terms)


def relu_of(term):
    """Return the operand, options and conditions if a term is ReLU in one of its forms, or None."""
    if term.relu is None:
        term.relu = False
        for form in _forms_like("forward", term):
            for match in _matches(form, [term]):
                operand = match.bound["x"]
                if "-x" in form.idiom.call:
                    operand = Term("neg", [operand], None)
                term.relu = operand, match.options, match.conditions
                return term.relu
    return term.relu or None


def _matches(form, terms):
    """Yield the ways in which terms are a form."""
    states = [({}, {}, ())]
    for pattern, term in zip(form.terms, terms, strict=False):
        states = [new for state in states for new in _unify(pattern, term, *state, is_root=True)]
    idiom = form.idiom
    for bound, options, conditions in states:
        operand = bound.get("x") or bound.get("z")
        if operand and any(_depends(bound[n], operand) for n in "ga" if n in bound):
            continue
        if all(_fits(name, term, idiom) for name, term in bound.items()):
            if not options or (options.keys() <= _options_of(idiom)):
                given = tuple(dict.fromkeys((*idiom.conditions, *conditions)))
                yield Match(idiom, bound, options, given)


def _depends(term, x):
    """Whether a gradient or slope is computed from x: then it is another function."""
    if term.node is None or x.node is None:
        return False
    wanted = Term("leaf", node=x.node).key
    return any(
        Term("leaf", node=node).key == wanted
        for node in ast.walk(term.node)
        if isinstance(node, type(x.node))
    )


def _options_of(idiom):
    """Return the keywords that the call of an idiom may take over."""
    if "*" not in idiom.call:
        return frozenset()
    if "axis=*" in idiom.call:
        return frozenset(["axis"])
    return OF_REDUCTIONS if idiom.function in ("relu_sum", "relu_mean") else OF_UFUNCS


def _fits(name, term, idiom):
    match name:
        case "a" if term.op == "number":
            return 0 < term.value <= 1 or (term.value > 1 and "by maximum" not in idiom.name)
        case "a" if "by maximum" in idiom.name:
            return isinstance(term.node, ast.Name | ast.Attribute | ast.Subscript)
        case "c" if term.op == "number":
            return 0 < term.value < float("inf")
        case "c" if idiom.name == "maximum of minimum":  # it must not be below 0
            return False
        case "c" if idiom.name == "minimum of maximum":
            return not isinstance(term.node, ast.Call | ast.BinOp | ast.Constant)
        case "g" | "d":
            is_constant = term.op == "number" or isinstance(term.node, ast.Constant)
            return not (is_constant or is_mask(term))
        case "a" if _calls_exp(term.node):  # of ELU
            return False
        case "t" if term.op == "number":
            return term.value >= 0
        case "x" | "z":
            return term.op != "number" and not isinstance(
                term.node, ast.Constant | ast.List | ast.Tuple | ast.ListComp
            )
    return not (isinstance(term.node, ast.Constant) and term.op == "leaf")


def _calls_exp(node):
    return node is not None and any(
        isinstance(inner, ast.Call) and getattr(inner.func, "attr", "") in ("exp", "expm1")
        for inner in ast.walk(node)
    )


def _unify(pattern, term, bound, options, conditions, is_root=False):
    """Yield what the letters of a pattern may stand for in a term."""
    match pattern.op:
        case "meta":
            if pattern.value not in bound:
                yield {**bound, pattern.value: term}, options, conditions
            elif bound[pattern.value].key == term.key:
                yield bound, options, conditions
            return
        case "relu":
            found = relu_of(term)
            if found and (is_root or not found[1]):
                operand, more, given = found
                yield from _unify(
                    pattern.args[0], operand, bound, options | more, (*conditions, *given)
                )
            return
        case "astype":
            if term.op == "astype" and is_number_type(term.args[1]):
                yield from _unify(pattern.args[0], term.args[0], bound, options, conditions)
            return
        case "number":
            if term.op == "number" and term.value == pattern.value:
                yield bound, options, conditions
            return
        case "leaf":
            if term.op == "leaf" and term.key == pattern.key:
                yield bound, options, conditions
            return
    if pattern.op != term.op or len(pattern.args) != len(term.args):
        return
    given = {} if term.op in ("zeros_like", "ones_like") else dict(term.options)
    states = [(bound, options, conditions)]
    for name, wanted in pattern.options.items():
        if name not in given:
            return
        option = given.pop(name)
        states = [new for state in states for new in _unify(wanted, option, *state)]
    if given and not (is_root or pattern.op in REDUCTIONS):
        return
    for bound, options, conditions in states:
        is_kept = is_root and pattern.op in ("do", "return")
        yield from _unify_operands(pattern, term, (bound, options | given, conditions), is_kept)


def _unify_operands(pattern, term, state, is_root):
    orders = [pattern.args]
    if pattern.op in COMMUTATIVE:
        orders.append(pattern.args[::-1])
    for order in orders:
        states = [state]
        for inner, arg in zip(order, term.args, strict=True):
            states = [new for old in states for new in _unify(inner, arg, *old, is_root)]
        yield from states


def _forms_like(which, term):
    """Return the forms that a term may be, as far as a look at its operands shows."""
    return _forms_of(which, term.op, tuple(arg.op for arg in term.args))


@cache
def _forms_of(which, op, ops):
    orders = (ops, ops[::-1]) if op in COMMUTATIVE else (ops,)
    return [
        form
        for form in _forms(which).get(op, ())
        if form.wanted is None or any(_are_wanted(order, form.wanted) for order in orders)
    ]


def _are_wanted(ops, wanted):
    return len(ops) == len(wanted) and all(
        may is None or op in may for op, may in zip(ops, wanted, strict=True)
    )


@cache
def _forms(which):
    """Return the forms of the lists of idioms, by the operation of their first term."""
    idioms = {"forward": FORWARD, "expressions": EXPRESSIONS, "statements": STATEMENTS}[which]
    forms = {}
    for idiom in idioms:
        for code in idiom.forms:
            terms = _terms_of(code, which == "statements")
            ops = [_ops_of(arg) for arg in terms[0].args]
            form = Form(idiom, terms, None if terms[0].op == "relu" else tuple(ops))
            for op in _ops_of(terms[0]):
                forms.setdefault(op, []).append(form)
    return forms


def _ops_of(term):
    """Return the operations that a term may have to be like one of a form, or None for any."""
    if term.op == "meta":
        return None
    return _ops_of_relu() if term.op == "relu" else frozenset([term.op])


@cache
def _ops_of_relu():
    return frozenset(_terms_of(code, False)[0].op for idiom in FORWARD for code in idiom.forms)


def _terms_of(code, as_statements):
    metas = frozenset("abcdgtxyzK")
    tree = ast.parse(f"import numpy as np\n{code}")
    scope = Scope(ast.Module(tree.body[:1], []))
    reader = Reader(scope, metas)
    if as_statements:
        terms = [statement_term(statement, reader) for statement in tree.body[1:]]
    else:
        terms = [reader.term(tree.body[1].value)]
    for term in terms:
        _forget_axis(term)
    return tuple(terms)


def _forget_axis(term):
    """Let a form with an axis stand for any: those of the program are options."""
    for part in term.parts:
        part.options.pop("axis", None)
