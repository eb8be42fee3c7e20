"""What README.md and docs/ show is what happens: every block runs, or says why not."""

import doctest
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import pytest
from helpers import QUICK_CHECK

import fastrelu

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
if not DOCS.is_dir():
    pytest.skip("README.md and docs/ are not beside these tests", allow_module_level=True)

PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
COMMENT = re.compile(r"<!-- (.*) -->")
TOCTREE = re.compile(r"^:::\{toctree\}\n(?::\w[^\n]*\n)*\n?(.*?)^:::", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")


class Block(NamedTuple):
    """
    A fenced block of a page.

    A comment in a line of its own before it may say what it takes: `needs: a, b`, modules without
    which a block of Python is skipped; `not run: why`, for a block of commands.
    """

    page: Path
    language: str
    first: int  # its lines in the page, from 0
    end: int
    comments: list[str]

    def __str__(self):
        return f"{self.page.name}:{self.first + 1}"

    @property
    def lines(self):
        return lines_of(self.page)[self.first : self.end]

    def after(self, word):
        """Return what follows the word in a comment, or None."""
        found = [text.removeprefix(word) for text in self.comments if text.startswith(word)]
        return found[0].strip() if found else None

    @property
    def needs(self):
        return re.findall(r"[\w.]+", self.after("needs:") or "")


def lines_of(page):
    return page.read_text(encoding="utf-8").splitlines()


def blocks_of(page):
    blocks, comments, begun = [], [], None
    for number, line in enumerate(lines_of(page)):
        if begun:
            if line.strip() == "```":
                blocks.append(Block(page, begun[0], begun[1], number, comments))
                begun, comments = None, []
        elif line.lstrip().startswith("```"):
            begun = line.strip().removeprefix("```"), number + 1
        elif comment := COMMENT.fullmatch(line):
            comments.append(comment[1])
        else:
            comments = []
    assert begun is None, f"{page.name}: a block has no end"
    return blocks


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
PYTHON = [block for block in BLOCKS if block.language == "python"]
COMMANDS = [block for block in BLOCKS if block.language == "sh"]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_is_run_or_says_why_not(block):
    if block.language == "python":
        assert any(line.startswith(">>> ") for line in block.lines)
    assert block.language in ("python", "sh", "text")
    assert block.after("not run:") != ""
    assert block.after("not run:") is None or block.language == "sh"
    assert not block.needs or block.language == "python"
    assert not any("+SKIP" in line for line in block.lines)


@pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback has errors of its own")
@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python(block):
    """Run a block after those before it in its page that need no other package."""
    for name in block.needs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pytest.importorskip(name)
    before = [other for other in PYTHON if other.page == block.page and other.first < block.first]
    shown = {
        number
        for other in [*(other for other in before if not other.needs), block]
        for number in range(other.first, other.end)
    }
    text = "\n".join(
        line if number in shown else "" for number, line in enumerate(lines_of(block.page))
    )
    example = doctest.DocTestParser().get_doctest(text, {}, str(block), str(block.page), 0)
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example).failed == 0


@pytest.mark.parametrize("block", COMMANDS, ids=str)
def test_commands(block, tmp_path):
    if reason := block.after("not run:"):
        pytest.skip(f"by its comment: {reason}")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(block.lines)],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def anchors_of(page):
    """Return what GitHub makes of the headings of a page."""
    headings = [line.lstrip("#") for line in lines_of(page) if re.match("#+ ", line)]
    return {re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_links(page):
    for path, anchor in LINK.findall("\n".join(lines_of(page))):
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors_of(target), anchor


def test_the_site_leads_to_every_page():
    trees = [tree for page in PAGES for tree in TOCTREE.findall(page.read_text(encoding="utf-8"))]
    pages = {page.stem for page in DOCS.glob("*.md")} | {"api", "examples/index"}
    assert sorted(" ".join(trees).split()) == sorted(pages - {"index"})


BENCH = ["-m", "fastrelu", "bench", "--contenders", "numpy", "--threads", "1", "--seconds", "1"]
RECORDS = {
    "numpy": [*QUICK_CHECK, "--most", "16", "--seconds", "0.1"],
    "sizes": [*BENCH, "--operations", "forward,backward", "--sizes", "16,4K"],
    "others": [*BENCH, "--operations", "forward", "--where", "new,out", "--sizes", "16"],
    "peers": [*BENCH, "--operations", "leaky,soft", "--where", "out", "--sizes", "16,4K"],
    "ratios": [ROOT / "bench" / "targets.py", "--short"],
}
ROWS = {"speed": 4, "numpy": 13, "sizes": 2, "others": 2, "peers": 8, "ratios": 42}
MARKED = re.compile(r"<!-- begin (\w+) -->\n(.*?)<!-- end \1 -->", re.DOTALL)


def run_python(*arguments):
    subprocess.run([sys.executable, "-P", *arguments], check=True, capture_output=True, timeout=120)


def test_tables_are_written_from_records(tmp_path):
    pages = {
        name: (ROOT / name).read_text("utf-8") for name in ("README.md", "docs/performance.md")
    }
    (tmp_path / "docs").mkdir()
    for name, page in pages.items():
        (tmp_path / name).write_text(page, "utf-8")
    options = []
    for name, command in RECORDS.items():
        run_python(*command, "--json", tmp_path / name)
        options += [f"--{name}", tmp_path / name]
    run_python(ROOT / "bench" / "performance_page.py", "--root", tmp_path, *options)

    written = {name: (tmp_path / name).read_text("utf-8") for name in pages}
    tables = dict(MARKED.findall("".join(written.values())))
    assert re.search("the slower one in [0-2] of 2 rows", tables.pop("lost"))
    assert tables.pop("idioms") == dict(MARKED.findall(pages["docs/performance.md"]))["idioms"]
    header_and_rule = 2
    assert {
        name: len(re.findall("^[|]", text, re.MULTILINE)) - header_and_rule
        for name, text in tables.items()
    } == ROWS
    for name, page in pages.items():
        assert MARKED.sub("", written[name]) == MARKED.sub("", page)
