"""The fused CPU kernel: C compiled with the system's compiler, called through ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from neurons.errors import BackendUnavailable, InvalidValue
from neurons.kernels import cpu_library, pool
from neurons.kernels.checked import check, check_coefficients
from neurons.kernels.source import KernelSource

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

    def forward(
        self, x: Tensor, coefficients: Sequence[Tensor], for_backward: bool, bptt_steps: int | None
    ) -> tuple[Tensor, Tensor]:
        """Outputs for contiguous x [T, N, *features], and no checkpoints: backward computes all states again."""
        output = pool.empty_like(x)
        if x.numel():
            self._check(x, coefficients)
            self._forward(x.data_ptr(), output.data_ptr(), self._addresses(coefficients), *_sizes(x))
        return output, x.new_empty(0, dtype=torch.float32)

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
        sums = [torch.zeros(shape, dtype=torch.float64) for shape in self.source.sum_shapes(x)]
        if x.numel():
            self._check(x, coefficients)
            check(grad, "the gradient of the output", x, x.dtype, x.numel())
            failed = self._backward(
                x.data_ptr(),
                grad.data_ptr(),
                grad_x.data_ptr(),
                self._addresses(coefficients),
                self._addresses(sums),
                bptt_steps or x.shape[0],
                *_sizes(x),
            )
            if failed:
                raise MemoryError(f"no memory for the states of {x.shape[0]} time steps")
        real = torch.float64 if x.dtype == torch.float64 else torch.float32
        return grad_x, [total.to(real) for total in sums]

    def _check(self, x: Tensor, coefficients: Sequence[Tensor]) -> None:
        if not x.is_cpu:
            raise InvalidValue(f"the cpu kernel takes an input on the cpu, not on {x.device}")
        check(x, "the input", x, x.dtype, x.numel())
        check_coefficients(coefficients, self.source.coefficients, x)

    def _addresses(self, tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
        return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


def _sizes(x: Tensor) -> tuple[int, int, int, int, int]:
    """Steps, elements, channels, inner size, threads."""
    channels = x.shape[2] if x.ndim > 2 else 1
    elements = x[0].numel()
    inner = elements // (x.shape[1] * channels)
    return x.shape[0], elements, channels, inner, torch.get_num_threads()


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
        _kernels[key] = CpuKernel(cpu_library.load(source.c_text, *BITS[dtype]), source)
    return _kernels[key]


def unavailable(source: KernelSource) -> str | None:
    """Why the kernels of a program cannot run here, or None: without a compiler, those that are kept still run."""
    reason = cpu_library.no_compiler()
    if reason is not None and any(cpu_library.find(source.c_text, *bits) for bits in BITS.values()):
        return None
    return reason
