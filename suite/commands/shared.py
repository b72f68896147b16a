"""What several commands share."""

from __future__ import annotations


def names(text: str) -> list[str]:
    """The names of an option that takes several."""
    return [name.strip() for name in text.split(",") if name.strip()]
