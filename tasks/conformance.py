"""Does a backend compute what the step of a neuron says, on this device, over shapes that kernels find hard?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from neurons import BackendUnavailable, NeuronLayer, conformance
from neurons.conformance import NotConformant
from neurons.peers.equivalence import DRIVE_DEVIATION, DRIVE_MEAN
from tasks.base import Cell, Metric, Range, Task, Value
from tasks.measuring import devices
from tasks.measuring.workload import DTYPE_RANGE, DTYPES, dtype_of

SHAPES = ((1, 51, 5), (9, 51, 5), (8, 3, 7, 5, 5), (33, 17, 3, 2), (2, 1, 1))
"""[T, N, C, *features]: one step, odd sizes, images, several blocks of steps, a single neuron."""
SHOWN = 1 << 12
"""Neurons at the begin, in the middle and at the end of a large input that are compared."""


class Conformance(Task):
    """Outputs and gradients against the reference in float64; a cell that does not conform fails and says where."""

    name = "conformance"
    description = "outputs and gradients of a backend against the float64 reference, over shapes and dtypes"
    settings: ClassVar[dict[str, Any]] = {"dtype": "float32", "protocol": "controlled", "elements": None}
    ranges = {**DTYPE_RANGE, "elements": Range(int, least=3 * SHOWN, optional=True)}
    sources = ("measuring/workload.py",)
    metrics = {
        "compared_neurons": Metric("1", "neurons compared, those within rounding of a jump left out", exact=True),
        "undecided_fraction": Metric("1", "share of neurons that come within rounding of a jump", "lower"),
        "gradient_error": Metric("1", "largest error of a gradient, relative to its tensor's largest entry", "lower"),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        return [{"dtype": dtype} for dtype in (["float32"] if profile == "smoke" else DTYPES)]

    def seeds(self, profile: str, seeds: int) -> int:
        return 1

    def timesteps(self, cell: Cell) -> int | None:
        return None

    def run(self, cell: Cell) -> Iterator[Value]:
        generator = torch.Generator().manual_seed(cell.seed)
        elements = cell.settings["elements"]
        shapes = SHAPES if elements is None else ((1, elements),)
        compared = undecided = 0
        worst = 0.0
        for shape in shapes:
            torch.manual_seed(cell.seed)
            layer = cell.neuron_layer(shape[2] if len(shape) > 2 else 1, shape[0])
            found = _at_the_ends(layer, cell, generator) if elements else _whole(layer, cell, shape, generator)
            if found.fault is not None:
                raise NotConformant(
                    f"{cell.neuron} by {cell.backend}, {list(shape)} {cell.settings['dtype']}: {found.fault}"
                )
            compared, undecided = compared + found.neurons - found.undecided, undecided + found.undecided
            worst = max([worst, found.gradient_error, *found.parameter_errors.values()])
        yield Value("compared_neurons", compared)
        yield Value("undecided_fraction", undecided / (compared + undecided))
        yield Value("gradient_error", worst)


def _whole(layer: NeuronLayer, cell: Cell, shape: Sequence[int], generator: torch.Generator) -> conformance.Agreement:
    x = _drive(shape, cell, generator)
    gradient = torch.randn(x.shape, generator=generator).to(x.device, x.dtype)
    return conformance.compare(layer, x, gradient)


def _drive(shape: Sequence[int], cell: Cell, generator: torch.Generator) -> Tensor:
    x = DRIVE_MEAN + DRIVE_DEVIATION * torch.randn(tuple(shape), generator=generator)
    return x.to(cell.torch_device, dtype_of(cell))


def _at_the_ends(layer: NeuronLayer, cell: Cell, generator: torch.Generator) -> conformance.Agreement:
    """One step of more neurons than 32 bits count, of which begin, middle and end are compared.

    Raises:
        BackendUnavailable: the device has not the memory for input, output and their gradients.
    """
    elements, place, dtype = cell.settings["elements"], cell.torch_device, dtype_of(cell)
    free, asked = devices.of(place).free_bytes(place), 4 * elements * dtype.itemsize
    if free is not None and asked > free:
        raise BackendUnavailable(f"{asked / 2**30:.2f} GiB are asked for, {free / 2**30:.2f} GiB are free on {place}")
    pieces = [slice(0, SHOWN), slice(elements // 2, elements // 2 + SHOWN), slice(elements - SHOWN, elements)]
    large = torch.zeros(1, elements, 1, device=place, dtype=dtype)
    for piece in pieces:
        large[:, piece] = _drive((1, SHOWN, 1), cell, generator)
    large.requires_grad_()
    output = layer(large)
    output.backward(torch.ones_like(output))
    assert large.grad is not None

    def piecewise(tensor: Tensor) -> Tensor:
        return torch.cat([tensor[:, piece] for piece in pieces], 1)

    x = piecewise(large.detach())
    found = conformance.compare(layer, x, torch.ones_like(x))
    alone = x.clone().requires_grad_()
    expected = layer(alone)
    expected.backward(torch.ones_like(expected))
    assert alone.grad is not None
    if not torch.equal(piecewise(output), expected) or not torch.equal(piecewise(large.grad), alone.grad):
        raise NotConformant(f"{cell.neuron} by {cell.backend}: of {elements:,} neurons some are not computed as alone")
    return found
