"""The rectifier, baseline of non-spiking networks."""

import torch
from torch import Tensor

from neurons import Neuron, register


@register
class ReLU(Neuron):
    """Rectified linear unit: no state, real-valued output, applied at each step on its own."""

    tags = ("standard",)
    spiking = False

    def step(self, x: Tensor) -> tuple[Tensor, ...]:
        return (torch.relu(x),)
