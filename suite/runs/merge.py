"""Merging runs, of one machine or several, into one result set.

What is merged are answers: a cell as one run measured it. Answers of two machines or of two versions stand side by
side; of two answers to one question by the same machine and versions, one is kept. Which one does not depend on the
order of the runs, and what was in a group (a study, the main run) by the other is in it by the one that is kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from suite.runs import groups
from suite.runs.conditions import IDENTITY, PLACE, codes, identified
from suite.runs.folders import replacing_folder
from suite.runs.plan_file import Plan, read_plan, write_plan
from suite.runs.provenance import origin_of
from suite.runs.record import FORMAT, MEASURED
from suite.runs.store import (
    RunError,
    read_provenance,
    read_results,
    write_atomically,
    write_results,
)
from suite.runs.table import as_table, questions

Successors = Mapping[str, Sequence[str]]
"""The keys of the kept cells that answer what a cell, by its key, asked."""


def merge(runs: Sequence[Path], out: Path) -> tuple[int, int]:
    """Write the rows of all runs to `out`, with their groups, plans and provenance.

    Of several answers by one machine and the same versions to one question, the latest that was measured is kept; a
    cell that failed is left out where another run measured it.

    Returns:
        Cells in the result, and cells that were left out because another run has them.

    Raises:
        RunError: `out` exists, or a run has no results; nothing is left behind.
    """
    if os.path.lexists(out):
        raise RunError(f"{out} exists; merge into a new directory")
    parts = merged_parts(runs)
    rows, answers = _read(runs, parts)
    kept, successors = _choose(answers)
    members: dict[str, list[str]] = {}
    for run in runs:
        for name, keys in groups.read(run).items():
            now = [key for own in keys for key in successors.get(own, [own])]
            members[name] = list(dict.fromkeys([*members.get(name, []), *now]))
    table = as_table(rows[rows.answer.isin(kept.index)].drop(columns="answer"))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing_folder(out) as new:
            write_results(table, new)
            write_plan(new, _plan(runs, successors))
            write_atomically(new / "provenance.json", json.dumps(_provenance(runs, parts), indent=2))
            write_atomically(new / "format.json", json.dumps({"format": FORMAT}))
            groups.remember(new, members)
    except OSError as error:
        raise RunError(f"{error.filename or out}: {error.strerror or error}; nothing was merged") from error
    return len(kept), len(answers) - len(kept)


def _read(runs: Sequence[Path], parts: Sequence[Mapping[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All rows with the number of their answer, and the answers: one row each, the same whatever the order of runs."""
    tables = [read_results(run).assign(source=source) for source, run in enumerate(runs)]
    rows = pd.concat(tables, ignore_index=True)
    dates = _dates(parts)
    origins = list(zip(rows.run, rows.machine, rows.commit, strict=True))
    rows["date"] = [dates.get(origin, "") for origin in origins]
    rows = rows.sort_values(["date", "run", "machine", "commit"], kind="stable", ignore_index=True)
    rows["answer"] = codes(rows, ["source", "cell", "machine", "versions"])
    facts = rows.assign(
        condition=codes(identified(rows), [*IDENTITY, "seed"]),
        question=questions(rows),
        measured=rows.status.isin(MEASURED),
        content=pd.util.hash_pandas_object(rows[[*PLACE, "value", "status"]].astype(str), index=False).astype(object),
    ).groupby("answer", sort=False)
    answers = facts[["cell", "date", "condition", "question"]].first()
    answers["measured"] = facts.measured.any()
    answers["content"] = facts.content.sum()
    return rows.drop(columns=["source", "date"]), answers


def _dates(parts: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str | None, str | None], str]:
    """When a run was measured, by what its rows say of it."""
    dates: dict[tuple[str, str | None, str | None], str] = {}
    for part in parts:
        origin = origin_of(part, "", "")
        place = (part["run"], origin["machine"], origin["commit"])
        dates[place] = max(dates.get(place, ""), str(origin["date"] or ""))
    return dates


def _choose(answers: pd.DataFrame) -> tuple[pd.DataFrame, Successors]:
    """The answers that are kept, one a condition and seed, and who stands for those that are not."""
    ranked = answers.sort_values(["measured", "date", "cell", "content"], kind="stable")
    kept = ranked.drop_duplicates("condition", keep="last")
    answered = set(kept[kept.measured].question)
    kept = kept[kept.measured | ~kept.question.isin(answered)]
    by_condition = kept.set_index("condition").cell
    by_question = kept.groupby("question").cell.agg(list)
    successors: dict[str, dict[str, None]] = {}
    for cell, condition, question in answers[["cell", "condition", "question"]].itertuples(index=False, name=None):
        now = [by_condition[condition]] if condition in by_condition.index else by_question[question]
        successors.setdefault(cell, {}).update(dict.fromkeys(now))
    return kept, {cell: list(now) for cell, now in successors.items()}


def _plan(runs: Sequence[Path], successors: Successors) -> Plan:
    """The plans of all runs in one: what none of them measured stays unmeasured."""
    merged: Plan = {}
    for run in runs:
        for question, entry in read_plan(run).items():
            measured = successors.get(entry.key)
            if measured:
                merged[question] = entry._replace(key=measured[0])
            else:
                merged.setdefault(question, entry)
    return merged


def merged_parts(runs: Sequence[Path]) -> list[dict[str, Any]]:
    """The provenance of every run that went into these, each once and in order of its date, with its name as `run`."""
    found: dict[str, dict[str, Any]] = {}
    for run in runs:
        known = read_provenance(run)
        own = {name: value for name, value in known.items() if name not in ("merged", "commands")}
        inner = known.get("merged", [])
        if not inner or "command" in own:  # a merged directory has a command of its own once it was run into
            inner = [*inner, {"run": run.resolve().name, **own}]
        for part in inner:
            whole = {"run": "", **part}
            found[json.dumps(whole, sort_keys=True)] = whole
    return [found[text] for text in sorted(found, key=lambda text: (str(found[text].get("date")), text))]


def _provenance(runs: Sequence[Path], parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all parts share, and the parts; dirty if one is."""
    first = parts[0]
    shared = {name: value for name, value in first.items() if all(part.get(name) == value for part in parts)}
    commands = {json.dumps(command): command for run in runs for command in read_provenance(run).get("commands", [])}
    return {
        **{name: value for name, value in shared.items() if name not in ("run", "command", "began")},
        "date": max((str(part["date"]) for part in parts if part.get("date")), default=None),
        "dirty": any(part.get("dirty") is not False for part in parts),
        "commands": list(commands.values()),
        "merged": list(parts),
    }
