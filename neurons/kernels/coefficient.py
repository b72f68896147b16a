"""A value of the loop over time that depends on parameters alone."""

from __future__ import annotations

from dataclasses import dataclass

from neurons.model import Granularity

GRANULARITIES: list[Granularity] = ["layer", "channel", "step_channel"]
"""From coarse to fine: a coefficient made of several parameters has the finest of theirs."""


@dataclass(frozen=True)
class Coefficient:
    """One value for the layer, for each channel, or for each step and channel."""

    name: str
    per: Granularity
