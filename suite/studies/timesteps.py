"""Accuracy against the number of time steps (CLIF paper, Figures 2b and 3b)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report import style
from suite.report.conditions import only_seeds
from suite.report.plots import interval
from suite.report.table import Table
from suite.studies.base import Scale, Study, accuracy_contrast, by_seed, mean_of, table_of
from suite.studies.verdicts import Check, Evidence
from tasks import Cell

STEPS = {"smoke": [1, 2, 4], "quick": [1, 2, 4, 8, 16, 32, 64], "full": [1, 2, 4, 8, 16, 32, 64]}
PEAK = 32
"""The T of LIF's peak (Figure 2b): a decline is claimed beyond it alone."""


def grid(scale: Scale) -> list[Cell]:
    return [cell for T in STEPS[scale.profile] for cell in scale.cells("accuracy", ["lif", "clif"], timesteps=T)]


def evidence(rows: pd.DataFrame) -> dict[str, Evidence | Check]:
    lengths = sorted(int(T) for T in rows.timesteps.unique())
    at = {
        (neuron, T): rows[(rows.neuron == neuron) & (rows.timesteps == T)]
        for neuron in ("lif", "clif")
        for T in lengths
    }
    found: dict[str, Evidence | Check] = {}
    if 1 in lengths:
        single = by_seed(at["clif", 1], "accuracy_final") - by_seed(at["lif", 1], "accuracy_final")
        largest = float(single.abs().max())
        found["equal_at_one_step"] = Check(
            largest == 0, f"largest difference {largest:.3g} points, {len(single)} seeds"
        )
    if 2 in lengths:
        found["better_at_two_steps"] = accuracy_contrast(at["clif", 2], at["lif", 2], ("CLIF", "LIF"))
    longer = rows[rows.timesteps >= 2]
    every = [longer[longer.neuron == neuron] for neuron in ("clif", "lif")]
    mean = accuracy_contrast(every[0], every[1], ("CLIF", "LIF"), over=["timesteps"])
    found["better_at_every_length"] = replace(mean, beside=f"{mean.beside}; by T: {_by_length(at, lengths)}")
    longest = lengths[-1]
    if longest // 2 in lengths and longest >= 4:
        for claim, neuron in (("lif_declines", "lif"), ("clif_keeps_rising", "clif")):
            names = (f"T = {longest}", f"T = {longest // 2}")
            contrast = accuracy_contrast(at[neuron, longest], at[neuron, longest // 2], names)
            void = ""
            if claim == "lif_declines" and longest <= PEAK:
                void = f"T ends at {longest} here, and the paper has LIF's decline beyond {PEAK}"
            found[claim] = replace(contrast, void=void)
    return found


def _by_length(at: Mapping[tuple[str, int], pd.DataFrame], lengths: Sequence[int]) -> str:
    """CLIF − LIF at each T from 2 on, which a mean over them hides."""
    final = {key: by_seed(rows, "accuracy_final") for key, rows in at.items()}
    return ", ".join(f"{T}: {mean_of(final['clif', T] - final['lif', T])}" for T in lengths if T >= 2)


def table(rows: pd.DataFrame) -> Table:
    chosen = rows[rows.metric == "accuracy_final"]
    caption = "Columns: time steps T. Mean ± 95 % t-interval over seeds."
    return table_of("study_timesteps", "Accuracy by time steps (%).", caption, chosen, "neuron", "timesteps")


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    chosen = only_seeds(rows[rows.metric == "accuracy_final"], ["neuron", "timesteps"])
    return chosen.assign(timesteps=chosen.timesteps.astype(int))


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


PICTURED = "Test accuracy by time steps and neuron: mean and 95 % interval over seeds."
STUDY = Study("timesteps", 2, "Accuracy against time steps", grid, evidence, table, shown, draw, PICTURED)
