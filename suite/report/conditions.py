"""Names for what was measured: the data set, and those settings that differ between the cells of a run."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

ASKED = ["settings", "network", "protocol", "timesteps"]
SHOWN_ELSEWHERE = {"progress"}
"""Settings that tables and plots have a place of their own for."""

Question = tuple[Any, ...]
"""The values of the columns `ASKED`."""


def name_conditions(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with `dataset` extended by the settings in which cells of one task and data set differ.

    So that a run directory that holds two settings never averages over them.
    """
    dataset = rows.dataset.copy()
    distinct = rows[["task", "dataset", *ASKED]].drop_duplicates().dropna(subset=["dataset"])
    for (task, name), asked in distinct.groupby(["task", "dataset"]):
        labels = _labels(str(name), _questions(asked))
        if any(label != name for label in labels.values()):
            own = (rows.task == task) & (rows.dataset == name)
            dataset[own] = [labels[question] for question in _questions(rows[own])]
    return rows.assign(dataset=dataset)


def _questions(rows: pd.DataFrame) -> list[Question]:
    plain = rows[ASKED].astype(object)
    return list(plain.where(plain.notna(), None).itertuples(index=False, name=None))


def _labels(dataset: str, questions: list[Question]) -> dict[Question, str]:
    facts = {
        question: {**dict(zip(ASKED[1:], question[1:], strict=True)), **json.loads(question[0])}
        for question in questions
    }
    names = {name for own in facts.values() for name in own} - SHOWN_ELSEWHERE
    varying = sorted(name for name in names if len({repr(own.get(name)) for own in facts.values()}) > 1)
    return {
        question: ", ".join([dataset, *(f"{name}={own[name]}" for name in varying if own.get(name) is not None)])
        for question, own in facts.items()
    }
