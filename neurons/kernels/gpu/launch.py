"""The fused GPU kernel: Triton functions generated from a step, kept on disk, launched over tiles of neurons."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import triton
from torch import Tensor

from neurons.errors import BackendUnavailable, InvalidValue
from neurons.kernels.checked import address, coefficient_addresses
from neurons.kernels.coefficient import GRANULARITIES
from neurons.kernels.disk_cache import DiskCache
from neurons.kernels.gpu import functions as triton_functions
from neurons.kernels.gpu import layer as triton_layer
from neurons.kernels.source import KernelSource

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
WARPS = 4
LAUNCH = {"num_warps": WARPS, "enable_fp_fusion": False}
"""No fused multiply-add: a kernel rounds like the reference."""
TILES = (128, 256, 512)
"""Neurons that a program may own: one, two or four a thread."""
TILE_NEURONS = 256
"""Unless told otherwise: the states of a block of steps fit into the registers, also for two states."""
LONGEST_BLOCK = 16
"""Steps whose states backward holds in registers; longer inputs leave checkpoints (0.5 B a state and neuron-step)."""
WIDE = 32
"""Features of a channel from which a tile keeps to one channel a row."""


@dataclass(frozen=True)
class Layout:
    """How neurons [N, C, *features] lie in rows and columns, and which tile of them a program takes."""

    rows: int
    columns: int
    channels: int
    inner: int
    channel_axis: int
    tile_rows: int
    tile_columns: int

    @classmethod
    def of(cls, source: KernelSource, shape: Sequence[int], tile: int) -> Layout:
        """The layout of an input of shape [T, N, C, *features], in tiles of `tile` neurons."""
        elements = torch.Size(shape[1:]).numel()
        channels = shape[2] if len(shape) > 2 else 1
        inner = elements // (shape[1] * channels)
        if all(value.per == "layer" for value in (*source.coefficients, *source.sums)):
            return cls(1, elements, 1, elements, 1, 1, tile)
        if inner >= WIDE:
            columns = min(tile, triton.next_power_of_2(inner))
            return cls(shape[1] * channels, inner, channels, inner, 0, tile // columns, columns)
        columns = min(32, triton.next_power_of_2(channels * inner))
        return cls(shape[1], channels * inner, channels, inner, 1, tile // columns, columns)

    @property
    def grid(self) -> tuple[int, int]:
        return triton.cdiv(self.rows, self.tile_rows), triton.cdiv(self.columns, self.tile_columns)

    def sizes(self) -> dict[str, int]:
        return {"rows": self.rows, "columns": self.columns, "channels": self.channels, "inner": self.inner}

    def constants(self) -> dict[str, int]:
        return {"CHANNEL_AXIS": self.channel_axis, "ROWS": self.tile_rows, "COLUMNS": self.tile_columns}


def interval_of(steps: int, bptt_steps: int | None = None) -> int:
    """Steps in a block of backward: all if they are few, else up to 16 with the least waste in the last block.

    A truncated gradient starts its windows anywhere, so it needs the states of every step.
    """
    if bptt_steps is not None:
        return 1
    if steps <= LONGEST_BLOCK:
        return max(steps, 1)
    return min(range(LONGEST_BLOCK // 2, LONGEST_BLOCK + 1), key=lambda size: (-steps % size, -size))


def checkpoint_shape(source: KernelSource, shape: Sequence[int], bptt_steps: int | None) -> tuple[int, ...]:
    """Shape of the states that forward leaves for backward, for an input [T, N, *features]."""
    blocks = -(-shape[0] // interval_of(shape[0], bptt_steps))
    return (max(blocks - 1, 0), len(source.states), *shape[1:])


class TritonKernel:
    """The forward and backward kernels of one neuron, in tiles of `tile` neurons (one of TILES)."""

    def __init__(self, source: KernelSource, tile: int = TILE_NEURONS) -> None:
        if tile not in TILES:
            raise InvalidValue(f"a tile has {', '.join(map(str, TILES))} neurons, not {tile}")
        self.source = source
        self.tile = tile
        self.module = load_step(source)
        self.identity = _identity(source)
        self.granularity = tuple(GRANULARITIES.index(coefficient.per) for coefficient in source.coefficients)
        self.sums = tuple(GRANULARITIES.index(total.per) for total in source.sums)

    def common_constants(self, interval: int, save: bool) -> dict[str, Any]:
        """The compile-time arguments of both kernels; `save`: checkpoints are written and read."""
        return {"SAVE": save, "STEP": self.module.step_forward, "INTERVAL": interval, **self._model_constants()}

    def _model_constants(self) -> dict[str, Any]:
        return {"STATES": len(self.source.states), "GRANULARITY": self.granularity}

    def forward(
        self, x: Tensor, coefficients: Sequence[Tensor], for_backward: bool, bptt_steps: int | None
    ) -> tuple[Tensor, Tensor]:
        """Outputs for contiguous x [T, N, *features], and the states that backward starts from (empty if none)."""
        if x.dtype not in DTYPES:
            taken = "float32, float16 and bfloat16"
            raise BackendUnavailable(f"the triton backend takes {taken}, not {x.dtype}: use x.float(), or reference")
        steps = x.shape[0]
        shape = checkpoint_shape(self.source, x.shape, bptt_steps) if for_backward else (0,)
        output, checkpoints = torch.empty_like(x), x.new_empty(shape, dtype=torch.float32)
        save = checkpoints.numel() > 0
        if x.numel():
            address(x, "the input", x, x.dtype, x.numel())
            coefficient_addresses(coefficients, self.source.coefficients, x)
            layout = Layout.of(self.source, x.shape, self.tile)
            triton_layer.forward_kernel[layout.grid](
                x,
                output,
                checkpoints if save else output,
                tuple(coefficients),
                steps,
                **layout.sizes(),
                **self.common_constants(interval_of(steps, bptt_steps), save),
                **layout.constants(),
                **LAUNCH,
            )
        return output, checkpoints

    def backward(
        self, grad: Tensor, x: Tensor, checkpoints: Tensor, coefficients: Sequence[Tensor], bptt_steps: int | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Gradient of x and the sums of the program, from the contiguous gradient of the output."""
        if not x.numel():
            return torch.empty_like(x), [x.new_zeros(shape, dtype=torch.float32) for shape in self.source.sum_shapes(x)]
        address(grad, "the gradient of the output", x, x.dtype, x.numel())
        coefficient_addresses(coefficients, self.source.coefficients, x)
        layout, steps = Layout.of(self.source, x.shape, self.tile), x.shape[0]
        partials = [x.new_zeros(shape, dtype=torch.float32) for shape in self._partial_shapes(layout, steps)]
        # windows of a truncated gradient add up in grad_x
        grad_x = torch.empty_like(x) if bptt_steps is None else torch.zeros_like(x, dtype=torch.float32)
        saved = checkpoints if checkpoints.numel() else x.new_zeros(1, dtype=torch.float32)
        tensors = (x, grad, grad_x, saved, tuple(coefficients), tuple(partials), steps)
        model = {"ADJOINT": self.module.step_backward, "SUMS": self.sums}
        shared = {**layout.sizes(), **layout.constants(), **LAUNCH, **model}
        if bptt_steps is None:
            interval = interval_of(steps)
            constants = self.common_constants(interval, checkpoints.numel() > 0)
            triton_layer.backward_kernel[layout.grid](*tensors, **shared, **constants, EVEN=steps % interval == 0)
        else:
            triton_layer.truncated_kernel[layout.grid](*tensors, bptt_steps, **shared, **self._model_constants())
        pairs = zip(partials, self.source.sum_shapes(x), strict=True)
        return grad_x.to(x.dtype), [_total(partial, shape, layout) for partial, shape in pairs]

    def _partial_shapes(self, layout: Layout, steps: int) -> list[tuple[int, ...]]:
        along, length = (layout.grid[1], layout.rows) if layout.channel_axis == 0 else (layout.grid[0], layout.columns)
        shapes: dict[str, tuple[int, ...]] = {
            "layer": (layout.grid[0] * layout.grid[1],),
            "channel": (along, 1, length),
            "step_channel": (along, steps, length),
        }
        return [shapes[total.per] for total in self.source.sums]


def _total(partial: Tensor, shape: Sequence[int], layout: Layout) -> Tensor:
    """Add up the programs' parts of one sum; the same order in every run."""
    if partial.ndim == 1:
        return partial.sum()
    summed = partial.sum(0)
    if layout.channel_axis == 0:
        summed = summed.unflatten(1, (-1, layout.channels)).sum(1)
    else:
        summed = summed.unflatten(1, (layout.channels, -1)).sum(2)
    return summed.reshape(shape)


def unavailable(device: torch.device) -> str | None:
    """Why Triton cannot run on a device, or None. On a CPU it runs in its interpreter alone, for tests."""
    if device.type in ("cuda", "meta"):
        return None
    if device.type == "cpu" and os.environ.get("TRITON_INTERPRET") == "1":
        return None
    return f"the triton backend needs a CUDA or ROCm device, not {device.type} (tests set TRITON_INTERPRET=1)"


def _identity(source: KernelSource) -> str:
    files = (triton_layer.__file__, triton_functions.__file__)
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "interpreter"
    parts = [triton.__version__, card, source.triton_text, *(Path(file).read_text(encoding="utf-8") for file in files)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


_kernels: dict[str, TritonKernel] = {}
_cache = DiskCache("triton")


def triton_kernel(source: KernelSource) -> TritonKernel:
    """The kernels of a program, made once in this process."""
    if source.digest not in _kernels:
        _kernels[source.digest] = TritonKernel(source)
    return _kernels[source.digest]


def load_step(source: KernelSource) -> ModuleType:
    """The module of a program's step. Triton reads a function's source from its file, so the text is kept on disk."""
    text = source.triton_text.encode()
    name = f"neuron_step_{hashlib.sha256(text).hexdigest()[:16]}"
    path = _cache.find(f"{name}.py") or _cache.store(f"{name}.py", text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
