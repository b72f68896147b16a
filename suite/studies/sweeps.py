"""How much depends on the surrogate's width (the paper's α), on tau, and what the learned parameters become."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report.plots import interval
from suite.report.table import Table
from suite.studies.base import Finding, Scale, Study, by_seed, by_setting, judge, mean_of, paired, table_of
from tasks import Cell

WIDTHS, TAUS = [0.5, 1.0, 2.0], [1.2, 2.0, 4.0]


def grid(scale: Scale) -> list[Cell]:
    settings = [{"neuron.surrogate_width": width} for width in WIDTHS] + [{"neuron.tau": tau} for tau in TAUS]
    swept = [cell for own in settings for cell in scale.cells("accuracy", ["lif", "clif"], 3, **own)]
    return swept + scale.cells("accuracy", ["plif", "glif"], 3)


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    chosen = by_setting(rows, "neuron.surrogate_width", "neuron.tau")
    width = chosen["neuron.surrogate_width"].map(lambda value: f"width {value:g}", na_action="ignore")
    tau = chosen["neuron.tau"].map(lambda value: f"tau {value:g}", na_action="ignore")
    return chosen.assign(setting=width.fillna(tau).fillna("learned"))


def findings(rows: pd.DataFrame) -> list[Finding]:
    chosen = _named(rows)
    usual, long = (
        {name: by_seed(chosen, "accuracy_selected", neuron=name, setting=f"tau {tau:g}") for name in ("lif", "clif")}
        for tau in (2.0, 4.0)
    )
    fall = {name: usual[name] - long[name] for name in usual}
    return [
        judge(
            "LIF suffers more than CLIF from a longer time constant (tau 2 to 4)",
            "no hyperparameters to tune in CLIF (text)",
            f"loss of LIF {mean_of(fall['lif'])}, of CLIF {mean_of(fall['clif'])}",
            paired(fall["lif"], fall["clif"]),
            "percentage points",
            "positive",
        )
    ]


def table(rows: pd.DataFrame) -> Table:
    chosen = _named(rows)
    chosen = chosen[(chosen.metric == "accuracy_selected") & chosen.neuron.isin(["lif", "clif"])]
    caption = "Columns: width of the rectangle, and time constant. Mean ± 95 % t-interval over seeds."
    return table_of("study_sweeps", "Accuracy by surrogate width and tau (%).", caption, chosen, "neuron", "setting")


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    chosen = rows[(rows.metric == "learned_parameter") & rows.neuron.isin(["plif", "glif"])]
    parts = chosen.layer.astype(str).str.extract(r"neurons\.(?P<layer>\d+)\.(?P<parameter>\w+)")
    chosen = chosen.assign(depth=parts.layer.astype(float), parameter=parts.parameter, epoch=chosen.step.astype(int))
    chosen = chosen[chosen.parameter.isin(["w", "gate_leak", "gate_input", "gate_reset"])]
    return chosen


def draw(data: pd.DataFrame) -> Figure:
    grid = sns.relplot(
        data,
        x="epoch",
        y="value",
        hue="depth",
        palette="viridis",
        col="parameter",
        kind="line",
        errorbar=interval,
        height=2.6,
        aspect=1.0,
        facet_kws={"sharey": False},
    )
    return grid.set_titles("{col_name}").set_axis_labels("epoch", "mean of the parameter").figure


STUDY = Study(
    "sweeps", 11, "Surrogate width, tau and learned parameters", "text, Appendix", grid, findings, table, shown, draw
)
