"""Tables that compare neurons by their accuracy: with a baseline on the same seeds, and by rank over data sets."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from suite.report.conditions import in_order, name_conditions, same_for_all
from suite.report.names import written
from suite.report.numbers import MISSING, format_p, format_value
from suite.report.once import once
from suite.report.ranking import Variant, chosen_variant
from suite.report.style import ordered
from suite.report.table import Entry, Table, format_estimate
from suite.statistics import (
    SEEDS_TO_CLAIM,
    SIGNIFICANCE,
    Comparison,
    Ranks,
    compare_with_baseline,
    probability_of_improvement,
)
from suite.statistics.improvement import FEWEST_FOR_INTERVAL

METRIC = "accuracy_selected"
TASKS = ("accuracy",)


@once
def accuracies(rows: pd.DataFrame) -> pd.DataFrame:
    """The accuracies of a run as named rows: one value a condition and seed."""
    named = name_conditions(rows)
    return in_order(named[(named.task == "accuracy") & (named.metric == METRIC) & named.value.notna()])


def rank_matrix(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy of the variant that is ranked: data sets down, neurons across."""
    return chosen_variant(accuracies(rows)).matrix


@once
def _comparisons(rows: pd.DataFrame, baseline: str) -> dict[str, dict[str, Comparison]]:
    """By condition and neuron, where the baseline was measured: only what differs in the neuron alone is compared."""
    found = {}
    for (where, how), own in accuracies(rows).groupby(["where", "how"], sort=False):
        by_seed = {str(name): group.set_index("seed").value for name, group in own.groupby("neuron", sort=False)}
        if baseline in by_seed and len(by_seed) > 1:
            compared = {comparison.name: comparison for comparison in compare_with_baseline(by_seed, baseline)}
            label = f"{where}, {how}" if how else str(where)
            found[label] = {name: compared[name] for name in ordered(compared)}
    return found


def differences(rows: pd.DataFrame, baseline: str) -> Table | None:
    """Each neuron minus the baseline on the same seeds, by data set, with the test's verdict."""
    found = _comparisons(rows, baseline)
    if not found:
        return None
    names = ordered({name for compared in found.values() for name in compared})
    lines = [(name, [_difference(compared.get(name)) for compared in found.values()]) for name in names]
    notes = [
        "* differs from the baseline: paired permutation test, corrected over the column (step-down max-T), p < 0.05."
    ]
    if any(entry.text == MISSING for _, entries in lines for entry in entries):
        notes.append(f"— not measured, or on no seed that {written(baseline)} has.")
    notes += _too_few_seeds(found)
    caption = f"Neuron − {written(baseline)} in percentage points, paired over seeds, ± 95 % t-interval."
    caption = f"{caption} {same_for_all(accuracies(rows))}".strip()
    header = ["neuron", *(f"{column} (points)" for column in found)]
    title = f"Difference from {written(baseline)} in test accuracy."
    return Table("difference", title, caption, header, lines, notes, TASKS, by_kind=True)


def _too_few_seeds(found: Mapping[str, Mapping[str, Comparison]]) -> list[str]:
    tested = [
        comparison for compared in found.values() for comparison in compared.values() if comparison.difference.count
    ]
    fewest = min((comparison.difference.count for comparison in tested), default=SEEDS_TO_CLAIM)
    return [] if fewest >= SEEDS_TO_CLAIM else [f"{fewest} seeds support no claim; {SEEDS_TO_CLAIM} can."]


def _difference(comparison: Comparison | None) -> Entry:
    if comparison is None or not comparison.difference.count:
        return Entry(MISSING)
    mark = " *" if comparison.verdict in ("higher", "lower") else ""
    text = format_estimate(comparison.difference, 1) + mark
    return Entry(text, comparison.difference, best=comparison.verdict == "higher")


def tests(rows: pd.DataFrame, baseline: str) -> Table | None:
    """Every comparison with the baseline in full: difference, p values, effect size, and what may be claimed."""
    lines = []
    for column, compared in _comparisons(rows, baseline).items():
        for name, comparison in compared.items():
            p_values = (comparison.p, comparison.corrected, comparison.t_p)
            texts = [column, format_estimate(comparison.difference, 1), *map(format_p, p_values)]
            texts += [format_value(comparison.effect_size, 2), str(comparison.difference.count), comparison.verdict]
            lines.append((name, [Entry(text) for text in texts]))
    if not lines:
        return None
    caption = (
        f"Paired over seeds against {written(baseline)}: permutation test, corrected over the neurons of a data set "
        "(step-down max-T), on which the verdict rests; the paired t-test beside it, uncorrected, which assumes normal "
        "differences; Hedges' g of the paired differences."
    )
    header = ["neuron", "data set", "difference (points)", "p", "corrected p", "t-test p", "g", "seeds", "verdict"]
    return Table("tests", "Which differences may be claimed.", caption, header, lines, [], TASKS)


def mean_ranks(rows: pd.DataFrame) -> Table | None:
    """Mean rank over data sets, with the critical difference; no winner where Friedman's test finds none."""
    variant = chosen_variant(accuracies(rows))
    ranks = variant.ranks
    if ranks is None:
        return None
    best = str(ranks.mean.index[0])
    header = ["neuron", "mean rank", *([f"p against {written(best)}"] if ranks.told_apart else [])]
    lines = [(str(name), _rank_entries(str(name), float(rank), ranks)) for name, rank in ranks.mean.items()]
    caption = f"1 is best; over {ranks.datasets} data sets: {', '.join(ranks.names)}. {_friedman(ranks)}"
    title = "Mean rank by test accuracy over the data sets."
    return Table("mean_rank", title, caption, header, lines, [*variant.notes, *_left_out(ranks)], TASKS)


def _rank_entries(name: str, rank: float, ranks: Ranks) -> list[Entry]:
    if not ranks.told_apart:
        return [Entry(f"{rank:.2f}")]
    p = float(ranks.pairwise.loc[ranks.mean.index[0], name])
    return [Entry(f"{rank:.2f}", best=p >= SIGNIFICANCE), Entry(format_p(p))]


def _friedman(ranks: Ranks) -> str:
    p = format_p(ranks.p)
    p = f"p {p}" if p.startswith("<") else f"p = {p}"
    if not ranks.told_apart:
        return f"Friedman's test does not tell the neurons apart ({p}): their order says nothing."
    return (
        f"Friedman's test: {p}. Ranks differ beyond chance from a critical difference of "
        f"{ranks.critical_difference:.2f} on (Nemenyi, 5 %); bold: not told from the best."
    )


def _left_out(ranks: Ranks) -> list[str]:
    if not ranks.left_out:
        return []
    return [f"Not in the ranks, because not every neuron was measured on every data set: {', '.join(ranks.left_out)}."]


def improvements(rows: pd.DataFrame, baseline: str) -> Table | None:
    """The probability that a neuron beats the baseline; one value a seed and data set, whatever else was measured."""
    variant: Variant = chosen_variant(accuracies(rows))
    runs = {
        str(name): {str(dataset): list(values) for dataset, values in group.groupby("dataset", sort=False).value}
        for name, group in variant.rows.groupby("neuron", sort=False)
    }
    if baseline not in runs:
        return None
    lines, short = [], False
    for name in ordered(runs):
        found = probability_of_improvement(runs[name], runs[baseline]) if name != baseline else None
        if found is not None:
            none = found.low != found.low
            interval = MISSING if none else f"{found.low:.2f} to {found.high:.2f}"
            lines.append((name, [Entry(f"{found.probability:.2f}"), Entry(interval)]))
            short |= none
    if not lines:
        return None
    caption = (
        "For a run drawn at random, mean over data sets; 0.5 is no difference. 95 % stratified bootstrap interval."
    )
    title = f"Probability of improvement over {written(baseline)}."
    notes = [*variant.notes]
    if short:
        notes.append(f"— no interval from fewer than {FEWEST_FOR_INTERVAL} seeds a data set.")
    header = ["neuron", "P(better)", "interval"]
    return Table("improvement", title, caption, header, lines, notes, TASKS, by_kind=True)
