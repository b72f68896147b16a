"""Tables for papers: LaTeX with the booktabs package, in plain ASCII, so that any engine compiles it."""

from __future__ import annotations

from collections.abc import Sequence

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
    "→": r"$\to$",
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

PROSE = 45
"""Characters from which a column is text that is broken into lines."""
PROSE_WIDTH = 24
"""Characters that a line of such a column holds."""
COLUMN = 44
"""Characters that fit one column of a paper in its usual size; a wider table spans both."""
SIZES = ((92, ""), (112, r"\small"), (132, r"\footnotesize"))
"""Characters that fit both columns, by size of the letters; beyond, the smallest with the columns pushed together."""
SMALLEST = r"\scriptsize\setlength{\tabcolsep}{2pt}"


def latex_table(
    title: str, caption: str, name: str, header: Sequence[str], rows: Sequence[Sequence[Cell]], notes: Sequence[str]
) -> str:
    """A `table` environment with caption, label, rules and notes; `table*` and smaller letters where it is wide."""
    texts = [list(header), *([text for text, _ in row] for row in rows)]
    widths = [max(len(row[place]) for row in texts) for place in range(len(header))]
    columns = ["l", *("r" if width < PROSE else rf"p{{{PROSE_WIDTH}ex}}" for width in widths[1:])]
    characters = sum(min(width, PROSE_WIDTH) if width >= PROSE else width for width in widths) + 2 * len(widths)
    size = next((size for most, size in SIZES if characters <= most), SMALLEST)
    environment = "table" if characters <= COLUMN else "table*"
    lines = [
        rf"\begin{{{environment}}}",
        r"\centering",
        rf"\caption{{{escape(title)} {escape(caption)}}}",
        rf"\label{{tab:{name.replace('_', '-')}}}",
        *([size] if size else []),
        rf"\begin{{tabular}}{{{''.join(columns)}}}",
        r"\toprule",
        " & ".join(escape(text) for text in header) + r" \\",
        r"\midrule",
        *(" & ".join(_cell(*cell) for cell in row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\footnotesize {escape(note)}" for note in notes),
        rf"\end{{{environment}}}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Plain text as LaTeX; a character that has no form here is written as its code point."""
    return "".join(ESCAPES.get(c, c if c.isascii() else f"{{[}}U+{ord(c):04X}{{]}}") for c in one_line(text))


def _cell(text: str, bold: bool) -> str:
    return rf"\textbf{{{escape(text)}}}" if bold else escape(text)
