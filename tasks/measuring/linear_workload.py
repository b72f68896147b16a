"""A Linear and the neurons behind it: each alone on the same tensors, and both together."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from neurons import BackendUnavailable, NeuronLayer
from neurons.peers.equivalence import DRIVE_DEVIATION, DRIVE_MEAN
from tasks.base import Cell
from tasks.measuring import devices

HELD = 14
"""Tensors of the current's size that are held at a time at most: input, current, their gradients, and what a loop over
single steps keeps for its backward pass."""
WEIGHTS = 2
"""The Linear's weight and its gradient."""


@dataclass
class Synapse:
    """The Linear of a batch of cells, its input, and currents like those that it gives.

    Attributes:
        x: its input [T, N, n], or a part of its rows [rows, n]: noise of variance 1; with a gradient where a layer is
            below it.
        current: [T, N, n] like the drive of the other measurements, so that neurons fire as usual.
    """

    linear: nn.Linear
    x: Tensor
    current: Tensor
    gradient: Tensor

    @classmethod
    def of(cls, cell: Cell) -> Synapse:
        """The Linear of a cell, on its device.

        Raises:
            BackendUnavailable: the memory that is free is too little; the message says what is asked and free.
        """
        settings, place = cell.settings, cell.torch_device
        shape = settings["timesteps"], settings["batch_size"], settings["width"]
        check_memory(shape, place)
        generator = torch.Generator().manual_seed(cell.seed)
        linear = nn.Linear(shape[2], shape[2])
        with torch.no_grad():
            linear.weight.normal_(0, DRIVE_DEVIATION / math.sqrt(shape[2]), generator=generator)
            linear.bias.fill_(DRIVE_MEAN)
        x = torch.randn(shape, generator=generator).to(place)
        current = (DRIVE_MEAN + DRIVE_DEVIATION * x).requires_grad_()
        return cls(linear.to(place), x.requires_grad_(settings["input_gradient"]), current, torch.ones_like(current))

    def part(self, count: int) -> Synapse:
        """The same with the first of `count` parts of the rows for the Linear."""
        rows = self.x.detach().view(self.all_rows, -1)[: max(1, self.all_rows // count)]
        return replace(self, x=rows.clone().requires_grad_(self.x.requires_grad))

    @property
    def rows(self) -> int:
        return self.x.numel() // self.x.shape[-1]

    @property
    def all_rows(self) -> int:
        return self.current.numel() // self.current.shape[-1]

    @property
    def scale(self) -> float:
        """By which the time of the Linear on its rows is multiplied; 1 where it has them all."""
        return self.all_rows / self.rows

    def forward(self) -> None:
        with torch.no_grad():
            self.linear(self.x)

    def forward_backward(self) -> None:
        self.clear()
        output = self.linear(self.x)
        output.backward(self.gradient.view(-1, output.shape[-1])[: self.rows].view(output.shape))

    def step_by_step(self) -> None:
        """Forward and backward of the Linear called once a time step, as within a loop or a scan over them."""
        self.clear()
        torch.stack([self.linear(x) for x in self.x]).backward(self.gradient)

    def clear(self) -> None:
        self.x.grad = self.current.grad = None
        self.linear.zero_grad(set_to_none=True)


def check_memory(shape: tuple[int, int, int], place: torch.device) -> None:
    """Refuse a size for which the device has too little free memory, before anything of it is made."""
    free = devices.of(place).free_bytes(place)
    if free is None:
        free = _available_bytes()
    if free is None:
        return
    asked = 4 * (HELD * math.prod(shape) + WEIGHTS * shape[2] ** 2)
    if asked > free:
        told = f"{asked / 2**30:.1f} GiB are asked for, {free / 2**30:.1f} GiB are free"
        raise BackendUnavailable(f"{told}; a smaller width, batch_size or timesteps needs less")


def _available_bytes() -> int | None:
    """What the machine could give to processes without swapping; None where no kernel tells (it is Linux that does)."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return None


@dataclass
class Behind:
    """Neurons behind a synapse."""

    synapse: Synapse
    layer: NeuronLayer

    def forward(self) -> None:
        with torch.no_grad():
            self.layer(self.synapse.current)

    def forward_backward(self) -> None:
        self.clear()
        self.layer(self.synapse.current).backward(self.synapse.gradient)

    def together(self) -> None:
        """Forward and backward of the Linear and the neurons."""
        self.clear()
        self.layer(self.synapse.linear(self.synapse.x)).backward(self.synapse.gradient)

    def clear(self) -> None:
        self.synapse.clear()
        self.layer.zero_grad(set_to_none=True)
