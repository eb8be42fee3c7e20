"""How many times faster the replacements are, as bench/idioms.py has measured it."""

import json
import os
from functools import cache

FILE = os.path.join(os.path.dirname(__file__), "factors.json")


@cache
def table():
    """Return the measurements: the machine, the versions, the conditions and the factors."""
    with open(FILE, encoding="utf-8") as file:
        return json.load(file)


def factor(idiom):
    """Return how many times faster the replacement of an idiom is on one thread, or None."""
    return table()["factors"].get(idiom)


def conditions():
    """Return in one line of what and where the factors were measured."""
    found = table()
    return (
        f"{found['dtype']}, {found['elements']:,} elements, processor time on one thread; "
        f"{found['cpu']}, fastrelu {found['fastrelu']} ({found['isa']}), NumPy {found['numpy']}"
    )
