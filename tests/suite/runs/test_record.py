"""Only numbers are stored; one that is not finite is a status."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from suite.runs.record import InvalidValueOfTask, Result, measured
from suite.runs.store import Store
from suite.runs.table import statuses
from tasks import Value
from tests.suite.runs.made_stores import PROVENANCE, cell


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


def test_the_curve_of_a_cell_that_was_cut_off_stands_beside_its_cause(tmp_path: Path) -> None:
    """Its rows have its status and cause, so that none is taken for a result; the cell is run again."""
    own = Store(tmp_path, PROVENANCE)
    own.begin([cell()])
    curve = [Value("test_accuracy", 50.0, step=1), Value("test_accuracy", 60.0, step=2)]
    own.save(cell(), Result("timeout", curve, detail="late"))
    found = own.write_table()
    assert found.metric.isna().to_list() == [True, False, False]
    assert found.value.to_list()[1:] == [50.0, 60.0]
    assert set(zip(found.status, found.detail, strict=True)) == {("timeout", "late")}
    assert statuses(tmp_path / "results.parquet") == {found.cell[0]: "timeout"}
    assert not own.finished(cell())
    own.save(cell(), measured([Value("accuracy_selected", 70.0)], 1.0))
    assert own.write_table().metric.to_list() == ["accuracy_selected"], "a result takes its place"


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
