"""What a terminal says after a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.publish import terminal
from suite.runs import groups


@pytest.mark.parametrize(("own", "like"), [("run", "quick"), ("onm", "rivals"), ("packages", None)])
def test_a_run_is_compared_with_a_published_one_of_its_kind(
    own: str, like: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "PUBLISHED", tmp_path / "published")
    for name, group in (("another", "run"), ("quick", "run"), ("rivals", "onm")):
        groups.remember(tmp_path / "published" / name, {group: ["key"]})
        (tmp_path / "published" / name / "results.parquet").touch()
    groups.remember(tmp_path / "mine", {own: ["key"]})
    lines = [line for line in terminal._next_steps(tmp_path / "mine", tmp_path / "page") if line.startswith("compare")]
    assert [f"/published/{like} " in line for line in lines] == ([True] if like else [])
