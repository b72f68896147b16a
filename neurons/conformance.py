"""Does a backend compute what the step says? Compared with the reference in float64.

Spikes must be equal except where the potential is within rounding of the threshold. There a backend may decide
otherwise, and from then on that neuron follows another, equally right path: such neurons are counted and left out of
the comparison of gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from neurons.layer import NeuronLayer
from neurons.peers import equivalence
from neurons.peers.peer import Peer, refuse_apart
from neurons.reference import step_loop
from neurons.truncation import reference_loop

ROUNDING = {torch.float64: 1e-12, torch.float32: 2e-6, torch.bfloat16: 2e-6, torch.float16: 2e-6}
"""Distance to a jump (a threshold, an edge of the surrogate), relative to 1 + itself, within which rounding may decide;
by dtype of the input, whose states are float32 for 16 bits. The decay keeps gathered errors at a few units in the last
place (1.2e-7), the exponentials of a step add two."""
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4, torch.bfloat16: 2e-2, torch.float16: 5e-3}
"""Of a gradient, relative to the largest entry of its tensor; for 16-bit inputs the rounding of the result itself."""


class NotConformant(Exception):
    """A backend does not compute what the step of a neuron says."""


@dataclass(frozen=True)
class Agreement:
    """How a backend compares with the reference.

    Attributes:
        neurons: how many were compared.
        undecided: neurons that came within rounding of a jump; no loss is put on their outputs.
        different: outputs of the other neurons that differ.
        gradient_error: largest error of an input gradient, relative to the largest entry.
        parameter_errors: the same for each parameter.
        finite: whether all outputs and gradients are finite.
    """

    neurons: int
    undecided: int
    different: int
    gradient_error: float
    parameter_errors: dict[str, float]
    finite: bool
    tolerance: float

    @property
    def fault(self) -> str | None:
        """What disagrees, in words; None if nothing does."""
        if not self.finite:
            return "NaN or Inf where the reference is finite, or the reference itself is not finite"
        if self.different:
            return f"{self.different} outputs differ from the reference"
        if not self.gradient_error <= self.tolerance:
            return f"the input gradient is off by {self.gradient_error:.1e} of its largest entry"
        for name, error in self.parameter_errors.items():
            if not error <= self.tolerance:
                return f"the gradient of {name} is off by {error:.1e} of its largest entry"
        return None


def compare(layer: NeuronLayer, x: Tensor, gradient: Tensor) -> Agreement:
    """Run `layer` on x [T, N, *features] and compare outputs and gradients with the float64 reference.

    `gradient` is the gradient of the output. The layer's parameters keep no gradient.
    """
    undecided = _near_jumps(layer, x)
    gradient = gradient.masked_fill(undecided, 0)  # so that these neurons add nothing to gradients of parameters
    output, grad_x, grads = _gradients(layer, dict(layer.named_parameters()), x, gradient)
    exact_parameters = {name: value.detach().double().requires_grad_() for name, value in layer.named_parameters()}
    exact_layer = partial(_reference(layer), exact_parameters)
    exact, exact_x, exact_grads = _gradients(exact_layer, exact_parameters, x.double(), gradient.double())
    if layer.neuron.spiking and layer.neuron.bits == 1:
        wrong = output != exact.to(x.dtype)
    else:
        wrong = (output.double() - exact).abs() > TOLERANCE[x.dtype] * exact.abs().clamp(min=1)
    # Rounding of a sum over many neurons follows its terms, of order 1 here, also where they cancel.
    floor = 1e-3 * x.numel() ** 0.5
    errors = {name: _error(value, exact_grads[name], floor) for name, value in grads.items()}
    results = (output, grad_x, exact, exact_x, *grads.values())
    return Agreement(
        neurons=undecided.numel(),
        undecided=int(undecided.sum()),
        different=int((wrong & ~undecided).sum()),
        gradient_error=_error(grad_x, exact_x, 0.0),
        parameter_errors=errors,
        finite=all(bool(torch.isfinite(value).all()) for value in results),
        tolerance=TOLERANCE[x.dtype],
    )


def _reference(layer: NeuronLayer) -> Callable[..., Tensor]:
    if layer.neuron.runs_over_time():
        return reference_loop(layer.neuron, layer.bptt_steps)
    return layer.neuron.run


def _error(value: Tensor, exact: Tensor, floor: float) -> float:
    if not value.numel():
        return 0.0
    size = max(float(exact.abs().max()), floor) or 1.0
    return float((value.double() - exact).abs().max()) / size


def _gradients(
    run: Callable[[Tensor], Tensor], parameters: Mapping[str, Tensor], x: Tensor, gradient: Tensor
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Output of `run`, gradient of x and of the parameters."""
    x = x.detach().requires_grad_()
    output = run(x)
    values = (x, *parameters.values())
    if not output.requires_grad:
        return output, torch.zeros_like(x), {name: torch.zeros_like(value) for name, value in parameters.items()}
    grad_x, *grads = torch.autograd.grad(output, values, gradient, materialize_grads=True)
    return output.detach(), grad_x, dict(zip(parameters, grads, strict=True))


class _Watch:
    """Runs a step with an eye on its jumps: how far every spike and every level is from the nearest one.

    Attributes:
        jumps: |distance| to each jump and the size of the value, in the order in which they are met.
    """

    def __init__(self, layer: NeuronLayer) -> None:
        self.neuron = layer.neuron.bind({})
        self.spike, self.levels = self.neuron.spike, self.neuron.levels
        width = self.neuron.surrogate_width
        self.edges = [0.0, *{"rectangle": [width / 2], "triangle": [width]}.get(self.neuron.surrogate, [])]
        self.jumps: list[tuple[Tensor, Tensor]] = []
        vars(self.neuron).update(spike=self._watched_spike, levels=self._watched_levels)

    def run(self, layer: NeuronLayer, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """The jumps that the reference meets in the dtype of x."""
        self.jumps = []
        step_loop(self.neuron, {name: value.to(x.dtype) for name, value in layer.named_parameters()}, x)
        return self.jumps

    def _watched_spike(self, distance: Tensor) -> Tensor:
        self.jumps += [(distance.abs() - edge, distance.abs()) for edge in self.edges]
        return self.spike(distance)

    def _watched_levels(self, value: Tensor, low: float, high: float) -> Tensor:
        places = value - low, value - high, value - value.floor() - 0.5
        for place in places:  # halfway and at a bound exactly, every backend decides alike: there is nothing to round
            self.jumps.append((place.masked_fill(place == 0, float("inf")), value.abs()))
        return self.levels(value, low, high)


@torch.no_grad()
def _near_jumps(layer: NeuronLayer, x: Tensor) -> Tensor:
    """Which neurons [N, *features] come within rounding of a jump of the spike or of its surrogate, at any step.

    Rounding is that of one step, or four times what the step itself gathers in float32 where that is more: in neurons
    that forget slowly, or that oscillate.
    """
    near = torch.zeros(x.shape[1:], dtype=torch.bool, device=x.device)
    if not layer.neuron.runs_over_time():
        return near
    watch, margin = _Watch(layer), ROUNDING[x.dtype]
    exact = watch.run(layer, x.double())
    rounded = exact if x.dtype == torch.float64 else watch.run(layer, x.float())
    for (gap, size), (other, _) in zip(exact, rounded, strict=True):
        gathered = 4 * (gap - other).abs()
        near.logical_or_(gap.abs() < torch.maximum(margin * (1 + size), gathered))
    return near


def gate(make: Callable[[int, int], NeuronLayer], device: torch.device | str = "cpu") -> None:
    """Refuse a neuron whose backend does not compute what its step says, before anything of it is timed.

    A peer has no step of the suite: it must be the model that its card says, see `neurons.peers.equivalence`.

    Args:
        make: the layer that is timed, for a number of channels and of time steps.
        device: where it runs.

    Raises:
        NotConformant, NotEquivalent: one line with the disagreement.
        BackendUnavailable: a peer that may not share this process.
    """
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    layer = make(5, 9)
    neuron = layer.neuron
    if isinstance(neuron, Peer):
        refuse_apart(neuron)
        equivalence.gate(make(equivalence.CHANNELS, equivalence.TIMESTEPS), device)
        return
    x = 0.7 + 0.6 * torch.randn(9, 51, 5, generator=generator)
    x = x * neuron.input_scale  # so that it fires as often as others
    found = compare(layer, x.to(device), torch.randn(x.shape, generator=generator).to(device))
    fault = found.fault
    if fault is None and 2 * found.undecided > found.neurons:
        fault = f"{found.undecided} of {found.neurons} neurons come within rounding of a jump, too many to compare"
    if fault is not None:
        raise NotConformant(f"{neuron.name} by {layer.backend} does not conform: {fault}")
