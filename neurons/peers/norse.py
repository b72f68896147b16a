"""norse's neurons: a loop over its cells with a time step of 1, so that 1/τ is its `tau_mem_inv`."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from neurons.peers.peer import Card, Peer, Trace, stack_trace

OLDEST = "1.1"
"""The first version that is known to fit."""

_FIRE = "u > v_th"
_GRADIENT = "the reset is part of it; surrogate here: norse's triangle with α = 1"
_LIKE_LIF = {"decay_input": True, "surrogate": "triangle"}


@cache
def _norse() -> Any:
    """norse.torch; its import warns of torch's own deprecations, which say nothing to a user of this suite."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        importlib.import_module("norse.torch.functional.reset")
        return importlib.import_module("norse.torch")


class Norse(Peer):
    """A cell of norse.torch, with the membrane time constant, threshold and reset value of the model."""

    package = "norse"
    model = "lif"
    takes: ClassVar[Collection[str]] = ("tau", "v_th", "v_reset")

    def parameters(self, like: Tensor) -> dict[str, Any]:
        """The fields of the cell's parameter tuple that the model decides."""
        return {
            "tau_mem_inv": like.new_tensor(self.inverse_tau),
            "v_leak": like.new_tensor(0.0),
            "v_th": like.new_tensor(self.v_th),
            "v_reset": like.new_tensor(self.v_reset),
            "method": "triangle",
            "alpha": like.new_tensor(1.0),
        }

    def cell(self, like: Tensor) -> tuple[Any, Any]:
        """norse's step with its parameters bound, and the state before the first step."""
        raise NotImplementedError

    def trace(self, x: Tensor, parameters: Mapping[str, Tensor]) -> Trace:
        cell, state = self.cell(x[0])
        steps = []
        for x_t in x.unbind(0):
            spikes, state = cell(x_t, state)
            steps.append((spikes, state.v))
        return stack_trace(steps)


class LIFBox(Norse):
    name = "norse.lifbox"
    usual = True
    class_name = "LIFBoxCell"
    constants_of_model = {**_LIKE_LIF, "reset": "hard"}
    takes = ("tau", "v_th", "v_reset", "reset")
    departs = "it fires at u > v_th, the model at u ≥ v_th: a potential exactly at the threshold does not fire"
    card = Card("u = u + (x − u)/τ", _FIRE, "same step, to v_reset (default) or soft (reset_subtract)", _GRADIENT)

    def cell(self, like: Tensor) -> tuple[Any, Any]:
        norse = _norse()
        resets = norse.functional.reset
        method = resets.reset_subtract if self.reset == "soft" else resets.reset_value
        cell = norse.LIFBoxCell(norse.LIFBoxParameters(**self.parameters(like), reset_method=method), dt=1.0)
        return cell, norse.LIFBoxFeedForwardState(torch.zeros_like(like))


class LIFBoxSoft(LIFBox):
    name = "norse.lifbox_soft"
    usual = False
    constants_of_model = {**_LIKE_LIF, "reset": "soft"}


class LIF(Norse):
    name = "norse.lif"
    class_name = "LIFCell"
    constants_of_model = {**_LIKE_LIF, "reset": "hard"}
    departs = "the input passes a synaptic current with a decay of its own first"
    card = Card("i = i + x; u = u + (i − u)/τ; i = i − i/τ_syn", _FIRE, "same step, to v_reset", _GRADIENT)

    def cell(self, like: Tensor) -> tuple[Any, Any]:
        norse = _norse()
        cell = norse.LIFCell(norse.LIFParameters(**self.parameters(like), tau_syn_inv=like.new_tensor(0.5)), dt=1.0)
        return cell, norse.LIFFeedForwardState(v=torch.zeros_like(like), i=torch.zeros_like(like))


class LIFAdEx(Norse):
    name = "norse.lifadex"
    class_name, model = "LIFAdExCell", "adex"
    constants_of_model = {"surrogate": "triangle"}
    card = Card("u = u + (i − u + Δ·exp((u − v_th)/Δ) − a)/τ", _FIRE, "same step, to v_reset; a rises", _GRADIENT)

    def cell(self, like: Tensor) -> tuple[Any, Any]:
        norse, model = _norse(), cast("Any", self.like)
        own = {
            "adaptation_current": like.new_tensor(model.coupling),
            "adaptation_spike": like.new_tensor(model.jump),
            "delta_T": like.new_tensor(model.sharpness),
            "tau_ada_inv": like.new_tensor(1 / model.tau_adaptation),
            "tau_syn_inv": like.new_tensor(1 / model.tau_synapse),
        }
        cell = norse.LIFAdExCell(norse.LIFAdExParameters(**self.parameters(like), **own), dt=1.0)
        zero = torch.zeros_like(like)
        return cell, norse.LIFAdExFeedForwardState(v=zero, i=zero, a=zero)


PEERS: tuple[type[Peer], ...] = (LIFBox, LIFBoxSoft, LIF, LIFAdEx)
