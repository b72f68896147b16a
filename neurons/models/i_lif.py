"""LIF that fires a whole number of spikes in a step."""

from torch import Tensor

from neurons import Neuron, Source, register


@register
class ILIF(Neuron):
    """I-LIF (Luo et al., ECCV 2024): u = γ·u + x; s = u/v_th rounded and clipped to 0 … maximum; u −= v_th·s.

    The gradient of s is 1/v_th inside of the bounds. An integer s stands for as many spikes at inference, which cost as
    many accumulations. Published: decay 0.25, no gradient by the reset. The reset is soft in both protocols.
    """

    name = "i_lif"
    source = Source("Luo et al., ECCV 2024", 2024, code="BICLab/SpikeYOLO: ultralytics/nn/modules/yolo_spikformer.py")
    tags = ("levels",)
    states = ("u",)
    published = {"tau": 4 / 3, "detach_reset": True}
    maximum = 4

    def step(self, x: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        u = self.charge(u, x)
        spikes = self.levels(u * (1 / self.v_th), 0, self.maximum)
        taken = spikes.detach() if self.detach_reset else spikes
        return spikes, u - self.v_th * taken

    @property
    def events(self) -> int:
        return self.maximum
