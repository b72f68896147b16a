"""Fronts, times to reach the baseline, errors of the test set and means over data sets, from rows made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from suite.report import over_datasets
from suite.report.conditions import name_conditions
from suite.report.costs import OPERATIONS, PARAMETERS, costs
from suite.report.over_datasets import aggregate
from suite.report.plots import profiles
from suite.report.sampling import sampling
from suite.report.table import Table
from suite.report.trade_offs import frontier, reach
from suite.statistics import sampling_half_width
from suite.statistics.aggregate import InterquartileMean, performance_profile
from tasks.training.predictions import packed
from tests.suite.report.handmade import Record, accuracy, rows, timing


def texts(table: Table | None) -> dict[str, list[str]]:
    assert table is not None
    return {who: [entry.text for entry in own] for who, own in table.rows}


def added(neuron: str, parameters: float, own: float, operations: float) -> list[Record]:
    common = {"task": "accuracy", "neuron": neuron, "dataset": "digits"}
    values = {"parameters": parameters, "neuron_parameters": own, "neuron_operations": operations}
    return [{**common, "metric": metric, "value": value} for metric, value in values.items()]


def test_what_a_neuron_adds_is_a_cost() -> None:
    run = rows(
        *(accuracy(who, "digits", [90.0]) for who in ("lif", "glif")),
        added("lif", 1000, 0, 6),
        added("glif", 1100, 100, 15),
    )
    found = {cost.kind: cost for cost in costs(name_conditions(run), "lif")}
    assert found[PARAMETERS].ratios["glif"].value == pytest.approx(1.1)
    assert found[PARAMETERS].absolute == {"lif": 0, "glif": 100}
    assert found[OPERATIONS].ratios["glif"].value == pytest.approx(2.5)


def test_memory_is_that_of_the_fewest_steps() -> None:
    """Over LIF at T = 8: CLIF 12 / 8; at T = 128 it would be 40 / 16."""
    peaks = {("lif", 128): 16.0, ("clif", 128): 40.0, ("lif", 8): 8.0, ("clif", 8): 12.0}
    common = {"task": "memory", "metric": "peak_bytes", "network": None}
    run = rows([{**common, "neuron": who, "timesteps": T, "value": own} for (who, T), own in peaks.items()])
    (found,) = costs(name_conditions(run), "lif")
    assert {who: ratio.value for who, ratio in found.ratios.items()} == {"lif": 1.0, "clif": 1.5}
    assert found.absolute == {"lif": 8.0, "clif": 12.0}
    assert found.detail.endswith("T=8")


def test_the_front_is_of_what_two_neurons_both_have() -> None:
    """CLIF is better and dearer than LIF; PLIF is no better and as dear as CLIF; IF was not timed."""
    run = rows(
        *(accuracy(who, "digits", [v]) for who, v in {"lif": 90.0, "clif": 95.0, "plif": 94.0, "if": 80.0}.items()),
        *(timing(who, t, t, t) for who, t in {"lif": 1.0, "clif": 3.0, "plif": 3.0}.items()),
    )
    table = frontier(run, "lif")
    assert table is not None
    assert {who for who, (entry,) in table.rows if entry.best} == {"clif", "lif"}
    assert texts(table) == {
        "clif": ["on the front"],
        "plif": ["by CLIF"],
        "lif": ["on the front"],
        "if": ["by CLIF, PLIF, LIF"],
    }
    assert frontier(rows(accuracy("lif", "digits", [90.0])), "lif") is None


def curve(neuron: str, seed: int, values: list[float], seconds: float) -> list[Record]:
    common = {"task": "accuracy", "neuron": neuron, "dataset": "digits", "seed": seed}
    points = [{**common, "metric": "validation_accuracy", "step": n, "value": v} for n, v in enumerate(values, 1)]
    return [*points, {**common, "metric": "training_seconds", "value": seconds}]


def test_how_soon_a_neuron_is_as_good() -> None:
    """CLIF passes LIF's 92 of seed 0 in its second epoch of four, and never LIF's 95 of seed 1."""
    run = rows(
        curve("lif", 0, [80, 90, 92, 91], 4.0),
        curve("lif", 1, [80, 90, 95, 91], 4.0),
        curve("clif", 0, [70, 93, 94, 95], 12.0),
        curve("clif", 1, [70, 80, 85, 94], 12.0),
    )
    assert texts(reach(run, "lif")) == {
        "lif": ["digits", "2 of 2", "3.0", "3.0"],
        "clif": ["digits", "1 of 2", "2.0", "6.0"],
    }


def answers(neuron: str, seed: int, right: list[int], labels: list[int] | None = None) -> list[Record]:
    known = torch.tensor(labels or [1] * len(right))
    predicted = torch.where(torch.tensor(right) == 1, known, known - 1)
    common = {"task": "accuracy", "neuron": neuron, "dataset": "digits", "seed": seed}
    return [{**common, "metric": "right_answers", "value": sum(right), "detail": packed(predicted, known)}]


def test_the_error_of_the_test_set_by_hand() -> None:
    """Four samples, right in both seeds, one, one and none: shares 1, ½, ½, 0 of standard deviation √(1/6)."""
    each = np.array([[1, 1, 0, 0], [1, 0, 1, 0]])
    assert sampling_half_width(each, shared=True) == pytest.approx(1.959964 * np.sqrt(1 / 6) / 2, rel=1e-6)
    assert sampling_half_width(each, shared=False) == pytest.approx(
        1.959964 * np.std(each, ddof=1) / np.sqrt(8), rel=1e-6
    )
    assert np.isnan(sampling_half_width(np.array([[1]]), shared=True))


def test_seeds_and_samples_stand_side_by_side() -> None:
    run = rows(
        *(answers("lif", seed, own) for seed, own in enumerate(([1, 1, 0, 0], [1, 0, 1, 0]))),
        *(answers("clif", seed, own) for seed, own in enumerate(([1, 1, 1, 0], [1, 1, 1, 0]))),
    )
    found = texts(sampling(run, "lif"))
    assert found["lif"] == ["digits", "4", "50.0", "0.00", "40.01", "—", "—", "—"]
    assert found["clif"][4:] == ["49.00", "25.0", "0.00", "28.29"], "paired: shares 0, ½, ½, 0 of the samples"


def test_samples_of_each_seeds_own_are_said() -> None:
    run = rows(answers("lif", 0, [1, 1, 0], [1, 2, 3]), answers("lif", 1, [1, 0, 1], [3, 2, 1]))
    made = sampling(run, "lif")
    assert made is not None
    assert made.footnotes == ["Each seed has test samples of its own on digits."]


def test_interquartile_mean_by_hand() -> None:
    """Of 1 … 8 the middle half is 3, 4, 5, 6."""
    found = InterquartileMean.of([[1, 2, 3, 4], [5, 6, 7, 8]])
    assert found.value == 4.5
    assert found.low < 4.5 < found.high
    equal = InterquartileMean.of([[0.5] * 3] * 8)
    assert (equal.value, equal.low, equal.high) == (0.5, 0.5, 0.5)
    assert performance_profile([[0.1, 0.9], [0.6, 0.7]], [0.0, 0.5, 0.8]) == [1.0, 0.75, 0.25]
    assert performance_profile([[0.5, 0.9]], [0.5]) == [0.5]  # above, not at


def test_means_over_data_sets_need_eight(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(sets: int) -> pd.DataFrame:
        values = {"lif": [60.0, 61.0], "clif": [80.0, 82.0]}
        return rows(*(accuracy(who, f"set{n}", own) for n in range(sets) for who, own in values.items()))

    monkeypatch.setattr("suite.report.data_facts.chance", lambda dataset, settings: 50.0)
    assert (aggregate(run(7)), profiles.PLOTS[0].data(run(7))) == (None, None)
    assert texts(aggregate(run(8))) == {"clif": ["0.620", "0.600 to 0.640"], "lif": ["0.210", "0.200 to 0.220"]}
    data = profiles.PLOTS[0].data(run(8))
    assert data is not None
    assert profiles.PLOTS[0].draw(data).axes
    assert "CLIF" in profiles.PLOTS[0].finding(data)
    assert over_datasets.scores(run(8))["lif"][0] == pytest.approx([0.2, 0.22])
