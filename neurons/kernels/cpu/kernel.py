"""The fused CPU kernel: C compiled with the system's compiler, called through ctypes."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from neurons.errors import BackendUnavailable, InvalidValue
from neurons.kernels.checked import address, coefficient_addresses
from neurons.kernels.coefficient import Coefficients
from neurons.kernels.cpu import library as cpu_library
from neurons.kernels.cpu import pool
from neurons.kernels.source import KernelSource

NOTHING = torch.empty(0)
BITS = {torch.float32: (32, 32), torch.float64: (64, 64), torch.bfloat16: (32, 16)}
"""Of the numbers that a step computes with, and of those that input and output hold."""


class CpuKernel:
    """The compiled forward and backward of one program and dtype of input."""

    def __init__(self, library: ctypes.CDLL, source: KernelSource) -> None:
        self.source = source
        self.identity = Path(library._name).name  # holds hashes of source, compiler and content
        pointer, count = ctypes.c_void_p, ctypes.c_int64
        sizes = [count] * 4 + [ctypes.c_int]
        self._forward, self._backward = library.forward, library.backward
        self._forward.argtypes = [pointer, pointer, pointer, *sizes]
        self._forward.restype = None
        self._backward.argtypes = [*[pointer] * 5, count, *sizes]
        self._step, self._step_backward = library.one_step, library.one_step_backward
        self._step.argtypes = [*[pointer] * 5, *sizes[1:]]
        self._step.restype = None
        self._step_backward.argtypes = [*[pointer] * 8, *sizes[1:]]
        self._state_pointers = pointer * len(source.states)
        self._coefficient_pointers, self._sum_pointers = pointer * len(source.coefficients), pointer * len(source.sums)
        self._by_channel = any(own.per != "layer" for own in source.coefficients)

    def forward(
        self, x: Tensor, coefficients: Sequence[Tensor], for_backward: bool, bptt_steps: int | None
    ) -> tuple[Tensor, Tensor]:
        """Outputs for contiguous x [T, N, *features], and no checkpoints: backward computes all states again."""
        output = pool.empty_like(x)
        if x.numel():
            place = _address_of_input(x)
            self._forward(place, output.data_ptr(), self._addresses(coefficients, x), *_sizes(x))
        return output, NOTHING

    def backward(
        self, grad: Tensor, x: Tensor, checkpoints: Tensor, coefficients: Sequence[Tensor], bptt_steps: int | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Gradient of x and the sums of the program, from the contiguous gradient of the output."""
        if bptt_steps is not None and x.dtype == torch.bfloat16:
            # Truncated gradients are summed over windows in grad_x, which bfloat16 is too coarse for.
            wide = cpu_kernel(self.source, torch.float32)
            grad_x, grads = wide.backward(grad.float(), x.float(), checkpoints, coefficients, bptt_steps)
            return grad_x.to(x.dtype), grads
        grad_x = pool.empty_like(x)
        sums = _Sums(self.source, x)
        if x.numel():
            failed = self._backward(
                _address_of_input(x),
                address(grad, "the gradient of the output", x, x.dtype, x.numel()),
                grad_x.data_ptr(),
                self._addresses(coefficients, x),
                self._sum_pointers(*sums.addresses()),
                bptt_steps or x.shape[0],
                *_sizes(x),
            )
            if failed:
                raise MemoryError(f"no memory for the states of {x.shape[0]} time steps")
        return grad_x, sums.values()

    def step(
        self, x: Tensor, states: Sequence[Tensor], coefficients: Sequence[Tensor]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Output and states after one time step, for contiguous x [1, N, *features] and the states before it."""
        output, after = torch.empty_like(x), tuple(torch.empty_like(state) for state in states)
        if x.numel():
            place, sizes = _address_of_input(x), _sizes(x)[1:]
            before = self._addresses_of_states(states, x)
            made = self._state_pointers(*(state.data_ptr() for state in after))
            self._step(place, output.data_ptr(), self._addresses(coefficients, x), before, made, *sizes)
        return output, after

    def step_backward(
        self,
        grad: Tensor | None,
        grad_states: Sequence[Tensor | None],
        x: Tensor,
        states: Sequence[Tensor],
        coefficients: Sequence[Tensor],
    ) -> tuple[Tensor, tuple[Tensor, ...], list[Tensor]]:
        """Gradients of x and of the states before a step, and the sums; None is a gradient of 0."""
        grad_x, before = torch.empty_like(x), tuple(torch.empty_like(state) for state in states)
        sums = _Sums(self.source, x)
        if x.numel():
            failed = self._step_backward(
                _address_of_input(x),
                self._addresses_of_states(states, x),
                None if grad is None else address(grad, "the gradient of the output", x, x.dtype, x.numel()),
                self._addresses_of_states(grad_states, x),
                grad_x.data_ptr(),
                self._state_pointers(*(state.data_ptr() for state in before)),
                self._addresses(coefficients, x),
                self._sum_pointers(*sums.addresses()),
                *_sizes(x)[1:],
            )
            if failed:
                raise MemoryError("no memory for the sums of one time step")
        return grad_x, before, sums.values()

    def _addresses_of_states(self, states: Sequence[Tensor | None], x: Tensor) -> ctypes.Array[ctypes.c_void_p]:
        dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
        return self._state_pointers(
            *(None if state is None else address(state, "a state", x, dtype, x.numel()) for state in states)
        )

    def _addresses(self, coefficients: Sequence[Tensor], x: Tensor) -> ctypes.Array[ctypes.c_void_p]:
        """Of coefficients that fit an input like x: looked at once where they stay what they are."""
        fit = (x.dtype, x.shape[0], x.shape[2:3]) if self._by_channel else x.dtype
        known = coefficients.addresses.get(fit) if isinstance(coefficients, Coefficients) else None
        if known is None:
            known = self._coefficient_pointers(*coefficient_addresses(coefficients, self.source.coefficients, x))
            if isinstance(coefficients, Coefficients):
                coefficients.addresses[fit] = known
        return known


class _Sums:
    """What backward adds up, side by side in double precision."""

    def __init__(self, source: KernelSource, x: Tensor) -> None:
        self.shapes = source.sum_shapes(x) if source.sums else []
        self.sizes = [math.prod(shape) for shape in self.shapes]
        self.all = torch.zeros(sum(self.sizes), dtype=torch.float64) if self.sizes else NOTHING
        self.dtype = torch.float64 if x.dtype == torch.float64 else torch.float32

    def addresses(self) -> list[int]:
        """Where each begins."""
        place, found = self.all.data_ptr(), []
        for size in self.sizes:
            found.append(place)
            place += size * self.all.itemsize
        return found

    def values(self) -> list[Tensor]:
        """Each in its shape, of the states' dtype."""
        if not self.shapes:
            return []
        parts = self.all.to(self.dtype).split_with_sizes(self.sizes)
        return [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]


def _address_of_input(x: Tensor) -> int:
    if not x.is_cpu:
        raise InvalidValue(f"the cpu kernel takes an input on the cpu, not on {x.device}")
    return address(x, "the input", x, x.dtype, x.numel())


def _sizes(x: Tensor) -> tuple[int, int, int, int, int]:
    """Steps, elements, channels, inner size, threads."""
    steps, batch, channels = x.shape[:3] if x.ndim > 2 else (*x.shape, 1)
    elements = x.numel() // steps
    return steps, elements, channels, elements // (batch * channels), torch.get_num_threads()


def layer_code(source: KernelSource, dtype: torch.dtype) -> cpu_library.Code:
    """The code of a program's layer for inputs of one dtype."""
    return cpu_library.Code("layer.c", *BITS[dtype], source.c_text)


_kernels: dict[tuple[str, torch.dtype], CpuKernel] = {}


def cpu_kernel(source: KernelSource, dtype: torch.dtype) -> CpuKernel:
    """The kernel of a program, compiled unless this process or the disk has it.

    Raises:
        BackendUnavailable: no compiler, a compiler that fails, or another dtype.
    """
    key = (source.digest, dtype)
    if key not in _kernels:
        if dtype not in BITS:
            taken = "float32, float64 and bfloat16"
            raise BackendUnavailable(f"the cpu backend takes {taken}, not {dtype}: use x.float(), or reference")
        _kernels[key] = CpuKernel(cpu_library.load(layer_code(source, dtype)), source)
    return _kernels[key]


def unavailable(source: KernelSource) -> str | None:
    """Why the kernels of a program cannot run here, or None: without a compiler, those that are kept still run."""
    reason = cpu_library.no_compiler()
    if reason is not None and any(cpu_library.find(layer_code(source, dtype)) for dtype in BITS):
        return None
    return reason
