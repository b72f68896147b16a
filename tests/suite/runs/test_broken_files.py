"""A broken file of a run directory is named and set aside, and costs nothing that was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from suite.runs.store import RunError, read_plan, read_provenance, read_results
from tests.suite.runs.made_stores import answer, cell, filled, measured_neurons


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
