"""Which of many neurons a figure names; its data and the tables hold all."""

from __future__ import annotations

from collections.abc import Sequence

from suite.report import names
from suite.report.timings import BASELINE

ALL_UP_TO = 20
"""Neurons that a figure names all of; of more the first MOST, the baseline and one's own."""
MOST = 16


def chosen(whos: Sequence[str], baseline: str = BASELINE) -> list[str]:
    """Those of `whos`, the first to be shown first, that a figure has room for, in the same order."""
    if len(whos) <= ALL_UP_TO:
        return list(whos)
    return [
        who for place, who in enumerate(whos) if place < MOST or names.is_own(who) or who.partition(" (")[0] == baseline
    ]


def of_more(first: str) -> str:
    """What a figure's reading says of its choice."""
    return f" Of more than {ALL_UP_TO} neurons: {first}, the baseline and one's own; the CSV holds all."
