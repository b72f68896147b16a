"""Which neuron is most accurate (CLIF paper, Figure 4, Tables 1 and 2)."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report import style
from suite.report.plots import interval
from suite.report.table import Table
from suite.studies.base import Finding, Scale, Study, by_seed, judge, mean_of, paired, table_of
from tasks import Cell

MODELS = ["lif", "plif", "klif", "glif", "clif", "relu"]
CLAIMS = {
    "lif": "CIFAR10 ResNet-18 T=6: CLIF 95.41, LIF 94.51 (Tables 1, 8)",
    "plif": "CIFAR10: CLIF 95.41 (T=6), PLIF 94.25 (T=6, PLIF Net; Table 1)",
    "klif": "CIFAR10: CLIF 95.41 (T=6), KLIF 92.52 (T=10; Table 1)",
    "glif": "CIFAR10: CLIF 95.41 (T=6), GLIF 94.88 (T=6; Table 1)",
    "relu": "CIFAR10 ResNet-18: CLIF 95.68 (T=8), ReLU 95.62 (Table 1)",
}


def grid(scale: Scale) -> list[Cell]:
    return scale.cells("accuracy", MODELS)


def findings(rows: pd.DataFrame) -> list[Finding]:
    clif = by_seed(rows, "accuracy_selected", neuron="clif")
    result = []
    for other, paper in CLAIMS.items():
        theirs = by_seed(rows, "accuracy_selected", neuron=other)
        claim = f"CLIF is more accurate than {other.upper()}"
        measured = f"CLIF {mean_of(clif)}, {other.upper()} {mean_of(theirs)}"
        result.append(judge(claim, paper, measured, paired(clif, theirs), "percentage points", "positive"))
    return result


def table(rows: pd.DataFrame) -> Table:
    chosen = rows[rows.metric.isin(["accuracy_selected", "accuracy_final", "accuracy_paper_style"])]
    caption = "Mean ± 95 % t-interval over seeds; same network, seeds and hyperparameters for all."
    return table_of("study_neurons", "Accuracy by neuron (%).", caption, chosen, "neuron", "metric")


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    return rows[rows.metric == "accuracy_selected"]


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
    sns.stripplot(data, x="neuron", y="value", order=order, color="0.6", size=3, ax=grid.ax)
    return grid.set_axis_labels("", "test accuracy (%)").figure


STUDY = Study("neurons", 1, "Accuracy of the neurons", "Figure 4, Tables 1-2", grid, findings, table, shown, draw)
