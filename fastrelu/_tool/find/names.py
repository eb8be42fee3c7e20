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
FOREIGN_METHODS = OF_TENSORS | {"item", "backward", "to_numpy"}
# Of pandas and xarray.
OF_FRAMES = frozenset(
    "diff rolling ewm shift fillna dropna pct_change groupby loc iloc resample expanding "
    "value_counts sort_values reset_index sel isel assign_coords".split()
)
# Attributes that are the array itself, seen otherwise.
VIEWS = frozenset("T flat real imag".split())
# Without an axis these return one number.
OF_ONE_NUMBER = frozenset("max min amax amin sum mean median std var prod ptp percentile".split())
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
# What these functions and methods of NumPy return are integers: indices, counts or lengths.
OF_INTEGERS = frozenset(
    "arange argmax argmin argsort argpartition argwhere nonzero flatnonzero searchsorted digitize "
    "bincount lexsort unravel_index ravel_multi_index indices shape size ndim count_nonzero "
    "triu_indices tril_indices".split()
)
# Functions of OpenCV that do not return an image.
OF_SCALARS_IN_CV2 = frozenset(
    "arcLength contourArea norm PSNR getTickCount getTickFrequency compareHist matchShapes waitKey "
    "pointPolygonTest".split()
)
ROUNDING = frozenset("round round_ around rint floor ceil trunc".split())

# Nodes that may bind or change a name, those that have no others below them, and their contexts.
BINDING = (
    *(ast.stmt, ast.Lambda, ast.comprehension, ast.ExceptHandler, ast.keyword),
    *(ast.Name, ast.Subscript, ast.Attribute),
)
LEAVES = (ast.Name, ast.Constant)
BOUND = (ast.Store, ast.Del)

OPEN = ""  # the kind of a name within its own value: the other values decide


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

    def assigns_array(self, name):
        """Return whether an array is assigned to a name that was computed without it."""
        return any(
            b.how == "assign"
            and kind_of(b.what, self) == "array"
            and not any(getattr(node, "id", None) == name for node in ast.walk(b.what))
            for b in self.bindings[name]
        )

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


def kind_of(node, scope):
    """
    Return what an expression is, as far as the source says.

    Returns
    -------
    {"array", "integer", "number", "pandas", "foreign", None}
        "integer" is a number or an array of them, "number" one float of Python; None is unknown.
    """
    if node not in scope.kinds:
        scope.kinds[node] = OPEN
        scope.kinds[node] = _kind_of(node, scope)
        if scope.kinds[node] == OPEN:
            return scope.kinds.pop(node)  # it is another one elsewhere
    return scope.kinds[node]


def _kinds_of(nodes, scope):
    return {kind_of(node, scope) for node in nodes} - {OPEN}


def _kind_of(node, scope):
    match node:
        case ast.Constant(value=value):
            return "integer" if type(value) is int else "number" if type(value) is float else None
        case ast.Name(id=name):
            return _kind_of_name(name, scope)
        case ast.Call():
            return _kind_of_call(node, scope)
        case ast.Attribute(attr="shape" | "size" | "ndim"):
            return "integer"
        case ast.Attribute(attr="loc" | "iloc" | "dt"):
            return "pandas"
        case ast.Attribute(attr="values"):
            return "array"
        case ast.Attribute(attr="value", value=value) if kind_of(value, scope) == "foreign":
            return "array"  # of a variable of cvxpy
        case ast.Attribute(value=value) if (base := kind_of(value, scope)) in (
            "foreign",
            "pandas",
        ):
            return base
        case ast.Attribute(attr="T", value=value) | ast.Subscript(value=value):
            return kind_of(value, scope)
        case ast.BinOp(op=ast.FloorDiv(), left=left, right=right):
            kinds = _kinds_of([left, right], scope)
            return _joined(kinds) or "integer"
        case ast.BinOp(left=left, right=right):
            kinds = _kinds_of([left, right], scope)
            for kind in "foreign", "pandas", "array":
                if kind in kinds:
                    return kind
            if OPEN in (kind_of(left, scope), kind_of(right, scope)):
                return OPEN
            if "number" in kinds and any(_is_range(side, scope) for side in (left, right)):
                return "array"
            if isinstance(node.op, ast.Div | ast.MatMult) and kinds == {"integer"}:
                return "number" if _is_count(node, scope) else None
            return _joined(kinds)
        case ast.UnaryOp(operand=operand):
            return kind_of(operand, scope)
        case ast.IfExp(body=body, orelse=orelse):
            return _joined(_kinds_of([body, orelse], scope))
    return None


def _is_range(node, scope):
    return isinstance(node, ast.Call) and scope.origin(node.func) == "numpy.arange"


def _is_count(node, scope, within=()):
    """Return whether an expression is computed of single integers of Python, and of no arrays."""
    match node:
        case ast.Constant(value=value):
            return type(value) is int
        case ast.UnaryOp(operand=operand):
            return _is_count(operand, scope, within)
        case ast.BinOp(left=left, right=right):
            return _is_count(left, scope, within) and _is_count(right, scope, within)
        case ast.Call(func=function, args=args):
            origin = scope.origin(function)
            if origin in ("builtins.max", "builtins.min"):
                return len(args) > 1 and all(_is_count(arg, scope, within) for arg in args)
            return origin in ("builtins.len", "builtins.int", "builtins.ord")
        case ast.Name(id=name):
            owner = scope.find(name)
            return owner is not None and (
                name in within
                or all(_binds_count(b, owner, (*within, name)) for b in owner.bindings[name])
            )
    return False


def _binds_count(binding, scope, within):
    match binding:
        case Binding("assign" | "augment", value):
            return _is_count(value, scope, within)
        case Binding("parameter", ast.Name(id="int") | ast.Constant(value=int())):
            return True
        case Binding("loop", ast.Call(func=ast.Name(id="range"))):
            return True
    return False


def _joined(kinds):
    for kind in "foreign", "pandas":
        if kind in kinds:
            return kind
    if kinds == {"integer"}:
        return "integer"
    if kinds <= {"integer", "number"} and kinds:
        return "number"
    return "array" if kinds == {"array"} else None


def _kind_of_name(name, scope):
    if name == "df" or name.startswith("df_") or name.endswith("_df"):
        return "pandas"
    owner = scope.find(name)
    if owner is None:
        return None
    kinds = set()
    for binding in owner.bindings[name]:
        match binding.how:
            case "import":
                root = binding.what.lstrip(".").partition(".")[0]
                kinds.add("foreign" if root in FOREIGN else None)
            case "assign":
                kinds.add(kind_of(binding.what, owner))
            case "unpack":
                is_array = kind_of(binding.what, owner) == "array"
                kinds.add("array" if is_array else None)
            case "augment":
                pass
            case "parameter":
                kinds.add(_kind_of_annotation(binding.what, scope))
            case "loop":
                kinds.add(_kind_of_loop(binding.what, owner))
            case _:
                kinds.add(None)
    if name in owner.tensors:
        return "foreign"
    kind = _joined(kinds - {OPEN})
    if kind == "integer" and name not in owner.places and _are_values(owner.bindings[name], owner):
        return "array"
    return "number" if kind is None and "array" not in kinds and name in owner.numbers else kind


def _are_values(bindings, scope):
    """Return whether integers are made in a name, as prices, times or levels are."""
    makers = ("numpy.arange", "numpy.zeros", "numpy.ones", "numpy.full", "numpy.empty")
    return all(
        b.how == "assign" and isinstance(b.what, ast.Call) and scope.origin(b.what.func) in makers
        for b in bindings
    )


def _kind_of_annotation(annotation, scope):
    if annotation is None:
        return None
    if isinstance(annotation, ast.Constant) and type(annotation.value) in (int, float):
        return "number"  # it is a default
    text = _without_none(annotation)
    if text in ("int", "np.int64"):
        return "integer"
    if text in ("float", "np.float64"):
        return "number"
    if "ndarray" in text or "NDArray" in text or "ArrayLike" in text:
        root = scope.origin(annotation) or "numpy"
        return "foreign" if root.partition(".")[0] in FOREIGN else "array"
    if "DataFrame" in text or "Series" in text:
        return "pandas"
    if any(
        root in FOREIGN
        for node in ast.walk(annotation)
        if isinstance(node, ast.Name | ast.Attribute)
        for root in [(scope.origin(node) or "").partition(".")[0]]
    ):
        return "foreign"
    is_own = any(scope.find(name) for name in ("Tensor", "Variable") if name in text)
    return "foreign" if ("Tensor" in text or "Variable" in text) and not is_own else None


def _without_none(annotation):
    """Return the text of an annotation: "float" for Optional[float] and for float | None."""
    text = annotation.value if _is_text(annotation) else ast.unparse(annotation)
    text = re.sub(r"^(?:typing\.)?Optional\[(.*)\]$", r"\1", text)
    return re.sub(r"\s*\|\s*None$|^None\s*\|\s*", "", text)


def _is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _kind_of_loop(iterable, scope):
    match iterable:
        case ast.Call(func=ast.Name(id="range")):
            return "integer"
    return "foreign" if kind_of(iterable, scope) == "foreign" else None


def _kind_of_call(node, scope):
    origin = scope.origin(node.func)
    if origin:
        root, _, name = origin.partition(".")
        if root == "numpy":
            return _kind_of_numpy(name, node, scope)
        if root in FOREIGN:
            return "foreign"
        if root == "pandas":
            return "pandas"
        if root == "cv2":
            return None if name in OF_SCALARS_IN_CV2 else "array"
        if origin in ("builtins.len", "builtins.int", "builtins.round", "builtins.ord"):
            return "integer"
        if origin in ("builtins.float", "builtins.sum") and origin.endswith("float"):
            return "number"
        if origin in ("builtins.max", "builtins.min", "builtins.abs", "builtins.sum"):
            kind = _joined(_kinds_of(node.args, scope))
            if len(node.args) > 1 and kind in (None, "array") and not origin.endswith("sum"):
                return "number"  # of several arrays there is no greatest
            return kind
        return "number" if root in ("math", "random", "time") else None
    if isinstance(node.func, ast.Attribute):
        method, value = node.func.attr, node.func.value
        if method in ("numpy", "to_numpy", "toarray"):
            return "array"
        base = kind_of(value, scope)
        if method in OF_FRAMES and base != "array":
            return "pandas"
        if method in FOREIGN_METHODS:
            return "foreign"
        if method == "astype" and node.args:
            return "integer" if _is_integer_type(node.args[0]) else base
        if method in OF_INTEGERS:
            return "integer"
        is_reduced = method in OF_ONE_NUMBER and not node.args and not node.keywords
        return "number" if is_reduced and base not in ("foreign", "pandas") else base
    return None


def _kind_of_numpy(name, node, scope):
    for keyword in node.keywords:
        if keyword.arg == "dtype":
            return "integer" if _is_integer_type(keyword.value) else "array"
    if name in OF_INTEGERS:
        kinds = _kinds_of(node.args, scope)
        return "array" if name == "arange" and kinds != {"integer"} else "integer"
    if name.startswith(("int", "uint", "is", "logical_")):
        return "integer"
    if name in OF_ONE_NUMBER and len(node.args) == 1 and not node.keywords:
        return "number"
    if name == "where" and len(node.args) == 1:
        return "integer"
    if name in ("array", "asarray") and kind_of(node.args[0] if node.args else None, scope):
        return "integer" if kind_of(node.args[0], scope) == "integer" else "array"
    if name in ("zeros", "ones", "full", "empty"):
        return "array"
    if name in (
        "floor",
        "ceil",
        "round",
        "rint",
        "clip",
        "maximum",
        "minimum",
        "abs",
        "max",
        "min",
    ):
        kind = _joined(_kinds_of(node.args[:2], scope))
        if node.args and kind_of(node.args[0], scope) == OPEN and kind != "array":
            return OPEN
        return kind if kind in ("integer", "number", "pandas", "foreign") else "array"
    return "array"


def _is_integer_type(node):
    match node:
        case ast.Name(id="int"):
            return True
        case ast.Attribute(attr=name) | ast.Constant(value=str() as name):
            return name.startswith(("int", "uint"))
    return False
