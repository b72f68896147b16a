"""What the options of several commands may be; argparse makes a line of what is raised here."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path


def names(text: str) -> list[str]:
    """The names of an option that takes several, separated by commas."""
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise ArgumentTypeError(f"'{text}' has an empty name; write names separated by commas, or leave the option out")
    return list(dict.fromkeys(found))


def folder(text: str) -> Path:
    """The path of a run directory that is to be written."""
    if not text.strip():
        raise ArgumentTypeError("an empty path; give the path of a folder")
    return Path(text)


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isascii() or not text.strip().isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"'{text}' is not a whole number from 1 on")
    return int(text)
