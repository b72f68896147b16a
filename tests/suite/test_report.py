"""Statistics and tables from rows with known answers."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from suite.report.table import Entry, Table
from suite.report.tables import accuracy
from suite.statistics import Estimate
from suite.store import COLUMNS


def rows(*cells: tuple[str, str, int, float | None]) -> pd.DataFrame:
    """(neuron, data set, seed, accuracy; None for a failed cell)."""
    records = [
        {
            **dict.fromkeys(COLUMNS),
            **{"task": "accuracy", "neuron": neuron, "dataset": dataset, "seed": seed, "backend": "reference"},
            **{"status": "ok" if value is not None else "failed", "value": value, "cell": f"{neuron}{dataset}{seed}"},
            **{"metric": "accuracy_selected" if value is not None else None, "detail": ""},
        }
        for neuron, dataset, seed, value in cells
    ]
    return pd.DataFrame(records)


def test_interval_is_students() -> None:
    # 1, 2, 3: mean 2, standard error 1/√3, t(0.975, 2) = 4.302653
    estimate = Estimate.of([1, 2, 3])
    assert (estimate.mean, estimate.count) == (2, 3)
    assert estimate.half_width == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert math.isnan(Estimate.of([5]).half_width)


def test_best_is_bold_and_a_failed_cell_is_marked() -> None:
    table = accuracy(
        rows(
            ("lif", "digits", 0, 90.0),
            ("lif", "digits", 1, 92.0),
            ("clif", "digits", 0, 95.0),
            ("bad", "digits", 0, None),
        ),
        *("accuracy_selected", "accuracy", "Accuracy."),
    )
    entries = {name: row[0] for name, row in table.rows}
    assert entries["lif"].text.startswith("91.0 ± 12.7")
    assert entries["clif"] == Entry("95.0", entries["clif"].estimate, best=True)
    assert entries["bad"].text == "—"
    assert table.footnotes


def test_formats() -> None:
    table = Table("t", "A & B.", "C_1", ["neuron", "x (%)"], [("lif", [Entry("1 ± 2", Estimate(1, 2, 3), best=True)])])
    assert "| lif | **1 ± 2** |" in table.markdown()
    assert r"lif & \textbf{1 $\pm$ 2} \\" in table.latex()
    assert r"A \& B. C\_1" in table.latex()
    assert "lif,x (%),1,2,3,1 ± 2" in table.csv()
    assert "<td><strong>1 ± 2</strong></td>" in table.html()
