"""The report as a whole: one part that fails leaves the rest, the same rows give the same bytes, names do no harm."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.lines import Line2D

from suite.publish.build import build
from suite.report import result_page, style
from suite.report.plots import PLOTS, gradient, learning
from suite.runs import groups
from suite.runs.store import write_results
from tests.suite.report.handmade import Record, accuracy, rows, timing

Run = Callable[[pd.DataFrame], Path]
MACHINE = {"cpu": "one", "cores": 2}
PROVENANCE = {
    "date": "2026-01-01",
    "commit": "a" * 40,
    "dirty": False,
    "machine": MACHINE,
    "packages": {},
    "threads": 2,
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run directory with these rows."""

    def make(table: pd.DataFrame) -> Path:
        path = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        path.mkdir()
        write_results(table, path)
        (path / "provenance.json").write_text(json.dumps({**PROVENANCE, "commands": []}))
        groups.remember(path, {"run": sorted(set(table.cell))})
        return path

    return make


def gradients(neuron: str, value: float, steps: int = 4) -> list[Record]:
    """A trained network's temporal gradient: each value halves with the lag."""
    own = {"task": "temporal_gradient", "neuron": neuron, "dataset": "digits", "settings": {"progress": 1.0}}
    found: list[Record] = []
    for layer in ("neurons.0", "neurons.1"):
        found.append({**own, "layer": layer, "metric": "temporal_ratio", "value": value})
        for step in range(steps):
            found.append({**own, "layer": layer, "metric": "spatial_gradient", "step": step, "value": value})
            between = {"layer": layer, "metric": "temporal_gradient", "step": step}
            found += [{**own, **between, "lag": lag, "value": value / 2**lag} for lag in range(1, steps - step)]
        by_lag = {"layer": layer, "metric": "temporal_gradient_by_lag"}
        found += [{**own, **by_lag, "lag": lag, "value": value / 2**lag} for lag in range(1, steps)]
    return found


def curve(neuron: str, losses: list[float], seed: int = 0) -> list[Record]:
    own = {"task": "accuracy", "neuron": neuron, "dataset": "digits", "metric": "test_loss", "seed": seed}
    return [{**own, "step": epoch, "value": loss} for epoch, loss in enumerate(losses, 1)]


def small() -> pd.DataFrame:
    names = ("lif", "clif", "if")
    scores = [accuracy(name, d, [90.0, 91.0, 93.5]) for name in names for d in ("digits", "mnist5k")]
    times = [timing(name, 1.0 + place, 0.9, 1.1) for place, name in enumerate(names)]
    return rows(*scores, *times, *(gradients(n, 0.5) for n in names), *(curve(n, [2.0, 1.0, 0.5]) for n in names))


def test_a_part_that_fails_is_a_line_and_the_rest_stands(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a <b>fault</b>")

    monkeypatch.setattr("suite.report.tables.memory", broken)
    monkeypatch.setattr("suite.report.tables.mean_ranks", broken)
    monkeypatch.setitem(learning.PLOTS[0].__dict__, "draw", broken)
    monkeypatch.setattr("suite.publish.build.board", broken)
    path = run(small())
    page, tables = build(path)
    assert {"accuracy", "throughput", "temporal_ratio"} <= {table.name for table in tables}
    text = page.read_text()
    for part in ("table memory", "table mean_rank", "plot loss_curves", "board"):
        assert f"{part} could not be made: RuntimeError: a &lt;b&gt;fault&lt;/b&gt;" in text
        assert part in capsys.readouterr().err or part != "table memory"
    assert (path / "report/plots/accuracy.png").exists()
    assert (path / "report/tables/accuracy.tex").exists()


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([gradients("lif", 0.0), gradients("clif", 0.0)], id="a dead network"),
        pytest.param([gradients("lif", math.inf), gradients("clif", 0.5)], id="infinite gradients"),
        pytest.param([gradients("lif", math.nan), gradients("clif", 0.5)], id="gradients that are not numbers"),
        pytest.param([gradients("lif", -1e-3)], id="negative gradients"),
        pytest.param([curve("lif", [1.0, math.inf, 1.0]), curve("clif", [math.inf] * 3)], id="infinite losses"),
        pytest.param([curve("lif", [math.nan])], id="no loss at all"),
        pytest.param([timing("lif", 0.0, 0.0, 0.0), timing("clif", 1.0, 0.9, 1.1)], id="a time of 0"),
        pytest.param([timing("lif", math.inf, 1.0, math.inf), timing("clif", 1.0, 0.9, 1.1)], id="an infinite time"),
        pytest.param([timing("lif", 1.0, 0.9, 1.1, copy=0.0)], id="a bandwidth of 0"),
        pytest.param(
            [accuracy("lif", "digits", [math.inf, 1.0]), accuracy("clif", "digits", [1.0, 2.0])], id="accuracy"
        ),
        pytest.param(
            [
                timing(n, v, 0.9 * v, 1.1 * v, backend=b, protocol=p)
                for p in ("controlled", "published")
                for n in ("lif", "clif")
                for b, v in (("cpu", 1.0), ("reference", 9.0), ("compile", 5.0))
            ],
            id="three backends and two settings",
        ),
        pytest.param(
            [[{**accuracy("lif", "digits", [1.0])[0], "metric": None, "value": None, "status": "failed"}]], id="failed"
        ),
    ],
)
def test_what_a_run_may_hold_makes_a_whole_report(records: list[list[Record]], run: Run) -> None:
    page, tables = build(run(rows(*records)))
    text = page.read_text()
    assert "could not be made" not in text
    assert tables
    assert not any("nan" in entry.text.lower() for table in tables for _, own in table.rows for entry in own)


def test_a_run_without_provenance_has_every_page(run: Run) -> None:
    table = rows(timing("lif", 1.0, 0.9, 1.1))
    path = run(table)
    (path / "provenance.json").unlink()
    groups.remember(path, {"packages": sorted(set(table.cell))})
    page, _ = build(path)
    assert "could not be made" not in page.read_text()
    assert (path / "report/packages.html").exists()


def test_the_same_rows_give_the_same_bytes(run: Run) -> None:
    path = run(small())

    def files() -> dict[str, bytes]:
        return {str(own.relative_to(path)): own.read_bytes() for own in (path / "report").rglob("*") if own.is_file()}

    build(path)
    first = files()
    np.random.default_rng().normal()
    build(path)
    assert [name for name, content in files().items() if first[name] != content] == []
    assert sum(name.endswith(".svg") for name in first) >= 5


def test_nothing_of_an_earlier_report_stays(run: Run) -> None:
    table = rows(accuracy("lif", "digits", [90.0]), timing("lif", 1.0, 0.9, 1.1))
    path = run(table)
    build(path)
    assert (path / "report/tables/throughput.md").exists()
    write_results(table[table.task == "accuracy"], path)
    build(path)
    assert not list((path / "report").rglob("throughput.*"))
    assert not list((path / "report").rglob("layer_time.*"))
    assert (path / "report/tables/accuracy.md").exists()


def lines_of(plot: Any, table: pd.DataFrame) -> list[Line2D]:
    style.apply()
    figure = plot.draw(plot.data(table))
    found = [line for axes in figure.axes for line in axes.get_lines()]
    plt.close(figure)
    return found


@pytest.mark.parametrize("bad", [0.0, math.inf])
def test_no_line_is_drawn_through_what_a_logarithmic_axis_cannot_show(bad: float) -> None:
    values = [1e-2, 1e-3, bad, 1e-4]
    own = {"task": "temporal_gradient", "neuron": "lif", "dataset": "digits", "settings": {"progress": 1.0}}
    own |= {"layer": "neurons.0", "metric": "temporal_gradient_by_lag"}
    spatial = {**own, "metric": "spatial_gradient", "value": 1.0}
    table = rows([spatial, *({**own, "lag": lag, "value": value} for lag, value in enumerate(values, 1))])
    line, *marks = lines_of(gradient.PLOTS[0], table)
    assert list(np.isnan(np.asarray(line.get_ydata(), float))) == [False, False, False, True, False]
    assert [list(mark.get_xdata()) for mark in marks[:-1]] == ([[3]] if bad == 0 else []), "the last is the horizon"


def test_a_divergence_is_a_gap_in_the_curve() -> None:
    (line,) = lines_of(learning.PLOTS[0], rows(curve("lif", [2.0, math.inf, 1.0])))
    assert list(np.isnan(np.asarray(line.get_ydata(), float))) == [False, True, False]


def test_bands_of_accuracies_end_at_0_and_100() -> None:
    own = [{**r, "metric": "test_accuracy"} for s, v in ((0, 99.0), (1, 60.0)) for r in curve("lif", [v, v], s)]
    style.apply()
    plot = learning.PLOTS[1]
    data = plot.data(rows(own))
    assert data is not None
    assert data.half_width.min() > 40
    figure = plot.draw(data)
    heights = [
        point[1]
        for axes in figure.axes
        for band in axes.collections
        for path in band.get_paths()
        for point in path.vertices
    ]
    plt.close(figure)
    assert max(heights) == 100.0


@pytest.mark.parametrize("count", [11, 60])
def test_figures_grow_with_the_number_of_neurons(count: int) -> None:
    names = [*style.ORDER, *(f"mine{place}" for place in range(count - 7))]
    table = rows(
        *(accuracy(name, "digits", [90.0, 91.0]) for name in names),
        *(timing(name, 1.0, 0.9, 1.1) for name in names),
        *(curve(name, [1.0, 0.5]) for name in names),
    )
    style.apply()
    sizes = {}
    for plot in PLOTS:
        data = plot.data(table)
        if data is not None and len(data):
            figure = plot.draw(data)
            figure.canvas.draw()
            sizes[plot.name] = figure.get_size_inches()
            plt.close(figure)
    assert {"accuracy", "layer_time", "loss_curves"} <= set(sizes)
    assert {width for width, _ in sizes.values()} <= {style.COLUMN, style.PAGE}
    for name in ("accuracy", "layer_time"):
        assert sizes[name][1] >= 0.13 * count


def test_the_lines_that_repeat_a_run_leave_out_where_it_wrote_to() -> None:
    run = ["python", "-m", "suite", "run"]
    commands = [[*run, "--out", "/mine", "--seeds", "3"], [*run, "--seeds", "3", "--out=/yours"], [*run, "--tune", "2"]]
    lines = result_page._lines({"commands": commands})
    assert lines == ["python -m suite run --seeds 3", "python -m suite run --tune 2"]
    assert result_page._lines({}) == ["python -m suite run"]


def test_a_significant_difference_is_bold_and_keeps_its_star(run: Run) -> None:
    table = rows(accuracy("lif", "digits", [90.0] * 8), accuracy("clif", "digits", [91.0 + s / 10 for s in range(8)]))
    path = run(table)
    build(path)
    text = (path / "report/tables/difference.md").read_text()
    assert r"| CLIF | **1.35 ± 0.20 \*** |" in text
    assert "\n\\* differs from the baseline" in text


def test_hostile_names_write_nothing_elsewhere(run: Run, tmp_path: Path) -> None:
    names = ["lif", "../../victim", "<script>alert(1)</script>", "a[/b]", "$x$", "_mine", "x" * 5000, "\u202eevil"]
    before = set(tmp_path.rglob("*"))
    path = run(rows(*(accuracy(n, "digits", [90.0, 91.0]) for n in names), *(timing(n, 1.0, 0.9, 1.1) for n in names)))
    page, _ = build(path)
    text = page.read_text()
    assert "could not be made" not in text
    assert "<script>alert" not in text
    outside = [own for own in set(tmp_path.rglob("*")) - before if path not in own.parents and own != path]
    assert outside == []
    svg = (path / "report/plots/accuracy.svg").read_text()
    assert "<script" not in svg
