"""Multi-level neuron that mixes all steps."""

import torch
from torch import Tensor

from neurons import Learnable, Neuron, Source, register


@register
class LMHT(Neuron):
    """LM-HT (Hao et al., NeurIPS 2024): a potential fed by all steps at once, which fires up to `maximum` levels.

    u = (σ(keep) + ½)·u + Σ_j 2·σ(mixture[t, j])/T·x[j]; s counts the multiples of v_th that u reaches, up to `maximum`;
    u −= v_th·s. No gradient passes from one potential to the next: all of it goes by the mixture. Both start at 0, so
    that u = u + mean(x). With the rectangle of width 1 the gradient of s is the code's, 1 from ½ to maximum + ½.
    Outputs depend on later inputs.
    """

    name = "lm_ht"
    source = Source("Hao et al., NeurIPS 2024", 2024, code="hzc1208/LMHT_SNN: modules.py")
    tags = ("levels", "parallel")
    causal = False
    maximum = 2
    keep = Learnable(0.0)
    mixture = Learnable(0.0, shape=lambda neuron, channels: (neuron.timesteps, neuron.timesteps))

    def forward(self, x: Tensor) -> Tensor:
        """Levels of all steps for the input current x [T, N, *features]."""
        currents = (2 * torch.sigmoid(self.mixture) / len(x)) @ x.flatten(1)
        keep = torch.sigmoid(self.keep) + 0.5
        u, outputs = torch.zeros_like(x[0]), []
        for current in currents.view(x.shape).unbind(0):
            u = keep * u.detach() + current
            reached = [self.spike(u - level * self.v_th) for level in range(1, self.maximum + 1)]
            spikes = torch.stack(reached).sum(0)
            u = u - self.v_th * spikes.detach()
            outputs.append(spikes)
        return torch.stack(outputs)

    @property
    def events(self) -> int:
        return self.maximum
