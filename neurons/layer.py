"""A layer of neurons over time: an `nn.Module` from input current [T, N, *features] to spikes of the same shape."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from neurons import registry
from neurons.backends import Runner, Stepper, get_backend, runner_for, stepper_for
from neurons.checks import whole_number
from neurons.errors import BackendUnavailable, InvalidValue, UnknownName
from neurons.model import Neuron
from neurons.portable import Portable
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
        self._runners: dict[str, Runner] = {}
        self._steppers: dict[str, Stepper] = {}
        self.neuron = neuron
        self.channels = whole_number("channels", channels)
        self._backend = _known(backend)
        self._bptt_steps = whole_number("bptt_steps", bptt_steps)
        initial = neuron.initial_parameters(self.channels)
        for name, value in initial.items():
            self.register_parameter(name, nn.Parameter(value))
        self._parameter_names = tuple(initial)
        self._prepare_early()

    @property
    def backend(self) -> str:
        return self._backend

    @backend.setter
    def backend(self, name: str) -> None:
        self._backend = _known(name)
        self._prepare_early()

    @property
    def bptt_steps(self) -> int | None:
        return self._bptt_steps

    @bptt_steps.setter
    def bptt_steps(self, steps: int | None) -> None:
        self._bptt_steps = whole_number("bptt_steps", steps)
        self._prepare_early()

    def forward(self, x: Tensor) -> Tensor:
        """Spikes [T, N, *features] (dtype of `x`) for the input current `x` of that shape.

        Raises:
            BackendUnavailable: the backend cannot run this model on this device; nothing falls back silently.
            InvalidValue: kind, shape or device of the input do not fit the layer.
        """
        self._check_input(x)
        if not torch.compiler.is_compiling() and self._made_for != self.neuron.version():
            self._prepare_early()
        runner = self._runners.get(x.device.type)
        if runner is None:
            runner = self._runners[x.device.type] = runner_for(self._backend, self.neuron, x.device, self._bptt_steps)
        return runner(self.parameters_on(x), x)

    def initial_state(self, x: Tensor) -> LayerState:
        """The zero state for inputs of one step like `x` [N, *features], see `neurons.stepping`.

        Raises:
            BackendUnavailable: the model is no step over time, or the backend has no single step.
        """
        return initial_state(self.neuron, self._stepper(x), x)

    def step(self, x: Tensor, state: LayerState) -> tuple[Tensor, LayerState]:
        """Output and next state of one time step, for the input current x [N, *features].

        Raises:
            BackendUnavailable: as `initial_state`; or the layer's `bptt_steps` is neither None nor 1.
            InvalidValue: the state does not fit, or the model has parameters for fewer time steps than were made.
        """
        return step(self.neuron, self._stepper(x), self.parameters_on(x), x, state, self._bptt_steps)

    @torch.no_grad()
    def project(self) -> None:
        """Put parameters that have bounds within them, as after a step of an optimiser (see `neurons.Learnable`)."""
        for name, declared in self.neuron.bounded().items():
            getattr(self, name).clamp_(declared.low, declared.high)

    def _stepper(self, x: Tensor) -> Stepper:
        """What runs one time step for inputs like x, see `neurons.backends.stepper_for`."""
        if self._made_for != self.neuron.version():
            self._prepare_early()
        found = self._steppers.get(x.device.type)
        if found is None:
            found = self._steppers[x.device.type] = stepper_for(self._backend, self.neuron, x.device)
        return found

    def parameters_on(self, x: Tensor) -> Mapping[str, Tensor]:
        """The declared parameters by name, whoever holds them: a replica, a parametrization, pruning, a buffer."""
        found, device = {name: getattr(self, name) for name in self._parameter_names}, x.device
        for name, value in found.items():
            if value is None or value.device != device:
                place = "missing" if value is None else f"on {value.device}"
                raise InvalidValue(f"the input is on {device}, the layer's {name} {place}: layer.to('{device}')")
        return found

    def _prepare_early(self) -> None:
        """Trace before the first input, so that `torch.compile` of a network meets a layer that is ready."""
        self._runners, self._steppers = {}, {}
        self._made_for: Hashable = self.neuron.version()
        self.neuron.listen(self._prepare_early)
        for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
            try:
                self._runners[device] = runner_for(self._backend, self.neuron, torch.device(device), self._bptt_steps)
            except BackendUnavailable:
                continue  # raised again at the first input of that device

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: without what can be prepared again."""
        return {**self.__dict__, "_runners": {}, "_steppers": {}, "_made_for": None, "neuron": Portable(self.neuron)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "neuron": state["neuron"].neuron})
        self._prepare_early()

    def _check_input(self, x: Tensor) -> None:
        if not isinstance(x, Tensor):
            raise InvalidValue(f"the input must be a tensor [T, N, *features], not {type(x).__name__}")
        if not x.is_floating_point():
            way = "x.dequantize()" if x.is_quantized else "x.float()"
            raise InvalidValue(f"the input must hold floating-point currents, not {x.dtype}: use {way}")
        if x.layout != torch.strided:
            raise InvalidValue(f"the input must be dense, not {x.layout}: use x.to_dense()")
        self._check_shape(x.shape)

    def _check_shape(self, shape: torch.Size) -> None:
        channels, steps = self.channels, self.neuron.timesteps
        if len(shape) < 2 or (channels is not None and len(shape) < 3):
            raise InvalidValue(f"input must be [T, N, *features] with the time first, not {list(shape)}")
        if shape[0] == 0:
            raise InvalidValue(f"input {list(shape)} has no time step: dimension 0 is the time, [T, N, *features]")
        if steps is not None and shape[0] != steps:
            way = "a layer made without timesteps takes any"
            if shape[1] == steps:
                way = "the time goes into dimension 0, the batch into 1: x.transpose(0, 1)"
            raise InvalidValue(f"input has {shape[0]} time steps in dimension 0, the layer {steps}: {way}")
        if channels is not None and shape[2] != channels:
            way = "the layer takes [T, N, C, *features]"
            if shape[-1] == channels:
                way = "the channels go into dimension 2: x.movedim(-1, 2)"
            raise InvalidValue(f"input has {shape[2]} channels in dimension 2, the layer {channels}: {way}")

    def extra_repr(self) -> str:
        return f"{self.neuron.name}, channels={self.channels}, backend={self._backend}"


registry.reserve([*dir(NeuronLayer), *vars(nn.Module()), "neuron", "channels", "backend", "bptt_steps"])


def _known(backend: str) -> str:
    return backend if backend == "auto" else get_backend(backend).name


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
        timesteps: length of the input, for parameters learned per step; other lengths are then refused.
        backend: one of `neurons.backends.names()`, or "auto".
        protocol: "controlled" (all models alike) or "published" (each model as in its own paper).
        bptt_steps: time steps that a gradient may go back; None for all.
        **parameters: constants of the model (`tau=1.5`) or first values of its learnable parameters.

    Raises:
        UnknownName, InvalidValue: one line that says what is wrong.
    """
    if protocol not in PROTOCOLS:
        raise UnknownName("protocol", protocol, PROTOCOLS)
    cls = registry.get(name)
    constants = dict(cls.published) if protocol == "published" else {}
    return NeuronLayer(cls(timesteps, **(constants | parameters)), channels, backend, bptt_steps)
