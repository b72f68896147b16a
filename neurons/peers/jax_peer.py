"""Neurons of packages that are written in JAX, which run in a process of their own (`neurons.peers.apart`)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

from torch import Tensor

from neurons.model import Neuron
from neurons.peers.apart import Elsewhere, Named
from neurons.peers.peer import Peer, Trace

SURROGATES = ("rectangle", "atan", "sigmoid", "triangle")
"""Those of the suite's that are written in JAX here."""
FIRES = "u > v_th; here by a spike function like the suite's, u ≥ v_th"


class JaxPeer(Peer):
    """A neuron of a package of JAX; float32 and float64, and no more than its input is differentiable."""

    apart = True
    takes: ClassVar[Collection[str]] = ("tau", "v_th", "surrogate", "surrogate_width")

    @property
    def named(self) -> Named:
        """What travels to the process."""
        constants = {name: getattr(self, name) for name in self.constants()}
        return Named(self.name, self.timesteps, tuple(sorted(constants.items())))

    def trace(self, x: Tensor, parameters: Mapping[str, Tensor]) -> Trace:
        return Elsewhere.apply(x, self.named), None

    @classmethod
    def unlike(cls, model: Neuron) -> str | None:
        if model.surrogate not in SURROGATES:
            return f"{model.surrogate} is not written in JAX here: {', '.join(SURROGATES)} are"
        return super().unlike(model)

    @abstractmethod
    def function(self, shape: tuple[int, ...], double: bool) -> Callable[[Any], Any]:
        """The package's neuron over x [T, N, *features] of that shape, as a function of JAX; runs in its process.

        Args:
            double: x is of 64 bits; otherwise of 32.
        """

    def jax_spike(self) -> Callable[[Any], Any]:
        """Θ(distance ≥ 0) with the model's surrogate, to be given to the package as its spike function."""
        import jax
        import jax.numpy as jnp

        width = float(self.surrogate_width)
        derivatives: dict[str, Callable[[Any], Any]] = {
            "rectangle": lambda distance: jnp.where(jnp.abs(distance) < width / 2, 1 / width, 0.0),
            "triangle": lambda distance: jnp.maximum(1 - jnp.abs(distance) / width, 0) / width,
            "atan": lambda distance: 1 / (width * (1 + (jnp.pi / width * distance) ** 2)),
            "sigmoid": lambda distance: 4 / width * _bell(jax.nn.sigmoid(4 / width * distance)),
        }
        derivative = derivatives[self.surrogate]

        @jax.custom_jvp
        def spike(distance: Any) -> Any:
            return (distance >= 0).astype(distance.dtype)

        @spike.defjvp
        def _(primals: Any, tangents: Any) -> Any:
            slope = derivative(primals[0]).astype(primals[0].dtype)
            return spike(*primals), slope * tangents[0]

        return spike


def _bell(value: Any) -> Any:
    return value * (1 - value)
