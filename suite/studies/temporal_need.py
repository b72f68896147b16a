"""Which data sets need time: LIF with full gradients, with gradients cut at each step, and without any state."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from suite.report import names
from suite.report.answer import joined
from suite.report.conditions import only_seeds
from suite.report.plots import interval
from suite.report.table import Entry, Table, format_estimate
from suite.statistics import SIGNIFICANCE, Estimate, holm
from suite.statistics.equivalence import difference_p_value, equivalence_p_value
from suite.studies.base import Scale, Study, by_seed, by_setting, mean_of, paired
from suite.studies.verdicts import Check, Evidence
from tasks import Cell, data
from tasks.temporal_need import TIMES
from tasks.training.network_task import budget

NEURON, SEEDS, MARGIN = "lif", 4, 1.0
"""Points within which two accuracies count as equal."""
WORDS = {"full": "full gradient", "cut": "gradient cut", "none": "no state"}
CLAUSES = {
    "gradient through time": "the gradient through time on",
    "state alone": "state alone on",
    "no": "neither on",
    "not told": "these seeds do not tell on",
}
"""How a sentence tells the verdicts of `verdicts`."""
CLAIMS = {
    "recall_needs_time": ("delayed_recall", "none"),
    "adding_needs_gradient": ("binary_adding", "cut"),
    "rows_need_time": ("mnist5k_rows", "none"),
    "digits_need_no_time": ("digits", "none"),
}
"""By claim its data set, and what is held against the full gradient."""


def grid(scale: Scale) -> list[Cell]:
    """All data sets that come with the project, each with its own network and budget, unless one is asked for."""
    known = [name for name, source in data.SOURCES.items() if not source.timings_alone and data.embedded(name)]
    chosen = [name for name in known if data.SOURCES[name].in_smoke] if scale.smoke else known
    cells = []
    for name in chosen if scale.dataset == "digits" else [scale.dataset]:
        own = {"epochs": 10, "timesteps": 4} | budget(scale.profile, name)
        for time in TIMES:
            cells += scale.cells("temporal_need", [NEURON], SEEDS, **own, time=time)
    return cells


def _final(rows: pd.DataFrame) -> pd.DataFrame:
    return by_setting(rows[rows.metric == "accuracy_final"], "time")


def _of(rows: pd.DataFrame, dataset: str) -> dict[str, pd.Series]:
    """Final accuracies of a data set by seed, for each way of having time."""
    return {time: by_seed(rows[rows.time == time], "accuracy_final", dataset=dataset) for time in TIMES}


def evidence(rows: pd.DataFrame) -> dict[str, Evidence | Check]:
    final, found = _final(rows), dict[str, Evidence | Check]()
    values = {dataset: _of(final, dataset) for dataset in dict.fromkeys(final.dataset)}
    for claim, (dataset, other) in CLAIMS.items():
        if dataset in values:
            own = values[dataset]
            measured = ", ".join(f"{WORDS[time]} {mean_of(own[time])} %" for time in TIMES)
            found[claim] = Evidence(measured, paired(own["full"], own[other]))
    return found


def verdicts(rows: pd.DataFrame) -> dict[str, str]:
    """What each data set needs, by one rule; its tests are corrected together over all data sets (Holm, 5 %).

    "gradient through time": the full gradient is better than the cut one and than no state. "state alone": it is
    better than no state, and not told from the cut one. "no": it is equal to no state within a point, or worse.
    "not told": none of these.
    """
    final = _final(rows)
    differences, tests = dict[str, dict[str, Estimate]](), dict[tuple[str, str], float]()
    for dataset in dict.fromkeys(final.dataset):
        values = _of(final, dataset)
        own = {time: paired(values["full"], values[time]) for time in ("cut", "none")}
        differences[dataset] = own
        for time, estimate in own.items():
            tests[dataset, time] = difference_p_value(estimate.values)
        tests[dataset, "equal"] = equivalence_p_value(own["none"].values, MARGIN)
    corrected = dict(zip(tests, holm(list(tests.values())), strict=True))
    return {name: _verdict(name, own, corrected) for name, own in differences.items()}


def needs(rows: pd.DataFrame) -> dict[str, tuple[dict[str, Estimate], str]]:
    """By data set its accuracies for each way of having time, and what it needs."""
    final = _final(rows)
    return {
        dataset: ({time: Estimate.of(list(own)) for time, own in _of(final, dataset).items()}, need)
        for dataset, need in verdicts(rows).items()
    }


def _verdict(dataset: str, differences: dict[str, Estimate], p: dict[tuple[str, str], float]) -> str:
    told = {time: p[dataset, time] < SIGNIFICANCE for time in differences}
    better = {time: told[time] and differences[time].mean > 0 for time in differences}
    if better["none"]:
        return "gradient through time" if better["cut"] else "state alone"
    if p[dataset, "equal"] < SIGNIFICANCE or told["none"]:
        return "no"
    return "not told"


def says(rows: pd.DataFrame) -> str:
    """Which data sets need what, in a sentence: "LIF needs state alone on MNIST rows, neither on digits." """
    found = verdicts(rows)
    clauses = []
    for need, words in CLAUSES.items():
        where = [names.dataset(dataset) for dataset, own in found.items() if own == need]
        if where:
            clauses.append(f"{words} {joined(where)}")
    begun = "" if found and set(found.values()) == {"not told"} else "LIF needs "
    text = begun + "; ".join(clauses)
    return f"{text[:1].upper()}{text[1:]}." if clauses else ""


def table(rows: pd.DataFrame) -> Table:
    lines = []
    for dataset, (accuracies, need) in needs(rows).items():
        entries = [Entry(format_estimate(own, 1), own) for own in accuracies.values()]
        lines.append((dataset, [*entries, Entry(need)]))
    caption = (
        "LIF's accuracy after the last epoch: gradients over all time steps, cut at each step, and neurons that begin "
        "each step anew, in the same network with the same budget. Needs: by paired t tests, corrected over all data "
        f"sets (Holm, 5 %); equal is within {MARGIN:g} point."
    )
    header = ["data set", *WORDS.values(), "needs"]
    return Table("study_temporal_need", "Does the data set need time? (%)", caption, header, lines)


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What the plot shows."""
    final = _final(rows)
    return only_seeds(final.assign(time=final.time.map(WORDS)), ["dataset", "time"])


def draw(data: pd.DataFrame) -> Figure:
    axes = sns.pointplot(
        data, x="value", y="dataset", hue="time", hue_order=list(WORDS.values()), errorbar=interval, linestyle="none"
    )
    axes.set(xlabel="test accuracy (%)", ylabel="")
    return axes.figure


PICTURED = "Test accuracy of LIF by data set and by what it has of time: mean and 95 % interval over seeds."
STUDY = Study("temporal_need", 13, "Does the data set need time?", grid, evidence, table, shown, draw, PICTURED, says)
