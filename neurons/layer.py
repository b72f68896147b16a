"""A layer of neurons over time: an `nn.Module` from input current [T, N, *features] to spikes of the same shape."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from neurons import registry
from neurons.backends import Runner, get_backend, runner_for
from neurons.errors import BackendUnavailable, InvalidValue, UnknownName
from neurons.model import Neuron
from neurons.stepping import LayerState, initial_state, step

PROTOCOLS = ("controlled", "published")


class NeuronLayer(nn.Module):
    """A layer of one neuron model, run by one backend. State starts at zero at each call and none is kept.

    Args:
        neuron: the model with its constants.
        channels: entries of input dimension 2; needed if a parameter is learned per channel.
        backend: how the step is run, see `neurons.backends`; "auto" is the fused backend of the input's device.
        bptt_steps: time steps that a gradient may go back, at least 1; None for all (see `neurons.truncation`).
    """

    def __init__(
        self, neuron: Neuron, channels: int | None = None, backend: str = "auto", bptt_steps: int | None = None
    ) -> None:
        super().__init__()
        if backend != "auto":
            get_backend(backend)
        if bptt_steps is not None and bptt_steps < 1:
            raise InvalidValue(f"bptt_steps must be at least 1 (the step itself), not {bptt_steps}")
        self._runners: dict[str, Runner] = {}
        self.neuron = neuron
        self.channels = channels
        self.backend = backend
        self.bptt_steps = bptt_steps
        for name, value in neuron.initial_parameters(channels).items():
            self.register_parameter(name, nn.Parameter(value))
        self._prepare_early()

    def forward(self, x: Tensor) -> Tensor:
        """Spikes [T, N, *features] (dtype of `x`) for the input current `x` of that shape.

        Raises:
            BackendUnavailable: the backend cannot run this model on this device; nothing falls back silently.
            InvalidValue: the shape does not fit the layer.
        """
        self._check_shape(x)
        runner = self._runners.get(x.device.type)
        if runner is None:
            runner = self._runners[x.device.type] = runner_for(self.backend, self.neuron, x.device, self.bptt_steps)
        return runner(dict(self.named_parameters()), x)

    def initial_state(self, x: Tensor) -> LayerState:
        """The zero state for inputs of one step like `x` [N, *features], see `neurons.stepping`."""
        return initial_state(self, x)

    def step(self, x: Tensor, state: LayerState) -> tuple[Tensor, LayerState]:
        """Output and next state of one time step, for the input current x [N, *features]."""
        return step(self, x, state)

    def _prepare_early(self) -> None:
        """Trace before the first input, so that `torch.compile` of a network meets a layer that is ready."""
        for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
            try:
                self._runners[device] = runner_for(self.backend, self.neuron, torch.device(device), self.bptt_steps)
            except BackendUnavailable:
                continue  # raised again at the first input of that device

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: without what can be prepared again."""
        return {**self.__dict__, "_runners": {}}

    def _check_shape(self, x: Tensor) -> None:
        if x.ndim < 2 or (self.channels is not None and x.ndim < 3):
            raise InvalidValue(f"input must be [T, N, *features] with the time first, not {list(x.shape)}")
        if self.channels is not None and x.shape[2] != self.channels:
            raise InvalidValue(f"input has {x.shape[2]} channels in dimension 2, the layer {self.channels}")
        steps = self.neuron.timesteps
        per_step = any(declared.per == "step_channel" for declared in self.neuron.learnables().values())
        if per_step and x.shape[0] != steps:
            raise InvalidValue(f"input has {x.shape[0]} time steps, the parameters of {self.neuron.name} {steps}")

    def extra_repr(self) -> str:
        return f"{self.neuron.name}, channels={self.channels}, backend={self.backend}"


def layer(
    name: str,
    channels: int | None = None,
    timesteps: int | None = None,
    backend: str = "auto",
    protocol: str = "controlled",
    bptt_steps: int | None = None,
    **parameters: Any,
) -> NeuronLayer:
    """Make a layer of the neuron registered as `name`.

    Args:
        name: see `neurons.names()`.
        channels: entries of input dimension 2, for parameters learned per channel.
        timesteps: length of the input, for parameters learned per step.
        backend: one of `neurons.backends.names()`, or "auto".
        protocol: "controlled" (all models alike) or "published" (each model as in its own paper).
        bptt_steps: time steps that a gradient may go back; None for all.
        **parameters: constants of the model (`tau=1.5`) or first values of its learnable parameters.
    """
    if protocol not in PROTOCOLS:
        raise UnknownName("protocol", protocol, PROTOCOLS)
    cls = registry.get(name)
    constants = dict(cls.published) if protocol == "published" else {}
    return NeuronLayer(cls(timesteps, **(constants | parameters)), channels, backend, bptt_steps)
