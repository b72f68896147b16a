"""The table has one schema, reads older formats, refuses later ones, and says what made each row."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from suite.runs import table
from suite.runs.store import RunError, read_provenance, read_results, write_results
from tests.suite.runs.made_stores import PROVENANCE, cell, filled, lose_cells


@pytest.mark.parametrize("name", ["format.json", "results.parquet"])
def test_a_later_format_is_refused(name: str, tmp_path: Path) -> None:
    filled(tmp_path, "lif")
    if name == "format.json":
        (tmp_path / name).write_text('{"format": 99}')
    else:
        lose_cells(tmp_path)
        rows = pq.read_table(tmp_path / name)
        pq.write_table(rows.replace_schema_metadata({table.FORMAT_KEY: b"99"}), tmp_path / name)
    with pytest.raises(RunError, match="is of format 99; this version reads up to 2"):
        read_results(tmp_path)


def test_the_schema_is_always_the_same(tmp_path: Path) -> None:
    filled(tmp_path / "full", "lif")
    write_results(read_results(tmp_path / "full").iloc[:0], tmp_path)
    odd = read_results(tmp_path / "full").assign(dataset=None, network=None, layer=None, step=None)
    (tmp_path / "odd").mkdir()
    write_results(odd, tmp_path / "odd")
    paths = [tmp_path / "odd/results.parquet", tmp_path / "full/results.parquet", tmp_path / "results.parquet"]
    assert {str(pq.read_schema(path).remove_metadata()) for path in paths} == {str(table.SCHEMA)}
    assert pq.read_schema(paths[0]).field("dataset").type == pa.string()
    for ordered in (paths, paths[::-1]):
        assert pyarrow.dataset.dataset(ordered).to_table().num_rows == 2


def old_format(root: Path, provenance: dict[str, Any]) -> pd.DataFrame:
    """A directory as the first version wrote it."""
    rows = filled(root, "lif").table().drop(columns=["machine", "versions", "commit"])
    shutil.rmtree(root)
    root.mkdir()
    rows.to_parquet(root / "results.parquet", index=False)
    (root / "provenance.json").write_text(json.dumps(provenance))
    return rows


def test_an_old_table_is_read_with_a_line_that_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = old_format(tmp_path / "run", PROVENANCE)
    rows = read_results(tmp_path / "run")
    assert "is of format 1: commit, machine and versions are taken from its provenance.json" in caplog.text
    pd.testing.assert_frame_equal(rows[before.columns], before)
    assert list(rows.commit) == ["0123456789ab"]
    assert list(rows.machine) == ["Fast CPU, 2 cores, 16 GiB"]
    assert list(rows.versions) == ["python 3.11.2, torch 2.14.1, numpy 2.1.0"]


def test_rows_of_an_old_directory_keep_what_made_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    old_format(tmp_path / "run", {**PROVENANCE, "packages": {"torch": "2.9.0"}})
    filled(tmp_path / "run", "clif", provenance={"commit": "fedcba9876543210", "dirty": True})
    rows = read_results(tmp_path / "run").set_index("neuron")
    assert rows.versions.to_dict() == {
        "lif": "python 3.11.2, torch 2.9.0",
        "clif": "python 3.11.2, torch 2.14.1, numpy 2.1.0",
    }
    assert rows.commit.to_dict() == {"lif": "0123456789ab", "clif": "fedcba987654-dirty"}
    told = table.mixtures(rows.reset_index())
    assert [line.split(":")[0] for line in told] == ["rows of several versions", "rows of several commits"]
    assert told[0] == "rows of several versions: torch 2.9.0 (1 cell); torch 2.14.1 (1 cell)"


@pytest.mark.parametrize(
    ("versions", "lines"),
    [
        (["torch 2, triton 3", "torch 2, triton 3"], 0),
        (["torch 2, triton 3", "torch 2, triton 3, norse 1"], 0),
        (["torch 2, norse 1", "torch 2, norse 2"], 1),
        (["torch 2, triton 3", "torch 1, triton 2"], 2),
        (["torch 2", None], 1),
        ([None, None], 0),
    ],
)
def test_two_versions_of_one_package_are_a_mixture(versions: list[str | None], lines: int) -> None:
    rows = pd.DataFrame({"cell": ["a", "b"], "machine": "m", "commit": "c", "versions": versions})
    assert len(table.mixtures(rows)) == lines


def test_old_records_keep_what_made_them(tmp_path: Path) -> None:
    own = filled(tmp_path, "lif")
    path = tmp_path / "cells" / f"{own.key(cell('lif'))}.json"
    known = json.loads(path.read_text())
    del known["origin"], known["format"]
    path.write_text(json.dumps(known))
    (tmp_path / "format.json").unlink()
    filled(tmp_path, "clif", provenance={"commit": "fedcba9876543210"})
    rows = read_results(tmp_path).set_index("neuron")
    assert rows.commit.to_dict() == {"lif": "0123456789ab", "clif": "fedcba987654"}


def test_dirty_rows_keep_a_directory_dirty(tmp_path: Path) -> None:
    own = filled(tmp_path, "lif", provenance={"dirty": True})
    later = filled(tmp_path, "clif")
    assert read_provenance(tmp_path)["dirty"] is True
    later.write_provenance(later.table())
    assert read_provenance(tmp_path)["dirty"] is True
    clean = filled(tmp_path / "clean", "lif")
    clean.write_provenance(clean.table())
    assert read_provenance(tmp_path / "clean")["dirty"] is False
    assert own.root != clean.root


def test_rows_share_their_texts_and_are_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path, "lif", "clif", "if", "plif", "relu")
    monkeypatch.setattr(table, "ROW_GROUP", 2)
    rows = read_results(tmp_path)
    write_results(rows, tmp_path)
    assert pq.ParquetFile(tmp_path / "results.parquet").num_row_groups == 3
    again = table.read_parquet(tmp_path / "results.parquet", {})
    pd.testing.assert_frame_equal(again, rows)
    for name in ("settings", "versions", "machine", "metric"):
        assert len({id(text) for text in again[name]}) == 1, "one text, however many rows"
    assert table.statuses(tmp_path / "results.parquet") == dict.fromkeys(rows.cell, "ok")


def test_the_table_as_text_says_the_same(tmp_path: Path) -> None:
    whole = filled(tmp_path, "lif", "clif", value=1 / 3).table()
    steps = pd.array([2**53 + 1, None], dtype="Int64")
    odd = whole.assign(value=[1 / 3, float("inf")], detail=['a "quoted", text\nof two lines', ""], step=steps)
    write_results(odd, tmp_path)
    read = pd.read_csv(tmp_path / "results.csv", dtype={"step": "Int64"}, keep_default_na=False, na_values={"step": ""})
    assert list(read.columns) == list(odd.columns)
    assert list(read.value) == list(odd.value)
    assert list(read.detail) == list(odd.detail)
    assert list(read.step.dropna()) == [2**53 + 1]
    assert list(read.settings) == list(odd.settings)


def test_answers_are_told_apart_by_seed_machine_and_versions(tmp_path: Path) -> None:
    (one,) = (filled(tmp_path, "lif").table(),)
    rows = pd.concat(
        [one, one.assign(seed=1), one.assign(machine="B"), one.assign(versions=None), one.assign(value=2.0)],
        ignore_index=True,
    )
    assert table.answerers(rows).tolist() == [0, 1, 2, 3, 0]
    assert table.questions(rows).nunique() == 2
