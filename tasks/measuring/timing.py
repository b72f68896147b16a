"""Interleaved timing: every contender once a round, in turn, so that ratios hold while the machine's speed drifts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

import neurons
from neurons import backends
from tasks.base import Cell, Value

K = TypeVar("K")
W = TypeVar("W")

MINIMUM_SECONDS = 0.002
"""A measured sample repeats its work until it lasts at least this long."""
BASELINE = "lif"
BASELINE_WORK = "baseline"
COPY_WORK = "copy"
"""Names of two works that run in every round beside the contenders."""


@dataclass(frozen=True)
class Spread:
    """Seconds of one call over the rounds: median, 20th and 80th percentile.

    Attributes:
        rounds: the seconds of each round, in order.
    """

    p20: float
    p50: float
    p80: float
    rounds: tuple[float, ...] = ()

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Spread:
        if len(seconds) == 1:
            return cls(seconds[0], seconds[0], seconds[0], tuple(seconds))
        cuts = statistics.quantiles(seconds, n=10, method="inclusive")
        return cls(cuts[1], statistics.median(seconds), cuts[7], tuple(seconds))

    def over(self, other: Spread) -> Spread:
        """The ratio to another of the same rounds, round by round: what slows one round slows both."""
        if len(self.rounds) != len(other.rounds) or not self.rounds:
            return Spread(self.p20 / other.p80, self.p50 / other.p50, self.p80 / other.p20)
        return Spread.of([own / base for own, base in zip(self.rounds, other.rounds, strict=True)])


def interleave(works: Mapping[K, Callable[[], object]], rounds: int) -> dict[K, Spread]:
    """Time each work once a round, in turn, after one warm-up; the spread of its seconds over the rounds."""
    repeats = {}
    for key, work in works.items():
        work()
        once = _timed(work, 1)
        repeats[key] = max(1, round(MINIMUM_SECONDS / max(once, 1e-9)))
    seconds: dict[K, list[float]] = {key: [] for key in works}
    for _ in range(rounds):
        for key, work in works.items():
            seconds[key].append(_timed(work, repeats[key]))
    return {key: Spread.of(values) for key, values in seconds.items()}


def spread_values(metric: str, spread: Spread, factor: float = 1.0) -> Iterator[Value]:
    """Median and percentiles of a timing as METRIC, METRIC_p20 and METRIC_p80, each times `factor`."""
    yield Value(metric, factor * spread.p50)
    yield Value(f"{metric}_p20", factor * spread.p20)
    yield Value(f"{metric}_p80", factor * spread.p80)


def baseline_of(cell: Cell, device: torch.device) -> Cell:
    """What the times of a cell are held against: LIF by the fused kernel of the device, with its own constants.

    Raises:
        BackendUnavailable: the device has no fused backend.
    """
    backend = backends.resolve("auto", neurons.get(BASELINE), device)
    settings = {name: value for name, value in cell.settings.items() if not name.startswith("neuron.")}
    return replace(cell, neuron=BASELINE, backend=backend, settings={**settings, "protocol": "controlled"})


def add_baseline(
    cells: Sequence[Cell], contenders: dict[Hashable, W], device: torch.device, prepare: Callable[[Cell], W]
) -> tuple[Hashable, str]:
    """Put the baseline among the contenders of a batch (by their place in `cells`), unless it is one of the cells.

    Returns:
        Its key among the contenders, and why there is none (then the key is None).
    """
    try:
        wanted = baseline_of(cells[0], device)
        for index, cell in enumerate(cells):
            if index in contenders and cell == replace(wanted, seed=cell.seed):
                return index, ""
        contenders[BASELINE_WORK] = prepare(wanted)
    except Exception as error:
        return None, f"no ratio to {BASELINE}: {error}"
    return BASELINE_WORK, ""


def _timed(work: Callable[[], object], repeats: int) -> float:
    _synchronize()
    started = time.perf_counter()
    for _ in range(repeats):
        work()
    _synchronize()
    return (time.perf_counter() - started) / repeats


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
