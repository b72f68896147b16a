"""One look for all plots: fonts, sizes, and the same colour and marker for a neuron everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import seaborn as sns

ORDER = ["lif", "plif", "klif", "glif", "clif", "relu", "if"]
PALETTE = sns.color_palette("colorblind", 10)
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "p", "h", "*"]
DASHES: list[Any] = ["", (4, 1.5), (1, 1), (3, 1, 1.5, 1), (5, 1, 1, 1), (2, 1.5), (6, 2, 1.5, 1, 1.5, 1)]
COLUMN = 3.4
"""Inches: the width of one column of a paper; every plot is made for it unless it needs the whole page."""
PAGE = 7.0


def apply() -> None:
    """Set seaborn's theme for all plots: text of 7 to 8 points at one-column width."""
    sns.set_theme(context="paper", style="ticks", font_scale=0.85)
    plt.rcParams.update(
        {
            "svg.fonttype": "none",
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


def colours(neurons: Iterable[str]) -> dict[str, tuple[float, float, float]]:
    """The colour of each neuron: fixed for the known ones, the next free ones for others in alphabetical order."""
    return {name: PALETTE[place % len(PALETTE)] for name, place in _places(neurons).items()}


def markers(neurons: Iterable[str]) -> dict[str, str]:
    """The marker of each neuron, so that a plot can be read without its colours."""
    return {name: MARKERS[place % len(MARKERS)] for name, place in _places(neurons).items()}


def dashes(neurons: Iterable[str]) -> dict[str, Any]:
    """The dashes of each neuron's line."""
    return {name: DASHES[place % len(DASHES)] for name, place in _places(neurons).items()}


def ordered(neurons: Iterable[str]) -> list[str]:
    """Known neurons in the order of the papers, then the others."""
    return list(_places(neurons))


def by_neuron(neurons: Iterable[str], lines: bool = False) -> dict[str, Any]:
    """Seaborn's arguments that give each neuron its colour, and its marker or for lines its dashes."""
    order = ordered(neurons)
    shape: dict[str, Any] = {"dashes": dashes(order)} if lines else {"markers": markers(order)}
    colour = {"hue": "neuron", "hue_order": order, "palette": colours(order)}
    return {**colour, "style": "neuron", "style_order": order, **shape}


def facets(count: int, across: int = 2, height: float = 1.35, total: float = COLUMN) -> dict[str, Any]:
    """Seaborn's arguments for panels that fill `total` inches, one column of a paper unless told otherwise."""
    across = min(across, count)
    width = total / across
    return {"col_wrap": across, "height": height, "aspect": width / height}


def legend_below(grid: Any) -> None:
    """Put the legend of a seaborn grid below its panels, in rows of equal length."""
    if grid.legend is not None:
        entries = len(grid.legend.get_texts())
        columns = entries if entries <= 4 else -(-entries // 2)
        sns.move_legend(grid, "upper center", bbox_to_anchor=(0.5, 0.0), ncol=columns, title=None, columnspacing=1.2)


def _places(neurons: Iterable[str]) -> dict[str, int]:
    names = set(neurons)
    others = sorted(names - set(ORDER))
    return {name: place for place, name in enumerate([*ORDER, *others]) if name in names}
