"""LIF exchanged for CLIF in the middle of training (CLIF paper, Figure 3a)."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report.table import Table
from suite.studies.base import EPOCHS, Finding, Scale, Study, by_seed, by_setting, judge, mean_of, paired, table_of
from tasks import Cell

COLOURS = {"lif": "#0173b2", "lif → clif": "#cc78bc"}


def grid(scale: Scale) -> list[Cell]:
    at = EPOCHS[scale.profile] // 2
    exchanged = scale.cells("accuracy", ["lif"], exchange_to="clif", exchange_at=at)
    return scale.cells("accuracy", ["lif"]) + exchanged


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    chosen = by_setting(rows, "exchange_to", "exchange_at")
    return chosen.assign(
        training=chosen.exchange_to.map(lambda name: f"lif → {name}" if isinstance(name, str) else "lif")
    )


def findings(rows: pd.DataFrame) -> list[Finding]:
    chosen = _named(rows)
    last = chosen.step.max()
    final = chosen[(chosen.metric == "train_loss") & (chosen.step == last)]
    plain, exchanged = (by_seed(final, "train_loss", training=name) for name in COLOURS)
    return [
        judge(
            "after the exchange of LIF for CLIF the training loss falls below that of LIF",
            "Figure 3a",
            f"final training loss: LIF {mean_of(plain)}, exchanged {mean_of(exchanged)}",
            paired(exchanged, plain),
            "loss",
            "negative",
        )
    ]


def table(rows: pd.DataFrame) -> Table:
    chosen = _named(rows[rows.metric.isin(["accuracy_selected", "accuracy_final"])])
    caption = "Mean ± 95 % t-interval over seeds."
    return table_of("study_exchange", "Accuracy with and without exchange (%).", caption, chosen, "training", "metric")


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    chosen = _named(rows[rows.metric == "train_loss"])
    chosen = chosen.assign(epoch=chosen.step.astype(int))
    return chosen


def draw(data: pd.DataFrame) -> Figure:
    grid = sns.relplot(
        data,
        x="epoch",
        y="value",
        hue="training",
        palette=COLOURS,
        kind="line",
        errorbar=("sd", 1),
        height=2.8,
        aspect=1.5,
    )
    grid.ax.axvline(data.exchange_at.max() + 0.5, color="0.6", linestyle=":", linewidth=1)
    return grid.set_axis_labels("epoch", "training loss").figure


STUDY = Study("exchange", 5, "Exchange of the neuron in training", "Figure 3a", grid, findings, table, shown, draw)
