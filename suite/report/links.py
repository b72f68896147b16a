"""Where the pages of a run lead beside themselves: to the card of each model, where cards stand beside the run."""

from __future__ import annotations

import re
from pathlib import Path

CARDS = "models"
"""Name of the folder of cards beside runs."""
PLACES = (Path("results/runs") / CARDS, Path("build/site") / CARDS)
"""Where `suite cards` and the site have them."""
PLACE = re.compile(rb'data-card="([\w.-]*)"(?: href="[^"]*")?')
"""A link to a card as templates write it; it leads nowhere until there is a card."""


def card_of(name: str) -> Path | None:
    """The page of a model, if its card was made."""
    return next((page for folder in PLACES if (page := folder / f"{name}.html").is_file()), None)


def link_cards(run: Path) -> None:
    """Let the pages of a run's report lead to the cards that stand beside the run, and to no others."""
    cards = {page.stem for page in (run.resolve().parent / CARDS).glob("*.html")}

    def linked(found: re.Match[bytes]) -> bytes:
        name = found[1].decode()
        leads = f' href="../../{CARDS}/{name}.html"' if name in cards else ""
        return f'data-card="{name}"{leads}'.encode()

    for page in (run / "report").glob("*.html"):
        before = page.read_bytes()
        after = PLACE.sub(linked, before)
        if after != before:
            page.write_bytes(after)
