"""What the script of a page works with: the board's numbers by seed, learning curves and settings, compressed."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pandas as pd

from neurons import registry
from suite.report import names
from suite.report.board import Board
from suite.report.conditions import cut_off, name_conditions, of_task, over_seeds
from suite.report.pivot import WORDS
from suite.runs.conditions import asked
from suite.statistics import CONFIDENCE

MOST_EPOCHS = 60
"""Points of a learning curve that a page carries."""


def embedded(rows: pd.DataFrame, board: Board) -> str:
    """Gzip of JSON in base64. The same rows give the same text."""
    named = name_conditions(rows)
    content = {
        "baseline": _who(board, board.baseline),
        "confidence": CONFIDENCE,
        "neurons": [
            {"who": own.who, "name": own.name, "colour": own.colour, "words": _words(own.who)} for own in board.lines
        ],
        "sets": [
            {
                "where": own.where,
                "dataset": own.dataset,
                "title": names.condition(own.where),
                "seeds": {
                    who: [[int(s), _short(v)] for s, v in zip(values.index.tolist(), values.tolist(), strict=True)]
                    for who, values in own.values.items()
                },
                "settings": _settings(named, own.where),
            }
            for own in board.known
        ],
        "curves": _curves(named, {own.where for own in board.known}),
        "cut_off": _cut_off(named, {own.where for own in board.known}),
        "costs": [
            {
                "kind": cost.kind,
                "title": cost.title,
                "ratios": {
                    who: [_short(own.value), *([_short(own.low), _short(own.high)] if own.spread_known else [])]
                    for who, own in cost.ratios.items()
                },
            }
            for cost in board.costs
            if cost.ratios
        ],
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode()


def _who(board: Board, neuron: str) -> str:
    """The line of the baseline: the one that costs are over, where it ran in several ways."""
    own = [line.who for line in board.lines if names.neuron_of(line.who) == neuron]
    units = [who for cost in board.costs for who in own if who in cost.ratios and cost.ratios[who].value == 1]
    return next(iter([*units, *own]), "")


def _words(who: str) -> list[str]:
    """What a neuron is found by: its name and its tags."""
    known = registry.registered(names.neuron_of(who))
    return [*who.lower().split(), *(f"tag:{tag}" for tag in (known.tags if known is not None else ()))]


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _settings(rows: pd.DataFrame, where: str) -> dict[str, Any]:
    own = rows[(rows["where"] == where) & (rows.task == "accuracy")]
    known = asked(own.iloc[0].to_dict())
    return {name: value for name, value in known.items() if value is not None}


def _curves(rows: pd.DataFrame, wanted: set[str]) -> dict[str, dict[str, list[float]]]:
    """Mean test accuracy by epoch, by condition and neuron."""
    own = of_task(rows, "accuracy")
    own = own[(own.metric == "test_accuracy") & own.value.notna() & own["where"].isin(wanted)]
    found: dict[str, dict[str, list[float]]] = {}
    for (where, who, _), estimate in over_seeds(own.sort_values("step"), ["where", "who", "step"]).items():
        found.setdefault(where, {}).setdefault(who, []).append(_short(estimate.mean))
    return {where: {who: curve[:MOST_EPOCHS] for who, curve in by.items()} for where, by in found.items()}


def _cut_off(rows: pd.DataFrame, wanted: set[str]) -> dict[str, dict[str, list[tuple[int, str, list[float]]]]]:
    """Seed, cause and test accuracy by epoch of each training that did not end, by condition and neuron."""
    own = cut_off(rows)
    own = own[(own.task == "accuracy") & (own.metric == "test_accuracy") & own["where"].isin(wanted)]
    found: dict[str, dict[str, list[tuple[int, str, list[float]]]]] = {}
    for (where, who, _), curve in own.sort_values("step").groupby(["where", "who", "seed"]):
        seed, points = int(curve.seed.iloc[0]), [_short(value) for value in curve.value[:MOST_EPOCHS]]
        told = f"{WORDS[str(curve.status.iloc[0])]}: {curve.detail.iloc[0]}"
        found.setdefault(str(where), {}).setdefault(str(who), []).append((seed, told, points))
    return found
