"""What fastrelu uses of NumPy, CPython and others that they do not promise is still as it was.

One list. A test looks at each entry, and names the one that has changed; another searches the
sources for what is not on the list.
"""

import ast
import ctypes
import importlib
import importlib.util
import inspect
import re
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import fastrelu

if fastrelu.isa == "python":
    pytest.skip("nothing is compiled", allow_module_level=True)

from fastrelu import _core

ROOT = Path(__file__).parent.parent.parent

POINTER = ctypes.c_void_p
CHARS = {np.dtype(char).num: np.dtype(char).char for char in np.typecodes["All"]}


class UFunc(ctypes.Structure):
    """PyUFuncObject up to the last member that fastrelu uses."""

    _fields_ = [
        ("head", ctypes.c_byte * object.__basicsize__),
        *[(name, ctypes.c_int) for name in ("nin", "nout", "nargs", "identity")],
        *[(name, ctypes.POINTER(POINTER)) for name in ("functions", "data")],
        *[(name, ctypes.c_int) for name in ("ntypes", "reserved1")],
        ("name", ctypes.c_char_p),
        ("types", ctypes.POINTER(ctypes.c_byte)),
        *[(name, POINTER) for name in ("doc", "ptr", "obj", "userloops")],
        *[(name, ctypes.c_int) for name in ("core_enabled", "core_num_dim_ix")],
        *[(f"core_{name}", POINTER) for name in ("num_dims", "dim_ixs", "offsets", "signature")],
        *[(name, POINTER) for name in ("type_resolver", "dict", "vectorcall")],
    ]


class Descr(ctypes.Structure):
    """PyArray_Descr up to the last member that fastrelu uses."""

    _fields_ = [
        ("head", ctypes.c_byte * object.__basicsize__),
        ("typeobj", POINTER),
        *[(name, ctypes.c_char) for name in ("kind", "type", "byteorder", "flags")],
        ("type_num", ctypes.c_int),
    ]


def members(ufunc):
    return UFunc.from_address(id(ufunc))


def members_of_dtype(dtype):
    return Descr.from_address(id(dtype))


def loops(ufunc):
    """Return the types of the loops as the attribute `types` gives them."""
    c = members(ufunc)
    chars = [CHARS[number] for number in c.types[: c.ntypes * c.nargs]]
    each = ["".join(chars[i : i + c.nargs]) for i in range(0, len(chars), c.nargs)]
    return [f"{types[: c.nin]}->{types[c.nin :]}" for types in each]


def function(x):
    return x


def timedeltas_keep_their_unit():
    """The resolver is asked, and may ask that of np.add."""
    seconds, milliseconds = np.ones(1, "m8[s]"), np.ones(1, "m8[ms]")
    return (
        relu(seconds).dtype == seconds.dtype
        and add_relu(seconds, milliseconds).dtype == milliseconds.dtype
    )


def handler_of_a_large_output():
    multiarray = importlib.import_module("numpy._core.multiarray")
    return multiarray.get_handler_name(relu(np.ones(1 << 18)))


def clip_calls_maximum():
    """Its result has the memory that fastrelu gives to a large output."""
    multiarray = importlib.import_module("numpy._core.multiarray")
    with fastrelu.patched_numpy():
        return multiarray.get_handler_name(np.clip(np.ones(1 << 18), 0, None)) == "fastrelu"


def signatures_are_read():
    found = inspect.signature(fastrelu.relu_with_mask)
    return found == inspect.signature(fastrelu.reference.relu_with_mask)


def references_are_not_counted():
    return sys.getrefcount(relu) >= 1 << 30


def base_of_perceptrons():
    return importlib.import_module("sklearn.neural_network._base")


def functions_of_relu():
    base = base_of_perceptrons()
    return (
        base.ACTIVATIONS["relu"] is base.inplace_relu
        and base.DERIVATIVES["relu"] is base.inplace_relu_derivative
    )


def known_forward_pass():
    module = importlib.import_module("fastrelu.sklearn")
    return module._is_forward_pass(
        importlib.import_module("sklearn.neural_network").MLPClassifier._forward_pass
    )


def patch_is_taken():
    module = importlib.import_module("fastrelu.sklearn")
    with module.patched():
        return module.is_patched()


def namespace_of_operators():
    torch = importlib.import_module("torch")
    importlib.import_module("fastrelu.torch")
    return "_library" in vars(torch.ops.fastrelu)


class Private(NamedTuple):
    """Something that its library may change without notice."""

    library: str
    is_as_it_was: object
    then: str  # what users meet where it is not
    without: str = ""  # why it cannot be looked at here


REFERENCE = (
    "NumPy has to raise the version of its ABI: fastrelu warns at import that its compiled part "
    "cannot be imported, and runs its reference in Python. Without that, calls read other memory"
)
without_gil = (
    "" if sysconfig.get_config_var("Py_GIL_DISABLED") else "this Python counts all references"
)

of_python = np.frompyfunc(function, 1, 1)
add, relu, add_relu = np.add, fastrelu.relu, fastrelu.add_relu
f4 = np.dtype("f4")

PRIVATE = {
    "PyUFuncObject.nin": Private("numpy", lambda: members(add).nin == add.nin, REFERENCE),
    "PyUFuncObject.nargs": Private("numpy", lambda: members(add).nargs == add.nargs, REFERENCE),
    "PyUFuncObject.ntypes": Private("numpy", lambda: members(add).ntypes == add.ntypes, REFERENCE),
    "PyUFuncObject.types": Private("numpy", lambda: loops(add) == add.types, REFERENCE),
    "PyUFuncObject.name": Private("numpy", lambda: members(add).name == b"add", REFERENCE),
    "PyUFuncObject.functions": Private(
        "numpy",
        lambda: (
            members(relu).functions[1]
            and members(relu).functions[1] == members(add_relu).functions[1]
        ),
        REFERENCE,
    ),
    "PyUFuncObject.data": Private(
        "numpy",
        lambda: len({*members(relu).data[:5], *members(add_relu).data[:5]}) == 10,
        REFERENCE,
    ),
    "PyUFuncObject.obj": Private(
        "numpy", lambda: members(of_python).obj == id(function), REFERENCE
    ),
    "PyUFuncObject.type_resolver": Private(
        "numpy",
        lambda: (
            members(add).type_resolver != members(relu).type_resolver
            and members(relu).type_resolver == members(add_relu).type_resolver
        ),
        REFERENCE,
    ),
    "PyUFuncObject.vectorcall": Private(
        "numpy",
        lambda: _core.is_vectorcall_at(
            UFunc.vectorcall.offset, np.frompyfunc(function, 1, 1), np.add, np.negative
        ),
        "the ufuncs stay as NumPy made them: calls with small arrays are slower, and patch_numpy "
        "raises a RuntimeError",
    ),
    "PyArray_Descr.typeobj": Private(
        "numpy", lambda: members_of_dtype(f4).typeobj == id(np.float32), REFERENCE
    ),
    "PyArray_Descr.byteorder": Private(
        "numpy",
        lambda: members_of_dtype(f4.newbyteorder()).byteorder == f4.newbyteorder().str[0].encode(),
        REFERENCE,
    ),
    "PyArray_Descr.type_num": Private(
        "numpy", lambda: members_of_dtype(f4).type_num == f4.num, REFERENCE
    ),
    "the type resolver is asked for each new combination of dtypes": Private(
        "numpy",
        timedeltas_keep_their_unit,
        "results of timedelta64 and bool have other dtypes, and those of ml_dtypes a TypeError",
    ),
    "PyDataMem_SetHandler sets the memory of the next array": Private(
        "numpy",
        lambda: handler_of_a_large_output() == "fastrelu",
        "large outputs come from NumPy's memory, with its new pages: slower",
    ),
    "np.clip(x, 0, None) calls np.maximum": Private(
        "numpy", clip_calls_maximum, "with patch_numpy np.clip gains nothing"
    ),
    "the signature of a function in C is read from its docstring": Private(
        "python", signatures_are_read, "help and inspect.signature show no parameters"
    ),
    "_thread.RLock": Private(
        "python",
        lambda: importlib.import_module("_thread").RLock().acquire(),
        "fastrelu warns at import that its compiled part cannot be imported, and runs its "
        "reference in Python",
    ),
    "sys._getframe": Private(
        "python",
        lambda: sys._getframe().f_code.co_name == "<lambda>",
        "run --report prints an error for each call of np.maximum in place of its line",
    ),
    "_Py_UNOWNED_TID, _Py_IMMORTAL_REFCNT_LOCAL, ob_tid, ob_ref_local, ob_ref_shared of 3.13t; "
    "PyUnstable_Object_EnableDeferredRefcount of 3.14t": Private(
        "python",
        references_are_not_counted,
        "fastrelu cannot be built; if they only do something else, threads with small calls are "
        "slower",
        without_gil,
    ),
    "sklearn.neural_network._base": Private(
        "sklearn", base_of_perceptrons, "fastrelu.sklearn raises an ImportError"
    ),
    "sklearn.neural_network._base.ACTIVATIONS has inplace_relu, and DERIVATIVES its own": Private(
        "sklearn",
        functions_of_relu,
        "fastrelu.sklearn.patch raises a RuntimeError, FASTRELU_PATCH_SKLEARN=1 warns",
    ),
    "inplace_relu computes np.maximum(X, 0, out=X), its derivative delta[Z == 0] = 0": Private(
        "sklearn", patch_is_taken, "fastrelu.sklearn.patch raises a RuntimeError"
    ),
    "BaseMultilayerPerceptron._forward_pass": Private(
        "sklearn",
        known_forward_pass,
        "fastrelu.sklearn's perceptrons add and rectify in two passes: slower",
    ),
    "torch.ops.fastrelu keeps attributes": Private(
        "torch",
        namespace_of_operators,
        "a second import of fastrelu.torch in a process raises a RuntimeError",
    ),
}


@pytest.mark.parametrize("name", PRIVATE)
def test_private_member(name):
    private = PRIVATE[name]
    if private.library != "python" and importlib.util.find_spec(private.library) is None:
        pytest.skip(f"{private.library} is not installed")
    if private.without:
        pytest.skip(private.without)
    try:
        is_as_it_was, error = private.is_as_it_was(), ""
    except Exception as raised:
        is_as_it_was, error = False, f" ({raised!r})"
    if not is_as_it_was:
        library = sys if private.library == "python" else importlib.import_module(private.library)
        version = getattr(library, "__version__", "") or library.version
        pytest.fail(
            f"{private.library} {version} has changed: {name}{error}. Then {private.then}.",
            pytrace=False,
        )


def on_the_list(name):
    return any(name in entry for entry in PRIVATE)


def struct_members(header, struct):
    """Return the names of the members of a struct in one of NumPy's headers."""
    text = Path(np.get_include(), "numpy", header).read_text("utf-8")
    text = re.sub(r"/\*.*?\*/|^ *#.*?$", "", text, flags=re.S | re.M)
    body = re.search(r"typedef struct " + struct + r" \{(.*?)\n\}", text, re.S)[1]
    return {name for line in body.split(";") for name in re.findall(r"(\w+)\s*(?=,|$)", line)}


STRUCTS = {
    "PyUFuncObject": struct_members("ufuncobject.h", "_tagPyUFuncObject"),
    "PyArray_Descr": struct_members("ndarraytypes.h", "_PyArray_Descr"),
}


def c_sources():
    return [
        path.read_text("utf-8")
        for folder, suffixes in (("csrc", ("*.c", "*.h", "*.inc")), ("fastrelu", ("*.pyx",)))
        for suffix in suffixes
        for path in sorted((ROOT / folder).rglob(suffix))
    ]


def members_used(text, struct):
    """Return the members of a struct that are used by a pointer to it, or by a cast to one."""
    pointers = set(re.findall(rf"\b{struct} \*(?:const )?(\w+)\b", text))
    used = re.findall(rf"\(\({struct} \*\)[^;]*?\)\s*->(\w+)", text)
    for pointer in pointers:
        used += re.findall(rf"\b{pointer}->(\w+)", text)
    return used


with_sources = pytest.mark.skipif(not (ROOT / "csrc").exists(), reason="needs csrc/")


@with_sources
@pytest.mark.parametrize("struct", STRUCTS)
def test_members_of_structs_are_on_the_list(struct):
    used = {name for text in c_sources() for name in members_used(text, struct)} & STRUCTS[struct]
    listed = {entry.removeprefix(f"{struct}.") for entry in PRIVATE if entry.startswith(struct)}
    assert used == listed


@with_sources
def test_names_of_cpython_are_on_the_list():
    names = r"\b(?:_Py\w+|PyUnstable\w+|ob_\w+)"
    used = {name for text in c_sources() for name in re.findall(names, text)}
    assert [name for name in sorted(used) if not on_the_list(name)] == []


def private_names(path):
    """Yield the private names of other libraries in a file of Python, with what leads to them."""
    tree = ast.parse(path.read_text("utf-8"))
    imported = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {(name.asname or name.name.split(".")[0]): name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported |= {
                (name.asname or name.name): f"{node.module}.{name.name}" for name in node.names
            }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and re.match(r"[\w.]+$", ast.unparse(node)):
            root, _, rest = ast.unparse(node).partition(".")
            if root in imported:
                yield f"{imported[root]}.{rest}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
            yield node.value
    yield from imported.values()


def is_private(name):
    return re.fullmatch(r"(?:\w+\.)*_[a-z]\w*(?:\.\w+)*", name) and not re.match(
        r"fastrelu\b|_core$|os\._exit$",
        name,  # the last is documented
    )


def test_names_of_other_libraries_are_on_the_list():
    used = {
        name: path.name
        for path in sorted(Path(fastrelu.__file__).parent.rglob("*.py"))
        for name in private_names(path)
        if is_private(name)
    }
    for text in c_sources():  # Cython's are among them
        for module, name in re.findall(r"^(?:from (\w+) )?import (\w+)", text, flags=re.M):
            if is_private(f"{module}.{name}".strip(".")):
                used[f"{module}.{name}".strip(".")] = "C or Cython"
    assert {name: file for name, file in used.items() if not on_the_list(name)} == {}
