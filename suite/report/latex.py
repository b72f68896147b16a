"""Tables for papers: LaTeX with the package booktabs alone, in plain ASCII, so that any engine compiles it.

Numbers stand with their points below each other by spaces that are as wide as the digits that they lack. siunitx, which
aligns them too, is not used: its columns want settings by table for bold entries, for words and for intervals of two
numbers, and it would be one package more that a paper must load. A table fits one column of a two-column paper, or both
(`table*`); what is wider still is set in parts below each other, each with the names of the rows. What is longer than a
page goes on in further tables. A row of one cell is a heading of those below it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from suite.report.text import one_line

ESCAPES = {
    "\\": r"\textbackslash{}",
    **{character: "\\" + character for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"$|$",
    ">": r"$>$",
    "<": r"$<$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "−": r"$-$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "≈": r"$\approx$",
    "→": r"$\to$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "√": r"$\surd$",
    "∂": r"$\partial$",
    "Σ": r"$\Sigma$",
    "Δ": r"$\Delta$",
    "Θ": r"$\Theta$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
    "µ": r"$\mu$",
    "μ": r"$\mu$",
    "τ": r"$\tau$",
    "𝒯": r"$\mathcal{T}$",
    "₋": r"$_{-}$",
    "₊": r"$_{+}$",
    "—": "---",
    "–": "--",
    "†": r"$^{\dagger}$",
    "’": "'",
    "…": r"\dots{}",
    "∞": r"$\infty$",
    "‡": r"$^{\ddagger}$",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    '"': "''",
}
"""Brackets and the star are options of a line break where they follow one."""

Cell = tuple[str, bool]
"""A text, and whether it is bold."""

NUMBER = re.compile(r"(−?)(\d[\d,]*)(?:\.(\d+))?(?: ± (\d[\d,]*)(?:\.(\d+))?)?((?: [*†])?)")
"""A number with its uncertainty and a mark, as `suite.report.numbers` writes it."""
UNIT = re.compile(r"(.*\S) \(([^()]*)\)")
PROSE = 34
"""Characters from which a column is text that is broken into lines."""
COLUMN, PAGE = 44, 100
"""Characters in \\footnotesize that fit one column of a paper, and both."""
LONGEST_HEAD = 10
"""Characters of a line of a head."""
MOST_LINES = 52
"""Lines of \\footnotesize that a page has below a caption."""
GAP = 2.5
"""Characters between two columns."""
HEADING_LINES = 1.5
"""What a heading takes of a page, with the space above it."""
PREAMBLE = r"% needs \usepackage{booktabs}"


def latex_table(
    title: str, caption: str, name: str, header: Sequence[str], rows: Sequence[Sequence[Cell]], notes: Sequence[str]
) -> str:
    """A `table` environment with caption, label, rules and notes; `table*` where it is wider than a column.

    Rows that one page does not hold go on in another environment, which says so.
    """
    widths = [_width(header, rows, place) for place in range(len(header))]
    parts = _parts(widths)
    whole = max(sum(widths[place] + GAP for place in (0, *part)) for part in parts)
    wide = whole > COLUMN
    environment = "table*" if wide else "table"
    lines = [PREAMBLE]
    pages = _pages(rows, parts)
    for number, blocks in enumerate(pages):
        more = rf"Continues Table~\ref{{tab:{name.replace('_', '-')}}}: {escape(title)}"
        lines += [
            rf"\begin{{{environment}}}",
            r"\centering",
            rf"\caption{{{more if number else f'{escape(title)} {escape(caption)}'}}}",
            *([] if number else [rf"\label{{tab:{name.replace('_', '-')}}}"]),
            r"\footnotesize\setlength{\abovecaptionskip}{4pt}\setlength{\belowcaptionskip}{4pt}\setlength{\tabcolsep}{4pt}",
        ]
        for place, (part, own) in enumerate(blocks):
            lines += [r"\par\smallskip"] if place else []
            lines += _tabular(header, own, [0, *part], widths, PAGE if wide else COLUMN)
        lines += [*(rf"\par {escape(note)}" for note in notes if blocks is pages[-1]), rf"\end{{{environment}}}"]
    return "\n".join(lines) + "\n"


def _pages(
    rows: Sequence[Sequence[Cell]], parts: Sequence[Sequence[int]]
) -> list[list[tuple[Sequence[int], Sequence[Sequence[Cell]]]]]:
    """Columns and rows of the blocks that stand on each page, as even as they come; one page where all fit."""
    pages: list[list[tuple[Sequence[int], Sequence[Sequence[Cell]]]]] = [[]]
    for own in _blocks(rows):
        for part in parts:
            if pages[-1] and sum(_lines(block) for _, block in pages[-1]) + _lines(own) > MOST_LINES:
                pages.append([])
            pages[-1].append((part, own))
    return pages


def _blocks(rows: Sequence[Sequence[Cell]]) -> list[Sequence[Sequence[Cell]]]:
    """The rows in blocks that a page holds, as even as they come, none with a heading for its last line."""
    count = max(1, math.ceil(_lines(rows) / MOST_LINES))
    size = _lines(rows) / count
    blocks: list[list[Sequence[Cell]]] = [[]]
    for row in rows:
        if blocks[-1] and (_lines([*blocks[-1], row]) > MOST_LINES or _lines(blocks[-1]) >= size):
            last = blocks[-1]
            blocks.append([last.pop()] if _is_heading(last[-1]) else [])
        blocks[-1].append(row)
    return list(blocks)


def _is_heading(row: Sequence[Cell]) -> bool:
    return len(row) == 1


def _lines(rows: Sequence[Sequence[Cell]]) -> float:
    """Lines of a page that rows take."""
    return sum(HEADING_LINES if _is_heading(row) else 1 for row in rows)


def _width(header: Sequence[str], rows: Sequence[Sequence[Cell]], place: int) -> float:
    """Characters of a column; of one that is broken into lines, at most PROSE."""
    name, unit = _head(header[place])
    heads = [*map(len, _stacked(name)), len(unit) + 2]
    texts = [len(row[place][0]) * (1.1 if row[place][1] else 1.0) for row in rows if not _is_heading(row)]
    return min(float(PROSE), max([4.0, *heads, *texts]))


def _parts(widths: Sequence[float]) -> list[list[int]]:
    """The columns behind the first in parts that fit the page beside it, as even as they come."""
    room = PAGE - widths[0] - GAP
    total = sum(width + GAP for width in widths[1:])
    count = max(1, -(-int(total) // max(int(room), 1)))
    target = total / count
    parts: list[list[int]] = [[]]
    filled = 0.0
    for place, width in enumerate(widths[1:], 1):
        needed = width + GAP
        if parts[-1] and (filled + needed > room or (filled >= target and len(parts) < count)):
            parts.append([])
            filled = 0.0
        parts[-1].append(place)
        filled += needed
    return parts


def _tabular(
    header: Sequence[str], rows: Sequence[Sequence[Cell]], places: Sequence[int], widths: Sequence[float], page: int
) -> list[str]:
    heads = [_head(header[place]) for place in places]
    lines = [row for row in rows if not _is_heading(row)]
    kinds = [_kind([row[place] for row in lines], widths[place], place == 0, page) for place in places]
    room_of = [_room([text for text, _ in (row[place] for row in lines)]) for place in places]
    body = [
        _heading(row[0][0], len(places), first=not number)
        if _is_heading(row)
        else " & ".join(_cell(*row[place], room) for place, room in zip(places, room_of, strict=True)) + r" \\"
        for number, row in enumerate(rows)
    ]
    names = [_shown_head(_stacked(name)) for name, _ in heads]
    units = [f"{{{escape(f'({unit})')}}}" if unit else "" for _, unit in heads]
    return [
        rf"\begin{{tabular}}{{{''.join(kinds)}}}",
        r"\toprule",
        " & ".join(names) + r" \\",
        *([" & ".join(units) + r" \\"] if any(units) else []),
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]


def _heading(text: str, columns: int, *, first: bool) -> str:
    """A line over all columns, set off from what is above it."""
    space = "" if first else r"\addlinespace "
    return rf"{space}\multicolumn{{{columns}}}{{l}}{{\textit{{{escape(text)}}}}} \\"


def _head(text: str) -> tuple[str, str]:
    """Name and unit of a column."""
    found = UNIT.fullmatch(one_line(text))
    return (found[1], found[2]) if found else (one_line(text), "")


def _stacked(name: str) -> list[str]:
    """The lines of a head, short words together."""
    lines: list[str] = []
    for word in name.split():
        if lines and len(lines[-1]) + len(word) < LONGEST_HEAD:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]


def _shown_head(lines: Sequence[str]) -> str:
    """A head in braces, its lines below each other."""
    if len(lines) == 1:
        return f"{{{escape(lines[0])}}}"
    return r"{\begin{tabular}[b]{@{}c@{}}" + r"\\".join(map(escape, lines)) + r"\end{tabular}}"


def _kind(cells: Sequence[Cell], width: float, first: bool, page: int) -> str:
    """The column's type: names left, long text in lines, the rest right."""
    longest = max((len(text) for text, _ in cells), default=0)
    if longest > width:
        return rf"p{{{0.93 * (width + GAP) / page:.3f}\linewidth}}"
    return "l" if first else "r"


@dataclass(frozen=True)
class Room:
    """What the numbers of a column need behind their point, for their uncertainty, and for a mark."""

    decimals: int = 0
    error: int = 0
    error_decimals: int = 0
    mark: bool = False


def _room(texts: Sequence[str]) -> Room:
    """Nothing where a number has more to it than its uncertainty: a spread in brackets."""
    found = [match for text in texts if (match := NUMBER.fullmatch(text))]
    if not found or any(re.match(r"−?\d", text) and not NUMBER.fullmatch(text) for text in texts):
        return Room()
    return Room(
        max(len(match[3] or "") for match in found),
        max(len((match[4] or "").replace(",", "")) for match in found),
        max(len(match[5] or "") for match in found),
        any(match[6] for match in found),
    )


def escape(text: str) -> str:
    """Plain text as LaTeX; a character that has no form here is written as its code point."""
    return "".join(ESCAPES.get(c, c if c.isascii() else f"{{[}}U+{ord(c):04X}{{]}}") for c in one_line(text))


def _cell(text: str, bold: bool, room: Room) -> str:
    found = NUMBER.fullmatch(text)
    shown = escape(text) if found is None or room == Room() else _aligned(found, room)
    return rf"\textbf{{{shown}}}" if bold else shown


def _aligned(found: re.Match[str], room: Room) -> str:
    """A number with as much empty space as its column's widest needs at each place."""
    shown = escape(found[1] + found[2]) + _fraction(found[3], room.decimals)
    if room.error:
        if found[4]:
            shown += rf" $\pm$ {_space(room.error - len(found[4].replace(',', '')))}{found[4]}"
            shown += _fraction(found[5], room.error_decimals)
        else:
            empty = rf" $\pm$ {'0' * room.error}{'.' if room.error_decimals else ''}{'0' * room.error_decimals}"
            shown += rf"\phantom{{{empty}}}"
    if room.mark:
        shown += escape(found[6]) if found[6] else rf"\phantom{{ {escape('*')}}}"
    return shown


def _fraction(digits: str | None, room: int) -> str:
    """The digits behind the point, and space for those that others have more."""
    own = digits or ""
    if not own and room:
        return rf"\phantom{{.{'0' * room}}}"
    return (f".{own}" if own else "") + _space(room - len(own))


def _space(digits: int) -> str:
    return rf"\phantom{{{'0' * digits}}}" if digits > 0 else ""
