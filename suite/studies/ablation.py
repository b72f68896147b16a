"""What of CLIF does the work: its dynamics, its reset or its gradient. The paper believes in the gradient."""

from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report.conditions import only_seeds
from suite.report.plots import interval
from suite.report.table import Table
from suite.studies.base import Scale, Study, accuracy_contrast, by_seed, by_setting, mean_of, paired, table_of
from suite.studies.verdicts import Check, Evidence
from tasks import Cell

STEPS = 8
"""The T from which CLIF leads on static input (study timesteps)."""
EXTRA_RESET = 0.75
"""About the mean of σ(m) in CLIF, which lies between ½ and 1."""
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "CLIF, gradient through m cut": ("clif", {"cut": "m"}),
    "CLIF, gradient of LIF": ("clif", {"backward_of": "lif"}),
    "LIF, gradient of CLIF": ("lif", {"backward_of": "clif"}),
    "LIF, 0.5 more reset": ("lif", {"extra_reset": 0.5}),
    "LIF, 0.75 more reset": ("lif", {"extra_reset": EXTRA_RESET}),
}


def grid(scale: Scale) -> list[Cell]:
    cells = scale.cells("accuracy", ["lif", "clif"], timesteps=STEPS)
    for neuron, settings in VARIANTS.values():
        cells += scale.cells("ablation", [neuron], timesteps=STEPS, **settings)
    return cells


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with a column `model`: LIF, CLIF or the name of a variant."""
    chosen = by_setting(rows, "cut", "extra_reset", "backward_of")
    model = chosen.neuron.str.upper()
    for name, (neuron, settings) in VARIANTS.items():
        own = (chosen.task == "ablation") & (chosen.neuron == neuron)
        for key, value in settings.items():
            own &= chosen[key] == value
        model = model.mask(own, name)
    return chosen.assign(model=model)


def evidence(rows: pd.DataFrame) -> dict[str, Evidence | Check]:
    named = _named(rows)

    def of(model: str) -> pd.DataFrame:
        return named[named.model == model]

    against = {
        "m_gradient_helps": "CLIF, gradient through m cut",
        "backward_explains": "CLIF, gradient of LIF",
        "reset_explains": "LIF, 0.75 more reset",
    }
    found: dict[str, Evidence | Check] = {
        claim: accuracy_contrast(of("CLIF"), of(other), ("CLIF", other)) for claim, other in against.items()
    }
    found["gradient_alone_helps"] = accuracy_contrast(
        of("LIF, gradient of CLIF"), of("LIF"), ("LIF with CLIF's gradient", "LIF")
    )
    loss = named[named.metric == "train_loss"]
    early = max(1, round(loss.step.max() / 5))
    lif, clif, larger = (
        by_seed(loss[(loss.model == model) & (loss.step == early)], "train_loss")
        for model in ("LIF", "CLIF", "LIF, 0.75 more reset")
    )
    found["reset_slows_learning"] = Evidence(
        f"after epoch {early} CLIF {mean_of(clif)}, LIF {mean_of(lif)}",
        paired(clif, lif),
        f"LIF with 0.75 more reset {mean_of(larger)}",
    )
    return found


SHOWN = {"accuracy_final": "final (%)", "accuracy_selected": "selected (%)"}


def table(rows: pd.DataFrame) -> Table:
    named = _named(rows)
    accuracy = named[named.metric.isin(list(SHOWN))]
    last = named[named.metric.isin(["train_loss", "test_loss"]) & (named.step == named.step.max())]
    both = pd.concat([accuracy.assign(column=accuracy.metric.map(SHOWN)), last.assign(column=last.metric)])
    caption = f"T = {STEPS}; losses after the last epoch. Mean ± 95 % t-interval over seeds."
    return table_of("study_ablation", "What of CLIF does the work.", caption, both, "model", "column", digits=2)


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    named = only_seeds(_named(rows[rows.metric.isin(["train_loss", "test_loss"])]), ["model", "metric", "step"])
    return named.assign(epoch=named.step.astype(int), part=named.metric.str.replace("_loss", ""))


def draw(data: pd.DataFrame) -> Figure:
    grid = sns.relplot(
        data, x="epoch", y="value", hue="model", col="part", kind="line", errorbar=interval, height=2.8, aspect=1.2
    )
    return grid.set(yscale="log").set_titles("{col_name} loss").set_axis_labels("epoch", "loss").figure


PICTURED = (
    "Training and test loss by epoch, mean and 95 % interval over seeds, of CLIF, LIF and the models between them."
)
STUDY = Study("ablation", 11, "What of CLIF does the work", grid, evidence, table, shown, draw, PICTURED)
