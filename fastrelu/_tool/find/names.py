"""What the names of a module stand for, by its imports and assignments."""

import ast
import builtins
import itertools
import re
from functools import cached_property
from typing import NamedTuple

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
SCOPES = (*FUNCTIONS, ast.ClassDef)
# Libraries whose arrays and tensors are not NumPy's, though their operators look the same.
FOREIGN = frozenset(
    "torch tensorflow jax jaxlib cupy mxnet paddle theano pytensor aesara chainer autograd keras "
    "tinygrad mlx dask xarray polars pyspark sympy cvxpy casadi pymc numba ivy oneflow mindspore "
    "sparse awkward dpnp dezero pyopencl pycuda tf_keras flax optax megengine jittor "
    "tensorly".split()
)
OF_TENSORS = frozenset("clone detach cuda cpu requires_grad_ unsqueeze permute masked_fill".split())
OF_INDICES = re.compile(
    r"^(i|j|ii|jj|idx|index|indices|ind|inds|idxs?|ix|iy|itr|iteration|epoch)$"
    r"|_(idx|index|ind|id)$|(^|_)[a-z]?(start|stop|begin|end)s?$"
)
# Attributes that are the array itself, seen otherwise.
VIEWS = frozenset("T flat real imag".split())
# What nobody asks of one number, and functions that take or return more than one.
ARRAY_ATTRIBUTES = frozenset(
    "shape size ndim dtype astype T copy reshape ravel flatten transpose sum mean std var min max "
    "any all argmax argmin tolist tobytes squeeze cumsum dot fill".split()
)
ARRAY_FUNCTIONS = frozenset(
    "sum mean median percentile quantile std var any all max min argmax argmin argsort sort cumsum "
    "diff where concatenate stack vstack hstack column_stack histogram interp reshape dot matmul "
    "linalg.norm asarray array unique average nanmean nansum expand_dims broadcast_to".split()
)
ROUNDING = frozenset("round round_ around rint floor ceil trunc".split())

# Nodes that may bind or change a name, those that have no others below them, and their contexts.
BINDING = (
    *(ast.stmt, ast.Lambda, ast.comprehension, ast.ExceptHandler, ast.keyword),
    *(ast.Name, ast.Subscript, ast.Attribute),
)
LEAVES = (ast.Name, ast.Constant)
BOUND = (ast.Store, ast.Del)


class Binding(NamedTuple):
    """
    One way in which a scope binds a name.

    Attributes
    ----------
    how : {"import", "assign", "unpack", "augment", "parameter", "loop", "other"}
    what : str or ast.AST or None
        The dotted name that is imported, the value that is assigned or unpacked, the annotation,
        or what is looped over.
    statement : ast.stmt or None
    """

    how: str
    what: object
    statement: object = None


class Scope:
    """The names of a module, class or function, and of the scopes around it."""

    def __init__(self, node, parent=None):
        self.node = node
        self.parent = parent
        self.bindings = {}
        self.kinds = {}
        self.changed = {}
        self.star_of_numpy = self.star_of_a_neighbour = False
        self._collect_parameters()
        for child in node.body if isinstance(node.body, list) else [node.body]:
            self._collect(child, child)

    def find(self, name):
        """Return the scope that binds a name, or None."""
        scope = self
        while scope is not None:
            if name in scope.bindings and (
                scope is self or not isinstance(scope.node, ast.ClassDef)
            ):
                return scope
            scope = scope.parent
        return None

    def after(self, statement):
        """Return the statement that follows another in its block, or None."""
        return self._followers.get(statement)

    def is_alone(self, statement):
        """Return whether a statement is the only one of its block."""
        return statement not in self._followers and statement not in self._followers.values()

    def loads(self, name):
        """Return the statements that read a name, each as often as it does."""
        return self._loads.get(name, [])

    @cached_property
    def _loads(self):
        loads = {}

        def collect(node, statement):
            if isinstance(node, ast.stmt) and not hasattr(node, "body"):
                statement = node
            elif isinstance(node, ast.stmt | ast.Lambda):
                statement = None
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                loads.setdefault(node.id, []).append(statement)
            for child in children(node):
                collect(child, statement)

        collect(self.node, None)
        return loads

    @cached_property
    def _followers(self):
        followers = {}
        for node in ast.walk(self.node):
            for block in "body", "orelse", "finalbody":
                statements = getattr(node, block, None)
                if isinstance(statements, list):
                    followers.update(itertools.pairwise(statements))
        return followers

    @cached_property
    def places(self):
        """The names that are used in slices, as indices, or in range()."""
        places = set()
        for node in ast.walk(self.node):
            used = []
            match node:
                case ast.Slice(lower=lower, upper=upper):
                    used = [lower, upper]
                case ast.Subscript(slice=ast.Tuple(elts=elements)):
                    used = elements
                case ast.Subscript(slice=index):
                    used = [index]
                case ast.Call(func=ast.Name(id="range" | "int" | "slice"), args=args):
                    used = args
            places.update(name for expression in used for name in names_computed_with(expression))
        return places

    @cached_property
    def tensors(self):
        """The names that have methods of tensors, and not where they become something else."""
        return {
            name
            for node in self._own_nodes()
            if isinstance(node, ast.Attribute) and node.attr in OF_TENSORS
            for name in [getattr(node.value, "id", None)]
            if self.targets.get(node) != name
        }

    @cached_property
    def numbers(self):
        """The names that are converted to one number, or decide by their size."""
        numbers, left = set(), children(self.node)
        while left:
            node = left.pop()
            if isinstance(node, SCOPES):
                continue
            match node:
                case ast.IfExp(test=test):
                    numbers.update(_names_compared(test))
                    continue
                case ast.If(test=test) | ast.While(test=test):
                    numbers.update(_names_compared(test))
                case ast.Call(func=ast.Name(id="float" | "int"), args=[converted]):
                    numbers.update(names_computed_with(self._rounded(converted)))
            left += children(node)
        return self._with_operands(numbers - self.instances)

    def _with_operands(self, numbers):
        """Return names of numbers, and of what they are computed with: an array gives an array."""
        found, left = set(), list(numbers)
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                for binding in self.bindings.get(name, ()):
                    if binding.how == "assign" and not _has_product_of_arrays(binding.what):
                        left += names_computed_with(binding.what)
        return found

    @cached_property
    def instances(self):
        """The names that are asked whether they are arrays."""
        return {
            node.args[0].id
            for node in self._own_nodes()
            if isinstance(node, ast.Call)
            and self.origin(node.func) == "builtins.isinstance"
            and len(node.args) == 2
            and isinstance(node.args[0], ast.Name)
            and self.origin(node.args[1]) == "numpy.ndarray"
        }

    def _rounded(self, node):
        """Return what is rounded: x of np.ceil(x), else the expression itself."""
        if isinstance(node, ast.Call) and node.args:
            if (self.origin(node.func) or "").rpartition(".")[2] in ROUNDING:
                return node.args[0]
        return node

    @cached_property
    def arrays(self):
        """The names that are used as one number is not."""
        arrays = set()
        for node in self._own_nodes():
            match node:
                case ast.Attribute(value=ast.Name(id=name), attr=attr) if attr in ARRAY_ATTRIBUTES:
                    arrays.add(name)
                case ast.Subscript(value=ast.Name(id=name)):
                    arrays.add(name)
                case ast.BinOp(op=ast.MatMult(), left=left, right=right):
                    arrays.update(s.id for s in (left, right) if isinstance(s, ast.Name))
                case ast.Call(func=function, args=args):
                    origin = self.origin(function) or ""
                    if origin == "builtins.len" or origin.removeprefix("numpy.") in ARRAY_FUNCTIONS:
                        arrays.update(name for arg in args for name in names_computed_with(arg))
        return arrays

    def _own_nodes(self):
        """Yield the nodes of this scope, and not those of scopes within it."""
        left = children(self.node)
        while left:
            node = left.pop()
            if not isinstance(node, SCOPES):
                yield node
                left += children(node)

    @cached_property
    def targets(self):
        """The name to which each expression is assigned, as a whole or as a part."""
        return {
            inner: name
            for name, bindings in self.bindings.items()
            for binding in bindings
            if binding.how == "assign"
            for inner in ast.walk(binding.what)
        }

    def bindings_of(self, name):
        """Return all bindings of a name in the scope that binds it."""
        scope = self.find(name)
        return scope.bindings[name] if scope else []

    def origin(self, node):
        """Return the dotted name that an expression stands for by imports, or None."""
        if isinstance(node, ast.Attribute):
            base = self.origin(node.value)
            return f"{base}.{node.attr}" if base else None
        if not isinstance(node, ast.Name):
            return None
        found = self.bindings_of(node.id)
        if found:
            origins = {b.what if b.how == "import" else None for b in found}
            return origins.pop() if len(origins) == 1 else None
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        if scope.star_of_numpy:
            return f"numpy.{node.id}"
        if node.id == "np" and scope.star_of_a_neighbour:
            return "numpy"
        return f"builtins.{node.id}" if hasattr(builtins, node.id) else None

    def _bind(self, name, how, what, statement=None):
        self.bindings.setdefault(name, []).append(Binding(how, what, statement))

    def _collect_parameters(self):
        if isinstance(self.node, FUNCTIONS):
            given = self.node.args
            positional = [*given.posonlyargs, *given.args]
            defaults = [*[None] * (len(positional) - len(given.defaults)), *given.defaults]
            for arg, default in zip(
                [*positional, *given.kwonlyargs], [*defaults, *given.kw_defaults], strict=True
            ):
                is_number = type(getattr(default, "value", None)) in (int, float)
                told = arg.annotation or (default if is_number else None)
                self._bind(arg.arg, "parameter", told)
            for arg in given.vararg, given.kwarg:
                if arg is not None:
                    self._bind(arg.arg, "other", None)

    def _collect(self, node, statement):
        if isinstance(node, LEAVES) and not isinstance(getattr(node, "ctx", None), BOUND):
            return
        if isinstance(node, ast.stmt):
            statement = node
        if isinstance(node, BINDING) and self._binds_all(node, statement):
            return
        for child in children(node):
            self._collect(child, statement)

    def _binds_all(self, node, statement):
        """Note what a node itself binds or changes; return whether its children are seen to."""
        match node:
            case ast.Import():
                for alias in node.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    self._bind(name, "import", alias.name if alias.asname else name, node)
                return True
            case ast.ImportFrom():
                for alias in node.names:
                    if alias.name == "*":
                        self.star_of_numpy |= node.module == "numpy" and self.parent is None
                        self.star_of_a_neighbour |= node.level > 0
                    else:
                        origin = f"{'.' * node.level}{node.module or ''}.{alias.name}"
                        self._bind(alias.asname or alias.name, "import", origin, node)
                return True
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self._bind(node.name, "other", None, node)
                inner = [*node.decorator_list]
                if not isinstance(node, ast.ClassDef):
                    inner += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
                for child in inner:
                    self._collect(child, statement)
                return True
            case ast.Lambda():
                return True
            case ast.Assign(targets=[ast.Name() as name], value=value):
                self._bind(name.id, "assign", value, node)
                self._collect(value, statement)
                return True
            case ast.AnnAssign(target=ast.Name() as name, value=value) if value is not None:
                self._bind(name.id, "assign", value, node)
                self._collect(value, statement)
                return True
            case ast.Assign(targets=[ast.Tuple(elts=elements)], value=ast.Call() as value):
                for element in elements:
                    if isinstance(element, ast.Name):
                        self._bind(element.id, "unpack", value, node)
            case ast.AugAssign(target=target, value=value):
                self._change(target, node)
                if isinstance(target, ast.Name):
                    self._bind(target.id, "augment", value, node)
            case ast.For(target=ast.Name() as name) | ast.comprehension(target=ast.Name() as name):
                self._bind(name.id, "loop", node.iter, statement)
            case ast.Global() | ast.Nonlocal():
                for name in node.names:
                    self._bind(name, "other", None, node)
            case ast.ExceptHandler(name=str() as name):
                self._bind(name, "other", None, statement)
            case ast.Name(ctx=ast.Store() | ast.Del()):
                if not any(b.statement is statement for b in self.bindings.get(node.id, ())):
                    self._bind(node.id, "other", None, statement)
            case ast.Subscript(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()):
                self._change(node, statement)
            case ast.Expr(value=ast.Call(func=func, args=args)) if not is_print(func):
                # A call whose result is dropped is made for what it changes.
                base = [func.value] if isinstance(func, ast.Attribute) else []
                for changed in [*base, *args]:
                    self._change(changed, statement)
            case ast.keyword(arg="out", value=value):
                self._change(value, statement)
        return False

    def _change(self, target, statement):
        if (path := path_of(target)) is not None:
            self.changed.setdefault(path, []).append(statement)


def children(node):
    """Return what ast.iter_child_nodes yields but contexts and operators, half of all nodes."""
    found = []
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            found += [child for child in value if isinstance(child, ast.AST) and child._fields]
        elif isinstance(value, ast.AST) and value._fields:
            found.append(value)
    return found


def names_computed_with(node):
    """Yield the names that arithmetic takes, and not those within calls or subscripts."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.BinOp):
        yield from names_computed_with(node.left)
        yield from names_computed_with(node.right)


def _has_product_of_arrays(node):
    return any(
        isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.MatMult)
        for inner in ast.walk(node)
    )


def _names_compared(test):
    """Yield the names whose size decides: of an array there is no one truth value."""
    match test:
        case ast.BoolOp(values=values):
            for value in values:
                yield from _names_compared(value)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from _names_compared(operand)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            if all(isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in ops):
                yield from (side.id for side in [left, *comparators] if isinstance(side, ast.Name))


def is_print(function):
    return isinstance(function, ast.Name) and function.id == "print"


def path_of(node):
    """Return the name that holds what an expression is a part of: "x", "self.z", or None."""
    while isinstance(node, ast.Subscript | ast.Starred):
        node = node.value
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = path_of(node.value)
        return base if node.attr in VIEWS else base and f"{base}.{node.attr}"
    return None
