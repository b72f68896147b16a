"""Which batch normalisation stands in a network: as it is built, or the threshold-dependent one."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from neurons import InvalidValue, NeuronLayer
from neurons.normalized import threshold_dependent

NORMS = ("batch", "tdbn")
"""Batch norm, and tdBN (Zheng et al., AAAI 2021, arXiv 2011.05280), both by the statistics of all steps together."""
SUMMAND = 1 / math.sqrt(2)
"""α of a tdBN whose output is added to another's, so that the sum varies as the threshold does; 1 for all others."""


def set_norm(network: nn.Module, norm: str, name: str) -> None:
    """Make the batch norms of the freshly built network `name` those of NORMS, for the threshold of its neurons.

    A block names in `summands` the parts of it whose outputs are added up; a batch norm at their end has α = 1/√2.
    The threshold is the constant `v_th`, also of models that learn one of their own.

    Raises:
        InvalidValue: there is none.
    """
    if norm == "batch":
        return
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        raise InvalidValue(f"setting norm={norm}: network {name} has no batch norm")
    layers = (module for module in network.modules() if isinstance(module, NeuronLayer))
    v_th = float(next(layers).neuron.v_th)
    added = {id(own) for own in _last_of_summands(network)}
    for own in norms:
        threshold_dependent(own, v_th, SUMMAND if id(own) in added else 1.0)


def _last_of_summands(network: nn.Module) -> Iterator[nn.Module]:
    for block in network.modules():
        for name in getattr(block, "summands", ()):
            yield [*block.get_submodule(name).modules()][-1]
