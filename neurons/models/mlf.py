"""Multi-level firing."""

from torch import Tensor

from neurons import Neuron, Source, register


@register
class MLF(Neuron):
    """MLF (Feng et al., IJCAI 2022): the summed spikes of three LIF of thresholds v_th, v_th + 1 and v_th + 2.

    Published: decay 0.25, first threshold 0.6, hard reset, rectangle of width 1; the code fires above the thresholds,
    here also at them. An output is 0 to 3 events.
    """

    source = Source(
        "Feng et al., IJCAI 2022", 2022, code="langfengQ/MLF-DSResNet: parallel_nets/spike_layer_for_cifar10.py"
    )
    tags = ("levels",)
    states = ("u", "second", "third")
    published = {"tau": 4 / 3, "v_th": 0.6, "reset": "hard"}

    def step(self, x: Tensor, u: Tensor, second: Tensor, third: Tensor) -> tuple[Tensor, ...]:
        u, second, third = self.charge(u, x), self.charge(second, x), self.charge(third, x)
        at = self.v_th, self.v_th + 1, self.v_th + 2
        spikes = self.spike(u - at[0]), self.spike(second - at[1]), self.spike(third - at[2])
        after = (self.fire_reset(*own) for own in zip((u, second, third), spikes, at, strict=True))
        return spikes[0] + spikes[1] + spikes[2], *after

    @property
    def events(self) -> int:
        return 3
