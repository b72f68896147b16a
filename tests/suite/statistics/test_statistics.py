"""Statistics against known answers and scipy, and against chance."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from scipy import stats

from suite.runs.plan import SEEDS
from suite.statistics import (
    SEEDS_TO_CLAIM,
    Estimate,
    compare_with_baseline,
    holm,
    not_told_from_best,
    paired_p_value,
    probability_of_improvement,
    rank_over_datasets,
)
from suite.statistics.paired import hedges_g

ACCURACIES = [97.4, 98.1, 96.9, 97.7, 98.3, 97.0]


def test_interval_is_students() -> None:
    # 1, 2, 3: mean 2, standard error 1/√3, t(0.975, 2) = 4.302653
    estimate = Estimate.of([1, 2, 3])
    assert (estimate.mean, estimate.count) == (2, 3)
    assert estimate.half_width == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert math.isnan(Estimate.of([5]).half_width)
    assert math.isnan(Estimate.of([]).mean)


def test_bootstrap_is_scipys() -> None:
    low, high = Estimate.of(ACCURACIES).bootstrap()
    wanted = stats.bootstrap(
        (ACCURACIES,), np.mean, n_resamples=4999, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    assert (low, high) == pytest.approx((wanted.low, wanted.high))
    assert low < np.mean(ACCURACIES) < high
    assert Estimate.of([3.0, 3.0, 3.0]).bootstrap() == (3.0, 3.0)
    assert all(math.isnan(value) for value in Estimate.of([1.0, 2.0]).bootstrap())


def test_permutation_test_by_hand() -> None:
    # All differences positive: only the two sign patterns "all +" and "all −" are as extreme, of 2^5.
    assert paired_p_value([0.3, 0.1, 0.4, 0.1, 0.5]) == pytest.approx(2 / 2**5)
    differences = [0.3, -0.1, 0.4, 0.2]
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=4)
    ]
    wanted = sum(total >= abs(sum(differences)) - 1e-12 for total in sums) / len(sums)
    assert paired_p_value(differences) == pytest.approx(wanted)
    assert paired_p_value([0.0, 0.0, 0.0]) == 1.0


def test_holm_by_hand() -> None:
    # sorted 0.01, 0.03, 0.04: times 3, 2, 1, never falling: 0.03, 0.06, 0.06
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []


def test_hedges_g_by_hand() -> None:
    # mean 2, standard deviation 1, n = 3: correction 1 − 3/(4·2 − 1) = 4/7
    assert hedges_g([1.0, 2.0, 3.0]) == pytest.approx(2 * 4 / 7)


def test_seeds_to_claim() -> None:
    assert SEEDS_TO_CLAIM == 6, "2/2^5 = 0.0625 is too much, 2/2^6 = 0.03125 is enough"


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_a_profile_has_the_seeds_that_a_claim_needs(profile):
    assert SEEDS[profile] >= SEEDS_TO_CLAIM


def test_no_claim_from_too_few_seeds() -> None:
    seeds = range(5)
    values = {"lif": pd.Series([90.0 + s for s in seeds], seeds), "clif": pd.Series([95.0 + s for s in seeds], seeds)}
    (found,) = compare_with_baseline(values, "lif")
    assert found.verdict == "too few seeds: 6 needed"
    more = {name: pd.Series([*series, series.iloc[-1] + 1]) for name, series in values.items()}
    assert compare_with_baseline(more, "lif")[0].verdict == "higher"


def test_pairs_are_those_that_both_have() -> None:
    values = {"lif": pd.Series([1.0, 2.0, 3.0], [0, 1, 2]), "clif": pd.Series([5.0, 9.0], [1, 7])}
    (found,) = compare_with_baseline(values, "lif")
    assert found.difference.values == (3.0,)


def test_ranks_by_hand() -> None:
    table = pd.DataFrame({"a": [1.0, 2, 3, 4], "b": [2.0, 3, 4, 5], "c": [3.0, 1, 5, 6]})
    ranks = rank_over_datasets(table)
    assert ranks is not None
    # a: 3, 2, 3, 3; b: 2, 1, 2, 2; c: 1, 3, 1, 1
    assert ranks.mean.to_dict() == pytest.approx({"c": 1.5, "b": 1.75, "a": 2.75})
    assert ranks.p == pytest.approx(stats.friedmanchisquare(table.a, table.b, table.c).pvalue)
    # Demšar 2006, table 5: q(0.05) for three models is 2.343
    assert ranks.critical_difference == pytest.approx(2.343 * math.sqrt(3 * 4 / (6 * 4)), rel=1e-3)
    assert rank_over_datasets(table.iloc[:1]) is None


def test_pairs_of_ranks_as_scikit_posthocs_has_them() -> None:
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(6, 4)).round(1), columns=list("abcd"))
    ranks = rank_over_datasets(table)
    assert ranks is not None
    right = scikit_posthocs.posthoc_nemenyi_friedman(table)
    assert np.allclose(ranks.pairwise, right.loc[ranks.pairwise.index, ranks.pairwise.columns], atol=1e-9)
    assert (ranks.pairwise.to_numpy() < 1).any()


def test_probability_of_improvement_by_hand() -> None:
    # Pairs of 2, 4 with 1, 3: better in 3 of 4; of 1 with 1: a tie
    found = probability_of_improvement({"x": [2, 4], "y": [1]}, {"x": [1, 3], "y": [1], "z": [0]})
    assert found is not None
    assert found.probability == pytest.approx((0.75 + 0.5) / 2)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert probability_of_improvement({"x": [1]}, {"y": [1]}) is None


def test_an_interval_of_the_probability_needs_eight_seeds() -> None:
    """The bootstrap of three leaves out the 0.5 of two equal models in one case of six."""
    generator = np.random.default_rng(0)
    for seeds, some in ((3, False), (7, False), (8, True), (20, True)):
        draw = [list(generator.normal(90, 1, seeds)) for _ in range(2)]
        found = probability_of_improvement({"x": draw[0]}, {"x": draw[1]})
        assert found is not None
        assert (found.low <= found.probability <= found.high) is some


@pytest.mark.slow
def test_one_model_under_two_names_is_called_different_in_a_twentieth_of_repeats() -> None:
    """20 seeds, accuracies in steps of a tenth of a percent: with 200 repeats the share lies within 5 ± 4.6 % (3σ)."""
    generator = np.random.default_rng(3)
    repeats = 200
    called = 0
    for _ in range(repeats):
        values = {name: pd.Series(np.round(generator.normal(90, 1, 20), 1)) for name in ("clif", "clif again")}
        called += compare_with_baseline(values, "clif")[0].verdict in ("higher", "lower")
    assert called / repeats < 0.097
    assert called > 0


def test_a_real_difference_is_found() -> None:
    generator = np.random.default_rng(0)
    values = {"lif": pd.Series(generator.normal(90, 1, 20)), "clif": pd.Series(generator.normal(92, 1, 20))}
    (found,) = compare_with_baseline(values, "lif")
    assert found.verdict == "higher"
    assert found.effect_size > 0.8


EIGHT = [97.4, 98.1, 96.9, 97.7, 98.3, 97.0, 97.2, 98.0]


def series(values: list[float]) -> pd.Series:
    return pd.Series(values)


def test_equal_seeds_have_no_uncertainty() -> None:
    """The standard error of three equal floats is 1e-14; a sum in another order is another float."""
    for value in (97.83783783783784, 100 * 44 / 45, 0.1):
        estimate = Estimate.of([value] * 3)
        assert (estimate.half_width, estimate.mean) == (0.0, pytest.approx(value))
    noisy = [97.0, 97.0 + 1e-13, 97.0 - 1e-13]
    assert Estimate.of(noisy).half_width == 0.0
    assert Estimate.of([97.0, 97.000001]).half_width > 0
    assert Estimate.of([0.1, 0.2, 0.3]).mean == Estimate.of([0.3, 0.1, 0.2]).mean


def test_estimates_of_what_is_not_finite() -> None:
    assert Estimate.of([math.inf, 1.0]).mean == math.inf
    assert math.isnan(Estimate.of([math.inf, -math.inf]).mean)
    assert math.isnan(Estimate.of([math.inf, 1.0]).half_width)
    assert all(math.isnan(value) for value in Estimate.of([math.inf, 1.0, 2.0]).bootstrap())


@pytest.mark.parametrize("noise", [0.0, 1e-14, -1e-14])
def test_the_rounding_of_sums_is_no_difference(noise: float) -> None:
    values = {"lif": series(EIGHT), "clif": series([value + noise for value in EIGHT])}
    (found,) = compare_with_baseline(values, "lif")
    assert (found.p, found.verdict) == (1.0, "not distinguished")


def test_paired_t_test_is_scipys() -> None:
    own, base = series(EIGHT), series([*ACCURACIES, 97.1, 97.3])
    (found,) = compare_with_baseline({"lif": base, "clif": own}, "lif")
    assert found.t_p == pytest.approx(stats.ttest_rel(own, base).pvalue, rel=1e-6)
    (constant,) = compare_with_baseline({"lif": own, "clif": own + 1}, "lif")
    assert math.isnan(constant.t_p)


def test_effect_size_needs_three_seeds_and_a_spread() -> None:
    assert math.isnan(hedges_g([1.0, 1.2]))
    assert math.isnan(hedges_g([1.0]))
    assert math.isnan(hedges_g([1.0, 1.0, 1.0]))
    assert math.isnan(hedges_g([1.0, math.inf, 2.0]))


def test_holm_is_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p_values = list(np.random.default_rng(0).uniform(0, 0.2, 12))
    assert holm(p_values) == pytest.approx(list(multitest.multipletests(p_values, method="holm")[1]))


def test_what_shares_no_seed_is_neither_tested_nor_corrected_for() -> None:
    shifted = pd.Series(EIGHT, range(20, 28))
    values = {"lif": series(EIGHT), "clif": series([value + 1 for value in EIGHT]), "if": shifted}
    found = {comparison.name: comparison for comparison in compare_with_baseline(values, "lif")}
    assert found["clif"].corrected == found["clif"].p == pytest.approx(2 / 2**8)
    assert (found["if"].verdict, found["if"].difference.count) == ("no common seed", 0)
    assert math.isnan(found["if"].p)


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_the_best_and_what_is_not_told_from_it(better: str) -> None:
    """Beside the best one a paired step below it, far within its interval, and one that only wavers around it."""
    sign = 1 if better == "higher" else -1
    values = {
        "best": series(EIGHT),
        "beside": series([value + 0.1 * (-1) ** place for place, value in enumerate(EIGHT)]),
        "below": series([value - sign * 0.3 for value in EIGHT]),
    }
    assert not_told_from_best(values, better) == {"best", "beside"}  # type: ignore[arg-type]


def test_nobody_is_best_where_nothing_can_be_told() -> None:
    few = {name: series([level, level + 1, level + 2]) for name, level in (("lif", 20.0), ("clif", 90.0))}
    assert not_told_from_best(few, "higher") == set()
    assert not_told_from_best({"lif": series(EIGHT)}, "higher") == set()
    short = {"lif": series(EIGHT), "clif": series([v - 1 for v in EIGHT]), "if": series([97.0, 98.0])}
    assert not_told_from_best(short, "higher") == {"lif"}, "a neuron of two seeds is not told from the best, nor bold"


def test_equal_numbers_of_correct_answers_share_a_rank() -> None:
    """351 + 341 + 349 and 352 + 340 + 349 of 360: the same number, other floats."""
    means = {
        name: float(np.mean([100 * right / 360 for right in own]))
        for name, own in {"lif": (351, 341, 349), "clif": (352, 340, 349), "if": (300, 301, 302)}.items()
    }
    ranks = rank_over_datasets(pd.DataFrame([means] * 4, index=list("abcd")))
    assert ranks is not None
    assert ranks.mean.to_dict() == {"lif": 1.5, "clif": 1.5, "if": 3.0}


def test_all_equal_is_p_one_and_tells_nothing_apart() -> None:
    ranks = rank_over_datasets(pd.DataFrame(90.0, index=list("abcd"), columns=["lif", "clif", "if"]))
    assert ranks is not None
    assert ranks.p == 1.0
    assert not ranks.told_apart
    apart = rank_over_datasets(pd.DataFrame({"lif": [1.0] * 4, "clif": [2.0] * 4, "if": [3.0] * 4}))
    assert apart is not None
    assert apart.told_apart
    assert apart.mean.to_dict() == {"if": 1.0, "clif": 2.0, "lif": 3.0}


def test_ranks_are_over_what_all_ranked_models_have() -> None:
    table = pd.DataFrame(
        {"a": [1.0, 2, 3, 4], "b": [2.0, 3, 4, 5], "c": [3.0, 1, 5, 6], "new": [9.0, np.nan, np.nan, np.nan]}
    )
    table.index = pd.Index(list("wxyz"))
    ranks = rank_over_datasets(table)
    assert ranks is not None
    assert (ranks.names, ranks.left_out) == (("w", "x", "y", "z"), ("new",))
    hole = table.drop(columns="new")
    hole.loc["z", "c"] = np.nan
    found = rank_over_datasets(hole)
    assert found is not None
    assert (found.names, found.left_out, found.datasets) == (("w", "x", "y"), ("z",), 3)
