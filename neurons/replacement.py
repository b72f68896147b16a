"""A registry neuron in place of the neurons of a network that somebody else wrote.

Each package calls its neurons in its own way (one step or all, state inside or handed around); `CONVENTIONS` holds one
adapter a way, and the rest of the network stays as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from neurons.errors import InvalidValue
from neurons.layer import NeuronLayer, layer
from neurons.reference import per_step_names


@dataclass
class Replacement:
    """What `replace` did to a model.

    Attributes:
        model: the network, with its neurons replaced.
        replaced: what stood there before, by the name of the submodule.
        kept: neurons that stay as they were, by name, each with the reason.
    """

    model: nn.Module
    replaced: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{name}: {before} replaced" for name, before in self.replaced.items()]
        return "\n".join([*lines, *(f"{name}: kept, {reason}" for name, reason in self.kept.items())])


Adapt = Callable[[nn.Module, Callable[[], NeuronLayer]], nn.Module]
"""From a neuron of a package and the maker of its stand-in to a module that is called as the neuron was."""


class NotReplaceable(Exception):
    """Why a neuron has to stay, in a few words."""


def replace(
    model: nn.Module,
    name: str,
    example: Tensor | None = None,
    timesteps: int | None = None,
    backend: str = "auto",
    protocol: str = "controlled",
    time_inside: bool = False,
    **parameters: Any,
) -> Replacement:
    """Put the registry's neuron `name` in place of every spikingjelly, snnTorch or norse neuron, and of every ReLU.

    The model itself is changed; copy it first to keep the old one. State starts at zero: with spikingjelly after
    `functional.reset_net`, with snnTorch and norse when no state is handed in, in place of a ReLU after `reset`.
    A neuron that stands under several names is replaced under each; ReLUs get a stand-in of its own for each name,
    since places share no state where there was none.

    Args:
        model: any network; neurons are found at every depth.
        name: see `neurons.names()`.
        example: an input of the model, run once to learn the channels; needed by models with parameters per channel.
        timesteps: length of the sequences, for models with parameters per time step.
        backend, protocol, **parameters: as of `neurons.layer`.
        time_inside: the model's own forward goes over time, so a ReLU that it calls again is at its next time step.
            Otherwise one call of the model is one time step, and a ReLU that is called twice in it serves two places,
            which cannot share a state: it raises InvalidValue then.

    Raises:
        InvalidValue: nothing in the model could be replaced; the message lists what was found.
    """
    everywhere = model.named_modules(remove_duplicate=False)
    found = [(path, module, adapt) for path, module in everywhere if (adapt := _convention(module))]
    channels = _channels(model, [path for path, *_ in found], example)
    report, stand_ins = Replacement(model), {}
    same: dict[nn.Module, nn.Module] = {}
    for path, module, adapt in found:

        def make(path: str = path) -> NeuronLayer:
            return layer(name, channels.get(path), timesteps, backend, protocol, **parameters)

        try:
            stand_in = same.get(module) or adapt(module, make)
        except NotReplaceable as reason:
            report.kept[path] = f"{reason}"
        else:
            stand_ins[path] = stand_in
            if not isinstance(stand_in, SteppedNeuron):
                same[module] = stand_in
            report.replaced[path] = f"{type(module).__module__.partition('.')[0]}.{type(module).__name__}"
    if not stand_ins:
        reasons = "; ".join(str(report).splitlines()) or "it has none"
        raise InvalidValue(f"no neuron of {type(model).__name__} could be replaced: {reasons}")
    for path, stand_in in stand_ins.items():
        if path:
            model.set_submodule(path, stand_in)
        else:
            report.model = stand_in
    stepped = {path: stand_in for path, stand_in in stand_ins.items() if isinstance(stand_in, SteppedNeuron)}
    if stepped and "" not in stepped and not time_inside:
        for path, stand_in in stepped.items():
            stand_in.place = path
        model.register_forward_pre_hook(_step_begins)
        model.register_forward_hook(_step_ends, always_call=True)
    return report


def _step_begins(model: nn.Module, _: Any) -> None:
    for module in model.modules():
        if isinstance(module, SteppedNeuron):
            module.calls = 0


def _step_ends(model: nn.Module, *_: Any) -> None:
    for module in model.modules():
        if isinstance(module, SteppedNeuron):
            module.calls = None


def reset(model: nn.Module) -> None:
    """Zero states of all neurons that `replace` put in place of a ReLU: call it before each new input."""
    for module in model.modules():
        if isinstance(module, SteppedNeuron):
            module.reset()


class SteppedNeuron(nn.Module):
    """Called once a time step with x [N, *features]; keeps its state until `reset`. Stands in for a ReLU.

    Attributes:
        place: its name in the network.
        calls: how often it was called in the present time step; None where nobody says when one begins.
    """

    def __init__(self, neuron: NeuronLayer) -> None:
        super().__init__()
        self.layer = neuron
        self.place = ""
        self.calls: int | None = None
        self._state: Any = None

    def reset(self) -> None:
        self._state = None

    def forward(self, x: Tensor) -> Tensor:
        if self.calls is not None:
            self.calls += 1
            if self.calls > 1:
                raise InvalidValue(
                    f"{self.place or 'a ReLU'} is called more than once in one time step, so it serves several places, "
                    "which cannot share a neuron's state: give each place a ReLU of its own before `replace`, or say "
                    "time_inside=True if the network itself goes over time"
                )
        state = self.layer.initial_state(x) if self._state is None else self._state
        output, self._state = self.layer.step(x, state)
        return output


def _convention(module: nn.Module) -> Adapt | None:
    """How a module is called, if it is a neuron that can be exchanged; packages that are not imported have none."""
    for package, bases, adapt in CONVENTIONS:
        root = sys.modules.get(package)
        if root is None:
            continue
        kinds = tuple(getattr(root, base) for base in bases if hasattr(root, base))
        if kinds and isinstance(module, kinds):
            return adapt
    return None


def _channels(model: nn.Module, paths: list[str], example: Tensor | None) -> dict[str, int]:
    """Channels of each neuron's input, seen when the model runs on `example`."""
    if example is None:
        return {}
    seen: dict[str, int] = {}
    hooks = []
    for path in paths:
        module = model.get_submodule(path)
        axis = 2 if _takes_sequence(module) else 1

        def note(_: nn.Module, args: tuple[Any, ...], path: str = path, axis: int = axis) -> None:
            seen[path] = args[0].shape[axis]

        hooks.append(module.register_forward_pre_hook(note))
    training = model.training
    try:
        model.eval()
        with torch.no_grad():
            model(example)
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
        for module in model.modules():
            if _is_spikingjelly(module):
                module.reset()  # type: ignore[operator]
    return seen


def _takes_sequence(module: nn.Module) -> bool:
    return getattr(module, "step_mode", None) == "m" or type(module).__mro__[1].__name__ == "SNN"


def _is_spikingjelly(module: nn.Module) -> bool:
    base = sys.modules.get("spikingjelly.activation_based.base")
    return base is not None and isinstance(module, base.MemoryModule)


def _stepwise(make: Callable[[], NeuronLayer]) -> NeuronLayer:
    """A layer that can run one step at a time."""
    neuron = make()
    if not neuron.neuron.runs_over_time():
        raise NotReplaceable(f"{neuron.neuron.name} has no step, and this neuron is called once a time step")
    if per_step_names(neuron.neuron):
        raise NotReplaceable(f"{neuron.neuron.name} has parameters per time step; call the network on whole sequences")
    return neuron


def _relu(_: nn.Module, make: Callable[[], NeuronLayer]) -> nn.Module:
    return SteppedNeuron(_stepwise(make))


def _spikingjelly(module: nn.Module, make: Callable[[], NeuronLayer]) -> nn.Module:
    from neurons.peers.adapters import spikingjelly_neuron

    neuron = make() if module.step_mode == "m" else _stepwise(make)
    return spikingjelly_neuron(neuron, str(module.step_mode))


def _snntorch(module: nn.Module, make: Callable[[], NeuronLayer]) -> nn.Module:
    from neurons.peers.adapters import SnntorchNeuron

    if module.init_hidden:
        raise NotReplaceable("it keeps its state inside (init_hidden=True), where utils.reset would not find another's")
    return SnntorchNeuron(_stepwise(make))


def _norse_cell(_: nn.Module, make: Callable[[], NeuronLayer]) -> nn.Module:
    from neurons.peers.adapters import NorseCell

    return NorseCell(_stepwise(make))


def _norse(module: nn.Module, make: Callable[[], NeuronLayer]) -> nn.Module:
    from neurons.peers.adapters import NorseNeuron

    if getattr(module, "record_states", False):
        raise NotReplaceable("it records its states (record_states=True), which another neuron has not")
    return NorseNeuron(make())


def _other(module: nn.Module, _: Callable[[], NeuronLayer]) -> nn.Module:
    raise NotReplaceable(f"{type(module).__name__} is called in a way of its own (several states or own connections)")


CONVENTIONS: list[tuple[str, tuple[str, ...], Adapt]] = [
    ("spikingjelly.activation_based.neuron", ("BaseNode",), _spikingjelly),
    ("snntorch", ("RLeaky", "Synaptic", "RSynaptic", "Alpha", "SLSTM", "SConv2dLSTM", "StateLeaky"), _other),
    ("snntorch", ("Leaky", "Lapicque"), _snntorch),
    ("norse.torch.module.snn", ("SNNRecurrentCell", "SNNRecurrent"), _other),
    ("norse.torch.module.snn", ("SNNCell",), _norse_cell),
    ("norse.torch.module.snn", ("SNN",), _norse),
    ("torch.nn", ("ReLU",), _relu),
]
"""Module of a package, base classes of its neurons, and their adapter; the first that fits is taken."""
