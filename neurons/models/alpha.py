"""Alpha neuron: the potential is a filtered input, the difference of two exponentials."""

import math

from torch import Tensor

from neurons import InvalidValue, Neuron, Source, register


@register
class Alpha(Neuron):
    """Alpha neuron (snnTorch's Alpha): u = k·(e + i) with e = rise·e + x and i = fall·i − x; s = Θ(u − v_th).

    k = ln(rise)/(ln(fall) − ln(rise)) + 1, rise above fall. In the step after a spike both currents and the potential
    are zeroed, that step's input included, and no gradient passes by the reset: so the code has it. Leak, reset and
    decay of the input of the protocol do not apply.
    """

    source = Source("Eshraghian et al., Proc. IEEE 2023", 2023, code="jeshraghian/snntorch: _neurons/alpha.py")
    tags = ("synaptic",)
    states = ("u", "e", "i")
    rise = 0.9
    fall = 0.8

    def step(self, x: Tensor, u: Tensor, e: Tensor, i: Tensor) -> tuple[Tensor, ...]:
        silent = 1 - self.spike(u - self.v_th).detach()
        e = (self.rise * e + x) * silent
        i = (self.fall * i - x) * silent
        u = self._scale() * (e + i)
        return self.spike(u - self.v_th), u, e, i

    def _scale(self) -> float:
        if not 0 < self.fall < self.rise < 1:
            raise InvalidValue(f"alpha needs 0 < fall < rise < 1, not fall={self.fall}, rise={self.rise}")
        return math.log(self.rise) / (math.log(self.fall) - math.log(self.rise)) + 1
