"""The recipes of docs/integrations.md, taken from the page as their benchmark takes them."""

import importlib.util
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "integrations.py"


@pytest.fixture(scope="session")
def integrations():
    """Return the benchmark of the recipes as a module."""
    if not BENCH.is_file():
        pytest.skip("bench/ is not beside these tests")
    spec = importlib.util.spec_from_file_location("integrations", BENCH)
    integrations = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(integrations)
    if not integrations.PAGE.is_file():
        pytest.skip("docs/ is not beside these tests")
    return integrations


@pytest.fixture(scope="session")
def recipe(integrations):
    """Return recipe(library): the names that the block of the page for a library defines."""
    return integrations.recipe
