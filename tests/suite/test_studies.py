"""Verdicts by hand, energy models at known points, and all studies end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from suite import energy_models
from suite.statistics import Estimate
from suite.studies import Scale, studies
from suite.studies.base import judge, judge_equal, paired
from tests.conftest import Suite


def test_verdict_needs_the_whole_interval() -> None:
    def verdict(mean: float, half: float, expected: str) -> str:
        return judge("", "", "", Estimate(mean, half, 5), "", expected).verdict

    assert verdict(2, 1, "positive") == "reproduced at this scale"
    assert verdict(2, 3, "positive") == "undecided"
    assert verdict(-2, 1, "positive") == "not reproduced"
    assert verdict(-2, 1, "negative") == "reproduced at this scale"
    assert judge("", "", "", Estimate.of([3.0]), "", "positive").verdict == "undecided"
    assert judge_equal("", "", "", Estimate(0, 0, 5), "").verdict == "reproduced at this scale"
    assert judge_equal("", "", "", Estimate(2, 1, 5), "").verdict == "not reproduced"


def test_pairs_by_seed() -> None:
    first, second = pd.Series({0: 5.0, 1: 7.0, 2: 9.0}), pd.Series({0: 4.0, 1: 5.0, 3: 1.0})
    assert paired(first, second) == Estimate.of([1.0, 2.0])


def test_sram_interpolates_and_never_falls() -> None:
    kilobyte = 1024
    assert [energy_models.sram(size * kilobyte) for size in (1, 8, 32, 1024, 4096)] == [10, 10, 20, 100, 100]
    assert energy_models.sram(20 * kilobyte) == 15
    costs = [energy_models.sram(size) for size in range(1, 2_000_000, 1000)]
    assert costs == sorted(costs)


def test_published_access_has_the_known_fault() -> None:
    """Just above 8 kB and 32 kB the published function starts again from 0 (shared/research, faults of the script)."""
    access = energy_models._published_access
    assert access(8 * 1024) / (8 * 1024) == 10
    assert access(8 * 1024 + 1) / (8 * 1024 + 1) < 0.01
    assert access(32 * 1024 + 1) / (32 * 1024 + 1) < 0.01


def test_horowitz_by_hand() -> None:
    layer = energy_models.LayerCounts({"macs": 10, "acs": 100}, {}, "lif", 4)
    assert energy_models.horowitz45([layer, layer]) == pytest.approx(2 * (46 + 90))


def test_studies_share_cells() -> None:
    """The same question in two studies is one cell."""
    scale = Scale("quick")
    neurons, curves = studies()["neurons"].grid(scale), studies()["loss_curves"].grid(scale)
    assert all(cell in neurons for cell in curves)


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
        (("kernels", "clif", "--target", "cuda:9"), "unknown target 'cuda:9'; did you mean 'cuda:90'?"),
        (("check", "nowhere.py"), "no such file"),
    ],
)
def test_wrong_names(arguments: tuple[str, ...], message: str, suite: Suite) -> None:
    done = suite(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
