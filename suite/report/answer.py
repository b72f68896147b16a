"""The answer in a sentence: at most 40 words, made from the tests' verdicts, claiming no more than these."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from suite.report import names
from suite.report.conditions import name_conditions
from suite.report.costs import TIME, Cost, Ratio, costs
from suite.report.numbers import format_value
from suite.report.outcomes import Outcome, fewest_seeds, outcomes
from suite.report.timings import BUSY, FUSED, sizes
from suite.report.tuned import Side, moved, sides
from suite.runs.text import counted
from suite.statistics import SEEDS_TO_CLAIM

MOST_WORDS = 40
MOST_LEADS = 24
"""Words of the sentence on who leads where, so that there is room for what it costs."""
MOST_NAMED = 3
"""Neurons that a clause names; more are counted."""
QUESTION = "Which neuron model, and at what cost?"
QUESTION_OF_TUNING = "Which neuron model, when all are tuned alike?"
QUESTION_OF_TIME = "How long does a layer take, by neuron and backend?"


@dataclass(frozen=True)
class Answer:
    question: str
    sentence: str


def answer(rows: pd.DataFrame, baseline: str) -> Answer:
    """What the run's rows say to its question."""
    named = name_conditions(rows)
    both = sides(named)
    if both:
        return Answer(QUESTION_OF_TUNING, fitted(_of_tuning(both), moved(both)))
    known = outcomes(named)
    if known:
        where = known[0].where
        return Answer(QUESTION, fitted(_of_accuracy(known), _of_costs(costs(named, baseline, where), baseline, known)))
    return Answer(QUESTION_OF_TIME, fitted([_of_backends(named)]))


def _of_tuning(both: Sequence[Side]) -> list[str]:
    """Who leads where when each has the best of as many settings."""
    first, *rest = _of_accuracy([side.after for side in both])
    words = first[0].lower() + first[1:] if first.startswith(("On ", "No ")) else first
    return [f"Each with the best of {both[0].trials} settings, {words}", *rest]


def fitted(clauses: Sequence[str], last: str = "") -> str:
    """As many clauses as the words allow, the first first; `last` is kept before all but the first of them."""
    kept = [clause for clause in clauses[:1] if clause]
    for clause in clauses[1:]:
        if clause and _words(" ".join([*kept, clause, last])) <= MOST_WORDS:
            kept.append(clause)
    if last and _words(" ".join([*kept, last])) <= MOST_WORDS:
        kept.append(last)
    return " ".join(kept) or "Nothing was measured that can be compared."


def _words(text: str) -> int:
    return len(text.split())


def _of_accuracy(known: Sequence[Outcome]) -> list[str]:
    if max(len(own.values) for own in known) < 2:
        return [f"{names.neuron(next(iter(known[0].values)))} alone was run: there is nothing to compare it with."]
    able = [own for own in known if own.best]
    if not able:
        seeds = counted(fewest_seeds(known), "seed")
        return [f"{seeds} can tell no neuron from another by accuracy; {SEEDS_TO_CLAIM} could."]
    told = [own for own in able if own.told]
    tied = [own for own in able if not own.told]
    if len(tied) == len(known):
        where = names.condition(known[0].where) if len(known) == 1 else f"any of {len(known)} data sets"
        return [f"No neuron can be told from the best on {where}."]
    rest = []
    if tied:
        where = names.condition(tied[0].where) if len(tied) == 1 else f"{len(tied)} data sets"
        rest = [f"On {where} none can be told from the best."]
    single = [own for own in told if len(own.leaders) == 1]
    several = [_together(own) for own in told if len(own.leaders) > 1]
    leads = [f"{_leads(single[:count])}." for count in range(len(single), 0, -1)]
    first = next((text for text in leads if _words(text) <= MOST_LEADS), leads[-1]) if leads else ""
    return [*filter(None, [first]), *several[: 0 if first else 1], *rest, *several[0 if first else 1 :]]


def _leads(known: Sequence[Outcome]) -> str:
    """Who alone is best where: "IF leads on delayed recall (100.0 %), GLIF on MNIST rows (81.5 %)"."""
    texts = []
    for place, own in enumerate(known):
        who = own.leaders[0]
        verb = "" if place else " leads"
        where = names.condition(own.where)
        texts.append(f"{names.neuron(who)}{verb} on {where} ({format_value(own.estimates[who].mean, 1)} %)")
    return joined(texts)


def _together(own: Outcome) -> str:
    """Several that the test does not tell apart."""
    accuracy = f"{format_value(own.estimates[own.leaders[0]].mean, 1)} %"
    where = names.condition(own.where)
    if len(own.leaders) <= MOST_NAMED:
        return f"On {where} {joined([names.neuron(who) for who in own.leaders])} are best (up to {accuracy})."
    return f"On {where} {len(own.leaders)} of {len(own.values)} cannot be told from the best (up to {accuracy})."


def joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _of_costs(known: Sequence[Cost], baseline: str, found: Sequence[Outcome]) -> str:
    """The time of those who lead somewhere and of the slowest, over the baseline's, as the same rounds measured it."""
    time = next((cost for cost in known if cost.kind == TIME and cost.ratios), None)
    if time is None:
        return ""
    ratios = {who: own.value for who, own in time.ratios.items() if names.neuron_of(who) != baseline}
    ratios = {who: value for who, value in ratios.items() if math.isfinite(value)}
    if not ratios:
        return ""
    ratios = {who: value for who, value in ratios.items() if _settled(time.ratios[who])}
    if not ratios:
        return "Times spread too widely to be compared."
    leading = [who for own in found if own.told for who in own.leaders if len(own.leaders) <= MOST_NAMED]
    named = [who for who in dict.fromkeys(leading) if who in ratios][:MOST_NAMED]
    slowest = max(ratios, key=ratios.__getitem__)
    named = list(dict.fromkeys([*named, slowest]))
    texts = [
        f"{names.neuron(who)}{'' if place else ' takes'} {format_value(ratios[who], 2)}"
        for place, who in enumerate(named)
    ]
    return f"{joined(texts)} times {names.written(baseline)}'s time."


def _settled(ratio: Ratio) -> bool:
    """Whether the rounds agree on a ratio: its percentiles lie as close as on a machine that is not busy."""
    return not ratio.spread_known or ratio.high <= BUSY * ratio.low


def _of_backends(named: pd.DataFrame) -> str:
    """The fused kernels' times at the first size, and how far the others lie behind."""
    own = sizes(named)
    own = own[(own.metric == "forward_backward_time") & own.value.notna()]
    if own.empty:
        return ""
    size = own["size"].iloc[0]
    own = own[own["size"] == size]
    fused: Mapping[str, float] = own[own.backend.isin(FUSED)].groupby("neuron").value.min().to_dict()
    others = [
        value / fused[neuron]
        for neuron, backend, value in zip(own.neuron, own.backend, own.value, strict=True)
        if neuron in fused and backend not in FUSED and fused[neuron]
    ]
    if not fused:
        return ""
    low, high = min(fused.values()), max(fused.values())
    span = format_value(low, 2) if low == high else f"{format_value(low, 2)} to {format_value(high, 2)}"
    text = f"At {size} a fused layer takes {span} ns a neuron and step"
    if not others:
        return f"{text}."
    least, most = format_value(min(others), -2), format_value(max(others), -2)
    return f"{text}; other backends take {least} to {most} times as long."
