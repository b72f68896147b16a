"""`--dry-run`: what would be measured, what of it is stored, and that nothing is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.cli import main
from suite.runs import machine
from suite.runs.plan import Request, make
from suite.runs.record import Result
from suite.runs.store import Store
from tasks import Value

ASKED = ["--profile", "smoke", "--tasks", "accuracy", "--datasets", "digits", "--neurons", "lif,clif", "--seeds", "3"]


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments, "--dry-run"]) == 0
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "usable_cores", lambda: 2)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_is_run_or_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    text = said(capsys, "run", *ASKED, "--out", str(out))
    assert not out.exists()
    row = next(line for line in text.splitlines() if "accuracy" in line)
    assert [cell.strip() for cell in row.strip("│ ").split("│")][:6] == ["accuracy", "digits", "4", "3", "6", "0"]
    assert "Same for all: neurons lif, clif; backend cpu; device cpu." in text
    assert "6 cells; about 0:0" in text
    assert text.rstrip().endswith("Nothing was run.")


def test_what_is_stored_is_told_and_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of six cells one ended ok and one failed, which is run again."""
    out = tmp_path / "run"
    cells = make(Request(profile="smoke", tasks=["accuracy"], datasets=["digits"], neurons=["lif", "clif"], seeds=3))
    store = Store(out, {"command": [], "date": "now"})
    with store.locked():
        store.begin(cells)
        store.save(cells[0], Result("ok", [Value("accuracy_final", 1.0)], seconds=2.0))
        store.save(cells[1], Result("failed", detail="a fault"))
    before = contents(out)
    text = said(capsys, "run", *ASKED, "--out", str(out))
    assert f"6 cells, 1 of them stored in {out}; about 0:05 on 2 cores" in text, "five of 2 s each, two at a time"
    assert contents(out) == before


def test_sequences_have_steps_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "run", "--tasks", "accuracy", "--datasets", "mnist5k_rows", "--seeds", "1")
    assert "│ its own │" in text


def test_missing_files_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "run", "--tasks", "accuracy", "--datasets", "cifar10", "--data-dir", str(tmp_path))
    assert f"unavailable: data set cifar10: {tmp_path}/cifar10 has no" in text


def test_trials_come_first_and_then_the_best(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "run", *ASKED, "--tune", "4")
    assert "14 cells; about" in text, "2 neurons x (3 seeds + 4 trials)"
    assert ", then at most 6 more with the best settings." in text


@pytest.mark.parametrize("command", [["study", "firing_rate"], ["packages"]], ids=str)
def test_studies_and_packages_have_it_too(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, *command, "--profile", "smoke").rstrip().endswith("Nothing was run.")


def test_a_wrong_name_is_refused_as_ever(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--neurons", "life", "--dry-run"]) == 2
    assert "unknown neuron 'life'" in capsys.readouterr().err
