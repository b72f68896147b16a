"""Differences from a baseline over the same seeds, with an exact test and a correction for their number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from suite.statistics.estimate import Estimate

SIGNIFICANCE = 0.05
ALL_SIGNS_UP_TO = 12
"""Seeds up to which all 2^n assignments of signs are tried; beyond that 9,999 random ones."""


@dataclass(frozen=True)
class Comparison:
    """One model against the baseline.

    Attributes:
        difference: model − baseline over the seeds that both have.
        p: of the paired permutation test; `corrected` with Holm's correction over all comparisons made together.
        effect_size: Hedges' g of the paired differences: their mean in units of their standard deviation.
        needed: seeds from which this test can be significant at all, among that many comparisons.
    """

    name: str
    difference: Estimate
    p: float
    corrected: float
    effect_size: float
    needed: int

    @property
    def verdict(self) -> str:
        """What may be claimed."""
        if self.difference.count < self.needed:
            return f"too few seeds: {self.needed} needed"
        if self.corrected >= SIGNIFICANCE:
            return "not distinguished"
        return "higher" if self.difference.mean > 0 else "lower"


def compare_with_baseline(values: Mapping[str, pd.Series], baseline: str) -> list[Comparison]:
    """Compare each series (indexed by seed) with that of the baseline; the comparisons are corrected together."""
    others = [name for name in values if name != baseline]
    differences = [(values[name] - values[baseline]).dropna() for name in others]
    p_values = [paired_p_value(list(difference)) for difference in differences]
    corrected = holm(p_values)
    needed = seeds_needed(len(others))
    return [
        Comparison(name, Estimate.of(list(difference)), p, q, hedges_g(list(difference)), needed)
        for name, difference, p, q in zip(others, differences, p_values, corrected, strict=True)
    ]


def paired_p_value(differences: Sequence[float]) -> float:
    """Two-sided permutation test that paired differences are symmetric about 0: their signs are exchanged at random."""
    array = np.asarray(differences, dtype=float)
    if len(array) < 2 or not array.any():
        return 1.0
    resamples = np.inf if len(array) <= ALL_SIGNS_UP_TO else 9999
    found = stats.permutation_test(
        (array,),
        lambda sample, axis: np.mean(sample, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        rng=np.random.default_rng(0),
    )
    return float(found.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction for the number of tests."""
    return multipletests(p_values, SIGNIFICANCE, method="holm")[1].tolist() if len(p_values) else []


def hedges_g(differences: Sequence[float]) -> float:
    """Mean over standard deviation of paired differences, with Hedges' correction for few of them."""
    array = np.asarray(differences, dtype=float)
    if len(array) < 2 or array.std(ddof=1) == 0:
        return math.nan
    correction = 1 - 3 / (4 * (len(array) - 1) - 1)
    return float(array.mean() / array.std(ddof=1) * correction)


def seeds_needed(comparisons: int) -> int:
    """Seeds from which the smallest p of the permutation test, 2 / 2^n, stays under 5 % after Holm's correction."""
    return math.ceil(math.log2(2 * max(comparisons, 1) / SIGNIFICANCE))
