"""`plan.json`: the cells that a run directory is to hold, by their identity, each with its key.

The cells of a run share few settings, so these stand there once and each cell names its own by number:
`{"settings": [{…}, …], "cells": {identity: [key, task, neuron, backend, device, seed, number], …}}`.
An older file is `{identity: {"key": …, "cell": {…}}, …}`, and is read as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from suite.runs.files import read_json, replacing, set_aside
from suite.runs.record import BrokenRecord, cell_from_json
from tasks import Cell


class Entry(NamedTuple):
    """What the plan holds of a cell; where the cell itself cannot be read (any more), its key alone."""

    key: str
    cell: Cell | None


Plan = dict[str, Entry]

PLACES = ("task", "neuron", "backend", "device", "seed")
"""What stands in the file of a cell, between its key and the number of its settings."""
TOGETHER = 1000
"""Cells that become text at a time."""


def planned_keys(root: Path) -> set[str]:
    """The keys of all cells that a run directory is to hold; empty if it keeps no plan."""
    return {entry.key for entry in read_plan(root).values()}


def read_plan(root: Path) -> Plan:
    """The cells of a run by their identity; empty if there is no plan or it was broken."""
    path = root / "plan.json"
    known = read_json(path, dict) or {}
    try:
        return _entries(known) if {"settings", "cells"} == set(known) else _older_entries(known)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        set_aside(path, "an entry has no key of a cell")
        return {}


def _entries(known: Mapping[str, Any]) -> Plan:
    settings: Sequence[Any] = known["settings"]
    plan = {}
    for name, (key, *places, number) in known["cells"].items():
        own = None if number is None else {**dict(zip(PLACES, places, strict=True)), "settings": settings[number]}
        plan[name] = Entry(_text(key), _cell(own))
    return plan


def _older_entries(known: Mapping[str, Any]) -> Plan:
    return {name: Entry(_text(entry["key"]), _cell(entry.get("cell"))) for name, entry in known.items()}


def _text(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{key!r} is no key")
    return key


def _cell(known: Any) -> Cell | None:
    try:
        return None if known is None else cell_from_json(known)
    except BrokenRecord:
        return None


def write_plan(root: Path, plan: Plan) -> None:
    """Write the plan, whole or not at all.

    Raises:
        StorageError: it could not be written.
    """
    with replacing(root / "plan.json") as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    """The text of the file, part by part, the settings last: only then it is known which there are."""
    numbers: dict[str, int] = {}
    last: tuple[Any, int] = (None, -1)
    rows: list[str] = []
    yield '{"cells": {'
    for place, (name, (key, cell)) in enumerate(plan.items()):
        if cell is not None and cell.settings is not last[0]:  # cells of one grid share one mapping
            text = json.dumps(cell.settings)
            last = cell.settings, numbers.setdefault(text, len(numbers))
        places = [None] * len(PLACES) if cell is None else [getattr(cell, each) for each in PLACES]
        row = json.dumps([key, *places, None if cell is None else last[1]])
        rows.append(f"{',' if place else ''}\n{json.dumps(name)}: {row}")
        if len(rows) == TOGETHER:
            yield "".join(rows)
            rows.clear()
    yield "".join(rows)
    yield '\n},\n"settings": [\n' + ",\n".join(numbers) + "\n]}\n"
