"""Where a model stands in published runs: its accuracy and tier on each data set, and its time over LIF's."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from suite.report import names, style
from suite.report.board import ratio_text, tier
from suite.report.cards.chart import Series, rows
from suite.report.conditions import name_conditions
from suite.report.costs import layer_time
from suite.report.numbers import format_estimate
from suite.report.outcomes import Outcome, outcomes
from suite.report.timings import BASELINE
from suite.report.tuned import sides
from suite.runs import groups

LEFT, LETTER_WIDTH = 112, 6
"""Room for the titles of data sets: at least, and for each letter."""
TUNED = ", tuned"
"""Ends what is said of a data set where neurons were tuned for it."""


@dataclass(frozen=True)
class Place:
    """A model on one data set of one run.

    Attributes:
        title: of the data set.  run: name of the published run.
        tuned: each neuron was run with the best of as many settings.
        told: how many neurons were compared, and the tier: "best", or the ranks that resampled seeds give.
        mean, half_width: accuracy in percent; NaN where one seed has no interval.
        others: mean accuracies of the other neurons.
    """

    run: str
    title: str
    accuracy: str
    told: str
    mean: float
    half_width: float
    others: Sequence[float]
    tuned: bool = False


@dataclass(frozen=True)
class Published:
    """What one run holds.

    Attributes:
        times: time of a layer over LIF's, in words, by neuron.
    """

    run: str
    known: Sequence[Outcome] = ()
    times: Mapping[str, str] = field(default_factory=dict)


def published_runs(folder: Path) -> list[Published]:
    """The published runs of a folder whose main rows compare neurons; those that compare most neurons first.

    Raises:
        RunError: a run cannot be read.
    """
    found = []
    runs = sorted(path.parent for path in folder.glob("*/results.parquet")) if folder.is_dir() else []
    for run in runs:
        main = groups.read_main_rows(run)
        if main.empty:
            continue
        named = name_conditions(main)
        time = layer_time(named, BASELINE)
        single = _single(time.ratios) if time else {}
        times = {name: ratio_text(time.ratios[who]) for name, who in single.items()} if time else {}
        found.append(Published(run.name, _known(named), times))
    return sorted(found, key=lambda own: -max((len(outcome.values) for outcome in own.known), default=0))


def _known(named: pd.DataFrame) -> list[Outcome]:
    """The outcomes of a run; of a data set that was tuned on too, both, and said which is which."""
    both = {side.before.where: side for side in sides(named)}
    found = []
    for own in outcomes(named):
        side = both.get(own.where)
        if side is None:
            found.append(own)
        else:
            after = replace(side.after, where=own.where + TUNED)
            found += [replace(own, where=f"{own.where}, as it is"), after]
    return found


def places_of(name: str, runs: Sequence[Published]) -> list[Place]:
    """Where a model stands: every data set of every run that has it."""
    return [place for run in runs for outcome in run.known if (place := _place(name, run.run, outcome)) is not None]


def times_of(name: str, runs: Sequence[Published]) -> list[tuple[str, str]]:
    """Run, and time of a layer over LIF's, where it was measured."""
    return [(run.run, run.times[name]) for run in runs if name in run.times]


def drawn(places: Sequence[Place], name: str, colour: str) -> str:
    """One row a data set: all neurons as grey ticks, the model as a dot with its interval."""
    lines = []
    for place in places:
        own = [Series(place.others, place.others, style.GREY, "ticks")]
        if math.isfinite(place.half_width):
            ends = [max(0.0, place.mean - place.half_width), min(100.0, place.mean + place.half_width)]
            own.append(Series(ends, ends, colour))
        own.append(Series([place.mean], [place.mean], colour, "dots"))
        lines.append((place.title, own))
    text = "; ".join(f"{place.title}: {place.accuracy} %, {place.told}" for place in places)
    left = max(LEFT, 10 + LETTER_WIDTH * max((len(place.title) for place in places), default=0))
    label = "accuracy (%); grey: the others"
    return rows(lines, label, f"{names.written(name)} on {text}.", left=left)


def _single(whos: Iterable[str]) -> dict[str, str]:
    """`who` by neuron, of the neurons that ran in one way; which of several stands for the model nobody can say."""
    neurons = [(names.neuron_of(who), who) for who in whos]
    counts = Counter(name for name, _ in neurons)
    return {name: who for name, who in neurons if counts[name] == 1}


def _place(name: str, run: str, outcome: Outcome) -> Place | None:
    who = _single(outcome.values).get(name)
    if who is None:
        return None
    estimate, count = outcome.estimates[who], len(outcome.values)
    told = tier(outcome, who) or "not told apart"
    others = [own.mean for other, own in outcome.estimates.items() if other != who and math.isfinite(own.mean)]
    return Place(
        run,
        names.condition(outcome.where),
        format_estimate(estimate, 1),
        f"{told} of {count}",
        estimate.mean,
        estimate.half_width,
        others,
        outcome.where.endswith(TUNED),
    )
