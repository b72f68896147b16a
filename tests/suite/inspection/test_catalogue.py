"""The catalogue of neurons, with some entries by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import neurons
from suite.cli import main
from suite.inspection.catalogue import SHOWN, catalogue


def test_every_model_is_there_with_its_paper() -> None:
    found = {entry["name"]: entry for entry in catalogue(neurons.names())}
    assert len(found) >= 30
    unsourced = {name for name, entry in found.items() if not entry["paper"]}
    assert unsourced <= {"if", "relu"}
    assert all(set(SHOWN) <= set(entry) for entry in found.values())
    # LIF by hand: u·γ, + x, − v_th, ≥ 0, spike·v_th, u − that
    assert found["lif"]["operations"] == 6
    assert found["lif"]["bytes"] == 4 * (2 + 3)
    assert found["lif"]["backends"][:4] == ["reference", "compile", "cpu", "triton"]
    assert found["psn"]["backends"][0] == "reference"
    assert "cpu" not in found["psn"]["backends"]
    assert (found["i_lif"]["kind"], found["i_lif"]["events"], found["i_lif"]["bits"]) == ("levels", 4, 3)
    assert found["relu"]["bits"] is None
    assert [name for name, entry in found.items() if not entry["causal"]] == ["lm_ht", "psn"]


def test_the_command(suite) -> None:
    done = suite("list", "neurons", "--neurons", "kind:levels", "--json")
    assert done.returncode == 0, done.stderr
    assert {"i_lif", "mlf", "ternary", "ts_lif"} <= {entry["name"] for entry in json.loads(done.stdout)}
    assert all(entry["kind"] == "levels" for entry in json.loads(done.stdout))


def test_the_list_tells_of_cards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["list", "neurons", "--neurons", "lif"]) == 0
    assert "python -m suite cards" in capsys.readouterr().out
    (tmp_path / "build/site/models").mkdir(parents=True)
    for name in ("index", "lif"):
        (tmp_path / f"build/site/models/{name}.html").write_text("a card")
    assert main(["list", "neurons", "--neurons", "lif"]) == 0
    assert "behaviour: build/site/models/index.html" in capsys.readouterr().out
    assert [entry["card"] for entry in catalogue(["lif", "if"])] == ["build/site/models/lif.html", None]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("neurons", "--neurons", "tag:adaptiv"), "did you mean 'adaptive'"),
        (("tasks", "--neurons", "lif"), "--neurons chooses neurons, not tasks"),
    ],
)
def test_wrong_choices(suite, arguments: tuple[str, ...], message: str) -> None:
    done = suite("list", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
