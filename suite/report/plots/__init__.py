"""The plots of a report, each from the rows alone."""

from __future__ import annotations

from suite.report.plots import accuracy, gradient, learning, profiles, ranks, speed, tuning
from suite.report.plots.accuracy import of_baseline
from suite.report.plots.base import Plot, Shown, interval

PLOTS: list[Plot] = [
    *accuracy.PLOTS,
    *gradient.PLOTS,
    *learning.PLOTS,
    *speed.PLOTS,
    *tuning.PLOTS,
    *profiles.PLOTS,
    *ranks.PLOTS,
]
"""Those that need no baseline; `of_baseline` makes the one that does."""

__all__ = ["PLOTS", "Plot", "Shown", "interval", "of_baseline"]
