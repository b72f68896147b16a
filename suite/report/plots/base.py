"""What a plot is: the data that it shows, a figure made of them alone, and the sentence of what is to be seen."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from suite.report import style
from suite.report.svg import inline
from suite.report.text import spreadsheet
from suite.runs.store import COLUMNS
from suite.statistics import Estimate

FORMATS = ("png", "svg", "pdf")
SHORT = ("dataset", "neuron", "backend", "seed", "timesteps", "metric", "layer", "step", "lag", "value")
"""Columns of the rows that the CSV beside a plot keeps, next to those that the plot adds."""
MOST_INLINE = 160_000
"""Bytes of an SVG that a page still holds; a larger one is linked."""


@dataclass(frozen=True)
class Shown:
    """A figure as a page shows it.

    Attributes:
        finding: what is to be seen, in a sentence; also its text for people who cannot see it.
        reading: how to read it.
        svg: to stand in the page itself, or empty if it is too large for that.
        wide: made for both columns of a paper.
    """

    name: str
    title: str
    finding: str
    reading: str
    svg: str
    wide: bool


@dataclass(frozen=True)
class Plot:
    """A named figure.

    Attributes:
        reading: how to read it.
        data: from the rows of a run to what the figure shows; None if the rows hold nothing for it.
        draw: from that data to the figure.
        finding: from that data to a sentence of what is to be seen.
    """

    name: str
    title: str
    reading: str
    data: Callable[[pd.DataFrame], pd.DataFrame | None]
    draw: Callable[[pd.DataFrame], Figure]
    finding: Callable[[pd.DataFrame], str]

    def make(self, rows: pd.DataFrame) -> tuple[Figure, pd.DataFrame] | None:
        """The figure, which pyplot has forgotten, and its data; None if there is nothing to show."""
        data = self.data(rows)
        if data is None or data.empty:
            return None
        others = set(plt.get_fignums())
        try:
            with _alike():
                return self.draw(data), data
        finally:
            for number in set(plt.get_fignums()) - others:
                plt.close(number)

    def save(self, rows: pd.DataFrame, folder: Path) -> Shown | None:
        """Write NAME.png, .svg and .pdf, and their data as NAME.csv; None if there is nothing to show.

        The same rows give the same files: what a library draws at random is seeded, and no date is written.
        """
        made = self.make(rows)
        if made is None:
            return None
        figure, data = made
        told = [name for name in data if name in SHORT or name not in COLUMNS]
        texts = data[told].apply(
            lambda column: column.map(lambda own: spreadsheet(own) if isinstance(own, str) else own)
        )
        texts.to_csv(folder / f"{self.name}.csv", index=False)
        with _alike():
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # one layout for all formats: it takes longer than to draw
            for ending in FORMATS:
                figure.savefig(folder / f"{self.name}.{ending}", metadata=_NO_DATE.get(ending))
        wide = figure.get_figwidth() > style.COLUMN
        finding = self.finding(data)
        drawn = (folder / f"{self.name}.svg").read_text(encoding="utf-8")
        svg = inline(drawn, self.name, f"{finding} {self.reading}") if len(drawn) <= MOST_INLINE * 2 else ""
        return Shown(self.name, self.title, finding, self.reading, svg if len(svg) <= MOST_INLINE else "", wide)


@contextmanager
def _alike() -> Iterator[None]:
    """What a library draws at random is seeded, and a name in letters that the font lacks is no warning."""
    state = np.random.get_state()
    np.random.seed(0)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")
            yield
    finally:
        np.random.set_state(state)


_NO_DATE = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def interval(values: pd.Series) -> tuple[float, float]:
    """The 95 % interval of the tables, for seaborn's error bars and bands."""
    estimate = Estimate.of(list(values))
    return (estimate.low, estimate.high) if estimate.count > 1 else (estimate.mean, estimate.mean)
