"""What a run says of its cells while they are at work."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from suite.runs import display
from suite.runs.display import Display
from tasks import Cell

TRAINED = "a warning\nepoch 1 of 3: loss 2.0, 90 samples/s, about 0:20 left\nanother\n"


def shown(tmp_path: Path, terminal: bool) -> tuple[Display, Cell]:
    cell = Cell("accuracy", "lif", "cpu", 0, {"dataset": "digits"})
    (tmp_path / "lif.log").write_text(TRAINED)
    console = Console(file=io.StringIO(), force_terminal=terminal, width=200)
    own = Display([cell], 0, console, log=lambda asked: tmp_path / f"{asked.neuron}.log")
    own.started([cell])
    return own, cell


def said(own: Display) -> str:
    return own.console.file.getvalue()  # type: ignore[attr-defined]


def test_a_long_silence_ends_with_the_pace_of_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, _ = shown(tmp_path, terminal=False)
    own.look()
    assert said(own) == ""
    own.last_plain -= display.SILENCE
    own.look()
    own.look()
    lines = said(own).splitlines()
    assert lines[0].startswith("0/1 cells")
    pace = "epoch 1 of 3: loss 2.0, 90 samples/s, about 0:20 left"
    assert lines[1:] == [f"  running accuracy lif cpu digits seed 0: {pace}"]


def test_a_terminal_shows_the_pace_all_the_time(tmp_path: Path) -> None:
    own, _ = shown(tmp_path, terminal=True)
    own.last_plain -= display.SILENCE
    own.look()
    assert said(own) == ""
    own.console.print(own._render())
    assert "seed 0: epoch 1 of 3: loss 2.0, 90 samples/s, about 0:20 left" in said(own)
    (tmp_path / "lif.log").unlink()
    own.console.print(own._render())
    assert said(own).splitlines()[-1].count("epoch") == 0
