"""The table of what changed between runs, with the sentence that sums it up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from suite.compare.judgement import FEWEST_SEEDS, Judgement, judge
from suite.compare.pairs import ASKED, Pairs, pair
from suite.report.table import Entry, Table
from suite.runs.conditions import asked as facts_of
from suite.runs.store import RunError, read_results
from suite.runs.table import ORIGIN

CAPTION = (
    "By seed, with a t-test corrected by Holm over the conditions of a metric that at least "
    f"{FEWEST_SEEDS} seeds can test; counts exactly; timings from a change of 10 % on, if the middle three fifths of "
    "the rounds do not meet."
)
MOST_NAMED = 3


@dataclass
class Comparison(Table):
    """A table of what changed; its last footnote is one sentence about the accuracies.

    Attributes:
        worse: how many metrics became worse and cells failed that did not before.
    """

    worse: int = 0


def compare(runs: Sequence[Path], any_machine: bool) -> Comparison:
    """What differs between the first run and each other beyond noise, and what the others lack.

    Raises:
        RunError: a run has no results, or shares nothing with the first that can be compared.
    """
    tables = [read_results(run) for run in runs]
    names = _names(runs)
    lines: list[tuple[str, list[Entry]]] = []
    notes: list[str] = []
    judgements: list[Judgement] = []
    broken: list[str] = []
    worse = 0
    for name, rows in zip(names[1:], tables[1:], strict=True):
        found = pair(tables[0], rows, any_machine)
        if not found.shared:
            why = " ".join(found.left_out)
            raise RunError(f"{names[0]} and {name} measured nothing in common that can be compared. {why}".rstrip())
        own = judge(found.compared)
        judgements += own
        label = _labels(found)
        lines += [_line(judgement, name, label(judgement.pair.asked)) for judgement in own if judgement.told]
        gone, failed = _gone(found, name, label)
        lines += gone
        broken += failed
        worse += sum(judgement.verdict == "worse" for judgement in own) + len(failed)
        notes += _notes(names[0], name, tables[0], rows, found, own)
    notes.append(_sentence(judgements, broken))
    header = ["where", "run", "metric", names[0], "run's value", "change", "verdict", "how one can tell"]
    return Comparison("compare", f"What changed against {names[0]}.", CAPTION, header, lines, notes, worse=worse)


def _names(runs: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell the runs apart."""
    parts = [run.resolve().parts for run in runs]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(own[-depth:]) for own in parts]
        if len(set(names)) == len(set(parts)):
            return names
    return [str(run) for run in runs]


def _labels(found: Pairs) -> Any:
    """A function that names a condition, with those settings in which the conditions of a task and data set differ."""
    conditions: list[Mapping[str, Any]] = [own.asked for own in found.compared]
    if len(found.gone):
        conditions += [{name: own[name] for name in ASKED} for own in found.gone.to_dict("records")]
    known: dict[tuple[Any, Any], list[Mapping[str, Any]]] = {}
    for own in conditions:
        known.setdefault((own["task"], own["dataset"] or ""), []).append(_facts(own))
    varying = {
        place: [name for name in sorted({n for own in facts for n in own} - {"timesteps"})
                if len({repr(own.get(name)) for own in facts}) > 1]
        for place, facts in known.items()
    }  # fmt: skip

    def label(own: Mapping[str, Any]) -> str:
        facts = _facts(own)
        more = [f"{name}={facts[name]}" for name in varying[own["task"], own["dataset"] or ""] if name in facts]
        words = [own["neuron"], own["backend"], own["dataset"] or own["task"]]
        steps = [f"T={facts['timesteps']}"] if "timesteps" in facts else []
        return ", ".join([" ".join(map(str, [*words, *steps])), *more])

    return label


def _facts(own: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: None if isinstance(value, str) and not value else value for name, value in own.items()}
    facts = {**facts_of({**known, "settings": own["settings"] or "{}"})}
    return {**facts, "device": own["device"]} if own["device"] else facts


def _line(judgement: Judgement, run: str, where: str) -> tuple[str, list[Entry]]:
    own = judgement.pair.asked
    place = [str(own[name]) for name in ("layer", "step", "lag") if own[name] is not None]
    metric = f"{own['metric']} [{', '.join(place)}]" if place else str(own["metric"])
    before, after = judgement.before, judgement.after
    texts = [
        run,
        metric,
        f"{before:.4g}",
        f"{after:.4g}",
        _change(before, after),
        judgement.verdict,
        judgement.evidence,
    ]
    return where, [Entry(text) for text in texts]


def _change(before: float, after: float) -> str:
    if not (math.isfinite(before) and math.isfinite(after)):
        return "—"
    return f"× {after / before:.3f}" if before * after > 0 else f"{after - before:+.4g}"


def _gone(found: Pairs, run: str, label: Any) -> tuple[list[tuple[str, list[Entry]]], list[str]]:
    """A line for each condition with cells that the second run has not measured; and where they failed."""
    lines, failed = [], []
    if found.gone.empty:
        return [], []
    for _, rows in found.gone.groupby([*ASKED, "now"], sort=False):
        own = rows.iloc[0]
        seeds = ", ".join(str(seed) for seed in sorted(rows.seed))
        status = "lacking" if own.now == "lacking" else f"{own.now}: {own.detail}".rstrip(": ")
        where = label({name: own[name] for name in ASKED})
        verdict = "lacking" if own.now == "lacking" else "worse"
        texts = [run, str(own.task), f"{len(rows)} measured", "—", "—", verdict, f"{status} (seed {seeds})"]
        lines.append((where, [Entry(text) for text in texts]))
        if verdict == "worse":
            failed.append(f"{own.neuron} on {own.dataset or own.task}")
    return lines, failed


def _notes(
    first: str, second: str, before: pd.DataFrame, after: pd.DataFrame, found: Pairs, judgements: Sequence[Judgement]
) -> list[str]:
    """What a reader must know beside the table."""
    untold = [own for own in judgements if own.verdict == "differs"]
    notes = [f"{second}: {len(judgements)} metrics compared, {len(untold)} of them differ within noise."]
    again = [own for own in untold if own.pair.same_code and not own.pair.timed]
    if again:
        named = ", ".join(dict.fromkeys(f"{own.pair.asked['neuron']} {own.pair.asked['metric']}" for own in again[:3]))
        notes.append(
            f"{len(again)} of these by the same code, versions and machine, which should give the same: {named}."
        )
    if found.new:
        notes.append(f"{found.new} cells only {second} has.")
    notes += found.left_out
    for name in ORIGIN:
        own, other = (_told(rows, name) for rows in (before, after))
        if own != other or ";" in own:
            notes.append(f"{name}: {first} {own}; {second} {other}." if own != other else f"{name} of both: {own}.")
    return notes


def _told(rows: pd.DataFrame, name: str) -> str:
    known = sorted(rows[name].fillna("unknown").unique())
    return " and ".join(known) if len(known) < 2 else f"mixed ({'; '.join(known)})"


def _sentence(judgements: Sequence[Judgement], broken: Sequence[str]) -> str:
    """No accuracy changed beyond noise, or which."""
    accuracies = [own for own in judgements if str(own.pair.asked["metric"]).startswith("accuracy")]
    parts = []
    for verdict, verb in (("worse", "fell"), ("better", "rose")):
        moved = [own for own in accuracies if own.verdict == verdict]
        if moved:
            parts.append(f"accuracy {verb} beyond noise: {_named(moved)}")
    if not accuracies:
        parts.append("no accuracy was compared")
    elif not parts:
        parts.append("no accuracy changed beyond noise")
    if unclear := [own for own in accuracies if own.verdict == "not testable"]:
        parts.append(f"too few seeds to tell noise from change: {_named(unclear)}")
    if broken:
        parts.append(f"cells failed: {_shortened(list(dict.fromkeys(broken)))}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _named(judgements: Sequence[Judgement]) -> str:
    """Each condition once, by its first metric."""
    known: dict[str, str] = {}
    for own in judgements:
        where = f"{own.pair.asked['neuron']} on {own.pair.asked['dataset'] or own.pair.asked['task']}"
        known.setdefault(where, f"{where} ({own.before:.4g} → {own.after:.4g})")
    return _shortened(list(known.values()))


def _shortened(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - MOST_NAMED} more" if len(texts) > MOST_NAMED else ""
    return ", ".join(texts[:MOST_NAMED]) + more
