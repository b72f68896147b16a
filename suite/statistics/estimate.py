"""A mean over seeds with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from suite.statistics.lazily import stats

CONFIDENCE = 0.95
RESAMPLES = 4999
FEWEST_FOR_BOOTSTRAP = 3
ROUNDING = 1e-9
"""Values that lie closer than this share of their size are equal: what is left is the rounding of sums."""


@cache
def _quantile(freedom: int) -> float:
    """Of Student's t, by degrees of freedom: the half width of the interval in standard errors."""
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))


def equal(values: np.ndarray) -> bool:
    """Whether all values are one but for the rounding of sums."""
    return bool(np.ptp(values) <= ROUNDING * np.abs(values).max())


def settled(values: np.ndarray) -> np.ndarray:
    """The values without the rounding of sums, so that equal counts of correct answers are equal numbers."""
    scale = np.abs(values[np.isfinite(values)]).max(initial=0.0)
    places = 9 if scale == 0 else 8 - math.floor(math.log10(scale))
    return np.round(values, places) + 0.0


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its 95 % confidence interval (Student's t); no interval from fewer than two values.

    Attributes:
        half_width: of the interval; 0 if all values are equal, NaN if there is none.
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
        if not np.isfinite(array).all():
            with np.errstate(invalid="ignore"):
                return cls(float(array.sum()), math.nan, len(array), own)
        mean = math.fsum(own) / len(own)  # whatever the order of the values
        if len(array) < 2:
            return cls(mean, math.nan, 1, own)
        if equal(array):
            return cls(mean, 0.0, len(array), own)
        error = array.std(ddof=1) / math.sqrt(len(array))
        return cls(mean, float(_quantile(len(array) - 1) * error), len(array), own)

    @property
    def low(self) -> float:
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        return self.mean + self.half_width

    def bootstrap(self) -> tuple[float, float]:
        """The bias-corrected and accelerated bootstrap 95 % interval of the mean.

        NaN from fewer than three values, or if one is infinite. The resampling is seeded.
        """
        if self.count < FEWEST_FOR_BOOTSTRAP:
            return math.nan, math.nan
        if not math.isfinite(self.mean):
            return math.nan, math.nan
        if self.half_width == 0:
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
