"""LIF that past spikes inhibit, through its potential and its current."""

import torch
from torch import Tensor

from neurons import Neuron, Source, register


@register
class InhibitoryLIF(Neuron):
    """ILIF (Sun et al., IJCAI 2025): a LIF against firing too much, with an inhibitory potential m and current i.

    u = γ·u + x − relu(i); s = Θ(u − v_th); u is reset where it spiked; m = m + s·u; u −= s·σ(m);
    i = share·(i + x·s), which inhibits the next step. Read in the authors' code (`InhibitoryLIFNeuron`, which its
    trainings use; another class there, `ILIFSpike`, is CLIF). Gradients pass where i = 0, as by their torch's clamp. No
    relation to `i_lif`, whose spikes are whole numbers.
    """

    name = "inhibitory_lif"
    source = Source("Sun et al., IJCAI 2025", 2025, "arXiv 2505.10371", "KaiSUN1/ILIF: modules/neuron.py")
    tags = ("inhibition",)
    states = ("u", "m", "i")
    published = {"tau": 1.1, "surrogate": "sigmoid"}
    share = 0.03

    def step(self, x: Tensor, u: Tensor, m: Tensor, i: Tensor) -> tuple[Tensor, ...]:
        u = self.charge(u, x - torch.where(i < 0, 0.0, i))
        spike = self.spike(u - self.v_th)
        u = self.fire_reset(u, spike)
        m = m + spike * u
        return spike, u - spike * torch.sigmoid(m), m, self.share * (i + x * spike)
