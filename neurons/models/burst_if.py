"""Integrate-and-fire that sends several spikes in one step."""

from torch import Tensor

from neurons import Neuron, Source, register


@register
class BurstIF(Neuron):
    """Burst spikes (Li & Zeng, IJCAI 2022): u = u + x; s = ⌊u/v_th⌋ clipped to 0 … maximum; u −= v_th·s.

    Without a leak. An output is up to `maximum` spikes, sent in one burst: the paper converts trained ANNs with it, and
    its code lets gradients pass the floor as they are; here s is the sum of Θ(u − k·v_th), each with the protocol's
    surrogate. The reset is soft in both protocols.
    """

    name = "burst_if"
    source = Source("Li & Zeng, IJCAI 2022", 2022, code="Brain-Cog-Lab/Conversion_Burst: utils.py")
    tags = ("levels", "burst")
    states = ("u",)
    maximum = 5

    def step(self, x: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        u = u + x
        spikes = self.spike(u - self.v_th)
        for count in range(2, self.maximum + 1):
            spikes = spikes + self.spike(u - count * self.v_th)
        taken = spikes.detach() if self.detach_reset else spikes
        return spikes, u - self.v_th * taken

    @property
    def events(self) -> int:
        return self.maximum
