"""Trainable parameters of a neuron: where they start, how fine they are, and what bounds they keep."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from neurons.errors import InvalidValue

Granularity = Literal["layer", "channel", "step_channel"]


class Draw(ABC):
    """First values that are drawn, from torch's global generator."""

    @abstractmethod
    def __call__(self, shape: tuple[int, ...], drawn: Mapping[str, Tensor]) -> Tensor:
        """Values of that shape; `drawn` holds those of the parameters declared before."""


@dataclass(frozen=True)
class Uniform(Draw):
    """Uniform between `low` and `high`."""

    low: float
    high: float

    def __call__(self, shape: tuple[int, ...], drawn: Mapping[str, Tensor]) -> Tensor:
        return self.low + (self.high - self.low) * torch.rand(shape)


@dataclass(frozen=True)
class Normal(Draw):
    """Normal of that mean and standard deviation."""

    mean: float
    deviation: float

    def __call__(self, shape: tuple[int, ...], drawn: Mapping[str, Tensor]) -> Tensor:
        return self.mean + self.deviation * torch.randn(shape)


@dataclass(frozen=True)
class LogUniform(Draw):
    """Between `low` and `high`, both above 0, with a uniform logarithm."""

    low: float
    high: float

    def __call__(self, shape: tuple[int, ...], drawn: Mapping[str, Tensor]) -> Tensor:
        return Uniform(math.log(self.low), math.log(self.high))(shape, drawn).exp()


@dataclass(frozen=True)
class Following(Draw):
    """A function of the values that another parameter, declared before, was given."""

    name: str
    function: Callable[[Tensor], Tensor]

    def __call__(self, shape: tuple[int, ...], drawn: Mapping[str, Tensor]) -> Tensor:
        if self.name not in drawn:
            raise InvalidValue(f"a parameter follows '{self.name}', which is not declared before it")
        return self.function(drawn[self.name]).expand(shape).clone()


First = float | Draw | Tensor
"""What gives first values: a number, a draw, or the values themselves."""


@dataclass(frozen=True)
class Learnable:
    """A trainable parameter of a neuron, declared as a class attribute.

    Args:
        initial: its first value; a draw (`Uniform`, `Normal`, `LogUniform`, `Following`); the values as a tensor; or a
            function of the neuron that gives one of these, so that it can follow `tau`, `v_th`, `timesteps`.
        per: "layer" (a scalar), "channel" (one value for each entry of input dimension 2, which is each neuron of a
            linear layer) or "step_channel" (one for each time step and channel).
        spread: half-width of a uniform draw around a first value that is a number; 0 starts every entry alike.
        low, high: bounds. The step sees the nearest value within them; `NeuronLayer.project` puts the parameter there.
        shape: for models without a step: the stored shape from the neuron and the channels, in place of `per`; the
            model gets it as it is stored.
    """

    initial: First | Callable[[Any], First]
    per: Granularity = "layer"
    spread: float = 0.0
    low: float = -math.inf
    high: float = math.inf
    shape: Callable[[Any, int], tuple[int, ...]] | None = None

    if TYPE_CHECKING:

        def __get__(self, instance: object, owner: type) -> Tensor: ...  # inside `step` it is the bound tensor

    @property
    def bounded(self) -> bool:
        return self.low > -math.inf or self.high < math.inf

    def within(self, value: Tensor) -> Tensor:
        """The nearest value within the bounds; the gradient passes at the bounds too, where torch's clamp has none."""
        if self.low > -math.inf:
            value = torch.where(value < self.low, self.low, value)
        if self.high < math.inf:
            value = torch.where(value > self.high, self.high, value)
        return value

    def stored_shape(self, neuron: Any, channels: int | None) -> tuple[int, ...]:
        """The stored shape: (), (channels,), (timesteps, channels), or the model's own."""
        if self.shape is not None:
            shape = self.shape(neuron, channels or 1)
            if None in shape:
                raise InvalidValue(f"{neuron.name} needs the number of steps: layer(..., timesteps=8)")
            return shape
        if self.per == "layer":
            return ()
        if channels is None:
            raise InvalidValue(f"a parameter per {self.per} needs the number of channels: layer(..., channels=64)")
        if self.per == "channel":
            return (channels,)
        if neuron.timesteps is None:
            raise InvalidValue("a parameter per step_channel needs the number of steps: layer(..., timesteps=8)")
        return (neuron.timesteps, channels)

    def values(self, initial: First, shape: tuple[int, ...], drawn: Mapping[str, Tensor]) -> Tensor:
        """First values of that shape, float32, from what `initial` gave."""
        if isinstance(initial, Draw):
            return initial(shape, drawn)
        if isinstance(initial, Tensor):
            return initial.expand(shape).float().clone()
        value = torch.full(shape, float(initial))
        if self.spread:
            value += (2 * torch.rand(shape) - 1) * self.spread
        return value


def broadcastable(parameter: Tensor, x: Tensor, per_step: bool) -> Tensor:
    """Shape [C] or [T, C] so that its channels line up with dimension 1 of one step of `x` [N, C, *spatial].

    A scalar gets the dimensions of a step too: torch lets a number without dimensions follow the dtype of the tensors
    that it meets, so float32 of a truth value times a number would make a float64 parameter float32.
    """
    if parameter.ndim == 0:
        return parameter.to(x.dtype).reshape([1] * (x.ndim - 1))
    lead = parameter.shape[:1] if per_step else ()
    return parameter.to(x.dtype).reshape(*lead, parameter.shape[-1], *[1] * (x.ndim - 3))
