"""Panels, rows and labels that stay readable with one neuron or sixty, at a paper's widths."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.scale import LogTransform
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogFormatter, LogLocator, MaxNLocator, NullLocator

from suite.report import names, style
from suite.report.text import label

ROW = 0.15
"""Inches that a row with a name of its own needs."""
LEGEND_ROW = 0.14
LETTER = 0.052
"""Inches of a row of a legend, and of a letter of SMALL text."""
LETTER_OF_TEXT = 0.052
"""Inches of a letter of TEXT, on average."""
POINT = 1 / 72
DECADE = 10
LEAST_PLAIN, MOST_PLAIN = 1e-3, 1e5
"""Numbers at a logarithmic axis from the least on and below the most are written out."""
UNNAMED: dict[str, Any] = {"color": style.GREY, "marker": ".", "linestyle": "", "markersize": 4}
"""Points of neurons that a figure of many does not name."""


def shown(who: str) -> str:
    """A neuron's name as a label."""
    return label(names.neuron(who))


def titled(where: str) -> str:
    return label(names.condition(where))


def panels(
    titles: Sequence[str],
    height: float,
    xlabel: str,
    ylabel: str = "",
    across: int = 2,
    sharey: bool = False,
    sharex: bool = False,
    width: float | None = None,
) -> tuple[Figure, dict[str, Axes]]:
    """A figure with one panel a title, at most `across` beside each other; labels at its edges.

    Args:
        width: COLUMN or PAGE; COLUMN for up to two panels unless told.
    """
    most = min(across, len(titles))
    width = width or (style.COLUMN if most <= 2 else style.PAGE)
    rows = math.ceil(len(titles) / most)
    across = math.ceil(len(titles) / rows)  # six of at most five are three and three
    figure, grid = plt.subplots(
        rows, across, figsize=(width, rows * height), squeeze=False, sharey=sharey, sharex=sharex, layout="constrained"
    )
    for axes in grid.flat[len(titles) :]:
        axes.remove()
    found = dict(zip(titles, grid.flat, strict=False))
    for place, (title, axes) in enumerate(found.items()):
        axes.set_title(textwrap.fill(titled(title), int(13 * width / across), break_long_words=False))
        if place % across == 0:
            axes.set_ylabel(ylabel)
        if place + across >= len(titles):
            axes.tick_params(axis="x", labelbottom=True)
    figure.supxlabel(textwrap.fill(xlabel, int(width / LETTER_OF_TEXT)), fontsize=style.TEXT)
    return figure, found


def row_panels(
    titles: Sequence[str], whos: Sequence[str], xlabel: str, across: int = 2, sharex: bool = False
) -> tuple[Figure, dict[str, Axes]]:
    """Panels with one named row a neuron, the first name on top."""
    figure, found = panels(titles, 0.62 + ROW * len(whos), xlabel, across=across, sharey=True, sharex=sharex)
    for axes in found.values():
        axes.set_yticks(range(len(whos)), [textwrap.shorten(shown(who), 30, placeholder="…") for who in whos])
        axes.set_ylim(len(whos) - 0.5, -0.5)
        axes.grid(axis="x")
        axes.spines.left.set_visible(False)
        axes.tick_params(axis="y", length=0)
        for text, who in zip(axes.get_yticklabels(), whos, strict=False):  # shared: the first of a row has them
            text.set_fontweight("bold" if names.is_own(who) else "normal")
    return figure, found


def points(data: pd.DataFrame) -> list[Any]:
    """The rows of a plot's data, one object each with a field a column."""
    return list(data.itertuples())


def legend(figure: Figure, looks: Mapping[str, Mapping[str, Any]]) -> None:
    """A legend above all panels, in as many columns as the width holds."""
    handles = [Line2D([], [], label=shown(name), **look) for name, look in looks.items()]
    longest = max((len(shown(name)) for name in looks), default=1)
    columns = max(1, int(figure.get_figwidth() / (0.45 + 0.065 * longest)))
    figure.set_figheight(figure.get_figheight() + LEGEND_ROW * math.ceil(len(looks) / columns))
    figure.legend(handles=handles, loc="outside upper center", ncol=columns, columnspacing=1.2)


def line_looks(whos: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour and dashes of each neuron's line, in the order given."""
    colours, dashes = style.colours(whos), style.dashes(whos)
    return {
        who: {
            "color": colours[who],
            "linestyle": (0, dashes[who]) if dashes[who] else "-",
            "linewidth": 1.2 * style.weight(who),
        }
        for who in dict.fromkeys(whos)
    }


def point_looks(whos: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour and marker of each neuron's points, in the order given."""
    colours, markers = style.colours(whos), style.markers(whos)
    return {
        who: {
            "color": colours[who],
            "marker": markers[who],
            "linestyle": "",
            "markersize": 4 + 1.5 * names.is_own(who),
        }
        for who in dict.fromkeys(whos)
    }


def label_ends(axes: Axes, ends: Mapping[str, tuple[float, float]], colours: Mapping[str, str]) -> None:
    """Names beside the ends of lines, moved apart where they would lie on each other, each joined to its end.

    Args:
        ends: place of the last point by name, on a logarithmic axis up.
    """
    if not ends:
        return
    low, high = axes.get_ylim()
    inches = axes.get_window_extent().height / axes.figure.dpi
    step = math.log10(high / low) * style.SMALL * 1.15 * POINT / max(inches, 0.1)
    placed: list[tuple[str, float]] = []
    ends = {name: (x, min(max(y, low), high)) for name, (x, y) in ends.items()}
    for name, (_, y) in sorted(ends.items(), key=lambda own: -own[1][1]):
        level = math.log10(y)
        if placed:
            level = min(level, placed[-1][1] - step)
        placed.append((name, level))
    floor, lifted = math.log10(low), {}
    for name, level in reversed(placed):  # up again from the lower edge, and no further than there is need
        lifted[name] = max(level, floor)
        floor = lifted[name] + step
    for name, level in lifted.items():
        x, y = ends[name]
        axes.annotate(
            shown(name),
            (x, y),
            xytext=(1.04, 10**level),
            textcoords=("axes fraction", "data"),
            va="center",
            fontsize=style.SMALL,
            fontweight="bold" if names.is_own(name) else "normal",
            annotation_clip=False,
            arrowprops={
                **{"arrowstyle": "-", "color": colours[name], "linewidth": 0.6, "shrinkA": 0, "shrinkB": 1},
                "relpos": (0, 0.5),  # to the left end of the name, not through it
            },
        )


Segment = tuple[tuple[float, float], tuple[float, float]]


def label_points(axes: Axes, places: Mapping[str, tuple[float, float]], lines: Sequence[Segment] = ()) -> None:
    """A name beside each point, at the side where it covers least of the others and of the lines.

    Args:
        lines: across or up, each by its ends: bars of the points, a level.
    """
    axes.figure.canvas.draw()
    transform = axes.transData.transform
    pixels = {name: transform(place) for name, place in places.items()}
    scale = axes.figure.dpi / 72
    taken = [(x - 3 * scale, y - 3 * scale, x + 3 * scale, y + 3 * scale) for x, y in pixels.values()]
    for ends in lines:
        (left, low), (right, high) = (transform(end) for end in ends)
        edge = LINE * scale
        taken.append((min(left, right) - edge, min(low, high) - edge, max(left, right) + edge, max(low, high) + edge))
    frame = axes.get_window_extent()
    for name, (x, y) in sorted(pixels.items(), key=lambda own: (own[1][0], own[1][1])):
        width, height = len(shown(name)) * 4.2 * scale, 7.5 * scale
        options = []
        for order, (dx, dy) in enumerate(_SIDES):
            left = x + dx * scale if dx > 0 else x + dx * scale - width if dx < 0 else x - width / 2
            box = (left, y + dy * scale - height / 2, left + width, y + dy * scale + height / 2)
            outside = max(0.0, frame.x0 - box[0]) + max(0.0, box[2] - frame.x1 - 4 * scale)
            options.append((sum(_overlap(box, other) for other in taken) + 100 * outside, order, dx, dy, box))
        _, _, dx, dy, box = min(options)
        taken.append(box)
        axes.annotate(
            shown(name),
            places[name],
            xytext=(dx, dy),
            textcoords="offset points",
            ha="left" if dx > 0 else "right" if dx < 0 else "center",
            va="center",
            fontsize=style.SMALL,
            fontweight="bold" if names.is_own(name) else "normal",
        )


LINE = 1.0
"""Points to each side of a line that a name keeps clear of."""
_SIDES = [(5, 0), (-5, 0), (0, 8), (0, -8), (5, 7), (5, -7), (-5, 7), (-5, -7), (0, 15), (0, -15), (9, 13), (9, -13)]
"""Where a label may stand, in points from its mark, the best first."""


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across * down if across > 0 and down > 0 else 0.0


class Powers(LogFormatter):
    """Numbers at a logarithmic axis in one size: an exponent, which is set smaller, could not be read in print."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return power(x) if super().__call__(x, pos) else ""  # which leaves out the minor ones where decades are shown


def powers(axis: Axis) -> None:
    """Write the numbers at a logarithmic axis as `power` does."""
    transform = axis.get_transform()
    base = transform.base if isinstance(transform, LogTransform) else DECADE
    axis.set_major_formatter(Powers(base))
    axis.set_minor_formatter(Powers(base))


def power(value: float) -> str:
    """As "0.01", "100"; beyond a thousandth and a hundred thousand "1e−8"."""
    if value == 0 or LEAST_PLAIN <= abs(value) < MOST_PLAIN:
        return f"{value:g}".replace("-", "−")
    digits, _, exponent = f"{value:.6e}".partition("e")
    return f"{float(digits):g}e{int(exponent)}".replace("-", "−")


def logarithmic(axes: Axes) -> None:
    """A logarithmic axis across with plain numbers, if there is a positive value to show."""
    low, high = axes.dataLim.intervalx
    if not 0 < low <= high < math.inf:
        return
    axes.set_xscale("log")
    if high < DECADE * low:
        axes.xaxis.set_major_locator(MaxNLocator(4))
    else:
        axes.xaxis.set_major_locator(LogLocator(numticks=5))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def fitted(figure: Figure) -> Figure:
    """A figure of seaborn's at a paper's width: its legend above, names as papers write them, no text below SMALL."""
    width, height = figure.get_size_inches()
    target = style.COLUMN if width <= NARROWEST_OF_PAGE else style.PAGE
    figure.set_size_inches(target, min(height, max(LOWEST, height * target / width)))
    for own in list(figure.legends):
        handles, texts = own.legend_handles, [names.known(text.get_text()) for text in own.get_texts()]
        own.remove()
        longest = max((len(text) for text in texts), default=1)
        columns = max(1, int(target / (0.45 + 0.065 * longest)))
        figure.set_figheight(figure.get_figheight() + LEGEND_ROW * math.ceil(len(texts) / columns))
        for handle, text in zip(handles, texts, strict=True):
            if handle is not None:
                handle.set_label(text)
        kept = [handle for handle in handles if handle is not None]
        figure.legend(handles=kept, loc="outside upper center", ncol=columns, columnspacing=1.2)
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log":
                powers(axis)
            elif axis.get_label_text() == "epoch":
                axis.set_major_locator(MaxNLocator(5, integer=True))
            written = [text.get_text() for text in axis.get_ticklabels()]
            wanted = [names.known(text) for text in written]
            if wanted != written:
                axis.set_ticks(axis.get_ticklocs(), wanted)
    figure.set_layout_engine("constrained")
    for shown_text in figure.findobj(Text):
        size = shown_text.get_fontsize()
        shown_text.set_fontsize(min(max(size, style.SMALL), style.LARGEST))
    return figure


NARROWEST_OF_PAGE, LOWEST = 4.6, 1.9
"""Inches: of figures from which on they are made for both columns, and the least height."""
