"""Tables that compare neurons by their accuracy: with a baseline on the same seeds, and by rank over data sets."""

from __future__ import annotations

import pandas as pd

from suite.report.style import ordered
from suite.report.table import Entry, Table, format_estimate
from suite.statistics import Comparison, compare_with_baseline, probability_of_improvement, rank_over_datasets

METRIC = "accuracy_selected"
TASKS = ("accuracy",)


def accuracies(rows: pd.DataFrame) -> pd.DataFrame:
    """The accuracies of a run: neuron, dataset, seed, value. Two backends of a neuron count as one more seed each."""
    chosen = rows[(rows.task == "accuracy") & (rows.metric == METRIC) & rows.value.notna()]
    return chosen[["neuron", "dataset", "seed", "value"]]


def _comparisons(rows: pd.DataFrame, baseline: str) -> dict[str, dict[str, Comparison]]:
    """By data set and neuron, for the data sets on which the baseline was measured."""
    found = {}
    for dataset, own in accuracies(rows).groupby("dataset", sort=False):
        by_seed = {str(name): group.groupby("seed").value.mean() for name, group in own.groupby("neuron")}
        if baseline in by_seed and len(by_seed) > 1:
            compared = {comparison.name: comparison for comparison in compare_with_baseline(by_seed, baseline)}
            found[str(dataset)] = {name: compared[name] for name in ordered(compared)}
    return found


def differences(rows: pd.DataFrame, baseline: str) -> Table | None:
    """Each neuron minus the baseline on the same seeds, by data set, with the test's verdict."""
    found = _comparisons(rows, baseline)
    if not found:
        return None
    names = ordered({name for compared in found.values() for name in compared})
    lines = [(name, [_difference(compared.get(name)) for compared in found.values()]) for name in names]
    comparisons = [comparison for compared in found.values() for comparison in compared.values()]
    notes = ["* differs from the baseline: paired permutation test, Holm-corrected over the column, p < 0.05."]
    seeds, needed = min(c.difference.count for c in comparisons), max(c.needed for c in comparisons)
    if seeds < needed:
        notes.append(f"{seeds} seeds support no claim about {len(names)} comparisons; {needed} or more would.")
    caption = f"Neuron − {baseline} in percentage points, paired over seeds, ± 95 % t-interval."
    header = ["neuron", *(f"{dataset} (points)" for dataset in found)]
    title = f"Difference from {baseline.upper()} in test accuracy."
    return Table("difference", title, caption, header, lines, notes, TASKS)


def _difference(comparison: Comparison | None) -> Entry:
    if comparison is None or not comparison.difference.count:
        return Entry("—")
    mark = " *" if comparison.verdict in ("higher", "lower") else ""
    text = format_estimate(comparison.difference, 1) + mark
    return Entry(text, comparison.difference, best=comparison.verdict == "higher")


def tests(rows: pd.DataFrame, baseline: str) -> Table | None:
    """Every comparison with the baseline in full: difference, p values, effect size, and what may be claimed."""
    lines = []
    for dataset, compared in _comparisons(rows, baseline).items():
        for name, comparison in compared.items():
            numbers = (comparison.p, comparison.corrected, comparison.effect_size)
            texts = [dataset, format_estimate(comparison.difference, 1), *(f"{number:.3g}" for number in numbers)]
            texts += [str(comparison.difference.count), comparison.verdict]
            lines.append((name, [Entry(text) for text in texts]))
    if not lines:
        return None
    caption = (
        f"Paired over seeds against {baseline}: permutation test, Holm's correction over the neurons of a data set, "
        "Hedges' g of the paired differences."
    )
    header = ["neuron", "data set", "difference (points)", "p", "corrected p", "g", "seeds", "verdict"]
    return Table("tests", "Which differences may be claimed.", caption, header, lines, [], TASKS)


def rank_matrix(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy: data sets down, neurons across."""
    return accuracies(rows).pivot_table(index="dataset", columns="neuron", values="value", observed=True)


def mean_ranks(rows: pd.DataFrame) -> Table | None:
    """Mean rank over data sets, with the critical difference."""
    ranks = rank_over_datasets(rank_matrix(rows))
    if ranks is None:
        return None
    best = ranks.mean.index[0]
    against_best = ranks.pairwise[best]
    lines = [
        (str(name), [Entry(f"{rank:.2f}", best=name == best), Entry(f"{against_best[name]:.3f}")])
        for name, rank in ranks.mean.items()
    ]
    caption = (
        f"1 is best; over {ranks.datasets} data sets. Friedman's test: p = {ranks.p:.3f}. "
        f"Ranks differ beyond chance from a critical difference of {ranks.critical_difference:.2f} on (Nemenyi, 5 %)."
    )
    header = ["neuron", "mean rank", f"p against {best}"]
    return Table("mean_rank", "Mean rank by test accuracy over the data sets.", caption, header, lines, [], TASKS)


def improvements(rows: pd.DataFrame, baseline: str) -> Table | None:
    """The probability that a neuron beats the baseline."""
    chosen = accuracies(rows)
    runs = {
        str(name): {str(dataset): list(values) for dataset, values in group.groupby("dataset").value}
        for name, group in chosen.groupby("neuron")
    }
    if baseline not in runs:
        return None
    lines = []
    for name in ordered(chosen.neuron):
        found = probability_of_improvement(runs[name], runs[baseline]) if name != baseline else None
        if found is not None:
            interval = f"{found.low:.2f} to {found.high:.2f}"
            lines.append((name, [Entry(f"{found.probability:.2f}"), Entry(interval)]))
    if not lines:
        return None
    caption = (
        "For a run drawn at random, mean over data sets; 0.5 is no difference. 95 % stratified bootstrap interval."
    )
    title = f"Probability of improvement over {baseline.upper()}."
    return Table("improvement", title, caption, ["neuron", "P(better)", "interval"], lines, [], TASKS)
