"""Runs the examples for their pages: with short options, and colours that both modes show."""

from pathlib import Path

import matplotlib
from pictures import BLUE, GREEN, GREY, ORANGE, RED, VIOLET
from sphinx_gallery.scrapers import figure_rst

ARGUMENTS = {
    "dying_relu": ["--epochs", "8"],
    "option_prices": ["--paths", "65536"],
    "train_digits": ["--epochs", "10"],
}


def arguments_of(gallery_conf, script_vars):
    """Return the options of an example, the file of its figure among them."""
    picture = Path(script_vars["image_path_iterator"].next()).with_suffix(".svg")
    return [*ARGUMENTS[Path(script_vars["src_file"]).stem], "--plot", str(picture)]


def plots(block, block_vars, gallery_conf):
    """Return what shows the figure that an example has written."""
    paths = [Path(path).with_suffix(".svg") for path in block_vars["image_path_iterator"].paths]
    return figure_rst([str(path) for path in paths], gallery_conf["src_dir"])


def set_colours(gallery_conf, name):
    """Have matplotlib draw the figures of the examples without a background, for both modes."""
    colours = dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), GREY
    )
    matplotlib.rcParams.update(
        colours
        | {
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "grid.color": GREY,
            "legend.facecolor": "none",
            "legend.edgecolor": GREY,
            "font.family": "sans-serif",
            "axes.prop_cycle": matplotlib.cycler(color=[BLUE, ORANGE, GREEN, RED, VIOLET, GREY]),
        }
    )
