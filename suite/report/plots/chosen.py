"""Which of many neurons a figure names; its data and the tables hold all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from suite.report import names, style
from suite.report.timings import BASELINE

ALL_UP_TO = 20
"""Neurons that a figure names all of; of more the first MOST, the baseline and one's own."""
MOST = 16


def chosen(whos: Sequence[str], baseline: str = BASELINE) -> list[str]:
    """Those of `whos`, the first to be shown first, whose neurons a figure has room for, in the same order."""
    neurons = list(dict.fromkeys(map(names.neuron_of, whos)))
    if len(neurons) <= ALL_UP_TO:
        return list(whos)
    kept = {own for place, own in enumerate(neurons) if place < MOST or names.is_own(own) or own == baseline}
    return [who for who in whos if names.neuron_of(who) in kept]


def by_mean_rank(data: pd.DataFrame, value: str, panel: str = "where", *, least_first: bool = False) -> list[str]:
    """Every `who` of the data by its mean rank in the column `value` over the panels, the most first."""
    places = data.groupby(panel, sort=False)[value].rank(ascending=least_first).groupby(data.who).mean()
    return sorted(style.ordered(data.who), key=lambda who: float(places.get(who, math.inf)))


def of_more(first: str) -> str:
    """What a figure's reading says of its choice."""
    return f" Of more than {ALL_UP_TO} neurons: {first}, the baseline and one's own; the CSV holds all."
