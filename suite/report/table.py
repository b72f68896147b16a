"""A table for people: entries with marks, written as Markdown, LaTeX, CSV and HTML."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.table import Table as RichTable
from rich.text import Text

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
    """

    name: str
    title: str
    caption: str
    header: Sequence[str]
    rows: list[tuple[str, list[Entry]]]
    footnotes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        lines = [_pipe(self.header), _pipe(["---"] + ["---:"] * (len(self.header) - 1))]
        for name, entries in self.rows:
            lines.append(_pipe([name, *(f"**{entry.text}**" if entry.best else entry.text for entry in entries)]))
        notes = [f"\n{note}" for note in self.footnotes]
        return "\n".join([f"**{self.title}** {self.caption}\n", *lines, *notes]) + "\n"

    def latex(self) -> str:
        """A `table` for the booktabs package."""
        lines = [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_tex(self.title)} {_tex(self.caption)}}}",
            rf"\label{{tab:{self.name.replace('_', '-')}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(self.header) - 1)}}}",
            r"\toprule",
            " & ".join(_tex(name) for name in self.header) + r" \\",
            r"\midrule",
        ]
        for name, entries in self.rows:
            cells = [rf"\textbf{{{_tex(entry.text)}}}" if entry.best else _tex(entry.text) for entry in entries]
            lines.append(" & ".join([_tex(name), *cells]) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}"]
        lines += [rf"\par\footnotesize {_tex(note)}" for note in self.footnotes]
        return "\n".join([*lines, r"\end{table}"]) + "\n"

    def csv(self) -> str:
        """The numbers in long form: row, column, mean, half width of the 95 % interval, number of seeds."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow([self.header[0], "column", "mean", "interval_half_width", "count", "text"])
        for name, entries in self.rows:
            for column, entry in zip(self.header[1:], entries, strict=True):
                numbers = entry.estimate
                shown = [numbers.mean, numbers.half_width, numbers.count] if numbers else ["", "", ""]
                writer.writerow([name, column, *shown, entry.text])
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


FORMATS: dict[str, Callable[[Table], str]] = {"md": Table.markdown, "tex": Table.latex, "csv": Table.csv}


def format_estimate(estimate: Estimate, digits: int) -> str:
    """ "mean ± half width" with that many digits after the point, or if negative that many digits in all.

    The mean alone without an interval.
    """
    if digits < 0:
        text, half = f"{estimate.mean:.{-digits}g}", f"{estimate.half_width:.1g}"
    else:
        text, half = f"{estimate.mean:.{digits}f}", f"{estimate.half_width:.{digits}f}"
    return text if estimate.count < 2 else f"{text} ± {half}"


def _pipe(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _html_cell(entry: Entry) -> str:
    text = html.escape(entry.text)
    return f"<td><strong>{text}</strong></td>" if entry.best else f"<td>{text}</td>"


TEX_ESCAPES = {
    "\\": r"\textbackslash{}",
    **{character: "\\" + character for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "Σ": r"$\Sigma$",
    "𝒯": r"$\mathcal{T}$",
    "≥": r"$\geq$",
    "—": "---",
    "–": "--",
    "|": r"$|$",
    ">": r"$>$",
    "<": r"$<$",
}


def _tex(text: str) -> str:
    return "".join(TEX_ESCAPES.get(character, character) for character in text)
