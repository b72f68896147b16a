"""Networks trained with CLIF or LIF, run with LIF (CLIF paper, Table 8)."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report import style
from suite.report.plots import interval
from suite.report.table import Table
from suite.studies.base import Finding, Scale, Study, by_seed, judge, mean_of, paired, table_of
from tasks import Cell


def grid(scale: Scale) -> list[Cell]:
    return scale.cells("conversion", ["lif", "clif"])


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    chosen = rows[rows.metric.notna()]
    hard = chosen.lag.map(lambda lag: f"hard {-lag / 100:g}", na_action="ignore")
    names = {"accuracy_own": "own neuron", "accuracy_soft": "LIF soft"}
    return chosen.assign(run_with=chosen.metric.map(names).fillna(hard))


def findings(rows: pd.DataFrame) -> list[Finding]:
    clif_soft = by_seed(rows, "accuracy_soft", neuron="clif")
    clif_own = by_seed(rows, "accuracy_own", neuron="clif")
    lowest = rows[rows.lag == rows.lag.max()]
    clif, lif = (by_seed(lowest, "accuracy_hard", neuron=name) for name in ("clif", "lif"))
    return [
        judge(
            "networks trained with CLIF lose accuracy under LIF with soft reset",
            "CIFAR10: 95.41 to 92.95 (Table 8)",
            f"own neuron {mean_of(clif_own)}, LIF {mean_of(clif_soft)}",
            paired(clif_own, clif_soft),
            "percentage points",
            "positive",
        ),
        judge(
            "under hard reset to −0.1 networks trained with CLIF keep more than those trained with LIF",
            "CIFAR10: 94.72 against 27.04 (Table 8)",
            f"trained with CLIF {mean_of(clif)}, with LIF {mean_of(lif)}",
            paired(clif, lif),
            "percentage points",
            "positive",
        ),
    ]


def table(rows: pd.DataFrame) -> Table:
    caption = "Rows: neuron of training; columns: neuron and reset at inference. Mean ± 95 % t-interval over seeds."
    return table_of("study_conversion", "Accuracy after conversion (%).", caption, _named(rows), "neuron", "run_with")


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    return _named(rows)


def draw(data: pd.DataFrame) -> Figure:
    order = style.ordered(data.neuron)
    grid = sns.catplot(
        data,
        x="run_with",
        y="value",
        hue="neuron",
        hue_order=order,
        palette=style.colours(order),
        kind="point",
        errorbar=interval,
        dodge=0.2,
        height=2.8,
        aspect=2.0,
    )
    sns.move_legend(grid, "center left", bbox_to_anchor=(0.98, 0.6), title="trained with")
    grid.ax.tick_params(axis="x", rotation=45)
    return grid.set_axis_labels("run with", "test accuracy (%)").figure


STUDY = Study("conversion", 10, "Conversion to LIF", "Table 8", grid, findings, table, shown, draw)
