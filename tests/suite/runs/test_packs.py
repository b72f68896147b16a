"""Cells of a large run are packed: every reader finds each once, the latest, and a crash at any moment loses none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from suite.runs import cell_files, packs
from suite.runs.files import StorageError, os
from suite.runs.merge import merge
from suite.runs.record import Result
from suite.runs.store import Store, read_results
from tasks import Cell, Value
from tests.suite.runs.made_stores import PROVENANCE, answer

MOST = 5


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_files, "MOST_FILES", MOST)


def cells(count: int) -> list[Cell]:
    return [Cell("accuracy", "lif", "cpu", seed, {"dataset": "digits"}) for seed in range(count)]


def begun(root: Path, count: int) -> Store:
    own = Store(root, PROVENANCE)
    own.begin(cells(count))
    return own


def fill(root: Path, count: int) -> Store:
    own = begun(root, count)
    for cell in cells(count):
        own.save(cell, answer(float(cell.seed)))
    return own


def values(root: Path) -> list[float]:
    return sorted(read_results(root).value)


def loose(root: Path) -> int:
    return len(list((root / "cells").glob("*.json")))


def test_many_cells_are_few_files_and_the_same_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = fill(tmp_path / "run", 20).write_table()
    assert loose(tmp_path / "run") <= MOST
    assert len(list((tmp_path / "run/cells").iterdir())) < 10
    monkeypatch.setattr(cell_files, "MOST_FILES", 1000)
    alone = fill(tmp_path / "other" / "run", 20).write_table()
    assert loose(tmp_path / "other" / "run") == 20
    pd.testing.assert_frame_equal(packed, alone)
    for root in (tmp_path / "run", tmp_path / "other/run"):
        (root / "results.parquet").unlink()
    pd.testing.assert_frame_equal(read_results(tmp_path / "run"), read_results(tmp_path / "other/run"))


def test_a_later_run_reuses_what_is_packed_and_measures_the_rest(tmp_path: Path) -> None:
    fill(tmp_path, 13)
    later = begun(tmp_path, 15)
    outcomes = later.outcomes(cells(15))
    assert [outcome is not None and outcome.finished for outcome in outcomes] == [True] * 13 + [False] * 2
    assert [later.finished(cell) for cell in cells(15)] == [True] * 13 + [False] * 2
    result = later.load(cells(1)[0])
    assert result is not None
    assert [value.value for value in result.values] == [0.0]


def test_a_later_result_takes_the_place_of_a_packed_one(tmp_path: Path) -> None:
    own = fill(tmp_path, 12)
    own.save(cells(1)[0], answer(99.0))
    assert values(tmp_path) == sorted([99.0, *map(float, range(1, 12))])
    for cell in cells(12)[1:7]:
        own.save(cell, answer(100.0 + cell.seed))
    assert len(packs.packs(tmp_path / "cells")) >= 3
    assert values(tmp_path) == sorted([99.0, *(100.0 + seed for seed in range(1, 7)), *map(float, range(7, 12))])


def test_a_failure_after_a_packed_measurement_keeps_both(tmp_path: Path) -> None:
    own = fill(tmp_path, 12)
    for cell in cells(12):
        own.save(cell, Result("failed", detail="broken by the new code"))
    rows = own.table()
    assert sorted(rows.value.dropna()) == list(map(float, range(12)))
    assert (rows.status == "failed").sum() == 12
    assert not any(own.finished(cell) for cell in cells(12))


class Crash(Exception):
    pass


@pytest.mark.parametrize("step", ["before the pack", "in the pack", "before removing", "while removing"])
def test_a_crash_while_packing_loses_nothing_and_doubles_nothing(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[Path] = []
    whole = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".json" and path.parent.name == "cells":
            removed.append(path)
            if len(removed) > (0 if step == "before removing" else 2):
                raise Crash
        whole(path, missing_ok)

    def crash(*_: object) -> Iterator[packs.Row]:
        raise Crash

    with monkeypatch.context() as patch:
        if step == "before the pack":
            patch.setattr(packs, "write", crash)
        elif step == "in the pack":
            patch.setattr(packs, "_as_table", crash)
        else:
            patch.setattr(Path, "unlink", unlink)
        with pytest.raises(Crash):
            fill(tmp_path, 20)
    saved = MOST + 1
    assert values(tmp_path) == list(map(float, range(saved)))
    resumed = begun(tmp_path, 20)
    assert [resumed.finished(cell) for cell in cells(20)] == [True] * saved + [False] * (20 - saved)
    for cell in cells(20)[saved:]:
        resumed.save(cell, answer(float(cell.seed)))
    assert values(tmp_path) == list(map(float, range(20)))
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_disk_without_room_for_a_pack_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = os.fsync

    def fsync(descriptor: int) -> None:
        if "packed" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(28, "No space left on device")
        whole(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    fill(tmp_path, 12)
    assert loose(tmp_path) == 12
    assert "cells remain files of their own: cannot write" in caplog.text
    assert values(tmp_path) == list(map(float, range(12)))


@pytest.mark.parametrize("harm", ["truncate", "empty", "text", "another"])
def test_a_broken_pack_is_set_aside_and_its_cells_are_measured_again(
    harm: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path, 12).write_table()
    first, second = packs.packs(tmp_path / "cells")
    lost = {key for key, _ in packs.read_outcomes(first)}
    content = first.read_bytes()
    if harm == "another":
        pd.DataFrame({"a": [1]}).to_parquet(first)
    else:
        first.write_bytes({"truncate": content[:100], "empty": b"", "text": b"nothing"}[harm])
    own = begun(tmp_path, 12)
    again = [cell for cell, outcome in zip(cells(12), own.outcomes(cells(12)), strict=True) if outcome is None]
    assert {own.key(cell) for cell in again} == lost
    assert f"{first} is broken" in caplog.text
    assert second.exists()
    assert first.with_name(f"{first.name}.broken").exists()
    assert values(tmp_path) == list(map(float, range(12))), "the rows of the table stay"


def test_a_changed_byte_of_a_pack_is_not_taken_for_a_result(tmp_path: Path) -> None:
    fill(tmp_path, 6)
    (pack,) = packs.packs(tmp_path / "cells")
    whole = pack.read_bytes()
    for place in range(4, len(whole), len(whole) // 20):
        pack.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        own = Store(tmp_path, PROVENANCE)
        found = {own.key(cell): own.load(cell) for cell in cells(6)}
        told = {key: result.values[0].value for key, result in found.items() if result is not None}
        assert told.items() <= {own.key(cell): float(cell.seed) for cell in cells(6)}.items()


def test_packed_runs_merge_with_others(tmp_path: Path) -> None:
    fill(tmp_path / "packed", 12)
    other = Store(tmp_path / "loose", PROVENANCE)
    more = Cell("accuracy", "clif", "cpu", 0, {"dataset": "digits"})
    other.begin([more])
    other.save(more, answer(50.0))
    assert merge([tmp_path / "packed", tmp_path / "loose"], tmp_path / "both") == (13, 0)
    assert values(tmp_path / "both") == sorted([50.0, *map(float, range(12))])


def test_the_table_of_a_packed_run_is_enough(tmp_path: Path) -> None:
    fill(tmp_path, 12).write_table()
    shutil.rmtree(tmp_path / "cells")
    assert values(tmp_path) == list(map(float, range(12)))


def test_a_store_that_cannot_be_written_keeps_what_was_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = fill(tmp_path, 12)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError):
            own.save(cells(13)[12], answer(12.0))
    assert own.save_unsaved() == 0
    assert values(tmp_path) == list(map(float, range(13)))


def test_values_of_a_large_record_pass_through_a_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "ROW_GROUP_BYTES", 2000)
    own = begun(tmp_path, 6)
    for cell in cells(6):
        own.save(cell, Result("ok", [Value("loss", float(step), step=step) for step in range(40)]))
    assert len(packs.packs(tmp_path / "cells")) == 1
    assert len(read_results(tmp_path)) == 240
