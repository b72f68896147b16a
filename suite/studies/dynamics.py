"""One neuron under Poisson input (CLIF paper, Figures 7 and 8)."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report import style
from suite.report.conditions import only_seeds
from suite.report.table import Table
from suite.studies.base import Scale, Study, by_seed, by_setting, mean_of, paired, table_of
from suite.studies.verdicts import Check, Evidence
from tasks import Cell

MODELS = ["lif", "clif"]
RATES = [0.2, 0.5, 0.8]
WEIGHTS = [0.5, 0.7, 0.9]
"""Below the threshold of 1: a LIF that every input spike fires copies its input."""
LAGS = 5
INPUTS = ("input_rate", "weight")
"""The settings of the input, over all of which a claim's mean is taken."""


def grid(scale: Scale) -> list[Cell]:
    steps = 200 if scale.smoke else 1000
    pairs = [(rate, weight) for rate in RATES for weight in WEIGHTS]
    if scale.smoke:
        pairs = [(RATES[1], WEIGHTS[-1])]
    return [
        cell
        for rate, weight in pairs
        for cell in scale.cells("dynamics", MODELS, input_rate=rate, weight=weight, timesteps=steps)
    ]


def _relative_to_lag_0(rows: pd.DataFrame) -> pd.DataFrame:
    """R_x[k] / R_x[0] in place of R_x[k], cell by cell and state by state."""
    chosen = rows[rows.metric.isin(["correlation", "autocorrelation"])]
    at_0 = chosen[(chosen.metric == "correlation") & (chosen.lag == 0)].set_index(["cell", "layer"]).value
    power = pd.MultiIndex.from_frame(chosen[["cell", "layer"]]).map(at_0.to_dict())
    return chosen.assign(value=chosen.value.where(chosen.metric != "correlation", chosen.value / power))


def evidence(rows: pd.DataFrame) -> dict[str, Evidence | Check]:
    rate = {name: by_seed(rows, "firing_rate", INPUTS, neuron=name) for name in MODELS}
    normalised = _relative_to_lag_0(rows)
    near = normalised[normalised.lag.between(1, LAGS)]
    found: dict[str, Evidence | Check] = {
        "fires_less_alone": Evidence(
            f"CLIF {mean_of(rate['clif'])}, LIF {mean_of(rate['lif'])}", paired(rate["clif"], rate["lif"])
        )
    }
    readings = {"m_remembers_longer": "correlation", "m_remembers_longer_centred": "autocorrelation"}
    for claim, metric in readings.items():
        m, u, own = (
            by_seed(near, metric, ["lag", *INPUTS], neuron=neuron, layer=layer)
            for neuron, layer in (("clif", "m"), ("lif", "u"), ("clif", "u"))
        )
        beside = f"CLIF's own u: {mean_of(own)}"
        found[claim] = Evidence(f"CLIF's m {mean_of(m)}, LIF's u {mean_of(u)}", paired(m, u), beside)
    return found


def table(rows: pd.DataFrame) -> Table:
    chosen = by_setting(rows[rows.metric == "firing_rate"], *INPUTS)
    chosen = chosen.assign(model=chosen.neuron + ", weight " + chosen.weight.astype(str))
    chosen = chosen.sort_values(["weight", "neuron", "input_rate"])
    caption = "Spikes for each step, by rate of the Poisson input (columns). Mean ± 95 % t-interval over seeds."
    return table_of(
        "study_dynamics", "Firing rate under Poisson input.", caption, chosen, "model", "input_rate", digits=3
    )


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    chosen = by_setting(rows[(rows.metric == "trace") & (rows.seed == 0)], *INPUTS)
    chosen = chosen[(chosen.input_rate == RATES[1]) & (chosen.weight == WEIGHTS[-1]) & (chosen.step < 60)]
    return only_seeds(chosen.assign(step=chosen.step.astype(int)), ["neuron", "layer", "step"])


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


PICTURED = "Potential u, complementary potential m and output of one neuron of each model over time, for one input."
STUDY = Study("dynamics", 7, "One neuron over time", grid, evidence, table, shown, draw, PICTURED)
