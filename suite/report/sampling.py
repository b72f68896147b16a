"""The error of the test set itself, beside the spread over seeds: from the answers to each test sample."""

from __future__ import annotations

import numpy as np
import pandas as pd

from suite.report import names
from suite.report.conditions import of_task
from suite.report.numbers import MISSING, format_value
from suite.report.ranking import chosen_variant
from suite.report.style import ordered
from suite.report.table import Entry, Table, format_estimate
from suite.statistics import Estimate, sampling_half_width
from tasks.training.predictions import unpacked


def sampling(rows: pd.DataFrame, baseline: str) -> Table | None:
    """Accuracy and difference from the baseline, each with what the seeds and what the test samples leave open."""
    own = of_task(rows, "accuracy")
    own = own[(own.metric == "right_answers") & own.value.notna() & (own.detail.fillna("") != "")]
    if own.empty:
        return None
    chosen = chosen_variant(own).rows
    lines, redrawn = [], []
    for where, group in chosen.groupby("where", sort=False):
        answers = {str(who): _Answers(part) for who, part in group.groupby("who", sort=False)}
        base = next((own for who, own in answers.items() if names.neuron_of(who) == baseline), None)
        title = names.condition(str(where))
        redrawn += [] if all(own.shared for own in answers.values()) else [title]
        lines += [(who, [Entry(title), *_entries(answers[who], base)]) for who in ordered(answers)]
    caption = (
        "Points of the selected epoch's accuracy, 95 %: ± seeds is what training again gives (Student's t), ± samples "
        "what another test set of the same size would (normal, over the test samples); of the difference both are "
        f"paired with {names.written(baseline)}."
    )
    notes = [f"Each seed has test samples of its own on {', '.join(redrawn)}."] if redrawn else []
    header = ["neuron", "data set", "test samples", "accuracy (%)", "± seeds", "± samples"]
    header += ["difference (points)", "± seeds", "± samples"]
    return Table("sampling", "Seeds or samples: what leaves an accuracy open.", caption, header, lines, notes, TASKS)


TASKS = ("accuracy",)


class _Answers:
    """Right answers of one neuron, [seeds, samples], and whether all seeds had the same samples."""

    def __init__(self, rows: pd.DataFrame) -> None:
        pairs = {int(seed): unpacked(text) for seed, text in zip(rows.seed, rows.detail, strict=True)}
        self.right = {seed: (predicted == labels).astype(float) for seed, (predicted, labels) in sorted(pairs.items())}
        labels = [own[1] for own in pairs.values()]
        self.shared = all(np.array_equal(labels[0], own) for own in labels[1:])


def _entries(own: _Answers, base: _Answers | None) -> list[Entry]:
    right = np.stack(list(own.right.values()))
    entries = [Entry(f"{right.shape[1]:,}"), *_three(right, own.shared)]
    if base is None or own is base:
        return [*entries, *[Entry(MISSING)] * 3]
    common = [seed for seed in own.right if seed in base.right]
    if not common:
        return [*entries, *[Entry(MISSING)] * 3]
    return [*entries, *_three(np.stack([own.right[s] - base.right[s] for s in common]), own.shared)]


def _three(values: np.ndarray, shared: bool) -> list[Entry]:
    seeds = Estimate.of(list(100 * values.mean(axis=1)))
    samples = 100 * sampling_half_width(values, shared)
    return [
        Entry(format_estimate(Estimate(seeds.mean, float("nan"), seeds.count), 1)),
        Entry(format_value(seeds.half_width, 2)),
        Entry(format_value(samples, 2)),
    ]
