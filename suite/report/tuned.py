"""What equal tuning changes: accuracies as they are and tuned side by side, and the settings that were chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from suite.report import names
from suite.report.conditions import name_conditions, of_task
from suite.report.numbers import MISSING, format_value
from suite.report.outcomes import Outcome, outcomes
from suite.report.table import Entry, Table, format_estimate
from suite.runs.tuning import SHARED
from suite.statistics import SIGNIFICANCE, Estimate, corrected_p_values, paired_differences

TUNED, TRIAL = '"tuning": "tuned"', "tuning"
"""What the settings of a tuned row hold, and the task of those that were tried."""
WORDS = {"neuron.surrogate": "", "neuron.surrogate_width": "width"}
"""How a setting of the neuron is called beside its value; by its name unless told."""


@dataclass(frozen=True)
class Side:
    """One data set, as it is and tuned.

    Attributes:
        trials: how many settings the tuned ones are the best of.
    """

    before: Outcome
    after: Outcome
    trials: int

    @property
    def whos(self) -> list[str]:
        """Who was measured both ways, by the tuned mean."""
        both = [who for who in self.after.values if who in self.before.values]
        return sorted(both, key=lambda who: -self.after.estimates[who].mean)

    @cached_property
    def gains(self) -> dict[str, Estimate]:
        """Tuned less as it is, over the seeds of both."""
        return {
            who: Estimate.of(paired_differences(self.after.values[who], self.before.values[who])) for who in self.whos
        }

    @cached_property
    def found(self) -> set[str]:
        """Whose gain or loss the paired test finds, corrected over the neurons of the data set."""
        series = {f"{who} before": self.before.values[who] for who in self.whos}
        series |= {f"{who} after": self.after.values[who] for who in self.whos}
        corrected = corrected_p_values(series, [(f"{who} after", f"{who} before") for who in self.whos])
        return {who for who in self.whos if corrected[f"{who} after", f"{who} before"] < SIGNIFICANCE}

    def rank(self, who: str, side: Outcome) -> int:
        """1 for the highest mean among all that were measured both ways; equal means share the better rank."""
        return 1 + sum(side.estimates[other].mean > side.estimates[who].mean for other in self.whos)


def is_tuned(rows: pd.DataFrame) -> pd.Series:
    return rows.settings.astype(str).str.contains(TUNED, regex=False)


def sides(rows: pd.DataFrame) -> list[Side]:
    """One a data set that was measured both ways; of several numbers of trials that with most."""
    named = name_conditions(rows)
    tuned = is_tuned(named).to_numpy()
    if not tuned.any():
        return []
    counts = np.array(
        [json.loads(text)["trials"] if own else 0 for text, own in zip(named.settings, tuned, strict=True)]
    )
    most = int(counts.max())
    before = {own.dataset: own for own in outcomes(named[~tuned])}
    after = outcomes(named[counts == most])
    return [
        Side(before[own.dataset], replace(own, where=before[own.dataset].where), most)
        for own in after
        if own.dataset in before
    ]


def tuned(rows: pd.DataFrame) -> Table | None:
    """Accuracy as it is and tuned, the gain, and how the rank moves."""
    found = sides(rows)
    lines = [(who, _line(side, who)) for side in found for who in side.whos]
    if not lines:
        return None
    caption = (
        f"Tuned: the best of {found[0].trials} settings by validation on a seed of its own, the same number for each "
        "neuron, run with the seeds of the others. Bold: the best of a data set, and all that the paired test does not "
        "tell from it. Rank: by mean accuracy, as it is → tuned."
    )
    notes = ["* tuning changes it: paired permutation test, corrected over the neurons of a data set, p < 0.05."]
    header = ["neuron", "data set", "as it is (%)", "tuned (%)", "gain (points)", "rank"]
    return Table("tuned", "What equal tuning changes.", caption, header, lines, notes, ("accuracy",))


def _line(side: Side, who: str) -> list[Entry]:
    before, after, gain = side.before.estimates[who], side.after.estimates[who], side.gains[who]
    mark = " *" if who in side.found else ""
    sign = "+" if gain.mean > 0 else ""
    return [
        Entry(names.condition(side.before.where)),
        Entry(format_estimate(before, 1), before, who in side.before.best),
        Entry(format_estimate(after, 1), after, who in side.after.best),
        Entry(f"{sign}{format_estimate(gain, 1)}{mark}" if gain.count else MISSING, gain if gain.count else None),
        Entry(f"{side.rank(who, side.before)} → {side.rank(who, side.after)}"),
    ]


def trials(rows: pd.DataFrame) -> pd.DataFrame:
    """What was tried: one row a trial with `where`, `who`, `trial`, `accuracy`, `loss` and its settings."""
    own = of_task(rows, TRIAL)
    own = own[own.value.notna()]
    own = own.assign(trial=own.settings.map(lambda text: json.loads(text).get("trial")))
    own = own[own.trial.notna()]
    metrics = {"accuracy_validation_best": "accuracy", "validation_loss_selected": "loss"}
    own = own[own.metric.isin(metrics)].assign(metric=own.metric.map(metrics))
    places = ["where", "who", "neuron", "dataset", "trial", "settings", "seed"]
    if own.empty:
        return pd.DataFrame(columns=[*places, *metrics.values()])
    found = own.pivot_table("value", places, "metric", sort=False).reset_index()
    return found.dropna(subset=list(metrics.values())).sort_values(["where", "who", "trial"], kind="stable")


def best_trial(own: pd.DataFrame) -> pd.Series:
    """The trial that tuning takes: of highest accuracy, of tied ones of lowest loss, of these the first."""
    return own.sort_values(["accuracy", "loss", "trial"], ascending=[False, True, True]).iloc[0]


def tuned_settings(rows: pd.DataFrame) -> Table | None:
    """What was chosen for each neuron and data set, and what it was worth on the validation set."""
    tried = trials(rows)
    lines = []
    for (where, who), own in tried.groupby(["where", "who"], sort=False):
        best = best_trial(own)
        settings = json.loads(best.settings)
        first = own[own.trial == 0].accuracy
        texts = [
            names.condition(str(where)),
            *(_recipe(settings, name) for name in ("learning_rate", "weight_decay")),
            _neuron(settings),
            f"{int(best.trial) + 1} of {len(own)}",
            format_value(float(first.iloc[0]), 1) if len(first) else MISSING,
            format_value(float(best.accuracy), 1),
        ]
        lines.append((str(who), [Entry(text) for text in texts]))
    if not lines:
        return None
    caption = (
        "The first setting is the one as it is; the others are Sobol's points in the space that all share, and in what "
        "a model names of its own. Validation accuracy on the one seed of the trials, which no run has."
    )
    header = ["neuron", "data set", "learning rate", "weight decay", "of the neuron", "found as"]
    header += ["validation, as it is (%)", "best (%)"]
    return Table("tuned_settings", "Settings that tuning chose.", caption, header, lines, [], (TRIAL,))


def _recipe(settings: Mapping[str, Any], name: str) -> str:
    return f"{settings[name]:g}" if settings.get(name) is not None else "as it is"


def _neuron(settings: Mapping[str, Any]) -> str:
    """ "tau 3.1, v_th 0.8, atan, width 2" """
    chosen = [name for name in settings.get("untuned", {}) if name.startswith("neuron.")]
    order = sorted(chosen, key=lambda name: list(SHARED).index(name) if name in SHARED else len(SHARED))
    words = [f"{WORDS.get(name, name.removeprefix('neuron.'))} {_shown(settings[name])}".strip() for name in order]
    return ", ".join(words) or ("as it is" if settings["trial"] == 0 else MISSING)


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def moved(found: Sequence[Side]) -> str:
    """What tuning changes most, of what the test finds, in a clause; empty where it finds nothing."""
    gains = [(side.gains[who].mean, who, side) for side in found for who in side.found]
    if not gains:
        return "Tuning changes no accuracy that these seeds could tell." if _able(found) else ""
    gain, who, side = max(gains, key=lambda one: abs(one[0]))
    verb = "gains" if gain > 0 else "loses"
    points = format_value(abs(gain), 1)
    return f"{names.neuron(who)} {verb} most by it, {points} points on {names.condition(side.before.where)}."


def _able(found: Sequence[Side]) -> bool:
    return any(side.after.best for side in found)


def tried_so_far(rows: pd.DataFrame) -> pd.DataFrame | None:
    """The best validation accuracy after each number of settings, as a figure shows it."""
    tried = trials(rows)
    if tried.empty or tried.trial.nunique() < 2:
        return None
    best = tried.groupby(["where", "who"], sort=False).accuracy.cummax()
    own = tried.assign(settings_tried=tried.trial.astype(int) + 1, best=best)
    return own[["where", "who", "neuron", "dataset", "settings_tried", "accuracy", "best"]]
