"""Parallel spiking neuron."""

import torch
from torch import Tensor

from neurons import Learnable, Neuron, Source, Uniform, register


@register
class PSN(Neuron):
    """PSN (Fang et al., NeurIPS 2023): the potential of each step is a learned mixture of the inputs of all steps.

    h = W·x over T×T; s = Θ(h + bias[t]), and nothing is reset. W is drawn as torch draws a linear layer, the bias
    starts at −1. Outputs depend on later inputs. Published: arctangent surrogate.
    """

    source = Source("Fang et al., NeurIPS 2023", 2023, code="fangwei123456/spikingjelly: neuron/psn.py")
    tags = ("parallel",)
    causal = False
    published = {"surrogate": "atan"}
    weight = Learnable(
        lambda neuron: Uniform(-(neuron.timesteps**-0.5), neuron.timesteps**-0.5),
        shape=lambda neuron, channels: (neuron.timesteps, neuron.timesteps),
    )
    bias = Learnable(-1.0, shape=lambda neuron, channels: (neuron.timesteps, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Spikes of all steps for the input current x [T, N, *features]."""
        h = torch.addmm(self.bias, self.mixture(), x.flatten(1))
        return self.spike(h).view(x.shape)

    def mixture(self) -> Tensor:
        """[T, T], row t' the weights of the inputs t."""
        return self.weight
