"""No table, plot, board or rank holds a mean over two values of what makes a condition."""

from __future__ import annotations

import csv
import re
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from suite.report import style
from suite.report.board import board
from suite.report.comparison import mean_ranks, rank_matrix
from suite.report.conditions import name_conditions
from suite.report.plots import PLOTS
from suite.report.tables import all_tables
from tests.suite.report.handmade import Record, rows
from tests.suite.report.test_conditions import TWO

SEEDS = 8
FIRST, SECOND = 0.125, 4096.0
"""What two conditions measure. Sums, means and differences of the two are none of the numbers looked for."""
MIXED = (FIRST + SECOND) / 2
NUMBER = re.compile(r"\d[\d,]*\.?\d*")
TASKS: dict[str, dict[str, Any]] = {
    "accuracy": {"metrics": ["accuracy_selected", "accuracy_final", "accuracy_paper_style"], "dataset": "digits"},
    "temporal_gradient": {"metrics": ["temporal_ratio", "horizon", "vanished_fraction"], "dataset": "digits"},
    "memory": {"metrics": ["saved_bytes", "peak_bytes"], "dataset": None},
    "throughput": {
        "metrics": ["forward_backward_time", "forward_time", "forward_backward_limit", "operations", "least_bytes"],
        "dataset": None,
    },
    "training_speed": {"metrics": ["training_speed"], "dataset": "digits"},
}


def measured(value: float, **identity: Any) -> list[Record]:
    """Every task of one condition of three neurons, each number of it `value` in every seed."""
    records: list[Record] = []
    for (task, known), neuron in product(TASKS.items(), ("lif", "clif", "if")):
        own = {"task": task, "neuron": neuron, "dataset": known["dataset"], "value": value, **identity}
        settings = dict(identity.get("settings", {}))
        if task == "throughput":
            settings["elements"] = 4096
        if task == "temporal_gradient":
            settings["progress"] = 1.0
        own["settings"] = settings
        seeds = range(SEEDS if task == "accuracy" else 1)
        layer = {"layer": "neurons.0"} if task == "temporal_gradient" else {}
        records += [{**own, **layer, "metric": metric, "seed": seed} for metric in known["metrics"] for seed in seeds]
        if task == "accuracy":
            curves = [{"metric": "test_loss", "step": 1}, {"metric": "firing_rate", "layer": "neurons.0"}]
            records += [{**own, **curve, "seed": seed} for curve in curves for seed in seeds]
        if task == "temporal_gradient":
            places = [{"metric": "spatial_gradient", "step": 0}, {"metric": "temporal_gradient_by_lag", "lag": 1}]
            places.append({"metric": "temporal_gradient", "step": 0, "lag": 1})
            records += [{**own, **layer, **place} for place in places]
    return records


def both(column: str) -> pd.DataFrame:
    """All tasks under two values of one column; where it is the neuron or the task there are two anyway."""
    first, second = TWO[column]
    records = measured(FIRST, **{column: first}), measured(SECOND, **{column: second})
    if column == "neuron":
        records = (
            [r for r in measured(FIRST) if r["neuron"] == first],
            [r for r in measured(SECOND) if r["neuron"] == second],
        )
    if column == "task":
        records = (
            [r for r in measured(FIRST) if r["task"] == "accuracy"],
            [r for r in measured(SECOND) if r["task"] != "accuracy"],
        )
    if column == "dataset":
        records = measured(FIRST), [{**r, "dataset": r["dataset"] and second} for r in measured(SECOND)]
        records = records[0], [r for r in records[1] if r["dataset"]]
    return rows(*records)


def mixes(text: str) -> bool:
    """Whether a number of the text lies between the two, where only a mean of both lies."""
    for found in NUMBER.findall(text):
        number = float(found.replace(",", "").rstrip(".") or 0)
        if abs(number - MIXED) < 0.3 * MIXED or abs(number / 100 - MIXED) < 0.3 * MIXED:
            return True
    return False


@pytest.mark.parametrize("column", TWO)
def test_no_table_holds_a_mean_over_two_conditions(column: str) -> None:
    table = both(column)
    found = all_tables(table, "lif")
    assert {made.name for made in found} >= {"accuracy", "temporal_ratio", "memory", "throughput", "training_speed"}
    for made in found:
        texts = [entry.text for _, entries in made.rows for entry in entries]
        assert not any(mixes(text) for text in texts), (made.name, made.markdown())
        numbers = [value for _, entries in made.rows for e in entries if e.estimate for value in e.estimate.values]
        assert set(numbers) <= {FIRST, SECOND, 0.0, 1.0, SECOND - FIRST, FIRST - SECOND, SECOND / FIRST}, made.name


@pytest.mark.parametrize("column", TWO)
def test_no_data_of_a_plot_hold_a_mean_over_two_conditions(column: str, tmp_path: Path) -> None:
    table = name_conditions(both(column))
    style.apply()
    drawn = 0
    for plot in PLOTS:
        data = plot.data(table)
        if data is None or data.empty:
            continue
        drawn += 1
        for name in data.select_dtypes("number"):
            assert not any(abs(value - MIXED) < 0.3 * MIXED for value in data[name].dropna()), (plot.name, name)
    assert drawn >= 4


@pytest.mark.parametrize("column", TWO)
def test_no_board_holds_a_mean_over_two_conditions(column: str) -> None:
    made = board(both(column), "lif")
    assert made is not None
    numbers = [own.value for line in made.lines for own in line.fields if own.value == own.value]
    assert numbers
    assert not any(abs(value - MIXED) < 0.3 * MIXED for value in numbers), made


@pytest.mark.parametrize("column", [name for name in TWO if name not in ("neuron", "dataset", "task")])
def test_ranks_are_over_one_condition_a_data_set(column: str) -> None:
    """Two conditions of one data set are one data set, of which one is ranked: too few for a rank."""
    matrix = rank_matrix(both(column))
    assert list(matrix.index) == ["digits"]
    assert set(matrix.to_numpy().ravel()) in ({FIRST}, {SECOND})
    assert mean_ranks(both(column)) is None


def test_a_saved_plot_holds_the_numbers_of_its_data(tmp_path: Path) -> None:
    style.apply()
    for plot in PLOTS:
        if plot.save(both("backend"), tmp_path):
            lines = list(csv.DictReader((tmp_path / f"{plot.name}.csv").open()))
            assert lines
            assert not any(mixes(text) for line in lines for name, text in line.items() if name not in ("who", "size"))
