"""Where the temporal gradient goes (CLIF paper, equations 10-24, Appendices D and G)."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report import style
from suite.report.table import Table
from suite.statistics import Estimate
from suite.studies.base import Finding, Scale, Study, by_seed, by_setting, judge, mean_of, paired, table_of
from tasks import Cell

PROGRESS = [0.0, 0.5, 1.0]
MACHINE = 1e-5


def grid(scale: Scale) -> list[Cell]:
    models = ["lif", "clif"]
    return [c for p in PROGRESS for c in scale.cells("temporal_gradient", models, progress=p, timesteps=8)]


def findings(rows: pd.DataFrame) -> list[Finding]:
    ratio = {name: by_seed(rows, "temporal_ratio", neuron=name) for name in ("lif", "clif")}
    horizon = {name: by_seed(rows, "horizon", neuron=name) for name in ("lif", "clif")}
    vanished = {name: by_seed(rows, "vanished_fraction", neuron=name) for name in ("lif", "clif")}
    m1 = by_seed(rows, "through_u_by_lag", neuron="clif")
    m2 = by_seed(rows, "through_others_by_lag", neuron="clif")
    errors = rows[rows.metric == "sum_error"].value
    return [
        judge(
            "the temporal share of the gradient is larger in CLIF than in LIF",
            "equations 11-12, 20",
            f"Σ|𝒯| / |P|: CLIF {mean_of(ratio['clif'])}, LIF {mean_of(ratio['lif'])}",
            paired(ratio["clif"], ratio["lif"]),
            "ratio",
            "positive",
        ),
        judge(
            "gradients of CLIF reach further back",
            "Figure 3, Appendix D",
            f"horizon: CLIF {mean_of(horizon['clif'])}, LIF {mean_of(horizon['lif'])} steps",
            paired(horizon["clif"], horizon["lif"]),
            "steps",
            "positive",
        ),
        judge(
            "fewer entries of the temporal Jacobian are exactly 0 in CLIF (part II)",
            "equation 15: after a spike near the threshold the factor is 0",
            f"CLIF {mean_of(vanished['clif'])}, LIF {mean_of(vanished['lif'])}",
            paired(vanished["clif"], vanished["lif"]),
            "share",
            "negative",
        ),
        judge(
            "the path through m (M2) carries more of CLIF's temporal gradient than the path through u (M1)",
            "equations 20-24: M2 makes up for what M1 loses",
            f"mean |M1| {m1.mean():.2e}, mean |M2| {m2.mean():.2e}",
            paired(np.log10(m2), np.log10(m1)),
            "log10(M2 / M1)",
            "positive",
        ),
        judge(
            "spatial and temporal parts sum to autograd's gradient (to 1e-5)",
            "equation 10",
            f"largest relative error {errors.max():.1e}",
            Estimate.of(list(MACHINE - errors)),
            "margin",
            "positive",
        ),
    ]


LAG_ROWS = {
    "temporal_gradient_by_lag": "mean |𝒯|",
    "decay_by_lag": "I: γ to the lag",
    "vanished_by_lag": "II: share of exact zeros",
    "through_u_by_lag": "mean |M1|, through u",
    "through_others_by_lag": "mean |M2|, through m",
}


def table(rows: pd.DataFrame) -> Table:
    """By lag, in the trained network: the total, parts I and II, and for CLIF the terms M1 and M2."""
    chosen = by_setting(rows[rows.metric.isin(list(LAG_ROWS))], "progress")
    chosen = chosen[chosen.progress == 1.0]
    chosen = chosen.assign(part=chosen.neuron + " " + chosen.metric.map(LAG_ROWS), lag=chosen.lag.astype(int))
    order = [f"{neuron} {words}" for neuron in ("lif", "clif") for words in LAG_ROWS.values()]
    chosen = chosen.assign(place=chosen.part.map({words: place for place, words in enumerate(order)}))
    chosen = chosen.sort_values(["place", "lag"])
    caption = "Trained network; columns: lag in steps. Mean over layers, ± 95 % t-interval over seeds."
    return table_of("study_temporal_gradient", "Temporal gradient by lag.", caption, chosen, "part", "lag", digits=-3)


PARTS = {
    "temporal_gradient_by_lag": "total",
    "through_u_by_lag": "through u (M1)",
    "through_others_by_lag": "through m (M2)",
}


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    chosen = by_setting(rows[rows.metric.isin(list(PARTS))], "progress")
    chosen = chosen.assign(
        part=chosen.metric.map(PARTS), lag=chosen.lag.astype(int), training=chosen.progress.map("{:.0%} trained".format)
    )
    means = chosen.groupby(["neuron", "part", "lag", "training"], as_index=False).value.mean()
    means = means[means.value > 1e-12]  # the difference of two Jacobians leaves rounding where a path has none
    return means


def draw(data: pd.DataFrame) -> Figure:
    order = style.ordered(data.neuron)
    grid = sns.relplot(
        data,
        x="lag",
        y="value",
        hue="neuron",
        hue_order=order,
        palette=style.colours(order),
        style="part",
        col="training",
        col_order=sorted(data.training.unique(), key=lambda text: int(text.split("%")[0])),
        kind="line",
        markers=True,
        height=2.8,
        aspect=1.0,
    )
    return (
        grid.set(yscale="log").set_titles("{col_name}").set_axis_labels("lag (steps)", r"mean $|\mathcal{T}|$").figure
    )


PAPER = "Equations 10-24, Appendices D, G"
STUDY = Study("temporal_gradient", 4, "The temporal gradient", PAPER, grid, findings, table, shown, draw)
