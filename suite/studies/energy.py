"""Operations and energy of trained networks (CLIF paper, Tables 6 and 7). Energies are estimates."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.energy_models import MODELS, LayerCounts
from suite.report import style
from suite.report.table import Table
from suite.studies.base import PAPER, Finding, Scale, Study, by_seed, judge, mean_of, paired, table_of
from tasks import Cell

NEURONS = ["lif", "plif", "klif", "glif", "clif", "relu"]
COUNTS = ["macs", "acs", "neuron_multiplications", "neuron_additions", "neuron_exponentials", "spikes"]


def grid(scale: Scale) -> list[Cell]:
    return scale.cells("energy", NEURONS, seeds=4)


def energies(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each neuron, seed and energy model, in microjoule a sample."""
    result = []
    for (neuron, seed), own in rows[rows.layer.notna()].groupby(["neuron", "seed"]):
        counts = {str(layer): dict(zip(part.metric, part.value, strict=True)) for layer, part in own.groupby("layer")}
        steps = 1 if neuron == "relu" else int(own.timesteps.iloc[0])
        layers = [
            LayerCounts(found, counts.get(f"neurons.{name.split('.')[1]}", {}), str(neuron), steps)
            for name, found in counts.items()
            if "weights" in found
        ]
        for model, energy in MODELS.items():
            result.append({"neuron": neuron, "seed": seed, "model": model, "value": energy(layers) / 1e6})
    return pd.DataFrame(result)


def findings(rows: pd.DataFrame) -> list[Finding]:
    printed = pd.read_csv(PAPER / "energy.csv")
    printed = printed[printed.dataset == "CIFAR10"].set_index("neuron")
    whole = rows[rows.layer.isna()]
    acs = {name: by_seed(whole, "acs", neuron=name) for name in ("lif", "clif")}
    found = energies(rows)
    result = [
        judge(
            "CLIF needs fewer accumulations than LIF",
            f"CIFAR10: {printed.acs_million['CLIF']} against {printed.acs_million['LIF']} million (Table 6)",
            f"CLIF {mean_of(acs['clif'])}, LIF {mean_of(acs['lif'])} a sample",
            paired(acs["clif"], acs["lif"]),
            "ACs a sample",
            "negative",
        )
    ]
    for model in MODELS:
        own = found[found.model == model]
        joule = {name: own[own.neuron == name].set_index("seed").value for name in ("lif", "clif", "relu")}
        words = {name: mean_of(1000 * values) for name, values in joule.items()}
        for other, paper in (("relu", "85.3 against 2565 µJ"), ("lif", "85.3 against 89.7 µJ")):
            result.append(
                judge(
                    f"CLIF needs less energy than {other.upper()} (estimate by {model})",
                    f"CIFAR10: {paper} (Table 6, horowitz45)",
                    f"CLIF {words['clif']}, {other.upper()} {words[other]} nJ a sample",
                    paired(1000 * joule["clif"], 1000 * joule[other]),
                    "nJ a sample",
                    "negative",
                )
            )
    return result


def table(rows: pd.DataFrame) -> Table:
    counts = rows[rows.layer.isna() & rows.metric.isin(COUNTS)][["neuron", "seed", "metric", "value"]]
    estimated = energies(rows)
    estimated = estimated.assign(metric=estimated.model + " estimate (nJ)", value=1000 * estimated.value)
    both = pd.concat([counts, estimated[["neuron", "seed", "metric", "value"]]])
    caption = "For one sample, all time steps. Counts are measured, energies are estimates. Mean ± 95 % interval."
    return table_of("study_energy", "Operations and energy.", caption, both, "neuron", "metric", digits=0)


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    return energies(rows).assign(value=lambda frame: 1000 * frame.value)


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
        kind="bar",
        errorbar=None,
        sharey=False,
        height=2.8,
        aspect=1.1,
    )
    return grid.set_titles("{col_name} (estimate)").set_axis_labels("", "nJ a sample").figure


STUDY = Study("energy", 9, "Operations and energy", "Tables 6, 7", grid, findings, table, shown, draw)
