"""A run directory never loses a measured row, names what is broken in it, and says what made each row."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
import torch

from suite.runs import cell_key, store, table
from suite.runs.files import write_atomically
from suite.runs.record import InvalidValueOfTask, Result, measured
from suite.runs.store import RunError, Store, read_plan, read_provenance, read_results, write_results
from tasks import Cell, Value

PROVENANCE = {
    "date": "2026-01-01T00:00:00.000+00:00",
    "command": ["python", "-m", "suite", "run"],
    "commit": "0123456789abcdef",
    "dirty": False,
    "python": "3.11.2",
    "packages": {"torch": "2.14.1", "numpy": "2.1.0", "triton": None, "norse": "1.1"},
    "machine": {"cpu": "Fast CPU", "cores": 2, "memory_gib": 16},
}


def cell(neuron: str = "lif", task: str = "accuracy", **settings: Any) -> Cell:
    return Cell(task, neuron, "cpu", 0, {"dataset": "digits", **settings})


def answer(value: float = 1.0, metric: str = "accuracy_selected") -> Result:
    return measured([Value(metric, value)], seconds=1.0)


def filled(root: Path, *neurons: str, provenance: dict[str, Any] | None = None, value: float = 1.0) -> Store:
    """A run directory with one measured cell a neuron."""
    own = Store(root, {**PROVENANCE, **(provenance or {})})
    own.begin([cell(name) for name in neurons])
    own.write_provenance()
    for name in neurons:
        own.save(cell(name), answer(value))
    own.write_table()
    return own


def measured_neurons(root: Path) -> list[str]:
    rows = read_results(root)
    return sorted(rows[rows.status == "ok"].neuron)


def lose_cells(root: Path) -> None:
    shutil.rmtree(root / "cells")


def lose_plan(root: Path) -> None:
    (root / "plan.json").unlink()


def lose_table(root: Path) -> None:
    (root / "results.parquet").unlink()
    (root / "results.csv").unlink()


def publish(root: Path) -> None:
    lose_cells(root)
    lose_plan(root)


def break_plan(root: Path) -> None:
    (root / "plan.json").write_text("{")


def break_a_cell(root: Path) -> None:
    next((root / "cells").glob("*.json")).write_text('{"cell": ')


@pytest.mark.parametrize(
    "harm", [lose_cells, lose_plan, lose_table, publish, break_plan, break_a_cell], ids=lambda harm: harm.__name__
)
def test_what_was_measured_stays_and_new_rows_come_beside_it(harm: Callable[[Path], None], tmp_path: Path) -> None:
    filled(tmp_path / "run", "lif", "plif")
    harm(tmp_path / "run")
    assert measured_neurons(tmp_path / "run") == ["lif", "plif"]
    filled(tmp_path / "run", "clif")
    assert measured_neurons(tmp_path / "run") == ["clif", "lif", "plif"]
    assert sorted(pd.read_csv(tmp_path / "run/results.csv").neuron) == ["clif", "lif", "plif"]


def test_a_killed_first_run_can_be_reported(tmp_path: Path) -> None:
    own = Store(tmp_path, PROVENANCE)
    own.begin([cell("lif"), cell("clif")])
    own.save(cell("lif"), answer())
    assert measured_neurons(tmp_path) == ["lif"]
    assert not (tmp_path / "results.parquet").exists(), "reading writes nothing"


def test_cells_that_a_killed_later_run_left_are_in_the_table(tmp_path: Path) -> None:
    filled(tmp_path, "lif")
    later = Store(tmp_path, PROVENANCE)
    later.begin([cell("clif")])
    later.save(cell("clif"), answer())
    assert measured_neurons(tmp_path) == ["clif", "lif"]


def test_newer_code_answers_a_question_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path, "lif", value=1.0)
    monkeypatch.setattr(cell_key, "versions", lambda: {"torch": "another"})
    newer = Store(tmp_path, PROVENANCE)
    newer.begin([cell("lif")])
    assert len(read_plan(tmp_path)) == 1
    assert list(newer.table().value) == [1.0], "the old answer stands until there is a new one"
    newer.save(cell("lif"), Result("failed", detail="broken by the new code"))
    assert sorted(newer.table().status) == ["failed", "ok"]
    newer.save(cell("lif"), answer(2.0))
    assert list(newer.table().value) == [2.0]
    (tmp_path / "plan.json").unlink()
    assert list(newer.table().value) in ([1.0], [2.0]), "of equal dates either counts, but one alone"


def test_a_later_date_counts_where_no_plan_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for torch_version, date, value in (("b", "2026-03-01", 3.0), ("a", "2026-02-01", 2.0)):
        monkeypatch.setattr(cell_key, "versions", lambda text=torch_version: {"torch": text})
        filled(tmp_path, "lif", provenance={"date": date}, value=value)
    (tmp_path / "plan.json").unlink()
    (tmp_path / "results.parquet").unlink()
    assert list(read_results(tmp_path).value) == [3.0]


@pytest.mark.parametrize("task", ["throughput", "accuracy"])
def test_answers_of_two_machines_are_two(task: str, tmp_path: Path) -> None:
    for cpu in ("Fast CPU", "Slow CPU"):
        own = Store(tmp_path, {**PROVENANCE, "machine": {"cpu": cpu, "cores": 2, "memory_gib": 16}})
        own.keys[cell_key.identity(cell(task=task))] = cpu.replace(" ", "")
        own.begin([cell(task=task)])
        own.save(cell(task=task), answer())
    assert len(own.table()) == 2


def test_equal_settings_are_one_cell(tmp_path: Path) -> None:
    alike = [cell(**{"neuron.tau": 2}), cell(**{"neuron.tau": 2.0}), cell(**{"neuron.tau": 2, "width": None})]
    assert len({cell_key.identity(own) for own in alike}) == 1
    assert len({cell_key.key(own) for own in alike}) == 1
    assert cell_key.identity(cell(flag=True)) != cell_key.identity(cell(flag=1)), "a truth value is no number"


@pytest.mark.parametrize(
    "harm", ["truncate", "empty", "binary", "{}", "[]", "null", "folder", "status", "value", "cell"]
)
def test_a_broken_cell_is_set_aside_and_measured_again(
    harm: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = filled(tmp_path, "lif", "clif")
    path = tmp_path / "cells" / f"{own.key(cell('lif'))}.json"
    whole = path.read_text()
    known = json.loads(whole)
    if harm == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(
            {
                "truncate": whole[:50].encode(),
                "empty": b"",
                "binary": bytes(range(256)),
                "status": json.dumps({**known, "status": "fine"}).encode(),
                "value": json.dumps({**known, "values": [{"metric": "m", "value": "much"}]}).encode(),
                "cell": json.dumps({**known, "cell": {**known["cell"], "neuron": "plif"}}).encode(),
            }.get(harm, harm.encode())
        )
    assert not own.finished(cell("lif"))
    assert own.finished(cell("clif"))
    assert f"{path} is broken" in caplog.text
    assert path.with_name(f"{path.name}.broken").exists()
    own.save(cell("lif"), answer())
    assert own.finished(cell("lif"))
    assert sorted(own.table().neuron) == ["clif", "lif"]


@pytest.mark.parametrize("name", ["plan.json", "provenance.json", "results.parquet"])
@pytest.mark.parametrize("content", ["", "{", "[1]", '"text"', '{"a": 1}', '{"commands": 3}'])
def test_a_broken_file_of_the_directory_is_set_aside(
    name: str, content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    filled(tmp_path, "lif")
    (tmp_path / name).write_text(content)
    if (name, content) == ("provenance.json", '{"a": 1}'):
        assert read_provenance(tmp_path) == {"a": 1}, "one that says little is not broken"
        return
    read_plan(tmp_path), read_provenance(tmp_path)
    assert measured_neurons(tmp_path) == ["lif"]
    if (name, content) != ("provenance.json", '{"commands": 3}') and name != "provenance.json":
        assert f"{tmp_path / name} is broken" in caplog.text
    filled(tmp_path, "clif")
    assert measured_neurons(tmp_path) == ["clif", "lif"]


def test_several_broken_files_of_one_name_are_all_kept(tmp_path: Path) -> None:
    for text in ("one", "two"):
        (tmp_path / "plan.json").write_text(text)
        assert read_plan(tmp_path) == {}
    assert {path.read_text() for path in tmp_path.glob("*.broken")} == {"one", "two"}


def test_a_table_that_is_broken_with_no_cells_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "results.parquet").write_text("nothing")
    with pytest.raises(RunError, match=r"no results\.parquet"):
        read_results(tmp_path)


def test_another_table_is_refused_by_name(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "results.parquet")
    with pytest.raises(RunError, match="has no column run"):
        read_results(tmp_path)


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


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), np.float32("nan")])
def test_a_value_that_is_not_finite_is_a_status_and_valid_json(value: float, tmp_path: Path) -> None:
    own = Store(tmp_path, PROVENANCE)
    own.begin([cell()])
    own.save(cell(), measured([Value("loss", value), Value("accuracy", 0.5)], 1.0))
    text = next((tmp_path / "cells").glob("*.json")).read_text()

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    assert json.loads(text, parse_constant=refuse)["status"] == "nonfinite"
    rows = own.write_table()
    assert rows.status.to_list() == ["nonfinite", "ok"]
    assert f"loss is {float(value)}" in rows.detail[0]
    assert str(rows.value[0]) == str(float(value))
    assert not own.finished(cell())


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (Value("m", "0.5"), "m is '0.5', a str; a number is wanted"),  # type: ignore[arg-type]
        (Value("m", torch.ones(1)), r"m is tensor\(\[1.\]\), a Tensor; a number is wanted"),  # type: ignore[arg-type]
        (Value("m", None), "m is None, a NoneType"),  # type: ignore[arg-type]
        (Value("m", lambda: 1), "a function; a number is wanted"),  # type: ignore[arg-type]
        (Value("m", 1.0, step=0.5), "step of m is 0.5; a whole number is wanted"),  # type: ignore[arg-type]
        (Value("m", 1.0, layer=3), "layer of m is 3; a text is wanted"),  # type: ignore[arg-type]
        (1.0, "the task yielded a float"),
    ],
)
def test_what_is_no_number_is_refused_by_name(value: Value, cause: str) -> None:
    with pytest.raises(InvalidValueOfTask, match=cause):
        measured([value], 1.0)


def test_numbers_of_numpy_are_numbers() -> None:
    found = measured([Value("m", np.float32(0.5), step=np.int64(3))], 1.0)  # type: ignore[arg-type]
    assert (found.values[0].value, found.values[0].step) == (0.5, 3)
    json.dumps(vars(found.values[0]))


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
