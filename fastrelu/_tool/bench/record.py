"""What a record of measurements holds, and what is wrong with one that does not hold it."""

import json
import math
from collections.abc import Callable
from typing import NamedTuple

from .contenders import OUTPUTS

PARTS = ("fastrelu", "numpy", "copy")
ENDINGS = tuple(f" {output}" for output in OUTPUTS)
LIMIT = 2**63  # of every number
TOLERANCE = 1e-6  # relative, of what follows from other figures


class Value(NamedTuple):
    """A value that is neither an object nor a list: what is needed, and whether one is that."""

    needed: str
    holds: Callable


def _number(value):
    return type(value) in (int, float) and 0 <= value < LIMIT


TEXT = Value("a text", lambda value: isinstance(value, str) and value != "")
BOOL = Value("true or false", lambda value: isinstance(value, bool))
COUNT = Value("a whole number above 0", lambda value: type(value) is int and 0 < value < LIMIT)
FIGURE = Value("a number above 0", lambda value: _number(value) and value > 0)
SHARE = Value("a number from 0 up", _number)
OUTPUT = Value(f"one of {', '.join(OUTPUTS)}", lambda value: value in OUTPUTS)
OPERATION = Value(
    f"a name that ends in {', '.join(OUTPUTS)}",
    lambda value: isinstance(value, str) and value.endswith(ENDINGS),
)
NAMED = Value(
    "an object of texts",
    lambda value: isinstance(value, dict) and all(map(TEXT.holds, value.values())),
)
SIZES = Value(
    "an object of whole numbers",
    lambda value: isinstance(value, dict) and all(map(COUNT.holds, value.values())),
)

# A name with "?" need not be there; a list has one form for all of its values.
ABOUT = {
    "command": TEXT,
    "remark?": TEXT,
    "fastrelu": {
        "version": TEXT,
        "isa in use": TEXT,
        "compiler": TEXT,
        "numpy": TEXT,
        "python": TEXT,
    },
    "machine": {"cpu": TEXT, "cores": COUNT, "cache_bytes": SIZES, "system": TEXT},
}
MEASURED = {"seconds": FIGURE, "bytes": COUNT}
TIMES = MEASURED | {"gigabytes_per_second": FIGURE}
OF_BENCH = ABOUT | {
    "bench": {
        "date": TEXT,
        "versions": NAMED,
        "selection?": {"threads": [COUNT], "gap?": SHARE},
    },
    "noise": {"warnings?": [TEXT]},
    "rows": [
        {
            "contender": TEXT,
            "is_limit": BOOL,
            "threads": COUNT,
            "operation": TEXT,
            "output": OUTPUT,
            "dtype": TEXT,
            "elements": COUNT,
            "median_seconds": FIGURE,
            **MEASURED,
            "gigabytes_per_second?": FIGURE,
            "ns_per_element?": FIGURE,
        }
    ],
}
OF_MAIN = ABOUT | {
    "threads": COUNT,
    "rows": [
        {
            "operation": OPERATION,
            "dtype": TEXT,
            "elements": COUNT,
            **dict.fromkeys(PARTS, TIMES),
        }
    ],
}


def fault(record):
    """Return in one line what is wrong with a record that --json or --results wrote, or None."""
    is_of_bench = isinstance(record, dict) and "bench" in record
    found = _unlike(record, OF_BENCH if is_of_bench else OF_MAIN, "")
    if found is not None:
        return found
    for i, row in enumerate(record["rows"]):
        parts = {"": row} if is_of_bench else {f".{name}": row[name] for name in PARTS}
        for name, part in parts.items():
            for figure, follows in _derived(part, row["elements"]).items():
                if not math.isclose(part.get(figure, follows), follows, rel_tol=TOLERANCE):
                    return (
                        f"rows[{i}]{name}.{figure} is {part[figure]:.6g}, but bytes and seconds "
                        f"give {follows:.6g}"
                    )
    if not any(row.get("contender", "fastrelu") == "fastrelu" for row in record["rows"]):
        return "rows: none is of fastrelu"
    return None


def as_stored(record):
    """Return a record of bench as bench/results keeps it: what was measured, with a row a line."""
    names = [name for name in OF_BENCH["rows"][0] if not name.endswith("?")]
    short = [{name: _rounded(row[name]) for name in names} for row in record["rows"]]
    rows = ",\n    ".join(json.dumps(row, separators=(",", ":")) for row in short)
    about = json.dumps(record | {"rows": []}, indent=2)
    return about.replace('"rows": []', f'"rows": [\n    {rows}\n  ]', 1).encode() + b"\n"


def _rounded(value):
    return float(f"{value:.7g}") if isinstance(value, float) else value


def with_figures(row):
    """Return a row of bench with the figures that follow from what was measured."""
    return _derived(row, row["elements"]) | row


def _derived(part, elements):
    """Return the figures of a row or of a part of one that follow from others in it."""
    found = {"gigabytes_per_second": part["bytes"] / part["seconds"] / 1e9}
    if part.get("is_limit") is False:  # a copy's is for the bytes of the operation
        found["ns_per_element"] = 1e9 * part["seconds"] / elements
    return found


def _unlike(value, form, place):
    """Return where a value is unlike a form, and how; or None."""
    if isinstance(form, Value):
        return (
            None if form.holds(value) else f"{place}: {form.needed} is needed, not {_text(value)}"
        )
    if isinstance(form, list):
        if not isinstance(value, list):
            return f"{place}: a list is needed, not {_text(value)}"
        parts = ((of, form[0], f"{place}[{i}]") for i, of in enumerate(value))
    else:
        if not isinstance(value, dict):
            return f"{place or 'the record'}: an object is needed, not {_text(value)}"
        for name in form:
            if name not in value and not name.endswith("?"):
                return f"{place or 'the record'}: {name!r} is missing"
        named = ((name.removesuffix("?"), of) for name, of in form.items())
        parts = (
            (value[name], of, f"{place}.{name}".lstrip(".")) for name, of in named if name in value
        )
    return next(filter(None, (_unlike(*part) for part in parts)), None)


def _text(value):
    """Return a value as JSON, shortened."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."
