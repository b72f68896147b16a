"""The probability that one model beats another on a run drawn at random."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from suite.statistics.estimate import CONFIDENCE, settled
from suite.statistics.lazily import stats

RESAMPLES = 1999
TOGETHER = 100
"""Resamples that are computed at a time: those of thousands of seeds would fill the memory."""
FEWEST_FOR_INTERVAL = 8
"""Seeds a data set from which the bootstrap covers what it says: of three seeds, one interval in six leaves out the
0.5 of two equal models; of eight or more, one in twenty (README.md)."""

Runs = Mapping[str, Sequence[float]]
"""The values of one model over seeds, by data set."""


@dataclass(frozen=True)
class Improvement:
    """P(model > baseline) averaged over data sets, with a bootstrap interval stratified by data set.

    Attributes:
        low, high: of the interval; NaN where a data set has too few seeds for one.
    """

    probability: float
    low: float
    high: float


def probability_of_improvement(model: Runs, baseline: Runs) -> Improvement | None:
    """Over the data sets that both have; ties count one half. None if they share none."""
    shared = [name for name in model if name in baseline and len(model[name]) and len(baseline[name])]
    if not shared:
        return None
    pairs = [_settled_pair(model[name], baseline[name]) for name in shared]
    probability = float(np.mean([_probability(x, y) for x, y in pairs]))
    if min(len(values) for pair in pairs for values in pair) < FEWEST_FOR_INTERVAL:
        return Improvement(probability, math.nan, math.nan)
    generator = np.random.default_rng(0)
    draws = np.mean([_resampled(x, y, generator) for x, y in pairs], axis=0)
    low, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Improvement(probability, float(low), float(high))


def _settled_pair(x: Sequence[float], y: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    both = settled(np.concatenate([np.asarray(x, float), np.asarray(y, float)]))
    return both[: len(x)], both[len(x) :]


def _probability(x: np.ndarray, y: np.ndarray) -> float:
    """Mann and Whitney's U over the number of pairs."""
    return float(stats.mannwhitneyu(x, y).statistic / (len(x) * len(y)))


def _resampled(x: np.ndarray, y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """P(x > y) of resampled seeds, by how many of the drawn y are below each drawn x, ties half."""
    own = generator.integers(len(x), size=(RESAMPLES, len(x)))
    other = generator.integers(len(y), size=(RESAMPLES, len(y)))
    parts = range(0, RESAMPLES, TOGETHER)
    return np.concatenate([_of_draws(x, y, own[i : i + TOGETHER], other[i : i + TOGETHER]) for i in parts])


def _of_draws(x: np.ndarray, y: np.ndarray, own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """P(x > y) of some draws, which say [resamples, seeds] the places of the drawn x and y."""
    count = len(own)
    order = np.sort(y)
    rank = np.argsort(np.argsort(y, kind="stable"), kind="stable")[other]
    place = rank + len(y) * np.arange(count)[:, None]
    drawn = np.bincount(place.ravel(), minlength=count * len(y)).reshape(count, len(y))
    below = np.concatenate([np.zeros((count, 1), int), drawn.cumsum(1)], axis=1)
    twice = sum(np.take_along_axis(below, np.searchsorted(order, x, side)[own], 1) for side in ("left", "right"))
    return np.asarray(twice).sum(1) / (2 * len(x) * len(y))
