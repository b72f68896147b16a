"""A mean over seeds with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 4999
FEWEST_FOR_BOOTSTRAP = 3


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its 95 % confidence interval (Student's t); no interval from fewer than two values.

    Attributes:
        half_width: of the interval; NaN if there is none.
        values: what was averaged, one a seed.
    """

    mean: float
    half_width: float
    count: int
    values: tuple[float, ...] = ()

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        array = np.asarray(values, dtype=float)
        own = tuple(array.tolist())
        if not len(array):
            return cls(math.nan, math.nan, 0)
        if len(array) < 2:
            return cls(float(array.mean()), math.nan, len(array), own)
        quantile = stats.t.ppf((1 + CONFIDENCE) / 2, len(array) - 1)
        return cls(float(array.mean()), float(quantile * stats.sem(array)), len(array), own)

    @property
    def low(self) -> float:
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        return self.mean + self.half_width

    def overlaps(self, other: Estimate) -> bool:
        """Whether the intervals meet; without an interval a value counts as its own."""
        own, others = (0.0 if math.isnan(e.half_width) else e.half_width for e in (self, other))
        return abs(self.mean - other.mean) <= own + others

    def bootstrap(self) -> tuple[float, float]:
        """The bias-corrected and accelerated bootstrap 95 % interval of the mean; NaN from fewer than three values.

        The same values give the same interval: the resampling is seeded.
        """
        if self.count < FEWEST_FOR_BOOTSTRAP:
            return math.nan, math.nan
        if min(self.values) == max(self.values):
            return self.mean, self.mean
        found = stats.bootstrap(
            (np.array(self.values),),
            np.mean,
            confidence_level=CONFIDENCE,
            n_resamples=RESAMPLES,
            method="BCa",
            rng=np.random.default_rng(0),
        )
        return float(found.confidence_interval.low), float(found.confidence_interval.high)
