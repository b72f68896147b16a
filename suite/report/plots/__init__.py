"""The plots of a report, each from the rows alone."""

from __future__ import annotations

from suite.report.plots import accuracy, gradient, learning, speed
from suite.report.plots.base import Plot, interval

PLOTS: list[Plot] = [*accuracy.PLOTS, *gradient.PLOTS, *learning.PLOTS, *speed.PLOTS]

__all__ = ["PLOTS", "Plot", "interval"]
