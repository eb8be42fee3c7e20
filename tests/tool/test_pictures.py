"""The pictures of docs/pictures.py: of the records, with every loss, and legible in both modes."""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import fastrelu

DOCS = Path(__file__).parents[2] / "docs"
if not (DOCS / "pictures.py").is_file():
    pytest.skip("docs/ is not beside these tests", allow_module_level=True)

sys.path.insert(0, str(DOCS))
import pictures  # noqa: E402

sys.path.remove(str(DOCS))

BACKGROUNDS = {"light": "#ffffff", "dark of the site": "#14181e", "dark of GitHub": "#0d1117"}
COLOURS = [getattr(pictures, name) for name in ("GREY", "BLUE", "ORANGE", "GREEN", "RED", "VIOLET")]
LINES = "{http://www.w3.org/2000/svg}polyline"
LEAST_CONTRAST = 3  # for graphics and large text, by the guidelines for web content (WCAG) 2.2


@pytest.fixture(scope="module")
def record():
    if not pictures.RECORD.is_file():
        pytest.skip("bench/ is not beside these tests")
    return pictures.read(pictures.RECORD)


def test_the_figure_of_the_readme_is_that_of_the_record(record):
    assert pictures.SPEEDUP.read_text("utf-8") == str(pictures.speedup(record))


@pytest.mark.parametrize("slower", [1, 2])
def test_it_has_six_lines_at_most_and_shows_each_loss(record, slower):
    rows = [
        row | {"seconds": row["seconds"] * (slower if row["contender"] == "fastrelu" else 1)}
        for row in record["rows"]
    ]
    lines = pictures.ratios(rows)
    assert len(lines) <= 6
    losses = [ratio for *_, of in lines for ratio in of.values() if ratio < 0.99]
    assert losses or slower == 1
    drawing = pictures.speedup(record | {"rows": rows})
    root = ET.fromstring(str(drawing))
    (one,) = (line for line in root.iter(LINES) if line.get("stroke-width") == "1.6")
    level = float(one.get("points").split(",")[-1])
    below = [
        float(circle.get("cy"))
        for circle in root.iter("{http://www.w3.org/2000/svg}circle")
        if float(circle.get("cy")) > level + 0.5
    ]
    assert len(below) == len(losses)
    assert max(below, default=0) < drawing.height


@pytest.mark.parametrize("name", pictures.CURVES)
def test_a_function_is_drawn_through_its_values(name):
    """Each point of the thick line is one of the function, on the scale of the axes."""
    root = ET.fromstring(str(pictures.curve(name)))
    of_width = {}
    for line in root.iter(LINES):
        points = [[float(c) for c in point.split(",")] for point in line.get("points").split()]
        of_width.setdefault(line.get("stroke-width"), []).append(np.array(points))
    (x_of_zero,) = (line[0, 0] for line in of_width["1.2"] if line[0, 0] == line[1, 0])
    (y_of_zero,) = (line[0, 1] for line in of_width["1.2"] if line[0, 1] == line[1, 1])
    (line,) = of_width["5"]
    x, y = (line - [x_of_zero, y_of_zero]).T / [[pictures.UNIT], [-pictures.UNIT]]
    np.testing.assert_allclose(y, pictures.CURVES[name][1](x), atol=0.01)
    assert (x.min(), x.max()) == (-3, 3)


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("colour", COLOURS)
def test_a_colour_is_seen_on(background, colour):
    lighter, darker = sorted(map(luminance, (colour, BACKGROUNDS[background])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) > LEAST_CONTRAST


def luminance(colour):
    """Return the relative luminance of a colour, by WCAG."""
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_each_function_with_a_picture_is_public():
    assert {name.removeprefix("fastrelu.") for name in pictures.FUNCTIONS} <= set(fastrelu.__all__)
