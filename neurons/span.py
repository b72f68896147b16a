"""What a number or a word may be while a model is tuned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

DIGITS = 3
"""Significant digits of a number that is tried, so that a setting can be typed again."""


@dataclass(frozen=True)
class Span:
    """From `low` to `high`, or one of `choices`.

    Attributes:
        logarithmic: equal factors are equally likely, not equal steps; `low` is above 0 then.
    """

    low: float = 0.0
    high: float = 1.0
    logarithmic: bool = False
    choices: tuple[Any, ...] = ()

    def at(self, share: float) -> Any:
        """The value at a share of the way, from 0 up to 1."""
        if self.choices:
            return self.choices[min(int(share * len(self.choices)), len(self.choices) - 1)]
        if self.logarithmic:
            value = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + share * (self.high - self.low)
        return float(f"{value:.{DIGITS}g}")
