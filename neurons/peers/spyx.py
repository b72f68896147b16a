"""Spyx's neurons (JAX, Flax NNX): a scan over its single steps, or its associative scans over all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from neurons.peers.jax_peer import FIRES, JaxPeer
from neurons.peers.peer import Card

OLDEST = "1.0"
"""The first version that is known to fit."""


class Spyx(JaxPeer):
    """A neuron of `spyx.nn` with β = 1 − 1/τ, not learned."""

    package = "spyx"
    call = "spyx.nn.run: a scan over its single steps, jit"

    def made(self, cls: Any, shape: tuple[int, ...]) -> Any:
        """The package's module for inputs of that shape."""
        from flax import nnx

        arguments = {"beta": self.decay, "threshold": self.v_th, "activation": self.jax_spike()}
        return cls(tuple(shape[2:]), **arguments, rngs=nnx.Rngs(0))


class LIF(Spyx):
    name = "spyx.lif"
    usual = True
    class_name, model = "LIF", "lif"
    departs = "it decides about a spike before it takes the input of the step; a spike is taken away whole, not decayed"
    card = Card(
        "u = β·u + x − v_th·s",
        "u[t−1] > v_th; here ≥ v_th, by a spike function like the suite's",
        "same step, soft",
        "the reset is part of it",
    )

    def function(self, shape: tuple[int, ...], double: bool) -> Callable[[Any], Any]:
        import spyx.nn

        module = self.made(spyx.nn.LIF, shape)
        return lambda x: spyx.nn.run(module, x)[0]


class PsuLif(Spyx):
    name = "spyx.psu_lif"
    usual = True
    class_name, model = "PSU_LIF", "reset_free"
    call = "parallel: an associative scan over all steps, jit"
    card = Card("u = β·u + x", FIRES, "none", "the surrogate; nothing recurs")

    def function(self, shape: tuple[int, ...], double: bool) -> Callable[[Any], Any]:
        import spyx.nn

        return self.made(spyx.nn.PSU_LIF, shape).parallel


class ParallelResetLif(Spyx):
    name = "spyx.parallel_reset_lif"
    class_name, model = "ParallelResetLIF", "lif"
    call = "parallel with K = T passes of an associative scan"
    departs = LIF.departs
    card = Card(LIF.card.charge, LIF.card.fire, f"{LIF.card.reset}; by T passes over all steps", LIF.card.gradient)

    def function(self, shape: tuple[int, ...], double: bool) -> Callable[[Any], Any]:
        import spyx.experimental.parallel_reset as original

        module = self.made(original.ParallelResetLIF, shape)
        return lambda x: module.parallel(x, K=shape[0])


PEERS = (LIF, PsuLif, ParallelResetLif)
