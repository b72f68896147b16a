"""What of a neuron does the work: its dynamics, its reset, or the gradient through one of its states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar

from torch import Tensor

import neurons
from neurons import InvalidValue, Neuron, NeuronLayer, UnknownName
from tasks.accuracy import Accuracy
from tasks.base import Cell, Value
from tasks.training.network_task import NETWORK_SETTINGS


@cache
def ablated(model: Any, cut: str | None, extra_reset: float, backward_of: Any | None) -> type[Neuron]:
    """The model with one thing changed; None and 0 leave it as it is.

    Args:
        model, backward_of: classes of neurons.
        cut: the state through which no gradient passes from a step to the next; what it does within a step stays.
        extra_reset: subtracted from u with each spike, beside the model's own reset.
        backward_of: that whose derivatives are taken, at this model's potentials. A state that it alone has goes
            on by its own step; one that it has not passes no gradient.

    Raises:
        UnknownName: no such state.
        InvalidValue: a reset without u, or a backward pass of or for learned parameters.
    """
    if cut is not None and cut not in model.states:
        raise UnknownName(f"state of {model.name}", cut, model.states)
    if extra_reset and "u" not in model.states:
        raise InvalidValue(f"{model.name} has no potential u that an extra reset could lower")
    if backward_of is not None and (model.learnables() or backward_of.learnables()):
        raise InvalidValue(f"{model.name} with the gradient of {backward_of.name}: neither may have learned parameters")
    foreign = tuple(name for name in backward_of.states if name not in model.states) if backward_of else ()

    def step(self: Neuron, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        before = dict(zip((*model.states, *foreign), states, strict=True))
        read = {name: state.detach() if name == cut else state for name, state in before.items()}
        output, *values = model.step(self, x, *(read[name] for name in model.states))
        after = dict(zip(model.states, values, strict=True))
        if extra_reset:
            after["u"] = after["u"] - output * extra_reset
        if backward_of is not None:
            theirs_output, *theirs = backward_of.step(self, x, *(read[name] for name in backward_of.states))
            gradients = dict(zip(backward_of.states, theirs, strict=True))
            output = _with_gradient(output, theirs_output)
            own = {name: _with_gradient(value, gradients.get(name)) for name, value in after.items()}
            after = own | {name: gradients[name] for name in foreign}
        return output, *(after[name] for name in (*model.states, *foreign))

    changes = [f"cut_{cut}"] * (cut is not None) + [f"reset_{extra_reset:g}"] * bool(extra_reset)
    changes += [f"backward_{backward_of.name}"] if backward_of else []
    name = "_".join([model.name, *changes])
    body = {"step": step, "states": (*model.states, *foreign), "name": name}
    return type(name, (model,), body)  # a name of its own: kernels are told apart by it


def _with_gradient(value: Tensor, source: Tensor | None) -> Tensor:
    """The value, with the gradient of another tensor, or none."""
    return value.detach() if source is None else value.detach() + (source - source.detach())


@dataclass(frozen=True)
class AblatedCell(Cell):
    """A cell whose layers are of its ablated neuron."""

    def neuron_layer(self, channels: int | None = None, timesteps: int | None = None) -> NeuronLayer:
        plain = super().neuron_layer(channels, timesteps)
        other = self.settings["backward_of"]
        model: Any = type(plain.neuron)
        source: Any = None if other is None else neurons.get(other)
        change = ablated(model, self.settings["cut"], float(self.settings["extra_reset"]), source)
        constants = {name: getattr(plain.neuron, name) for name in plain.neuron.constants()}
        made = NeuronLayer(change(timesteps, **constants), channels, plain.backend, plain.bptt_steps)
        made.load_state_dict(plain.state_dict())  # first values that the cell sets or its seed drew
        return made


class Ablation(Accuracy):
    """The accuracy task with a neuron of which one thing is changed."""

    name = "ablation"
    description = "accuracy with a state's gradient cut, a larger reset, or another neuron's backward pass"
    main = False
    settings: ClassVar[dict[str, Any]] = NETWORK_SETTINGS | {"cut": None, "extra_reset": 0.0, "backward_of": None}

    def run(self, cell: Cell) -> Iterator[Value]:
        yield from super().run(AblatedCell(**{field.name: getattr(cell, field.name) for field in fields(Cell)}))
