"""Names for what was measured: the data set, and those settings that differ between the cells of a run."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

COLUMNS = ["network", "protocol", "timesteps"]
SHOWN_ELSEWHERE = {"progress"}
"""Settings that tables and plots have a place of their own for."""


def name_conditions(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with `dataset` extended by the settings in which cells of one task and data set differ.

    So that a run directory that holds two settings never averages over them.
    """
    named = rows[rows.dataset.notna()]
    if named.empty:
        return rows
    keys = ["task", "dataset", "settings", *COLUMNS]
    asked = named[keys].drop_duplicates()
    labels = {tuple(entry): label for _, own in asked.groupby(["task", "dataset"]) for entry, label in _labels(own)}
    dataset = rows.dataset.copy()
    dataset[named.index] = [labels[tuple(entry)] for entry in named[keys].astype(object).fillna("").to_numpy().tolist()]
    return rows.assign(dataset=dataset)


def _labels(asked: pd.DataFrame) -> list[tuple[list[Any], str]]:
    """Each distinct question of one task and data set, with its label."""
    entries = asked.astype(object).fillna("").to_numpy().tolist()
    facts = [{**dict(zip(COLUMNS, entry[3:], strict=True)), **json.loads(entry[2])} for entry in entries]
    names = {name for own in facts for name in own} - SHOWN_ELSEWHERE
    varying = sorted(name for name in names if len({repr(own.get(name)) for own in facts}) > 1)
    return [
        (entry, ", ".join([str(entry[1]), *(f"{name}={own[name]}" for name in varying if own.get(name) is not None)]))
        for entry, own in zip(entries, facts, strict=True)
    ]
