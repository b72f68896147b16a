"""Firing rates of trained networks by layer (CLIF paper, Figure 11)."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report import style
from suite.report.conditions import only_seeds
from suite.report.table import Table
from suite.studies.base import Scale, Study, by_seed, mean_of, paired, table_of
from suite.studies.verdicts import Check, Evidence
from tasks import Cell

MODELS = ["lif", "plif", "klif", "glif", "clif"]


def grid(scale: Scale) -> list[Cell]:
    return scale.cells("accuracy", MODELS)


def _rates(rows: pd.DataFrame) -> pd.DataFrame:
    chosen = rows[rows.metric == "firing_rate"]
    return chosen.assign(layer=chosen.layer.astype(str).str.replace("neurons.", "layer "))


def evidence(rows: pd.DataFrame) -> dict[str, Evidence | Check]:
    lif, clif = (by_seed(rows, "firing_rate", ["layer"], neuron=name) for name in ("lif", "clif"))
    return {"fires_less": Evidence(f"CLIF {mean_of(clif)}, LIF {mean_of(lif)}", paired(clif, lif))}


def table(rows: pd.DataFrame) -> Table:
    caption = "Spikes for each neuron and step on the test set. Mean ± 95 % t-interval over seeds."
    return table_of(
        "study_firing_rate", "Firing rate after training.", caption, _rates(rows), "neuron", "layer", digits=3
    )


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    return only_seeds(_rates(rows), ["neuron", "layer"])


def draw(data: pd.DataFrame) -> Figure:
    order = style.ordered(data.neuron)
    grid = sns.catplot(
        data,
        x="layer",
        y="value",
        hue="neuron",
        hue_order=order,
        palette=style.colours(order),
        kind="bar",
        errorbar=None,
        height=2.8,
        aspect=2.0,
    )
    grid.ax.tick_params(axis="x", rotation=45)
    return grid.set_axis_labels("", "spikes per neuron and step").figure


PICTURED = "Spikes of a neuron and step by layer and neuron, means over seeds."
STUDY = Study("firing_rate", 8, "Firing rate by layer", grid, evidence, table, shown, draw, PICTURED)
