"""Texts that come from files and users, made fit for a terminal: one line, no control characters, not endless."""

from __future__ import annotations

LONGEST_NAME = 40


def plain(text: object, longest: int | None = None) -> str:
    """The text in one line, with control and direction characters written as escapes.

    Args:
        longest: characters from which on the middle is left out.
    """
    line = " ".join(str(text).split())
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)
    if longest is None or len(shown) <= longest:
        return shown
    begin = (longest - 1) * 2 // 3
    return f"{shown[:begin]}…{shown[len(shown) - (longest - 1 - begin) :]}"


def counted(count: int, thing: str) -> str:
    """ "1 result", "3 results"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
