"""The condition of a row, everything that decides its value but the seed, and how equal conditions are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

import tasks

RAN = ("backend", "device", "machine", "versions")
"""Columns that say how a condition ran; a table names those that differ beside the neuron."""
ASKED = ("network", "protocol", "dtype", "timesteps")
"""Columns that say what was asked, beside the settings; a table names those that differ beside the data set."""
IDENTITY = ("task", "dataset", "neuron", *ASKED, "settings", *RAN)
"""The columns that make a condition. A column that older rows lack counts as one value."""
PLACE = ("metric", "layer", "step", "lag")
"""Columns that say which number of a condition a row holds."""

Facts = Mapping[str, Any]
"""What was asked of a condition, by name: network, protocol, dtype, timesteps and every setting."""


def identified(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with every column of IDENTITY, equal conditions written alike.

    A setting 2 is 2.0, and one that is null is one that is not set. One that is not written down at all, because the
    task had no such setting yet, is the task's default where other rows of the task name it. `timesteps` is the T that
    was asked for: where a task notes in `settings` that its neurons ran over another, conditions are still told apart
    by the request.
    """
    rows = rows.assign(**{name: None for name in (*IDENTITY, *PLACE, "seed") if name not in rows})
    code = codes(rows, ["task", "settings"])
    known = _settings(rows[~code.duplicated()], code[~code.duplicated()])
    asked = code.map({number: own.pop("timesteps", None) for number, own in known.items()})
    texts = {number: json.dumps(own, sort_keys=True) for number, own in known.items()}
    steps = asked.astype("Float64").fillna(rows.timesteps.astype("Float64")).astype("Int64")
    long = {
        name: _shared(rows[name], lambda value: None if pd.isna(value) else _text(value))
        for name in ("machine", "versions")
    }
    return rows.assign(timesteps=steps, settings=code.map(texts).astype(object), **long)


def _shared(column: pd.Series, written: Callable[[Any], str | None]) -> pd.Series:
    """Long texts of which few are distinct: each is held once, however many rows, and copies of them, there are."""
    try:
        numbers, distinct = pd.factorize(column)
    except TypeError:  # not texts alone
        numbers, distinct = pd.factorize(column.map(lambda own: own if isinstance(own, Hashable) else _text(own)))
    texts = np.array([*(written(value) for value in distinct), written(None)], dtype=object)
    return pd.Series(texts[numbers], index=column.index, dtype=object)


def _settings(distinct: pd.DataFrame, numbers: pd.Series) -> dict[Any, dict[str, Any]]:
    """The settings of rows by their number: whole numbers as integers.

    Those that are not set are left out, but for a null where the task's default is another: that was asked for.
    """
    written = dict(zip(numbers, map(_read, distinct.settings), strict=True))
    of_task: dict[Any, set[str]] = {}
    for task, own in zip(distinct.task, written.values(), strict=True):
        of_task.setdefault(task, set()).update(own)
    found = {}
    for task, (number, own) in zip(distinct.task, written.items(), strict=True):
        usual = defaults(task, of_task[task])
        given = {name: _plain(value) for name, value in own.items() if value is not None or name in usual}
        found[number] = usual | given
    return found


def _read(text: Any) -> dict[str, Any]:
    known: dict[str, Any] = json.loads(text) if isinstance(text, str) and text else {}
    return known


def defaults(task: str, names: Collection[str]) -> dict[str, Any]:
    """What a task does where these of its settings are not written down: it had none of them, or they are left as is.

    T is no such setting: rows have it in a column.
    """
    known = tasks.TASKS[task].settings if task in tasks.TASKS else {}
    return {
        name: _plain(value)
        for name, value in known.items()
        if name in names and name != "timesteps" and value is not None
    }


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def codes(rows: pd.DataFrame, columns: Sequence[str] = IDENTITY) -> pd.Series:
    """A number for each distinct combination of the columns (of `identified` rows), missing values included."""
    return rows.groupby(list(columns), dropna=False, sort=False, observed=True).ngroup()


def differences(rows: pd.DataFrame, columns: Sequence[str]) -> str:
    """The columns of `identified` rows that hold several values, with the first of these; empty if there is none."""
    differing = [name for name in columns if rows[name].nunique(dropna=False) > 1]
    return ", ".join(f"{name} ({', '.join(map(str, rows[name].drop_duplicates().iloc[:3]))})" for name in differing)


def asked(row: Mapping[Any, Any]) -> Facts:
    """What was asked of the condition of a row of `identified`: no missing values.

    Settings that were chosen by tuning are no other question: of them it holds what they were before, and from how
    many they were chosen.
    """
    columns = {name: row[name] for name in ASKED if not pd.isna(row[name])}
    settings = json.loads(row["settings"])
    untuned = settings.pop("untuned", {})
    settings = {name: value for name, value in settings.items() if name not in untuned}
    if "tuning" in settings:
        settings["tuning"] = f"best of {settings.pop('trials')}"
    return columns | {name: value for name, value in (settings | untuned).items() if value is not None}
