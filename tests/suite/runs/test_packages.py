"""The comparison of packages: its cells, its page, and what its tables say of rows with known answers."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from neurons import peers
from suite.report.packages import behind, cards, relations, side_by_side, speed_ups
from suite.runs import packages
from suite.runs.store import COLUMNS
from tests.conftest import Suite


def test_every_peer_stands_beside_the_suites_own_model_with_its_constants() -> None:
    cells = packages.grid("quick")
    asked = {(cell.task, cell.neuron, json.dumps(dict(cell.settings), sort_keys=True)) for cell in cells}
    for cell in cells:
        if cell.neuron in peers.peers() and cell.task != "equivalence":
            peer = peers.get(cell.neuron)
            settings = {**cell.settings, **packages.constants_of(peer)}
            assert (cell.task, peer.model, json.dumps(settings, sort_keys=True)) in asked
    of_throughput = [cell for cell in cells if cell.task == "throughput"]
    assert {cell.settings["timesteps"] for cell in of_throughput} == {1, 4, 8, 32, 100}
    assert {cell.settings["dtype"] for cell in of_throughput} == {"float32", "bfloat16"}
    assert {cell.backend for cell in of_throughput} == {"cpu", "compile", *peers.beside_torch()}
    assert {cell.neuron for cell in cells if cell.task == "equivalence"} == set(peers.available())


@pytest.mark.parametrize("timesteps", packages.TIMESTEPS)
@pytest.mark.parametrize("size", packages.SIZES)
def test_all_lengths_move_about_the_same_data(size: str, timesteps: int) -> None:
    moved = packages.elements_of(packages.SIZES[size], timesteps) * timesteps
    assert abs(moved / packages.SIZES[size] - 1) < 0.21


def rows(*measured: tuple[str, str, str, float, dict[str, object]]) -> pd.DataFrame:
    """(task, neuron, metric, value, settings)."""
    records = []
    for task, neuron, metric, value, settings in measured:
        package = neuron.partition(".")[0]
        own = {"backend": package if "." in neuron else "cpu", "detail": "different model", "status": "ok"}
        known = {"task": task, "neuron": neuron, "metric": metric, "value": value, "timesteps": 8, "dtype": "float32"}
        constants = {key: value for key, value in settings.items() if key.startswith("neuron.")}
        extra = {"elements": 1 << 16, "constants": json.dumps(constants)}
        records.append({**dict.fromkeys(COLUMNS), **own, **known, **extra})
    return pd.DataFrame(records)


def test_ratio_is_taken_with_the_counterpart_of_the_same_constants() -> None:
    time = "forward_backward_time"
    hard = packages.constants_of(peers.get("snntorch.leaky_zero_same_step"))
    beside = side_by_side(
        rows(
            ("throughput", "lif", time, 1.0, {}),
            ("throughput", "lif", time, 4.0, hard),
            ("throughput", "spikingjelly.lif", time, 5.0, {}),
            ("throughput", "snntorch.leaky_zero_same_step", time, 2.0, {}),
        )
    )
    assert dict(zip(beside.neuron, beside.ratio, strict=True)) == {
        "spikingjelly.lif": 5.0,
        "snntorch.leaky_zero_same_step": 0.5,
    }
    table = speed_ups(beside)
    assert table is not None
    assert {name: [entry.text for entry in row] for name, row in table.rows} == {
        "spikingjelly.lif": ["5"],
        "snntorch.leaky_zero_same_step": ["0.5"],
    }
    assert behind(beside) == ["snntorch.leaky_zero_same_step, T = 8, 65,536 neurons: 2.00 against 4.00 ns"]


def test_cards_say_where_and_why_a_neuron_departs() -> None:
    measured = rows(
        ("equivalence", "snntorch.leaky", "different_spikes", 7.0, {}),
        ("equivalence", "snntorch.leaky", "departure_step", 3.0, {}),
        ("equivalence", "snntorch.leaky", "departure_neuron", 41.0, {}),
    )
    ((name, entries),) = relations(measured).rows
    assert name == "snntorch.leaky"
    assert [entry.text for entry in entries][1:4] == ["lif", "different model", "step 3, neuron 41"]
    assert entries[4].text == peers.get("snntorch.leaky").departs
    ((_, entries),) = cards(measured).rows
    assert entries[0].text == "u = β·u + x"


@pytest.mark.slow
def test_smoke_run(suite: Suite, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = suite("packages", "--profile", "smoke", "--out", out)
    assert done.returncode == 0, done.stderr
    table = pd.read_parquet(out / "results.parquet")
    assert set(table.status) == {"ok"}
    page = (out / "report/packages.html").read_text()
    for name in peers.available():
        assert f">{name}<" in page
    for name in ("equivalence", "cards", "speed_up", "package_memory", "package_startup", "package_networks"):
        assert (out / f"report/tables/{name}.md").exists()
    calls = table[table.metric == "kernel_calls"].drop_duplicates(["neuron", "backend"])
    kinds = calls.detail.str.partition(":")[0]
    assert set(kinds[calls.backend == "cpu"]) == {"fused C"}
    assert set(kinds[calls.backend != "cpu"]) == {"torch operators"}


def test_compare_backends_as_json(suite: Suite) -> None:
    found = json.loads(suite("compare-backends", "plif", "--json").stdout)
    assert {row["neuron"]: row["relation"] for row in found if row["backend"] != "triton"} == {
        "plif": "same within rounding",
        "spikingjelly.plif": "same",
        "spikingjelly.plif_step": "same",
    }
