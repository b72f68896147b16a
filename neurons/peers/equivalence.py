"""Does an implementation compute what the suite's model says, and if not, where does it depart?

Both run in float64 over several drives. Under noise rounding decides about a spike once in 10¹² at most; other drives
are made of what noise never meets: potentials exactly at the threshold, long silence, large inputs. Spikes, the
membrane potential after each step (where a package shows it), and the gradients of input and parameters are compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from neurons.errors import BackendUnavailable
from neurons.layer import NeuronLayer
from neurons.model import Neuron
from neurons.peers.peer import Peer, Trace
from neurons.reference import steps

Relation = Literal["same", "same within rounding", "different model"]

TIMESTEPS, SAMPLES, CHANNELS = 64, 128, 8
FEW_SAMPLES = 32
DRIVE_MEAN, DRIVE_DEVIATION = 0.7, 0.6
"""Input current that keeps a LIF neuron of the controlled protocol firing at a usual rate."""
DRIVES = ("noise", "grid", "silence", "large")
"""In the order in which they are judged: noise; quarters, whose potentials meet a threshold of 1 exactly; noise that
pauses for half of the time; noise of thousands of thresholds."""
TOLERANCE = 1e-10
"""Of potentials and gradients, relative to 1 plus the largest value of their drive: a thousand roundings of float64."""


class NotEquivalent(Exception):
    """A package's neuron does not compute the model that its card says it computes."""


@dataclass(frozen=True)
class Equivalence:
    """How an implementation compares with the suite's model.

    Attributes:
        neurons: how many were compared, over `TIMESTEPS` steps.
        different_spikes: spikes that differ, over all drives.
        drive: the first of `DRIVES` under which anything departs; None if nothing does.
        step, neuron: the first step of that drive at which anything departs, and the first neuron that does.
        potential_error: largest difference of the potentials after each step, relative to 1 plus the largest; None if
            they are hidden or spikes differ.
        gradient_error: largest error of a gradient, relative likewise; None if spikes differ.
        exact: everything is equal to the last bit.
    """

    neurons: int
    different_spikes: int
    drive: str | None
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


def compare(layer: NeuronLayer, seed: int = 0, device: torch.device | str = "cpu") -> Equivalence:
    """Compare a layer of `CHANNELS` channels, on its device, with the float64 reference of its model there.

    A layer of a peer is compared with the model that the peer is held against, by what its package computes.

    Raises:
        BackendUnavailable: the package's neuron does not take the layer's constants.
    """
    peer = layer.neuron if isinstance(layer.neuron, Peer) else None
    model = peer.like if peer else layer.neuron
    if peer and (reason := peer.unlike(model)):
        raise BackendUnavailable(reason)
    x = torch.cat(list(drives(model, seed).values()), 1)
    gradient = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x, gradient = x.to(device), gradient.to(device)
    torch.manual_seed(seed)
    theirs_values = {name: value.detach() for name, value in layer.named_parameters()}
    own_values = {name: value.to(device) for name, value in model.initial_parameters(CHANNELS).items()}
    values = own_values if peer and peer.departs else theirs_values

    def reference(x: Tensor, parameters: Mapping[str, Tensor]) -> Trace:
        if not model.runs_over_time():
            return model.run(parameters, x), None
        outputs, states = zip(*steps(model, parameters, x), strict=True)
        return torch.stack(outputs), torch.stack([state[0] for state in states]) if model.states else None

    def theirs(x: Tensor, parameters: Mapping[str, Tensor]) -> Trace:
        if peer:
            return peer.checked_trace(x, parameters)
        return torch.func.functional_call(layer, dict(parameters), (x,)), None

    return _judge(_run(reference, values, x, gradient), _run(theirs, theirs_values, x, gradient))


def drives(model: Neuron, seed: int) -> dict[str, Tensor]:
    """Input currents [T, N, `CHANNELS`] by name, which make `model` fire."""
    generator = torch.Generator().manual_seed(seed)

    def noise(samples: int) -> Tensor:
        shape = (TIMESTEPS, samples, CHANNELS)
        return DRIVE_MEAN + DRIVE_DEVIATION * torch.randn(shape, generator=generator, dtype=torch.float64)

    found = {"noise": noise(SAMPLES)}
    grid = torch.randint(-4, 13, (TIMESTEPS, FEW_SAMPLES, CHANNELS), generator=generator).double() / 4
    pause = torch.ones(TIMESTEPS, 1, 1, dtype=torch.float64)
    pause[TIMESTEPS // 4 : 3 * TIMESTEPS // 4] = 0
    found |= {"grid": grid, "silence": noise(FEW_SAMPLES) * pause, "large": 1e4 * noise(FEW_SAMPLES)}
    leak = model.input_scale  # so that neurons whose input leaks fire as often as the others
    # A power of two keeps the grid exact; where the constants are none, no potential meets the threshold by rounding.
    exact = 2.0 ** round(math.log2(leak * abs(model.v_th or 1.0)))
    return {name: x * (exact if name == "grid" else leak) for name, x in found.items()}


def gate(layer: NeuronLayer, device: torch.device | str = "cpu") -> None:
    """Refuse a layer of a peer that is said to compute the suite's model and does not, before it is timed.

    Raises:
        NotEquivalent: one line that says where it departs.
    """
    if isinstance(layer.neuron, Peer) and not layer.neuron.departs:
        refuse(layer.neuron, compare(layer, device=device))


def refuse(peer: Neuron, found: Equivalence) -> None:
    """Refuse a peer that is said to compute the suite's model, where a comparison found that it does not.

    Raises:
        NotEquivalent: one line that says where it departs.
    """
    if isinstance(peer, Peer) and not peer.departs and found.relation == "different model":
        where = f"under the drive {found.drive}, step {found.step}, neuron {found.neuron}"
        raise NotEquivalent(f"{peer.name} departs from {peer.model} {where}")


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
    input_gradient, *of_parameters = zip(ours.gradients, theirs.gradients, strict=True)
    parameter_error = max((_error(*pair) for pair in of_parameters), default=0.0)
    gradient_error, apart = _over_time(*input_gradient)
    potential_error = None
    if ours.potentials is not None and theirs.potentials is not None:
        potential_error, apart_too = _over_time(ours.potentials, theirs.potentials)
        apart = apart | apart_too
    where: tuple[str | None, int | None, int | None] = (None, None, None)
    if apart.any():
        where = _first(apart)
    elif parameter_error > TOLERANCE:
        where = (DRIVES[0], 0, 0)  # a parameter's gradient belongs to no step
    gradient_error = max(gradient_error, parameter_error)
    exact = gradient_error == 0 and not potential_error
    return Equivalence(neurons, 0, *where, potential_error, gradient_error, exact)


def _places() -> dict[str, slice]:
    """Where the samples of each drive lie in dimension 1."""
    starts = [0, *(SAMPLES + FEW_SAMPLES * index for index in range(len(DRIVES)))]
    return {drive: slice(*bounds) for drive, bounds in zip(DRIVES, pairwise(starts), strict=True)}


def _over_time(exact: Tensor, value: Tensor) -> tuple[float, Tensor]:
    """The largest error of [T, N, C], relative to what is largest under its drive, and where it is above rounding."""
    pairs = [(exact[:, own], value[:, own]) for own in _places().values()]
    errors = [_difference(one, other) / (1 + one[one.isfinite()].abs().max()) for one, other in pairs]
    joined = torch.cat(errors, 1)
    return float(joined.max()), ~(joined <= TOLERANCE)


def _difference(one: Tensor, other: Tensor) -> Tensor:
    """|one − other|; none where neither is finite, as where a potential that squares itself has run away."""
    return torch.where(one.isfinite() | other.isfinite(), (one - other).abs(), 0.0)


def _first(apart: Tensor) -> tuple[str, int, int]:
    """The first drive under which anything is apart, its first step, and the first neuron of that step."""
    for drive, own in _places().items():
        part = apart[:, own].flatten(1)
        if part.any():
            step = int(part.any(1).nonzero()[0])
            return drive, step, int(part[step].nonzero()[0])
    raise ValueError("nothing is apart")


def _error(exact: Tensor, value: Tensor) -> float:
    return float((exact - value).abs().max() / (1 + exact.abs().max())) if exact.numel() else 0.0
