"""Which conditions neurons are ranked by: one a data set, the same question for all, never a mean over two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from suite.report.conditions import over_seeds
from suite.runs.conditions import asked
from suite.statistics import Ranks, rank_over_datasets

ANY = object()
"""Stands for a fact in which the conditions of a data set do not differ."""
HOW = "run by"
FUSED = ("cpu", "triton")

Context = dict[str, Any]
"""Data set, `where`, `how` and facts of the conditions that differ in their neuron alone."""


@dataclass(frozen=True)
class Variant:
    """One condition a data set.

    Attributes:
        rows: named rows of the accuracies.
        notes: what the variant is, if there are others, and which data sets have no part in it.
    """

    rows: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    @property
    def matrix(self) -> pd.DataFrame:
        """Mean over seeds: data sets down, neurons across."""
        means = {key: estimate.mean for key, estimate in over_seeds(self.rows, ["dataset", "neuron"]).items()}
        datasets, names = dict.fromkeys(key[0] for key in means), dict.fromkeys(key[1] for key in means)
        table = [[means.get((dataset, name), float("nan")) for name in names] for dataset in datasets]
        return pd.DataFrame(table, index=list(datasets), columns=list(names), dtype=float)

    @property
    def ranks(self) -> Ranks | None:
        return rank_over_datasets(self.matrix)


def chosen_variant(rows: pd.DataFrame) -> Variant:
    """The variant with the most data sets and neurons; of equals one by a fused kernel, then the first by name.

    Where data sets were measured under several conditions (two rates, two backends), these are variants of the
    question, not further data sets. A data set that has two conditions still is left out, and named.

    Args:
        rows: named accuracies, one value a condition and seed.
    """
    contexts = _contexts(rows)
    varying = _varying(contexts)
    if not varying:
        return Variant(rows)
    own = [_key(context, contexts, varying) for context in contexts]
    candidates = dict.fromkeys(own)
    variants = [_variant(rows, contexts, own, key, varying) for key in candidates]
    return max(variants, key=lambda variant: (variant.rows.groupby(["dataset", "neuron"]).ngroups, _fused(variant)))


def _fused(variant: Variant) -> bool:
    return bool(len(variant.rows)) and set(variant.rows.backend) <= set(FUSED)


def _contexts(rows: pd.DataFrame) -> list[Context]:
    distinct = rows.drop_duplicates(["dataset", "where", "how"]).to_dict("records")
    return [
        {"dataset": r["dataset"], "where": r["where"], "how": r["how"], "facts": {**asked(r), HOW: r["how"]}}
        for r in distinct
    ]


def _values(contexts: Sequence[Context], dataset: str, name: str) -> set[str]:
    return {repr(context["facts"].get(name)) for context in contexts if context["dataset"] == dataset}


def _varying(contexts: Sequence[Context]) -> list[str]:
    """The facts in which the conditions of some data set differ."""
    names = sorted({name for context in contexts for name in context["facts"]})
    datasets = dict.fromkeys(context["dataset"] for context in contexts)
    return [name for name in names if any(len(_values(contexts, dataset, name)) > 1 for dataset in datasets)]


def _key(context: Context, contexts: Sequence[Context], varying: Sequence[str]) -> tuple[Any, ...]:
    facts: Mapping[str, Any] = context["facts"]
    several = [len(_values(contexts, context["dataset"], name)) > 1 for name in varying]
    return tuple(repr(facts.get(name)) if own else ANY for name, own in zip(varying, several, strict=True))


def _told(name: str, value: str) -> str:
    return f"{name} not set" if value == "None" else f"{name}={value.strip(chr(39))}"


def _variant(
    rows: pd.DataFrame,
    contexts: Sequence[Context],
    own: Sequence[tuple[Any, ...]],
    key: tuple[Any, ...],
    varying: Sequence[str],
) -> Variant:
    fitting = [
        context
        for context, other in zip(contexts, own, strict=True)
        if all(a is ANY or b is ANY or a == b for a, b in zip(key, other, strict=True))
    ]
    datasets = [context["dataset"] for context in fitting]
    single = [context for context in fitting if datasets.count(context["dataset"]) == 1]
    pairs = {(context["where"], context["how"]) for context in single}
    kept = [pair in pairs for pair in zip(rows["where"], rows["how"], strict=True)]
    told = [_told(name, value) for name, value in zip(varying, key, strict=True) if value is not ANY]
    notes = [f"Of the conditions measured, those with {', '.join(told)}."]
    out = sorted(set(rows.dataset) - {context["dataset"] for context in single})
    if out:
        notes.append(f"Left out, because measured otherwise or under several conditions: {', '.join(out)}.")
    return Variant(rows[kept], notes)
