"""LIF with an adaptation current."""

import math

from torch import Tensor

from neurons import Learnable, Neuron, Source, Uniform, register

ALPHA = (math.exp(-1 / 5), math.exp(-1 / 25))
BETA = (math.exp(-1 / 30), math.exp(-1 / 120))


@register
class AdLIF(Neuron):
    """adLIF (Bittar & Garner 2022): a LIF with an adaptation current w that potential and spikes drive.

    w = β·w + a·u + b·s₋; u = α·(u − v_th·s₋) + x − (1 − α)·w; s = Θ(u − v_th).

    α, β, a and b are learned per channel, drawn from and kept within the bounds of the code. Published: the input is
    scaled by 1 − α too. The code starts potentials, currents and spikes at random in every call, here they start at
    zero, and it fires above the threshold, here also at it. Where a is well below 0 the pair u, w grows without
    bound, as in the code. Leak and reset of the protocol do not apply.
    """

    source = Source("Bittar & Garner, Front. Neurosci. 2022", 2022, code="idiap/sparch: sparch/models/snns.py")
    tags = ("adaptive", "heterogeneous")
    states = ("u", "w", "spike")
    published = {"decay_input": True}
    alpha = Learnable(Uniform(*ALPHA), per="channel", low=ALPHA[0], high=ALPHA[1])
    beta = Learnable(Uniform(*BETA), per="channel", low=BETA[0], high=BETA[1])
    a = Learnable(Uniform(-1, 1), per="channel", low=-1, high=1)
    b = Learnable(Uniform(0, 2), per="channel", low=0, high=2)

    def step(self, x: Tensor, u: Tensor, w: Tensor, spike: Tensor) -> tuple[Tensor, ...]:
        leak = 1 - self.alpha
        w = self.beta * w + self.a * u + self.b * spike
        u = self.alpha * (u - self.v_th * spike) + (leak * x if self.decay_input else x) - leak * w
        spike = self.spike(u - self.v_th)
        return spike, u, w, spike

    @property
    def input_scale(self) -> float:
        return 10.0 if self.decay_input else 1.0
