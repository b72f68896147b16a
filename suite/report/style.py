"""One look for all plots: fonts, sizes, and the same colour and marker for a neuron everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import seaborn as sns

ORDER = ["lif", "plif", "klif", "glif", "clif", "relu", "if"]
PALETTE = ["#0b62a8", "#a85400", "#00734f", "#8d3a94", "#b3203c", "#5f6a00", "#6b4a3a", "#000000"]
"""Seven dark colours (4.5 to 1 on white, so that names can be written in them), and black for the first neuron of one's
own. Colours, markers and dashes are cycles without a common factor: no two of 72 neurons look alike."""
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "p", "h", "*", "<"]
DASHES: list[Any] = [
    *("", (4, 1.5), (1, 1), (3, 1, 1.5, 1), (5, 1, 1, 1)),
    *((2, 1.5), (6, 2, 1.5, 1, 1.5, 1), (8, 2), (1, 2.5)),
]
COLUMN = 3.25
"""Inches: the width of one column of a paper; every plot is made for it unless it needs the whole page."""
PAGE = 6.75
SALT = "neuron-suite"
"""Seeds the names inside of an SVG, so that the same rows give the same file."""


def apply() -> None:
    """Set seaborn's theme for all plots: text of 7 to 8 points at one-column width."""
    sns.set_theme(context="paper", style="ticks", font_scale=0.85)
    plt.rcParams.update(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": SALT,
            "pdf.fonttype": 42,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "savefig.dpi": 220,
            "savefig.bbox": "tight",
            "savefig.pad_inches": 0.03,
            "legend.frameon": False,
            "lines.linewidth": 1.2,
            "lines.markersize": 4,
        }
    )


def colours(neurons: Iterable[str]) -> dict[str, str]:
    """The colour of each neuron: fixed for the known ones, the next free ones for others in alphabetical order."""
    return {name: PALETTE[place % len(PALETTE)] for name, place in _places(neurons).items()}


def markers(neurons: Iterable[str]) -> dict[str, str]:
    """The marker of each neuron, so that a plot can be read without its colours."""
    return {name: MARKERS[place % len(MARKERS)] for name, place in _places(neurons).items()}


def dashes(neurons: Iterable[str]) -> dict[str, Any]:
    """The dashes of each neuron's line."""
    return {name: DASHES[place % len(DASHES)] for name, place in _places(neurons).items()}


def ordered(names: Iterable[str]) -> list[str]:
    """Known neurons in the order of the papers, then the others; a name with how it ran stands at its neuron."""
    known = {name: place for place, name in enumerate(ORDER)}

    def place(name: str) -> tuple[int, str, str]:
        neuron = name.partition(" (")[0]
        return known.get(neuron, len(known)), neuron, name

    return sorted(set(names), key=place)


def facets(count: int, across: int = 2, height: float = 1.35, total: float = COLUMN) -> dict[str, Any]:
    """Seaborn's arguments for panels that fill `total` inches, one column of a paper unless told otherwise."""
    across = min(across, count)
    width = total / across
    return {"col_wrap": across, "height": height, "aspect": width / height}


def legend_below(grid: Any) -> None:
    """Put the legend of a seaborn grid below its panels, in rows of equal length."""
    if grid.legend is not None:
        labels = [text.get_text() for text in grid.legend.get_texts()]
        columns = legend_columns(labels, grid.figure.get_figwidth())
        sns.move_legend(grid, "upper center", bbox_to_anchor=(0.5, 0.0), ncol=columns, title=None, columnspacing=1.2)


def legend_columns(labels: Iterable[str], inches: float) -> int:
    """How many entries of a legend stand beside each other in this width."""
    longest = max((len(label) for label in labels), default=1)
    return max(1, int(inches / (0.42 + 0.062 * longest)))


def _places(names: Iterable[str]) -> dict[str, int]:
    present = ordered(names)
    others = [name for name in present if name not in ORDER]
    return {name: ORDER.index(name) if name in ORDER else len(ORDER) + others.index(name) for name in present}
