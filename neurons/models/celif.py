"""LIF whose threshold follows a learned context."""

from torch import Tensor

from neurons import Learnable, Neuron, Normal, Source, register


@register
class CELIF(Neuron):
    """CE-LIF (Chen et al., 2023): the potential moves the threshold by a weight learned for each step and channel.

    r = r + u₋·context − threshold_decay·r, with u₋ the potential before its reset; u = γ·reset(u₋) + x;
    s = Θ(u − v_th − r). Published: decay 0.2, threshold 0.3, hard reset, the defaults of neuroseqbench. That code
    leaves the first values of the context to its user; here they are drawn N(0, 0.1²).
    """

    source = Source(
        "Chen et al., Contextual Embedding, 2023",
        2023,
        code="liyc5929/neuroseqbench: network/neuron/context_embedding_lif.py",
    )
    tags = ("threshold", "adaptive")
    states = ("u", "spike", "r")
    published = {"tau": 1.25, "v_th": 0.3, "reset": "hard"}
    threshold_decay = 0.02
    context = Learnable(Normal(0, 0.1), per="step_channel")

    def step(self, x: Tensor, u: Tensor, spike: Tensor, r: Tensor) -> tuple[Tensor, ...]:
        r = r + u * self.context - self.threshold_decay * r
        u = self.charge(self.fire_reset(u, spike), x)
        spike = self.spike(u - self.v_th - r)
        return spike, u, spike, r
