"""One neuron under Poisson input (CLIF paper, Figures 7 and 8)."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report import style
from suite.report.table import Table
from suite.studies.base import Finding, Scale, Study, by_seed, by_setting, judge, mean_of, paired, table_of
from tasks import Cell

MODELS = ["lif", "plif", "klif", "clif"]
RATES = [0.1, 0.3, 0.5, 0.7, 0.9]


def grid(scale: Scale) -> list[Cell]:
    steps = 200 if scale.smoke else 1000
    return [c for rate in RATES for c in scale.cells("dynamics", MODELS, input_rate=rate, timesteps=steps)]


def findings(rows: pd.DataFrame) -> list[Finding]:
    rate = {name: by_seed(rows, "firing_rate", neuron=name) for name in ("lif", "clif")}
    own = rows[(rows.metric == "autocorrelation") & (rows.neuron == "clif") & (rows.lag <= 5)]
    u, m = (by_seed(own, "autocorrelation", layer=name) for name in ("u", "m"))
    return [
        judge(
            "CLIF fires less than LIF for the same input",
            "Figure 8: the complementary potential lowers the rate",
            f"CLIF {mean_of(rate['clif'])}, LIF {mean_of(rate['lif'])} spikes/step",
            paired(rate["clif"], rate["lif"]),
            "spikes/step",
            "negative",
        ),
        judge(
            "m keeps its past longer than u",
            "Figure 7: m varies slowly beside u",
            f"autocorrelation at lags 1 to 5: m {mean_of(m)}, u {mean_of(u)}",
            paired(m, u),
            "correlation",
            "positive",
        ),
    ]


def table(rows: pd.DataFrame) -> Table:
    chosen = by_setting(rows[rows.metric == "firing_rate"], "input_rate")
    caption = "Spikes for each step, by rate of the Poisson input (columns). Mean ± 95 % t-interval over seeds."
    return table_of(
        "study_dynamics", "Firing rate under Poisson input.", caption, chosen, "neuron", "input_rate", digits=3
    )


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    chosen = by_setting(rows[(rows.metric == "trace") & (rows.seed == 0)], "input_rate")
    chosen = chosen[(chosen.input_rate == 0.5) & chosen.neuron.isin(["lif", "clif"]) & (chosen.step < 60)]
    chosen = chosen.assign(step=chosen.step.astype(int))
    return chosen


def draw(data: pd.DataFrame) -> Figure:
    order = style.ordered(data.neuron)
    grid = sns.relplot(
        data,
        x="step",
        y="value",
        row="layer",
        row_order=["u", "m", "output"],
        hue="neuron",
        hue_order=order,
        palette=style.colours(order),
        kind="line",
        drawstyle="steps-post",
        height=1.5,
        aspect=4,
        facet_kws={"sharey": False},
    )
    return grid.set_titles("{row_name}").set_axis_labels("time step", "").figure


STUDY = Study("dynamics", 7, "One neuron over time", "Figures 7, 8", grid, findings, table, shown, draw)
