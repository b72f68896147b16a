"""How sure a run is: seeds that undecided comparisons need, what had not converged, how busy the machine was."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from suite.report import names, timings
from suite.report.conditions import name_conditions, of_each_seed, of_task
from suite.report.once import once
from suite.report.outcomes import Outcome, order
from suite.report.table import Entry, Table
from suite.report.timings import sizes
from suite.statistics import Estimate, paired_differences, seeds_to_tell
from suite.statistics.power import MOST_SEEDS

LAST_SHARE = 0.25
"""Of the epochs: what a training gains in them says whether it had converged."""
STILL_RISING = 1.0
"""Points of validation accuracy gained in the last quarter from which a training had not converged."""


def undecided(rows: pd.DataFrame, known: Sequence[Outcome], baseline: str) -> Table | None:
    """For each neuron and data set: decided, or the seeds that would tell it from the baseline."""
    named = name_conditions(rows)
    base = {own.where: next((who for who in own.values if names.neuron_of(who) == baseline), None) for own in known}
    shown = [own for own in known if base[own.where] is not None]
    lines = []
    for who in order(named, known):
        if who in base.values() or not any(who in own.values for own in shown):
            continue
        lines.append((who, [_needed(own, who, str(base[own.where])) for own in shown]))
    if not lines:
        return None
    caption = (
        "Seeds from which the difference would be found with 80 % power, if mean and spread stay as they are "
        "(noncentral t, 5 % over the neurons of a data set). Bold: decided by the seeds of this run."
    )
    title = f"Seeds that would tell a neuron from {names.written(baseline)}."
    header = ["neuron", *(own.where for own in shown)]
    return Table("seeds_needed", title, caption, header, lines, [], ("accuracy",), by_kind=True)


def _needed(own: Outcome, who: str, base: str) -> Entry:
    if who not in own.values:
        return Entry("—")
    compared = own.against(base).get(who)
    if compared is None or not compared.difference.count:
        return Entry("—")
    if compared.verdict in ("higher", "lower"):
        return Entry(compared.verdict, best=True)
    seeds = seeds_to_tell(paired_differences(own.values[who], own.values[base]), len(own.values) - 1)
    if math.isnan(seeds):
        return Entry("—")
    return Entry(f"> {MOST_SEEDS:,}" if math.isinf(seeds) else f"{seeds:,.0f}")


@once
def not_converged(rows: pd.DataFrame) -> dict[str, list[str]]:
    """By condition, the neurons whose validation accuracy still rose by STILL_RISING points over the last quarter.

    The gain is a mean over seeds whose 95 % interval lies above 0; where one seed was run, the gain alone counts.
    """
    own = of_task(rows, "accuracy")
    own = own[(own.metric == "validation_accuracy") & own.value.notna()]
    found: dict[str, list[str]] = {}
    if own.empty:
        return found
    curves = of_each_seed(own, ["where", "who", "step"])
    for (where, who), curve in curves.groupby(["where", "who"], sort=False):
        by_epoch = curve.pivot(index="seed", columns="step", values="value").dropna()
        epochs = sorted(by_epoch.columns)
        found.setdefault(str(where), [])
        if len(epochs) < 2 or by_epoch.empty:
            continue
        before = epochs[-1 - max(1, round(LAST_SHARE * len(epochs)))]
        gain = Estimate.of(list(by_epoch[epochs[-1]] - by_epoch[before]))
        surely = math.isnan(gain.half_width) or gain.low > 0
        if gain.mean >= STILL_RISING and surely:
            found[str(where)].append(str(who))
    return found


def load(rows: pd.DataFrame) -> str:
    """Whether the machine was idle while it was timed, in words; empty where nothing was timed."""
    own = sizes(name_conditions(rows))
    known = [time for time in timings.times(own, "forward_backward_time").values() if time.spread_known]
    if not known:
        return ""
    wide = sum(time.busy for time in known)
    if not wide:
        return "machine idle while timed"
    return f"machine busy while timed ({wide} of {len(known)} timings spread by more than 30 %)"
