"""The figures of a card, each with the sentence of what is to be seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from suite.report import names, style
from suite.report.cards import chart
from suite.report.cards.behaviour import SETTLING, STEPS, Behaviour, Curve, Response
from suite.report.cards.chart import Series

DECADES = 1e-6
"""Of the highest gradient by lag: below it nothing arrives."""
FIRES = 0.005
"""Mean output from which on a neuron counts as firing."""


@dataclass(frozen=True)
class Figure:
    title: str
    finding: str
    svg: str


def response(shown: Response, colour: str) -> Figure:
    """Input, states and output below each other, over time."""
    time = list(range(len(shown.input)))
    output = shown.values["output"]
    states = [name for name in shown.values if name != "output" and shown.values[name] != output]
    lines = [("input", Series(time, shown.input, kind="steps", thin=True))]
    lines += [(name, Series(time, shown.values[name], colour, "steps", thin=True)) for name in states]
    binary = set(output) <= {0.0, 1.0}
    lines.append(("output", Series(time, output, colour, "bars" if binary else "steps")))
    return Figure(shown.title, _finding(output), chart.stack(lines, "time step", f"{shown.title}. {_finding(output)}"))


def _finding(output: Sequence[float]) -> str:
    if not all(math.isfinite(value) for value in output):
        return "The output leaves the range of numbers."
    events = [step for step, value in enumerate(output) if value]
    if not events:
        return "It stays silent."
    if set(output) <= {0.0, 1.0}:
        times = "once" if len(events) == 1 else f"{len(events)} times"
        return f"It fires {times}, first at step {events[0]}."
    return f"The output is not 0 in {len(events)} of {len(output)} steps and reaches {max(output, key=abs):.3g}."


def rate(found: Behaviour, other: Behaviour | None, name: str, colour: str) -> Figure:
    """Mean output against a constant input."""
    series = _with_lif(found.rate.x, found.rate.y, name, colour, other.rate if other else None)
    first = next((x for x, y in zip(found.rate.x, found.rate.y, strict=True) if abs(y) >= FIRES), None)
    if first is None:
        finding = f"Silent for every constant input up to {found.rate.x[-1]:g}."
    else:
        at_1 = found.rate.y[min(range(len(found.rate.x)), key=lambda own: abs(found.rate.x[own] - 1))]
        starts = f"Active from an input of {first:.2g} on" if first else "Active without input"
        finding = f"{starts}; mean output {at_1:.2g} at an input of 1.".replace("-", "−")
    title = "Rate"
    text = f"Mean output of steps {SETTLING} to {STEPS} against a constant input. {finding}"
    return Figure(title, finding, chart.panel(series, "constant input", "mean output of a step", text))


def surrogate(found: Behaviour, told: str, colour: str) -> Figure:
    """The output of the first step and its gradient, against the input of that step."""
    series = [
        Series(found.output.x, found.output.y, thin=True, label="output"),
        Series(found.slope.x, found.slope.y, colour, label="its gradient by the input"),
    ]
    finding = _where_it_passes(found.slope)
    text = f"Output of the first step of a neuron at rest, and its gradient. {finding}"
    return Figure(f"Surrogate: {told}", finding, chart.panel(series, "input of the first step", "", text))


def _where_it_passes(slope: Curve) -> str:
    """Between which inputs a gradient is not 0."""
    inside = [round(x, 3) for x, y in zip(slope.x, slope.y, strict=True) if y]
    if not inside:
        return "No gradient passes in the first step."
    first, last = (f"{value:.2g}".replace("-", "−") for value in (inside[0], inside[-1]))
    from_below, to_above = inside[0] == round(slope.x[0], 3), inside[-1] == round(slope.x[-1], 3)
    if from_below and to_above:
        return "A gradient passes everywhere."
    if to_above:
        return f"A gradient passes from {first} on."
    return f"A gradient passes up to {last}." if from_below else f"A gradient passes between {first} and {last}."


def lags(found: Behaviour, other: Behaviour | None, name: str, colour: str) -> Figure:
    """Gradient by lag on a logarithmic axis; an exact 0 has a mark on the edge."""
    series = _with_lif(found.lags.x, found.lags.y, name, colour, other.lags if other else None)
    zeros = [x for x, y in zip(found.lags.x, found.lags.y, strict=True) if y == 0]
    if zeros:
        series.append(Series(zeros, [0.0] * len(zeros), colour, "edge"))
    finite = [value for value in found.lags.y if math.isfinite(value)]
    reach = found.reach
    if reach is None:
        finding = "An input has no gradient at its own step, so there is nothing to compare with."
    elif reach == max(found.lags.x):
        finding = f"At least 1 % of the gradient of lag 0 arrives over all {reach} lags."
    else:
        finding = f"At least 1 % of the gradient of lag 0 arrives up to lag {reach}."
    least = DECADES * max(finite, default=1.0)
    text = f"Mean size of the gradient of an output by the input that many steps before, over that of lag 0. {finding}"
    label, down = "lag (steps from input to output)", "mean |gradient| over lag 0's"
    return Figure("Gradient by lag", finding, chart.panel(series, label, down, text, True, least=least, level=0.01))


def _with_lif(x: Sequence[float], y: Sequence[float], name: str, colour: str, other: Curve | None) -> list[Series]:
    """A curve, and LIF's in grey behind it."""
    own = Series(x, y, colour, label=names.written(name))
    if other is None:
        return [own]
    return [Series(other.x, other.y, style.GREY, label="LIF", thin=True), own]


def thumbnail(found: Response, colour: str) -> str:
    """The first state and the output of a response as a small picture without text, for a gallery."""
    states = [name for name in found.values if name != "output"]
    output = found.values["output"]
    parts = [_polyline(found.values[states[0]], 4, 44, colour)] if states else []
    base, top = (62, 50) if states else (60, 8)
    if set(output) <= {0.0, 1.0}:
        lines = "".join(f"M{2 * step + 1} {base}V{top}" for step, value in enumerate(output) if value)
        parts.append(f'<path d="{lines}" stroke="currentColor" stroke-width="1.2" fill="none"/>')
    else:
        parts.append(_polyline(output, top, base, "currentColor"))
    ground = f'<path d="M0 {base}H200" stroke="var(--line)"/>'
    return f'<svg viewBox="0 0 200 64" preserveAspectRatio="none" aria-hidden="true">{ground}{"".join(parts)}</svg>'


def _polyline(values: Sequence[float], top: float, base: float, colour: str) -> str:
    finite = [value for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    span = high - low or 1.0
    places = [
        f"{2 * step + 1},{base - (base - top) * (value - low) / span:.1f}"
        for step, value in enumerate(values)
        if math.isfinite(value)
    ]
    return f'<polyline points="{" ".join(places)}" fill="none" stroke="{colour}" stroke-width="1.2"/>'
