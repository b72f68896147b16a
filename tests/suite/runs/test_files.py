"""Files are written whole or not at all, as the umask says, by one run at a time, and what fails is named."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from suite.runs import store
from suite.runs.files import write_atomically
from suite.runs.store import RunError, Store
from tests.suite.runs.made_stores import PROVENANCE, answer, cell, filled


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_have_the_modes_of_the_umask(umask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        filled(tmp_path, "lif")
    finally:
        os.umask(before)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {mode}
    assert {path.name for path in files} >= {"plan.json", "provenance.json", "results.parquet", "results.csv"}


def test_a_second_run_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    first, second = Store(tmp_path, PROVENANCE), Store(tmp_path, PROVENANCE)
    with first.locked():
        with pytest.raises(RunError, match=rf"is in use by process {os.getpid()} on .*\(python -m suite run\)"):
            second.locked().__enter__()
        assert (tmp_path / ".holder.json").exists()
    with second.locked():
        pass
    assert not (tmp_path / ".holder.json").exists()


@pytest.mark.parametrize("place", ["/dev/null", "/proc/run", "file", "file/below"])
def test_a_directory_that_cannot_be_is_one_line(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError) as caught:
        Store(tmp_path / place).locked().__enter__()
    assert len(str(caught.value).splitlines()) == 1


def test_a_failed_write_leaves_nothing_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Store(tmp_path, PROVENANCE)
    own.begin([cell()])
    before = sorted(tmp_path.rglob("*"))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(store.StorageError, match=r"cannot write .*\.json: No space left on device; .* free"):
            own.save(cell(), answer())
        assert own.save_unsaved() == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert own.save_unsaved() == 0
    assert own.finished(cell())


def test_a_folder_that_was_moved_is_named(tmp_path: Path) -> None:
    own = Store(tmp_path / "run", PROVENANCE)
    own.begin([cell()])
    (tmp_path / "run").rename(tmp_path / "moved")
    with pytest.raises(store.StorageError, match="its folder is gone"):
        own.save(cell(), answer())
    assert not (tmp_path / "run").exists()
    (tmp_path / "moved").rename(tmp_path / "run")
    assert own.save_unsaved() == 0


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "report").touch()
    with pytest.raises(store.StorageError, match=r"cannot write .*page: a file stands where a folder belongs"):
        write_atomically(tmp_path / "report" / "page", "text")


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    filled(tmp_path, "lif")
    for folder in (tmp_path, tmp_path / "cells"):
        (folder / ".something.tmp").touch()
    Store(tmp_path, PROVENANCE).begin([])
    assert not list(tmp_path.rglob(".*.tmp"))


def test_a_text_is_written_in_utf_8(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", "τ")
    assert (tmp_path / "a").read_bytes() == "τ".encode()
