"""Whoever looks at a published run, at whatever moment, finds the old one or the new one whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suite.publish import local, publish
from suite.runs import folders
from suite.runs.store import RunError, read_results
from tests.suite.made_runs import make_run, tree, with_report
from tests.suite.report.handmade import accuracy

STEPS = (
    *((os, name) for name in ("mkdir", "open", "rename", "replace", "rmdir", "unlink", "scandir", "fsync", "listdir")),
    *((shutil, name) for name in ("copyfile", "copy2", "copytree", "rmtree")),
    (folders, "_exchange"),
)
"""Calls that a publication makes; each is a moment at which its process may die."""


class Killed(BaseException):
    """Stands for a process that is gone: no handler of OSError or Exception sees it."""


def dying(monkeypatch: pytest.MonkeyPatch, at: int, after: bool) -> list[int]:
    """Let the call number `at` of STEPS raise, and all later ones; returns the counter of calls."""
    calls = [0]

    def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            calls[0] += 1
            if calls[0] > at or (calls[0] == at and not after):
                raise Killed
            result = original(*arguments, **keywords)
            if calls[0] == at:
                calls[0] = at + 1
                raise Killed
            return result

        return call

    for module, name in STEPS:
        monkeypatch.setattr(module, name, wrapped(getattr(module, name)))
    return calls


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    old = with_report(make_run(tmp_path / "run", accuracy("lif", "digits", [97.0])))
    root = tmp_path / "published"
    publish(old, "run", False, root)
    shutil.rmtree(old)
    return with_report(make_run(tmp_path / "run", accuracy("lif", "digits", [97.5, 98.0]))), root


@pytest.mark.slow
@pytest.mark.parametrize(("system", "after"), [("exchange", False), ("exchange", True), ("two renames", True)])
def test_killed_at_every_step_the_old_or_the_new_run_is_whole(
    system: str, after: bool, runs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a system that can exchange two folders in one step, and on one that cannot."""
    if system == "two renames":
        monkeypatch.setattr(folders, "_exchange", lambda first, second: False)
    new, root = runs
    old_files = tree(root / "run")
    publish(new, "run", False, tmp_path / "undisturbed")
    new_files = tree(tmp_path / "undisturbed" / "run")
    shutil.copytree(root, tmp_path / "before")
    moments = 0
    for at in range(1, 1000):
        shutil.rmtree(root)
        shutil.copytree(tmp_path / "before", root)
        with pytest.MonkeyPatch.context() as patch:
            calls = dying(patch, at, after)
            try:
                publish(new, "run", False, root)
            except (Killed, RunError):
                moments += 1
        if calls[0] < at:
            break
        found = tree(root / "run") if (root / "run").exists() else tree(root / ".run.old")
        assert found in (old_files, new_files), f"step {at}: {sorted(found)}"
        if system == "exchange":
            assert (root / "run").exists()
        publish(new, "run", False, root)  # the next call finds and finishes whatever was left
        assert tree(root / "run") == new_files
        assert not [path.name for path in root.iterdir() if path.name.startswith(".")]
    assert moments > 10


def test_a_full_disk_leaves_the_old_run_and_no_half_of_the_new(
    runs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    new, root = runs
    before = tree(root)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(RunError, match="No space left on device"):
        publish(new, "run", False, root)
    assert tree(root) == before


def test_a_run_that_changes_meanwhile_does_not_take_the_place(
    runs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    new, root = runs
    before, copyfile = tree(root), shutil.copyfile

    def changing(source: Path, place: Path) -> None:
        copyfile(source, place)
        (new / "results.parquet").write_bytes(before["run/results.parquet"])

    monkeypatch.setattr(shutil, "copyfile", changing)
    with pytest.raises(RunError, match="changed while it was published"):
        publish(new, "run", False, root)
    assert tree(root) == before


def test_a_copy_that_lacks_rows_does_not_take_the_place(
    runs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    new, root = runs
    before = tree(root)
    monkeypatch.setattr(local, "write_parquet", lambda rows, place: place.write_bytes(before["run/results.parquet"]))
    with pytest.raises(RunError, match="changed while it was published"):
        publish(new, "run", False, root)
    assert tree(root) == before


def test_leftovers_of_a_killed_publish_are_no_run(runs: tuple[Path, Path]) -> None:
    new, root = runs
    shutil.copytree(root / "run", root / ".run.new")
    shutil.copytree(root / "run", root / ".else.new")
    publish(new, "other", False, root)
    assert ".run.new" not in (root / "README.md").read_text()
    publish(new, "run", False, root)
    assert not (root / ".run.new").exists()
    assert read_results(root / "run").value.tolist() == [97.5, 98.0]
