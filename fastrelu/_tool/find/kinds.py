"""What an expression of a module is: an array, a number, or of another library."""

import ast
import re

from .names import FOREIGN, OF_INDICES, OF_TENSORS, Binding

FOREIGN_METHODS = OF_TENSORS | {"item", "backward", "to_numpy"}
# Of pandas and xarray.
OF_FRAMES = frozenset(
    "diff rolling ewm shift fillna dropna pct_change groupby loc iloc resample expanding "
    "value_counts sort_values reset_index sel isel assign_coords".split()
)
# Without an axis these return one number.
OF_ONE_NUMBER = frozenset("max min amax amin sum mean median std var prod ptp percentile".split())
# What these functions and methods of NumPy return are integers: indices, counts or lengths.
OF_INTEGERS = frozenset(
    "arange argmax argmin argsort argpartition argwhere nonzero flatnonzero searchsorted digitize "
    "bincount lexsort unravel_index ravel_multi_index indices shape size ndim count_nonzero "
    "triu_indices tril_indices".split()
)
# Functions of OpenCV that return images.
OF_IMAGES = frozenset(
    "imread imdecode split merge cvtColor resize blur GaussianBlur medianBlur bilateralFilter "
    "filter2D Sobel Scharr Laplacian addWeighted add subtract absdiff multiply divide normalize "
    "dilate erode morphologyEx warpAffine warpPerspective remap rotate flip copyMakeBorder "
    "undistort applyColorMap equalizeHist".split()
)
OPEN = ""  # the kind of a name within its own value: the other values decide


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


def assigns_array(name, scope):
    """Return whether an array is assigned to a name that was computed without it."""
    return any(
        b.how == "assign"
        and kind_of(b.what, scope) == "array"
        and not any(getattr(node, "id", None) == name for node in ast.walk(b.what))
        for b in scope.bindings[name]
    )


def is_of_ranges(name, scope):
    """Return whether a name holds a range of integers somewhere."""
    return any(b.how == "assign" and _is_range(b.what, scope) for b in scope.bindings_of(name))


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
    is_place = name in owner.places or OF_INDICES.search(name)
    if kind == "integer" and not is_place and _are_values(owner.bindings[name], owner):
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
            return "array" if name in OF_IMAGES else None
        if origin in ("builtins.len", "builtins.int", "builtins.round", "builtins.ord"):
            return "integer"
        if origin == "builtins.float":
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
