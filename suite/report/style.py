"""One look for all figures: two widths, text that can be read in print, one colour a neuron everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import seaborn as sns

from neurons import registry
from neurons.selection import CATALOGUE
from suite.report import names

ORDER = ["lif", "plif", "klif", "glif", "clif", "relu", "if"]
"""The CLIF paper's neurons, in its order; other models of the catalogue follow by name, then those of the user."""
PALETTE = ["#2983fb", "#00ab48", "#dc67ca", "#9a2faf", "#d4270c", "#7d5e47", "#5e3bf2"]
"""Seven colours of at least 3 to 1 on white and on the dark page (#0d1117). Each two of them, and each and GREY, lie
22 or more apart (CIE 1976 ΔE), also for protanopes, deuteranopes and tritanopes (Machado et al. 2009)."""
OWN = "#000000"
"""The first neuron of one's own; on the dark page it follows the text."""
GREY = "#7b8088"
"""Marks of what the test tells from the best, and of backends."""
FAINT = "#7b80882e"
"""Grids, on either ground."""
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "p", "h", "*", "<", ">", "d", "H", "8"]
DASHES: list[Any] = [
    *("", (4, 1.5), (1, 1), (3, 1, 1.5, 1), (5, 1, 1, 1)),
    *((2, 1.5), (6, 2, 1.5, 1, 1.5, 1), (8, 2), (1, 2.5)),
    *((4, 1, 4, 3), (2, 1, 1, 2), (10, 1, 1, 1), (3, 3), (6, 1, 3, 1), (1.5, 1, 1.5, 3)),
]
"""Colours, markers and dashes are cycles without a common factor: no two of 105 neurons look alike."""
COLUMN, PAGE = 3.25, 6.75
"""Inches: one column of a paper, and both. A figure has exactly one of these widths."""
TEXT, SMALL, LARGEST = 7.0, 6.5, 8.0
"""Points: of text in figures, of the smallest and of the largest."""
SALT = "neuron-suite"
"""Seeds the names inside of an SVG, so that the same rows give the same file."""


def apply() -> None:
    """Set the theme for all figures; their size is what `figsize` says, whatever stands in them."""
    sns.set_theme(context="paper", style="ticks")
    plt.rcParams.update(
        {
            "font.size": TEXT,
            "axes.titlesize": TEXT,
            "axes.labelsize": TEXT,
            "xtick.labelsize": SMALL,
            "ytick.labelsize": SMALL,
            "legend.fontsize": SMALL,
            "figure.titlesize": TEXT,
            "text.color": "black",
            "axes.labelcolor": "black",
            "axes.edgecolor": "black",
            "xtick.color": "black",
            "ytick.color": "black",
            "axes.titlelocation": "left",
            "axes.axisbelow": True,
            "axes.linewidth": 0.7,
            "xtick.major.size": 2,
            "ytick.major.size": 2,
            "xtick.major.width": 0.7,
            "ytick.major.width": 0.7,
            "xtick.minor.size": 1.2,
            "xtick.major.pad": 2,
            "ytick.major.pad": 2,
            "grid.color": FAINT,
            "grid.linewidth": 0.6,
            "svg.fonttype": "none",
            "svg.hashsalt": SALT,
            "pdf.fonttype": 42,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "figure.facecolor": "white",
            "axes.facecolor": "none",
            "savefig.dpi": 220,
            "savefig.bbox": None,
            "figure.constrained_layout.h_pad": 0.02,
            "figure.constrained_layout.w_pad": 0.02,
            "legend.frameon": False,
            "lines.linewidth": 1.2,
            "lines.markersize": 4,
        }
    )


def colours(neurons: Iterable[str]) -> dict[str, str]:
    """The colour of each neuron: fixed for those of the catalogue, black for the first of one's own."""
    return {name: _colour(name, place) for name, place in _places(neurons).items()}


def _colour(name: str, place: int) -> str:
    first_own = len(catalogue())
    if place == first_own and names.is_own(name):
        return OWN
    return PALETTE[place % len(PALETTE)]


def markers(neurons: Iterable[str]) -> dict[str, str]:
    """The marker of each neuron, so that a plot can be read without its colours."""
    return {name: MARKERS[place % len(MARKERS)] for name, place in _places(neurons).items()}


def dashes(neurons: Iterable[str]) -> dict[str, Any]:
    """The dashes of each neuron's line."""
    return {name: DASHES[place % len(DASHES)] for name, place in _places(neurons).items()}


def weight(name: str) -> float:
    """How much thicker than others the lines of a neuron are: one's own stands out."""
    return 1.8 if names.is_own(name) else 1.0


def catalogue() -> list[str]:
    """The suite's own models in the order of figures and tables."""
    known = [name for name in registry.names() if registry.get(name).__module__.startswith(CATALOGUE)]
    return [*ORDER, *(name for name in known if name not in ORDER)]


def ordered(found: Iterable[str]) -> list[str]:
    """Known neurons in the order of the papers, then the others; a name with how it ran stands at its neuron."""
    known = {name: place for place, name in enumerate(catalogue())}

    def place(name: str) -> tuple[int, str, str]:
        neuron = names.neuron_of(name)
        return known.get(neuron, len(known)), neuron, name

    return sorted(set(found), key=place)


def _places(found: Iterable[str]) -> dict[str, int]:
    """The place of each name's neuron in the order of all; how it ran changes nothing."""
    known = catalogue()
    present = ordered(found)
    neurons = {name: names.neuron_of(name) for name in present}
    others = list(dict.fromkeys(own for own in neurons.values() if own not in known))
    return {name: known.index(own) if own in known else len(known) + others.index(own) for name, own in neurons.items()}
