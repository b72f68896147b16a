"""Panels and legends that stay readable with one neuron or sixty."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from suite.report import style
from suite.report.text import label

ROW = 0.15
"""Inches that a row with a name of its own needs."""
LEGEND_ROW = 0.13
LETTER = 0.05
"""Inches of a row of a legend, and of a letter of the names beside the rows."""


def panels(
    titles: Sequence[str], height: float, xlabel: str, ylabel: str = "", across: int = 2, sharey: bool = False
) -> tuple[Figure, dict[str, Axes]]:
    """A figure with one panel a title, `across` beside each other; labels at its edges."""
    across = min(across, len(titles))
    rows = math.ceil(len(titles) / across)
    width = style.COLUMN if across <= 2 else style.PAGE
    figure, grid = plt.subplots(
        rows, across, figsize=(width, rows * height), squeeze=False, sharey=sharey, layout="constrained"
    )
    for axes in grid.flat[len(titles) :]:
        axes.remove()
    found = dict(zip(titles, grid.flat, strict=False))
    for place, (title, axes) in enumerate(found.items()):
        axes.set_title(textwrap.fill(label(title), int(12 * width / across), break_long_words=False), fontsize=7)
        axes.tick_params(labelsize=6.5)
        axes.set_ylabel(ylabel if place % across == 0 else "", fontsize=7)
        axes.set_xlabel(xlabel if place + across >= len(titles) else "", fontsize=7)
    return figure, found


def row_panels(
    titles: Sequence[str], names: Sequence[str], xlabel: str, across: int = 2
) -> tuple[Figure, dict[str, Axes]]:
    """Panels with one named row a neuron, the first name on top."""
    figure, found = panels(titles, 0.65 + ROW * len(names), xlabel, across=across, sharey=True)
    longest = max(len(label(name)) for name in names)
    figure.set_figwidth(figure.get_figwidth() + max(0.0, LETTER * longest - 0.5))
    for axes in found.values():
        axes.set_yticks(range(len(names)), [label(name) for name in names], fontsize=6.5)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.grid(axis="y", color="0.93", linewidth=0.6)
        axes.set_axisbelow(True)
    return figure, found


def points(data: pd.DataFrame) -> list[Any]:
    """The rows of a plot's data, one object each with a field a column."""
    return list(data.itertuples())


def legend(figure: Figure, looks: dict[str, dict[str, Any]]) -> None:
    """A legend below all panels, in as many columns as the width holds."""
    handles = [Line2D([], [], label=label(name), **look) for name, look in looks.items()]
    columns = style.legend_columns([label(name) for name in looks], figure.get_figwidth())
    figure.set_figheight(figure.get_figheight() + LEGEND_ROW * math.ceil(len(looks) / columns))
    figure.legend(handles=handles, loc="outside lower center", ncol=columns, fontsize=6.5, columnspacing=1.2)


def line_looks(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour and dashes of each neuron's line."""
    colours, dashes = style.colours(names), style.dashes(names)
    return {
        name: {"color": colours[name], "linestyle": (0, dashes[name]) if dashes[name] else "-"}
        for name in style.ordered(names)
    }


def point_looks(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour and marker of each neuron's points."""
    colours, markers = style.colours(names), style.markers(names)
    return {
        name: {"color": colours[name], "marker": markers[name], "linestyle": "", "markersize": 4.5}
        for name in style.ordered(names)
    }
