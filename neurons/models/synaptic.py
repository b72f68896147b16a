"""Current-based LIF: the input passes a synaptic current first."""

from torch import Tensor

from neurons import Neuron, Source, Span, register


@register
class Synaptic(Neuron):
    """Current-based (CUBA) LIF: i = synapse_decay·i + x; u = γ·u + i; s = Θ(u − v_th); u is reset where it spiked.

    Published: the constants of spikingjelly's CUBALIFNode (decays 0.5 and 0.75, threshold 0.5, hard reset).
    """

    source = Source(
        "Davies et al., IEEE Micro 2018",
        2018,
        code="fangwei123456/spikingjelly: functional/neuron.py cuba_lif_step",
    )
    tags = ("synaptic",)
    states = ("u", "i")
    published = {"tau": 4.0, "v_th": 0.5, "reset": "hard"}
    synapse_decay = 0.5
    tuning = {"synapse_decay": Span(0.1, 0.95)}

    def step(self, x: Tensor, u: Tensor, i: Tensor) -> tuple[Tensor, ...]:
        i = self.synapse_decay * i + x
        u = self.charge(u, i)
        spike = self.spike(u - self.v_th)
        return spike, self.fire_reset(u, spike), i
