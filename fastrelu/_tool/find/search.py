"""Finds the idioms in the text of one program."""

import ast
import bisect
import re
from math import isfinite
from typing import NamedTuple

from .idioms import KEPT_MASK, KEPT_MASK_USED, OUTPUT, SKLEARN, TYPE, UNCHANGED
from .kept_masks import masks_kept_in
from .kinds import assigns_array, is_of_ranges, kind_of
from .match import find_expression, find_statements, statement_term
from .names import (
    FOREIGN,
    FUNCTIONS,
    LEAVES,
    OF_INDICES,
    OF_TENSORS,
    SCOPES,
    Scope,
    names_computed_with,
)
from .terms import Reader, is_mask
from .text import Text

IGNORE = "fastrelu: ignore"
# An idiom has at least one of these: a name, a comparison with 0, elements set to 0, or a product
# with a comparison.
# Each alternative begins with a letter of its own, which re looks for seven times as fast.
ZERO = r"\s*0(?:\.0*)?(?![\w.])"
HINT = re.compile(
    r"maximum\b|minimum\b|fmax\b|clip\b|where\s*\(|heaviside|MLPClassifier|MLPRegressor|putmask"
    r"|greater(?:_equal)?\(|less(?:_equal)?\(|abs(?:olute)?\(|\*\s*\(\s*[\w.]+\s*[<>]"
    rf"|<=?{ZERO}|>=?{ZERO}|=={ZERO}|\]\s*={ZERO}|0(?<!\w0)(?:\.0*)?\s*[<>]"
)
BRANCH = re.compile(r"[ \t]*(?:if|elif|while|assert)\b(?!.*:[ \t]*[^\s#])")  # alone on its line
IMPORTED = re.compile(r"^[ \t]*(from|import)[ \t]+([\w., \t]+)", re.MULTILINE)
OF_GRADIENTS = re.compile(
    r"(?i:relu|rectif|deriv|prime|grad|back|delta|activat|act_?fun|upstream|jacob|hidden|^error|_err(or)?$)"
    r"|^[dg]$|^err$|^d[a-z]\w*_d[a-z]|^d_?([A-Z]\w*|out|[abxzhywl]\d*(_\w+)?|loss|in|input|score\w*|hid\w*|layer\w*)$"
)
OF_CLASSES = re.compile(r"relu|rectif|activ|deriv|backward", re.IGNORECASE)
OF_UNITS = re.compile(
    r"relu|activ|unit|neuron|dead|dying|layer|hidden|spars|fir(e|ing)|^h\d*$", re.I
)
OF_OUTPUTS = re.compile(r"relu|activ|hidden|(^|_)acts?($|_)|^[ah]\d*$|outputs?$", re.I)
OF_NUMBERS = re.compile(
    r"^(k|K|t|T|strike|strike_price|threshold|thresh|thr|level|barrier|margin|lam\w*|tau|cutoff)$"
)
# Programs clip single numbers more often than arrays: these are called as arrays are.
OF_ARRAYS = re.compile(
    r"(?i:(?:^|_)(?:[xyz]|im|img|image|frame|rgba?|hsv|lab|gr[ae]y|pixel|canvas|mask|map|heatmap|arr"
    r"|array|vec|vector|mat|matrix|tensor|data|pred\w*|prob\w*|logit|noise|signal|spectrum|field|grid"
    r"|patch|batch|blur\w*|filter\w*|activ\w*|relu\w*|out|output)(?:$|_|\d))"
    r"|^[A-Z]\d?$|[a-z]{2}[^siua\W]s$"
)
OF_ONE_NUMBER = frozenset("range int float slice".split())
# Calls that give the same each time: of builtins and of methods of arrays.
PURE_BUILTINS = frozenset(f"builtins.{name}" for name in "abs float int len max min sum".split())
PURE_METHODS = frozenset(
    "astype clip copy cumsum diagonal dot flatten max mean min prod ravel repeat reshape round "
    "squeeze std sum swapaxes take transpose var view".split()
)
COMPILED = re.compile(r"jit|vectorize|stencil|cuda|tf\.function|compile|guvectorize")
CALLS = re.compile(r"\b([a-z_]+)\(")


class Finding(NamedTuple):
    """
    A place that a function of fastrelu could take over.

    Attributes
    ----------
    line, column : int
        From 1 on, as compilers count.
    idiom : str
    found, replacement : str
        Source text.
    conditions : tuple of str
        What must hold for both to mean the same.
    edits : tuple of (int, int, str), or None
        What to write between which places of the text; None if a person has to do it.
    by_hand : str
        Why a person has to do it, or "".
    """

    line: int
    column: int
    idiom: str
    found: str
    replacement: str
    conditions: tuple
    edits: tuple | None
    by_hand: str = ""


def find(source):
    """
    Return what is found in the text of a program.

    Parameters
    ----------
    source : str

    Returns
    -------
    list of Finding
        In the order of the text.

    Raises
    ------
    SyntaxError, ValueError, RecursionError
        If it cannot be parsed.
    """
    if not is_worth_parsing(source):
        return []
    return _Search(source).run()


def is_worth_parsing(source):
    """Whether a program may hold an idiom."""
    has_library = "numpy" in source or "sklearn" in source or "import *" in source
    return has_library and any(True for _ in _hints(source))


def _hints(source):
    """Yield the places that speak for an idiom; a function without one needs no search."""
    for found in HINT.finditer(source):
        is_name = found[0][0].isalpha()
        if is_name or not BRANCH.match(source, source.rfind("\n", 0, found.start()) + 1):
            yield found.start()


class _Search:
    def __init__(self, source):
        self.text = Text(source)
        self.tree = ast.parse(source)
        self.hints = list(_hints(source))
        self.findings = []
        self.around = []
        self.inside_index = 0
        self.single = set()
        self.module = Scope(self.tree)
        self.prefix = self.text.prefix(self.module)
        self.libraries = {
            name.split(maxsplit=1)[0].partition(".")[0]
            for how, names in IMPORTED.findall(source)
            for name in (names.split(",") if how == "import" else [names])
            if name.strip()
        }
        self.has_own_names = re.search(r"\bfrom\s+numpy\s+import\b.*\bas\b", source) is not None

    def run(self):
        if "numpy" in self.libraries or self.module.star_of_a_neighbour:
            self._visit_scope(self.tree, self.module)
        self._find_sklearn()
        self.findings.sort(key=lambda finding: (finding.line, finding.column))
        return self.findings

    # Walking through the program.

    def _visit_scope(self, node, scope):
        reader = Reader(scope)
        if isinstance(node, ast.ClassDef):
            self._find_kept_masks(node, scope)
        if isinstance(node.body, list):
            self._visit_statements(node.body, reader)
        else:
            self._visit(node.body, reader)

    def _visit_statements(self, statements, reader):
        place = 0
        while place < len(statements):
            group = statements[place : place + 3]
            terms = [statement_term(statement, reader) for statement in group]
            for match, count in find_statements(terms) if terms[0] else ():
                if self._report_statements(match, count, group, reader):
                    self._visit_operands(match, reader)
                    place += count
                    break
            else:
                self._visit(statements[place], reader)
                place += 1

    def _visit(self, node, reader):
        if isinstance(node, LEAVES):
            return
        if isinstance(node, SCOPES):
            self._enter(node, reader)
            return
        if isinstance(node, ast.expr):
            for match in find_expression(reader.term(node)):
                if self._report(match, node, reader):
                    self._visit_operands(match, reader)
                    return
        if isinstance(node, ast.Subscript):
            self._visit(node.value, reader)
            self.inside_index += 1
            self._visit(node.slice, reader)
            self.inside_index -= 1
            return
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in OF_TENSORS:
            return
        if isinstance(node, ast.Call) and _makes_one_number(node.func, reader.scope):
            self.single.update(node.args)
        if isinstance(node, ast.Return) and _returns_one_number(reader.scope.node):
            self.single.add(node.value)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            self.around.append([n for t in targets for n in _words(t)])
            self._visit_children(node, reader)
            self.around.pop()
            return
        if isinstance(node, ast.If):
            self._visit(node.test, reader)
            self.around.append(_texts(node.test))
            self._visit_statements(node.body, reader)
            self.around.pop()
            self._visit_statements(node.orelse, reader)
            return
        self._visit_children(node, reader)

    def _visit_children(self, node, reader):
        for _, value in ast.iter_fields(node):
            if isinstance(value, list):
                if value and isinstance(value[0], ast.stmt):
                    self._visit_statements(value, reader)
                else:
                    for child in value:
                        if isinstance(child, ast.AST):
                            self._visit(child, reader)
            elif isinstance(value, ast.AST) and value._fields:
                self._visit(value, reader)

    def _enter(self, node, reader):
        """Visit a function or class, unless a compiler takes it."""
        if not self._is_searched(node):
            return
        index, self.inside_index = self.inside_index, 0
        name = getattr(node, "name", "")
        is_told = not isinstance(node, ast.ClassDef) or OF_CLASSES.search(name)
        self.around.append([name] if is_told else [])
        if not isinstance(node, ast.ClassDef):
            for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
                self._visit(default, reader)
        self._visit_scope(node, Scope(node, reader.scope))
        self.around.pop()
        self.inside_index = index

    def _is_searched(self, node):
        """Whether a function or class may hold an idiom, and no compiler takes it."""
        decorators = getattr(node, "decorator_list", ())
        is_compiled = any(COMPILED.search(ast.unparse(decorator)) for decorator in decorators)
        return not is_compiled and self._has_hint(node)

    def _has_hint(self, node):
        if self.has_own_names:
            return True
        place = bisect.bisect_left(self.hints, self.text.start(node))
        return place < len(self.hints) and self.hints[place] < self.text.end(node)

    def _visit_operands(self, match, reader):
        for term in (*match.bound.values(), *match.options.values()):
            if term.node is not None and not isinstance(term.node, ast.Name):
                self._visit(term.node, reader)

    # What is found.

    def _report(self, match, node, reader):
        """Add a finding of an expression; return whether it is one."""
        masks = _masks_of(match, reader.term(node))
        if not self._is_meant(match, [node], masks, reader):
            return False
        call = self._written(match)
        self._add(match, node, node, call, masks, reader, [reader.term(node)])
        return True

    def _report_statements(self, match, count, statements, reader):
        group = statements[:count]
        self.around.append([word for s in group for word in _words(s)])
        masks = [m for s in group for m in _masks_of(match, statement_term(s, reader))]
        is_meant = self._is_meant(match, group, masks, reader)
        self.around.pop()
        if not is_meant:
            return False
        terms = [statement_term(s, reader) for s in group]
        self._add(match, group[0], group[-1], self._written(match), masks, reader, terms)
        return True

    def _add(self, match, first, last, call, masks, reader, terms):
        start, end = self.text.start(first), self.text.end(last)
        if self.text.has_comment(first.lineno, last.end_lineno, IGNORE):
            return
        why = self.prefix.problem_in(reader.scope)
        kept = [(self.text.start(n), self.text.end(n)) for n in _nodes_of(match)]
        edits = [(start, end, self.text.apart(start, call))]
        for mask in dict.fromkeys(masks):
            name = _name_of(mask)
            if reader.scope.parent is not None and len(reader.scope.loads(name)) == 1:
                lines = self.text.lines_of(mask)
                if lines is None or reader.scope.is_alone(mask):
                    why = why or f"{name!r} is set on a shared line, or alone in its block"
                else:
                    edits.append((*lines, ""))
        if self.text.loses_comment(start, end, kept):
            why = why or "a comment stands within it"
        if any(_is_impure(term, reader) for term in _repeated(match, terms)):
            why = why or "what is called twice would be called once"
        conditions = (
            *match.conditions,
            *[TYPE] * _drops_a_type(match, terms),
            *[UNCHANGED] * _uses_an_earlier_mask(match, terms),
        )
        self.findings.append(
            Finding(
                first.lineno,
                self.text.column(start),
                match.idiom.name,
                self.text.source[start:end],
                call,
                conditions,
                None if why else tuple(edits),
                why,
            )
        )

    def _written(self, match):
        """Return the replacement with the texts of what its letters stand for."""
        call = match.idiom.call
        options = {name: self.text.of(term.node) for name, term in match.options.items()}
        if "axis=*" in call:
            call = call.replace("axis=*", f"axis={options.pop('axis', 'None')}")
        rest = "".join(f", {name}={text}" for name, text in options.items())
        call = call.replace(", *", "\0")

        def text_of(found):
            term = match.bound.get(found[0])
            if term is None:
                return found[0]
            return self._text_of(term, after_minus=call[found.start() - 1] == "-")

        written = re.sub(r"(?<![\w.])[A-Za-z]\b(?!=)", text_of, call)
        for name in set(CALLS.findall(match.idiom.call)):
            written = re.sub(rf"(?<![\w.]){name}\(", f"{self.prefix.text}{name}(", written, count=1)
        return written.replace("\0", rest)

    def _text_of(self, term, after_minus=False):
        if term.node is None:  # the negative of an operand
            return f"-{self._text_of(term.args[0], after_minus=True)}"
        text = self.text.of(term.node)
        atoms = ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.Constant
        bare = ast.NamedExpr | ast.GeneratorExp | ast.Tuple | ast.Yield | ast.YieldFrom | ast.Await
        if (after_minus and not isinstance(term.node, atoms)) or isinstance(term.node, bare):
            return f"({text})"
        return text

    # Whether it is what it looks like.

    def _is_meant(self, match, nodes, masks, reader):
        scope = reader.scope
        operands = [t for name, t in match.bound.items() if name in "xzgdyb" and t.node is not None]
        kinds = {kind_of(term.node, scope) for term in operands}
        if "foreign" in kinds:
            return False
        if "pandas" in kinds and not match.idiom.name.startswith("maximum"):
            return False
        every = [t for t in match.bound.values() if t.node is not None]
        is_along_an_axis = match.idiom.near == "activity" and "axis" in match.options
        if every and all(kind_of(t.node, scope) in ("integer", "number") for t in every):
            if not is_along_an_axis:
                return False
        elif any(kind_of(t.node, scope) == "integer" for n, t in match.bound.items() if n in "xz"):
            return False
        if match.idiom.name == "clip from 0" and not self._shows_array(match, nodes, scope):
            return False
        if match.idiom.near != "activity" and (
            self.inside_index or self._is_single(match, nodes, scope)
        ):
            return False
        if self._is_of_indices(match, nodes, masks, scope):
            return False
        if OUTPUT in match.conditions and not (
            any(OF_OUTPUTS.search(word) for term in operands for word in _words(term.node))
            if match.idiom.near == "activity"
            else self._speaks(OF_CLASSES, operands)
        ):
            return False
        if match.idiom.near == "gradient" and not self._speaks(OF_GRADIENTS, operands):
            return False
        if match.idiom.near == "activity" and not (
            is_along_an_axis
            or (match.idiom.function == "activity" and "array" in kinds)
            or self._speaks(OF_UNITS, operands)
        ):
            return False
        if match.idiom.call.endswith("threshold=K)") and not _is_number(match.bound["K"], scope):
            return False
        if "c" in match.bound and _is_size(match.bound["c"], scope):
            return False
        return self._is_of_numpy(nodes, kinds, scope)

    def _is_single(self, match, nodes, scope):
        """Whether the result is made one number: then the operand is one."""
        is_reduced = match.idiom.function in ("relu_sum", "relu_mean")
        is_number = scope.targets.get(nodes[0], "") in scope.numbers
        return (nodes[0] in self.single or is_number) and not is_reduced

    def _shows_array(self, match, nodes, scope):
        """Whether the program shows that the operand is more than one number."""
        operand = match.bound["x"]
        return (
            kind_of(operand.node, scope) == "array"
            or self._speaks(OF_ARRAYS, [operand])
            or scope.targets.get(nodes[0]) in scope.arrays
            or any(
                (owner := scope.find(name)) and (name in owner.arrays or assigns_array(name, owner))
                for name in names_computed_with(operand.node)
            )
            or any(isinstance(node, ast.Slice) for node in ast.walk(operand.node))
        )

    def _speaks(self, pattern, operands):
        words = [word for words in self.around for word in words]
        for term in operands:
            words += _words(term.node)
        return any(pattern.search(word) for word in words)

    def _is_of_numpy(self, nodes, kinds, scope):
        """Whether arrays of other libraries, which the program imports, are out of question."""
        if not self.libraries & FOREIGN or "array" in kinds:
            return True
        names = {
            (scope.origin(inner) or "").partition(".")[0]
            for node in nodes
            for inner in ast.walk(node)
            if isinstance(inner, ast.Name)
        }
        if "numpy" in names:
            return True
        while scope.parent is not None and not isinstance(scope.node, FUNCTIONS):
            scope = scope.parent
        around = {
            (scope.origin(inner) or "").partition(".")[0]
            for inner in ast.walk(scope.node)
            if isinstance(inner, ast.Name)
        }
        return "numpy" in around and not around & FOREIGN

    def _is_of_indices(self, match, nodes, masks, scope):
        if any(OF_INDICES.search(_name_of(mask)) for mask in masks):
            return True
        for name, term in match.bound.items():
            if name not in "xzyK" or term.node is None:
                continue
            inner = term.node
            while isinstance(inner, ast.BinOp):
                inner = inner.left
            if isinstance(inner, ast.Name) and OF_INDICES.search(inner.id):
                return kind_of(inner, scope) != "array" or is_of_ranges(inner.id, scope)
            if name in "xz" and getattr(term.node, "id", None) in scope.places:
                return True
        targets = [scope.targets.get(node, "") for node in nodes]
        return any(name in scope.places or OF_INDICES.search(name) for name in targets)

    # What has no form.

    def _find_kept_masks(self, node, scope):
        for kept in masks_kept_in(node, scope, self._is_searched):
            kinds = {kind_of(kept.operand, kept.scope)}
            if kinds & {"foreign", "pandas", "integer", "number"}:
                continue
            if not self._is_of_numpy([kept.method], kinds, kept.scope):
                continue
            gradients = [use for use in kept.uses if OF_GRADIENTS.search(use.method.name)]
            places = [kept.statement, *(use.node for use in gradients)]
            if not gradients or any(
                self.text.has_comment(place.lineno, place.end_lineno, IGNORE) for place in places
            ):
                continue
            operand = self.text.of(kept.operand)
            at_zero = ", at_zero=1" * kept.at_zero
            call = f"y, {kept.path} = {self.prefix.text}relu_with_mask({operand}{at_zero})"
            self._add_by_hand(kept.statement, KEPT_MASK, call)
            for use in gradients:
                gradient = self.text.of(use.gradient)
                out = f", out={gradient}" * use.in_place
                function = f"{self.prefix.text}relu_backward_from_mask"
                call = f"{function}({gradient}, {kept.path}{out})"
                self._add_by_hand(use.node, KEPT_MASK_USED, call)

    def _add_by_hand(self, node, idiom, call):
        """Add a finding that changes together with others."""
        start, end = self.text.start(node), self.text.end(node)
        place = (node.lineno, self.text.column(start))
        source = self.text.source[start:end]
        why = "the mask and its uses change together"
        self.findings.append(Finding(*place, idiom.name, source, call, idiom.conditions, None, why))

    def _find_sklearn(self):
        if "sklearn.neural_network" not in self.text.source:
            return
        names = ("MLPClassifier", "MLPRegressor")
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.ImportFrom) or node.level:
                continue
            if node.module not in ("sklearn.neural_network",):
                continue
            taken = [alias for alias in node.names if alias.name in names]
            if not taken or self.text.has_comment(node.lineno, node.end_lineno, IGNORE):
                continue
            if self._uses_other_activation({alias.asname or alias.name for alias in taken}):
                continue
            start, end = self.text.start(node), self.text.end(node)
            source = self.text.source[start:end]
            whole = len(taken) == len(node.names)
            new = source.replace("sklearn.neural_network", "fastrelu.sklearn", 1)
            listed = ", ".join(alias.name for alias in taken)
            self.findings.append(
                Finding(
                    node.lineno,
                    self.text.column(start),
                    SKLEARN.name,
                    source,
                    new if whole else f"from fastrelu.sklearn import {listed}",
                    SKLEARN.conditions,
                    ((start, end, new),) if whole else None,
                    "" if whole else "other names are imported in the same statement",
                )
            )

    def _uses_other_activation(self, names):
        """Whether all models of the program are made with another activation than ReLU."""
        calls = [
            node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in names
        ]
        others = 0
        for call in calls:
            for keyword in call.keywords:
                if keyword.arg == "activation" and isinstance(keyword.value, ast.Constant):
                    others += keyword.value.value != "relu"
        return bool(calls) and others == len(calls)


def _makes_one_number(function, scope):
    if getattr(function, "id", "") in OF_ONE_NUMBER:
        return True
    return (scope.origin(function) or "").startswith("math.")


def _returns_one_number(function):
    match getattr(function, "returns", None):
        case ast.Name(id="float" | "int") | ast.Constant(value="float" | "int"):
            return True
    return False


def _words(node):
    """Return the identifiers in an expression or statement."""
    words = []
    for inner in ast.walk(node):
        match inner:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                words.append(name)
            case ast.Constant(value=str() as name):
                words.append(name)
    return words


def _texts(node):
    """Return the strings in an expression: relu of activation == "relu"."""
    return [
        inner.value
        for inner in ast.walk(node)
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
    ]


def _nodes_of(match):
    """Return the nodes whose text the replacement keeps."""
    nodes = []
    for term in (*match.bound.values(), *match.options.values()):
        nodes += [part.node for part in term.parts if part.node is not None][:1]
    return nodes


def _name_of(assignment):
    target = assignment.targets[0] if isinstance(assignment, ast.Assign) else assignment.target
    return target.id


def _masks_of(match, term):
    """Return the assignments of masks that a match looks through."""
    kept = {id(bound) for bound in match.bound.values()}
    masks, left = [], [term]
    while left:
        part = left.pop()
        if id(part) in kept:
            continue
        if part.mask is not None:
            masks.append(part.mask)
        left += part.args
    return masks


def _repeated(match, terms):
    """Return what an idiom writes several times and its replacement once."""
    keys = [part.key for term in terms for part in term.parts]
    return [term for term in match.bound.values() if keys.count(term.key) > 1]


def _drops_a_type(match, terms):
    """Whether the replacement lacks a number that NumPy gives a type: np.float64(0)."""
    return any(
        part.op == "number" and isinstance(part.node, ast.Call) and isfinite(part.value)
        for part in _dropped(match, terms)
    )


def _uses_an_earlier_mask(match, terms):
    """Whether a name or attribute stands where its comparison is meant."""
    return any(
        is_mask(part) and isinstance(part.node, ast.Name | ast.Attribute)
        for part in _dropped(match, terms)
    )


def _dropped(match, terms):
    """Yield the terms that the replacement does not keep as they are."""
    kept = {id(term) for term in match.bound.values()}
    return (part for term in terms for part in term.parts if id(part) not in kept)


def _is_impure(term, reader):
    """Whether an operand calls what may do or give something else the next time."""
    if term.node is None:
        return False
    for inner in ast.walk(term.node):
        if isinstance(inner, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom):
            return True
        if isinstance(inner, ast.Call) and not _is_pure(inner.func, reader.scope):
            return True
    return False


def _is_pure(function, scope):
    origin = scope.origin(function)
    if origin is None:
        return isinstance(function, ast.Attribute) and function.attr in PURE_METHODS
    return origin in PURE_BUILTINS or (
        origin.startswith(("numpy.", "math.")) and not origin.startswith("numpy.random")
    )


def _is_number(term, scope):
    if term.op == "number" or kind_of(term.node, scope) in ("integer", "number"):
        return True
    words = _words(term.node)
    return len(words) <= 2 and bool(words) and OF_NUMBERS.search(words[0]) is not None


def _is_size(term, scope):
    """Whether an upper bound is one of indices: n - 1, x.shape[0], len(x)."""
    match term.node:
        case ast.BinOp(op=ast.Sub(), right=ast.Constant(value=1)):
            return True
        case None:
            return False
    return term.op != "number" and kind_of(term.node, scope) == "integer"
