"""Every public name has a docstring of numpydoc's full form, and stands in the reference."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

import fastrelu
from fastrelu import reference

validate = pytest.importorskip(
    "numpydoc.validate", reason="checks docstrings: pip install --group docs"
)

API = Path(__file__).parents[2] / "docs" / "api.rst"
NEEDS = {"fastrelu": "numpy", "fastrelu.sklearn": "sklearn", "fastrelu.torch": "torch"}
# What numpydoc.validate looks for that is not asked here.
NOT_ASKED = {
    "ES01",  # more than a summary
    "SA01",  # a section "See Also"
    "YD01",  # a section "Yields", of functions that return a context manager
}
# A class with the parameters of the class that it extends, which documents them.
AS_BASE = {"fastrelu.sklearn.MLPClassifier", "fastrelu.sklearn.MLPRegressor", "fastrelu.torch.ReLU"}
NO_FUNCTIONS = {"fastrelu.implementations", "fastrelu.isa", "fastrelu.reference"}


def public_names():
    """Return the modules and their public names, as the stubs list those that need a library."""
    root = Path(fastrelu.__file__).parent
    for module in NEEDS:
        if module == "fastrelu":
            names = fastrelu.__all__
        else:
            text = (root / f"{module.removeprefix('fastrelu.')}.pyi").read_text(encoding="utf-8")
            names = re.findall(r'"(\w+)"', re.search(r"__all__ = \[(.*?)\]", text, re.DOTALL)[1])
        yield from ((module, name) for name in names)


NAMES = list(public_names())
FUNCTIONS = [(module, name) for module, name in NAMES if f"{module}.{name}" not in NO_FUNCTIONS]
DEFINED = [name for _, name in FUNCTIONS if hasattr(reference, name) and name in fastrelu.__all__]


@pytest.fixture
def documented(request):
    """Return the full name of what has the docstring, and the object."""
    module, name = request.param
    pytest.importorskip(NEEDS[module])
    if module == "fastrelu" and name in DEFINED:  # of functions of C, inspect knows other names
        module = "fastrelu.reference"
    return f"{module}.{name}", getattr(importlib.import_module(module), name)


every_function = pytest.mark.parametrize("documented", FUNCTIONS, ids=".".join, indirect=True)


@every_function
def test_the_form(documented):
    path, _ = documented
    errors = validate.validate(path)["errors"]
    exempt = NOT_ASKED | ({"PR01"} if path in AS_BASE else set())
    assert [error for error in errors if error[0] not in exempt] == []


@every_function
def test_what_takes_parameters_says_what_it_raises(documented):
    path, _ = documented
    found = validate.Validator(validate.get_doc_object(validate.Validator._load_obj(path)))
    assert bool(found.doc_parameters) <= bool(found.doc["Raises"])


@pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback has no patches")
@every_function
def test_the_example_runs(documented):
    path, function = documented
    finder = doctest.DocTestFinder(recurse=False)
    (example,) = finder.find(function, path, module=False, globs={})
    assert example.examples
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example).failed == 0


@pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback has no functions of C")
@pytest.mark.parametrize("name", sorted(set(DEFINED)))
def test_functions_of_c_have_the_docstring_of_the_reference(name):
    text = getattr(fastrelu, name).__doc__
    assert text.endswith(getattr(reference, name).__doc__)


def test_the_reference_has_every_name():
    if not API.exists():
        pytest.skip("docs/ is not beside these tests")
    listed, module = [], "fastrelu"
    for line in API.read_text(encoding="utf-8").splitlines():
        if found := re.fullmatch(r"\.\. currentmodule:: (\S+)", line):
            module = found[1]
        elif found := re.fullmatch(r"   ([a-zA-Z]\w*)|\.\. py:data:: (\w+)", line):
            listed.append((module, found[1] or found[2]))
        elif found := re.fullmatch(r"\.\. module:: (\S+)\.(\w+)", line):
            listed.append((found[1], found[2]))
    assert sorted(listed) == sorted(NAMES)
