"""The suite's layers behind the calling conventions of other packages, for `neurons.replace`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from neurons.errors import InvalidValue
from neurons.layer import NeuronLayer
from neurons.stepping import LayerState


def spikingjelly_neuron(layer: NeuronLayer, step_mode: str) -> nn.Module:
    """A `MemoryModule`: step mode "s" keeps its state until `functional.reset_net`, "m" takes whole sequences."""
    from spikingjelly.activation_based import base

    class SpikingjellyNeuron(base.MemoryModule):
        state: LayerState | None

        def __init__(self) -> None:
            super().__init__()
            self.layer = layer
            self.register_memory("state", None)
            self.step_mode = step_mode

        def single_step_forward(self, x: Tensor) -> Tensor:
            output, self.state = self.layer.step(x, self.state or self.layer.initial_state(x))
            return output

        def multi_step_forward(self, x: Tensor) -> Tensor:
            return self.layer(x)

    return SpikingjellyNeuron()


class SnntorchNeuron(nn.Module):
    """Called as `spikes, mem = neuron(x, mem)`; `mem` holds all states of the model, [states, N, *features]."""

    def __init__(self, layer: NeuronLayer) -> None:
        super().__init__()
        self.layer = layer

    def reset_mem(self) -> Tensor:
        """What to hand in before the first step."""
        return torch.zeros(0)

    init_leaky = init_lapicque = reset_mem

    def forward(self, x: Tensor, mem: Tensor | None = None) -> tuple[Tensor, Tensor]:
        state = self.layer.initial_state(x)
        if mem is not None and mem.shape == (len(state.values), *x.shape):
            state = LayerState(1, tuple(mem.unbind(0)))
        elif mem is not None and mem.any():
            raise InvalidValue(f"mem must be what the step before returned, not a tensor {list(mem.shape)}")
        output, state = self.layer.step(x, state)
        return output, torch.stack(state.values) if state.values else torch.zeros(0)


class NorseCell(nn.Module):
    """Called as `spikes, state = cell(x, state)`, once a time step."""

    def __init__(self, layer: NeuronLayer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, input_tensor: Tensor, state: Any = None) -> tuple[Tensor, LayerState]:
        return self.layer.step(input_tensor, self.layer.initial_state(input_tensor) if state is None else state)


class NorseNeuron(nn.Module):
    """Called as `spikes, state = neuron(x, state)` on a sequence [T, N, *features]; one step after the other."""

    def __init__(self, layer: NeuronLayer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, input_tensor: Tensor, state: LayerState | None = None) -> tuple[Tensor, LayerState]:
        if state is None:
            state = self.layer.initial_state(input_tensor[0])
        outputs = []
        for x in input_tensor:
            output, state = self.layer.step(x, state)
            outputs.append(output)
        return torch.stack(outputs), state
