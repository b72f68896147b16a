"""Accuracy against the number of time steps (CLIF paper, Figures 2b and 3b)."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report import style
from suite.report.plots import interval
from suite.report.table import Table
from suite.statistics import Estimate
from suite.studies.base import Finding, Scale, Study, by_seed, judge, judge_equal, mean_of, paired, table_of
from tasks import Cell

STEPS = [1, 2, 4, 8, 16, 32, 64]


def grid(scale: Scale) -> list[Cell]:
    steps = STEPS[:2] if scale.smoke else STEPS
    return [cell for T in steps for cell in scale.cells("accuracy", ["lif", "clif"], 4, timesteps=T)]


def _accuracy(rows: pd.DataFrame, neuron: str, steps: int) -> pd.Series:
    return by_seed(rows, "accuracy_selected", neuron=neuron, timesteps=steps)


def findings(rows: pd.DataFrame) -> list[Finding]:
    longest = int(rows.timesteps.max())
    single = paired(_accuracy(rows, "clif", 1), _accuracy(rows, "lif", 1))
    gain = _accuracy(rows, "clif", longest) - _accuracy(rows, "clif", 1)
    gain_lif = _accuracy(rows, "lif", longest) - _accuracy(rows, "lif", 1)
    lif, clif = _accuracy(rows, "lif", longest), _accuracy(rows, "clif", longest)
    return [
        judge_equal(
            "at T = 1 CLIF and LIF are the same network",
            "92.7 % for both (text)",
            f"CLIF {mean_of(_accuracy(rows, 'clif', 1))}, LIF {mean_of(_accuracy(rows, 'lif', 1))}",
            single,
            "percentage points",
        ),
        judge(
            f"CLIF gains more from time steps than LIF (T = 1 to {longest})",
            "Figure 3b: CLIF keeps rising, LIF falls at large T",
            f"gain of CLIF {mean_of(gain)}, of LIF {mean_of(gain_lif)}",
            Estimate.of(list((gain - gain_lif).dropna())),
            "percentage points",
            "positive",
        ),
        judge(
            f"at T = {longest} CLIF is more accurate than LIF",
            "Figure 3b",
            f"CLIF {mean_of(clif)}, LIF {mean_of(lif)}",
            paired(clif, lif),
            "percentage points",
            "positive",
        ),
    ]


def table(rows: pd.DataFrame) -> Table:
    chosen = rows[rows.metric == "accuracy_selected"]
    caption = "Columns: time steps T. Mean ± 95 % t-interval over seeds."
    return table_of("study_timesteps", "Accuracy by time steps (%).", caption, chosen, "neuron", "timesteps")


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    return rows[rows.metric == "accuracy_selected"].assign(timesteps=lambda frame: frame.timesteps.astype(int))


def draw(data: pd.DataFrame) -> Figure:
    order = style.ordered(data.neuron)
    grid = sns.relplot(
        data,
        x="timesteps",
        y="value",
        hue="neuron",
        style="neuron",
        markers=True,
        kind="line",
        errorbar=interval,
        hue_order=order,
        palette=style.colours(order),
        height=2.8,
        aspect=1.5,
    )
    grid.set(xscale="log").ax.set_xscale("log", base=2)
    return grid.set_axis_labels("time steps T", "test accuracy (%)").figure


STUDY = Study("timesteps", 2, "Accuracy against time steps", "Figures 2b, 3b", grid, findings, table, shown, draw)
