"""How many time steps of gradient LIF needs (CLIF paper, Figures 2a, 5, 6 and Table 3)."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report.table import Table
from suite.studies.base import PAPER, Finding, Scale, Study, by_seed, by_setting, judge, mean_of, paired, table_of
from tasks import Cell

TAUS = {"smoke": [1.1, 2.0], "quick": [1.1, 1.5, 2.0], "full": [1.1, 1.3, 1.5, 1.8, 2.0]}
STEPS, KEPT = 6, {"smoke": [1, 6], "quick": [1, 2, 4, 6], "full": [1, 2, 3, 4, 5, 6]}


def grid(scale: Scale) -> list[Cell]:
    pairs = [(tau, k) for tau in TAUS[scale.profile] for k in KEPT[scale.profile]]
    settings = [{"neuron.tau": tau, "bptt_steps": k, "timesteps": STEPS} for tau, k in pairs]
    return [cell for own in settings for cell in scale.cells("accuracy", ["lif"], seeds=4, **own)]


def _columns(rows: pd.DataFrame) -> pd.DataFrame:
    chosen = by_setting(rows[rows.metric == "accuracy_selected"], "neuron.tau", "bptt_steps")
    return chosen.rename(columns={"neuron.tau": "tau", "bptt_steps": "k"})


def findings(rows: pd.DataFrame) -> list[Finding]:
    chosen = _columns(rows)
    figures = pd.read_csv(PAPER / "truncation.csv")
    printed = figures[figures.dataset == "CIFAR10"].set_index(["tau", "bptt_steps"]).accuracy_percent

    def at(tau: float, k: int) -> pd.Series:
        return by_seed(chosen, "accuracy_selected", tau=tau, k=k)

    low, high = chosen.tau.min(), chosen.tau.max()
    loss, small_loss = at(high, STEPS) - at(high, 1), at(low, STEPS) - at(low, 1)
    return [
        judge(
            f"without the temporal gradient (k = 1) LIF with tau = {high:g} loses accuracy",
            f"k = 6 {printed[high, 6]}, k = 1 {printed[high, 1]} (Table 3)",
            f"k = 6 {mean_of(at(high, STEPS))}, k = 1 {mean_of(at(high, 1))}",
            paired(at(high, STEPS), at(high, 1)),
            "percentage points",
            "positive",
        ),
        judge(
            f"the loss is larger for tau = {high:g} than for tau = {low:g}",
            f"{printed[high, 6] - printed[high, 1]:.2f} against {printed[low, 6] - printed[low, 1]:.2f} (Table 3)",
            f"{mean_of(loss)} against {mean_of(small_loss)}",
            paired(loss, small_loss),
            "percentage points",
            "positive",
        ),
    ]


def table(rows: pd.DataFrame) -> Table:
    caption = "LIF; rows: time constant, columns: time steps k that gradients go back. Mean ± 95 % interval."
    return table_of("study_truncation", "Accuracy under truncated gradients (%).", caption, _columns(rows), "tau", "k")


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    return _columns(rows).groupby(["tau", "k"], as_index=False)[["value"]].mean()


def draw(data: pd.DataFrame) -> Figure:
    axes = sns.heatmap(
        data.pivot(index="tau", columns="k", values="value"),
        annot=True,
        fmt=".1f",
        cmap="viridis",
        cbar_kws={"label": "test accuracy (%)"},
    )
    axes.set(xlabel="time steps k kept by BPTT", ylabel="time constant tau")
    axes.figure.set_size_inches(4.4, 2.8)
    axes.figure.tight_layout()
    return axes.figure


STUDY = Study("truncation", 3, "Truncated gradients", "Figures 2a, 5, 6, Table 3", grid, findings, table, shown, draw)
