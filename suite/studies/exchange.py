"""LIF exchanged for CLIF at several epochs of training (CLIF paper, Figure 3a)."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report.table import Table
from suite.studies.base import EPOCHS, Scale, Study, by_setting, mean_of, paired, table_of
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


def _settled_loss(rows: pd.DataFrame) -> pd.DataFrame:
    """Training loss by seed and epoch of exchange, mean over the epochs that count."""
    loss = rows[rows.metric == "train_loss"]
    last = int(loss.step.max())
    exchanged, plain = loss[loss.training != "lif"], loss[loss.training == "lif"]
    parts = []
    for when, own in exchanged.groupby(exchanged.exchange_at.astype(int)):
        first = min(last, int(str(when)) + max(1, round(SETTLED * last)))
        for name, part in (("exchanged", own), ("lif", plain)):
            means = part[part.step >= first].groupby("seed").value.mean()
            parts.append(means.rename("value").reset_index().assign(training=name, when=when))
    return pd.concat(parts)


def evidence(rows: pd.DataFrame) -> dict[str, Evidence | Check]:
    loss = _settled_loss(_named(rows))
    exchanged, plain = (loss[loss.training == name] for name in ("exchanged", "lif"))
    by_seed = [part.groupby("seed").value.mean() for part in (exchanged, plain)]
    single = [
        f"at {when}: {mean_of(own.set_index('seed').value - plain[plain.when == when].set_index('seed').value)}"
        for when, own in exchanged.groupby("when")
    ]
    measured = f"training loss exchanged {mean_of(by_seed[0])}, LIF {mean_of(by_seed[1])}"
    return {"exchange_lowers_the_loss": Evidence(measured, paired(*by_seed), "; ".join(single))}


def table(rows: pd.DataFrame) -> Table:
    chosen = _named(rows[rows.metric.isin(["accuracy_final", "accuracy_selected"])])
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
        kind="line",
        errorbar=("sd", 1),
        height=2.8,
        aspect=1.5,
    )
    for when in sorted(data[data.training != "lif"].exchange_at.unique()):
        grid.ax.axvline(when + 0.5, color="0.6", linestyle=":", linewidth=1)
    return grid.set_axis_labels("epoch", "training loss").figure


STUDY = Study("exchange", 5, "Exchange of the neuron in training", grid, evidence, table, shown, draw)
