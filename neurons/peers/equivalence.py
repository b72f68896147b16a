"""Does an implementation compute what the suite's model says, and if not, where does it depart?

Both run in float64 over random drives, where rounding decides about a spike once in 10¹² at most. Spikes, the membrane
potential after each step (where a package shows it), and the gradients of input and parameters are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from neurons.layer import NeuronLayer
from neurons.peers.peer import Peer, Trace
from neurons.reference import steps

Relation = Literal["same", "same within rounding", "different model"]

TIMESTEPS, SAMPLES, CHANNELS = 64, 128, 8
DRIVE_MEAN, DRIVE_DEVIATION = 0.7, 0.6
TOLERANCE = 1e-10
"""Of potentials and gradients, relative to 1 plus the largest value: a thousand roundings of float64."""


class NotEquivalent(Exception):
    """A package's neuron does not compute the model that its card says it computes."""


@dataclass(frozen=True)
class Equivalence:
    """How an implementation compares with the suite's model.

    Attributes:
        neurons: how many were compared, over `TIMESTEPS` steps.
        different_spikes: spikes that differ.
        step, neuron: the first step at which anything departs, and the first neuron that does; None if nothing does.
        potential_error: largest difference of the potentials after each step, relative to 1 plus the largest; None if
            they are hidden or spikes differ.
        gradient_error: largest error of a gradient, relative likewise; None if spikes differ.
        exact: everything is equal to the last bit.
    """

    neurons: int
    different_spikes: int
    step: int | None
    neuron: int | None
    potential_error: float | None
    gradient_error: float | None
    exact: bool

    @property
    def relation(self) -> Relation:
        if self.exact:
            return "same"
        return "same within rounding" if self.step is None else "different model"


@dataclass(frozen=True)
class _Run:
    spikes: Tensor
    potentials: Tensor | None
    gradients: list[Tensor]


def compare(layer: NeuronLayer, seed: int = 0) -> Equivalence:
    """Compare a layer of `CHANNELS` channels with the float64 reference of its model.

    A layer of a peer is compared with the model that the peer is held against.
    """
    peer = layer.neuron if isinstance(layer.neuron, Peer) else None
    model = peer.like if peer else layer.neuron
    generator = torch.Generator().manual_seed(seed)
    shape = (TIMESTEPS, SAMPLES, CHANNELS)
    x = DRIVE_MEAN + DRIVE_DEVIATION * torch.randn(shape, generator=generator, dtype=torch.float64)
    if model.decay_input:
        x = x * model.tau  # so that neurons whose input leaks fire as often as the others
    gradient = torch.randn(shape, generator=generator, dtype=torch.float64)
    torch.manual_seed(seed)
    theirs_values = {name: value.detach() for name, value in layer.named_parameters()}
    values = model.initial_parameters(CHANNELS) if peer and peer.departs else theirs_values

    def reference(x: Tensor, parameters: Mapping[str, Tensor]) -> Trace:
        outputs, states = zip(*steps(model, parameters, x), strict=True)
        return torch.stack(outputs), torch.stack([state[0] for state in states]) if model.states else None

    def theirs(x: Tensor, parameters: Mapping[str, Tensor]) -> Trace:
        if peer and layer.backend in ("auto", peer.package):
            return peer.trace(x, parameters)
        return torch.func.functional_call(layer, dict(parameters), (x,)), None

    return _judge(_run(reference, values, x, gradient), _run(theirs, theirs_values, x, gradient))


def gate(layer: NeuronLayer) -> None:
    """Refuse a layer of a peer that is said to compute the suite's model and does not, before it is timed.

    Raises:
        NotEquivalent: one line that says where it departs.
    """
    peer = layer.neuron
    if not isinstance(peer, Peer) or peer.departs:
        return
    found = compare(layer)
    if found.relation == "different model":
        raise NotEquivalent(f"{peer.name} departs from {peer.model} at step {found.step}, neuron {found.neuron}")


def _run(
    trace: Callable[[Tensor, Mapping[str, Tensor]], Trace], values: Mapping[str, Tensor], x: Tensor, gradient: Tensor
) -> _Run:
    x = x.clone().requires_grad_()
    parameters = {name: value.double().requires_grad_() for name, value in values.items()}
    spikes, potentials = trace(x, parameters)
    gradients = torch.autograd.grad(spikes, (x, *parameters.values()), gradient, materialize_grads=True)
    return _Run(spikes.detach(), None if potentials is None else potentials.detach(), list(gradients))


def _judge(ours: _Run, theirs: _Run) -> Equivalence:
    neurons = ours.spikes[0].numel()
    wrong = ours.spikes != theirs.spikes
    if wrong.any():
        return Equivalence(neurons, int(wrong.sum()), *_first(wrong), None, None, exact=False)
    pairs = list(zip(ours.gradients, theirs.gradients, strict=True))
    gradient_error = max(_error(exact, value) for exact, value in pairs)
    over_time = pairs[:1]  # the input's gradient; those of parameters belong to no step
    potential_error = None
    if ours.potentials is not None and theirs.potentials is not None:
        over_time.append((ours.potentials, theirs.potentials))
        potential_error = _error(*over_time[-1])
    exact = gradient_error == 0 and not potential_error
    apart = torch.stack([_apart(*pair) for pair in over_time]).any(0)
    where: tuple[int | None, int | None] = (None, None)
    if apart.any():
        where = _first(apart)
    elif gradient_error > TOLERANCE:
        where = (0, 0)
    return Equivalence(neurons, 0, *where, potential_error, gradient_error, exact)


def _apart(exact: Tensor, value: Tensor) -> Tensor:
    return (exact - value).abs() > TOLERANCE * (1 + exact.abs().max())


def _first(apart: Tensor) -> tuple[int, int]:
    """The first step at which anything is apart, and the first neuron of that step."""
    step = int(apart.flatten(1).any(1).nonzero()[0])
    return step, int(apart[step].flatten().nonzero()[0])


def _error(exact: Tensor, value: Tensor) -> float:
    return float((exact - value).abs().max() / (1 + exact.abs().max())) if exact.numel() else 0.0
