"""The result of one cell and its JSON record in `cells/`.

A record is `{"format": 2, "cell": {…}, "status": …, "values": [{"metric": …, "value": …, …}], …, "origin": {…}}`.
JSON has no number for NaN and the infinities: such a value is one of the strings "NaN", "Infinity" and "-Infinity",
and the cell's status is then `nonfinite`. `origin` says what made the result: date, commit, machine, versions.
"""

from __future__ import annotations

import dataclasses
import json
import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from tasks import Cell, Value

FORMAT = 2
"""Version of a run directory's files. 1 had no origin in records, and neither commit, machine nor versions in rows."""

Status = Literal["ok", "nonfinite", "failed", "timeout", "unavailable"]
STATUSES: tuple[Status, ...] = get_args(Status)
MEASURED: tuple[Status, ...] = ("ok", "nonfinite")
"""Statuses of a cell that ended with values; of these only `ok` is reused."""
CUT_OFF: tuple[Status, ...] = ("failed", "timeout")
"""Statuses of a cell that may have measured something before: the curve of a training."""

Origin = Mapping[str, str | None]
"""What made a result: `date`, `commit`, `machine` and `versions`, each in words."""


class BrokenRecord(Exception):
    """A record that cannot be one of this suite; the message says what is wrong with it."""


class InvalidValueOfTask(Exception):
    """A task gave something that is no number where a number belongs."""


@dataclass(frozen=True)
class Result:
    """How a cell ended, and what it measured.

    Attributes:
        status: ok; nonfinite if a value is NaN or infinite; failed, timeout or unavailable with the cause in `detail`.
        values: of a cell that was cut off, what it had measured until then.
        timesteps: the T that its neurons ran over; None where that is not known or the task has none.
        device: what it ran on, with the name of the card.
        output: the last lines that the cell printed.
        machine: in words, where another machine measured it than that which keeps the rows.
    """

    status: Status
    values: Sequence[Value] = ()
    detail: str = ""
    traceback: str = ""
    seconds: float = 0.0
    device: str = "cpu"
    timesteps: int | None = None
    output: str = ""
    machine: str = ""

    @property
    def finished(self) -> bool:
        """Whether the cell ended ok: only then is its result reused."""
        return self.status == "ok"


@dataclass(frozen=True)
class Record:
    """A stored result with its cell and with what made it."""

    cell: Cell
    result: Result
    origin: Origin = field(default_factory=dict)


def checked_values(values: Sequence[Value]) -> list[Value]:
    """The values as plain numbers and texts.

    Raises:
        InvalidValueOfTask: one of them is none, for example a tensor or a text.
    """
    return [_checked(value) for value in values]


def _checked(value: Value) -> Value:
    if not isinstance(value, Value):
        raise InvalidValueOfTask(f"the task yielded a {type(value).__name__}; a task yields Value(metric, number)")
    if not isinstance(value.value, numbers.Real):
        kind = type(value.value).__name__
        raise InvalidValueOfTask(f"{value.metric} is {_short(value.value)}, a {kind}; a number is wanted")
    for name in ("step", "lag"):
        place = getattr(value, name)
        if place is not None and not isinstance(place, numbers.Integral):
            raise InvalidValueOfTask(f"{name} of {value.metric} is {_short(place)}; a whole number is wanted")
    for name in ("metric", "layer", "detail"):
        text = getattr(value, name)
        if not isinstance(text, str) and not (name == "layer" and text is None):
            raise InvalidValueOfTask(f"{name} of {value.metric} is {_short(text)}; a text is wanted")
    step, lag = (None if place is None else int(place) for place in (value.step, value.lag))
    return dataclasses.replace(value, value=float(value.value), step=step, lag=lag)


def _short(value: object) -> str:
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a value whose own repr fails is named by its type
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 60 else text[:59] + "…"


def measured(values: Sequence[Value], seconds: float) -> Result:
    """The result of a cell that gave values; nonfinite if one of them is NaN or infinite."""
    plain = checked_values(values)
    odd = [f"{value.metric} is {value.value}" for value in plain if not math.isfinite(value.value)]
    if not odd:
        return Result("ok", plain, seconds=seconds)
    more = f", and {len(odd) - 1} more" if len(odd) > 1 else ""
    return Result("nonfinite", plain, detail=odd[0] + more, seconds=seconds)


def result_to_json(result: Result) -> dict[str, Any]:
    """Plain JSON values; NaN and infinite numbers as strings."""
    whole = {each.name: getattr(result, each.name) for each in dataclasses.fields(result)}
    return {**whole, "values": [{**vars(value), "value": _number_to_json(value.value)} for value in result.values]}


def result_from_json(known: Mapping[str, Any]) -> Result:
    """The result of a record.

    Raises:
        BrokenRecord: a part is missing or is not what it should be.
    """
    own = {each.name for each in dataclasses.fields(Result)}
    try:
        values = [Value(**{**value, "value": _number_from_json(value["value"])}) for value in known["values"]]
        result = Result(**{name: known[name] for name in own & set(known)} | {"values": values})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BrokenRecord(f"its values cannot be read: {type(error).__name__}: {error}") from error
    if result.status not in STATUSES:
        raise BrokenRecord(f"its status is {_short(result.status)}")
    texts = (result.detail, result.traceback, result.device, result.output, result.machine)
    if not all(isinstance(text, str) for text in texts) or not isinstance(result.timesteps, int | None):
        raise BrokenRecord("a text or its number of time steps is of another type")
    if result.status == "ok" and not all(math.isfinite(value.value) for value in values):
        return dataclasses.replace(result, status="nonfinite")
    return result


def record_to_text(record: Record) -> str:
    """The record as JSON."""
    whole = {"format": FORMAT, "cell": cell_to_json(record.cell), **result_to_json(record.result)}
    return json.dumps({**whole, "origin": dict(record.origin)}, allow_nan=False)


def record_from_json(known: Mapping[str, Any]) -> Record:
    """The record of a cell's file.

    Raises:
        BrokenRecord: a part is missing or is not what it should be.
    """
    origin = known.get("origin", {})
    if not isinstance(origin, dict) or not all(isinstance(text, str | None) for text in origin.values()):
        raise BrokenRecord("its origin is no list of texts")
    return Record(cell_from_json(known.get("cell")), result_from_json(known), origin)


def cell_to_json(cell: Cell) -> dict[str, Any]:
    return {each.name: getattr(cell, each.name) for each in dataclasses.fields(cell)}


def cell_from_json(known: Any) -> Cell:
    """The cell of a record or of a plan.

    Raises:
        BrokenRecord: it is none.
    """
    try:
        cell = Cell(**known)
    except TypeError as error:
        raise BrokenRecord(f"its cell cannot be read: {error}") from error
    named = all(isinstance(text, str) for text in (cell.task, cell.neuron, cell.backend, cell.device))
    if not named or not isinstance(cell.seed, int) or not isinstance(cell.settings, dict):
        raise BrokenRecord("its cell has a part of another type")
    return cell


def _number_to_json(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _number_from_json(value: Any) -> float:
    if value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{_short(value)} is no number")
    return float(value)
