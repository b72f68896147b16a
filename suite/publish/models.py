"""The cards of models that stand beside runs, whose pages lead to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from suite.report.cards.build import build
from suite.report.links import CARDS, link_cards


def make_cards(folder: Path, published: Path, chosen: Sequence[str] = (), home: str = "") -> list[Path]:
    """Make a folder of cards anew and let the runs beside it lead there; its pages. See `cards.build`."""
    pages = build(folder, published, chosen, home)
    if folder.name == CARDS:
        for run in sorted(folder.resolve().parent.iterdir()):
            link_cards(run)
    return pages
