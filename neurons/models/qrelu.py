"""A rectifier of few levels, the baseline of equal bits."""

import math

from torch import Tensor

from neurons import Learnable, Neuron, Source, register


@register
class QReLU(Neuron):
    """Quantised ReLU (QCFS, Bu et al., ICLR 2022): top/L·⌊x·L/top + ½⌋ clipped to 0 … top, with L = `steps` levels.

    `top` is learned, one a layer, from v_th. Without state, applied at each step: what a non-spiking network computes
    with as many bits as neurons of several levels. Halfway between two levels it takes the even one, the code
    the upper.
    """

    source = Source("Bu et al., ICLR 2022", 2022, code="hzc1208/LMHT_SNN: modules.py QCFS")
    tags = ("baseline",)
    spiking = False
    steps = 4
    top = Learnable(lambda neuron: neuron.v_th)

    def step(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self.levels(x * (self.steps / self.top), 0, self.steps) * (self.top * (1 / self.steps)),)

    @property
    def bits(self) -> int:
        return math.ceil(math.log2(self.steps + 1))
