"""`plan.json`: the cells that a run directory is to hold, by their identity, each with its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from suite.runs.files import read_json, set_aside, write_atomically
from suite.runs.record import cell_to_json
from tasks import Cell

Plan = dict[str, dict[str, Any]]


def entry_of(cell: Cell, key: str) -> dict[str, Any]:
    """What the plan holds of a cell."""
    return {"key": key, "cell": cell_to_json(cell)}


def planned_keys(root: Path) -> set[str]:
    """The keys of all cells that a run directory is to hold; empty if it keeps no plan."""
    return {entry["key"] for entry in read_plan(root).values()}


def read_plan(root: Path) -> Plan:
    """The cells of a run by their identity, each with its `key`; empty if there is no plan or it was broken."""
    path = root / "plan.json"
    known = read_json(path, dict) or {}
    if all(isinstance(entry, dict) and isinstance(entry.get("key"), str) for entry in known.values()):
        return known
    set_aside(path, "an entry has no key of a cell")
    return {}


def write_plan(root: Path, plan: Plan) -> None:
    write_atomically(root / "plan.json", json.dumps(plan))
