"""The condition of a row: everything that decides its value but the seed. Only seeds are averaged, by `over_seeds`."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

import tasks
from neurons import registry
from suite.report.once import once
from suite.runs.conditions import IDENTITY, PLACE, RAN, asked, codes, differences, identified
from suite.runs.record import CUT_OFF
from suite.statistics import Estimate
from tasks import data

SHOWN_ELSEWHERE = {
    "temporal_gradient": {"progress"},
    "throughput": {"elements"},
    "tuning": {"trial"},
    "linear_neuron": {"batch_size", "width", "input_gradient", "together", "rounds", "seconds"},
}
"""Settings that the tables and plots of a task have a place of their own for."""


class MixedConditions(Exception):
    """An average was asked of rows that differ in more than their seed."""


def over_seeds(rows: pd.DataFrame, by: Sequence[str], over: Collection[str] = ()) -> dict[Any, Estimate]:
    """The one average of this project: mean and interval over the seeds of each group, values in order of the seed.

    Args:
        rows: of `identified` or `name_conditions`; those without a value are left out.
        by: columns whose values name a group; the keys of the result (tuples where there are several).
        over: see `of_each_seed`.

    Raises:
        MixedConditions: a group holds two conditions, two metrics, layers, steps or lags, or a seed twice.
    """
    rows = of_each_seed(rows, by, over).sort_values("seed", kind="stable")
    keys = by[0] if len(by) == 1 else list(by)
    grouped = rows.groupby(keys, dropna=False, sort=False, observed=True).value
    return {key: Estimate.of(list(values)) for key, values in grouped}


def of_each_seed(rows: pd.DataFrame, by: Sequence[str], over: Collection[str] = ()) -> pd.DataFrame:
    """One row a group and seed, with `by`, `seed` and `value`; what `over_seeds` averages.

    Args:
        over: what the value of a seed is itself a mean over: columns (layer, lag, timesteps) or settings (progress).
            A seed that lacks one of those that another seed of its group has is left out.
    """
    rows = only_seeds(rows, by, over)
    keys = [*by, "seed"]
    if not over or rows.empty:
        return rows[list(dict.fromkeys([*keys, "value"]))]
    grouped = rows.groupby(keys, dropna=False, sort=False, observed=True).value
    means = grouped.agg(["mean", "size"]).reset_index()
    most = means.groupby(list(by), dropna=False, sort=False, observed=True)["size"].transform("max")
    return means[means["size"] == most].rename(columns={"mean": "value"}).drop(columns="size")


def only_seeds(rows: pd.DataFrame, by: Sequence[str], over: Collection[str] = ()) -> pd.DataFrame:
    """The identified rows that have a value, every group of which holds one condition, measured once a seed.

    Raises:
        MixedConditions: a group differs in more than its seed and what is named in `over`.
    """
    rows = identified(whole(rows[rows.value.notna()]).reset_index(drop=True))
    groups, parts = codes(rows, by), codes(rows, [*IDENTITY, *PLACE])
    apart = rows.assign(settings=_without(rows.settings, over))
    columns = [name for name in (*IDENTITY, *PLACE) if name not in over]
    mixed = codes(apart, columns).groupby(groups).nunique()
    twice = pd.DataFrame({"group": groups, "part": parts, "seed": rows.seed}).duplicated()
    if (mixed > 1).any() or twice.any():
        group = mixed.idxmax() if (mixed > 1).any() else groups[twice].iloc[0]
        raise MixedConditions(_mixed(apart[groups == group], by, columns))
    return rows


def _without(settings: pd.Series, names: Collection[str]) -> pd.Series:
    """The settings of `identified` rows but for those."""
    known = {text: {name: own for name, own in json.loads(text).items() if name not in names} for text in set(settings)}
    return settings.map({text: json.dumps(own, sort_keys=True) for text, own in known.items()})


def _mixed(rows: pd.DataFrame, by: Sequence[str], columns: Sequence[str]) -> str:
    where = ", ".join(str(rows[name].iloc[0]) for name in by)
    differing = differences(rows, columns)
    if not differing:
        return f"{where}: one seed was measured twice; only different seeds are averaged"
    return f"{where}: rows that differ in {differing}; only seeds are averaged"


def name_conditions(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, identified, with names for their conditions.

    Added columns: `how` names what differs in how cells of a task ran (empty if nothing does), `stack` of it the
    versions alone, `who` is the neuron with it, `ran` the T that it ran over, and `where` is the data set with the
    settings in which cells of one task and data set (or length, for tasks without data set) differ.
    """
    if "where" in rows:
        return rows
    rows = identified(rows.assign(ran=rows.timesteps))
    code = codes(rows)
    distinct = rows.assign(code=code).drop_duplicates("code").set_index("code")
    stack: dict[Any, str] = {}
    how: dict[Any, str] = {}
    where: dict[Any, str] = {}
    for task, own in distinct.groupby("task", sort=False, dropna=False):
        stack |= _stack(own)
        how |= _how(own, stack)
        block = own.dataset.where(own.dataset.notna(), own.timesteps.astype(str))
        for _, part in own.groupby(block, sort=False):
            where |= _where(part, SHOWN_ELSEWHERE.get(str(task), ()))
    texts = {name: code.map(known).astype(str) for name, known in (("stack", stack), ("how", how), ("where", where))}
    named = rows.assign(**texts)
    who = named.neuron.astype(str) + named.how.map(lambda text: f" ({text})" if text else "").astype(str)
    return named.assign(who=who)


def _how(conditions: pd.DataFrame, stack: Mapping[Any, str]) -> dict[Any, str]:
    """Backends are told where they differ among models that have a choice: one without a step has its own forward."""
    choosing = conditions[[_has_backends(str(neuron)) for neuron in conditions.neuron]]
    among = {name: choosing if name == "backend" else conditions for name in RAN if name != "versions"}
    differing = [name for name, own in among.items() if own[name].nunique(dropna=False) > 1]
    records = conditions[differing].astype(object).where(conditions[differing].notna(), None).to_dict("records")
    return {
        code: ", ".join(
            [*(f"{k} unknown" if v is None else str(v) for k, v in own.items()), *filter(None, [stack[code]])]
        )
        for code, own in zip(conditions.index, records, strict=True)
    }


def _has_backends(neuron: str) -> bool:
    model = registry.registered(neuron)
    return model is None or model.runs_over_time()


def _stack(conditions: pd.DataFrame) -> dict[Any, str]:
    """The versions that differ; empty where they follow from the backend and the neuron, whose package they name."""
    same = conditions.groupby(["neuron", "backend", "device", "machine"], dropna=False, sort=False)
    known = {code: _versions(text) for code, text in conditions.versions.items()}
    values: dict[str, set[str]] = {}
    for own in known.values():
        for name, version in own.items():
            values.setdefault(name, set()).add(version)
    differing = {name for name, found in values.items() if len(found) > 1}
    if not differing and (same.versions.nunique(dropna=False) <= 1).all():
        return dict.fromkeys(conditions.index, "")
    return {
        code: ", ".join(f"{name} {own[name]}" for name in own if name in (differing or own)) or "versions unknown"
        for code, own in known.items()
    }


def _versions(text: Any) -> dict[str, str]:
    """ "torch 2.14.1, numpy 2.4.6" by name."""
    parts = [part.strip().rpartition(" ") for part in text.split(",")] if isinstance(text, str) else []
    return {name: version for name, _, version in parts}


def _where(conditions: pd.DataFrame, elsewhere: Collection[str]) -> dict[Any, str]:
    facts = [asked(own) for own in conditions.to_dict("records")]
    names = sorted({name for own in facts for name in own} - set(elsewhere))
    varying = [name for name in names if len({repr(own.get(name)) for own in facts}) > 1]
    return {
        code: ", ".join(
            [*([dataset] if isinstance(dataset, str) else []), *(f"{k}={own[k]}" for k in varying if k in own)]
        )
        for code, dataset, own in zip(conditions.index, conditions.dataset, facts, strict=True)
    }


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Named rows in the order in which tables show them: data sets as they are listed, then T and settings rising.

    The order in which runs were merged leaves no trace.
    """
    sets = {name: place for place, name in enumerate(data.names())}
    columns = ["dataset", "timesteps", "where"]
    numbers = codes(rows, columns)
    distinct = ~numbers.duplicated()
    keys = {
        number: (sets.get(dataset, len(sets)), _natural(str(dataset)), steps, _natural(where))
        for number, (dataset, steps, where) in zip(
            numbers[distinct], _plain_tuples(rows.loc[distinct, columns]), strict=True
        )
    }
    places = {number: place for place, number in enumerate(sorted(keys, key=keys.__getitem__))}
    metrics = {metric: place for task in tasks.TASKS.values() for place, metric in enumerate(task.metrics)}
    sorting = pd.DataFrame(
        {
            "condition": numbers.map(places).to_numpy(),
            "metric": rows.metric.map(metrics).to_numpy(),
            "who": rows.who.to_numpy(),
            "seed": rows.seed.to_numpy(),
        }
    )
    return rows.iloc[sorting.sort_values(["condition", "metric", "who", "seed"], kind="stable").index]


def _plain_tuples(rows: pd.DataFrame) -> list[tuple[Any, ...]]:
    plain = rows.astype(object)
    return list(plain.where(plain.notna(), -1).itertuples(index=False, name=None))


def _natural(text: str) -> tuple[tuple[float, str], ...]:
    """A key by which 8 comes before 64, and "a" before "a, b=1"."""
    parts = re.split(r"(\d+(?:\.\d+)?)", text)
    return tuple((float(part), "") if place % 2 else (-1.0, part) for place, part in enumerate(parts))


@once
def of_task(rows: pd.DataFrame, task: str) -> pd.DataFrame:
    """The rows of a task, named and in the order of tables."""
    named = name_conditions(rows)
    return in_order(whole(named[named.task == task]))


def whole(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without those of `cut_off`."""
    return rows[~_is_cut_off(rows)]


def cut_off(rows: pd.DataFrame) -> pd.DataFrame:
    """What cells that failed or ran out of time had measured until then: points of curves, no results."""
    return rows[_is_cut_off(rows)]


def _is_cut_off(rows: pd.DataFrame) -> pd.Series:
    return rows.value.notna() & rows.status.isin(CUT_OFF)


def mean_over_layers(rows: pd.DataFrame) -> pd.DataFrame:
    """Named rows with one value a seed where a network has one a layer: their mean, every layer counting alike.

    A layer without a number leaves no mean, and says why.
    """
    apart = ("value", "layer", "status", "detail", "run", "cell", "unit")
    keys = [str(name) for name in rows if name not in apart]
    rows = rows.assign(whole=codes(rows, keys), fine=rows.status == "ok")
    values = rows.groupby("whole").value
    means = values.mean().where(values.size() == values.count())
    first = rows.sort_values(["whole", "fine"], kind="stable").drop_duplicates("whole")
    made = first.assign(value=means.to_numpy(), detail=first.detail.where(~first.fine, ""), layer=None)
    return made.drop(columns=["whole", "fine", "run", "cell", "unit"]).reset_index(drop=True)


def same_for_all(rows: pd.DataFrame) -> str:
    """What is the same for all conditions of the rows, as the sentence that a caption ends with.

    T is the one that ran, if all ran over the same; what was asked for says nothing of sequences.
    """
    facts = common(rows)
    lengths = (rows.ran if "ran" in rows else rows.timesteps).dropna().unique()
    facts.pop("timesteps", None)
    if len(lengths) == 1:
        facts["T"] = int(lengths[0])
    told = [f"{name}={value}" for name, value in facts.items()]
    return f"Same for all: {', '.join(told)}." if told else ""


def common(rows: pd.DataFrame) -> dict[str, Any]:
    """What is the same for all conditions of the rows, by name: how they ran and what was asked."""
    distinct = identified(rows).drop_duplicates(list(IDENTITY))
    facts = [
        {**{name: own[name] for name in RAN if not pd.isna(own[name])}, **asked(own)}
        for own in distinct.to_dict("records")
    ]
    if not facts:
        return {}
    return {name: value for name, value in facts[0].items() if all(own.get(name) == value for own in facts)}
