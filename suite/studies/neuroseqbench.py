"""The neurons of NeuroSeqBench (arXiv 2502.09449) on two of its tasks, beside the figures that it prints.

It prints CLIF below LIF: of a CLIF that overwrites m by its sigmoid and has a decay of 0.5 whatever its configuration
says, beside a feed-forward LIF of decay 0.98 (Binary Adding) or 1 (PS-MNIST). Here are the paper's CLIF and that
variant, all at one decay, and LIF and CLIF at 0.98 both.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report import style
from suite.report.conditions import only_seeds, over_seeds
from suite.report.plots import interval
from suite.report.table import Entry, Table, format_estimate
from suite.studies.base import PAPER, Scale, Study, accuracy_contrast, by_setting
from suite.studies.verdicts import Check, Evidence
from tasks import Cell

NEURONS = ["if", "lif", "plif", "glif", "clif", "clif_in_place"]
SLOW = ["lif", "clif"]
"""Those that also run at the decay that NeuroSeqBench configures for Binary Adding."""
TAU, SLOW_TAU = 2.0, 50.0
NETWORKS = {"mlp": "feedforward", "recurrent": "recurrent"}
DATASETS = {"binary_adding": "Binary Adding", "psmnist5k": "PSMNIST"}
"""By the suite's name the one that it is printed under; PS-MNIST is printed of all 70,000 images, not of 5,000."""
ALIKE = {("plif", TAU): "PLIF", ("glif", TAU): "GLIF", ("clif_in_place", TAU): "CLIF"}
PRINTED = {
    ("binary_adding", "mlp"): ALIKE | {("lif", SLOW_TAU): "LIF"},
    ("binary_adding", "recurrent"): ALIKE | {("lif", TAU): "LIF"},
    ("psmnist5k", "mlp"): ALIKE | {("if", TAU): "LIF"},
    ("psmnist5k", "recurrent"): ALIKE | {("lif", TAU): "LIF"},
}
"""By data set and network: the neuron and time constant that a printed figure is of, by configurations and code."""
SEEDS = 3
BUDGETS: dict[str, dict[str, Any]] = {
    "smoke": {"epochs": 1, "train_samples": 128, "width": 8},
    "quick": {"epochs": 6, "train_samples": 4000, "width": 64, "batch_size": 128},
    "full": {"epochs": 50, "width": 128, "batch_size": 250, "learning_rate": 1e-3, "weight_decay": 0.0},
}
"""The full one is that of NeuroSeqBench on Binary Adding; its networks have no batch normalisation, these do."""


def grid(scale: Scale) -> list[Cell]:
    """Of Binary Adding, or with `--dataset psmnist5k` of PS-MNIST."""
    dataset = scale.dataset if scale.dataset in DATASETS else next(iter(DATASETS))
    cells = []
    for network in NETWORKS:
        own = {"dataset": dataset, "network": network, "loss": "cross_entropy", **BUDGETS[scale.profile]}
        cells += scale.cells("accuracy", NEURONS, SEEDS, **own, **{"neuron.tau": TAU})
        cells += scale.cells("accuracy", SLOW, SEEDS, **own, **{"neuron.tau": SLOW_TAU})
    return cells


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    return by_setting(rows, "neuron.tau").rename(columns={"neuron.tau": "tau"})


def evidence(rows: pd.DataFrame) -> dict[str, Evidence | Check]:
    named = _named(rows)
    over_seeds(named[named.metric == "accuracy_final"], ["neuron", "tau", "network"])  # refuses any other difference

    def of(neuron: str, network: str, tau: float = TAU) -> pd.DataFrame:
        return named[(named.neuron == neuron) & (named.network == network) & (named.tau == tau)]

    if set(rows.dataset) == {"psmnist5k"}:
        return {}
    contrasts = {
        "adding_clif_below_lif": (of("clif", "mlp"), of("lif", "mlp"), ("CLIF", "LIF")),
        "adding_clif_below_lif_recurrent": (of("clif", "recurrent"), of("lif", "recurrent"), ("CLIF", "LIF")),
        "adding_decay_decides": (of("clif", "mlp", SLOW_TAU), of("clif", "mlp"), ("CLIF, decay 0.98", "decay 0.5")),
        "adding_in_place_is_alike": (of("clif_in_place", "mlp"), of("clif", "mlp"), ("m in place", "CLIF")),
    }
    return {claim: accuracy_contrast(*sides) for claim, sides in contrasts.items() if all(map(len, sides[:2]))}


@cache
def printed() -> dict[tuple[str, str, str], float]:
    """What NeuroSeqBench prints, in percent, by its data set, network and neuron."""
    figures = pd.read_csv(PAPER / "neuroseqbench.csv")
    own = figures[figures.metric == "accuracy_percent"].to_dict("records")
    return {
        (str(row["dataset"]), network, str(row["neuron"])): float(row[network])
        for row in own
        for network in NETWORKS.values()
        if not pd.isna(row[network])
    }


def table(rows: pd.DataFrame) -> Table:
    named = _named(rows[rows.metric == "accuracy_final"])
    measured, dataset = over_seeds(named, ["neuron", "tau", "network"]), str(named.dataset.iloc[0])
    lines = []
    for neuron, tau in dict.fromkeys((key[0], key[1]) for key in measured):
        entries = []
        for network, theirs in NETWORKS.items():
            own = measured.get((neuron, tau, network))
            name = PRINTED[dataset, network].get((neuron, tau), "")
            figure = printed().get((DATASETS[dataset], theirs, name))
            entries.append(Entry(format_estimate(own, 1), own) if own else Entry("—"))
            entries.append(Entry("—" if figure is None else f"{figure:g}"))
        lines.append((f"{neuron}, tau {tau:g}", entries))
    caption = (
        "After the last epoch, mean ± 95 % t-interval over seeds, beside what NeuroSeqBench prints for its networks "
        "(no batch normalisation, one hidden layer not recurrent), budget and constants. A printed figure stands at "
        "the neuron that its code computes: its CLIF is clif_in_place, its feed-forward LIF has a decay of 0.98 (tau "
        "50) on Binary Adding and of 1 (IF) on PS-MNIST, which is printed of 70,000 images and measured of 5,000."
    )
    heads = [head for network in NETWORKS for head in (network, f"{network}, printed")]
    return Table(
        "study_neuroseqbench", f"Neurons of NeuroSeqBench on {dataset} (%)", caption, ["neuron", *heads], lines
    )


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    named = _named(rows[rows.metric == "accuracy_final"])
    return only_seeds(named, ["neuron", "tau", "network"])


def draw(data: pd.DataFrame) -> Figure:
    named = data.assign(model=data.neuron + ", tau " + data.tau.map("{:g}".format))
    axes = sns.pointplot(named, x="value", y="model", hue="network", linestyle="none", dodge=0.3, errorbar=interval)
    axes.set(xlabel="test accuracy (%)", ylabel="")
    axes.figure.set_size_inches(style.COLUMN, 2.8)
    return axes.figure


PICTURED = "Test accuracy by neuron and time constant, with and without recurrent weights: mean and 95 % interval."
STUDY = Study("neuroseqbench", 14, "Neurons of NeuroSeqBench", grid, evidence, table, shown, draw, PICTURED)
