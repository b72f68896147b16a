"""Equal tuning: what is tried, what is chosen, and a whole run of it."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import neurons
from neurons import InvalidValue, Neuron, Span
from suite.report.outcomes import outcomes
from suite.runs import plan, tuning
from suite.runs.cell_key import identity
from suite.runs.plan import Request
from suite.runs.plan_file import Entry
from suite.runs.record import Result
from tasks import Cell, Value
from tasks.accuracy import MEASURED
from tests.conftest import Suite


def searches_of(*models: str, tune: int = 8, **settings: Any) -> dict[str, tuning.Search]:
    request = Request("quick", ["accuracy"], models, datasets=["digits"], settings=settings, tune=tune)
    return {own.cells[0].neuron: own for own in tuning.searches(plan.make(request), request)}


def chosen(trial: Cell) -> dict[str, Any]:
    return {name: trial.settings[name] for name in trial.settings["untuned"]}


def test_every_neuron_has_the_same_budget_and_the_same_places() -> None:
    """What all share is tried at the same values, whatever a model adds; the first setting is the one as it is."""
    found = searches_of("lif", "klif", "clif", "glif", "relu")
    assert {len(own.trials) for own in found.values()} == {8}
    for search in found.values():
        assert chosen(search.trials[0]) == {}
        assert len({identity(trial) for trial in search.trials}) == 8
        assert {trial.seed for trial in search.trials} == {tuning.TRIAL_SEED}
        assert tuning.TRIAL_SEED not in {cell.seed for cell in search.cells}
    for name in ("learning_rate", "weight_decay"):
        assert len({tuple(t.settings[name] for t in own.trials) for own in found.values()}) == 1
    assert [chosen(t)["neuron.tau"] for t in found["lif"].trials[1:]] == [
        chosen(t)["neuron.tau"] for t in found["klif"].trials[1:]
    ]


def test_more_settings_begin_with_the_same() -> None:
    few, many = searches_of("lif", tune=5)["lif"], searches_of("lif", tune=12)["lif"]
    assert [identity(trial) for trial in few.trials] == [identity(trial) for trial in many.trials[:5]]


@pytest.mark.parametrize(
    ("neuron", "own"),
    [
        ("lif", {"tau", "v_th", "surrogate", "surrogate_width"}),
        ("if", {"v_th", "surrogate", "surrogate_width"}),
        ("klif", {"tau", "v_th", "surrogate", "surrogate_width", "k"}),
        ("glif", {"surrogate", "surrogate_width", "leak", "threshold"}),
        ("relu", set()),
    ],
)
def test_only_what_changes_a_model_is_tuned(neuron: str, own: set[str]) -> None:
    trial = searches_of(neuron)[neuron].trials[3]
    assert set(chosen(trial)) == {"learning_rate", "weight_decay", *(f"neuron.{name}" for name in own)}


def test_what_the_user_sets_is_not_tuned() -> None:
    search = searches_of("lif", **{"learning_rate": 0.02, "neuron.tau": 3.0})["lif"]
    for trial in search.trials[1:]:
        assert not {"learning_rate", "neuron.tau"} & set(chosen(trial))
        assert (trial.settings["learning_rate"], trial.settings["neuron.tau"]) == (0.02, 3.0)


@pytest.mark.parametrize("name", neurons.names())
def test_every_model_can_be_made_at_every_place(name: str) -> None:
    """Also at the ends of what it says it may be."""
    (cell,) = plan.make(Request("smoke", ["accuracy"], [name], datasets=["digits"], seeds=1))
    spans = tuning.space(cell)
    assert {"learning_rate", "weight_decay"} <= set(spans)
    own = {f"neuron.{parameter}" for parameter in neurons.get(name).tuning}
    assert own <= set(spans), "a model names only what changes it"
    for share in (0.0, 0.5, 0.999):
        at = {key: span.at(share) for key, (_, span) in spans.items() if key.startswith("neuron.")}
        made = dataclasses.replace(cell, backend="reference", settings={**cell.settings, **at})
        assert made.neuron_layer(channels=2, timesteps=4).neuron.name == name


def test_spans() -> None:
    assert [Span(2, 4).at(share) for share in (0, 0.5)] == [2, 3]
    assert [Span(1, 100, logarithmic=True).at(share) for share in (0, 0.5, 0.999999)] == [1, 10, 100]
    assert [Span(choices=("a", "b", "c")).at(share) for share in (0, 0.34, 0.99, 1)] == ["a", "b", "c", "c"]


def measured(worth: list[tuple[float, float] | None], search: tuning.Search) -> Callable[[Cell], Result | None]:
    """What a store gives for the trials; None for one that failed."""
    known = {
        identity(trial): Result("failed", detail="made")
        if own is None
        else Result("ok", [Value("accuracy_validation_best", own[0]), Value("validation_loss_selected", own[1])])
        for trial, own in zip(search.trials, worth, strict=True)
    }
    return lambda cell: known.get(identity(cell))


@pytest.mark.parametrize(
    ("worth", "best"),
    [
        ([(90, 1.0), (95, 2.0), (91, 0.1)], 1),
        ([(95, 1.0), (95, 0.5), (95, 0.7)], 1),  # of tied ones the lowest loss
        ([(95, 1.0), (95, 1.0), (90, 0.1)], 0),  # of equals the first, which is nearest to the default
        ([(90, 1.0), None, (91, 2.0)], 2),
    ],
)
def test_the_best_is_chosen_by_validation(worth: list[tuple[float, float] | None], best: int) -> None:
    search = searches_of("lif", tune=3)["lif"]
    load = measured(worth, search)
    assert search.best(load) is search.trials[best]
    tuned = search.tuned(load)
    assert [cell.seed for cell in tuned] == [cell.seed for cell in search.cells]
    for cell in tuned:
        assert (cell.task, cell.settings["tuning"], cell.settings["trials"]) == ("accuracy", "tuned", 3)
        assert {name: cell.settings[name] for name in cell.settings["untuned"]} == chosen(search.trials[best])
        assert set(cell.settings["untuned"].values()) <= {None}


def test_without_a_measured_trial_nothing_is_tuned(caplog: pytest.LogCaptureFixture) -> None:
    search = searches_of("lif", tune=2)["lif"]
    assert search.tuned(measured([None, None], search)) == []
    assert "no setting of lif on digits could be measured" in caplog.text


def test_another_choice_supersedes_the_first() -> None:
    search = searches_of("lif", tune=3)["lif"]
    first = search.tuned(measured([(90, 1.0), (95, 2.0), None], search))
    later = search.tuned(measured([(90, 1.0), (95, 2.0), (96, 2.0)], search))
    planned = {identity(cell): Entry(f"key of {cell.seed}", cell) for cell in [*search.cells, *first]}
    assert tuning.superseded(planned, first) == []
    assert tuning.superseded(planned, search.cells) == []
    assert tuning.superseded(planned, later) == [f"key of {cell.seed}" for cell in first]
    others = searches_of("clif", tune=3)["clif"]
    assert tuning.superseded(planned, others.tuned(measured([(90, 1.0), (95, 2.0), None], others))) == []


def test_a_model_that_cannot_be_what_it_says_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Neuron, "tuning", {"nothing": Span(1, 2)})
    with pytest.raises(InvalidValue, match=r"lif: tuning of neuron\.nothing: unknown parameter of lif 'nothing'"):
        searches_of("lif")


AGAIN = '''
from neurons.models.lif import LIF

@register
class Again(LIF):
    """LIF under another name."""
    name = "again"
'''


@pytest.mark.slow
def test_a_tuned_run_and_one_model_under_two_names(
    suite: Suite, neuron_file: Callable[[str], Path], tmp_path: Path
) -> None:
    """Trials, tuned runs, resumption without measuring again; and equals stay equal through all of it."""
    out = tmp_path / "run"
    line = [
        *("run", "--profile", "smoke", "--tasks", "accuracy", "--datasets", "digits", "--neurons", "lif,again"),
        *("--neuron-file", neuron_file(AGAIN), "--seeds", "6", "--tune", "3", "--set", "width=8", "--out", out),
    ]
    done = suite(*line)
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(out / "results.parquet")
    settings = rows.drop_duplicates("cell").assign(settings=lambda own: own.settings.map(json.loads))
    kinds = Counter((own.task, own.settings.get("tuning"), own.neuron) for own in settings.itertuples())
    for name in ("lif", "again"):
        assert (kinds["accuracy", None, name], kinds["accuracy", "tuned", name]) == (6, 6)
        assert kinds["tuning", None, name] == 3
    assert not rows[(rows.task == "tuning")].metric.str.contains("test").any()
    tuned = rows[(rows.metric == "accuracy_selected") & rows.settings.str.contains('"tuning": "tuned"')]
    both = tuned.pivot(index="seed", columns="neuron", values="value")
    assert (both["lif"] == both["again"]).all()
    for own in (tuned, rows[~rows.settings.str.contains('"tuning": "tuned"')]):
        (outcome,) = outcomes(own)
        assert outcome.best == {"lif", "again"}

    again = suite(*line)
    assert again.returncode == 0
    assert "18/18 cells · 0 ok · 18 cached" in again.stderr
    assert "30/30 cells · 0 ok · 30 cached" in again.stderr
    lost = [
        next(path for path in sorted((out / "cells").glob("*.json")) if mark in path.read_text())
        for mark in ('"trial": 1', '"tuning": "tuned"')
    ]
    for path in [*lost, out / "results.parquet"]:
        path.unlink()
    resumed = suite(*line)
    assert resumed.returncode == 0, resumed.stderr
    assert "18/18 cells · 1 ok · 17 cached" in resumed.stderr
    assert "30/30 cells · 1 ok · 29 cached" in resumed.stderr
    kept = pd.read_parquet(out / "results.parquet")
    places = [name for name in rows if name not in ("value", "run")]
    same = rows[~rows.metric.isin(MEASURED)], kept[~kept.metric.isin(MEASURED)]
    pd.testing.assert_frame_equal(*(own.sort_values(places).reset_index(drop=True) for own in same))
