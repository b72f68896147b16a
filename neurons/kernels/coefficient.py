"""A value of the loop over time that depends on parameters alone."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor

from neurons.learnable import Granularity

GRANULARITIES: list[Granularity] = ["layer", "channel", "step_channel"]
"""From coarse to fine: a coefficient made of several parameters has the finest of theirs."""


@dataclass(frozen=True)
class Coefficient:
    """One value for the layer, for each channel, or for each step and channel."""

    name: str
    per: Granularity


class Coefficients(tuple[Tensor, ...]):
    """The coefficients of one call, contiguous. Forward and backward share them, and calls do until a constant changes.

    Attributes:
        kept: other values of the prologue, which the epilogue starts from.
        constants: the run-time constants as they were.
        addresses: what a kernel handed on as addresses once it had checked the tensors, by what it checked.
    """

    kept: Sequence[Tensor]
    constants: Sequence[Tensor]
    addresses: dict[Hashable, Any]

    def __new__(cls, made: Iterable[Tensor], kept: Sequence[Tensor] = (), constants: Sequence[Tensor] = ()) -> Self:
        self = super().__new__(cls, made)
        self.kept, self.constants, self.addresses = kept, constants, {}
        return self
