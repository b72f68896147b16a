"""Adaptive LIF in the usual (Euler forward) discretisation."""

from torch import Tensor

from neurons import Source, register
from neurons.models.se_adlif import SEAdLIF


@register
class EFAdLIF(SEAdLIF):
    """EF-adLIF, which Baronig et al. (2025) hold SE-adLIF against: adaptation from the old potential and spike.

    u₋ = u·(1 − s₋), no gradient by the reset; u = α·u₋ + x − (1 − α)·w; s = Θ(u − v_th);
    w = β·w + (1 − β)·q·(a·u₋ + b·s₋). Parameters and published constants as in SE-adLIF.
    """

    name = "ef_adlif"
    source = Source("Baronig et al., Nat. Commun. 2025", 2025, code="IGITUGraz/SE-adlif: models/alif.py")
    states = ("u", "w", "spike")

    def step(self, x: Tensor, u: Tensor, w: Tensor, spike: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        before = u * (1 - spike.detach())
        u = self.integrate(x, before, w)
        w = self.adapt(w, before, spike)
        spike = self.spike(u - self.v_th)
        return spike, u, w, spike
