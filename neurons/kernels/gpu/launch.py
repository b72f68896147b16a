"""The fused GPU kernel: Triton functions generated from a step, kept on disk, launched over tiles of neurons."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable, Sequence
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
from neurons.kernels.gpu import tuning
from neurons.kernels.source import KernelSource

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
OPTIONS = {"enable_fp_fusion": False}
"""No fused multiply-add: a kernel rounds like the reference."""
TILES = (128, 256, 512)
"""Neurons that a program may own at most."""
TILE_NEURONS = 512
LANES = 64 if torch.version.hip else 32
"""Threads of a warp on the device at hand."""
TOGETHER = 4
"""Steps that inputs of forward and gradients of backward are loaded ahead."""
A_THREAD = 4
"""Neurons of a thread: 16 bytes of float32 in one access."""
HISTORY = 32
"""Inputs, and each of the states, that a thread of backward holds in registers: steps times neurons, less its sums."""
MOST = 4
"""States and sums of a thread of backward that owns A_THREAD neurons."""
LONG = 80
"""Lines of a generated step, forward and adjoint, whose values leave a thread no registers for A_THREAD neurons."""
SHORTEST_BLOCK = 8
"""Steps; checkpoints of shorter blocks would be more than a tenth of the least bytes."""
WIDE = 32
"""Features of a channel from which a tile keeps to one channel."""
NARROW = 16
"""Columns of a tile where channels lie along them and each step has sums: these are added up within a warp."""
ALIGNMENT = 16
"""Neurons; rows that begin at a multiple of it are read in whole accesses."""


@dataclass(frozen=True)
class Layout:
    """How neurons [N, C, *features] lie in rows and columns, and which tile of them a program takes.

    Attributes:
        along: how channels lie, see `triton_layer`.
        lanes: threads of a warp.
        a_thread: neurons of a thread.
    """

    rows: int
    columns: int
    channels: int
    inner: int
    along: int
    tile_rows: int
    tile_columns: int
    lanes: int
    a_thread: int

    @classmethod
    def of(
        cls, source: KernelSource, kernel: str, shape: Sequence[int], tile: int = TILE_NEURONS, lanes: int = LANES
    ) -> Layout:
        """The layout of the "forward" or "backward" kernel for an input [T, N, C, *features].

        Args:
            tile: neurons of a program at most, with A_THREAD of them a thread.
        """
        a_thread = A_THREAD if kernel == "forward" else neurons_of_a_thread(source)
        elements = torch.Size(shape[1:]).numel()
        channels = shape[2] if len(shape) > 2 else 1
        inner = elements // (shape[1] * channels)
        values = (*source.coefficients, *source.sums)
        tile = tile * a_thread // A_THREAD
        if kernel == "backward" and any(total.per == "step_channel" for total in source.sums):
            tile = lanes * a_thread  # one warp: sums of each step need no other thread's
        end = lanes, a_thread
        if all(value.per == "layer" for value in values):
            return cls(1, elements, 1, elements, triton_layer.ALONG_ROWS.value, 1, tile, *end)
        if inner >= WIDE:
            columns = min(tile, triton.next_power_of_2(inner))
            return cls(shape[1] * channels, inner, channels, inner, triton_layer.ALONG_ROWS.value, 1, columns, *end)
        along = triton_layer.ARE_COLUMNS if inner == 1 else triton_layer.ALONG_COLUMNS
        columns = min(NARROW, triton.next_power_of_2(channels * inner))
        rows = tile // columns if tile * channels * inner < 2**31 else 1  # offsets within a tile are 32-bit numbers
        return cls(shape[1], channels * inner, channels, inner, along.value, rows, columns, *end)

    @property
    def beside(self) -> tuple[int, int]:
        """Tiles along rows and along columns."""
        return triton.cdiv(self.rows, self.tile_rows), triton.cdiv(self.columns, self.tile_columns)

    @property
    def grid(self) -> tuple[int]:
        """Programs, all on the axis that takes 2^31 − 1 of them."""
        along_rows, along_columns = self.beside
        return (along_rows * along_columns,)

    @property
    def warps(self) -> int:
        return max(1, self.tile_rows * self.tile_columns // (self.lanes * self.a_thread))

    @property
    def unit(self) -> int:
        """Columns that the kernels count in."""
        return ALIGNMENT if self.columns % ALIGNMENT == 0 else 1

    def sizes(self) -> dict[str, int]:
        units = self.columns // self.unit
        return {"rows": self.rows, "units": units, "channels": self.channels, "inner": self.inner}

    def constants(self) -> dict[str, int]:
        return {"CHANNELS": self.along, "UNIT": self.unit, "ROWS": self.tile_rows, "COLUMNS": self.tile_columns}

    def arguments(self) -> dict[str, Any]:
        """All that a launch takes beside tensors, steps and what the model decides."""
        return {**self.sizes(), **self.constants(), **self.options()}

    def options(self) -> dict[str, Any]:
        """What the compiler is told."""
        return {"num_warps": self.warps, **OPTIONS}


def neurons_of_a_thread(source: KernelSource) -> int:
    """Of backward: half as many where states, sums or the step would leave no registers for the steps of a block."""
    many = len(source.states) > 2 or len(source.states) + len(source.sums) > MOST
    many = many or source.triton_text.count("\n") > LONG
    return A_THREAD // 2 if many or any(total.per == "step_channel" for total in source.sums) else A_THREAD


def interval_of(source: KernelSource, steps: int, bptt_steps: int | None = None) -> int:
    """Steps in a block of backward: all if they are few. Longer inputs leave checkpoints of each block but the first.

    A truncated gradient starts its windows anywhere, so it needs the states of every step.
    """
    if bptt_steps is not None:
        return 1
    sums = len(source.sums) if len(source.states) < 3 else 0  # checkpoints of three states are to be rarer still
    fit = (HISTORY - sums) // neurons_of_a_thread(source)
    return max(1, min(steps, max(SHORTEST_BLOCK, fit // TOGETHER * TOGETHER)))


def checkpoint_shape(source: KernelSource, shape: Sequence[int], bptt_steps: int | None) -> tuple[int, ...]:
    """Shape of the states that forward leaves for backward, for an input [T, N, *features]."""
    blocks = -(-shape[0] // interval_of(source, shape[0], bptt_steps))
    return (max(blocks - 1, 0), len(source.states), *shape[1:])


class TritonKernel:
    """The forward and backward kernels of one neuron.

    Args:
        tile: neurons of a program at most (one of TILES); None for what is the fastest on the card.
    """

    def __init__(self, source: KernelSource, tile: int | None = None) -> None:
        if tile is not None and tile not in TILES:
            raise InvalidValue(f"a tile has {', '.join(map(str, TILES))} neurons, not {tile}")
        self.source = source
        self.tile = tile
        self.module = load_step(source)
        self.identity = _identity(source)
        self.granularity = tuple(GRANULARITIES.index(coefficient.per) for coefficient in source.coefficients)
        self.sums = tuple(GRANULARITIES.index(total.per) for total in source.sums)

    def forward_constants(self, steps: int, save: bool, bptt_steps: int | None = None) -> dict[str, Any]:
        """The compile-time arguments of the forward kernel; `save`: checkpoints are written."""
        interval = interval_of(self.source, steps, bptt_steps)
        together = min(TOGETHER, steps) if not save or interval % TOGETHER == 0 else 1
        chosen = {"INTERVAL": interval, "SAVE": save, "TOGETHER": together, "EVEN": steps % together == 0}
        return {"STEP": self.module.step_forward, **self._model_constants(), **chosen}

    def backward_constants(self, steps: int, save: bool) -> dict[str, Any]:
        """The compile-time arguments of the backward kernel; `save`: checkpoints are read."""
        interval = interval_of(self.source, steps)
        chosen = {
            "INTERVAL": interval,
            "SAVE": save,
            "TOGETHER": min(TOGETHER, interval),
            "EVEN": steps % interval == 0,
        }
        return {"STEP": self.module.step_forward, **self._adjoint_constants(), **chosen}

    def _model_constants(self) -> dict[str, Any]:
        return {"STATES": len(self.source.states), "GRANULARITY": self.granularity}

    def _adjoint_constants(self) -> dict[str, Any]:
        return {"ADJOINT": self.module.step_backward, "SUMS": self.sums, **self._model_constants()}

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
            constants = self.forward_constants(steps, save, bptt_steps if for_backward else None)
            tensors = (x, output, checkpoints if save else output, tuple(coefficients), steps)

            def launch(layout: Layout) -> None:
                triton_layer.forward_kernel[layout.grid](*tensors, **constants, **layout.arguments())

            with torch.cuda.device_of(x):
                launch(self._layout("forward", x, launch))
        return output, checkpoints

    def backward(
        self, grad: Tensor, x: Tensor, checkpoints: Tensor, coefficients: Sequence[Tensor], bptt_steps: int | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Gradient of x and the sums of the program, from the contiguous gradient of the output."""
        if not x.numel():
            return torch.empty_like(x), [x.new_zeros(shape, dtype=torch.float32) for shape in self.source.sum_shapes(x)]
        address(grad, "the gradient of the output", x, x.dtype, x.numel())
        coefficient_addresses(coefficients, self.source.coefficients, x)
        steps = x.shape[0]
        # windows of a truncated gradient add up in grad_x
        grad_x = torch.empty_like(x) if bptt_steps is None else torch.zeros_like(x, dtype=torch.float32)
        saved = checkpoints if checkpoints.numel() else x.new_zeros(1, dtype=torch.float32)

        def launch(layout: Layout) -> list[Tensor]:
            partials = [x.new_zeros(shape, dtype=torch.float32) for shape in self._partial_shapes(layout, steps)]
            tensors = (x, grad, grad_x, saved, tuple(coefficients), tuple(partials), steps)
            if bptt_steps is None:
                constants = self.backward_constants(steps, checkpoints.numel() > 0)
                triton_layer.backward_kernel[layout.grid](*tensors, **constants, **layout.arguments())
            else:
                constants = self._adjoint_constants()
                triton_layer.truncated_kernel[layout.grid](*tensors, bptt_steps, **constants, **layout.arguments())
            return partials

        with torch.cuda.device_of(x):
            layout = self._layout("backward", x, launch if bptt_steps is None else None)
            pairs = zip(launch(layout), self.source.sum_shapes(x), strict=True)
            sums = [_total(partial, shape, layout) for partial, shape in pairs]
        return grad_x.to(x.dtype), sums

    def _layout(self, kernel: str, x: Tensor, launch: Callable[[Layout], object] | None) -> Layout:
        """The layout with the tile that was asked for, else with the fastest.

        Args:
            launch: a launch that may be repeated, to measure.
        """
        tile = self.tile or TILE_NEURONS
        layouts = {tile: Layout.of(self.source, kernel, x.shape, tile) for tile in (tile, *reversed(TILES))}
        if self.tile is None and launch is not None and _can_measure(x):
            first = layouts[tile]
            key = f"{self.identity[:16]}-{kernel}-{x.dtype}-{first.along}-{first.unit}"
            apart = list({layout: tile for tile, layout in reversed(layouts.items())}.values())[::-1]
            tile = tuning.fastest(key, apart, lambda own: launch(layouts[own]), tuning.on_the_card)
        return layouts[tile]

    def _partial_shapes(self, layout: Layout, steps: int) -> list[tuple[int, ...]]:
        rows, columns = layout.beside
        by_rows = layout.along == triton_layer.ALONG_ROWS
        along, length = (columns, layout.rows) if by_rows else (rows, layout.columns)
        shapes: dict[str, tuple[int, ...]] = {
            "layer": layout.grid,
            "channel": (along, 1, length),
            "step_channel": (along, steps, length),
        }
        return [shapes[total.per] for total in self.source.sums]


def _total(partial: Tensor, shape: Sequence[int], layout: Layout) -> Tensor:
    """Add up the programs' parts of one sum; the same order in every run."""
    if partial.ndim == 1:
        return partial.sum()
    summed = partial.sum(0)
    if layout.along == triton_layer.ALONG_ROWS:
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


def _can_measure(x: Tensor) -> bool:
    return x.is_cuda and not torch.cuda.is_current_stream_capturing()


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
