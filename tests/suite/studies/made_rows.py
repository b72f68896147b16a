"""Rows made by hand, of eight seeds whose values scatter a little."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from suite.runs.store import COLUMNS
from suite.studies import studies
from suite.studies.page import known
from suite.studies.verdicts import Finding, judge

SEEDS = range(8)
SCATTER = (0.1, -0.1, 0.05, 0.0, -0.05, 0.2, -0.2, 0.0)


class Rows:
    """Collects rows; settings are given as keywords that are no columns."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def add(self, metric: str, value: float, scatter: float = 1.0, **where: Any) -> Rows:
        """One row a seed, of the value plus its scatter."""
        columns = {name: own for name, own in where.items() if name in COLUMNS}
        settings = {name.replace("__", "."): own for name, own in where.items() if name not in COLUMNS}
        for seed in SEEDS:
            own = {"metric": metric, "value": value + scatter * SCATTER[seed], "seed": seed, "status": "ok"}
            cell = json.dumps([columns.get("neuron"), columns.get("timesteps"), settings, seed], sort_keys=True)
            base = {"task": "accuracy", "network": "mlp8", "dataset": "digits", "cell": cell, "timesteps": 6}
            self.records.append(
                base | columns | own | {"settings": json.dumps(settings), "detail": ""} | _detail(where)
            )
        return self

    def frame(self) -> pd.DataFrame:
        """The tidy table."""
        types = dict.fromkeys(("timesteps", "seed", "step", "lag"), "Int64") | {"value": "float64"}
        return pd.DataFrame(self.records, columns=list(COLUMNS)).astype(types)


def _detail(where: dict[str, Any]) -> dict[str, Any]:
    return {"detail": where["detail"]} if "detail" in where else {}


def accuracy(rows: Rows, value: float, scatter: float = 1.0, **where: Any) -> None:
    """All three readings of a test accuracy; each seed's scatter turns with the value, so that differences scatter."""
    for metric in ("accuracy_final", "accuracy_selected", "accuracy_paper_style", "accuracy_validation_best"):
        rows.add(metric, value, scatter, **where)


def findings(study: str, rows: pd.DataFrame) -> dict[str, Finding]:
    own = studies()[study]
    return {f.claim.id: f for f in judge([(known(own, name), found) for name, found in own.evidence(rows).items()])}


def exchanged(rows: pd.DataFrame, column: str, first: object, second: object) -> pd.DataFrame:
    """The rows with two entries of a column exchanged."""
    return rows.assign(**{column: rows[column].map(lambda value: {first: second, second: first}.get(value, value))})
