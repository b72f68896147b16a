"""Merging runs, of one machine or several, into one result set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from suite.report import groups
from suite.runs.store import RunError, read_provenance, read_results, write_atomically, write_results

QUESTION = ["task", "neuron", "backend", "seed", "dataset", "network", "protocol", "dtype", "timesteps", "settings"]
"""Columns that say what a cell asks; its answer may come from several runs."""


def merge(runs: Sequence[Path], out: Path) -> tuple[int, int]:
    """Write the rows of all runs to `out`; of a cell that several have, those of the first that ended it ok.

    Returns:
        Cells in the result, and cells that were left out because an earlier run has them.

    Raises:
        RunError: `out` exists, or a run has no results.
    """
    if out.exists():
        raise RunError(f"{out} exists; merge into a new directory")
    tables = [read_results(run) for run in runs]
    everything = pd.concat(tables, ignore_index=True)
    everything["question"] = everything[QUESTION].astype(object).fillna("").astype(str).agg("\0".join, axis=1)
    everything["place"] = [place for place, table in enumerate(tables) for _ in range(len(table))]
    everything["good"] = everything.status != "ok"
    chosen = everything.sort_values(["good", "place"], kind="stable").drop_duplicates("question")[["question", "place"]]
    kept = everything.merge(chosen, on=["question", "place"]).drop(columns=["question", "place", "good"])
    out.mkdir(parents=True)
    write_results(kept, out)
    write_atomically(out / "provenance.json", json.dumps(_provenance(runs), indent=2))
    members: dict[str, list[str]] = {}
    for run in runs:
        for name, keys in groups.read(run).items():
            members[name] = list(dict.fromkeys([*members.get(name, []), *keys]))
    groups.remember(out, members)
    asked = sum(table.cell.nunique() for table in tables)
    return kept.cell.nunique(), asked - kept.cell.nunique()


def _provenance(runs: Sequence[Path]) -> dict[str, Any]:
    """That of the first run, with what differs in the others; dirty if one is."""
    known = [read_provenance(run) for run in runs]
    parts = [
        {"run": run.name, **{key: own.get(key) for key in ("date", "commit", "dirty", "machine", "command")}}
        for run, own in zip(runs, known, strict=True)
    ]
    commands = [command for own in known for command in own.get("commands", [])]
    dirty = any(own.get("dirty") is not False for own in known)
    return {**known[0], "dirty": dirty, "commands": commands, "merged": parts}
