"""How many time steps of gradient LIF needs (CLIF paper, Figures 2a and 6, Table 3)."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report import style
from suite.report.conditions import over_seeds
from suite.report.table import Table
from suite.studies.base import Scale, Study, accuracy_contrast, by_seed, by_setting, mean_of, paired, table_of
from suite.studies.verdicts import Check, Evidence
from tasks import Cell

TAUS = {"smoke": [1.1, 2.0], "quick": [1.1, 2.0], "full": [1.1, 1.3, 1.5, 1.8, 2.0]}
KEPT = {"smoke": [1, 2, None], "quick": [1, 2, 4, None], "full": [1, 2, 3, 4, 5, None]}
"""Time steps that a gradient goes back; None: all that there are, however many the data set has."""
SEEDS = 8
ALL = "all"


def grid(scale: Scale) -> list[Cell]:
    pairs = [(tau, k) for tau in TAUS[scale.profile] for k in KEPT[scale.profile]]
    settings = [{"neuron.tau": tau, "bptt_steps": k} for tau, k in pairs]
    return [cell for own in settings for cell in scale.cells("accuracy", ["lif"], SEEDS, **own)]


def _columns(rows: pd.DataFrame) -> pd.DataFrame:
    chosen = by_setting(rows, "neuron.tau", "bptt_steps").rename(columns={"neuron.tau": "tau"})
    return chosen.assign(k=chosen.bptt_steps.map(lambda k: ALL if pd.isna(k) else f"{k:.0f}"))


def evidence(rows: pd.DataFrame) -> dict[str, Evidence | Check]:
    chosen = _columns(rows)

    def at(tau: float, k: str) -> pd.DataFrame:
        return chosen[(chosen.tau == tau) & (chosen.k == k)]

    low, high = chosen.tau.min(), chosen.tau.max()
    found: dict[str, Evidence | Check] = {
        "two_steps_suffice": accuracy_contrast(at(high, ALL), at(high, "2"), ("all steps", "k = 2")),
        "one_step_loses": accuracy_contrast(at(high, ALL), at(high, "1"), ("all steps", "k = 1")),
    }
    losses = [by_seed(at(tau, ALL), "accuracy_final") - by_seed(at(tau, "1"), "accuracy_final") for tau in (high, low)]
    words = f"loss at tau {high:g} {mean_of(losses[0])}, at tau {low:g} {mean_of(losses[1])}"
    selected = [
        by_seed(at(tau, ALL), "accuracy_selected") - by_seed(at(tau, "1"), "accuracy_selected") for tau in (high, low)
    ]
    beside = f"selected by validation {mean_of(selected[0] - selected[1])}"
    found["longer_tau_loses_more"] = Evidence(words, paired(*losses), beside)
    return found


def _final(rows: pd.DataFrame) -> pd.DataFrame:
    return _columns(rows[rows.metric == "accuracy_final"])


def table(rows: pd.DataFrame) -> Table:
    caption = "LIF; rows: time constant, columns: time steps k that gradients go back. Mean ± 95 % interval."
    return table_of("study_truncation", "Accuracy under truncated gradients (%).", caption, _final(rows), "tau", "k")


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    means = over_seeds(_final(rows), ["tau", "k"])
    return pd.DataFrame([{"tau": tau, "k": k, "value": own.mean} for (tau, k), own in sorted(means.items())])


def draw(data: pd.DataFrame) -> Figure:
    axes = sns.heatmap(
        data.pivot(index="tau", columns="k", values="value"),
        annot=True,
        fmt=".1f",
        cmap="viridis",
        cbar=False,  # the numbers say it
    )
    axes.set(xlabel="time steps k kept by BPTT", ylabel="time constant tau")
    axes.figure.set_size_inches(style.COLUMN, 2.4)
    return axes.figure


PICTURED = (
    "Mean test accuracy by the time steps kept by truncated backpropagation (across) and the time constant (down)."
)
STUDY = Study("truncation", 3, "Truncated gradients", grid, evidence, table, shown, draw, PICTURED)
