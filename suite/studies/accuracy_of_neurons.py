"""Which neuron is most accurate in the same network (CLIF paper, Figure 4 and Table 1)."""

from dataclasses import replace

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

import neurons
from suite.report import style
from suite.report.conditions import only_seeds
from suite.report.plots import interval
from suite.report.table import Table
from suite.studies.base import Scale, Study, accuracy_contrast, table_of
from suite.studies.verdicts import Check, Evidence
from tasks import Cell, data

MODELS = ["lif", "plif", "klif", "glif", "clif", "relu"]
SEQUENCE_BASELINE = "gru"
"""The network whose memory is its own: a ReLU has none, and on a sequence any neuron with a memory beats it."""
OTHER_STRUCTURE = "a GRU is of another structure, and the paper claims nothing of ANNs on sequences"


def grid(scale: Scale) -> list[Cell]:
    cells = scale.cells("accuracy", MODELS)
    if data.SOURCES[scale.dataset].sequence:
        cells += scale.cells("accuracy", ["relu"], network=SEQUENCE_BASELINE)
    return cells


def _baseline(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows of the network without spikes, and its name."""
    recurrent = rows[rows.network == SEQUENCE_BASELINE]
    return (recurrent, "GRU") if len(recurrent) else (rows[rows.neuron == "relu"], "ReLU")


def added_by(model: str, base: str) -> list[str]:
    """The constants and learned parameters that a model has and another has not."""
    own, others = ({*neurons.get(name).constants(), *neurons.get(name).learnables()} for name in (model, base))
    return sorted(own - others)


def evidence(rows: pd.DataFrame) -> dict[str, Evidence | Check]:
    added = added_by("clif", "lif")
    found: dict[str, Evidence | Check] = {
        "no_added_parameter": Check(not added, ", ".join(added) or "none beyond those of LIF")
    }
    spiking = rows[rows.network != SEQUENCE_BASELINE]
    clif = spiking[spiking.neuron == "clif"]
    for other in ("lif", "plif", "klif", "glif"):
        theirs = spiking[spiking.neuron == other]
        found[f"beats_{other}"] = accuracy_contrast(clif, theirs, ("CLIF", other.upper()))
    baseline, name = _baseline(rows)
    contrast = accuracy_contrast(clif, baseline, ("CLIF", name))
    beside = "; ".join(filter(None, [contrast.beside, OTHER_STRUCTURE if name == "GRU" else ""]))
    found["beats_ann"] = replace(contrast, beside=beside)
    return found


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    """The recurrent baseline under its own name."""
    return rows.assign(neuron=rows.neuron.mask(rows.network == SEQUENCE_BASELINE, SEQUENCE_BASELINE))


def table(rows: pd.DataFrame) -> Table:
    chosen = _named(rows)[rows.metric.isin(["accuracy_final", "accuracy_selected", "accuracy_paper_style"])]
    caption = "Mean ± 95 % t-interval over seeds; same network, seeds and hyperparameters for all."
    return table_of("study_neurons", "Accuracy by neuron (%).", caption, chosen, "neuron", "metric")


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    return only_seeds(_named(rows)[rows.metric == "accuracy_final"], ["neuron"])


def draw(data: pd.DataFrame) -> Figure:
    order = style.ordered(data.neuron)
    grid = sns.catplot(
        data,
        x="neuron",
        y="value",
        hue="neuron",
        kind="point",
        order=order,
        palette=style.colours(order),
        errorbar=interval,
        linestyle="none",
        height=2.8,
        aspect=1.5,
    )
    below = {"color": "0.6", "size": 2.5, "jitter": 0.3, "zorder": 0}
    sns.stripplot(data, x="neuron", y="value", order=order, ax=grid.ax, **below)
    return grid.set_axis_labels("", "test accuracy (%)").figure


PICTURED = "Test accuracy by neuron: mean, 95 % interval, and a dot a seed."
STUDY = Study("neurons", 1, "Accuracy of the neurons", grid, evidence, table, shown, draw, PICTURED)
