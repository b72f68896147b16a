"""A table for people: entries with marks, written as Markdown, LaTeX, CSV and HTML."""

from __future__ import annotations

import csv
import html
import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table as RichTable
from rich.text import Text

from suite.report import headings, names
from suite.report.latex import latex_table
from suite.report.numbers import decimals, format_estimate
from suite.report.text import markdown, markdown_line, one_line, spreadsheet
from suite.statistics import Estimate

Line = tuple[str, list["Entry"]]
"""The name of a row and its entries."""

__all__ = ["FORMATS", "Entry", "Table", "decimals", "format_estimate"]


@dataclass(frozen=True)
class Entry:
    """One entry: its text, the numbers behind it, and whether it is the best of its column.

    Attributes:
        spread: 20th and 80th percentile of the rounds of a timing.
    """

    text: str
    estimate: Estimate | None = None
    best: bool = False
    spread: tuple[float, float] | None = None


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
        by_kind: whether the rows of many neurons stand under headings of their kinds; not where their order says who
            is better.
    """

    name: str
    title: str
    caption: str
    header: Sequence[str]
    rows: list[Line]
    footnotes: list[str] = field(default_factory=list)
    tasks: Sequence[str] = ()
    by_kind: bool = False

    @property
    def head(self) -> list[str]:
        """The names of the columns as papers write them."""
        return [self.header[0], *map(names.condition, self.header[1:])]

    def named(self, name: str) -> str:
        """A row's name as papers write it."""
        if self.header[0] == "neuron":
            return names.neuron(name)
        return names.condition(name) if self.header[0] == "data set" else name

    @property
    def sections(self) -> list[tuple[str, list[Line]]]:
        """The rows under their headings, one section without a heading where they have none."""
        return headings.sections(self.rows, _name) if self.by_kind else [("", self.rows)]

    def markdown(self) -> str:
        lines = [_pipe(map(markdown, self.head)), _pipe(["---"] + ["---:"] * (len(self.header) - 1))]
        for heading, rows in self.sections:
            if heading:
                lines.append(_pipe([f"*{markdown(heading)}*", *[""] * (len(self.header) - 1)]))
            for name, entries in rows:
                texts = [f"**{markdown(entry.text)}**" if entry.best else markdown(entry.text) for entry in entries]
                lines.append(_pipe([markdown(self.named(name)), *texts]))
        notes = [f"\n{markdown_line(note)}" for note in self.footnotes]
        return "\n".join([f"**{markdown(self.title)}** {markdown(self.caption)}\n", *lines, *notes]) + "\n"

    def latex(self) -> str:
        """A `table` for the package booktabs, in plain ASCII."""
        return latex_table(self.title, self.caption, self.name, self.head, self._marked(), self.footnotes)

    def _marked(self) -> list[list[tuple[str, bool]]]:
        """Row by row the texts, and whether they are bold; a heading is a row of one."""
        lines = []
        for heading, rows in self.sections:
            lines += [[(heading, False)]] if heading else []
            lines += [[(self.named(name), False), *((own.text, own.best) for own in entries)] for name, entries in rows]
        return lines

    def csv(self) -> str:
        """The numbers in long form, with both intervals (see suite/statistics/README.md) and the number of seeds."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        intervals = ["interval_half_width", "bootstrap_low", "bootstrap_high"]
        writer.writerow([spreadsheet(self.header[0]), "column", "mean", *intervals, "count", "p20", "p80", "text"])
        for name, entries in (line for _, rows in self.sections for line in rows):
            for column, entry in zip(self.header[1:], entries, strict=True):
                texts = spreadsheet(name), spreadsheet(column)
                numbers = [*_numbers(entry.estimate), *(entry.spread or ("", ""))]
                writer.writerow([*texts, *numbers, spreadsheet(entry.text)])
        return buffer.getvalue()

    def rich(self) -> RichTable:
        """The table for a terminal."""
        title = Text(one_line(f"{self.title} {self.caption}"))
        shown = RichTable(title=title, title_justify="left", header_style="bold")
        for place, column in enumerate(self.head):
            shown.add_column(Text(one_line(column)), justify="right" if place else "left")
        for heading, rows in self.sections:
            if heading:
                shown.add_section()
                shown.add_row(Text(heading, style="italic"))
            for name, entries in rows:
                texts = [Text(one_line(entry.text), style="bold" if entry.best else "") for entry in entries]
                shown.add_row(Text(one_line(self.named(name))), *texts)
        return shown

    def html(self) -> str:
        head = "".join(f'<th scope="col">{_html(name)}</th>' for name in self.head)
        lines = [f"<table><thead><tr>{head}</tr></thead>"]
        for heading, rows in self.sections:
            lines.append("<tbody>")
            if heading:
                across = f'colspan="{len(self.header)}"'
                lines.append(f'<tr class="kind"><th scope="rowgroup" {across}>{_html(heading)}</th></tr>')
            for name, entries in rows:
                cells = "".join(_html_cell(entry) for entry in entries)
                lines.append(f'<tr><th scope="row">{_html(self.named(name))}</th>{cells}</tr>')
            lines.append("</tbody>")
        notes = "".join(f"<p class=note>{_html(note)}</p>" for note in self.footnotes)
        return "\n".join([*lines, "</table>", notes])

    def page(self) -> str:
        """The table as an HTML file of its own."""
        title, caption = _html(self.title), _html(self.caption)
        head = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
        return f"{head}\n<body><p><b>{title}</b> {caption}</p>\n{self.html()}</body></html>\n"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return f"<p><b>{_html(self.title)}</b> {_html(self.caption)}</p>\n{self.html()}"

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


def _name(line: Line) -> str:
    return line[0]


def _numbers(estimate: Estimate | None) -> list[float | str]:
    if estimate is None:
        return [""] * 5
    numbers = [estimate.mean, estimate.half_width, *estimate.bootstrap()]
    return [*("" if math.isnan(number) else number for number in numbers), estimate.count]


def _pipe(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _html(text: str) -> str:
    return html.escape(one_line(text))


def _html_cell(entry: Entry) -> str:
    text = _html(entry.text)
    return f"<td><strong>{text}</strong></td>" if entry.best else f"<td>{text}</td>"
