"""Expressions in one form: np.less(0, x), x > 0 and 0 < x become the same term."""

import ast

from .names import path_of

COMMUTATIVE = frozenset("* + & == maximum minimum fmax logical_and".split())
BINARY = {ast.Mult: "*", ast.Add: "+", ast.Sub: "-", ast.Div: "/", ast.BitAnd: "&"}
# NumPy's functions that are operators, and whether the operands change places.
OPERATORS = {
    "multiply": ("*", False),
    "add": ("+", False),
    "subtract": ("-", False),
    "divide": ("/", False),
    "true_divide": ("/", False),
    "logical_and": ("&", False),
    "bitwise_and": ("&", False),
    "greater": (">", False),
    "greater_equal": (">=", False),
    "less": (">", True),
    "less_equal": (">=", True),
    "equal": ("==", False),
}
COMPARISONS = {
    ast.Gt: (">", False),
    ast.GtE: (">=", False),
    ast.Lt: (">", True),
    ast.LtE: (">=", True),
    ast.Eq: ("==", False),
}
UNARY = {
    "negative": "neg",
    "logical_not": "~",
    "invert": "~",
    "bitwise_not": "~",
    "abs": "abs",
    "absolute": "abs",
    "fabs": "abs",
    "sign": "sign",
    "count_nonzero": "count",
}
# The parameters of functions that are also methods, as far as they matter here.
PARAMETERS = {
    "maximum": ("x1", "x2", "out"),
    "minimum": ("x1", "x2", "out"),
    "fmax": ("x1", "x2", "out"),
    "heaviside": ("x1", "x2", "out"),
    "clip": ("a", "a_min", "a_max", "out"),
    "where": ("condition", "x", "y"),
    "sum": ("a", "axis", "dtype", "out", "keepdims"),
    "mean": ("a", "axis", "dtype", "out", "keepdims"),
    "all": ("a", "axis", "out", "keepdims"),
    "any": ("a", "axis", "out", "keepdims"),
    "putmask": ("a", "mask", "values"),
    "place": ("a", "mask", "values"),
    "copyto": ("dst", "src"),
}
ARGUMENTS = {"clip": 3, "sum": 1, "mean": 1, "all": 1, "any": 1}
METHODS = frozenset("clip sum mean all any".split())
SCALAR_TYPES = frozenset(
    "float16 float32 float64 int8 int16 int32 int64 uint8 bool_ float_ double single half".split()
)
NUMBER_TYPES = frozenset(
    "float float16 float32 float64 float_ double single half f4 f8 d f f2 int int32 int64".split()
)


class Term:
    """
    An expression, in the form in which patterns are compared.

    Attributes
    ----------
    op : str
        What it does: an operator, a function of NumPy, "number", "leaf" or "meta".
    args : tuple of Term
    value : object
        Of a number, or the letter of a meta.
    node : ast.AST
        Where it stands in the source.
    options : dict of str to Term
        Keywords of the call that are no operands: axis, out, dtype.
    mask : ast.stmt or None
        The assignment to the name that stands here, of which this is the value.
    """

    __slots__ = ("_key", "args", "mask", "node", "op", "options", "relu", "value")

    def __init__(self, op, args=(), node=None, value=None, options=None):
        self.op, self.args, self.node, self.value = op, tuple(args), node, value
        self.options = options or {}
        self.mask = self.relu = self._key = None

    @property
    def key(self):
        """A string that equal terms share."""
        if self._key is None and self.op == "leaf":
            self._key = ast.dump(self.node).replace("ctx=Store()", "ctx=Load()")
        if self._key is None:
            inner = [a.key for a in self.args]
            if self.op in COMMUTATIVE:
                inner.sort()
            options = [f"{k}={v.key}" for k, v in sorted(self.options.items())]
            self._key = f"{self.op}({self.value},{','.join([*inner, *options])})"
        return self._key

    @property
    def parts(self):
        yield self
        for arg in self.args:
            yield from arg.parts


class Reader:
    """Makes terms of the expressions of one scope."""

    def __init__(self, scope, metas=frozenset()):
        self.scope = scope
        self.metas = metas
        self.made = {}

    def term(self, node):
        """Return the term of an expression; the same one each time."""
        made = self.made.get(id(node))
        if made is None:
            self.made[id(node)] = self._leaf(node)  # for a name within its own value
            made = self.made[id(node)] = self._make(node)
        return made

    def _make(self, node):
        match node:
            case ast.Constant(value=value) if type(value) in (int, float):
                return Term("number", node=node, value=float(value))
            case ast.Name(id=name) if name in self.metas:
                return Term("meta", node=node, value=name)
            case ast.Name():
                return self._value_of_name(node) or self._leaf(node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.term(operand)
                if inner.op == "number":
                    return Term("number", node=node, value=-inner.value)
                return Term("neg", [inner], node)
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                return Term("~", [self.term(operand)], node)
            case ast.BinOp(op=op, left=left, right=right) if type(op) in BINARY:
                return Term(BINARY[type(op)], [self.term(left), self.term(right)], node)
            case ast.Compare(ops=[op], left=left, comparators=[right]) if type(op) in COMPARISONS:
                return self._operator(COMPARISONS[type(op)], [left, right], node)
            case ast.Subscript(value=value, slice=index):
                return Term("index", [self.term(value), self.term(index)], node)
            case ast.Call():
                return self._call(node) or self._leaf(node)
            case ast.Attribute():
                if self.scope.origin(node) in ("numpy.inf", "numpy.Inf", "math.inf"):
                    return Term("number", node=node, value=float("inf"))
                return self._value_of_attribute(node) or self._leaf(node)
        return self._leaf(node)

    @staticmethod
    def _leaf(node):
        return Term("leaf", node=node)

    def _operator(self, operator, operands, node):
        op, swapped = operator
        return Term(op, map(self.term, operands[::-1] if swapped else operands), node)

    def _call(self, node):
        if any(isinstance(arg, ast.Starred) for arg in node.args):
            return None
        if any(keyword.arg is None for keyword in node.keywords):
            return None
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        if isinstance(node.func, ast.Name) and node.func.id == "relu" and self.metas:
            return Term("relu", [self.term(node.args[0])], node)
        origin = self.scope.origin(node.func)
        if origin:
            root, _, name = origin.rpartition(".")
            if root == "numpy":
                return self._numpy(name, node, list(node.args), keywords)
            if origin == "builtins.float" and len(node.args) == 1:
                match node.args[0]:
                    case ast.Constant(value=str() as text) if text.lower() in ("inf", "infinity"):
                        return Term("number", node=node, value=float("inf"))
            if origin == "builtins.abs" and len(node.args) == 1 and not keywords:
                return Term("abs", [self.term(node.args[0])], node)
            if origin in ("copy.copy", "copy.deepcopy") and len(node.args) == 1:
                return Term("copy", [self.term(node.args[0])], node)
            return None
        if isinstance(node.func, ast.Attribute):
            return self._method(node.func.attr, node.func.value, node, list(node.args), keywords)
        return None

    def _method(self, name, base, node, args, keywords):
        if name == "copy" and not args:
            return Term("copy", [self.term(base)], node)
        if name == "astype" and len(args) == 1:
            return Term("astype", [self.term(base), self._leaf(args[0])], node)
        if name in METHODS:
            if name == "clip":
                if not set(keywords) <= {"min", "max", "out"}:
                    return None
                renamed = {"min": "a_min", "max": "a_max"}
                keywords = {renamed.get(k, k): v for k, v in keywords.items()}
            return self._known(name, node, [base, *args], keywords)
        return None

    def _numpy(self, name, node, args, keywords):
        if name in PARAMETERS and not (name == "where" and len(args) == 1):
            if name == "clip":
                renamed = {"min": "a_min", "max": "a_max"}
                keywords = {renamed.get(k, k): v for k, v in keywords.items()}
            return self._known(name, node, args, keywords)
        if name in OPERATORS and len(args) == 2 and not keywords:
            return self._operator(OPERATORS[name], args, node)
        if name in UNARY and len(args) == 1 and not keywords:
            return Term(UNARY[name], [self.term(args[0])], node)
        if name in SCALAR_TYPES and len(args) == 1 and not keywords:
            inner = self.term(args[0])
            if inner.op == "number":
                return Term("number", node=node, value=inner.value)
            return Term("astype", [inner, self._leaf(node.func)], node)
        if name == "copy" and len(args) == 1:
            return Term("copy", [self.term(args[0])], node)
        if name in ("array", "asarray") and len(args) in (1, 2):
            given = dict(zip(["dtype"], args[1:], strict=False))
            return self._array(name, node, args[0], given | keywords)
        if name in ("zeros_like", "ones_like") and len(args) == 1:
            return Term(name, [self.term(args[0])], node, options=self._terms(keywords))
        if name in ("where", "nonzero") and len(args) == 1 and not keywords:
            return Term("places", [self.term(args[0])], node)
        if name in ("zeros", "ones"):
            return self._filled(f"{name}_like", node, args, keywords)
        if name in ("full", "full_like") and args:
            value = args[1] if len(args) == 2 else keywords.pop("fill_value", None)
            made = value and self.term(value)
            if len(args) <= 2 and made and made.op == "number" and made.value in (0, 1):
                op = "ones" if made.value else "zeros"
                return self._numpy(op + name.removeprefix("full"), node, args[:1], keywords)
        return None

    def _known(self, name, node, args, keywords):
        """Return a call with its operands in place and the rest as options."""
        parameters = PARAMETERS[name]
        if len(args) > len(parameters):
            return None
        given = dict(zip(parameters, args, strict=False))
        if given.keys() & keywords.keys():
            return None
        given |= keywords
        operands = parameters[
            : ARGUMENTS.get(name, 3 if name in ("where", "putmask", "place") else 2)
        ]
        if name == "clip":
            for bound in "a_min", "a_max":
                given.setdefault(bound, ast.Constant(None))
        if any(p not in given for p in operands):
            return None
        terms = [self.term(given.pop(p)) for p in operands]
        return Term(name, terms, node, options=self._terms(given))

    def _terms(self, keywords):
        return {name: self.term(value) for name, value in keywords.items()}

    def _array(self, name, node, arg, keywords):
        inner = self.term(arg)
        if set(keywords) == {"dtype"}:
            return Term("astype", [inner, self._leaf(keywords["dtype"])], node)
        match keywords:
            case {"copy": ast.Constant(value=True)} if len(keywords) == 1:
                return Term("copy", [inner], node)
        return Term("copy", [inner], node) if name == "array" and not keywords else None

    def _filled(self, op, node, args, keywords):
        """Return np.zeros(x.shape) as np.zeros_like(x)."""
        shape = args[0] if len(args) >= 1 else keywords.pop("shape", None)
        keywords = dict(zip(("dtype",), args[1:], strict=False)) | keywords
        match shape:
            case ast.Attribute(attr="shape", value=value):
                return Term(op, [self.term(value)], node, options=self._terms(keywords))
            case ast.Call(func=ast.Attribute(attr="shape"), args=[value]):
                return Term(op, [self.term(value)], node, options=self._terms(keywords))
            case ast.Call(func=ast.Name(id="len"), args=[value]):
                return Term(op, [self.term(value)], node, options=self._terms(keywords))
        return None

    def _value_of_name(self, node):
        """Return the comparison, sum or zeros that a name stands for, if that is sure."""
        scope = self.scope
        found = scope.bindings.get(node.id, ())
        if len(found) != 1 or found[0].how != "assign" or isinstance(scope.node, ast.ClassDef):
            return None
        statement = found[0].statement
        if not isinstance(node.ctx, ast.Load) or node.id in scope.changed:
            return None
        if node.lineno <= statement.end_lineno:
            return None
        made = self.term(found[0].what)
        if made.op == "zeros_like":  # another use may be another name, through which they change
            if len(scope.loads(node.id)) != 1:
                return None
        elif made.op in ("+", "-"):
            if scope.parent is None or scope.loads(node.id) != [scope.after(statement)]:
                return None
        elif not is_mask(made):
            return None
        if not self._is_stable(found[0].what, statement, node):
            return None
        term = Term(made.op, made.args, node, made.value, made.options)
        term.mask = statement
        return term

    def _value_of_attribute(self, node):
        """Return the comparison that the function has assigned to an attribute."""
        changes = self.scope.changed.get(path_of(node), ())
        if len(changes) != 1 or not isinstance(node.ctx, ast.Load):
            return None
        match changes[0]:
            case ast.Assign(targets=[ast.Attribute()], value=value) as statement:
                made = self.term(value)
                is_kept = is_mask(made) or (made.op == "astype" and is_mask(made.args[0]))
                if node.lineno > statement.end_lineno and is_kept:
                    if self._is_stable(value, statement, node):
                        return Term(made.op, made.args, node, made.value, made.options)
        return None

    def _is_stable(self, value, statement, use):
        """Whether an expression has the same value where the name of it is used."""
        for inner in ast.walk(value):
            if not isinstance(inner, ast.Name | ast.Attribute):
                continue
            path = path_of(inner)
            changes = [*self.scope.changed.get(path, ())]
            if isinstance(inner, ast.Name):
                bindings = self.scope.bindings.get(inner.id, ())
                changes += [b.statement for b in bindings if b.statement is not None]
                if any(b.how in ("loop", "other") and _holds(b.statement, use) for b in bindings):
                    return False  # as x in [mask for x in ...]
            for change in changes:
                if change is None:
                    return False
                if statement.lineno < change.lineno and _is_before(change, use):
                    return False
                if _share_a_loop(self.scope.node, change, use) and change.lineno > use.lineno:
                    return False
        return True


def _is_before(change, use):
    """Whether what a statement changes is changed before an expression in or after it."""
    if hasattr(change, "body"):
        return change.lineno < use.lineno
    return (change.end_lineno, change.end_col_offset) <= (use.lineno, use.col_offset)


def _holds(statement, node):
    return statement is not None and any(inner is node for inner in ast.walk(statement))


def _share_a_loop(node, first, second):
    return any(
        loop.lineno <= min(first.lineno, second.lineno)
        and max(first.lineno, second.lineno) <= loop.end_lineno
        for loop in ast.walk(node)
        if isinstance(loop, ast.For | ast.While)
    )


def is_mask(term):
    """Whether a term holds bools."""
    if term.op in (">", ">=", "=="):
        return True
    return term.op in ("&", "~") and all(map(is_mask, term.args))


def is_number_type(term):
    """Whether the second operand of astype is a type of numbers, or that of an array."""
    match term.node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str() as name):
            return name in NUMBER_TYPES or name == "dtype"
    return False
