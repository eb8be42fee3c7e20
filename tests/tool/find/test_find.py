"""python -m fastrelu find: what is found, what is not, and what the replaced code computes."""

import ast
import copy
import inspect
import re
import types
from pathlib import Path

import numpy as np
import pytest

from fastrelu._tool.find import idioms
from fastrelu._tool.find.rewrite import rewritten
from fastrelu._tool.find.search import find

HERE = Path(__file__).parent
IDIOMS = sorted((HERE / "idioms").glob("*.py"))
FUNCTIONS = [path for path in IDIOMS if path.stem != "classifier"]
FALSE_FRIENDS = sorted((HERE / "false_friends").glob("*.py"))
OTHERS = (idioms.KEPT_MASK, idioms.KEPT_MASK_USED, idioms.SKLEARN)
EVERY_IDIOM = [*idioms.EXPRESSIONS, *idioms.STATEMENTS, *OTHERS]
# After code it speaks of its line, and on a line of its own of the next line.
EXPECTATION = re.compile(r"#\s*(?P<hand>by hand )?-> (?P<calls>.*)$")
VALUES = [-np.inf, -8, -1.5, -0.5, -0.25, -0.0, 0.0, 0.25, 0.5, 1, 6, 7.5, np.inf, np.nan]


def read(path):
    return path.read_text(encoding="utf-8")


def expected(source):
    """Return the line and text of each replacement that comments speak of."""
    rows = []
    for number, line in enumerate(source.split("\n"), 1):
        if found := EXPECTATION.search(line):
            is_alone = not line[: found.start()].strip()
            for call in found["calls"].split(" | "):
                rows.append((number + is_alone, call.replace(r"\n", "\n"), bool(found["hand"])))
    return sorted(rows)


def found_in(source):
    """Return the line and text of each replacement that is found."""
    return sorted((f.line, f.replacement, f.edits is None) for f in find(source))


def functions_of(source, name):
    """Return the public functions of the text of a module."""
    module = types.ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
    found = vars(module).items()
    return {n: f for n, f in found if inspect.isfunction(f) and f.__module__ == name}


def conditions_by_function(source):
    """Return the conditions of what is found in each function, and in the classes that it calls."""
    tree = ast.parse(source)
    conditions = {}
    for finding in find(source):
        for node in tree.body:
            if node.lineno <= finding.line <= node.end_lineno:
                conditions.setdefault(node.name, set()).update(finding.conditions)
    for node in tree.body:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and inner is not node and inner.id in conditions:
                conditions.setdefault(node.name, set()).update(conditions[inner.id])
    return conditions


def operands(conditions, dtype, has_products):
    """Return what the parameters of the functions of idioms/ stand for."""
    values = np.array(VALUES, dtype)
    n = len(values)
    x = np.stack([np.roll(values, k) for k in range(n)])
    g = np.stack([np.roll(values[::-1], 3 * k) for k in range(n)])
    if idioms.NAN in conditions:
        x[np.isnan(x)] = 3
    if idioms.INFINITE in conditions or (idioms.NAN in conditions and has_products):
        x[np.isinf(x)] = 3
    if idioms.GRADIENT in conditions:
        g[~np.isfinite(g)] = -3
    if idioms.AT_ZERO in conditions:
        x[x == 0] = 3
    w = np.linspace(-1, 1, n * n, dtype=dtype).reshape(n, n)
    output = np.where(x > 0, x, np.zeros_like(x))
    return {
        **{"x": x, "z": x.copy(), "g": g, "dout": g.copy(), "d": g.copy(), "y": output},
        "hidden": output.copy(),
        **{
            "w": w,
            "v": w.T.copy(),
            "b": w[0].copy(),
            "slopes": np.abs(w[0]),
            "cache": {"Z1": x},
            "tensor": x,
        },
        **{"a": 0.1, "c": 6, "K": 0.5, "t": 0.25},
    }


def bits(result, conditions, dtype):
    """Return a result in a form in which equal results are equal."""
    if isinstance(result, tuple | list):
        return [bits(part, conditions, dtype) for part in result]
    if isinstance(result, dict):
        return {name: bits(part, conditions, dtype) for name, part in result.items()}
    if result is None:
        return None
    result = np.asarray(result)
    if idioms.DTYPE in conditions:  # of integers
        result = result.astype(dtype)
    if idioms.ZERO in conditions and result.dtype.kind == "f":
        result = result + result.dtype.type(0)
    return result.dtype, result.shape, result.tobytes()


@pytest.mark.parametrize("path", IDIOMS, ids=lambda path: path.stem)
def test_idioms(path):
    assert found_in(read(path)) == expected(read(path))


@pytest.mark.parametrize("path", FALSE_FRIENDS, ids=lambda path: path.stem)
def test_false_friends(path):
    assert found_in(read(path)) == []


def test_every_idiom_is_found():
    found = {finding.idiom for path in IDIOMS for finding in find(read(path))}
    assert sorted(found) == sorted(idiom.name for idiom in EVERY_IDIOM)


def test_the_set_is_large():
    lines = [row for path in IDIOMS for row in expected(read(path))]
    statements = ast.Expr | ast.Assign | ast.AugAssign | ast.Return
    friends = [
        node
        for path in FALSE_FRIENDS
        for node in ast.walk(ast.parse(read(path)))
        if isinstance(node, statements)
    ]
    assert (len(lines), len(friends)) >= (150, 100)


@pytest.mark.filterwarnings("ignore:Passing more than 2 positional:DeprecationWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("path", FUNCTIONS, ids=lambda path: path.stem)
def test_values(path, dtype):
    source = read(path)
    before, after = functions_of(source, "before"), functions_of(rewritten(source), "after")
    conditions = conditions_by_function(source)
    differ = []
    for name, function in before.items():
        known = conditions.get(name, set())
        parameters = inspect.signature(function).parameters.values()
        wanted = [p.name for p in parameters if p.default is p.empty]
        given = operands(known, dtype, "w" in wanted)
        results = []
        for run in function, after[name]:
            arguments = copy.deepcopy({p: given[p] for p in wanted})
            with np.errstate(all="ignore"):
                results.append((run(**arguments), arguments))
        if idioms.SUM in known or (idioms.DTYPE in known and dtype == np.float32):
            equal = np.allclose(results[0][0], results[1][0], rtol=1e-5, equal_nan=True)
        else:
            equal = bits(results[0], known, dtype) == bits(results[1], known, dtype)
        if not equal:
            differ.append(name)
    assert differ == []


@pytest.mark.parametrize(
    ("body", "is_said"),
    [
        ("mask = z > 0\n    return d * mask", True),
        ("mask = z <= 0\n    d[mask] = 0\n    return d", True),
        ("return d * (z > 0)", False),
    ],
)
def test_an_operand_must_not_change_after_its_mask(body, is_said):
    [finding] = find(f"import numpy as np\ndef relu_backward(d, z):\n    {body}\n")
    assert (idioms.UNCHANGED in finding.conditions) == is_said


@pytest.mark.parametrize(
    ("mask", "backward", "given"),
    [
        ("x > 0", "return g * self.mask", "g, self.mask"),
        ("(x > 0).astype(float)", "return self.mask * g", "g, self.mask"),
        ("x > 0", "return np.where(self.mask, g, 0)", "g, self.mask"),
        ("x <= 0", "return np.where(self.mask, 0, g)", "g, self.mask"),
        ("0 >= x", "return g * ~self.mask", "g, self.mask"),
        ("x > 0", "return np.multiply(g, self.mask)", "g, self.mask"),
        ("x > 0", "g *= self.mask", "g, self.mask, out=g"),
        ("x <= 0", "g[self.mask] = 0", "g, self.mask, out=g"),
        ("x > 0", "return g * self.mask.astype(float)", "g, self.mask"),
        ("x > 0", "g[self.mask] = 0", None),
        ("x > 0", "return 0.5 * self.mask", None),
        ("x > 0", "return np.where(self.mask, 1, 0)", None),
        ("x > 0", "return np.multiply(self.mask, self.mask)", None),
        ("x > 0", "return np.multiply(g, self.mask, out=g)", None),
        ("x > 0", "return g.where(self.mask, 0)", None),
        ("x > 0", "return g.T * self.mask.T", None),
        ("x > 0", "self.mask &= g < 6\n        return g * self.mask", None),
        ("x > 0", "self.mask[0] = True\n        return g * self.mask", None),
        ("x > 0", "self.mask, n = g > 0, 1\n        return g * self.mask", None),
        ("x > 0", "self.other[self.mask] = 1\n        return g * self.mask", "g, self.mask"),
        ("x > 0", "return g * self.mask  # fastrelu: ignore", None),
        ("x <= 0", "return g * self.mask", None),
        ("x > 0", "return np.where(self.mask, 0, g)", None),
        ("x <= 0", "g[self.mask] *= 0.01", None),  # of leaky ReLU
        ("x > 1", "return g * self.mask", None),
        ("x > y", "return g * self.mask", None),
    ],
)
def test_kept_masks(mask, backward, given):
    forward = f"    def forward(self, x, y):\n        self.mask = {mask}\n"
    code = f"class Layer:\n{forward}    def backward(self, g):\n        {backward}\n"
    found = [f.replacement for f in find(f"import numpy as np\n{code}")]
    calls = [
        "y, self.mask = fastrelu.relu_with_mask(x)",
        f"fastrelu.relu_backward_from_mask({given})",
    ]
    assert found == (calls if given else [])


@pytest.mark.parametrize(
    ("mask", "option"), [("x > 0", ""), ("x >= 0", ", at_zero=1"), ("0 < x", "")]
)
def test_kept_masks_at_zero(mask, option):
    forward = f"    def forward(self, x):\n        self.mask = {mask}\n"
    code = f"class Layer:\n{forward}    def backward(self, g):\n        return g * self.mask\n"
    [made, _] = find(f"import numpy as np\n{code}")
    assert made.replacement == f"y, self.mask = fastrelu.relu_with_mask(x{option})"


@pytest.mark.parametrize(("module", "places"), [(".tools", 1), ("tools", 0)])
def test_np_may_come_from_all_names_of_a_neighbour(module, places):
    code = f"from {module} import *\ndef relu(x):\n    return np.maximum(x, 0)\n"
    assert len(find(code)) == places


@pytest.mark.parametrize(
    ("code", "places"),
    [
        ("def derivative(x, a):\n    return np.where(x > 0, 1.0, a * x)", 0),
        ("def derivative(x, a):\n    return np.where(x > 0, 1.0, a * y)", 1),
        ("def derivative(x, a):\n    return np.where(x > 0, 1.0, a * np.exp(y))", 0),  # of ELU
        ("def f(x: Optional[np.ndarray]):\n    return np.clip(x, 0, 1)", 1),
        ("def f(x: Optional[float]):\n    return np.clip(x, 0, 1)", 0),
        ("x = cvxpy.Variable(3)\nnp.maximum(x, 0)", 0),
        ("x = cvxpy.Variable(3)\ny = x.value\nnp.maximum(y, 0)", 1),
        ("x = tensorly.tensor(y)\nx[x < 0] = 0", 0),
        ("y = np.maximum(x - 1, 0)\nz = float(y)", 0),
        ("n = len(x)\ny = n / max(len(z), 1)\ny = np.clip(y, 0, 1)", 0),
        ("n = 0\nfor a in x:\n    n += len(a)\nnp.clip(n / len(x), 0, 1)", 0),
        ("n = 0\nfor a in x:\n    n += a\nnp.clip(n / len(x), 0, 1)", 1),
        ("for i in range(9):\n    np.clip(i / 9, 0, 1)", 0),
        ("n = len(x)\nn = np.minimum(5, n)\ny = np.maximum(n - 1, 0)", 0),
        ("def f(n: int, m=5):\n    return np.maximum(n / m - 1, 0)", 0),
        ("def f(n, m=5):\n    return np.maximum(n / m - 1, 0)", 1),
        ("def f(x):\n    if x > 3:\n        return 1\n    return np.clip(x, 0, 1)", 0),
        ("def f(x, y):\n    return 2 if y and not 0 < x else np.clip(x, 0, 1)", 0),
        ("y = np.clip(x, 0, 1)\nwhile y < 1:\n    x, y = step(x)", 0),
        ("def f(x):\n    if len(x) > 3:\n        return np.clip(x, 0, 1)", 1),
        ("def f(x: np.ndarray):\n    if x > 3:\n        return np.clip(x, 0, 1)", 1),
        ("def f(x):\n    if x is None:\n        return np.clip(x, 0, 1)", 1),
        ("def f(x):\n    if x > 3:\n        return 1\nx = load()\nnp.clip(x, 0, 1)", 1),
        ("y = (x + 1).clip(0, 1).permute(1, 2, 0).cpu()", 0),
        ("y = (x + 1).clip(0, 1).transpose(1, 2, 0).copy()", 1),
        ("np.fmax(0, iteration - 1) % n", 0),
        ("def f(t):\n    return np.clip(t, 0, 1)", 0),
        ("def f(bias):\n    return np.clip(bias, 0, 1)", 0),
        ("def f(t):\n    return np.clip(t['low'], 0, 1)", 0),
        ("def f(t):\n    def g(t):\n        return t.sum()\n    return np.clip(t, 0, 1)", 0),
        ("def f(times):\n    return np.clip(times, 0, 1)", 1),
        ("def f(t):\n    return np.clip(t - t.mean(), 0, 1)", 1),
        ("def f(t):\n    t[t > 3] = 3\n    return np.clip(t, 0, 1)", 1),
        ("def f(t, m):\n    t[m] = 3\n    return np.clip(t, 0, 1)", 1),
        ("def f(t):\n    return np.clip(t[:, 0], 0, 1)", 1),
        ("t = np.zeros(3)\nt = np.clip(t, 0, 1)", 1),
        ("t = np.sqrt(m)\nt = 2 * t\nt = np.clip(t, 0.0, 1.0)", 1),
        ("def f(t, w):\n    return np.clip(t @ w, 0, 1)", 1),
        ("t, u = cv2.split(v)\nt = np.clip(t, 0, 1)", 1),
        ("t = np.clip(cv2.contourArea(v), 0, 1)", 0),
        ("t, u = split(v)\nt = np.clip(t, 0, 1)", 0),
        ("def f(t) -> float:\n    return np.maximum(t, 0)", 0),
        ("def f(t) -> np.ndarray:\n    return np.maximum(t, 0)", 1),
        ("y = np.maximum(x - 1, 0)\nz = int(np.ceil(y + 3))", 0),
        ("y = np.maximum(x - 1, 0)\nz = int(y.sum())", 1),
        ("y = np.log(x)\ny[y < 0] = 0\nz = y.cpu()", 0),
        ("y = y.permute(1, 0).numpy()\ny[y < 0] = 0", 1),
        ("y = x.sel(time=3).clip(min=0)", 0),
        ("w = np.maximum(0, b - a)\ns = w * w\nif s < 1:\n    pass", 0),
        ("w = np.maximum(0, b - a)\ns = w @ w\nif s < 1:\n    pass", 1),
        (
            "def prime(n):\n    if isinstance(n, np.ndarray):\n        return (n > 0) * 1\n"
            "    if n > 0:\n        return 1",
            1,
        ),
        ("d = (a - b).dt.days\nd = np.where(d < 0, 0, d)", 0),
        ("s = np.clip(x.fillna(0), 0, 1)\nnp.clip(s, 0, 1)", 0),
        ("def f(z, kind):\n    if kind == 'relu':\n        return (z > 0).astype(float)", 1),
        ("def f(z, kind):\n    if kind == 'relu': return (z > 0).astype(float)", 1),
        ("def f(z, kind):\n    if kind == 'relu':\n        return z\n    return (z > 0) * 1", 0),
        ("left_start = np.maximum(0, left_end - guard + 1)", 0),
        ("nstart = np.maximum(0, np.minimum(n - k, nstart))", 0),
        ("def f(trend):\n    return np.maximum(0, trend - 3)", 1),
        ("t = np.arange(9) * 0.5\nnp.maximum(t - 3, 0)", 1),
        ("z = np.zeros(9, dtype=np.int32)\nnp.maximum(z, 0, out=z)", 1),
        ("z = np.zeros(9, dtype=np.int32)\nx[z]\nnp.maximum(z, 0, out=z)", 0),
        ("i = np.asarray(x, float)\nnp.maximum(i, 0)", 1),
        ("def f(age, n):\n    age = np.where(n == 1, 2.0, 3.0)\n    return age.clip(0, 80)", 1),
        ("z = np.zeros_like(x)\nv = z[1:]\nv += 5\ny = np.maximum(x, z)", 0),
        ("t = np.clip(cv2.countNonZero(v), 0, 1)", 0),
        ("idx = np.arange(n)\nnp.maximum(idx - 3, 0)", 0),
        ("prices = np.arange(1, 9)\nnp.maximum(prices - 3, 0)", 1),
        ("places = np.arange(1, 9)\nx[places]\nnp.maximum(places - 3, 0)", 0),
        ("dead = np.all(matrix == 0, axis=0)", 0),
        ("dead = np.all(activations == 0, axis=0)", 1),
        ("x = np.sqrt(y)\nnp.mean(x > 0)", 1),
        ("np.mean(x > 0)", 0),
        ("x = np.sqrt(y)\nassert np.all(x <= 0)", 0),
        ("n = labels.astype(int)\n(n > 0).mean(axis=0)", 1),
        ("def f(t):\n    return np.median(t), np.clip(t, 0, 1)", 1),
        ("def f(t):\n    u = np.clip(t, 0, 1)\n    return u.sum()", 1),
        ("y = np.maximum(x - 1, 0)\nz = float(y) if np.ndim(y) == 0 else y", 1),
    ],
)
def test_what_the_program_tells_of_an_operand(code, places):
    libraries = ["numpy as np", *(name for name in ("cvxpy", "tensorly", "cv2") if name in code)]
    imports = "".join(f"import {library}\n" for library in libraries)
    assert len(find(f"{imports}from typing import Optional\n{code}")) == places
