"""The answer of a page: never more than the tests allow, never more than 40 words."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from suite.report.answer import MOST_WORDS, answer
from suite.report.board import against
from suite.report.certainty import load, not_converged, undecided
from suite.report.conditions import name_conditions
from suite.report.outcomes import outcomes
from suite.statistics import rank_intervals, seeds_to_tell
from tests.suite.report.handmade import Record, accuracy, rows, timing

EIGHT = [0.1, -0.1, 0.2, -0.2, 0.3, -0.3, 0.05, -0.05]


def scores(levels: dict[str, float], dataset: str = "digits", seeds: int = 8) -> list[list[Record]]:
    """Values around a level, which scatter otherwise for each neuron."""
    return [
        accuracy(name, dataset, [level + EIGHT[(place + shift) % 8] for place in range(seeds)])
        for shift, (name, level) in enumerate(levels.items())
    ]


def told(*groups: list[Record], baseline: str = "lif") -> str:
    sentence = answer(rows(*groups), baseline).sentence
    assert len(sentence.split()) <= MOST_WORDS
    return sentence


def test_who_leads_is_named_with_its_accuracy_and_its_time() -> None:
    times = [timing("lif", 1.0, 0.95, 1.05), timing("glif", 2.0, 1.9, 2.1)]
    assert told(*scores({"lif": 80.0, "glif": 90.0}), *times) == (
        "GLIF leads on digits (90.0 %). GLIF takes 2.00 times LIF's time."
    )


def test_the_slowest_is_named_behind_who_leads() -> None:
    times = [timing(name, own, 0.95 * own, 1.05 * own) for name, own in (("lif", 1.0), ("clif", 3.0), ("glif", 2.0))]
    found = told(*scores({"lif": 80.0, "glif": 90.0, "clif": 70.0}), *times)
    assert found.endswith("GLIF takes 2.00 and CLIF 3.00 times LIF's time.")


def test_nothing_is_claimed_from_three_seeds() -> None:
    assert told(*scores({"lif": 20.0, "glif": 90.0}, seeds=3)) == (
        "3 seeds can tell no neuron from another by accuracy; 6 could."
    )


def test_a_lead_within_the_noise_is_none() -> None:
    assert told(*scores({"lif": 90.0, "glif": 90.01})) == "No neuron can be told from the best on digits."


def test_several_at_the_top_are_all_named() -> None:
    found = told(*scores({"lif": 80.0, "glif": 90.0, "if": 90.01}))
    assert found.startswith("On digits IF and GLIF are best") or found.startswith("On digits GLIF and IF are best")
    assert "leads" not in found


def test_a_neuron_with_too_few_seeds_is_not_beaten() -> None:
    """Three seeds of CLIF, far below the rest, tell nothing: GLIF does not lead."""
    records = [*scores({"lif": 80.0, "glif": 90.0}), *scores({"clif": 10.0}, seeds=3)]
    (found,) = outcomes(name_conditions(rows(*records)))
    assert found.beaten == {"lif"}
    assert "leads" not in told(*records)


def test_one_neuron_alone_is_compared_with_nothing() -> None:
    assert told(*scores({"lif": 90.0})) == "LIF alone was run: there is nothing to compare it with."


def test_times_that_spread_are_not_told() -> None:
    wide = timing("glif", 2.0, 0.5, 9.0)
    ends = (("", 2.0), ("_p20", 0.5), ("_p80", 9.0))
    wide += [{**wide[0], "metric": f"forward_backward_time_over_baseline{end}", "value": v} for end, v in ends]
    found = told(*scores({"lif": 80.0, "glif": 90.0}), timing("lif", 1.0, 0.95, 1.05), wide)
    assert found.endswith("Times spread too widely to be compared.")


def test_a_run_of_times_answers_for_backends() -> None:
    found = answer(rows(timing("lif", 0.5, 0.4, 0.6), timing("lif", 8.0, 7.0, 9.0, backend="reference")), "lif")
    assert found.question.startswith("How long")
    assert "takes 0.50 ns a neuron and step; other backends take 16 to 16 times as long" in found.sentence


@pytest.mark.parametrize("count", [2, 8, 30])
def test_many_data_sets_and_neurons_stay_within_the_words(count: int) -> None:
    names = ["lif", *(f"neuron_of_mine_{place}" for place in range(count))]
    sets = [f"a_data_set_with_a_long_name_{place}" for place in range(9)]
    groups = [own for d in sets for own in scores({name: 50.0 + 3 * place for place, name in enumerate(names)}, d)]
    assert told(*groups)


def test_ones_own_neuron_ends_the_run_with_its_differences_and_costs() -> None:
    times = [timing("lif", 1.0, 0.95, 1.05), timing("mine", 1.24, 1.2, 1.3)]
    table = rows(*scores({"lif": 80.0, "mine": 88.0}, "delayed_recall"), *times)
    found = against(table, "mine", "lif")
    assert found.startswith("mine against LIF: delayed recall +8.0")
    assert found.endswith("*, time 1.24 ×.")


def test_ranks_of_a_clear_order_have_no_width() -> None:
    values = {name: pd.Series([level + d for d in EIGHT]) for name, level in (("a", 90.0), ("b", 50.0), ("c", 70.0))}
    assert rank_intervals(values) == {"a": (1, 1), "b": (3, 3), "c": (2, 2)}
    noisy = {"a": pd.Series([1.0, 9.0, 2.0, 8.0]), "b": pd.Series([9.0, 1.0, 8.0, 2.0])}
    assert rank_intervals(noisy) == {"a": (1, 2), "b": (1, 2)}


def test_seeds_to_tell_are_those_of_the_noncentral_t() -> None:
    """A difference of one standard deviation at 5 % needs 10 pairs for 80 % power (Cohen 1988, table 2.3.5)."""
    one = [0.0, 2.0, 0.0, 2.0]
    effect = [value / pd.Series(one).std() for value in one]
    shifted = [value - sum(effect) / 4 + 1.0 for value in effect]
    assert seeds_to_tell(shifted, 1) == 10
    assert seeds_to_tell(shifted, 6) > 10
    assert seeds_to_tell([-1.0, 1.0], 1) == math.inf
    assert math.isnan(seeds_to_tell([1.0], 1))


def test_undecided_pairs_name_the_seeds_that_they_need() -> None:
    table = name_conditions(rows(*scores({"lif": 80.0, "glif": 90.0, "clif": 80.02})))
    made = undecided(table, outcomes(table), "lif")
    assert made is not None
    found = {name: (entries[0].text, entries[0].best) for name, entries in made.rows}
    assert found["glif"] == ("higher", True)
    assert not found["clif"][1]


@pytest.mark.parametrize(("last", "rising"), [(90.0, ["lif"]), (70.4, [])])
def test_a_curve_that_still_rises_had_not_converged(last: float, rising: list[str]) -> None:
    def curve(seed: int) -> list[dict[str, Any]]:
        own = {"task": "accuracy", "neuron": "lif", "dataset": "digits", "metric": "validation_accuracy", "seed": seed}
        return [{**own, "step": step, "value": v + seed / 100} for step, v in enumerate((50.0, 65.0, 70.0, last), 1)]

    assert not_converged(rows(*(curve(seed) for seed in range(3)))) == {"digits": rising}


def test_a_gain_that_seeds_do_not_share_is_no_rise() -> None:
    """Gains of 9, −1 and −1 points: 2.3 in the mean, and an interval around 0; of the first seed alone it counts."""
    common = {"task": "accuracy", "neuron": "lif", "dataset": "digits", "metric": "validation_accuracy"}
    curves = [
        [{**common, "seed": seed, "step": step, "value": value} for step, value in enumerate((70.0, last), 1)]
        for seed, last in enumerate((79.0, 69.0, 69.0))
    ]
    assert not_converged(rows(*curves)) == {"digits": []}
    assert not_converged(rows(curves[0])) == {"digits": ["lif"]}


@pytest.mark.parametrize(
    ("spread", "words"),
    [
        ((0.9, 1.1), "machine idle while timed"),
        ((0.8, 1.1), "machine busy while timed (1 of 2 timings spread by more than 30 %)"),
    ],
)
def test_how_busy_the_machine_was(spread: tuple[float, float], words: str) -> None:
    assert load(rows(timing("lif", 1.0, 0.9, 1.1), timing("clif", 1.0, *spread))) == words
    assert load(rows(accuracy("lif", "digits", [90.0]))) == ""
