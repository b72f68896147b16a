"""Tables for papers: LaTeX with the booktabs package, in plain ASCII, so that any engine compiles it."""

from __future__ import annotations

from collections.abc import Sequence

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
}

Cell = tuple[str, bool]
"""A text, and whether it is bold."""


def latex_table(
    title: str, caption: str, name: str, header: Sequence[str], rows: Sequence[Sequence[Cell]], notes: Sequence[str]
) -> str:
    """A `table` environment with caption, label, rules and notes."""
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(title)} {escape(caption)}}}",
        rf"\label{{tab:{name.replace('_', '-')}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
        r"\toprule",
        " & ".join(escape(text) for text in header) + r" \\",
        r"\midrule",
        *(" & ".join(_cell(*cell) for cell in row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\footnotesize {escape(note)}" for note in notes),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Plain text as LaTeX; a character that has no form here is written as its code point."""
    return "".join(ESCAPES.get(c, c if c.isascii() else f"[U+{ord(c):04X}]") for c in text)


def _cell(text: str, bold: bool) -> str:
    return rf"\textbf{{{escape(text)}}}" if bold else escape(text)
