"""All studies end to end, and what the command refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import tasks
from suite.statistics import Estimate
from suite.studies import Scale, studies
from suite.studies.base import paired
from tests.conftest import Suite


def test_pairs_by_seed() -> None:
    first, second = pd.Series({0: 5.0, 1: 7.0, 2: 9.0}), pd.Series({0: 4.0, 1: 5.0, 3: 1.0})
    assert paired(first, second) == Estimate.of([1.0, 2.0])


def test_studies_share_cells() -> None:
    """The same question in two studies is one cell."""
    scale = Scale("quick")
    neurons, curves = studies()["neurons"].grid(scale), studies()["loss_curves"].grid(scale)
    assert len(curves) == 2 * 10
    assert all(cell in neurons for cell in curves)


def test_every_cell_of_a_study_is_a_cell_of_its_task() -> None:
    """No setting that a task does not know, at every profile."""
    for study in studies().values():
        for profile in ("smoke", "quick", "full"):
            cells = study.grid(Scale(profile))
            assert cells
            for cell in cells:
                own = {name for name in cell.settings if not name.startswith("neuron.")}
                assert own <= set(tasks.get(cell.task).settings), (study.name, profile)


def test_a_setting_reaches_every_cell_that_knows_it() -> None:
    scale = Scale("smoke", settings={"optimizer": "sgd", "input_rate": 0.25})
    accuracy, dynamics = studies()["neurons"].grid(scale), studies()["dynamics"].grid(scale)
    assert {cell.settings["optimizer"] for cell in accuracy} == {"sgd"}
    assert {cell.settings["input_rate"] for cell in dynamics} == {0.25}
    assert not any("input_rate" in cell.settings for cell in accuracy)


def test_sequences_bring_the_recurrent_baseline() -> None:
    networks = {cell.settings["network"] for cell in studies()["neurons"].grid(Scale("smoke", "mnist5k_rows", "mlp"))}
    assert networks == {"mlp", "gru"}
    assert "gru" not in {cell.settings["network"] for cell in studies()["neurons"].grid(Scale("smoke"))}


@pytest.mark.slow
def test_all_studies_end_with_verdicts(suite: Suite, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = suite("study", "all", "--profile", "smoke", "--out", out)
    assert done.returncode == 0, done.stderr
    findings = json.loads((out / "report/findings.json").read_text())
    assert {finding["study"] for finding in findings} == set(studies())
    page = (out / "report/paper.html").read_text()
    for name in studies():
        assert (out / f"report/plots/study_{name}.png").stat().st_size > 1000
        assert f'id="{name}"' in page
    assert (out / "report/tables/verdicts.md").exists()
    again = suite("study", "neurons", "--profile", "smoke", "--out", out)
    assert "0 ok" in again.stderr
    assert 'id="conversion"' in (out / "report/paper.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("study", "neuron"), "unknown study 'neuron'; did you mean 'neurons'?"),
        (("study", "all", "--network", "resnet"), "unknown network 'resnet'; did you mean 'resnet18'?"),
        (("study", "all", "--set", "optimiser=sgd"), "unknown setting 'optimiser'; did you mean 'optimizer'?"),
        (("kernels", "clif", "--target", "cuda:9"), "unknown target 'cuda:9'; did you mean 'cuda:90'?"),
        (("check", "nowhere.py"), "no such file"),
    ],
)
def test_wrong_names(arguments: tuple[str, ...], message: str, suite: Suite) -> None:
    done = suite(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
