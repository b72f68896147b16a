"""Which cells of a run directory belong to its main run, to each study, and to the comparison of packages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from suite.runs.files import read_json, set_aside, write_atomically
from suite.runs.store import read_results

FILE = "groups.json"
MAIN = "run"
SUPERSEDED = "superseded"
"""Tuned cells in whose place others came, see `suite.runs.tuning`."""


Groups = Mapping[str, Sequence[str]]
"""Cell keys by group."""


def remember(run: Path, groups: Groups) -> None:
    """Note the cells (by key) of groups; a group of that name is replaced."""
    run.mkdir(parents=True, exist_ok=True)
    write_atomically(run / FILE, json.dumps({**read(run), **groups}, indent=1))


def read(run: Path) -> Groups:
    """The groups of a run directory."""
    known = read_json(run / FILE, dict) or {}
    if all(isinstance(keys, list) for keys in known.values()):
        return known
    set_aside(run / FILE, "a group is no list of cells")
    return {}


def read_main_rows(run: Path) -> pd.DataFrame:
    """The rows of the main run of a run directory.

    Raises:
        RunError: it is no run directory.
    """
    return main_rows(read_results(run), read(run))


def main_rows(rows: pd.DataFrame, groups: Groups) -> pd.DataFrame:
    """The rows of the main run: all that belong to no other group, and those that the run shares with one."""
    elsewhere = {key for name, keys in groups.items() if name != MAIN for key in keys}
    elsewhere -= set(groups.get(MAIN, []))
    return rows[~rows.cell.isin(elsewhere)] if elsewhere else rows
