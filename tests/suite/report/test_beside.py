"""Rows of two devices: kept apart by merge, averages and comparisons, and put side by side in one table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from suite.report import beside
from suite.report.conditions import MixedConditions, over_seeds
from suite.runs.merge import merge
from suite.runs.store import read_results, write_results
from suite.runs.table import as_table, questions
from tests.suite.report.handmade import accuracy, rows

CARD = "cuda (H100)"


def rows_of_two() -> pd.DataFrame:
    """LIF at one size: 4 ns on the CPU and 0.01 on the card, whose counter tells joules; accuracy of two seeds each."""
    layer = {"task": "throughput", "neuron": "lif", "network": None, "timesteps": 8, "settings": {"elements": 1024}}
    layer |= {"metric": "forward_backward_time"}
    step = {"task": "training_speed", "neuron": "lif", "dataset": "digits", "metric": "step_energy"}
    on_card = {"device": CARD, "backend": "triton"}
    return rows(
        [{**layer, "value": 4.0}, {**layer, **on_card, "value": 0.01}, {**step, **on_card, "value": 2.5}],
        accuracy("lif", "digits", [90.0, 92.0]),
        accuracy("lif", "digits", [80.0, 82.0], **on_card),
    )


def test_devices_stand_side_by_side() -> None:
    found = beside.table(rows_of_two())
    assert found is not None
    assert found.header[1:] == ["cpu on cpu", f"triton on {CARD}", "ratio"]
    lines = {name: [entry.text for entry in entries] for name, entries in found.rows}
    assert lines["lif: forward and backward of a layer, T = 8, 1,024 neurons (ns)"] == ["4.000", "0.010", "0.0025"]
    (energy,) = (texts for name, texts in lines.items() if "energy of a training step, measured" in name)
    assert energy[:2] == ["not measurable here", "2.500"]
    (accuracy,) = (entries for name, entries in found.rows if "test accuracy" in name)
    assert [entry.estimate.mean for entry in accuracy[:2] if entry.estimate] == [91.0, 81.0]


def test_one_device_is_beside_nothing() -> None:
    both = rows_of_two()
    assert beside.table(both[both.device == "cpu"]) is None


def test_two_machines_with_one_name_of_a_device_are_two_columns() -> None:
    layer = {"task": "throughput", "neuron": "lif", "network": None, "timesteps": 8, "settings": {"elements": 1024}}
    layer |= {"metric": "forward_time"}
    places = [("cpu", "cpu", "old", 4.0), ("cpu", "cpu", "new", 3.0), ("triton", CARD, "new", 0.01)]
    found = beside.table(
        rows([{**layer, "backend": b, "device": d, "machine": m, "value": value} for b, d, m, value in places])
    )
    assert found is not None
    ((_, entries),) = found.rows
    assert dict(zip(found.header[1:], (entry.text for entry in entries), strict=True)) == {
        "cpu on cpu, old": "4.000",
        "cpu on cpu, new": "3.000",
        f"triton on {CARD}": "0.010",
    }


def test_seeds_of_two_devices_are_never_averaged() -> None:
    both = rows_of_two()
    with pytest.raises(MixedConditions, match="device"):
        over_seeds(both[both.task == "accuracy"].assign(backend="cpu"), ["neuron"])


def test_answers_of_two_devices_are_answers_to_two_questions(tmp_path: Path) -> None:
    both = as_table(rows_of_two().assign(backend="cpu"))
    assert questions(both[both.task == "throughput"]).nunique() == 2
    for name, part in (("a", both[both.device == "cpu"]), ("b", both[both.device != "cpu"])):
        (tmp_path / name).mkdir()
        write_results(part, tmp_path / name)
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    merged = read_results(tmp_path / "both")
    assert len(merged) == len(both)
    assert set(merged.device) == {"cpu", CARD}
