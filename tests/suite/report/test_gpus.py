"""The table of GPUs, from rows of two cards made by hand: measured beside predicted, in the report and in the index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from suite.publish import publish, write_index
from suite.publish.content import published_files
from suite.report import gpus
from tests.suite.made_runs import make_run, with_report
from tests.suite.report.handmade import Record, rows

PREDICTED = "forward_backward_predicted_time"


def layer(card: str, steps: int, neurons: int, measured: float, predicted: float | None, **more: Any) -> list[Record]:
    """LIF on a card: nanoseconds measured and predicted for a neuron and step, beside a copy of 2,800 GB/s."""
    own = {"task": "throughput", "neuron": "lif", "network": None, "backend": "triton", "device": f"cuda ({card})"}
    own |= {"timesteps": steps, "settings": {"elements": neurons, "timesteps": steps}, **more}
    values = {"forward_backward_time": measured, PREDICTED: predicted, "copy_bandwidth": 2800.0}
    return [{**own, "metric": name, "value": value} for name, value in values.items() if value is not None]


def lines(table: pd.DataFrame) -> list[list[str]]:
    found = gpus.table(table)
    assert found is not None
    assert len(found.header) == len(gpus.HEADER)
    return [[name, *(entry.text for entry in entries)] for name, entries in found.rows]


def test_measured_stands_beside_predicted() -> None:
    """Of each length the largest size; a card without a data sheet has no prediction."""
    own = rows(
        [*layer("H100", 8, 1024, 0.02, 0.006), *layer("H100", 8, 4096, 0.0075, 0.006)],
        [*layer("H100", 128, 64, 0.009, 0.006), *layer("L4", 8, 4096, 0.08, None)],
        [*layer("cpu", 8, 4096, 4.0, None, device="cpu", backend="cpu")],
    )
    h100, l4 = ([line for line in lines(own) if line[0] == card] for card in ("cuda (H100)", "cuda (L4)"))
    assert [line[2:] for line in h100] == [
        ["8", "4,096", "7.50", "6.00", "1.25", "2800"],
        ["128", "64", "9.00", "6.00", "1.50", "2800"],
    ]
    assert [line[2:] for line in l4] == [["8", "4,096", "80.00", "—", "—", "2800"]]


def test_what_ran_on_no_gpu_has_no_table() -> None:
    assert gpus.table(rows(layer("cpu", 8, 4096, 4.0, None, device="cpu", backend="cpu"))) is None
    only_predicted = rows(layer("H100", 8, 4096, 0.0075, 0.006))
    assert gpus.table(only_predicted[only_predicted.metric == PREDICTED]) is None


def test_other_settings_are_other_lines() -> None:
    """A layer with its norm inside is another question, not a larger size."""
    settings = {"elements": 4096, "timesteps": 8}
    plain = layer("H100", 8, 4096, 0.0075, 0.006, settings={**settings, "norm": "none"})
    normed = layer("H100", 8, 4096, 0.015, None, settings={**settings, "norm": "batch"})
    found = sorted([line[1], *line[4:7]] for line in lines(rows(plain, normed)))
    assert found == [["lif, norm=batch", "15.00", "—", "—"], ["lif, norm=none", "7.50", "6.00", "1.25"]]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Two cards, each measured by a run of its own, published one after the other; and a run of a CPU."""
    root = tmp_path / "published"
    for card, measured in (("H100", 0.0075), ("A100 | 80GB", 0.012)):
        own = layer(card, 8, 4096, measured, 0.006)
        run = with_report(make_run(tmp_path / card[:4], own))
        found = gpus.table(rows(own))
        assert found is not None
        found.save(run / "report" / "tables")
        publish(run, f"gpu-{card[:4].lower()}", False, root)
    publish(with_report(make_run(tmp_path / "cpu", layer("cpu", 8, 64, 4.0, None, device="cpu"))), "cpu", False, root)
    return root


def test_a_new_cards_rows_join_the_table_of_the_index(published: Path) -> None:
    text = (published / "README.md").read_text()
    table = text.partition("## GPUs")[2]
    assert table.count("\n| cuda") == 2
    assert "| cuda (H100) | lif | 8 | 4,096 | 7.50 | 6.00 | 1.25 | 2800 | gpu-h100 |" in table
    assert "cuda (A100 \\| 80GB) | lif | 8 | 4,096 | 12.00 | 6.00 | 2.00 | 2800 | gpu-a100 |" in table
    write_index(published, pages=True)
    page = (published / "index.html").read_text()
    assert '<section id="gpus">' in page
    assert page.count('<tr><th scope="row">cuda (') == 2


def test_the_table_is_published_for_people_and_for_the_index(published: Path) -> None:
    kept = {path.name for path in published_files(published / "gpu-h100")}
    assert {"gpus.md", "gpus.csv"} <= kept
    assert not {"gpus.md", "gpus.csv"} & {path.name for path in published_files(published / "cpu")}


@pytest.mark.parametrize("text", ["", "GPU,column\nx,y\n", "GPU,column,text\ncuda (H100),neuron,lif\n"])
def test_a_table_that_was_cut_short_is_left_out(text: str, tmp_path: Path) -> None:
    (tmp_path / "report/tables").mkdir(parents=True)
    (tmp_path / "report/tables/gpus.csv").write_text(text)
    assert gpus.read(tmp_path) == []
