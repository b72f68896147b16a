"""What paired differences can show beside "not 0": that they are small, that they are large, and what was in reach."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from suite.statistics.lazily import optimize, stats

POWER = 0.8


def difference_p_value(differences: Sequence[float]) -> float:
    """Two-sided paired t test that the mean is 0; 1 from fewer than two seeds or if all differences are 0."""
    array = np.asarray(differences, dtype=float)
    if len(array) < 2 or not array.any():
        return 1.0
    return 2 * min(_upper_tail(array, 0.0), _upper_tail(-array, 0.0))


def equivalence_p_value(differences: Sequence[float], margin: float) -> float:
    """Two one-sided t tests (TOST, Schuirmann 1987): small if the mean lies within ±margin."""
    array = np.asarray(differences, dtype=float)
    if len(array) < 2:
        return 1.0
    return max(_upper_tail(array, -margin), _upper_tail(-array, -margin))


def beyond_p_value(differences: Sequence[float], margin: float) -> float:
    """Two-sided t test that the mean lies outside ±margin: small if it does."""
    array = np.asarray(differences, dtype=float)
    if len(array) < 2:
        return 1.0
    return min(1.0, 2 * min(_upper_tail(array, margin), _upper_tail(-array, margin)))


def smallest_effect(differences: Sequence[float], significance: float) -> float:
    """The mean difference that this many seeds of this spread find with 80 % power at a significance (noncentral t).

    NaN from fewer than two seeds, which find nothing.
    """
    array = np.asarray(differences, dtype=float)
    if len(array) < 2:
        return math.nan
    freedom, root = len(array) - 1, math.sqrt(len(array))
    quantile = stats.t.ppf(1 - significance / 2, freedom)

    def lacking(standardised: float) -> float:
        return float(POWER - stats.nct.sf(quantile, freedom, standardised * root))

    highest = 1.0
    while lacking(highest) > 0:
        highest *= 2
    return float(optimize.brentq(lacking, 0, highest) * array.std(ddof=1))


def _upper_tail(array: np.ndarray, bound: float) -> float:
    """p of the one-sided t test that the mean is at most `bound`; without spread 0 or 1."""
    error = array.std(ddof=1) / math.sqrt(len(array))
    if error <= 1e-12 * max(abs(array.mean()), 1e-300):
        return 0.0 if array.mean() > bound else 1.0
    return float(stats.t.sf((array.mean() - bound) / error, len(array) - 1))
