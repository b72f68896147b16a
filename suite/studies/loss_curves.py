"""Training and test loss by epoch (CLIF paper, Figure 10)."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report import style
from suite.report.plots import interval
from suite.report.table import Table
from suite.studies.base import Finding, Scale, Study, by_seed, judge, mean_of, paired, table_of
from tasks import Cell


def grid(scale: Scale) -> list[Cell]:
    return scale.cells("accuracy", ["lif", "clif"])


def _last(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows.metric.isin(["train_loss", "test_loss"]) & (rows.step == rows.step.max())]


def findings(rows: pd.DataFrame) -> list[Finding]:
    result = []
    for metric, words in (("train_loss", "training"), ("test_loss", "test")):
        lif, clif = (by_seed(_last(rows), metric, neuron=name) for name in ("lif", "clif"))
        claim = f"CLIF ends with a lower {words} loss than LIF"
        measured = f"CLIF {mean_of(clif)}, LIF {mean_of(lif)}"
        result.append(judge(claim, "Figure 10", measured, paired(clif, lif), "loss", "negative"))
    return result


def table(rows: pd.DataFrame) -> Table:
    caption = "After the last epoch. Mean ± 95 % t-interval over seeds."
    return table_of("study_loss_curves", "Loss after training.", caption, _last(rows), "neuron", "metric", digits=3)


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    chosen = rows[rows.metric.isin(["train_loss", "test_loss"])]
    chosen = chosen.assign(epoch=chosen.step.astype(int), part=chosen.metric.str.replace("_loss", ""))
    return chosen


def draw(data: pd.DataFrame) -> Figure:
    order = style.ordered(data.neuron)
    grid = sns.relplot(
        data,
        x="epoch",
        y="value",
        hue="neuron",
        hue_order=order,
        palette=style.colours(order),
        col="part",
        kind="line",
        errorbar=interval,
        height=2.8,
        aspect=1.2,
    )
    return grid.set_titles("{col_name} loss").set_axis_labels("epoch", "loss").figure


STUDY = Study("loss_curves", 6, "Loss curves", "Figure 10", grid, findings, table, shown, draw)
