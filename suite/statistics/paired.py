"""Differences from a baseline over the same seeds, with an exact test and a correction for their number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from suite.statistics.estimate import Estimate, equal, settled

SIGNIFICANCE = 0.05
FEWEST_FOR_EFFECT = 3
ALL_SIGNS_UP_TO = 12
"""Seeds up to which all 2^n assignments of signs are tried; beyond that 9,999 random ones."""


@dataclass(frozen=True)
class Comparison:
    """One model against the baseline.

    Attributes:
        difference: model − baseline over the seeds that both have.
        p: of the paired permutation test; `corrected` with Holm's correction over all comparisons made together.
        t_p: of the paired t-test, uncorrected: it assumes normal differences and can speak from fewer seeds.
        effect_size: Hedges' g of the paired differences: their mean in units of their standard deviation; NaN from
            fewer than three, or if they do not differ.
        needed: seeds from which this test can be significant at all, among that many comparisons.
    """

    name: str
    difference: Estimate
    p: float
    corrected: float
    t_p: float
    effect_size: float
    needed: int

    @property
    def verdict(self) -> str:
        """What may be claimed."""
        if not self.difference.count:
            return "no common seed"
        if self.difference.count < self.needed:
            return f"too few seeds: {self.needed} needed"
        if self.corrected >= SIGNIFICANCE:
            return "not distinguished"
        return "higher" if self.difference.mean > 0 else "lower"


def compare_with_baseline(values: Mapping[str, pd.Series], baseline: str) -> list[Comparison]:
    """Compare each series (indexed by seed) with that of the baseline; the comparisons are corrected together.

    A series that shares no seed with the baseline is not among them: nothing is tested for it.
    """
    differences = {name: paired_differences(own, values[baseline]) for name, own in values.items() if name != baseline}
    testable = [name for name, own in differences.items() if len(own)]
    p_values = {name: paired_p_value(differences[name]) for name in testable}
    corrected = dict(zip(testable, holm(list(p_values.values())), strict=True))
    needed = seeds_needed(len(testable))
    return [
        Comparison(
            name,
            Estimate.of(own),
            p_values.get(name, math.nan),
            corrected.get(name, math.nan),
            paired_t_p_value(own),
            hedges_g(own),
            needed,
        )
        for name, own in differences.items()
    ]


def paired_differences(first: pd.Series, second: pd.Series) -> list[float]:
    """first − second over the seeds for which both have a finite value, without the rounding of the sums behind."""
    both = pd.concat([first, second], axis=1, join="inner").to_numpy(dtype=float)
    both = both[np.isfinite(both).all(axis=1)]
    if not len(both):
        return []
    exact = settled(both)
    differences: list[float] = settled(exact[:, 0] - exact[:, 1]).tolist()
    return differences


def not_told_from_best(values: Mapping[str, pd.Series], better: Literal["higher", "lower"]) -> set[str]:
    """The best by its mean, and those that the paired test, corrected over all of them, does not tell from it.

    Only what the test could have told apart is in the set: it is empty where the seeds are too few for any claim, and
    a series that shares too few seeds with the best is left out of it. Empty also for a single series.

    Args:
        values: by name, each indexed by seed.
    """
    finite = {name: own[np.isfinite(own.astype(float))] for name, own in values.items()}
    known = {name: own for name, own in finite.items() if len(own)}
    if len(known) < 2:
        return set()
    means = settled(np.array([math.fsum(own) / len(own) for own in known.values()]))
    place = int(means.argmax() if better == "higher" else means.argmin())
    best = list(known)[place]
    needed = seeds_needed(len(known) - 1)
    compared = compare_with_baseline(known, best)
    able = {comparison.name for comparison in compared if comparison.difference.count >= needed}
    if not able:
        return set()
    separated = {comparison.name for comparison in compared if comparison.corrected < SIGNIFICANCE}
    return {best} | (able - separated)


def paired_p_value(differences: Sequence[float]) -> float:
    """Two-sided permutation test that paired differences are symmetric about 0: their signs are exchanged at random."""
    array = np.asarray(differences, dtype=float)
    if len(array) < 2 or not array.any():
        return 1.0
    if np.isnan(array).any():
        return math.nan
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


def paired_t_p_value(differences: Sequence[float]) -> float:
    """Two-sided paired t-test (Student 1908); NaN from fewer than two differences, or if they do not differ."""
    array = np.asarray(differences, dtype=float)
    if len(array) < 2 or not np.isfinite(array).all() or equal(array):
        return math.nan
    return float(stats.ttest_1samp(array, 0.0).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction for the number of tests: the smallest times all, the next times one fewer, …"""
    array = np.asarray(p_values, dtype=float)
    order = np.argsort(array, kind="stable")
    stepped = np.maximum.accumulate(array[order] * np.arange(len(array), 0, -1))
    corrected = np.empty_like(array)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected.tolist()


def hedges_g(differences: Sequence[float]) -> float:
    """Mean over standard deviation of paired differences, with Hedges' correction for few of them.

    NaN if they are equal or fewer than three: the correction 1 − 3/(4(n − 1) − 1) is 0 for two.
    """
    array = np.asarray(differences, dtype=float)
    if len(array) < FEWEST_FOR_EFFECT or not np.isfinite(array).all() or equal(array):
        return math.nan
    correction = 1 - 3 / (4 * (len(array) - 1) - 1)
    return float(array.mean() / array.std(ddof=1) * correction)


def seeds_needed(comparisons: int) -> int:
    """Seeds from which the smallest p of the permutation test, 2 / 2^n, stays under 5 % after Holm's correction."""
    return math.ceil(math.log2(2 * max(comparisons, 1) / SIGNIFICANCE))
