"""One number over many data sets: the interquartile mean of all runs, and the share of runs above each score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from suite.statistics.estimate import CONFIDENCE
from suite.statistics.lazily import stats

FEWEST_DATASETS = 8
"""Below it half of the runs of two or three data sets would decide (Agarwal et al. 2021 have 26 and more)."""
RESAMPLES = 1999


@dataclass(frozen=True)
class InterquartileMean:
    """The mean of the middle half of all runs of all data sets, with a bootstrap interval stratified by data set."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, runs: Sequence[Sequence[float]]) -> InterquartileMean:
        """Of the scores of each data set's runs (Agarwal et al. 2021, section 4.3). The resampling is seeded."""
        arrays = [np.asarray(own, dtype=float) for own in runs]
        generator = np.random.default_rng(0)
        drawn = [own[generator.integers(len(own), size=(RESAMPLES, len(own)))] for own in arrays]
        means = stats.trim_mean(np.concatenate(drawn, axis=1), 0.25, axis=1)
        low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return cls(float(stats.trim_mean(np.concatenate(arrays), 0.25)), float(low), float(high))


def performance_profile(runs: Sequence[Sequence[float]], thresholds: Sequence[float]) -> list[float]:
    """The share of runs above each threshold, every data set counting alike (Agarwal et al. 2021, section 4.2)."""
    return [float(np.mean([np.mean(np.asarray(own) > level) for own in runs])) for level in thresholds]
