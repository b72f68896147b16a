"""No finding, table or plot of a study holds a mean over two values of what makes a condition."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from suite.report import style
from suite.report.conditions import MixedConditions
from suite.report.parts import Parts
from suite.studies import Study, studies
from suite.studies import page as paper
from suite.studies.base import by_seed
from suite.studies.verdicts import Evidence
from tests.suite.report.test_conditions import TWO
from tests.suite.studies import test_evidence as made
from tests.suite.studies import test_evidence_of_data as made_of_data
from tests.suite.studies.made_rows import Rows, accuracy
from tests.suite.studies.test_energy import three_networks

HOW_IT_RAN = ("backend", "device", "machine", "versions", "dtype", "protocol")
NAMED_BY_ITSELF = {"neuron", "settings", "task", "dataset", "network", "timesteps"}
"""Columns that studies tell sides apart by; the others must be one for all rows of a study."""


def exchange_rows() -> pd.DataFrame:
    rows = Rows()
    accuracy(rows, 90, neuron="lif", exchange_to=None, exchange_at=0)
    accuracy(rows, 95, neuron="lif", exchange_to="clif", exchange_at=3)
    return pd.concat([made.exchange_rows(), rows.frame()], ignore_index=True)


def dynamics_rows() -> pd.DataFrame:
    rows = Rows()
    for step in range(4):
        rows.add("trace", 0.5, neuron="lif", layer="u", step=step, task="dynamics")
    all_rows = pd.concat([made.dynamics_rows(), rows.frame()], ignore_index=True)
    return all_rows.assign(settings=json.dumps({"input_rate": 0.5, "weight": 0.9}))


MADE: dict[str, Callable[[], pd.DataFrame]] = {
    "neurons": made.neurons_rows,
    "timesteps": made.timesteps_rows,
    "truncation": lambda: made.truncation_rows(two=95),
    "temporal_gradient": made.gradient_rows,
    "exchange": exchange_rows,
    "loss_curves": made.loss_rows,
    "dynamics": dynamics_rows,
    "firing_rate": made.firing_rows,
    "energy": lambda: three_networks(clif_acs=0.8),
    "conversion": lambda: made.conversion_rows(lif_hard=27),
    "ablation": made.ablation_rows,
    "delayed_recall": made.recall_rows,
    "temporal_need": made_of_data.need_rows,
    "neuroseqbench": made_of_data.sequence_rows,
}
ran = {name: TWO[name][0] for name in HOW_IT_RAN}


@cache
def one_condition(study: str) -> pd.DataFrame:
    """The hand-made rows of a study, every column of how they ran filled."""
    return MADE[study]().assign(**ran)


def under(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """The rows under another value of the column, that no study has."""
    if column == "settings":
        return rows.assign(settings=rows.settings.map(lambda text: json.dumps({**json.loads(text), "width": 99})))
    other: Any = {"timesteps": 99, "neuron": "other"}.get(column, "another")
    return rows.assign(**{column: other}).astype({"timesteps": "Int64"})


def test_every_study_and_column_is_tried() -> None:
    assert set(MADE) == set(studies())
    assert {*HOW_IT_RAN, *NAMED_BY_ITSELF} == set(TWO)


@pytest.mark.parametrize("name", MADE)
def test_one_condition_is_told(name: str) -> None:
    """What is refused below is refused for its second condition alone."""
    study, rows = studies()[name], one_condition(name)
    assert study.evidence(rows)
    assert study.table(rows).rows
    data = study.plot.data(rows)
    assert data is not None
    assert len(data)


@pytest.mark.parametrize("name", MADE)
def test_every_figure_is_laid_out_and_written(name: str, tmp_path: Path) -> None:
    """Some layouts fail only where the figure is saved."""
    assert studies()[name].plot.save(one_condition(name), tmp_path) is not None
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv", ".png", ".svg", ".pdf"}


@pytest.mark.parametrize("column", [column for column in TWO if column != "neuron"])
@pytest.mark.parametrize("name", MADE)
def test_rows_doubled_with_another_value_are_refused(name: str, column: str) -> None:
    """Each average refuses them itself, whatever was refused before it."""
    rows = one_condition(name)
    second = under(rows, column)
    both = pd.concat([rows, second.assign(value=1000 * second.value)], ignore_index=True)
    study = studies()[name]
    for say in (study.finds, study.tabulates, study.shows):
        with pytest.raises(MixedConditions, match=r"only (different )?seeds"):
            say(both)


def evidence_of(study: Study, rows: pd.DataFrame) -> dict[str, Evidence]:
    return {claim: own for claim, own in study.finds(rows).items() if isinstance(own, Evidence)}


@pytest.mark.parametrize("name", MADE)
def test_each_metric_alone_is_refused_where_a_finding_reads_it(name: str) -> None:
    """Two devices in the rows of one metric: what is not refused was not read."""
    study, rows = studies()[name], one_condition(name)
    alone = evidence_of(study, rows)
    refused = 0
    for metric in rows.metric.unique():
        second = under(rows[rows.metric == metric], "device")
        both = pd.concat([rows, second.assign(value=1000 * second.value)], ignore_index=True)
        try:
            found = evidence_of(study, both)
        except MixedConditions:
            refused += 1
            continue
        assert found == alone, metric
    assert refused


@pytest.mark.parametrize("name", MADE)
def test_another_neuron_changes_no_finding(name: str) -> None:
    """It is refused, or named apart: each entry is of one neuron."""
    study, rows = studies()[name], one_condition(name)
    second = under(rows[rows.neuron == "lif"], "neuron").assign(cell=lambda frame: "other " + frame.cell)
    both = pd.concat([rows, second.assign(value=second.value - 7000)], ignore_index=True)
    both = both[~both.metric.isin(["sum_error", "smallest_psi"])] if name == "temporal_gradient" else both
    try:
        found = evidence_of(study, both)
        entries = [entry for _, line in study.table(both).rows for entry in line if entry.estimate]
    except MixedConditions:
        return
    assert found == evidence_of(study, rows)
    for entry in entries:
        assert entry.estimate is not None
        assert len({value < -1000 for value in entry.estimate.values}) == 1


@pytest.mark.parametrize("column", HOW_IT_RAN)
@pytest.mark.parametrize("name", MADE)
def test_sides_that_ran_in_two_ways_are_not_compared(name: str, column: str) -> None:
    """One seed, or one neuron, under another value: each side may be one condition, the difference is not."""
    study, rows = studies()[name], one_condition(name)
    for apart in (rows.seed == 0, rows.neuron == rows.neuron.iloc[-1], rows.index == rows.index[-1]):
        mixed = rows.assign(**{column: rows[column].mask(apart, TWO[column][1])})
        if mixed[column].nunique() < 2:
            continue  # a study of one neuron
        for say in (study.evidence, study.table, study.plot.data):
            with pytest.raises(MixedConditions, match=rf"its rows differ in {column} \("):
                say(mixed)


def test_a_seed_that_lacks_a_part_has_no_mean() -> None:
    """A mean over two layers is none where one is missing; the values of other seeds stand."""
    rows = made.firing_rows()
    lost = rows[~((rows.neuron == "lif") & (rows.layer == "neurons.1") & (rows.seed == 3))]
    assert list(by_seed(lost, "firing_rate", ["layer"], neuron="lif").index) == [0, 1, 2, 4, 5, 6, 7]
    assert len(by_seed(lost, "firing_rate", ["layer"], neuron="clif")) == 8


def test_the_page_says_which_study_is_refused(tmp_path: Path) -> None:
    style.apply()
    mixed = one_condition("firing_rate")
    mixed = mixed.assign(device=mixed.device.mask(mixed.seed == 2, "cuda:0"), cell="f" + mixed.cell)
    whole = one_condition("conversion")
    for folder in ("tables", "plots"):
        (tmp_path / folder).mkdir()
    parts = Parts()
    groups = {"firing_rate": list(mixed.cell.unique()), "conversion": list(whole.cell.unique())}
    page = paper.build(tmp_path, pd.concat([mixed, whole], ignore_index=True), groups, parts)
    assert page is not None
    (line,) = parts.failed
    assert line.startswith(
        "study firing_rate could not be made: MixedConditions: its rows differ in device (cpu, cuda:0)"
    )
    assert "\n" not in line
    found = json.loads((tmp_path / "findings.json").read_text())
    assert {finding["study"] for finding in found} == {"conversion"}
    untested = (tmp_path / "tables/untested.csv").read_text()
    assert "study firing_rate, which could not be made" in untested
    assert "study energy, which" not in untested
