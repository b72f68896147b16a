"""Differences over the same seeds, with an exact test and a correction for their number."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from suite.statistics.estimate import Estimate, equal, settled
from suite.statistics.lazily import stats
from suite.statistics.step_down import step_down_p_values

SIGNIFICANCE = 0.05
FEWEST_FOR_EFFECT = 3
SEEDS_TO_CLAIM = math.ceil(math.log2(2 / SIGNIFICANCE))
"""Seeds from which the least p of the permutation test, 2 / 2^n, is below 5 %: six, however many comparisons."""


@dataclass(frozen=True)
class Comparison:
    """One model against the baseline.

    Attributes:
        difference: model − baseline over the seeds that both have.
        p: of the paired permutation test; `corrected` over all comparisons made together (`step_down_p_values`).
        t_p: of the paired t-test, uncorrected: it assumes normal differences and can speak from fewer seeds.
        effect_size: Hedges' g of the paired differences: their mean in units of their standard deviation; NaN from
            fewer than three, or if they do not differ.
    """

    name: str
    difference: Estimate
    p: float
    corrected: float
    t_p: float
    effect_size: float

    @property
    def verdict(self) -> str:
        """What may be claimed."""
        if not self.difference.count:
            return "no common seed"
        if self.difference.count < SEEDS_TO_CLAIM:
            return f"too few seeds: {SEEDS_TO_CLAIM} needed"
        if self.corrected >= SIGNIFICANCE:
            return "not distinguished"
        return "higher" if self.difference.mean > 0 else "lower"


def compare_with_baseline(values: Mapping[str, pd.Series], baseline: str) -> list[Comparison]:
    """Compare each series (indexed by seed) with that of the baseline; the comparisons are corrected together.

    A series that shares no seed with the baseline is not among them: nothing is tested for it.
    """
    pairs = [(name, baseline) for name in values if name != baseline]
    differences = {name: paired_differences(values[name], values[baseline]) for name, _ in pairs}
    corrected = corrected_p_values(values, pairs)
    return [
        Comparison(
            name,
            Estimate.of(own),
            paired_p_value(own) if own else math.nan,
            corrected[name, baseline] if own else math.nan,
            paired_t_p_value(own),
            hedges_g(own),
        )
        for name, own in differences.items()
    ]


def corrected_p_values(
    values: Mapping[str, pd.Series], pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], float]:
    """The p value of each pair's differences, first − second, corrected over all pairs; 1 without a common seed.

    Args:
        values: by name, each indexed by seed.
    """
    if not pairs:
        return {}
    table = _by_seed({name: values[name] for pair in pairs for name in pair})
    places = {name: place for place, name in enumerate(table.columns)}
    numbers = table.to_numpy(dtype=float).T
    first, second = (numbers[[places[pair[side]] for pair in pairs]] for side in (0, 1))
    return dict(zip(pairs, step_down_p_values(_differences(first, second)).tolist(), strict=True))


def paired_differences(first: pd.Series, second: pd.Series) -> list[float]:
    """first − second over the seeds for which both have a finite value, without the rounding of the sums behind."""
    common = first.index.intersection(second.index, sort=False)
    numbers = (own.reindex(common).to_numpy(dtype=float)[None] for own in (first, second))
    found = _differences(*numbers)[0]
    return found[np.isfinite(found)].tolist()


def _by_seed(values: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Seeds down, rising, names across; NaN where a name lacks a seed."""
    return pd.DataFrame(dict(values)).sort_index()


def _differences(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """first − second, [pairs, seeds], each pair by itself without the rounding of sums; NaN where one is not finite."""
    found = np.full(first.shape, np.nan)
    for place, (one, other) in enumerate(zip(first, second, strict=True)):
        finite = np.isfinite(one) & np.isfinite(other)
        exact = settled(np.stack([one[finite], other[finite]]))
        found[place, finite] = settled(exact[0] - exact[1])
    return found


def not_told_from_best(values: Mapping[str, pd.Series], better: Literal["higher", "lower"]) -> set[str]:
    """The best by its mean, and those that the paired test, corrected over all pairs, does not tell from it.

    Who is best is seen in the same data, so every pair could have been the one that is looked at: all are corrected
    together. Only what the test could have told apart is in the set: it is empty where the seeds are too few for any
    claim, and a series that shares too few seeds with the best is left out of it. Empty also for a single series.

    Args:
        values: by name, each indexed by seed.
    """
    finite = {name: own[np.isfinite(own.astype(float))] for name, own in values.items()}
    known = {name: own for name, own in finite.items() if len(own)}
    if len(known) < 2:
        return set()
    means = settled(np.array([math.fsum(own) / len(own) for own in known.values()]))
    best = list(known)[int(means.argmax() if better == "higher" else means.argmin())]
    able = {
        name for name in known if name != best and len(paired_differences(known[name], known[best])) >= SEEDS_TO_CLAIM
    }
    if not able:
        return set()
    corrected = corrected_p_values(known, list(itertools.combinations(known, 2)))
    separated = {name for pair, p in corrected.items() if p < SIGNIFICANCE and best in pair for name in pair}
    return {best} | (able - separated)


def paired_p_value(differences: Sequence[float]) -> float:
    """Two-sided permutation test that paired differences are symmetric about 0: their signs are exchanged at random."""
    return float(step_down_p_values(np.asarray(differences, dtype=float)[None])[0])


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
