"""Whether a metric changed between two runs, and how one can tell. See "compare" in suite/statistics/README.md."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from suite.compare.pairs import Pair
from suite.statistics import SIGNIFICANCE, holm
from suite.statistics.lazily import stats

FEWEST_SEEDS = 3
TIMING_CHANGE = 0.1
"""Timings have one value a run: a change is told from this share on, if the spreads of the rounds do not meet."""
ROUNDING = 1e-9
"""Values closer than this, relative to the larger, are equal."""
OUTLIER = 10.0
"""One seed moved if it moved this many times as far as the others, and as their values lie apart."""

Verdict = Literal["better", "worse", "changed", "not testable", "differs", "equal"]


@dataclass(frozen=True)
class Judgement:
    """What is said of a pair.

    Attributes:
        verdict: better, worse, or changed where neither direction is good; `not testable` if the values differ but the
            seeds are too few; `differs` if they do within noise; equal.
        evidence: how one can tell, in words.
        before, after: the values that show it.
    """

    pair: Pair
    verdict: Verdict
    evidence: str = ""
    before: float = math.nan
    after: float = math.nan

    @property
    def told(self) -> bool:
        return self.verdict not in ("differs", "equal")


def judge(pairs: Sequence[Pair]) -> list[Judgement]:
    """Judge every pair; p values are corrected over the conditions of one task and metric that can be tested."""
    first = [_without_test(pair) for pair in pairs]
    testable = [place for place, judgement in enumerate(first) if judgement is None]
    families: dict[tuple[str, str], list[int]] = {}
    for place in testable:
        asked = pairs[place].asked
        families.setdefault((asked["task"], asked["metric"]), []).append(place)
    corrected: dict[int, float] = {}
    for places in families.values():
        steps = _steps([pairs[place] for place in places])
        p_values = [p_value(*_common(pairs[place]), _floor(pairs[place], steps)) for place in places]
        corrected |= dict(zip(places, holm(p_values), strict=True))
        for place in places:
            first[place] = _tested(pairs[place], corrected[place], steps)
    return [judgement for judgement in first if judgement is not None]


def _without_test(pair: Pair) -> Judgement | None:
    """The judgement that needs no test over seeds; None if one does."""
    if pair.units[0] != pair.units[1] and all(pair.units):
        return Judgement(pair, "changed", f"unit: {pair.units[0]} → {pair.units[1]}", *_means(pair))
    for seed in sorted(set(pair.first) & set(pair.second)):
        before, after = pair.first[seed], pair.second[seed]
        if not (math.isfinite(before) and math.isfinite(after)) and not _equal(before, after):
            verdict: Verdict = "worse" if math.isfinite(before) else "better" if math.isfinite(after) else "changed"
            return Judgement(pair, verdict, f"seed {seed}", before, after)
    values = list(zip(*_common(pair), strict=True))
    if all(_equal(a, b) for a, b in values):
        return Judgement(pair, "equal")
    if pair.timed:
        return _timing(pair)
    if pair.exact:
        return Judgement(pair, direction(pair, *_means(pair)), "exact", *_means(pair))
    if len(values) < FEWEST_SEEDS:
        if pair.same_code:
            return Judgement(pair, direction(pair, *_means(pair)), "the same code gave another value", *_means(pair))
        seeds = "1 seed" if len(values) == 1 else f"{len(values)} seeds"
        return Judgement(pair, "not testable", f"{seeds}: {FEWEST_SEEDS} are needed", *_means(pair))
    return None


def _tested(pair: Pair, p: float, steps: Mapping[str, float]) -> Judgement:
    if p < SIGNIFICANCE:
        return Judgement(
            pair, direction(pair, *_means(pair)), f"p = {p:.2g}" if p >= 0.001 else "p < 0.001", *_means(pair)
        )
    seed = outlier(pair, steps.get(_place(pair), 0.0))
    if seed is not None:
        before, after = pair.first[seed], pair.second[seed]
        return Judgement(pair, direction(pair, before, after), f"seed {seed} alone", before, after)
    return Judgement(pair, "differs", "", *_means(pair))


def _timing(pair: Pair) -> Judgement:
    before, after = _means(pair)
    if before > 0 and abs(after / before - 1) <= TIMING_CHANGE:
        return Judgement(pair, "differs", "", before, after)
    if pair.spread is None:
        return Judgement(pair, direction(pair, before, after), "one value", before, after)
    (low, high), (new_low, new_high) = pair.spread
    if new_low <= high and low <= new_high:
        return Judgement(pair, "differs", "", before, after)
    return Judgement(pair, direction(pair, before, after), "rounds apart", before, after)


def p_value(before: Sequence[float], after: Sequence[float], floor: float) -> float:
    """Two-sided, that nothing changed: the smaller of two t-tests, doubled.

    The paired one is the sharper where both runs share what a seed decides, the one of two samples (Student's) where a
    change of the code has made them independent.

    Args:
        floor: the least standard deviation that a difference is believed to have.
    """
    a, b = np.asarray(before), np.asarray(after)
    count, change = len(a), float(np.mean(b - a))
    paired = max(float(np.std(b - a, ddof=1)), floor) / math.sqrt(count)
    pooled = max(math.sqrt((np.var(a, ddof=1) + np.var(b, ddof=1)) / 2), floor) * math.sqrt(2 / count)
    tests = [
        2 * stats.t.sf(abs(change) / error, degrees) if error > ROUNDING * abs(change) else 0.0
        for error, degrees in ((paired, count - 1), (pooled, 2 * (count - 1)))
    ]
    return float(min(1.0, 2 * min(tests))) if change else 1.0


def outlier(pair: Pair, step: float) -> int | None:
    """The seed that moved far beyond all others and beyond where they lay before; None if none did."""
    seeds = sorted(set(pair.first) & set(pair.second))
    moves = {seed: abs(pair.second[seed] - pair.first[seed]) for seed in seeds}
    seed = max(seeds, key=lambda own: moves[own])
    others = max((moves[own] for own in seeds if own != seed), default=0.0)
    values = [pair.first[own] for own in seeds]
    return seed if moves[seed] > OUTLIER * max(others, max(values) - min(values), step) else None


def _steps(pairs: Sequence[Pair]) -> dict[str, float]:
    """How finely a metric is resolved on a data set: the smallest distance of two of its values.

    An accuracy of 360 samples moves by 0.28 points at least, so that equal moves of three seeds are no rare chance.
    """
    values: dict[str, set[float]] = {}
    for pair in pairs:
        values.setdefault(_place(pair), set()).update(pair.first.values(), pair.second.values())
    steps = {}
    for place, own in values.items():
        ordered = sorted(own)
        gaps = [b - a for a, b in itertools.pairwise(ordered) if not _equal(a, b)]
        steps[place] = min(gaps, default=0.0)
    return steps


def _floor(pair: Pair, steps: Mapping[str, float]) -> float:
    """What is deterministic gives the same bits, so the same code has no noise to allow for."""
    return 0.0 if pair.same_code else steps[_place(pair)] / 2


def _place(pair: Pair) -> str:
    return str(pair.asked["dataset"])


def _common(pair: Pair) -> tuple[list[float], list[float]]:
    seeds = sorted(set(pair.first) & set(pair.second))
    finite = [seed for seed in seeds if math.isfinite(pair.first[seed]) and math.isfinite(pair.second[seed])]
    return [pair.first[seed] for seed in finite], [pair.second[seed] for seed in finite]


def _means(pair: Pair) -> tuple[float, float]:
    before, after = _common(pair)
    return (sum(before) / len(before), sum(after) / len(after)) if before else (math.nan, math.nan)


def _equal(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=ROUNDING, abs_tol=0.0) or (math.isnan(a) and math.isnan(b))


def direction(pair: Pair, before: float, after: float) -> Verdict:
    """Whether a move is for the better, by what the metric says of itself."""
    better = pair.metric.better if pair.metric is not None else None
    if better is None:
        return "changed"
    return "better" if (after > before) == (better == "higher") else "worse"
