"""snnTorch's neurons: a loop over its single steps, the model's own surrogate as `spike_grad`."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from neurons.model import CONSTANTS, Neuron
from neurons.peers.peer import Card, Peer, Trace, stack_trace

OLDEST = "1.0"
"""The first version that is known to fit."""

SYNAPSE_DECAY = 0.8
"""Decay of the synaptic current of the models that have one; the package's documentation shows 0.9 and 0.8."""

_FIRE = "u > v_th; here by the suite's spike function, u ≥ v_th"
_CHARGE = "u = β·u + x"


class SnnTorch(Peer):
    """A neuron of snntorch with β = 1 − 1/τ.

    Attributes:
        options: what its class is constructed with beside β, threshold and surrogate.
        carried: how many states it carries; the last is the membrane potential.
    """

    package = "snntorch"
    model = "lif"
    options: ClassVar[Mapping[str, Any]] = {}
    takes: ClassVar[Collection[str]] = ("tau", "v_th", "surrogate", "surrogate_width", "surrogate_gain")
    carried: ClassVar[int] = 1

    def trace(self, x: Tensor, parameters: Mapping[str, Tensor]) -> Trace:
        import snntorch

        beta = x.new_tensor(self.decay)  # a plain number would be rounded to float32
        arguments = {"beta": beta, "threshold": x.new_tensor(self.v_th), "spike_grad": self.spike}
        arguments |= self.options_for(x, parameters)
        cell = getattr(snntorch, self.class_name)(**arguments).to(x.device, x.dtype)
        states = [torch.zeros_like(x[0])] * self.carried
        steps = []
        for x_t in x.unbind(0):
            spikes, states = self.advance(cell, x_t, states)
            steps.append((spikes, states[-1]))
        return stack_trace(steps)

    def options_for(self, x: Tensor, parameters: Mapping[str, Tensor]) -> Mapping[str, Any]:
        """What the class is constructed with for an input like x."""
        return self.options

    @staticmethod
    def advance(cell: Any, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One step: the spikes and the states after it."""
        spikes, *states = cell(x, *states)
        return spikes, states


class Leaky(SnnTorch):
    name = "snntorch.leaky"
    usual = True
    class_name = "Leaky"
    departs = "a spike is subtracted one step later, whole (not decayed by β), and its reset is detached"
    card = Card(_CHARGE, _FIRE, "one step later, soft: the default (reset_delay=True)", "the reset is detached")


class LeakySameStep(SnnTorch):
    name = "snntorch.leaky_same_step"
    class_name = "Leaky"
    options = {"reset_delay": False}
    departs = (
        "a potential that its reset leaves at or above the threshold lacks one threshold while the next step decides "
        "whether it fires; the step gives it back at its end"
    )
    card = Card(
        _CHARGE,
        "u − v_th·(u[t−1] ≥ v_th) ≥ v_th; here by the suite's spike function",
        "same step, soft",
        "the reset is part of it; what is taken for the decision is detached",
    )


class LeakyZero(SnnTorch):
    name = "snntorch.leaky_zero"
    class_name = "Leaky"
    takes = CONSTANTS
    constants_of_model = {"reset": "hard", "detach_reset": True}
    options = {"reset_mechanism": "zero"}
    card = Card(_CHARGE, _FIRE, "to 0 before the next charge", "the reset is detached")

    def trace(self, x: Tensor, parameters: Mapping[str, Tensor]) -> Trace:
        return super().trace(x, parameters)[0], None  # the potential that it shows is the one before the reset

    @classmethod
    def unlike(cls, model: Neuron) -> str | None:
        return _hard(model, detached=True)


class LeakyZeroSameStep(SnnTorch):
    name = "snntorch.leaky_zero_same_step"
    class_name = "Leaky"
    takes = CONSTANTS
    constants_of_model = {"reset": "hard"}
    options = {"reset_mechanism": "zero", "reset_delay": False}
    card = Card(_CHARGE, _FIRE, "same step, to 0", "the reset is part of it")

    @classmethod
    def unlike(cls, model: Neuron) -> str | None:
        return _hard(model, detached=False)


class Synaptic(SnnTorch):
    name = "snntorch.synaptic"
    class_name = "Synaptic"
    options = {"alpha": SYNAPSE_DECAY}
    carried = 2
    departs = "the input passes a synaptic current of its own decay α first, and the reset comes one step later"
    card = Card("i = α·i + x; u = β·u + i", _FIRE, "one step later, soft", "the reset is detached")


class SynapticZeroSameStep(SnnTorch):
    name = "snntorch.synaptic_zero_same_step"
    class_name, model = "Synaptic", "synaptic"
    takes = CONSTANTS
    constants_of_model = {"reset": "hard"}
    options = {"reset_mechanism": "zero", "reset_delay": False}
    carried = 2
    card = Card("i = α·i + x; u = β·u + i", _FIRE, "same step, u to 0", "the reset is part of it")

    def options_for(self, x: Tensor, parameters: Mapping[str, Tensor]) -> Mapping[str, Any]:
        model: Any = self.like
        return {**self.options, "alpha": x.new_tensor(model.synapse_decay)}

    @classmethod
    def unlike(cls, model: Neuron) -> str | None:
        return _hard(model, detached=False)


class RLeaky(SnnTorch):
    name = "snntorch.rleaky"
    class_name, model = "RLeaky", "rleaky"
    options = {"all_to_all": False, "learn_recurrent": False}
    card = Card("u = β·u + x + V·s[t−1]", _FIRE, "one step later, soft", "the reset is detached, V·s is not")
    carried = 2

    def options_for(self, x: Tensor, parameters: Mapping[str, Tensor]) -> Mapping[str, Any]:
        return {**self.options, "V": parameters["feedback"].to(x.dtype)}

    @staticmethod
    def advance(cell: Any, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        spikes, potential = cell(x, *states)
        return spikes, [spikes, potential]


class Alpha(SnnTorch):
    name = "snntorch.alpha"
    class_name, model = "Alpha", "alpha"
    takes = ("v_th", "surrogate", "surrogate_width", "surrogate_gain")
    options = {"reset_mechanism": "zero"}
    carried = 3
    card = Card("u = k·(i₊ − i₋), decays α and β", _FIRE, "one step later, currents to 0", "the reset is detached")

    def options_for(self, x: Tensor, parameters: Mapping[str, Tensor]) -> Mapping[str, Any]:
        model: Any = self.like
        return {**self.options, "alpha": x.new_tensor(model.rise), "beta": x.new_tensor(model.fall)}


class StateLeaky(SnnTorch):
    name = "snntorch.state_leaky"
    usual = True
    class_name, model = "StateLeaky", "reset_free"
    call = "all steps in one call, a causal convolution over the whole sequence"
    card = Card(
        "u[t] = Σ exp(−k/τ')·x[t − k], where its β stands for τ' = 1/(1 − β), so it decays by exp(−(1 − β)) a step, "
        "not by β; for the decay γ = 1 − 1/τ of the model it is given β = 1 + ln γ",
        _FIRE,
        "none",
        "the surrogate; nothing recurs",
    )

    def trace(self, x: Tensor, parameters: Mapping[str, Tensor]) -> Trace:
        from snntorch._neurons.stateleaky import StateLeaky as Original

        beta = x.new_tensor(1 + math.log(self.decay) + 1e-12)  # it takes 1e-12 away again
        cell = Original(beta, 1, threshold=x.new_tensor(self.v_th), spike_grad=self.spike).to(x.device, x.dtype)
        flat = x.reshape(len(x), -1, 1)  # it takes [T, B, C]; one channel has the decay of all
        spikes, potentials = cell(flat)
        return spikes.reshape(x.shape), potentials.reshape(x.shape)

    @classmethod
    def unlike(cls, model: Neuron) -> str | None:
        if model.tau <= 1:
            return f"snnTorch's StateLeaky has a decay above 0: tau above 1 is wanted, not {model.tau}"
        return super().unlike(model)


def _hard(model: Neuron, detached: bool) -> str | None:
    """Why snnTorch's reset to zero does not compute `model`; None if it does."""
    if model.reset != "hard":
        return (
            "snnTorch's Leaky with a soft reset is another model (see snntorch.leaky, snntorch.leaky_same_step); "
            "with reset='hard' it computes this one"
        )
    if model.v_reset != 0:
        return f"snnTorch resets to 0, not to v_reset = {model.v_reset}"
    if model.v_th <= 0:
        return f"snnTorch takes the 0 after a reset for one more spike where v_th is 0 or below, not {model.v_th}"
    if model.decay_input:
        return "snnTorch's Leaky does not decay its input"
    if model.detach_reset is not detached:
        return "its reset is in the gradient" if detached else "its reset is detached"
    return None


PEERS: tuple[type[Peer], ...] = (
    *(LeakyZeroSameStep, LeakyZero, Leaky, LeakySameStep, Synaptic, SynapticZeroSameStep, RLeaky, Alpha, StateLeaky),
)
