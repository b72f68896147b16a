"""Accuracies by a paper's recipe beside those that the paper prints, so that a run that misses them says so."""

from __future__ import annotations

import json

import pandas as pd

from suite.report import names
from suite.report.conditions import of_task
from suite.report.numbers import MISSING
from suite.report.table import Entry, Table
from suite.statistics import Estimate
from tasks.training import recipes


def reference(rows: pd.DataFrame) -> Table | None:
    """A line for each data set, neuron and recipe; None where no row was trained by a recipe."""
    own = of_task(rows, "accuracy")
    known = own.settings.map(lambda text: (json.loads(text) if isinstance(text, str) else {}).get("recipe"))
    own = own.assign(recipe=known)[known.notna()]
    lines = []
    for (dataset, neuron, recipe), group in own.groupby(["dataset", "neuron", "recipe"], observed=True, sort=False):
        printed = recipes.printed(str(dataset), str(neuron), str(recipe).partition(recipes.BUT)[0])
        metric = "accuracy_paper_style" if printed is None else printed.metric
        values = group[(group.metric == metric) & group.value.notna()].value.tolist()
        if not values:
            continue
        mean = Estimate.of(values).mean
        texts = [names.neuron(str(neuron)), str(recipe), f"{mean:.2f} ({len(values)})"]
        texts += [MISSING if printed is None else f"{printed.accuracy:.2f} ± {printed.within:g}"]
        texts += [_judged(mean, printed, recipes.BUT in str(recipe))]
        lines.append((str(dataset), [Entry(text) for text in texts]))
    header = ["data set", "neuron", "recipe", "best test (%) (seeds)", "printed (%)", "agreement"]
    caption = (
        "Best test accuracy of all epochs, as the paper judges; printed with the tolerance that the recipe states."
    )
    return Table("reference", "Beside the paper.", caption, header, lines, [], ("accuracy",)) if lines else None


def _judged(mean: float, printed: recipes.Printed | None, changed: bool) -> str:
    if printed is None:
        return "nothing is printed"
    if changed:
        return "not compared: the recipe was changed"
    difference = mean - printed.accuracy
    if abs(difference) <= printed.within:
        return "within the tolerance"
    return f"{'above' if difference > 0 else 'missed'} by {abs(difference):.2f} points"
