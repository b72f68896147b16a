"""Many paired comparisons corrected together: the step-down maximum of Westfall and Young, by exchanging signs."""

from __future__ import annotations

from functools import cache

import numpy as np

ALL_SIGNS_UP_TO = 12
"""Seeds up to which all 2^n assignments of signs are tried; beyond that RANDOM_SIGNS random ones."""
RANDOM_SIGNS = 9999
TOGETHER = 1000
"""Assignments that are tried at a time: those of thousands of seeds would fill the memory."""
ROUNDING = 1e-9
"""Statistics that lie closer than this are equal: what is left is the rounding of sums."""


def step_down_p_values(differences: np.ndarray) -> np.ndarray:
    """Two-sided p values of paired differences, corrected over all comparisons (Westfall & Young 1993, algorithm 2.8).

    Under the null hypothesis a seed's differences are as likely as their negatives. A seed's sign is exchanged for all
    comparisons at once, which keeps how these hang together; the statistic is |Σ d| / √(Σ d²), which orders a
    comparison's assignments as Student's t does. A comparison is held against the largest statistic of its own and all
    weaker ones, so that one more comparison costs only what it adds to that maximum. The least p is 2/2ⁿ for n seeds,
    however many comparisons there are.

    Args:
        differences: [comparisons, seeds]; NaN where a comparison lacks a seed.

    Returns:
        [comparisons]; 1 for one without a difference.
    """
    given = np.nan_to_num(np.asarray(differences, dtype=float))
    if not given.size:
        return np.ones(len(given))
    given = given[:, given.any(axis=0)]
    sizes = np.sqrt((given**2).sum(axis=1))
    unit = np.divide(given, sizes[:, None], out=np.zeros_like(given), where=sizes[:, None] > 0)
    signs = _signs(given.shape[1])
    order = np.argsort(-np.abs(unit.sum(axis=1)), kind="stable")
    parts = range(0, signs.shape[1], TOGETHER)
    tried = np.abs(np.hstack([unit[order] @ signs[:, begin : begin + TOGETHER].astype(float) for begin in parts]))
    largest = np.maximum.accumulate(tried[::-1], axis=0)[::-1]
    shares = (largest >= tried[:, :1] - ROUNDING).mean(axis=1)  # the first assignment is what was observed
    corrected = np.empty(len(given))
    corrected[order] = np.maximum.accumulate(shares)
    return corrected


@cache
def _signs(seeds: int) -> np.ndarray:
    """Assignments of signs, [seeds, assignments], the first all +; one of each two that differ by −1 alone."""
    if seeds <= ALL_SIGNS_UP_TO:
        numbers = np.arange(2 ** max(seeds - 1, 0))
        return (1 - 2 * (numbers[None, :] >> np.arange(seeds)[:, None] & 1)).astype(np.int8)
    generator = np.random.default_rng(0)
    signs = np.ones((seeds, 1 + RANDOM_SIGNS), np.int8)
    for own in signs:
        own[1:] = generator.choice(np.array([-1, 1], np.int8), size=RANDOM_SIGNS)
    return signs
