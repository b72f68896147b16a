"""Every study's figure: what stands on its axes, and that its means are drawn where they belong."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from suite.report.names import known
from suite.studies import studies
from tests.suite.studies.test_one_condition import MADE, one_condition

AXES = {
    "ablation": ("epoch", "loss"),
    "conversion": ("run with", "test accuracy (%)"),
    "delayed_recall": ("epochs", "test accuracy (%)"),
    "dynamics": ("time step", ""),
    "energy": ("", "nJ a sample"),
    "exchange": ("epoch", "training loss"),
    "firing_rate": ("", "spikes per neuron and step"),
    "loss_curves": ("epoch", "loss"),
    "neurons": ("", "test accuracy (%)"),
    "neuroseqbench": ("test accuracy (%)", ""),
    "temporal_gradient": ("lag (steps)", r"mean $|\mathcal{T}|$"),
    "temporal_need": ("test accuracy (%)", ""),
    "timesteps": ("time steps T", "test accuracy (%)"),
    "truncation": ("time steps k kept by BPTT", "time constant tau"),
}
"""Below and beside the panels."""
LYING = {"neuroseqbench": ("neuron", "tau", "network"), "temporal_need": ("dataset", "time")}
"""Studies whose values lie across, and what a mean is of."""
ACROSS = {
    "ablation": "epoch",
    "conversion": "run_with",
    "delayed_recall": "epochs",
    "dynamics": "step",
    "energy": "neuron",
    "exchange": "epoch",
    "firing_rate": "layer",
    "loss_curves": "epoch",
    "neurons": "neuron",
    "temporal_gradient": "lag",
    "timesteps": "timesteps",
}
"""What a panel shows across."""


def drawn(figure: Figure) -> tuple[set[float], set[float]]:
    """The places of all lines, points and bars: numbers across (names have none), and up."""
    across: set[float] = set()
    up: set[float] = set()
    for axes in figure.axes:
        for line in axes.lines:
            across |= {float(own) for own in np.asarray(line.get_xdata(), dtype=float)}
            up |= {float(own) for own in np.asarray(line.get_ydata(), dtype=float)}
        up |= {bar.get_height() for bar in axes.patches}  # type: ignore[attr-defined]
    return across, up


def is_in(value: float, places: set[float]) -> bool:
    return any(math.isclose(value, place, rel_tol=1e-6, abs_tol=1e-12) for place in places)


@pytest.mark.parametrize("name", MADE)
def test_axes_and_means(name: str) -> None:
    plot = studies()[name].plot
    data = plot.data(one_condition(name))
    assert data is not None
    figure = plot.draw(data)
    try:
        names = [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]
        assert (max(x for x, _ in names), max(y for _, y in names)) == AXES[name]
        figure.canvas.draw()
        words = {text.get_text() for text in figure.findobj(Text)}
        assert {word for word in words if known(word) != word} == set(), "neurons and data sets as papers write them"
        if name == "truncation":
            texts = [text.get_text() for text in figure.axes[0].texts]
            assert texts == [f"{value:.1f}" for value in data.pivot(index="tau", columns="k", values="value").stack()]
            return
        across, up = drawn(figure)
        if name in LYING:
            for _, value in data.groupby(list(LYING[name])).value.mean().items():
                assert is_in(value, across), value
            return
        column = ACROSS[name]
        if np.issubdtype(np.asarray(data[column]).dtype, np.number):
            assert all(is_in(float(place), across) for place in data[column].unique())
        sides = [own for own in ("neuron", "model", "training", "layer", "metric", "loss", "tau") if own in data]
        for _, value in data.groupby(list(dict.fromkeys([column, *sides])), dropna=False).value.mean().items():
            assert is_in(value, up), (column, value)
    finally:
        plt.close("all")
