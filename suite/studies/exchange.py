"""LIF exchanged for CLIF at several epochs of training (CLIF paper, Figure 3a)."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report.conditions import only_seeds
from suite.report.table import Table
from suite.studies.base import EPOCHS, Scale, Study, by_seed, by_setting, mean_of, paired, table_of
from suite.studies.verdicts import Check, Evidence
from tasks import Cell

SHARES = (0.2, 0.5, 0.8)
"""When LIF is exchanged, as a share of the training."""
SETTLED = 0.2
"""The share of the training after an exchange from which its loss counts: the paper's "few epochs after"."""


def grid(scale: Scale) -> list[Cell]:
    epochs = EPOCHS[scale.profile]
    at = sorted({max(1, round(share * epochs)) for share in SHARES} - {epochs})
    exchanged = [c for when in at for c in scale.cells("accuracy", ["lif"], exchange_to="clif", exchange_at=when)]
    return scale.cells("accuracy", ["lif"]) + exchanged


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    chosen = by_setting(rows, "exchange_to", "exchange_at")
    exchanged = chosen.exchange_to.notna()
    names = "lif → clif at " + chosen.exchange_at.astype(str)
    return chosen.assign(training=names.where(exchanged, "lif"))


def _settled_loss(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training loss with and without exchange by seed (down) and epoch of exchange: mean over the epochs that count.

    A seed that lacks one of the exchanges is left out.
    """
    loss = rows[rows.metric == "train_loss"]
    last = int(loss.step.max())
    exchanged, plain = loss[loss.training != "lif"], loss[loss.training == "lif"]
    only_seeds(exchanged, ["metric"], over=["step", "exchange_at"])
    sides: tuple[dict[int, pd.Series], dict[int, pd.Series]] = ({}, {})
    for when in sorted(exchanged.exchange_at.astype(int).unique()):
        first = min(last, when + max(1, round(SETTLED * last)))
        for side, part in zip(sides, (exchanged[exchanged.exchange_at == when], plain), strict=True):
            side[when] = by_seed(part[part.step >= first], "train_loss", ["step"])
    return pd.DataFrame(sides[0]).dropna(), pd.DataFrame(sides[1]).dropna()


def evidence(rows: pd.DataFrame) -> dict[str, Evidence | Check]:
    exchanged, plain = _settled_loss(_named(rows))
    means = exchanged.mean(axis=1), plain.mean(axis=1)
    single = [f"at {when}: {mean_of((exchanged[when] - plain[when]).dropna())}" for when in exchanged]
    measured = f"training loss exchanged {mean_of(means[0])}, LIF {mean_of(means[1])}"
    return {"exchange_lowers_the_loss": Evidence(measured, paired(*means), "; ".join(single))}


def table(rows: pd.DataFrame) -> Table:
    chosen = _named(rows[rows.metric.isin(["accuracy_final", "accuracy_selected"])])
    caption = "Mean ± 95 % t-interval over seeds."
    return table_of("study_exchange", "Accuracy with and without exchange (%).", caption, chosen, "training", "metric")


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    chosen = _named(rows[rows.metric == "train_loss"])
    return only_seeds(chosen.assign(epoch=chosen.step.astype(int)), ["training", "epoch"])


def draw(data: pd.DataFrame) -> Figure:
    grid = sns.relplot(
        data,
        x="epoch",
        y="value",
        hue="training",
        kind="line",
        errorbar=("sd", 1),
        height=2.8,
        aspect=1.5,
    )
    for when in sorted(data[data.training != "lif"].exchange_at.unique()):
        grid.ax.axvline(when + 0.5, color="0.6", linestyle=":", linewidth=1)
    return grid.set_axis_labels("epoch", "training loss").figure


PICTURED = (
    "Training loss by epoch with the neuron kept and exchanged (dotted: at which epoch); bands: one standard "
    "deviation over seeds."
)
STUDY = Study("exchange", 5, "Exchange of the neuron in training", grid, evidence, table, shown, draw, PICTURED)
