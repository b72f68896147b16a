"""What changed between runs, beyond noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats

import tasks
from suite.report.table import Entry, Table
from suite.runs.store import RunError, read_provenance, read_results
from suite.statistics import SIGNIFICANCE, holm

KEYS = ["task", "dataset", "network", "neuron", "backend", "protocol", "dtype", "timesteps", "settings", "metric"]
FEWEST_SEEDS = 3
TIMING_CHANGE = 0.1
"""Timings have one value a run: a change is told from this share on, if the spreads of the rounds do not meet."""


def compare(runs: Sequence[Path], any_machine: bool) -> Table:
    """A table of the metrics that differ between the first run and each other.

    Metrics over seeds are compared by Welch's t-test with Holm's correction over all comparisons; timings and memory,
    one value a run, by their ratio and the spread of their rounds.

    Raises:
        RunError: the runs share nothing, or hold timings of different machines and `any_machine` is not given.
    """
    first, *others = runs
    pairs = [_paired(first, other, any_machine) for other in others]
    both = pd.concat(pairs, ignore_index=True)
    both["corrected"] = holm([_p_value(a, b) for a, b in zip(both.values_first, both.values_second, strict=True)])
    exclusive = {name for name, task in tasks.TASKS.items() if task.exclusive}
    lines = []
    records: list[dict[str, Any]] = both.to_dict("records")  # type: ignore[assignment]
    for row in records:
        before, after = (sum(values) / len(values) for values in (row["values_first"], row["values_second"]))
        ratio = after / before if before else math.nan
        timed = row["task"] in exclusive
        if not (_timing_changed(row, both, ratio) if timed else row["corrected"] < SIGNIFICANCE):
            continue
        where = f"{row['neuron']} {row['backend']} {row['dataset']} T={row['timesteps']}"
        p = "—" if timed else f"{row['corrected']:.3g}"
        texts = [row["second"], str(row["metric"]), f"{before:.4g}", f"{after:.4g}", f"{ratio:.3f}", p]
        lines.append((where, [Entry(text) for text in texts]))
    caption = (
        f"{len(both)} metrics compared. Over seeds: Welch's t-test, Holm-corrected. Timings: from a change of 10 % on, "
        "if the middle three fifths of the rounds do not meet."
    )
    header = ["where", "run", "metric", str(first), "run's value", "ratio", "p"]
    return Table("compare", f"What changed against {first}.", caption, header, lines)


def _paired(first: Path, second: Path, any_machine: bool) -> pd.DataFrame:
    """One row a metric that both runs have, with the values of each over seeds."""
    rows = [_wide(read_results(run)) for run in (first, second)]
    machines = [read_provenance(run).get("machine") for run in (first, second)]
    exclusive = [name for name, task in tasks.TASKS.items() if task.exclusive]
    if machines[0] != machines[1] and not any_machine and all(own.task.isin(exclusive).any() for own in rows):
        raise RunError(f"{first} and {second} hold timings of different machines; --any-machine compares them still")
    both = rows[0].merge(rows[1], on=KEYS, suffixes=("_first", "_second"))
    if both.empty:
        raise RunError(f"{first} and {second} measured nothing in common")
    return both.assign(second=second.name)


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a metric with the list of its values over seeds; curves and traces left out."""
    whole = rows[(rows.status == "ok") & rows.layer.isna() & rows.step.isna() & rows.lag.isna()].copy()
    for key in KEYS:
        whole[key] = whole[key].astype(object).where(whole[key].notna(), "")
    return whole.sort_values("seed").groupby(KEYS).value.agg(list).rename("values").reset_index()


def _p_value(first: list[float], second: list[float]) -> float:
    if min(len(first), len(second)) < FEWEST_SEEDS or first == second:
        return 1.0
    return float(stats.ttest_ind(first, second, equal_var=False).pvalue)


def _timing_changed(row: dict[str, Any], both: pd.DataFrame, ratio: float) -> bool:
    """Whether a timing moved by more than a tenth, and beyond the spread of its rounds where that was measured."""
    if not abs(ratio - 1) > TIMING_CHANGE:
        return False
    same = both[[*KEYS[:-1], "second"]].eq([row[key] for key in [*KEYS[:-1], "second"]]).all(axis=1)
    spread = both[same & both.metric.isin([f"{row['metric']}_p20", f"{row['metric']}_p80"])].sort_values("metric")
    if len(spread) < 2:
        return True
    low_first, high_first = (values[0] for values in spread.values_first)
    low_second, high_second = (values[0] for values in spread.values_second)
    return bool(high_first < low_second or high_second < low_first)
