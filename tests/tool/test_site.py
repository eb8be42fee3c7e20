"""The site of docs/: it builds without a warning, its links lead somewhere, its pages load."""

import importlib
import json
import operator
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import browser
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
if not (DOCS / "conf.py").is_file():
    pytest.skip("docs/ is not beside these tests", allow_module_level=True)
for name in (
    "sphinx",
    "myst_parser",
    "numpydoc",
    "pydata_sphinx_theme",
    "sphinx_gallery",
    "vl_convert",
):
    pytest.importorskip(name, reason="builds the site: pip install --group docs")

sys.path.insert(0, str(DOCS))
import pictures  # noqa: E402

pytestmark = pytest.mark.xdist_group("site")

SOURCES = ["docs", "examples", "bench", "CONTRIBUTING.md", "CHANGELOG.md"]
WIDTHS = (400, 1280)
# Elements that are wider than their place. Code and tables may be, in a frame that scrolls.
WIDE = """
    [...document.querySelectorAll("*")].filter(element =>
        element.scrollWidth > element.clientWidth + 1
        && (element === document.documentElement
            || ["auto", "scroll"].includes(getComputedStyle(element).overflowX))
        && !element.matches("pre, .pst-scrollable-table-container")
    ).map(element => `${element.tagName} ${element.className}: ${element.scrollWidth} px wide`)
"""
# What a page loads: an element and its attribute.
LOADED = {
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("video", "src"),
    ("object", "data"),
    ("link", "href"),
}


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Build the site from a copy of its sources; return its folder."""
    copy = tmp_path_factory.mktemp("sources")
    for source in SOURCES:
        path = copy / source
        path.parent.mkdir(exist_ok=True)
        if (ROOT / source).is_dir():
            generated = shutil.ignore_patterns("api", "examples", "pictures", "__pycache__")
            shutil.copytree(ROOT / source, path, ignore=generated if source == "docs" else None)
        else:
            shutil.copy(ROOT / source, path)
    options = ["-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "sphinx", *options, copy / "docs", copy / "site"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return copy / "site"


class Page(HTMLParser):
    """The anchors of a page, its links, and what it loads."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loaded = {""}, [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes.get("id"), attributes.get("name")}
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        for name, value in attributes.items():
            if (tag, name) in LOADED:
                self.loaded.append(value)
            if name in ("srcset", "style"):
                self.loaded += re.findall(r"https?://[^\s,)]+", value or "")


@pytest.fixture(scope="session")
def pages(site):
    """Return the pages by their paths; _static holds a template of the theme."""
    paths = sorted(path for path in site.rglob("*.html") if "_static" not in path.parts)
    return {path: Page(path.read_text("utf-8")) for path in paths}


def is_elsewhere(address):
    return bool(urlsplit(address).netloc)


def target_of(path, address):
    """Return the file and the anchor that a link of a page leads to."""
    parts = urlsplit(address)
    return (path.parent / unquote(parts.path)).resolve() if parts.path else path, unquote(
        parts.fragment
    )


def test_links_and_anchors(pages):
    dead = []
    for path, page in pages.items():
        for link in [*page.links, *page.loaded]:
            if is_elsewhere(link) or urlsplit(link).scheme:
                continue
            target, anchor = target_of(path, link)
            if not target.is_file() or (target in pages and anchor not in pages[target].anchors):
                dead.append((path.name, link))
    assert dead == []


def test_links_to_numpy_are_to_names_that_it_has(pages):
    links = {link for page in pages.values() for link in page.links}
    generated = "https://numpy.org/doc/stable/reference/generated/"
    names = {
        link: re.fullmatch(rf"{generated}numpy\.([\w.]+)\.html#numpy\.\1", link)
        for link in links
        if link.startswith(generated)
    }
    assert names
    wrong = []
    for link, found in names.items():
        try:
            operator.attrgetter(found[1])(np)
        except (AttributeError, TypeError):
            wrong.append(link)
    assert wrong == []


def test_nothing_is_loaded_from_another_host(site, pages):
    loaded = [(path.name, link) for path, page in pages.items() for link in page.loaded]
    for path in site.rglob("*.css"):
        text = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
        found = re.findall(r"""(?:url\(|@import)\s*["']?([^"')\s;]+)""", text)
        loaded += [(path.name, address) for address in found]
    for path in site.rglob("*.svg"):
        found = re.findall(r"""(?:href|src)=["']([^"']+)|url\(([^)]+)\)""", path.read_text("utf-8"))
        loaded += [(path.name, address) for pair in found for address in pair if address]
    assert len(loaded) > len(pages)
    assert [(name, address) for name, address in loaded if is_elsewhere(address)] == []


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    if browser.EXECUTABLE is None:
        pytest.skip("there is no chromium")
    with browser.Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_in_a_browser(site, pages, chromium, width):
    """No error in the console, no request to another host, no page wider than the window."""
    faults = {}
    for path in pages:
        chromium.open(path.as_uri(), width)
        faults[path.relative_to(site).as_posix()] = [
            *chromium.errors(),
            *(url for url in chromium.requests() if not url.startswith(("file:", "data:"))),
            *chromium.evaluate(WIDE),
        ]
    assert {path: found for path, found in faults.items() if found} == {}


CHOOSE = """(async choice => {
    for (const [name, value] of Object.entries(choice))
        document.querySelector(`form.results [name=${name}]`).value = value;
    document.querySelector("form.results").dispatchEvent(new Event("change"));
    await window.drawn;
    const marks = [...document.querySelectorAll("#results-faster .mark-symbol path")];
    const shown = marks.filter(mark => mark.getAttribute("opacity") !== "0");
    return [shown.length, shown.filter(mark => mark.getAttribute("fill") === "%s").length];
})(%s)"""


def test_the_figures_of_results_show_each_row_and_each_loss(site, chromium):
    """A mark for each size of each machine, red where another library is faster."""
    machines = importlib.import_module("machines")
    expected = {}
    for record in machines.load():
        for group, rows in record.by_group(every=False).items():
            ratios = [record.times_faster(row) for row in rows.values()]
            marks, losses = expected.get(group, (0, 0))
            lost = sum(ratio < 1 for ratio in ratios)
            expected[group] = (marks + len(ratios), losses + lost)
    assert sum(losses for _, losses in expected.values()) > 0
    chromium.open((site / "results.html").as_uri(), WIDTHS[-1])
    drawn = {}
    for group in expected:
        choice = dict(zip(("operation", "output", "dtype"), group, strict=True))
        drawn[group] = tuple(chromium.evaluate(CHOOSE % (pictures.RED, json.dumps(choice))))
    assert drawn == expected
    assert chromium.errors() == []


def test_a_point_of_a_figure_says_what_it_is(site, chromium):
    chromium.open((site / "results.html").as_uri(), WIDTHS[-1])
    chromium.evaluate("window.drawn.then(() => scrollTo(0, 0))")
    x, y = chromium.evaluate(
        """(() => {
            const mark = document.querySelector("#results-faster .mark-symbol path");
            const box = mark.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        })()"""
    )
    chromium.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    text = chromium.evaluate('document.querySelector("#vg-tooltip-element").innerText')
    for word in ("machine", "elements", "fastrelu", "fastest other", "times faster", "GB/s"):
        assert word in text


def test_the_search_finds_a_function(site, chromium):
    chromium.open((site / "search.html").as_uri() + "?q=leaky_relu_backward", WIDTHS[-1])
    found = chromium.evaluate(
        """new Promise(resolve => {
            const look = () => {
                const links = [...document.querySelectorAll("#search-results li a")];
                links.length ? resolve(links.map(link => link.href)) : setTimeout(look, 50);
            };
            look();
        })"""
    )
    assert any("fastrelu.leaky_relu_backward" in link for link in found)
