"""Tests of small, large and detectable differences against scipy's t tests, and against the power that they promise."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from suite.statistics.equivalence import (
    beyond_p_value,
    difference_p_value,
    equivalence_p_value,
    smallest_effect,
)
from suite.statistics.estimate import Estimate, settled
from suite.statistics.ranks import Ranks, rank_over_datasets

SAMPLES = [[0.3, -0.1, 0.4, 0.2], [2.5, 3.0, 2.0, 2.2, 2.9], [-1.1, -0.9, -1.4], [0.2, -0.3]]


def one_sided(values: list[float], bound: float, alternative: str) -> float:
    return float(stats.ttest_1samp(values, bound, alternative=alternative).pvalue)


@pytest.mark.parametrize("values", SAMPLES, ids=str)
@pytest.mark.parametrize("margin", [0.25, 1.0, 4.0])
def test_p_values_are_scipys(values: list[float], margin: float) -> None:
    assert difference_p_value(values) == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue)
    above_low, below_high = one_sided(values, -margin, "greater"), one_sided(values, margin, "less")
    assert equivalence_p_value(values, margin) == pytest.approx(max(above_low, below_high))
    outside = 2 * min(one_sided(values, margin, "greater"), one_sided(values, -margin, "less"))
    assert beyond_p_value(values, margin) == pytest.approx(min(1.0, outside))


@pytest.mark.parametrize("values", [[], [3.0]])
def test_one_seed_decides_nothing(values: list[float]) -> None:
    assert difference_p_value(values) == equivalence_p_value(values, 1.0) == beyond_p_value(values, 1.0) == 1.0
    assert math.isnan(smallest_effect(values, 0.05))


def test_seeds_without_spread() -> None:
    """They lie on one side of every bound for certain; equal zeros are no difference."""
    assert difference_p_value([0.0, 0.0, 0.0]) == 1.0
    for value in (2.0, 2e-7, -3e4):
        alike, half = [value] * 3, abs(value) / 2
        assert difference_p_value(alike) == 0.0
        assert (equivalence_p_value(alike, 2 * abs(value)), equivalence_p_value(alike, half)) == (0.0, 1.0)
        assert (beyond_p_value(alike, half), beyond_p_value(alike, 2 * abs(value))) == (0.0, 1.0)


@pytest.mark.parametrize("significance", [0.05, 0.05 / 20])
@pytest.mark.parametrize("values", SAMPLES, ids=str)
def test_smallest_effect_is_found_in_four_of_five_cases(values: list[float], significance: float) -> None:
    """By the power of the two-sided t test for normal differences of the same spread."""
    count, spread = len(values), float(np.std(values, ddof=1))
    effect = smallest_effect(values, significance)
    quantile = stats.t.isf(significance / 2, count - 1)
    power = stats.nct.sf(quantile, count - 1, effect / spread * math.sqrt(count))
    assert power == pytest.approx(0.8, abs=1e-6)


def test_smallest_effect_by_trial() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(0, 2.0, 8)
    effect, spread = smallest_effect(list(values), 0.05), float(np.std(values, ddof=1))
    draws = generator.normal(effect, spread, (4000, 8))
    found = (stats.ttest_1samp(draws, 0.0, axis=1).pvalue < 0.05).mean()
    assert found == pytest.approx(0.8, abs=0.02)  # three standard deviations of 4,000 draws
    # Cohen's table: eight pairs find 1.16 standard deviations
    assert effect / spread == pytest.approx(1.16, abs=0.01)


def test_friedman_tells_apart_below_five_percent() -> None:
    def of(p: float) -> Ranks:
        return Ranks(pd.Series(dtype=float), p, pd.DataFrame(), 1.0, 4, ())

    assert [of(p).told_apart for p in (0.0499, 0.05, 0.0501)] == [True, False, False]


@pytest.mark.parametrize("scale", [1e-12, 1.0, 97.3, 1e12])
def test_rounding_is_relative_to_the_values(scale: float) -> None:
    """A millionth is a difference at any scale, the last digits of a sum at none."""
    same, other = settled(np.array([scale, scale * (1 + 1e-13)])), settled(np.array([scale, scale * (1 + 1e-6)]))
    assert same[0] == same[1]
    assert other[0] != other[1]
    assert settled(np.zeros(2)).tolist() == [0, 0]


def test_one_value_counts_as_one_and_two_models_have_no_ranks() -> None:
    assert (Estimate.of([5.0]).count, Estimate.of([]).count, Estimate.of([5.0, 6.0]).count) == (1, 0, 2)
    table = pd.DataFrame({"a": [1.0, 2, 3], "b": [2.0, 3, 1], "c": [3.0, 1, 2]})
    assert rank_over_datasets(table) is not None
    assert rank_over_datasets(table[["a", "b"]]) is None
