"""A table for people: entries with marks, written as Markdown, LaTeX, CSV and HTML."""

from __future__ import annotations

import csv
import html
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table as RichTable
from rich.text import Text

from suite.report.latex import latex_table
from suite.statistics import Estimate


@dataclass(frozen=True)
class Entry:
    """One entry: its text, the numbers behind it, and whether it is the best of its column."""

    text: str
    estimate: Estimate | None = None
    best: bool = False


@dataclass
class Table:
    """A table with row names in its first column.

    Attributes:
        name: file name without ending.
        title: what it shows; `caption` explains how to read it.
        header: column names, the first for the row names.
        rows: row name and its entries.
        footnotes: lines below the table, for example of failed cells.
        tasks: the tasks whose values it shows; with the run's command they make the line that reproduces it.
    """

    name: str
    title: str
    caption: str
    header: Sequence[str]
    rows: list[tuple[str, list[Entry]]]
    footnotes: list[str] = field(default_factory=list)
    tasks: Sequence[str] = ()

    def markdown(self) -> str:
        lines = [_pipe(self.header), _pipe(["---"] + ["---:"] * (len(self.header) - 1))]
        for name, entries in self.rows:
            lines.append(_pipe([name, *(f"**{entry.text}**" if entry.best else entry.text for entry in entries)]))
        notes = [f"\n{note}" for note in self.footnotes]
        return "\n".join([f"**{self.title}** {self.caption}\n", *lines, *notes]) + "\n"

    def latex(self) -> str:
        """A `table` for the booktabs package, in plain ASCII."""
        return latex_table(self.title, self.caption, self.name, self.header, self._marked(), self.footnotes)

    def _marked(self) -> list[list[tuple[str, bool]]]:
        """Row by row the texts, and whether they are bold."""
        return [[(name, False), *((entry.text, entry.best) for entry in entries)] for name, entries in self.rows]

    def csv(self) -> str:
        """The numbers in long form, with both intervals (see suite/statistics/README.md) and the number of seeds."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        intervals = ["interval_half_width", "bootstrap_low", "bootstrap_high"]
        writer.writerow([self.header[0], "column", "mean", *intervals, "count", "text"])
        for name, entries in self.rows:
            for column, entry in zip(self.header[1:], entries, strict=True):
                writer.writerow([name, column, *_numbers(entry.estimate), entry.text])
        return buffer.getvalue()

    def rich(self) -> RichTable:
        """The table for a terminal."""
        shown = RichTable(title=f"{self.title} {self.caption}", title_justify="left", header_style="bold")
        for column in self.header:
            shown.add_column(column, justify="left" if column == self.header[0] else "right")
        for name, entries in self.rows:
            shown.add_row(name, *(Text(entry.text, style="bold" if entry.best else "") for entry in entries))
        return shown

    def html(self) -> str:
        head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in self.header)
        lines = [f"<table><thead><tr>{head}</tr></thead><tbody>"]
        for name, entries in self.rows:
            cells = "".join(_html_cell(entry) for entry in entries)
            lines.append(f'<tr><th scope="row">{html.escape(name)}</th>{cells}</tr>')
        notes = "".join(f"<p class=note>{html.escape(note)}</p>" for note in self.footnotes)
        return "\n".join([*lines, "</tbody></table>", notes])

    def page(self) -> str:
        """The table as an HTML file of its own."""
        title, caption = html.escape(self.title), html.escape(self.caption)
        head = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
        return f"{head}\n<body><p><b>{title}</b> {caption}</p>\n{self.html()}</body></html>\n"

    def save(self, folder: Path) -> None:
        """Write the table in every format to `folder`/NAME.ENDING."""
        for ending, write in FORMATS.items():
            (folder / f"{self.name}.{ending}").write_text(write(self))


FORMATS: dict[str, Callable[[Table], str]] = {
    "md": Table.markdown,
    "tex": Table.latex,
    "csv": Table.csv,
    "html": Table.page,
}


def format_estimate(estimate: Estimate, digits: int) -> str:
    """ "mean ± half width", both ending at the digit that the half width supports.

    Without an interval the mean alone: with `digits` after the point, or if negative with that many digits in all.
    """
    if estimate.count < 2 or estimate.half_width == 0:
        return f"{estimate.mean:.{-digits}g}" if digits < 0 else f"{estimate.mean:,.{digits}f}"
    places = decimals(estimate.half_width)
    if places > MOST_DECIMALS:
        return f"{estimate.mean:.3g} ± {estimate.half_width:.1g}"
    return f"{_rounded(estimate.mean, places)} ± {_rounded(estimate.half_width, places)}"


MOST_DECIMALS = 6
"""Beyond, a number is written with an exponent."""


def decimals(uncertainty: float) -> int:
    """Where an uncertainty ends, in digits after the point (negative: before it), by the Particle Data Group's rule.

    Two significant digits if its first three lie between 100 and 354, else one.
    """
    exponent = math.floor(math.log10(uncertainty))
    first_three = round(uncertainty / 10.0 ** (exponent - 2))
    return -exponent + (1 if first_three <= 354 else 0)


def _rounded(value: float, places: int) -> str:
    rounded = round(value, places) + 0.0  # no negative zero
    return f"{rounded:.{max(places, 0)}f}"


def _numbers(estimate: Estimate | None) -> list[float | str]:
    if estimate is None:
        return [""] * 5
    numbers = [estimate.mean, estimate.half_width, *estimate.bootstrap()]
    return [*("" if math.isnan(number) else number for number in numbers), estimate.count]


def _pipe(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _html_cell(entry: Entry) -> str:
    text = html.escape(entry.text)
    return f"<td><strong>{text}</strong></td>" if entry.best else f"<td>{text}</td>"
