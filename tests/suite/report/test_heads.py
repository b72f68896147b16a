"""Under each head of a table stands the metric that it names, in its unit."""

from __future__ import annotations

from typing import Any

import pytest

from suite.report.board import board
from suite.report.tables import makers
from tests.suite.report.handmade import Record, accuracy, rows, timing
from tests.suite.report.test_by_hand import entries

ACCURACIES = {"accuracy_selected": 91.0, "accuracy_final": 82.0, "accuracy_paper_style": 93.0}
GRADIENT = {"temporal_ratio": 1.5, "horizon": 3.0, "vanished_fraction": 0.25, "outside_fraction": 0.5}
TIMES = {"forward_time": 2.0, "forward_limit": 9.0, "forward_backward_limit": 1.4}


def of(task: str, metrics: dict[str, float], **more: Any) -> list[Record]:
    return [{"task": task, "neuron": "lif", "metric": name, "value": value, **more} for name, value in metrics.items()]


def of_a_run() -> list[list[Record]]:
    """One value of every metric that a table shows, each another."""
    layer = {key: own for key, own in timing("lif", 5.0, 4.5, 5.5)[0].items() if key not in ("metric", "value")}
    return [
        of("accuracy", ACCURACIES, dataset="digits"),
        of("accuracy", {"firing_rate": 0.12}, dataset="digits", layer="neurons.0"),
        of("accuracy", {"firing_rate": 1.234}, dataset="digits", layer="neurons.1"),
        of("temporal_gradient", GRADIENT, dataset="digits", layer="neurons.0", settings={"progress": 1.0}),
        of("memory", {"saved_bytes": 4.0, "peak_bytes": 12.5}, timesteps=8, network=None),
        timing("lif", 5.0, 4.5, 5.5),
        [{**layer, "metric": name, "value": value} for name, value in TIMES.items()],
        of("training_speed", {"training_speed": 1234.0, "training_speed_over_baseline": 0.8}, dataset="digits"),
    ]


SIZE = "T=8, 4,096 neurons"
TABLES: dict[str, dict[str, str]] = {
    "accuracy": {"digits (%)": "91.0"},
    "accuracy_final": {"digits (%)": "82.0"},
    "accuracy_paper_style": {"digits (%)": "93.0"},
    "temporal_ratio": {"digits, trained": "1.50"},
    "horizon": {"digits, trained (steps)": "3.00"},
    "vanished_fraction": {"digits, trained": "0.25"},
    "memory": {"saved, T=8 (B)": "4.0", "peak, T=8 (B)": "12.5"},
    "throughput": {
        f"{SIZE}: both (ns)": "5.0 (4.5–5.5)",
        f"{SIZE}: both (× LIF)": "1.00",
        f"{SIZE}: forward (ns)": "2.00",
        f"{SIZE}: both (× limit)": "1.40",
    },
    "training_speed": {"digits: samples/s": "1,234", "digits: × LIF": "0.80"},
    "firing_rate": {"digits layer 0": "0.12", "digits layer 1": "1.23"},
}


@pytest.mark.parametrize("name", TABLES)
def test_the_value_under_each_head(name: str) -> None:
    assert entries(makers(rows(*of_a_run()), "lif")[name]()) == {"lif": TABLES[name]}


def test_every_table_is_tried() -> None:
    """Those of several neurons or of what went wrong have tests of their own."""
    others = {"tuned", "tuned_settings", "setup", "reference", "difference", "tests", "mean_rank", "improvement"}
    others |= {"aggregate", "sampling", "frontier", "reach", "devices", "gpus", "problems"}
    assert set(makers(rows(*of_a_run()), "lif")) == {*TABLES, *others}


def test_heads_of_the_board() -> None:
    """More is better of an accuracy, less of a cost."""
    peak = of("memory", {"peak_bytes": 12.5}, timesteps=8, network=None)
    rates = of("accuracy", {"firing_rate": 0.12}, dataset="digits", layer="neurons.0")
    made = board(rows(accuracy("lif", "digits", [91.0]), rates, timing("lif", 5.0, 4.5, 5.5), peak), "lif")
    assert made is not None
    assert [(column.key, column.unit, column.better) for column in made.columns] == [
        ("digits", "%", "↑"),
        ("time", "× LIF", "↓"),
        ("memory", "× LIF", "↓"),
        ("events", "× LIF", "↓"),
    ]
    (line,) = made.lines
    assert [own.below for own in line.fields] == ["", "5.00 ns", "12.5 B", "12.0 %"]
    assert list(made.table().header[1:]) == ["digits (% ↑)", "time (× LIF ↓)", "memory (× LIF ↓)", "spikes (× LIF ↓)"]


def test_what_went_wrong_is_told_once_a_cell() -> None:
    bad = {**accuracy("clif", "digits", [0.0])[0], "metric": None, "value": None, "backend": "compile", "seed": 3}
    table = rows([{**bad, "status": "timeout", "detail": "not done"}], accuracy("lif", "digits", [90.0]))
    made = makers(table, "lif")["problems"]()
    assert entries(made) == {
        "clif": {
            **{"task": "accuracy", "data set": "digits", "backend": "compile", "seed": "3"},
            **{"status": "timeout", "cause": "not done"},
        }
    }
