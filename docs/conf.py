"""How Sphinx builds the site: `sphinx-build -W --keep-going -b html docs build/site`."""

import inspect
import re
import sys
import zlib
from pathlib import Path

import fastrelu
from fastrelu import reference

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path[:0] = [str(DOCS), str(ROOT / "examples")]

import gallery  # noqa: E402
import machines  # noqa: E402
import pictures  # noqa: E402

project = "fastrelu"
copyright = "the authors of fastrelu"
version = release = fastrelu.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
root_doc = "index"
exclude_patterns = ["examples/*.py", "examples/*.ipynb", "examples/*.md5"]
templates_path = ["_templates"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(torch|sklearn)\..*")]

html_theme = "pydata_sphinx_theme"
html_title = "fastrelu"
html_favicon = "_static/icon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_context = {"default_mode": "auto"}
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "fastrelu", "image_light": html_favicon, "image_dark": html_favicon},
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
}
html_sidebars = {"index": []}

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4

autodoc_mock_imports = ["torch"]
autosummary_context = {
    "pictures": pictures.FUNCTIONS,
    # autodoc finds none for functions of C.
    "signatures": {
        f"fastrelu.{name}": str(inspect.signature(function))
        for name, function in vars(reference).items()
        if name in fastrelu.__all__
    },
}
default_role = "py:obj"
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {
    "array_like": ":term:`numpy:array_like`",
    "bool": ":class:`python:bool`",
    "ndarray": "numpy.ndarray",
    "scalar": ":class:`scalar <numpy.generic>`",
}
copybutton_exclude = ".linenos, .gp, .go"

# The names of other projects that the docstrings link to, without their inventories: a build asks
# no other host.
NUMPY = {
    "class": ["ndarray", "ufunc"],
    "data": ["maximum", "minimum"],
    "exception": ["exceptions.AxisError"],
    "function": ["errstate", "mean", "show_config", "sum"],
}
INVENTORIES = {
    "numpy": (
        "https://numpy.org/doc/stable/",
        [
            *(
                f"numpy.{name} py:{kind} 1 reference/generated/numpy.{name}.html#$ -"
                for kind, names in NUMPY.items()
                for name in names
            ),
            "array_like std:term -1 glossary.html#term-array_like -",
            "numpy.generic py:class 1 reference/arrays.scalars.html#$ -",
        ],
    ),
    "python": (
        "https://docs.python.org/3/",
        [
            *(
                f"{name} py:class 1 library/{page}.html#$ -"
                for page, names in (
                    ("functions", ("bool", "int")),
                    ("stdtypes", ("dict", "str", "tuple")),
                )
                for name in names
            ),
            "None py:data 1 library/constants.html#$ -",
        ],
    ),
}


def write_inventory(name, lines):
    """Write what intersphinx reads; return its path."""
    path = ROOT / "build" / f"{name}.inv"
    path.parent.mkdir(exist_ok=True)
    header = f"# Sphinx inventory version 2\n# Project: {name}\n# Version: \n# compressed by zlib\n"
    path.write_bytes(header.encode() + zlib.compress("\n".join([*lines, ""]).encode()))
    return str(path)


intersphinx_mapping = {
    name: (url, write_inventory(name, lines)) for name, (url, lines) in INVENTORIES.items()
}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "examples",
    "filename_pattern": rf"/({'|'.join(gallery.ARGUMENTS)})\.py",
    "ignore_pattern": r"^(command_line|network)\.py",
    "reset_argv": "gallery.arguments_of",
    "reset_modules": ["gallery.set_colours"],
    "image_scrapers": ["gallery.plots"],
    "default_thumb_file": str(DOCS / "pictures" / "relu.svg"),
    "download_all_examples": False,
    "show_signature": False,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "plot_gallery": True,
    "abort_on_example_error": True,
}


# Pages that lie in the root, for whoever reads them in the repository.
OF_ROOT = {"contributing": "CONTRIBUTING.md", "changelog": "CHANGELOG.md"}
LINKS = [
    (r"\[[\w./]+\.md\]\(", "[]("),  # the name of a file is no title
    *((rf"\]\((?:\.\./)?{path}", f"]({name}.md") for name, path in OF_ROOT.items()),
    (r"\]\((?:\.\./)?examples/(\w+)\.py", r"](examples/\1.rst"),
    (r"\]\((?:\.\./)?examples\)", "](examples/index.rst)"),
    (r"\]\(docs/", "]("),
]


def read_source(app, name, source):
    """Give a page of the root its text, and links to such pages and examples their pages here."""
    if name in OF_ROOT:
        source[0] = (ROOT / OF_ROOT[name]).read_text(encoding="utf-8")
        app.env.note_dependency(str(ROOT / OF_ROOT[name]))
    if app.env.doc2path(name, base=False).suffix == ".md":
        for pattern, link in LINKS:
            source[0] = re.sub(pattern, link, source[0])


def leave_signature(app, what, name, *arguments):
    """Take none of what NumPy says of a ufunc (x1, x2), nor of a mock of a module."""
    if name in autosummary_context["signatures"]:
        return None, None
    return ("", "") if what == "class" and name.startswith("fastrelu.torch.") else None


def write_pictures(app):
    pictures.write_all(DOCS / "pictures")
    machines.write_all()


def setup(app):
    app.connect("builder-inited", write_pictures, priority=0)
    app.connect("source-read", read_source)
    app.connect("autodoc-process-signature", leave_signature, priority=0)
