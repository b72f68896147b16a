"""Statistics over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its 95 % confidence interval (Student's t); no interval from fewer than two values."""

    mean: float
    half_width: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        array = np.asarray(values, dtype=float)
        if not len(array):
            return cls(math.nan, math.nan, 0)
        if len(array) < 2:
            return cls(float(array.mean()), math.nan, len(array))
        quantile = stats.t.ppf((1 + CONFIDENCE) / 2, len(array) - 1)
        return cls(float(array.mean()), float(quantile * stats.sem(array)), len(array))

    @property
    def low(self) -> float:
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        return self.mean + self.half_width
