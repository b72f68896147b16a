"""What changed between two runs, beyond noise."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats

import tasks
from suite.report.table import Entry, Table
from suite.store import RunError, read_provenance, read_results

KEYS = ["task", "dataset", "network", "neuron", "backend", "protocol", "timesteps", "settings", "metric"]
SIGNIFICANT = 0.05
FEWEST_SEEDS = 3
TIMING_CHANGE = 0.1
"""Timings have one value a run: a change is told from this share on."""


def compare(first: Path, second: Path, any_machine: bool) -> Table:
    """A table of the metrics that differ.

    Metrics over seeds are compared by Welch's t-test with Holm's correction over all comparisons; timings and memory,
    one value a run, by their ratio.

    Raises:
        RunError: the runs share nothing, or hold timings of different machines and `any_machine` is not given.
    """
    rows = [_wide(read_results(run)) for run in (first, second)]
    machines = [read_provenance(run).get("machine") for run in (first, second)]
    exclusive = [name for name, task in tasks.TASKS.items() if task.exclusive]
    if machines[0] != machines[1] and not any_machine and all(own.task.isin(exclusive).any() for own in rows):
        raise RunError(f"{first} and {second} hold timings of different machines; --any-machine compares them still")
    both = rows[0].merge(rows[1], on=KEYS, suffixes=("_first", "_second"))
    if both.empty:
        raise RunError(f"{first} and {second} measured nothing in common")
    both = both.assign(p=[_p_value(a, b) for a, b in zip(both.values_first, both.values_second, strict=True)])
    both["corrected"] = _holm(both.p)
    lines = []
    records: list[dict[str, Any]] = both.to_dict("records")  # type: ignore[assignment]
    for row in records:
        before, after = (sum(values) / len(values) for values in (row["values_first"], row["values_second"]))
        ratio = after / before if before else math.nan
        timed = row["task"] in exclusive and abs(ratio - 1) > TIMING_CHANGE
        if not (timed or row["corrected"] < SIGNIFICANT):
            continue
        where = f"{row['neuron']} {row['backend']} {row['dataset']} T={row['timesteps']}"
        p = "—" if timed else f"{row['corrected']:.3g}"
        texts = [str(row["metric"]), f"{before:.4g}", f"{after:.4g}", f"{ratio:.3f}", p]
        lines.append((where, [Entry(text) for text in texts]))
    caption = f"{len(both)} metrics compared; Welch's t-test, Holm-corrected; timings from a change of 10 % on."
    header = ["where", "metric", str(first), str(second), "ratio", "p"]
    return Table("compare", "What changed.", caption, header, lines)


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a metric with the list of its values over seeds; curves and traces left out."""
    whole = rows[(rows.status == "ok") & rows.layer.isna() & rows.step.isna() & rows.lag.isna()].copy()
    for key in KEYS:
        whole[key] = whole[key].astype(object).where(whole[key].notna(), "")
    return whole.sort_values("seed").groupby(KEYS).value.agg(list).rename("values").reset_index()


def _p_value(first: list[float], second: list[float]) -> float:
    if min(len(first), len(second)) < FEWEST_SEEDS:
        return 1.0
    if first == second:
        return 1.0
    return float(stats.ttest_ind(first, second, equal_var=False).pvalue)


def _holm(p: pd.Series) -> pd.Series:
    """Holm's step-down correction."""
    order = p.sort_values().index
    scaled = [(len(p) - rank) * p[index] for rank, index in enumerate(order)]
    return pd.Series(scaled, index=order).cummax().clip(upper=1)
