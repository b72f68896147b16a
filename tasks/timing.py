"""Interleaved timing: every contender once a round, in turn, so that ratios hold while the machine's speed drifts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

K = TypeVar("K")

MINIMUM_SECONDS = 0.002
"""A measured sample repeats its work until it lasts at least this long."""


@dataclass(frozen=True)
class Spread:
    """Seconds of one call over the rounds: median, 20th and 80th percentile."""

    p20: float
    p50: float
    p80: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Spread:
        if len(seconds) == 1:
            return cls(seconds[0], seconds[0], seconds[0])
        cuts = statistics.quantiles(seconds, n=10, method="inclusive")
        return cls(cuts[1], statistics.median(seconds), cuts[7])


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
