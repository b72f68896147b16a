"""How many seeds would tell two models apart, if they differ as they did so far."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from suite.statistics.equivalence import POWER
from suite.statistics.estimate import equal
from suite.statistics.lazily import stats
from suite.statistics.paired import SEEDS_TO_CLAIM, SIGNIFICANCE

MOST_SEEDS = 1000
"""Beyond it a difference is so small beside its spread that nobody will measure it."""


def seeds_to_tell(differences: Sequence[float], comparisons: int) -> float:
    """Seeds with which a paired t-test finds these differences' mean with 80 % power (noncentral t).

    At 5 % over the number of comparisons, which no correction falls below; never fewer than those from which the
    permutation test can speak. Infinite beyond MOST_SEEDS, NaN from fewer than two differences.
    """
    array = np.asarray(differences, dtype=float)
    if len(array) < 2 or not np.isfinite(array).all():
        return math.nan
    if equal(array):
        return float(SEEDS_TO_CLAIM) if array.any() else math.inf
    effect = abs(array.mean()) / array.std(ddof=1)

    def enough(seeds: int) -> bool:
        quantile = stats.t.ppf(1 - SIGNIFICANCE / max(comparisons, 1) / 2, seeds - 1)
        return bool(stats.nct.sf(quantile, seeds - 1, effect * math.sqrt(seeds)) >= POWER)

    if not enough(MOST_SEEDS):
        return math.inf
    low, high = SEEDS_TO_CLAIM - 1, MOST_SEEDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return float(high)
