"""Accuracies as they are and tuned, side by side, from rows made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest

from suite.report.answer import answer
from suite.report.conditions import name_conditions
from suite.report.outcomes import outcomes
from suite.report.plots import tuning as plots
from suite.report.setup import setup
from suite.report.tuned import moved, sides, tried_so_far, tuned, tuned_settings
from tests.suite.report.handmade import Record, accuracy, rows

WAVE = [0.0, 0.2, -0.1, 0.3, -0.2, 0.1, 0.0, -0.3]


def tuned_accuracy(
    neuron: str, dataset: str, values: Sequence[float], rate: float, trials: int = 4, **chosen: Any
) -> list[Record]:
    settings = {"learning_rate": rate, "tuning": "tuned", "trials": trials, **chosen}
    settings["untuned"] = dict.fromkeys(["learning_rate", *chosen])
    return accuracy(neuron, dataset, values, settings=settings)


def trial(neuron: str, number: int, value: float, loss: float, **chosen: Any) -> list[Record]:
    own = {"task": "tuning", "neuron": neuron, "dataset": "digits", "seed": 10_000}
    own["settings"] = {"trial": number, "untuned": dict.fromkeys(chosen), **chosen}
    return [
        {**own, "metric": "accuracy_validation_best", "value": value},
        {**own, "metric": "validation_loss_selected", "value": loss},
    ]


def level(mean: float) -> list[float]:
    return [mean + own for own in WAVE]


@pytest.fixture
def run() -> pd.DataFrame:
    """As they are LIF leads; tuned CLIF, whose settings are others than LIF's."""
    return rows(
        accuracy("lif", "digits", level(95)),
        accuracy("clif", "digits", level(41)),
        accuracy("if", "digits", level(90)),
        tuned_accuracy("lif", "digits", level(96), 0.01, **{"neuron.tau": 3.0}),
        tuned_accuracy("clif", "digits", level(99), 0.02, **{"neuron.tau": 4.0}),
        tuned_accuracy("if", "digits", level(90), 0.03),
        trial("lif", 0, 95.0, 0.5),
        trial("lif", 1, 96.0, 0.4, **{"learning_rate": 0.01, "neuron.tau": 3.0}),
        trial("clif", 0, 40.0, 1.0),
        trial("clif", 1, 98.0, 0.2, **{"learning_rate": 0.2, "neuron.tau": 9.0}),
        trial("clif", 2, 98.0, 0.1, **{"learning_rate": 0.02, "neuron.tau": 4.0}),
    )


def entries(run: pd.DataFrame) -> dict[str, dict[str, str]]:
    made = tuned(run)
    assert made is not None
    return {who: dict(zip(made.header[1:], (entry.text for entry in own), strict=True)) for who, own in made.rows}


def test_both_stand_side_by_side_with_the_move_of_the_rank(run: pd.DataFrame) -> None:
    found = entries(run)
    assert list(found) == ["clif", "lif", "if"], "by the tuned mean"
    assert found["clif"]["as it is (%)"].startswith("41.0")
    assert found["clif"]["tuned (%)"].startswith("99.0")
    assert found["clif"]["gain (points)"].startswith("+58.0")
    assert [found[who]["rank"] for who in found] == ["3 → 1", "1 → 2", "2 → 3"]
    assert [found[who]["gain (points)"].endswith(" *") for who in found] == [True, True, False]


def test_bold_is_judged_on_each_side(run: pd.DataFrame) -> None:
    made = tuned(run)
    assert made is not None
    assert {who: (own[1].best, own[2].best) for who, own in made.rows} == {
        "clif": (False, True),
        "lif": (True, False),
        "if": (False, False),
    }


def test_tuned_settings_are_one_condition_whatever_was_chosen(run: pd.DataFrame) -> None:
    named = name_conditions(run)
    assert set(named[named.task == "accuracy"]["where"]) == {"digits", "digits, tuning=best of 4"}
    (outcome,) = outcomes(run)
    assert outcome.leaders == ["lif"], "the board is of the settings that all have"
    made = setup(run)
    assert made is not None
    assert [own[made.header.index("rate") - 1].text == "tuned" for _, own in made.rows] == [False, True]


def test_the_answer_is_that_of_the_tuned(run: pd.DataFrame) -> None:
    assert answer(run, "lif").question == "Which neuron model, when all are tuned alike?"
    sentence = answer(run, "lif").sentence
    assert sentence.startswith("Each with the best of 4 settings, CLIF leads on digits (99.0 %).")
    assert sentence.endswith("CLIF gains most by it, 58.0 points on digits.")


def test_of_several_numbers_of_trials_that_with_most_is_shown(run: pd.DataFrame) -> None:
    more = [tuned_accuracy(who, "digits", level(97), 0.1, trials=8) for who in ("lif", "clif", "if")]
    (side,) = sides(pd.concat([run, rows(*more)]))
    assert side.trials == 8
    assert {own.mean for own in side.after.estimates.values()} == {97.0}


def test_one_model_under_two_names_gives_no_claim() -> None:
    same = level(93)
    run = rows(
        *(accuracy(who, "digits", same) for who in ("lif", "again")),
        *(tuned_accuracy(who, "digits", same, 0.01) for who in ("lif", "again")),
    )
    (side,) = sides(run)
    assert (side.found, side.after.best) == (set(), {"lif", "again"})
    assert moved([side]) == "Tuning changes no accuracy that these seeds could tell."
    assert "no neuron can be told from the best" in answer(run, "lif").sentence


def test_the_chosen_settings_are_those_of_the_best_trial(run: pd.DataFrame) -> None:
    made = tuned_settings(run)
    assert made is not None
    found = {who: [entry.text for entry in own] for who, own in made.rows}
    assert found["clif"] == ["digits", "0.02", "as it is", "tau 4", "3 of 3", "40.0", "98.0"], (
        "the lower loss of tied ones"
    )
    assert found["lif"] == ["digits", "0.01", "as it is", "tau 3", "2 of 2", "95.0", "96.0"]


def test_the_best_so_far(run: pd.DataFrame) -> None:
    found = tried_so_far(run)
    assert found is not None
    assert found[found.who == "clif"].best.tolist() == [40.0, 98.0, 98.0]
    assert found[found.who == "lif"].settings_tried.tolist() == [1, 2]


def test_without_tuning_nothing_of_it_is_shown() -> None:
    plain = rows(accuracy("lif", "digits", level(95)), accuracy("clif", "digits", level(90)))
    assert (tuned(plain), tuned_settings(plain), tried_so_far(plain), sides(plain)) == (None, None, None, [])
    assert all(plot.data(plain) is None for plot in plots.PLOTS)


def test_figures_of_tuning(run: pd.DataFrame) -> None:
    for plot in plots.PLOTS:
        data = plot.data(run)
        assert data is not None
        assert plot.draw(data).axes
        assert plot.finding(data).endswith(".")
