"""Text escaped for where it goes. Names come from users and their files, and may hold anything."""

from __future__ import annotations

import hashlib
import re
import unicodedata

MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|~$&])")
FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet takes a text that begins so for."""
LONGEST_LABEL = 40


def one_line(text: str) -> str:
    """On one line and as it reads: line breaks as spaces, control and direction characters by their code points."""
    shown = " ".join(text.split())
    return "".join(f"[U+{ord(c):04X}]" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in shown)


def markdown(text: str) -> str:
    """As plain text within a line of Markdown (CommonMark, tables of GitHub)."""
    return MARKDOWN.sub(r"\\\1", one_line(text))


def markdown_line(text: str) -> str:
    """As a line of Markdown of its own, which is no list, heading or quotation."""
    escaped = markdown(text)
    numbered = re.match(r"\d+(?=[.)])", escaped)
    if numbered:
        return f"{numbered[0]}\\{escaped[numbered.end() :]}"
    return "\\" + escaped if escaped.startswith(("-", "+", "#", "=")) else escaped


def spreadsheet(text: str) -> str:
    """As a field of a CSV that no spreadsheet takes for a formula; a number stays one."""
    shown = one_line(text)
    if not shown.startswith(FORMULA):
        return shown
    try:
        float(shown.replace(",", ""))
    except ValueError:
        return "'" + shown
    return shown


def label(text: str, longest: int = LONGEST_LABEL) -> str:
    """As a label in a figure: no formula of matplotlib's, of bounded length, shown also if it begins with "_"."""
    shown = one_line(text)
    if len(shown) > longest:
        digest = hashlib.sha256(shown.encode()).hexdigest()
        shown = f"{shown[: longest - 7]}… {digest[:5]}"
    return (" " if shown.startswith("_") else "") + shown.replace("$", r"\$")
