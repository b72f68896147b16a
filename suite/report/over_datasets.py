"""Neurons over many data sets: scores between guessing and no error, and the interquartile mean of all runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from suite.report import style
from suite.report.conditions import name_conditions
from suite.report.outcomes import outcomes
from suite.report.table import Entry, Table
from suite.statistics.aggregate import FEWEST_DATASETS, InterquartileMean


def scores(rows: pd.DataFrame) -> Mapping[str, Sequence[Sequence[float]]]:
    """By `who` the scores of each data set's runs: 0 for guessing, 1 for no error. Of who was run on all data sets.

    Empty from fewer than FEWEST_DATASETS.
    """
    known = [own for own in outcomes(name_conditions(rows)) if own.level == own.level]
    if len(known) < FEWEST_DATASETS:
        return {}
    whos = set.intersection(*(set(own.values) for own in known))
    return {
        who: [[(value - own.level) / (100 - own.level) for value in own.values[who]] for own in known]
        for who in style.ordered(whos)
    }


def aggregate(rows: pd.DataFrame) -> Table | None:
    """The interquartile mean of each neuron, the best first."""
    known = scores(rows)
    if not known:
        return None
    found = {who: InterquartileMean.of(runs) for who, runs in known.items()}
    count = len(next(iter(known.values())))
    lines = [
        (who, [Entry(f"{own.value:.3f}"), Entry(f"{own.low:.3f} to {own.high:.3f}")])
        for who, own in sorted(found.items(), key=lambda pair: -pair[1].value)
    ]
    caption = (
        f"Mean of the middle half of all runs of {count} data sets; 0 is guessing, 1 no error. 95 % interval by a "
        "bootstrap of the seeds, stratified by data set."
    )
    title = "Interquartile mean over data sets."
    return Table("aggregate", title, caption, ["neuron", "score", "interval"], lines, [], ("accuracy",))
