"""The card of one model: all that its page shows, from its step, its catalogue entry and the published rows."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import neurons
from neurons import Neuron
from neurons.errors import NotFusable
from neurons.kernels import cost
from neurons.kernels.trace import program_of
from neurons.learnable import Draw, Following, Learnable, LogUniform, Normal, Uniform
from neurons.selection import kind_of
from neurons.sequence_cost import operations_of
from suite.report import names, style
from suite.report.cards import figures, symbols
from suite.report.cards.behaviour import Behaviour, behaviour
from suite.report.cards.equations import Equations, equations, numbers_of
from suite.report.cards.figures import Figure
from suite.report.cards.standing import Place, Published, drawn, places_of, times_of

STEPS = 8
"""Length of the sequences that costs are told for, where they depend on it."""
KINDS = {
    "spikes": "Binary spikes",
    "levels": "Several levels in a step",
    "sequence": "Whole sequences at once",
    "real": "Baselines with a real output",
}
"""Titles of the kinds, in the order of the gallery."""
CLASSES = ("add", "multiply", "divide", "compare", "transcendental")
BASELINE = "lif"


@dataclass(frozen=True)
class Symbol:
    """A line of the table of constants and parameters."""

    math: str
    name: str
    what: str
    value: str
    published: str


@dataclass(frozen=True)
class Cost:
    """Operations of a neuron and step by class, forward, and in all; bytes at least, in float32.

    Attributes:
        backward: operations of the backward kernel, its recomputation of forward included; None without a kernel.
    """

    by_class: list[tuple[str, str]]
    forward: str
    backward: str | None
    bytes: int
    outputs: str


@dataclass(frozen=True)
class Card:
    """All that a page shows.

    Attributes:
        about: paragraphs of the model's docstring, the first of them its summary.
        equations: None where there is no step or it cannot be traced; then `code` says what is computed.
    """

    name: str
    title: str
    kind: str
    colour: str
    about: list[str]
    source: Any
    tags: Sequence[str]
    causal: bool
    equations: Equations | None
    symbols: list[Symbol]
    code: str
    responses: list[Figure]
    curves: list[Figure]
    thumbnail: str
    cost: Cost | None
    places: list[Place]
    standing: str
    times: list[tuple[str, str]]

    @property
    def words(self) -> str:
        """What the gallery's filter looks in."""
        return " ".join([self.name, self.title.lower(), f"kind:{self.kind}", *(f"tag:{tag}" for tag in self.tags)])


def card(name: str, runs: Sequence[Published], baseline: Behaviour | None = None) -> Card:
    """Make the card of a registered model.

    Args:
        runs: the published runs that it is looked up in.
        baseline: LIF's behaviour, drawn in grey behind the model's own; measured unless given.

    Raises:
        UnknownName: no such model.
    """
    cls = neurons.get(name)
    neuron = cls(STEPS)
    colour = style.colours([name])[name]
    if colour == style.OWN:
        colour = "currentColor"
    found = behaviour(name)
    other = None if name == BASELINE else baseline or behaviour(BASELINE)
    stepped = equations(neuron) if neuron.runs_over_time() else None
    places = places_of(name, runs)
    return Card(
        name=name,
        title=names.written(name),
        kind=kind_of(cls),
        colour=colour,
        about=_paragraphs(cls),
        source=cls.source,
        tags=cls.tags,
        causal=cls.causal,
        equations=stepped,
        symbols=_symbols(neuron, stepped),
        code=_code(cls),
        responses=[figures.response(own, colour) for own in found.responses],
        curves=[
            figures.rate(found, other, name, colour),
            figures.surrogate(found, _surrogate(neuron), colour),
            figures.lags(found, other, name, colour),
        ],
        thumbnail=figures.thumbnail(found.responses[-1], colour),
        cost=_cost(neuron),
        places=places,
        standing=drawn(places, name, colour) if places else "",
        times=times_of(name, runs),
    )


def _paragraphs(cls: type[Neuron]) -> list[str]:
    text = inspect.cleandoc(cls.__doc__ or "")
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]


def _code(cls: type[Neuron]) -> str:
    """The source of what a model computes; empty where there is no file."""
    method = cls.step if cls.runs_over_time() else cls.forward  # type: ignore[attr-defined]
    try:
        return inspect.cleandoc("\n" + inspect.getsource(method))
    except (OSError, TypeError):
        return ""


def _surrogate(neuron: Neuron) -> str:
    gain = "" if neuron.surrogate_gain == 1 else f", times {neuron.surrogate_gain:g}"
    code = _code(type(neuron))
    if "self.levels" in code or not neuron.spiking:
        return "straight through" if "self.levels" in code else "none"
    return f"{neuron.surrogate.replace('_', ' ')} of width {neuron.surrogate_width:g}{gain}"


def _symbols(neuron: Neuron, stepped: Equations | None) -> list[Symbol]:
    """Its parameters, then its constants: those in the equations, its own, and what its paper changes."""
    cls = type(neuron)
    learned = [
        Symbol(_math(name), name, _granularity(own), first_value(neuron, own), "")
        for name, own in cls.learnables().items()
    ]
    own = [name for name in numbers_of(neuron) if name in _declared(cls)]
    shown = stepped.constants if stepped else ()
    wanted = dict.fromkeys([*shown, *own, *cls.published])
    constants = [name for name in wanted if name in cls.constants()]
    return learned + [
        Symbol(
            _math(name) if name in shown else "",
            name,
            "constant",
            _value(getattr(neuron, name)),
            _value(cls.published.get(name, "")),
        )
        for name in constants
    ]


def _declared(cls: type[Neuron]) -> set[str]:
    """Names that the model's own classes declare."""
    return {name for base in cls.__mro__ if base not in (Neuron, object) for name in vars(base)}


def _math(name: str) -> str:
    return f"<math><mrow>{symbols.symbol(name)}</mrow></math>"


def _granularity(own: Learnable) -> str:
    if own.shape is not None:
        return "learned"
    return {"layer": "learned, one a layer", "channel": "learned per channel"}.get(
        own.per, "learned per step and channel"
    )


def first_value(neuron: Neuron, own: Learnable) -> str:
    """Where a parameter starts, in words, with its bounds."""
    initial: Any = own.initial
    if callable(initial) and not isinstance(initial, Draw):
        initial = initial(neuron)
    spread = f" ± {own.spread:g}" if own.spread else ""
    return (_first(initial) + spread + _bounds(own)).replace("-", "−")


def _bounds(own: Learnable) -> str:
    if not own.bounded:
        return ""
    if own.high == math.inf:
        return f", kept at {own.low:g} at least"
    return f", kept at {own.high:g} at most" if own.low == -math.inf else f", kept within {own.low:g} … {own.high:g}"


def _first(initial: Any) -> str:
    if isinstance(initial, (Uniform, LogUniform)):
        spaced = "log-uniform" if isinstance(initial, LogUniform) else "uniform"
        return f"{spaced} {initial.low:.4g} … {initial.high:.4g}"
    if isinstance(initial, Normal):
        return f"normal, mean {initial.mean:g}, deviation {initial.deviation:g}"
    if isinstance(initial, Following):
        return f"a function of {initial.name}"
    if isinstance(initial, Draw):
        return " ".join((type(initial).__doc__ or "drawn").split()).rstrip(".").lower()
    if hasattr(initial, "tolist"):
        values = initial.tolist()
        return ", ".join(f"{value:.4g}" for value in values) if isinstance(values, list) else f"{values:.4g}"
    return f"{float(initial):.4g}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (f"{value:.4g}" if isinstance(value, (int, float)) else str(value)).replace("-", "−")


def _cost(neuron: Neuron) -> Cost | None:
    """None where the operations are not counted: the step cannot be traced."""
    moved = cost.least_bytes("forward", 4) + cost.least_bytes("backward", 4)
    outputs = "real numbers"
    if neuron.spiking:
        outputs = (
            "at most 1 event, 1 bit" if neuron.bits == 1 else f"at most {neuron.events} events, {neuron.bits} bits"
        )
    if not neuron.runs_over_time():
        operations, backward = operations_of(neuron, STEPS), None
    else:
        try:
            program = program_of(neuron)
        except NotFusable:
            return None
        operations, backward = cost.operations(program.forward), f"{cost.kernel_operations(program, 'backward'):g}"
    by_class = [(kind, f"{operations[kind]:.3g}") for kind in CLASSES if operations[kind]]
    return Cost(by_class, f"{sum(operations.values()):.3g}", backward, moved, outputs)
