"""Where the temporal gradient goes (CLIF paper, equations 10-24, Appendices D and G)."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report import style
from suite.report.conditions import of_each_seed, over_seeds
from suite.report.table import Table
from suite.statistics import Estimate
from suite.studies.base import Scale, Study, by_seed, by_setting, mean_of, paired, table_of
from suite.studies.verdicts import Check, Evidence
from tasks import Cell

PROGRESS = [0.0, 0.5, 1.0]
ROUNDING = 1e-5
"""Largest relative error that float32 may leave of an identity."""
SEEDS = 6
WHOLE = ("layer", "progress")
"""A claim's mean is taken over all layers and stages of training."""


def grid(scale: Scale) -> list[Cell]:
    models = ["lif", "clif"]
    return [c for p in PROGRESS for c in scale.cells("temporal_gradient", models, SEEDS, progress=p, timesteps=8)]


def evidence(rows: pd.DataFrame) -> dict[str, Evidence | Check]:
    found: dict[str, Evidence | Check] = {}
    contrasts = {
        "lif_vanishes": "vanished_fraction",
        "extra_temporal_gradient": "temporal_ratio",
        "reaches_further": "horizon",
    }
    for claim, metric in contrasts.items():
        of_lif, of_clif = (by_seed(rows, metric, WHOLE, neuron=name) for name in ("lif", "clif"))
        beside = f"outside the surrogate: {_outside(rows)}" if claim == "lif_vanishes" else _over_training(rows, metric)
        found[claim] = Evidence(f"CLIF {mean_of(of_clif)}, LIF {mean_of(of_lif)}", paired(of_clif, of_lif), beside)
    clif = rows[rows.neuron == "clif"]
    slopes, shares = _decay_of_m2(clif), _beyond_lif(clif)
    found["m2_decays_slower"] = Evidence(f"slope {mean_of(slopes)}", Estimate.of(list(slopes)), _ratios(clif))
    if len(shares):
        beside = f"of it over steps, through m carried: {mean_of(_carried_by_m(clif))} of Πξ"
        found["complementary_outweighs"] = Evidence(f"ratio {mean_of(10**shares)}", Estimate.of(list(shares)), beside)
    error = float(rows[rows.metric == "sum_error"].value.max())
    found["gradient_is_the_sum"] = Check(error <= ROUNDING, f"largest relative error {error:.1e}")
    excess = _beyond_the_leak(rows[rows.neuron == "lif"])
    found["leak_alone"] = Check(excess <= ROUNDING, f"largest excess {excess:.1e}")
    psi = float(clif[clif.metric == "smallest_psi"].value.min())
    found["psi_is_not_negative"] = Check(psi >= 0, f"smallest ψ {psi:.2g}")
    return found


def _outside(rows: pd.DataFrame) -> str:
    shares = {name: by_seed(rows, "outside_fraction", WHOLE, neuron=name) for name in ("clif", "lif")}
    return f"CLIF {mean_of(shares['clif'])}, LIF {mean_of(shares['lif'])}"


def _over_training(rows: pd.DataFrame, metric: str) -> str:
    """CLIF − LIF at each stage of training, in words."""
    stages = by_setting(rows, "progress")
    words = []
    for progress, own in stages.groupby("progress"):
        clif, lif = (by_seed(own, metric, ["layer"], neuron=name) for name in ("clif", "lif"))
        difference = clif - lif
        words.append(f"{progress:.0%} trained {mean_of(difference)}")
    return "; ".join(words)


def _by_lag(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The metric by seed (down) and lag (across), mean over layers and stages of training."""
    means = of_each_seed(rows[rows.metric == metric], ["lag"], WHOLE)
    return means.pivot(index="seed", columns="lag", values="value")


def _decay_of_m2(rows: pd.DataFrame) -> pd.Series:
    """Slope by lag of ln(M2 / Πξ), by seed, over the lags that have both; M2 begins at lag 2."""
    found = {}
    for seed, own in _m2_over_u(rows).iterrows():
        known = own[own > 0]
        if len(known) > 1:
            lags, logarithm = known.index.to_numpy(dtype=float), np.log(known.to_numpy(dtype=float))
            found[seed] = float(np.polyfit(lags, logarithm, 1)[0])
    return pd.Series(found, dtype=float)


def _m2_over_u(rows: pd.DataFrame) -> pd.DataFrame:
    """M2 / Πξ by seed and lag, from lag 2 on; 0 where nothing is left of either."""
    ratio = _by_lag(rows, "m2_by_lag") / _by_lag(rows, "through_u_by_lag")
    later = [lag for lag in ratio.columns if int(str(lag)) >= 2]
    return ratio[later].where(np.isfinite(ratio[later]), 0.0)


def _ratios(rows: pd.DataFrame) -> str:
    return "M2 / Πξ by lag: " + ", ".join(f"{lag}: {value:.2g}" for lag, value in _m2_over_u(rows).mean().items())


def _beyond_lif(rows: pd.DataFrame) -> pd.Series:
    """log10 of all that m adds over all that LIF's derivatives give, by seed."""
    added, of_lif = (_by_lag(rows, f"{name}_by_lag").sum(axis=1) for name in ("beyond_lif", "lif_paths"))
    return (added / of_lif).map(np.log10)


def _carried_by_m(rows: pd.DataFrame) -> pd.Series:
    """What passes through a carried m at least once, over what passes from step to step by u alone, by seed."""
    through_m, through_u = (_by_lag(rows, f"through_{name}_by_lag").sum(axis=1) for name in ("others", "u"))
    return through_m / through_u


def _beyond_the_leak(rows: pd.DataFrame) -> float:
    """By how much, of |P| at the step of the loss, LIF's |temporal| exceeds γ to the lag; at most 0 if eq. 13 holds."""
    places = ["cell", "layer", "step"]
    spatial = rows[rows.metric == "spatial_gradient"].set_index(places).value
    decay = rows[rows.metric == "decay_by_lag"].drop_duplicates("lag").set_index("lag").value
    temporal = rows[rows.metric == "temporal_gradient"]
    at_loss = pd.MultiIndex.from_arrays([temporal.cell, temporal.layer, temporal.step + temporal.lag])
    source = at_loss.map(spatial.to_dict()).to_numpy(dtype=float)
    bound = source * temporal.lag.map(decay).to_numpy(dtype=float)
    return float(((temporal.value.to_numpy() - bound) / np.maximum(source, 1e-30)).max())


LAG_ROWS = {
    "temporal_gradient_by_lag": "mean |temporal|",
    "decay_by_lag": "I: γ to the lag",
    "outside_by_lag": "share outside the surrogate",
    "vanished_by_lag": "II: share vanished on the way",
    "through_u_by_lag": "mean |temporal| through u alone",
    "through_others_by_lag": "mean |temporal| through m at least once",
    "lif_paths_by_lag": "mean |temporal| by Πε, a LIF's",
    "beyond_lif_by_lag": "mean |temporal| beside Πε",
    "m1_by_lag": "mean |M1|, first through u",
    "m2_by_lag": "mean |M2|, first through m",
}


def table(rows: pd.DataFrame) -> Table:
    """By lag, in the trained network: the total, parts I and II, and for CLIF both splits by state."""
    chosen = by_setting(rows[rows.metric.isin(list(LAG_ROWS))], "progress")
    chosen = chosen[chosen.progress == 1.0]
    chosen = chosen.assign(part=chosen.neuron + " " + chosen.metric.map(LAG_ROWS), lag=chosen.lag.astype(int))
    order = [f"{neuron} {words}" for neuron in ("lif", "clif") for words in LAG_ROWS.values()]
    chosen = chosen.assign(place=chosen.part.map({words: place for place, words in enumerate(order)}))
    chosen = chosen.sort_values(["place", "lag"])
    caption = "Trained network; columns: lag in steps. Mean over layers, ± 95 % t-interval over seeds."
    title = "Temporal gradient by lag."
    return table_of("study_temporal_gradient", title, caption, chosen, "part", "lag", digits=-3, over=["layer"])


PARTS = {"temporal_gradient_by_lag": "total", "m1_by_lag": "M1", "m2_by_lag": "M2"}


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    chosen = by_setting(rows[rows.metric.isin(list(PARTS))], "progress")
    chosen = chosen.assign(
        part=chosen.metric.map(PARTS), lag=chosen.lag.astype(int), training=chosen.progress.map("{:.0%} trained".format)
    )
    names = ["neuron", "part", "lag", "training"]
    found = over_seeds(chosen, names, ["layer"])
    means = pd.DataFrame([{**dict(zip(names, key, strict=True)), "value": own.mean} for key, own in found.items()])
    return means[means.value > 1e-12]  # the difference of two Jacobians leaves rounding where a path has none


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


PICTURED = "Mean temporal gradient by lag, a panel a state of training; dashes: the paths that it takes."
STUDY = Study("temporal_gradient", 4, "The temporal gradient", grid, evidence, table, shown, draw, PICTURED)
