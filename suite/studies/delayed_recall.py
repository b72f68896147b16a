"""A memory task over learning rate, time constant and epochs, so that no neuron is shown at another's optimum."""

from itertools import product

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report.conditions import only_seeds, over_seeds
from suite.report.plots import interval
from suite.report.table import Table
from suite.studies.base import Scale, Study, accuracy_contrast, by_setting, table_of
from suite.studies.verdicts import Check, Evidence
from tasks import Cell

MODELS = ["lif", "clif"]
TAUS, RATES = [2.0, 4.0], [0.005, 0.02]
EPOCHS = {"smoke": [1, 2], "quick": [12, 60], "full": [12, 40, 120]}
DELAY, SEEDS = 6, 4


def grid(scale: Scale) -> list[Cell]:
    cells = []
    rates = RATES[:1] if scale.smoke else RATES
    for tau, rate, epochs in product(TAUS, rates, EPOCHS[scale.profile]):
        own = {"neuron.tau": tau, "learning_rate": rate, "epochs": epochs, "delay": DELAY}
        cells += scale.cells("accuracy", MODELS, SEEDS, dataset="delayed_recall", network="mlp8", **own)
    return cells


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    chosen = by_setting(rows, "neuron.tau", "learning_rate", "epochs")
    return chosen.rename(columns={"neuron.tau": "tau", "learning_rate": "rate"})


def _best(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the setting of best mean validation accuracy; of equal ones the cheapest."""
    keys = ["epochs", "tau", "rate"]
    validation = over_seeds(rows[rows.metric == "accuracy_validation_best"], keys)
    best = max(sorted(validation), key=lambda key: round(validation[key].mean, 9))
    return rows[(rows[keys] == best).all(axis=1)]


def evidence(rows: pd.DataFrame) -> dict[str, Evidence | Check]:
    named = _named(rows)
    short, long = named.epochs.min(), named.epochs.max()
    clif = named[(named.neuron == "clif") & (named.rate == RATES[0])]
    usual = clif[(clif.tau == TAUS[0]) & (clif.epochs == short)]
    tuned = {name: _best(named[named.neuron == name]) for name in MODELS}
    words = {
        name: f"{name.upper()} (tau {own.tau.iloc[0]:g}, rate {own.rate.iloc[0]:g}, epochs {own.epochs.iloc[0]:g})"
        for name, own in tuned.items()
    }
    return {
        "longer_tau_frees_clif": accuracy_contrast(
            clif[(clif.tau == TAUS[1]) & (clif.epochs == short)], usual, ("tau 4", "tau 2")
        ),
        "more_epochs_free_clif": accuracy_contrast(
            clif[(clif.tau == TAUS[0]) & (clif.epochs == long)], usual, (f"epochs {long}", f"epochs {short}")
        ),
        "recall_at_equal_tuning": accuracy_contrast(tuned["clif"], tuned["lif"], (words["clif"], words["lif"])),
    }


def table(rows: pd.DataFrame) -> Table:
    chosen = _named(rows[rows.metric == "accuracy_final"])
    setting = "tau " + chosen.tau.map("{:g}".format) + ", rate " + chosen.rate.map("{:g}".format)
    chosen = chosen.assign(setting=setting, model=chosen.neuron + ", epochs " + chosen.epochs.astype(str))
    chosen = chosen.sort_values(["epochs", "neuron", "tau", "rate"])
    caption = f"Delay {DELAY}, chance is 25 %; after the last epoch. Mean ± 95 % t-interval over seeds."
    return table_of("study_delayed_recall", "Delayed recall by tuning (%).", caption, chosen, "model", "setting")


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    return only_seeds(_named(rows[rows.metric == "accuracy_final"]), ["neuron", "rate", "tau", "epochs"])


def draw(data: pd.DataFrame) -> Figure:
    grid = sns.relplot(
        data,
        x="epochs",
        y="value",
        hue="neuron",
        style="rate",
        col="tau",
        kind="line",
        markers=True,
        errorbar=interval,
        height=2.8,
        aspect=1.1,
    )
    return grid.set_titles("tau {col_name:g}").set_axis_labels("epochs", "test accuracy (%)").figure


PICTURED = (
    "Test accuracy by epochs, neuron and learning rate, a panel a time constant: mean and 95 % interval over seeds."
)
STUDY = Study("delayed_recall", 12, "A memory task by tuning", grid, evidence, table, shown, draw, PICTURED)
