"""Operations and energy of trained networks (CLIF paper, Tables 6 and 7). Energies are estimates."""

from collections import defaultdict
from collections.abc import Mapping

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report import style
from suite.report.conditions import only_seeds
from suite.report.table import Table
from suite.statistics import Estimate
from suite.studies import energy_models
from suite.studies.base import Scale, Study, by_seed, mean_of, table_of
from suite.studies.energy_models import LayerCounts
from suite.studies.verdicts import Check, Evidence
from tasks import Cell

NEURONS = ["lif", "plif", "klif", "glif", "clif", "relu"]
COUNTS = ["macs", "acs", "neuron_multiplications", "neuron_additions", "neuron_exponentials", "spikes"]
SEEDS = 6


def grid(scale: Scale) -> list[Cell]:
    return scale.cells("energy", NEURONS, seeds=SEEDS)


def layers_of(rows: pd.DataFrame) -> list[LayerCounts]:
    """The synapses of one network with the neurons that each feeds, from the rows of one cell."""
    own = rows[rows.layer.notna()]
    counts = {str(layer): dict(zip(part.metric, part.value, strict=True)) for layer, part in own.groupby("layer")}
    feeds = own[own.metric == "feeds"]
    names_fed = zip(feeds.layer.astype(str), feeds.detail.astype(str), strict=True)
    fed = {layer: names.split(", ") if names else [] for layer, names in names_fed}
    feeders: dict[str, int] = defaultdict(int)
    for names in fed.values():
        for name in names:
            feeders[name] += 1
    neuron, steps = str(rows.neuron.iloc[0]), int(rows.timesteps.iloc[0])
    return [
        LayerCounts(found, _share(counts, fed.get(name, []), feeders), neuron, steps)
        for name, found in counts.items()
        if "weights" in found
    ]


def _share(counts: Mapping[str, Mapping[str, float]], fed: list[str], feeders: Mapping[str, int]) -> dict[str, float]:
    """Counts of the neurons that a synapse feeds, those fed by several synapses in equal parts."""
    total: dict[str, float] = defaultdict(float)
    for name in fed:
        for metric, value in counts[name].items():
            total[metric] += value / feeders[name]
    return dict(total)


def energies(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each neuron, seed and energy model, in nanojoule a sample."""
    only_seeds(rows, ["neuron", "metric", "layer"])
    result = [
        {"neuron": neuron, "seed": seed, "model": model, "value": picojoule / 1e3}
        for (neuron, seed), own in rows.groupby(["neuron", "seed"])
        for model, picojoule in energy_models.energies(layers_of(own)).items()
    ]
    return pd.DataFrame(result)


def _relative(first: pd.Series, second: pd.Series) -> Estimate:
    """By how many per cent the first is above the second, by seed."""
    return Estimate.of(list((100 * (first / second - 1)).dropna()))


def evidence(rows: pd.DataFrame) -> dict[str, Evidence | Check]:
    acs = {name: by_seed(rows[rows.layer.isna()], "acs", neuron=name) for name in ("lif", "clif")}
    joule = {key: own.set_index("seed").value for key, own in energies(rows).groupby(["neuron", "model"])}
    found: dict[str, Evidence | Check] = {
        "fewer_accumulations": Evidence(
            f"CLIF {mean_of(acs['clif'])}, LIF {mean_of(acs['lif'])} ACs a sample", _relative(acs["clif"], acs["lif"])
        )
    }
    compared = {
        "similar_energy": ("lif", "clif_table6"),
        "less_energy_than_ann": ("relu", "clif_table6"),
        "less_energy_than_ann_over_all_steps": ("relu", "clif_table6_all_steps"),
        "table7_costs_more_than_lif": ("lif", "clif_table7"),
        "table7_costs_less_than_ann": ("relu", "clif_table7"),
    }
    for claim, (other, model) in compared.items():
        clif, theirs = joule["clif", model], joule[other, model]
        others = {name: _relative(joule["clif", name], joule[other, name]) for name in ("horowitz45", "lemaire2022")}
        beside = ", ".join(f"{name} {estimate.mean:+.1f} %" for name, estimate in others.items())
        name = {"relu": "ReLU", "lif": "LIF"}[other]
        measured = f"CLIF {mean_of(clif)}, {name} {mean_of(theirs)} nJ a sample"
        found[claim] = Evidence(measured, _relative(clif, theirs), f"by {beside}")
    share = {}
    for seed, own in rows[rows.neuron == "clif"].groupby("seed"):
        columns = energy_models.table7_of(layers_of(own))
        share[seed] = 100 * (columns.potential + columns.parameters + columns.in_out) / columns.total
    shares = pd.Series(share)
    found["memory_dominates"] = Evidence(f"{mean_of(shares)} % of the total", Estimate.of(list(shares - 50)))
    return found


def table(rows: pd.DataFrame) -> Table:
    counts = rows[rows.layer.isna() & rows.metric.isin(COUNTS)]
    estimated = energies(rows)
    estimated = estimated.assign(metric=estimated.model + " estimate (nJ)")
    both = pd.concat([counts, estimated[["neuron", "seed", "metric", "value"]]], ignore_index=True)
    caption = (
        "For one sample, all time steps (clif_table6: one). Counts are measured, energies are estimates; batch norm is "
        "folded into the weights. Mean ± 95 % t-interval over seeds."
    )
    return table_of("study_energy", "Operations and energy.", caption, both, "neuron", "metric", digits=0)


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    return energies(rows)


def draw(data: pd.DataFrame) -> Figure:
    order = style.ordered(data.neuron)
    grid = sns.catplot(
        data,
        x="neuron",
        y="value",
        hue="neuron",
        order=order,
        hue_order=order,
        palette=style.colours(order),
        col="model",
        col_wrap=3,
        kind="bar",
        errorbar=None,
        sharey=False,
        height=2.4,
        aspect=1.1,
    )
    return grid.set_titles("{col_name} (estimate)").set_axis_labels("", "nJ a sample").figure


PICTURED = "Estimated energy of a sample by neuron, a panel an energy model; each with a scale of its own."
STUDY = Study("energy", 9, "Operations and energy", grid, evidence, table, shown, draw, PICTURED)
