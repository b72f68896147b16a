"""The input and the work that memory and throughput measure: one layer of neurons alone, or a network in training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neurons import InvalidValue, NeuronLayer, UnknownName
from tasks.base import Cell, Range

CHANNELS = 64
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
DTYPE_RANGE = {"dtype": Range(str, choices=lambda: DTYPES)}
DRIVE_MEAN, DRIVE_DEVIATION = 0.7, 0.6
"""Input current that keeps a LIF neuron of the controlled protocol firing at a usual rate."""


def drive(timesteps: int, elements: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random input current [T, N, 64] with N·64 = `elements`; fewer channels if that many do not fit."""
    if timesteps < 1 or elements < 1:
        raise InvalidValue(f"timesteps and elements must be at least 1, not {timesteps} and {elements}")
    channels = next(count for count in range(min(CHANNELS, elements), 0, -1) if elements % count == 0)
    noise = torch.randn(timesteps, elements // channels, channels, generator=torch.Generator().manual_seed(seed))
    return (DRIVE_MEAN + DRIVE_DEVIATION * noise).to(dtype)


def dtype_of(cell: Cell) -> torch.dtype:
    """The setting `dtype`, the type of input and output."""
    name = cell.settings["dtype"]
    if name not in DTYPES:
        raise UnknownName("dtype", name, DTYPES)
    return DTYPES[name]


@dataclass
class LayerWorkload:
    """A layer of neurons with its drive: `forward` without gradient, `forward_backward` with."""

    layer: NeuronLayer
    x: Tensor
    gradient: Tensor

    @classmethod
    def of(cls, cell: Cell) -> LayerWorkload:
        torch.manual_seed(cell.seed)
        x = drive(cell.settings["timesteps"], cell.settings["elements"], cell.seed, dtype_of(cell))
        layer = cell.neuron_layer(x.shape[2], x.shape[0])
        return cls(layer, x.requires_grad_(), torch.ones_like(x))

    @property
    def element_steps(self) -> int:
        """Neurons × time steps."""
        return self.x.numel()

    def forward(self) -> None:
        with torch.no_grad():
            self.layer(self.x)

    def forward_backward(self) -> None:
        self.x.grad = None
        self.layer.zero_grad(set_to_none=True)
        self.layer(self.x).backward(self.gradient)
