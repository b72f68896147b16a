"""A neuron of two compartments, dendrite and soma."""

import torch
from torch import Tensor

from neurons import Learnable, Neuron, Source, register


@register
class TCLIF(Neuron):
    """TC-LIF (Zhang et al., AAAI 2024): d = d − σ(c_soma)·u + x; u = u + σ(c_dendrite)·d; s = Θ(u − v_th).

    A spike takes `dendrite_reset` from the dendrite d and v_th from the soma u. Both couplings are learned, one a
    layer, from 0 as the code's default; the paper starts them per task, with thresholds from 1 to 1.8. Published:
    triangle of base 2. Leak and reset of the protocol do not apply.
    """

    name = "tc_lif"
    source = Source("Zhang et al., AAAI 2024", 2024, code="ZhangShimin1/TC-LIF: SHD-SSC/spiking_neuron/TCLIF.py")
    tags = ("compartments",)
    states = ("u", "d")
    published = {"surrogate": "triangle"}
    dendrite_reset = 0.5
    c_soma = Learnable(0.0)
    c_dendrite = Learnable(0.0)

    def step(self, x: Tensor, u: Tensor, d: Tensor) -> tuple[Tensor, ...]:
        d = d - torch.sigmoid(self.c_soma) * u + x
        u = u + torch.sigmoid(self.c_dendrite) * d
        spike = self.spike(u - self.v_th)
        taken = spike.detach() if self.detach_reset else spike
        return spike, u - self.v_th * taken, d - self.dendrite_reset * taken
