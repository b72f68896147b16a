"""The page of published comparisons, of rows with known answers: shares, order, what is predicted, what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from suite.publish.build import build
from suite.report import names, rivals, rivals_rows, rivals_tables
from suite.report.conditions import MixedConditions
from suite.report.parts import Parts
from suite.report.plots.rivals import LENGTHS, MAP
from suite.runs import groups
from suite.runs.store import COLUMNS, write_results

SIZE = {"timesteps": 500, "batch_size": 16, "width": 512, "input_gradient": False}
MAP_SIZE = {"timesteps": 64, "batch_size": 16, "width": 64, "input_gradient": True}


def measured(
    neuron: str, backend: str, share: float, time: float = 10.0, spread: float = 0.0, **changed: Any
) -> list[dict[str, Any]]:
    """The rows of a cell: neurons of `time` ms, give or take a share `spread`, of a layer of which they are `share`."""
    size = {**SIZE, **changed}
    details = {"different_spikes": size.pop("relation", "same"), "neuron_share": size.pop("detail", "")}
    package = f"{backend} 1.0: Class, a loop; torch operators: 4× mul"
    values = {"neuron_time": time, "neuron_share": share, "linear_time": time * (1 / share - 1)}
    values |= {"neuron_time_over_baseline": time / 2, "neuron_share_of_steps": share / 2}
    ends = {"_p20": 1 - spread, "_p80": 1 + spread}
    around = {f"{name}{end}": value * factor for name, value in values.items() for end, factor in ends.items()}
    one = {"different_spikes": 0.0, "kernel_calls": 4.0, "neuron_peak": 0.5}
    records = []
    for metric, value in {**values, **around, **one}.items():
        text = details.get(metric, package if metric == "kernel_calls" else "")
        records.append(row(neuron, backend, size, metric=metric, value=value, status="ok", detail=text))
    return records


def row(neuron: str, backend: str, size: dict[str, Any], **own: Any) -> dict[str, Any]:
    settings = {name: value for name, value in size.items() if name != "timesteps"}
    known = {"task": "linear_neuron", "neuron": neuron, "backend": backend, "timesteps": size["timesteps"], "seed": 0}
    known |= {"settings": json.dumps(settings), "device": "cpu", "protocol": "controlled", "run": "made"}
    cell = f"{neuron} {backend} {json.dumps(size)}"
    return {**dict.fromkeys(COLUMNS), **known, "cell": cell, **own}


def rows(*cells: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame([record for cell in cells for record in cell])


UNAVAILABLE = [row("norse.lifbox", "norse", SIZE, status="unavailable", detail="norse fails: OSError: no library")]


def test_the_published_setting_today() -> None:
    found = rivals_rows.lines(
        rows(
            measured("lif", "cpu", 0.01, time=2.0),
            measured("snntorch.leaky", "snntorch", 0.5, time=30.0, relation="different model", detail="predicted: 16"),
            measured("lif", "cpu", 0.9, **MAP_SIZE),
            UNAVAILABLE,
            [row("lif", "cpu", {**SIZE, "width": 1024}, status="unavailable", detail="no memory")],
        )
    )
    table = rivals_tables.at_published_setting(rivals_rows.published_setting(found))
    assert table is not None
    texts = {name: [entry.text for entry in entries] for name, entries in table.rows}
    assert texts["LIF, fused"][:3] == ["512", "same", "2.00"]
    assert texts["LIF, fused"][5] == "1.0 %"
    assert texts["snntorch.leaky"][1:4] == ["another model", "30.0", "15.0"]
    assert texts["snntorch.leaky"][5] == "50.0 % (predicted)"
    assert texts["norse.lifbox"][2] == "unavailable: norse fails: OSError: no library"
    assert table.footnotes == ["n = 1,024: unavailable: no memory"]
    assert rivals.first_finding(rivals_rows.published_setting(found)).endswith(
        "LIF takes 15 (snntorch.leaky) times the fused kernel's time."
    )


def test_the_first_finding_is_of_the_largest_size_of_several_rounds() -> None:
    lines = [
        measured("snntorch.leaky", "snntorch", 0.5, time=time, spread=spread, width=width)
        for width, time, spread in ((512, 30.0, 0.1), (4096, 50.0, 0.1), (16384, 70.0, 0.0))
    ]
    told = rivals.first_finding(rivals_rows.published_setting(rivals_rows.lines(rows(*lines))))
    assert "n = 4,096" in told
    assert "25 (snntorch.leaky) times" in told


def test_every_published_figure_is_shown_as_typed() -> None:
    table = rivals_tables.published()
    assert table is not None
    texts = {name: [entry.text for entry in entries] for name, entries in table.rows}
    assert texts["Norse"] == ["1.0.0", "torch.compile", "6.65 + 6.43", "28.9 + 80.6", "1.26", "5.43"]
    assert texts["Spyx full precision"][-1] == "not measured"
    assert len(texts) == 11


def test_who_was_right() -> None:
    wide = {**MAP_SIZE, "width": 1024}
    found = rivals_rows.mapped(
        rivals_rows.lines(
            rows(
                measured("lif", "cpu", 0.1, **MAP_SIZE),
                measured("lif", "cpu", 0.02, **wide),
                measured("spikingjelly.lif", "spikingjelly", 0.8, **MAP_SIZE),
                measured("spikingjelly.lif", "spikingjelly", 0.4, **wide),
                measured("lif", "cpu", 0.01),
            )
        )
    )
    told = rivals.who_was_right(found)
    assert "neurons at 27 to 42 %" in told  # 0.37/1.37 and 0.72/1.72
    assert "over 2 sizes: LIF, fused 2 to 10 % (never half);" in told
    assert "spikingjelly.lif 40 to 80 % (above half at 1 of 2, up to n = 64)." in told
    assert "makes the share 12 points smaller" in told  # of 5, 1, 40 and 20
    assert "1 of 4 measurements change sides of the half." in told
    data = MAP.data(rows(measured("lif", "cpu", 0.6, **MAP_SIZE), measured("lif", "cpu", 0.5, **wide)))
    assert data is not None
    assert MAP.finding(data) == "Neurons take over half of the layer in 1 of 2 measurements."
    both = pd.concat([data, data.assign(who="PLIF, fused", neuron_share=0.1)])
    assert MAP.finding(both).endswith("in 1 of 4 measurements, never those of PLIF (fused).")


def test_the_fastest_without_a_reset_by_length() -> None:
    def cell(backend: str, steps: int, time: float, neuron: str = "reset_free") -> list[dict[str, Any]]:
        return measured(neuron, backend, 0.5, time=time, timesteps=steps, batch_size=2, width=32)

    own = rows(
        *(cell("cpu", 256, 1.0), cell("scan", 256, 3.0), cell("cpu", 1024, 5.0), cell("scan", 1024, 4.0)),
        cell("cpu", 256, 0.5, "lif"),
    )
    data = LENGTHS.data(own)
    assert data is not None
    finding = LENGTHS.finding(data)
    free = names.neuron("reset_free")
    assert finding == f"Without a reset the fastest is {free}, fused at T = 256 and {free}, scan at T = 1,024."
    table = rivals_tables.lengths(rivals_rows.over_time(rivals_rows.lines(own)))
    assert table is not None
    best = {name: [entry.best for entry in entries] for name, entries in table.rows}
    assert best == {
        f"{free}, fused": [False, True, False],
        f"{free}, scan": [False, False, True],
        "LIF, fused": [False, False, False],
    }
    texts = {name: entries[1].text for name, entries in table.rows}
    assert texts[f"{free}, fused"] == "61.04"  # 1 ms over 256·64 neurons and steps


def test_a_neuron_measured_twice_at_one_size_is_refused() -> None:
    with pytest.raises(MixedConditions, match="measured twice"):
        rivals_rows.lines(rows(measured("lif", "cpu", 0.1), measured("lif", "cpu", 0.2, rounds=9)))


def test_a_page_without_and_with_rows(tmp_path: Path) -> None:
    assert rivals.build(tmp_path, pd.DataFrame(columns=COLUMNS), {}, Parts()) is None
    table = rows(measured("lif", "cpu", 0.1), measured("lif", "cpu", 0.6, **MAP_SIZE), UNAVAILABLE)
    run = tmp_path / "run"
    groups.remember(run, {"onm": list(table.cell.unique())})
    write_results(table, run)
    (run / "provenance.json").write_text(json.dumps({"packages": {"torch": "2.14"}, "commands": []}))
    build(run)
    page = (run / "report" / "rivals.html").read_text()
    assert "norse fails: OSError: no library" in page
    assert "a correction of yours is welcome" in page
    assert "--profile onm" in page
    assert (run / "report" / "plots" / "neuron_share.svg").exists()
