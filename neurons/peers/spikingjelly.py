"""spikingjelly's neurons (torch; on a GPU the package chooses its kernels itself)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from neurons.errors import BackendUnavailable
from neurons.model import Neuron
from neurons.peers.peer import Card, Peer, Trace, stack_trace

OLDEST = "2.0"
"""The first version that is known to fit."""

_SURROGATES = {"rectangle": ("Rect", 1), "atan": ("ATan", 2), "sigmoid": ("Sigmoid", 4)}
"""spikingjelly's class for each of the suite's, and its alpha for a width of 1."""
_NO_SURROGATE = "spikingjelly has no {} surrogate of this form"


def _surrogate(neuron: Neuron) -> Any:
    """spikingjelly's function with the derivative of the model's surrogate."""
    from spikingjelly.activation_based import surrogate

    if neuron.surrogate not in _SURROGATES:
        raise BackendUnavailable(_NO_SURROGATE.format(neuron.surrogate))
    name, of_width_one = _SURROGATES[neuron.surrogate]
    return getattr(surrogate, name)(alpha=of_width_one / neuron.surrogate_width)


def _tau(model: Neuron) -> str | None:
    return None if model.tau > 1 else f"spikingjelly needs tau above 1, not {model.tau}"


class Node(Peer):
    """A node of `spikingjelly.activation_based.neuron`, all steps in one call (its step mode "m").

    Attributes:
        parameter_names: the node's parameter of each of the model's.
        step_mode: "m" for all steps in one call, "s" for a loop over calls.
    """

    package = "spikingjelly"
    call = "its step mode m, all steps in one call"
    parameter_names: ClassVar[Mapping[str, str]] = {}
    step_mode: ClassVar[str] = "m"

    def arguments(self, channels: int) -> dict[str, Any]:
        """What the node is constructed with."""
        return {
            "v_threshold": self.v_th,
            "v_reset": None if self.reset == "soft" else self.v_reset,
            "surrogate_function": _surrogate(self),
            "detach_reset": self.detach_reset,
            "step_mode": self.step_mode,
        }

    @classmethod
    def unlike(cls, model: Neuron) -> str | None:
        if model.surrogate not in _SURROGATES:
            return _NO_SURROGATE.format(model.surrogate)
        if model.surrogate_gain != 1:
            return f"spikingjelly's surrogates have no gain such as surrogate_gain={model.surrogate_gain}"
        if model.reset == "hard" and model.v_reset != 0:
            return "spikingjelly's potential starts at v_reset and leaks towards v_reset, the suite's to 0"
        return super().unlike(model)

    def trace(self, x: Tensor, parameters: Mapping[str, Tensor]) -> Trace:
        node = self._node(x)
        mapped = {self.parameter_names[name]: value.to(x.dtype) for name, value in parameters.items()}
        if self.step_mode == "m":
            spikes, potentials = torch.func.functional_call(node, mapped, (x,)), None
        else:
            steps = [(torch.func.functional_call(node, mapped, (x_t,)), node.v) for x_t in x.unbind(0)]
            spikes, potentials = stack_trace(steps)  # type: ignore[arg-type]
        node.reset()  # type: ignore[operator]
        return spikes, potentials

    def _node(self, x: Tensor) -> nn.Module:
        """The package's module, made at the first call: it is the same for all inputs of one device and dtype."""
        nodes: dict[object, nn.Module] = vars(self).setdefault("nodes", {})
        kind = (x.device, x.dtype)
        if kind not in nodes:
            from spikingjelly.activation_based import neuron

            made = getattr(neuron, self.class_name)(**self.arguments(x.shape[2] if x.ndim > 2 else 1))
            nodes[kind] = made.to(x.device, x.dtype)
        return nodes[kind]


_REAL = "the surrogate inside; the reset is part of it unless detach_reset"


class IF(Node):
    name = "spikingjelly.if"
    kernel_on_cards = True
    class_name, model = "IFNode", "if"
    card = Card("u = u + x", "u ≥ v_th", "same step; soft (v_reset=None) or to v_reset", _REAL)


class LIF(Node):
    name = "spikingjelly.lif"
    usual = True
    kernel_on_cards = True
    class_name, model = "LIFNode", "lif"
    card = Card(
        "u = u − (u − v_reset)/τ + x; x/τ with decay_input (its default)",
        "u ≥ v_th",
        "same step; soft (v_reset=None) or to v_reset",
        _REAL,
    )

    def arguments(self, channels: int) -> dict[str, Any]:
        return super().arguments(channels) | {"tau": float(self.tau), "decay_input": self.decay_input}

    @classmethod
    def unlike(cls, model: Neuron) -> str | None:
        return _tau(model) or super().unlike(model)


class PLIF(LIF):
    name = "spikingjelly.plif"
    class_name, model = "ParametricLIFNode", "plif"
    parameter_names = {"w": "w"}
    card = Card("as LIFNode with 1/τ = sigmoid(w)", LIF.card.fire, LIF.card.reset, _REAL)

    def arguments(self, channels: int) -> dict[str, Any]:
        arguments = super().arguments(channels)
        return arguments | {"init_tau": arguments.pop("tau")}


class KLIF(LIF):
    name = "spikingjelly.klif"
    kernel_on_cards = False
    class_name, model = "KLIFNode", "klif"
    parameter_names = {"k": "k"}
    card = Card("as LIFNode, then f = relu(k·u)", "f ≥ v_th", "same step; u = f after its reset", _REAL)


class GLIF(Node):
    name = "spikingjelly.glif"
    class_name, model = "GatedLIFNode", "glif"
    parameter_names = {
        "gate_leak": "alpha",
        "gate_input": "beta",
        "gate_reset": "gamma",
        "leak": "tau",
        "linear_leak": "linear_decay",
        "v_subtract": "v_subreset",
        "threshold": "v_threshold",
        "conduct": "conduct",
    }
    card = Card("gates mix two leaks and two couplings", "u ≥ learned threshold", "next step, by a gate", _REAL)

    def arguments(self, channels: int) -> dict[str, Any]:
        return {"T": self.timesteps or 1, "inplane": channels, "surrogate_function": _surrogate(self)}

    def trace(self, x: Tensor, parameters: Mapping[str, Tensor]) -> Trace:
        shape = x.shape  # its parameters broadcast over [T, N, C, H, W]
        spikes, _ = super().trace(x.reshape(*shape[:3], -1, 1) if x.ndim != 5 else x, parameters)
        return spikes.reshape(shape), None


class CLIF(Node):
    name = "spikingjelly.clif"
    kernel_on_cards = True
    class_name, model = "ComplementaryLIFNode", "clif"
    card = Card("u = u − u/τ + x", "u ≥ v_th", "same step, soft, takes v_th + sigmoid(m)", "the reset is part of it")

    def arguments(self, channels: int) -> dict[str, Any]:
        arguments = super().arguments(channels)
        return {name: arguments[name] for name in ("v_threshold", "surrogate_function", "step_mode")} | {
            "tau": float(self.tau)
        }

    @classmethod
    def unlike(cls, model: Neuron) -> str | None:
        if (model.reset, model.decay_input, model.detach_reset) != ("soft", False, False):
            return "spikingjelly's ComplementaryLIFNode resets softly, without input decay, in the gradient"
        return _tau(model) or super().unlike(model)


class IFStep(IF):
    name = "spikingjelly.if_step"
    step_mode = "s"
    usual = False
    call = "a loop over its single steps, its step mode s"
    kernel_on_cards = False


class LIFStep(LIF):
    name = "spikingjelly.lif_step"
    step_mode = "s"
    usual = False
    call = "a loop over its single steps, its step mode s"
    kernel_on_cards = False


class PLIFStep(PLIF):
    name = "spikingjelly.plif_step"
    step_mode = "s"
    usual = False
    call = "a loop over its single steps, its step mode s"
    kernel_on_cards = False


class KLIFStep(KLIF):
    name = "spikingjelly.klif_step"
    step_mode = "s"
    usual = False
    call = "a loop over its single steps, its step mode s"


class CLIFStep(CLIF):
    name = "spikingjelly.clif_step"
    step_mode = "s"
    usual = False
    call = "a loop over its single steps, its step mode s"
    kernel_on_cards = False


class _FlexSN:
    """A neuron as a step in torch, of which the package makes the kernel."""

    class_name = "FlexSN"
    usual = False
    call = "FlexSN: the step written in torch for it, its kernel made by the package"


class LIFFlexSN(_FlexSN, LIF):
    name = "spikingjelly.lif_flexsn"

    def arguments(self, channels: int) -> dict[str, Any]:
        return {"core": _lif_step(self), "num_states": 1}


class CLIFFlexSN(_FlexSN, CLIF):
    name = "spikingjelly.clif_flexsn"

    def arguments(self, channels: int) -> dict[str, Any]:
        return {"core": _clif_step(self), "num_states": 2}


def _spike_of_flexsn(neuron: Neuron) -> Callable[[Tensor], Tensor]:
    """Its steps may hold numbers, but no module, as which the package's surrogates otherwise come."""
    from spikingjelly.activation_based import surrogate

    function, alpha = getattr(surrogate, _SURROGATES[neuron.surrogate][0].lower()), _surrogate(neuron).alpha

    def spike(x: Tensor) -> Tensor:
        fired: Tensor = function.apply(x, alpha)
        return fired

    return spike


def _lif_step(neuron: Neuron) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    spike, tau, v_th = _spike_of_flexsn(neuron), float(neuron.tau), float(neuron.v_th)
    soft, v_reset = neuron.reset == "soft", float(neuron.v_reset)
    decay_input, detach = neuron.decay_input, neuron.detach_reset

    def step(x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        u = u + (x - u) / tau if decay_input else u - u / tau + x
        fired = spike(u - v_th)
        reset = fired.detach() if detach else fired
        return fired, u - reset * (v_th if soft else u - v_reset)

    return step


def _clif_step(neuron: Neuron) -> Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    spike, tau, v_th = _spike_of_flexsn(neuron), float(neuron.tau), float(neuron.v_th)

    def step(x: Tensor, u: Tensor, m: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        u = u - u / tau + x
        fired = spike(u - v_th)
        m = m * torch.sigmoid(u / tau) + fired
        return fired, u - fired * (v_th + torch.sigmoid(m)), m

    return step


class QIF(Node):
    name = "spikingjelly.qif"
    class_name, model = "QIFNode", "qif"
    card = Card("u = u + (x + a0·(u − v_rest)·(u − v_c))/τ", "u ≥ v_th", "same step, to v_reset", _REAL)

    def arguments(self, channels: int) -> dict[str, Any]:
        model: Any = self.like
        own = {"tau": float(self.tau), "a0": model.a0, "v_rest": model.v_rest, "v_c": model.v_critical}
        return super().arguments(channels) | own

    @classmethod
    def unlike(cls, model: Neuron) -> str | None:
        return _tau(model) or super().unlike(model)


class Izhikevich(QIF):
    name = "spikingjelly.izhikevich"
    class_name, model = "IzhikevichNode", "izhikevich"
    card = Card(
        "as QIFNode, less a recovery current w", "u ≥ v_th", "same step, to v_reset; w rises with u and spikes", _REAL
    )

    def arguments(self, channels: int) -> dict[str, Any]:
        model: Any = self.like
        return super().arguments(channels) | {"a": model.a, "b": model.b, "tau_w": model.tau_w}


class EIF(Node):
    name = "spikingjelly.eif"
    class_name, model = "EIFNode", "eif"
    card = Card("u = u + (x + v_rest − u + Δ·exp((u − θ)/Δ))/τ", "u ≥ v_th", "same step, to v_reset", _REAL)

    def arguments(self, channels: int) -> dict[str, Any]:
        model: Any = self.like
        own = {"delta_T": model.sharpness, "theta_rh": model.v_rheobase, "v_rest": model.v_rest}
        return super().arguments(channels) | {"tau": float(self.tau), **own}

    @classmethod
    def unlike(cls, model: Neuron) -> str | None:
        return _tau(model) or super().unlike(model)


class CUBA(Node):
    name = "spikingjelly.cuba"
    class_name, model = "CUBALIFNode", "synaptic"
    step_mode = "s"
    usual = False
    call = "a loop over its single steps, its step mode s"
    card = Card(
        "i = i·c + x; u = u·d + i", "u ≥ v_th", "same step; soft (v_reset=None) or to v_reset", "of the reset too"
    )

    def arguments(self, channels: int) -> dict[str, Any]:
        model: Any = self.like
        arguments = super().arguments(channels)
        kept = {name: arguments[name] for name in ("v_threshold", "v_reset", "surrogate_function")}
        return {**kept, "c_decay": model.synapse_decay, "v_decay": float(self.decay)}

    @classmethod
    def unlike(cls, model: Neuron) -> str | None:
        if model.decay_input or model.detach_reset:
            return "spikingjelly's CUBALIFNode decays no input, and its reset is in the gradient"
        return super().unlike(model)


class ILIF(LIF):
    name = "spikingjelly.ilif"
    class_name, model = "ILIFNode", "i_lif"
    takes = ("tau", "v_th", "detach_reset")
    card = Card("u = u − u/τ + x", "u/v_th rounded, 0 to D spikes", "same step, soft, v_th for each spike", _REAL)

    def arguments(self, channels: int) -> dict[str, Any]:
        from spikingjelly.activation_based import surrogate

        model: Any = self.like
        arguments = super().arguments(channels)
        kept = {name: arguments[name] for name in ("tau", "v_threshold", "detach_reset", "step_mode")}
        return {**kept, "surrogate_function": surrogate.MultiLevelSpikeCount(model.maximum)}


class PSN(Node):
    name = "spikingjelly.psn"
    class_name, model = "PSN", "psn"
    takes = ("surrogate", "surrogate_width")
    card = Card("u = W·x over all T steps, W learned", "u ≥ −b[t], b learned", "none", "the surrogate; nothing recurs")

    def arguments(self, channels: int) -> dict[str, Any]:
        return {"T": self.timesteps, "surrogate_function": _surrogate(self)}

    def initial_parameters(self, channels: int | None) -> dict[str, Tensor]:
        return {} if self.timesteps is None else super().initial_parameters(channels)

    def trace(self, x: Tensor, parameters: Mapping[str, Tensor]) -> Trace:
        own = {name: value.to(x.dtype) for name, value in parameters.items()}
        return torch.func.functional_call(self._node(x), own, (x,)), None


PEERS: tuple[type[Peer], ...] = (
    *(IF, LIF, PLIF, KLIF, GLIF, CLIF, IFStep, LIFStep, PLIFStep, KLIFStep, CLIFStep, PSN),
    *(LIFFlexSN, CLIFFlexSN),
    *(QIF, EIF, Izhikevich, CUBA, ILIF),
)
