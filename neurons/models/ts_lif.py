"""Two compartments that both spike, for short and long time scales."""

from torch import Tensor

from neurons import Learnable, Neuron, Normal, Source, register


@register
class TSLIF(Neuron):
    """TS-LIF (Feng et al., ICLR 2025): dendrite d and soma u fire apart, and the output weighs their spikes.

    d = keep_d·d + in_d·x − from_soma·u; u = keep_u·u + in_u·x − from_dendrite·d; s_short = Θ(u − v_th),
    s_long = Θ(d − v_th); output weigh_short·s_short + weigh_long·s_long; d −= ½·s_long, u −= v_th·s_short.

    The six constants are learned, one a layer; the two weights per channel, drawn N(0, 1), as in the code. An output
    may be one of four values, so it has two bits. Leak and reset of the protocol do not apply.
    """

    name = "ts_lif"
    source = Source("Feng et al., ICLR 2025", 2025, code="kkking-kk/TS-LIF: SeqSNN/network/snn/TSLIF.py, as copied")
    tags = ("compartments",)
    states = ("u", "d")
    published = {"surrogate": "atan"}
    dendrite_reset = 0.5
    keep_d = Learnable(0.8)
    in_d = Learnable(0.2)
    keep_u = Learnable(0.3)
    in_u = Learnable(0.7)
    from_soma = Learnable(0.1)
    from_dendrite = Learnable(0.8)
    weigh_short = Learnable(Normal(0, 1), per="channel")
    weigh_long = Learnable(Normal(0, 1), per="channel")

    def step(self, x: Tensor, u: Tensor, d: Tensor) -> tuple[Tensor, ...]:
        d = self.keep_d * d + self.in_d * x - self.from_soma * u
        u = self.keep_u * u + self.in_u * x - self.from_dendrite * d
        short, long = self.spike(u - self.v_th), self.spike(d - self.v_th)
        output = self.weigh_short * short + self.weigh_long * long
        if self.detach_reset:
            short, long = short.detach(), long.detach()
        return output, u - self.v_th * short, d - self.dendrite_reset * long

    @property
    def events(self) -> int:
        return 2
