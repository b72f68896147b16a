"""Parallel spiking neuron of a bounded reach."""

import torch
from torch import Tensor

from neurons import Source, register
from neurons.models.psn import PSN


@register
class MaskedPSN(PSN):
    """Masked PSN (Fang et al., NeurIPS 2023): PSN that sees the last `order` inputs alone.

    W is weighted by λ·band + (1 − λ): the paper raises λ, here `blend`, from 0 to 1 while it trains. At 1, the default
    here, no output depends on later inputs.
    """

    name = "masked_psn"
    source = Source("Fang et al., NeurIPS 2023", 2023, code="fangwei123456/spikingjelly: neuron/psn.py")
    causal = True
    order = 4
    blend = 1.0

    def mixture(self) -> Tensor:
        ones = torch.ones_like(self.weight)
        band = ones.tril().triu(1 - self.order)
        return self.weight * (self.blend * band + (1 - self.blend) * ones)
