"""What makes a condition, what it is called, and that only seeds are averaged."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd
import pytest

from suite.report.board import board
from suite.report.conditions import MixedConditions, common, name_conditions, over_seeds, same_for_all
from suite.report.outcomes import outcomes
from suite.runs.conditions import IDENTITY
from tests.suite.report.handmade import accuracy, rows, timing

TWO: dict[str, tuple[Any, Any]] = {
    "task": ("accuracy", "energy"),
    "dataset": ("digits", "mnist5k"),
    "neuron": ("lif", "clif"),
    "network": ("mlp", "mlp8"),
    "protocol": ("controlled", "published"),
    "dtype": ("float32", "bfloat16"),
    "timesteps": (4, 8),
    "settings": ({"learning_rate": 0.01}, {"learning_rate": 0.02}),
    "backend": ("cpu", "reference"),
    "device": ("cpu", "cuda:0"),
    "machine": ("fast", "slow"),
    "versions": ("torch 2.13", "torch 2.14"),
}


def test_two_values_are_listed_for_every_column_of_the_identity() -> None:
    assert set(TWO) == set(IDENTITY)


@pytest.mark.parametrize("column", TWO)
def test_two_values_of_one_column_are_never_averaged(column: str) -> None:
    first, second = TWO[column]
    table = rows(
        [{**record, column: first} for record in accuracy("lif", "digits", [90.0, 92.0])],
        [{**record, column: second, "seed": 5} for record in accuracy("lif", "digits", [50.0])],
    )
    with pytest.raises(MixedConditions, match=rf"differ in {column} \(.*only seeds are averaged"):
        over_seeds(table, ["metric"])
    found = over_seeds(name_conditions(table), ["task", "who", "where"])
    assert sorted(estimate.mean for estimate in found.values()) == [50.0, 91.0]


@pytest.mark.parametrize("missing", ["machine", "versions"])
def test_a_column_that_older_rows_lack_is_one_value(missing: str) -> None:
    table = rows(accuracy("lif", "digits", [90.0, 92.0])).drop(columns=missing, errors="ignore")
    ((_, estimate),) = over_seeds(table, ["neuron"]).items()
    assert (estimate.mean, estimate.count) == (91.0, 2)


@pytest.mark.parametrize("place", [{"metric": "accuracy_final"}, {"layer": "neurons.0"}, {"step": 3}, {"lag": 1}])
def test_two_numbers_of_one_condition_are_never_averaged(place: dict[str, Any]) -> None:
    table = rows(accuracy("lif", "digits", [90.0]), [{**accuracy("lif", "digits", [50.0])[0], "seed": 1, **place}])
    with pytest.raises(MixedConditions, match=f"differ in {next(iter(place))}"):
        over_seeds(table, ["neuron"])


def test_a_seed_measured_twice_is_no_second_sample() -> None:
    table = rows(accuracy("lif", "digits", [90.0]), accuracy("lif", "digits", [90.0]))
    with pytest.raises(MixedConditions, match="lif: one seed was measured twice"):
        over_seeds(table, ["neuron"])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"neuron.tau": 2}, {"neuron.tau": 2.0}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({}, {"bptt_steps": None}),
        ({"sizes": [1, 2]}, {"sizes": [1.0, 2.0]}),
        ({}, {"precision": "float32", "compile": "off"}),
    ],
)
def test_one_condition_written_in_two_ways_is_one(first: dict[str, Any], second: dict[str, Any]) -> None:
    other = [{**record, "seed": 1} for record in accuracy("lif", "digits", [92.0], settings=json.dumps(second))]
    table = rows(accuracy("lif", "digits", [90.0], settings=json.dumps(first)), other)
    ((_, estimate),) = over_seeds(table, ["neuron"]).items()
    assert estimate.values == (90.0, 92.0)


def test_names_say_what_differs_and_nothing_else() -> None:
    table = name_conditions(
        rows(
            accuracy("lif", "digits", [1.0], settings={"epochs": 3, "delay": 4}),
            accuracy("lif", "digits", [2.0], settings={"epochs": 3, "delay": 4, "bptt_steps": 1}),
            accuracy("lif", "mnist5k", [3.0], settings={"epochs": 9, "delay": 4}, timesteps=2),
            accuracy("lif", "mnist5k", [4.0], settings={"epochs": 9, "delay": 4}, timesteps=2, machine="fast"),
        )
    )
    assert list(table["where"]) == ["digits", "digits, bptt_steps=1", "mnist5k", "mnist5k"]
    assert list(table.who) == ["lif (machine unknown)"] * 3 + ["lif (fast)"]
    assert common(table) == {"backend": "cpu", "device": "cpu", "network": "mlp", "protocol": "controlled"} | {
        "dtype": "float32",
        "delay": 4,
    }


def test_the_time_steps_that_were_asked_for_decide() -> None:
    """A neuron without memory sees a static input once, and stands in the column of the others all the same."""
    table = name_conditions(
        rows(
            accuracy("lif", "digits", [90.0], timesteps=4),
            accuracy("relu", "digits", [80.0], timesteps=1, settings={"timesteps": 4}),
        )
    )
    assert set(table["where"]) == {"digits"}


def test_values_stand_in_the_order_of_their_seeds() -> None:
    table = rows(accuracy("lif", "digits", [1.0, 2.0, 4.0])).iloc[::-1]
    ((_, estimate),) = over_seeds(table, ["neuron"]).items()
    assert estimate.values == (1.0, 2.0, 4.0)
    assert estimate.mean == pytest.approx(7 / 3)
    assert math.isnan(next(iter(over_seeds(table.iloc[:1], ["neuron"]).values())).half_width)


def test_versions_that_follow_from_the_backend_are_not_named() -> None:
    plain, peer = "python 3.11, torch 2.14", "python 3.11, torch 2.14, norse 1.1"
    table = rows(
        accuracy("lif", "digits", [1.0], versions=plain),
        accuracy("lif", "digits", [2.0], backend="norse", versions=peer),
    )
    assert list(name_conditions(table).who) == ["lif (cpu)", "lif (norse)"]
    older = [{**record, "versions": "python 3.11, torch 2.13"} for record in accuracy("lif", "digits", [3.0])]
    assert set(name_conditions(pd.concat([table, rows(older)])).who) == {
        "lif (cpu, torch 2.14)",
        "lif (norse, torch 2.14)",
        "lif (cpu, torch 2.13)",
    }


@pytest.mark.parametrize(("lengths", "told"), [([28, 28], "T=28"), ([4, 28], None)])
def test_the_steps_that_are_the_same_for_all_are_those_that_ran(lengths: list[int], told: str | None) -> None:
    """Both were asked for T = 4; a sequence has its own."""
    made = rows([row for name in ("digits", "mnist5k_rows") for row in accuracy("lif", name, [97.0])])
    asked = made.settings.map(lambda text: json.dumps({**json.loads(text or "{}"), "timesteps": 4}))
    named = name_conditions(made.assign(timesteps=pd.array(lengths, "Int64"), settings=asked))
    sentence = same_for_all(named)
    assert "T=4" not in sentence
    assert (told in sentence) if told else ("T=" not in sentence)


def test_a_model_without_a_step_is_compared_with_those_that_have_one() -> None:
    """Reference is its own forward, and no other way to have run; where others have a choice, it is named."""
    own = [
        accuracy(name, "digits", [90.0, 91.0], backend=backend)
        for name, backend in (("lif", "cpu"), ("psn", "reference"))
    ]
    (found,) = outcomes(name_conditions(rows(*own)))
    assert set(found.values) == {"lif", "psn"}
    both = name_conditions(rows(*own, accuracy("lif", "digits", [90.0, 91.0], backend="reference")))
    assert set(both.who) == {"lif (cpu)", "lif (reference)", "psn (reference)"}


@pytest.mark.parametrize(
    ("ran", "named"),
    [
        ({"lif": ["cpu"], "psn": ["reference"]}, {"lif", "psn"}),  # each as "auto" takes it
        ({"lif": ["cpu"], "clif": ["reference"]}, {"lif (cpu)", "clif (reference)"}),
        ({"lif": ["cpu", "reference"], "psn": ["reference"]}, {"lif (cpu)", "lif (reference)", "psn (reference)"}),
        ({"lif": ["cpu"], "of_another": ["reference"]}, {"lif (cpu)", "of_another (reference)"}),
    ],
)
def test_a_backend_is_named_where_it_was_a_choice(ran: dict[str, list[str]], named: set[str]) -> None:
    table = rows(*(accuracy(n, "digits", [90.0, 91.0], backend=own) for n, backends in ran.items() for own in backends))
    assert set(name_conditions(table).who) == named


def test_models_without_a_step_stand_beside_the_others_and_their_times_are_told() -> None:
    """The board of all neurons, each on what "auto" is for it, has one line a neuron with all that was measured."""
    table = rows(
        *(accuracy(n, "digits", [90.0, 91.0], backend=own) for n, own in (("lif", "cpu"), ("psn", "reference"))),
        timing("lif", 1.0, 0.9, 1.1),
        timing("psn", 8.0, 7.9, 8.1, backend="reference"),
    )
    made = board(table, "lif")
    assert made is not None
    assert {line.who: [own.text for own in line.fields] for line in made.lines} == {
        "lif": ["90 ± 6", "1.00"],
        "psn": ["90 ± 6", "8.00"],
    }
    assert made.costs[0].detail.endswith("; for lack of a fused kernel by torch: PSN")
