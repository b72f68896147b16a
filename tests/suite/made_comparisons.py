"""Comparisons of runs made by hand, for tests of what is told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from suite.compare import Comparison, compare
from tests.suite.made_runs import make_run
from tests.suite.report.handmade import Record, accuracy

BASE = [97.0, 97.3, 96.9]


def told(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Neuron, metric and verdict of each line."""
    header = list(comparison.header)
    metric, verdict = header.index("metric") - 1, header.index("verdict") - 1
    return [(where.split()[0], row[metric].text, row[verdict].text) for where, row in comparison.rows]


def of(tmp_path: Path, *runs: Sequence[Record], commits: str = "ab", **more: Any) -> Comparison:
    """The comparison of runs of these rows, by default of two commits."""
    folders = [
        make_run(tmp_path / f"run{place}", rows, commit=commits[min(place, len(commits) - 1)])
        for place, rows in enumerate(runs)
    ]
    return compare(folders, any_machine=False, **more)


def many(values: Mapping[str, Sequence[float]], **more: Any) -> list[Record]:
    return [record for neuron, own in values.items() for record in accuracy(neuron, "digits", own, **more)]


def single(metric: str, value: float, task: str = "throughput", **more: Any) -> list[Record]:
    return [{"task": task, "neuron": "lif", "metric": metric, "timesteps": 8, "value": value, **more}]
