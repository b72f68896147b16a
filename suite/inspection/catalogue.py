"""The neurons that there are: paper, kind, states, parameters, cost and backends of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import neurons
from neurons import Neuron, peers
from neurons.errors import NotFusable
from neurons.kernels import cost
from neurons.kernels.trace import program_of
from neurons.selection import kind_of
from neurons.sequence_cost import operations_of
from suite.report.links import card_of

STEPS = 8
"""Length of the sequences that costs are told for, where they depend on it."""
FUSED = ("compile", "cpu", "triton")
SHOWN = ("name", "kind", "paper", "year", "states", "learnable", "operations", "bytes", "bits", "backends", "tags")
"""Columns of the table on a terminal."""


def catalogue(names: Sequence[str]) -> list[dict[str, Any]]:
    """One object for each model.

    `operations` are those of a neuron and step, forward, over `STEPS` steps; `bytes` the least that forward and
    backward move for it in float32; `events` and `bits` what one of its outputs may carry (of spiking models);
    `card` its page, None until `suite cards` or the site made it.
    """
    return [_entry(name) for name in names]


def _entry(name: str) -> dict[str, Any]:
    cls = neurons.get(name)
    neuron = cls(STEPS)
    source = cls.source
    own, operations = _own_backends(neuron)
    card = card_of(name)
    packages = [package for package in peers.PACKAGES if peers.counterparts(package, name)]
    return {
        "name": name,
        "kind": kind_of(cls),
        "paper": source.paper if source else "",
        "year": source.year if source else None,
        "code": source.code if source else "",
        "states": list(cls.states),
        "learnable": {key: "own shape" if value.shape else value.per for key, value in cls.learnables().items()},
        "operations": operations,
        "bytes": cost.least_bytes("forward", 4) + cost.least_bytes("backward", 4),
        "events": neuron.events if cls.spiking else None,
        "bits": neuron.bits if cls.spiking else None,
        "causal": cls.causal,
        "backends": [*own, *packages],
        "tags": list(cls.tags),
        "published": dict(cls.published),
        "card": str(card) if card else None,
        "description": (cls.__doc__ or "").strip().partition("\n")[0],
    }


def _own_backends(neuron: Neuron) -> tuple[list[str], float | None]:
    """The suite's backends that a model has on their devices; its operations, None where they are not counted."""
    if not neuron.runs_over_time():
        return ["reference"], round(sum(operations_of(neuron, STEPS).values()), 1)
    try:
        program = program_of(neuron)
    except NotFusable:
        return ["reference", "compile"], None
    return ["reference", *FUSED], cost.operations(program.forward).total()
