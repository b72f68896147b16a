"""jaxpike's neurons (JAX, Equinox): its `unroll`, a scan of eight steps a pass, or its scan over all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from neurons.model import Neuron
from neurons.peers.jax_peer import FIRES, JaxPeer
from neurons.peers.peer import Card

OLDEST = "0.1"
"""The first version that is known to fit."""
_CHARGE = (
    "u = α·u + (1 − α)·x with α = exp(−1/τ'), not 1 − 1/τ: for the decay γ of the model it is given τ' = −1/ln γ; "
    "states are float32, here of the input's type"
)


class JaxPike(JaxPeer):
    """A neuron of jaxpike with the decay of the model."""

    package = "jaxpike"
    model = "lif"
    call = "unroll: a scan of 8 steps a pass, jit"
    constants_of_model: ClassVar[Mapping[str, Any]] = {"decay_input": True}
    takes = ("tau", "v_th", "surrogate", "surrogate_width")
    options: ClassVar[Mapping[str, Any]] = {}

    def made(self, double: bool) -> Any:
        """The package's module."""
        import jax.numpy as jnp
        import jaxpike
        import jaxpike.neurons

        jaxpike.neurons.STATE_DTYPE = jnp.float64 if double else jnp.float32
        surrogate = _surrogate(self.jax_spike())
        cls = getattr(jaxpike.neurons, self.class_name)
        return cls(-1 / math.log(self.decay), threshold=self.v_th, surrogate=surrogate, **self.options)

    def function(self, shape: tuple[int, ...], double: bool) -> Callable[[Any], Any]:
        import jaxpike

        module = self.made(double)
        return lambda x: jaxpike.unroll(module, x)[0]

    @classmethod
    def unlike(cls, model: Neuron) -> str | None:
        if model.tau <= 1:
            return f"jaxpike has a decay above 0: tau above 1 is wanted, not {model.tau}"
        return super().unlike(model)


def _surrogate(spike: Callable[[Any], Any]) -> Any:
    from jaxpike.surrogate import Surrogate

    class Given(Surrogate):
        def __call__(self, v: Any) -> Any:
            return spike(v)

    return Given()


class LIF(JaxPike):
    name = "jaxpike.lif"
    usual = True
    class_name = "LIF"
    card = Card(_CHARGE, FIRES, "same step, soft: its default", "the reset is part of it")


class LIFZero(JaxPike):
    name = "jaxpike.lif_zero"
    class_name = "LIF"
    constants_of_model = {"decay_input": True, "reset": "hard"}
    options = {"reset": "zero"}
    card = Card(_CHARGE, FIRES, "same step, to 0", "the reset is part of it")


class LinearLIF(JaxPike):
    name = "jaxpike.linear_lif"
    usual = True
    class_name, model = "LinearLIF", "reset_free"
    call = "parallel_apply: an associative scan over all steps, jit"
    card = Card(_CHARGE, FIRES, "none", "the surrogate; nothing recurs")

    def function(self, shape: tuple[int, ...], double: bool) -> Callable[[Any], Any]:

        module = self.made(double)
        return lambda x: module.parallel_apply(module.init_state(x.shape[1:]), x)[1]


PEERS = (LIF, LIFZero, LinearLIF)
