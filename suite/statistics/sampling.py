"""How far an accuracy would move with another test set of the same size."""

from __future__ import annotations

import math

import numpy as np

from suite.statistics.estimate import CONFIDENCE
from suite.statistics.lazily import stats


def sampling_half_width(answers: np.ndarray, shared: bool) -> float:
    """The 95 % half width of a mean over test samples, normal; the seeds are taken as they are.

    Args:
        answers: [seeds, samples]: 1 for a right answer, 0 for a wrong one; or their differences between two models.
        shared: all seeds saw the same samples, in one order, so that a sample's answers hang together; else each seed
            has samples of its own.

    Returns:
        In the unit of `answers`; NaN from fewer than two samples.
    """
    each = np.asarray(answers, dtype=float)
    values = each.mean(axis=0) if shared else each.ravel()
    if len(values) < 2:
        return math.nan
    return float(stats.norm.ppf((1 + CONFIDENCE) / 2) * values.std(ddof=1) / math.sqrt(len(values)))
