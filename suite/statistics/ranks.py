"""Models ranked over data sets, with the critical difference that noise alone would not exceed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
import scikit_posthocs
from scipy import stats

from suite.statistics.paired import SIGNIFICANCE

FEWEST_DATASETS = 2
FEWEST_MODELS = 3


@dataclass(frozen=True)
class Ranks:
    """Mean ranks over data sets (1 is best).

    Attributes:
        mean: by model, the best first.
        p: of Friedman's test that all models rank alike.
        pairwise: Nemenyi's p value of each pair.
        critical_difference: of mean ranks, at 5 %.
        datasets: how many the ranks are over.
    """

    mean: pd.Series
    p: float
    pairwise: pd.DataFrame
    critical_difference: float
    datasets: int


def rank_over_datasets(table: pd.DataFrame) -> Ranks | None:
    """Rank models (columns) on data sets (rows) by a metric of which more is better; None for too few of either.

    Data sets that lack a model are left out.
    """
    whole = table.dropna()
    datasets, models = whole.shape
    if datasets < FEWEST_DATASETS or models < FEWEST_MODELS:
        return None
    ranks = whole.rank(axis=1, ascending=False).mean().sort_values()
    p = float(stats.friedmanchisquare(*(whole[name] for name in whole)).pvalue)
    pairwise = scikit_posthocs.posthoc_nemenyi_friedman(whole)
    quantile = stats.studentized_range.ppf(1 - SIGNIFICANCE, models, math.inf) / math.sqrt(2)
    difference = quantile * math.sqrt(models * (models + 1) / (6 * datasets))
    return Ranks(ranks, p, pairwise, float(difference), datasets)
