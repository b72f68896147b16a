"""Gated recurrent units: the baseline of sequences."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurons import InvalidValue
from tasks.networks.network import Architecture, MakeNeuron, SpikingNetwork


class RecurrentNetwork(SpikingNetwork):
    """Two layers of GRU units (Cho et al. 2014) and a linear readout at each step, without neurons.

    The baseline of sequences: it has no spikes, and a memory of its own.
    """

    def __init__(self, features: int, classes: int, timesteps: int | None, width: int) -> None:
        super().__init__([], [], nn.Linear(width, classes), timesteps)
        self.units = nn.GRU(features, width, num_layers=2)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [T, N, classes], for inputs as those of `SpikingNetwork`."""
        self._check_input(x)
        x = x.transpose(0, 1) if self.timesteps is None else x.expand(self.timesteps, *x.shape)
        return self.readout(self.units(x.flatten(2))[0])


def gru(
    make_neuron: MakeNeuron, features: tuple[int, ...], classes: int, timesteps: int | None, width: int
) -> RecurrentNetwork:
    """Two layers of `width` GRU units.

    Raises:
        InvalidValue: for a spiking neuron, which would have no part in the result.
    """
    neuron = make_neuron(width).neuron
    if neuron.spiking:
        raise InvalidValue(f"network gru has units of its own and no place for {neuron.name}; run it with relu")
    return RecurrentNetwork(torch.Size(features).numel(), classes, timesteps, width)


ARCHITECTURES = {
    "gru": Architecture("2 layers of GRU units, the baseline for sequences; neuron relu alone", gru, 64),
}
