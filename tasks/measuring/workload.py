"""The input and the work that memory and throughput measure: one layer of neurons alone, or a network in training."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from neurons import BackendUnavailable, InvalidValue, NeuronLayer, UnknownName, peers
from neurons.normalized import NormalizedLayer, threshold_dependent
from neurons.peers.equivalence import DRIVE_DEVIATION, DRIVE_MEAN
from tasks.base import Cell, Range
from tasks.measuring import devices

CHANNELS = 64
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
DTYPE_RANGE = {"dtype": Range(str, choices=lambda: DTYPES)}
NORMS = ("none", "batch", "tdbn")
NORM_RANGE = {"norm": Range(str, choices=lambda: NORMS)}
DRAWN = 1 << 26
"""Numbers that are drawn at most; a larger input repeats its samples."""
HELD = 4
"""Tensors of the input's size that forward and backward hold: input, output and their gradients."""
MOST_COPIES = 64
"""Of an input, to read it from memory and not from a card's cache; where that is too few, launches take longer."""


def drive(
    timesteps: int,
    elements: int,
    seed: int,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Random input current [T, N, 64] with N·64 = `elements`, drawn on the CPU and so the same on every device.

    Fewer channels if that many do not fit.
    """
    if timesteps < 1 or elements < 1:
        raise InvalidValue(f"timesteps and elements must be at least 1, not {timesteps} and {elements}")
    channels = next(count for count in range(min(CHANNELS, elements), 0, -1) if elements % count == 0)
    samples = elements // channels
    drawn = min(samples, max(1, DRAWN // (timesteps * channels)))
    noise = torch.randn(timesteps, drawn, channels, generator=torch.Generator().manual_seed(seed))
    x = (DRIVE_MEAN + DRIVE_DEVIATION * noise).to(device, dtype)
    return x if drawn == samples else x[:, torch.arange(samples, device=x.device) % drawn]


def dtype_of(cell: Cell) -> torch.dtype:
    """The setting `dtype`, the type of input and output."""
    name = cell.settings["dtype"]
    if name not in DTYPES:
        raise UnknownName("dtype", name, DTYPES)
    return DTYPES[name]


@dataclass
class LayerWorkload:
    """A layer of neurons with its drive: `forward` without gradient, `forward_backward` with.

    Attributes:
        layer: the neurons; with the setting norm they have a batch norm or tdBN in training inside of them.
        inputs: copies of the drive, taken in turn, so that none is in the device's cache when it is read.
    """

    layer: NeuronLayer | NormalizedLayer
    inputs: list[Tensor]
    gradient: Tensor
    turn: int = field(default=0, init=False)

    @classmethod
    def of(cls, cell: Cell, beyond_cache: bool = False) -> LayerWorkload:
        """The work of a cell on its device, with copies of the input where it is to come from beyond the cache.

        Raises:
            BackendUnavailable: the device has too little free memory; the message says what is asked and free.
        """
        torch.manual_seed(cell.seed)
        timesteps, elements, dtype = cell.settings["timesteps"], cell.settings["elements"], dtype_of(cell)
        place = cell.torch_device
        device, size = devices.of(place), timesteps * elements * dtype.itemsize
        free = device.free_bytes(place)
        if free is not None and HELD * size > free:
            asked = f"{HELD * size / 2**30:.2f} GiB are asked for (input, output and their gradients)"
            raise BackendUnavailable(f"{asked}, {free / 2**30:.2f} GiB are free on {place}; smaller elements need less")
        x = drive(timesteps, elements, cell.seed, dtype, place)
        layer = _with_norm(cell, cell.neuron_layer(x.shape[2], x.shape[0]), place)
        cache = device.cache_bytes(place) if beyond_cache else 0
        copies = min(MOST_COPIES, max(1, -(-2 * cache // size)))
        inputs = [x, *(x.clone() for _ in range(copies - 1))]
        return cls(layer, [own.requires_grad_() for own in inputs], torch.ones_like(x))

    def apart(self) -> None:
        """Forward and backward of the norm inside of the layer, then of the neurons, as two layers."""
        assert isinstance(self.layer, NormalizedLayer)
        x, norm, neurons = self._fresh(), self.layer.norm, self.layer.layer
        neurons(norm(x.flatten(0, 1)).unflatten(0, x.shape[:2])).backward(self.gradient)
        self._drop(x)

    @property
    def x(self) -> Tensor:
        """The first of the inputs, which are all alike."""
        return self.inputs[0]

    def _next(self) -> Tensor:
        self.turn = (self.turn + 1) % len(self.inputs)
        return self.inputs[self.turn]

    @property
    def element_steps(self) -> int:
        """Neurons × time steps."""
        return self.x.numel()

    def forward(self) -> None:
        with torch.no_grad():
            self.layer(self._next())

    def forward_backward(self) -> None:
        x = self._fresh()
        self.layer(x).backward(self.gradient)
        self._drop(x)

    def _fresh(self) -> Tensor:
        """The next input; no gradients are left of earlier calls."""
        x = self._next()
        x.grad = None
        self.layer.zero_grad(set_to_none=True)
        return x

    def _drop(self, x: Tensor) -> None:
        if len(self.inputs) > 1:
            x.grad = None  # one gradient is held, not one a copy


def _with_norm(cell: Cell, layer: NeuronLayer, place: torch.device) -> NeuronLayer | NormalizedLayer:
    """The layer, with a batch norm or tdBN inside of it where the cell's setting `norm` says so."""
    asked = cell.settings.get("norm", "none")
    if asked == "none":
        return layer
    if not layer.neuron.runs_over_time() or layer.backend in peers.PACKAGES:
        own = f"{layer.backend}, {layer.neuron.name}"
        raise BackendUnavailable(
            f"norm={asked}: {own} takes no norm into its kernel; cpu, triton, compile and reference do"
        )
    assert layer.channels is not None
    norm = nn.BatchNorm1d(layer.channels)
    if asked == "tdbn":
        threshold_dependent(norm, float(layer.neuron.v_th))
    return NormalizedLayer(layer, norm.to(place))
