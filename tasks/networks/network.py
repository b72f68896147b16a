"""What a spiking network is: synapses, neurons and a readout, time-first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neurons import InvalidValue, Neuron, NeuronLayer
from neurons.stepping import LayerState

MakeNeuron = Callable[[int], NeuronLayer]
"""A layer of neurons for a number of channels."""


Make = Callable[[int | None, int | None], NeuronLayer]
"""A layer of neurons for channels and time steps."""


class Dropout(nn.Module):
    """Silences outputs of neurons in training: each with one draw for all time steps of a sample.

    Attributes:
        rate: the share that is silenced; the others are scaled up by it.
        generator: what draws; torch's own if None.
    """

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        self.rate = rate
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Spikes [T, N, *features]."""
        if not self.training or self.rate == 0:
            return x
        kept = torch.empty_like(x[0]).bernoulli_(1 - self.rate, generator=self.generator)
        return x * (kept / (1 - self.rate))


class EachStep(nn.Sequential):
    """Applies its modules to each time step, by folding the time into the batch."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class Forgetful(NeuronLayer):
    """A layer whose neurons begin each time step from zero: nothing is carried from one step to the next.

    It holds a model without parameters of single steps.
    """

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, 1).unsqueeze(0)).squeeze(0).unflatten(0, x.shape[:2])

    def step(self, x: Tensor, state: LayerState) -> tuple[Tensor, LayerState]:
        return super().step(x, self.initial_state(x))


class RecurrentNeurons(nn.Module):
    """A layer of neurons that hears its own outputs of the step before, by learned weights.

    It runs step by step (`NeuronLayer.step`); a layer of truncated gradients passes none through the weights either.

    Attributes:
        passes_back: whether gradients go on to the outputs that it hears.

    Raises:
        BackendUnavailable: at the first input, if the neuron has no step or its backend no single one.
    """

    def __init__(self, neurons: NeuronLayer, channels: int) -> None:
        super().__init__()
        self.neurons = neurons
        self.feedback = nn.Linear(channels, channels, bias=False)
        self.passes_back = True

    @property
    def neuron(self) -> Neuron:
        return self.neurons.neuron

    def forward(self, current: Tensor) -> Tensor:
        """Outputs for the current [T, N, channels] from the layer before."""
        return self.by(self.neurons, current)

    def by(self, neurons: NeuronLayer, current: Tensor) -> Tensor:
        """As `forward`, by another layer of the same neurons."""
        if isinstance(neurons, Forgetful):
            return neurons(current)
        return self._run(neurons, current, self.feedback.weight.t())

    def alone(self, current: Tensor) -> Tensor:
        """The same steps without what they hear of themselves."""
        return self._run(self.neurons, current, None)

    def _run(self, layer: NeuronLayer, current: Tensor, weight: Tensor | None) -> Tensor:
        outputs = list[Tensor]()
        passes_back = self.passes_back and layer.bptt_steps is None
        state = layer.initial_state(current[0])
        for now in current.unbind(0):
            total = now
            if weight is not None and outputs:
                before = outputs[-1] if passes_back else outputs[-1].detach()
                total = torch.addmm(now, before, weight).to(now.dtype)
            output, state = layer.step(total, state)
            outputs.append(output)
        return torch.stack(outputs)


Neurons = NeuronLayer | RecurrentNeurons


def neurons_of(network: nn.Module) -> dict[str, Neurons]:
    """What takes the current of all steps and gives the outputs, by name: layers of neurons, with their feedback."""
    found: dict[str, Neurons] = {}
    for name, module in network.named_modules():
        outer = found.get(name.rpartition(".")[0])
        if isinstance(module, Neurons) and not isinstance(outer, RecurrentNeurons):
            found[name] = module
    return found


class SpikingNetwork(nn.Module):
    """Alternating synapses (stateless layers) and neurons, and a linear readout at each step.

    Args:
        synapses: one stack of stateless modules (or a residual block) before each layer of neurons.
        neurons: the layers of neurons, as many as `synapses`, with or without feedback.
        readout: from the last spikes to class scores.
        timesteps: how often a static input is shown; None if the input comes as a sequence.

    Attributes:
        features: shape of one sample at one time step, where it is known; other inputs are then refused.
        dropout: of the outputs of each layer of neurons here; none unless its rate is set.
    """

    features: tuple[int, ...] | None = None

    def __init__(
        self,
        synapses: Iterable[nn.Module],
        neurons: Iterable[Neurons],
        readout: nn.Module,
        timesteps: int | None,
    ) -> None:
        super().__init__()
        self.synapses = nn.ModuleList(
            EachStep(*synapse) if type(synapse) is nn.Sequential else synapse for synapse in synapses
        )
        self.neurons = nn.ModuleList(neurons)
        self.readout = EachStep(nn.Flatten(), readout) if isinstance(readout, nn.Linear) else EachStep(readout)
        self.timesteps = timesteps
        self.dropout = Dropout()

    def exchange_neurons(self, make: Make) -> None:
        """Put other neurons in place of each layer; synapses, and what an optimiser knows of them, stay.

        Raises:
            InvalidValue: the old or the new neurons have trainable parameters, which an optimiser would lose.
        """
        for name, old in [*self.named_modules()]:
            if not isinstance(old, NeuronLayer):
                continue
            new = make(old.channels, old.neuron.timesteps)
            if list(old.parameters()) or list(new.parameters()):
                names = f"{old.neuron.name} and {new.neuron.name}"
                raise InvalidValue(f"{names}: only neurons without trainable parameters can be exchanged")
            self.set_submodule(name, new)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [T, N, classes] for a static input [N, *features] or a sequence [N, T, *features].

        A static input passes the first synapse once, and its current is repeated at each step.

        Raises:
            InvalidValue: kind or shape of the input do not fit the network.
        """
        current = self.first_current(x)
        for synapse, neuron in zip(self.synapses[1:], self.neurons, strict=False):
            current = synapse(self.dropout(neuron(current)))
        if len(self.neurons):
            current = self.neurons[-1](current)
        return self.readout(self.dropout(current))

    def first_current(self, x: Tensor) -> Tensor:
        """The input of the first neurons [T, N, …], of an input that is checked; see `forward`."""
        self._check_input(x)
        synapse = self.synapses[0] if len(self.synapses) else nn.Identity()
        if self.timesteps is None:
            return synapse(x.transpose(0, 1))
        current = synapse(x.unsqueeze(0))
        return current.expand(self.timesteps, *current.shape[1:])

    def _check_input(self, x: Tensor) -> None:
        """Networks take the batch first; layers of neurons, which take the time first, cannot tell the two apart."""
        own = next((parameter.dtype for parameter in self.parameters()), x.dtype)
        if not x.is_floating_point():
            raise InvalidValue(f"the network takes floating-point inputs, not {x.dtype}: use x.float()")
        if x.dtype != own and not torch.is_autocast_enabled(x.device.type):
            raise InvalidValue(f"the input is {x.dtype}, the network's weights {own}: use x.to({own})")
        if self.features is None:
            return
        features, shape = list(self.features), list(x.shape)
        wanted = f"[{', '.join(['N', *(['T'] if self.timesteps is None else []), *map(str, features)])}]"
        if (
            len(shape) != len(features) + (2 if self.timesteps is None else 1)
            or shape[len(shape) - len(features) :] != features
        ):
            raise InvalidValue(f"the network takes {wanted}, the batch first, not {shape}")
        steps = next((layer.neuron.timesteps for layer in self.modules() if isinstance(layer, NeuronLayer)), None)
        if self.timesteps is None and steps is not None and shape[1] != steps:
            way = "the batch goes first, x.transpose(0, 1)" if shape[0] == steps else "dimension 1 is the time"
            raise InvalidValue(f"the network takes {wanted} with T = {steps}, not {shape}: {way}")


@dataclass(frozen=True)
class Architecture:
    """A network by name, with the width that it has unless a setting changes it."""

    description: str
    build: Callable[[MakeNeuron, tuple[int, ...], int, int | None, int], SpikingNetwork]
    width: int
    images: bool = False

    def refusal(self, name: str, features: tuple[int, ...], data: str) -> str | None:
        """Why samples of shape `features` are no input of this network, or None."""
        if self.images and len(features) != 3:
            return f"{name} needs images [C, H, W], {data} has {features}; mlp takes any input"
        return None
