"""The probability that one model beats another on a run drawn at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from suite.statistics.estimate import CONFIDENCE

RESAMPLES = 1999

Runs = Mapping[str, Sequence[float]]
"""The values of one model over seeds, by data set."""


@dataclass(frozen=True)
class Improvement:
    """P(model > baseline) averaged over data sets, with a bootstrap interval stratified by data set."""

    probability: float
    low: float
    high: float


def probability_of_improvement(model: Runs, baseline: Runs) -> Improvement | None:
    """Over the data sets that both have; ties count one half. None if they share none."""
    shared = [name for name in model if name in baseline and len(model[name]) and len(baseline[name])]
    if not shared:
        return None
    pairs = [(np.asarray(model[name], float), np.asarray(baseline[name], float)) for name in shared]
    generator = np.random.default_rng(0)
    draws = np.mean([_resampled(x, y, generator) for x, y in pairs], axis=0)
    low, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Improvement(float(np.mean([_probability(x, y) for x, y in pairs])), float(low), float(high))


def _probability(x: np.ndarray, y: np.ndarray) -> float:
    """Mann and Whitney's U over the number of pairs."""
    return float(stats.mannwhitneyu(x, y).statistic / (len(x) * len(y)))


def _resampled(x: np.ndarray, y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """P(x > y) of resampled seeds."""
    own = x[generator.integers(len(x), size=(RESAMPLES, len(x)))][:, :, None]
    other = y[generator.integers(len(y), size=(RESAMPLES, len(y)))][:, None, :]
    return ((own > other) + 0.5 * (own == other)).mean(axis=(1, 2))
