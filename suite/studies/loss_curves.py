"""Training and test loss by epoch (CLIF paper, Figure 10)."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report import style
from suite.report.conditions import only_seeds
from suite.report.plots import interval
from suite.report.table import Table, format_estimate
from suite.studies.base import Scale, Study, by_seed, mean_of, paired, table_of
from suite.studies.verdicts import Check, Evidence
from tasks import Cell


def grid(scale: Scale) -> list[Cell]:
    return scale.cells("accuracy", ["lif", "clif"])


def _last(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows.metric.isin(["train_loss", "test_loss"]) & (rows.step == rows.step.max())]


def epochs_until(rows: pd.DataFrame, goal: pd.Series) -> pd.Series:
    """The first epoch whose test loss is at most the goal, by seed; one more than there are if none is."""
    loss = rows[rows.metric == "test_loss"]
    last = int(loss.step.max())
    found = {}
    for seed, own in only_seeds(loss[loss.seed.isin(goal.index)], ["step"]).groupby("seed"):
        reached = own[own.value <= goal[seed]].step
        found[seed] = float(reached.min()) if len(reached) else last + 1.0
    return pd.Series(found, dtype=float)


def evidence(rows: pd.DataFrame) -> dict[str, Evidence | Check]:
    last = _last(rows)
    final = {name: by_seed(last, "test_loss", neuron=name) for name in ("lif", "clif")}
    training = {name: by_seed(last, "train_loss", neuron=name) for name in ("lif", "clif")}
    fast = {name: epochs_until(rows[rows.neuron == name], final["lif"]) for name in ("lif", "clif")}
    beside = f"training loss, CLIF − LIF: {format_estimate(paired(training['clif'], training['lif']), -3)}"
    return {
        "loss_falls_faster": Evidence(_words(fast), paired(fast["clif"], fast["lif"])),
        "ends_lower": Evidence(_words(final), paired(final["clif"], final["lif"]), beside),
    }


def _words(values: dict[str, pd.Series]) -> str:
    return f"CLIF {mean_of(values['clif'])}, LIF {mean_of(values['lif'])}"


def table(rows: pd.DataFrame) -> Table:
    caption = "After the last epoch. Mean ± 95 % t-interval over seeds."
    return table_of("study_loss_curves", "Loss after training.", caption, _last(rows), "neuron", "metric", digits=3)


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    chosen = only_seeds(rows[rows.metric.isin(["train_loss", "test_loss"])], ["neuron", "metric", "step"])
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


PICTURED = "Training and test loss by epoch and neuron: mean and 95 % interval over seeds."
STUDY = Study("loss_curves", 6, "Loss curves", grid, evidence, table, shown, draw, PICTURED)
