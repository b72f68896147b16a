"""The programs that fused operations run. In a graph a string stands for each, its handle.

A program is known in the process that made a layer of it. What puts a handle into a graph (`torch.export`, `make_fx`)
also keeps the program on disk, so that the graph runs in another process of this user.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from neurons.errors import BackendUnavailable
from neurons.kernels import verification
from neurons.kernels.coefficient import Coefficients
from neurons.kernels.cpu.kernel import CpuKernel, cpu_kernel
from neurons.kernels.disk_cache import DiskCache
from neurons.kernels.source import KernelSource


class Kernel(Protocol):
    """A compiled source. All tensors are contiguous; coefficients are of the states' dtype.

    `identity` tells it from every other: source, hand-written part, compiler, processor or card.
    """

    identity: str

    def forward(
        self, x: Tensor, coefficients: Sequence[Tensor], for_backward: bool, bptt_steps: int | None
    ) -> tuple[Tensor, Tensor]:
        """The output, and checkpoints that backward needs beside x (float32, empty if none)."""

    def backward(
        self, grad: Tensor, x: Tensor, checkpoints: Tensor, coefficients: Sequence[Tensor], bptt_steps: int | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Gradient of x and the sums of the source; with `bptt_steps` truncated (see `neurons.truncation`)."""


@dataclass(frozen=True)
class Program:
    """One source, run by one kind of kernel ("cpu" or "triton"), its gradient truncated to `bptt_steps` if given."""

    kind: str
    source: KernelSource
    bptt_steps: int | None

    @property
    def handle(self) -> str:
        truncated = f"-bptt{self.bptt_steps}" if self.bptt_steps else ""
        return f"{self.kind}:{self.source.neuron}-{self.source.digest}{truncated}"

    def forward(self, x: Tensor, values: Sequence[Tensor], for_backward: bool) -> tuple[Tensor, Tensor]:
        """Output for x [T, N, *features], and checkpoints; all tensors as they are stored (`as_stored`).

        Args:
            values: parameters and run-time constants, see `KernelSource`.
        """
        output, checkpoints = self.forward_with(x, self.source.prologue(values), for_backward)
        return output, checkpoints if checkpoints.numel() else x.new_empty(checkpoints.shape, dtype=torch.float32)

    def backward(
        self, grad: Tensor, x: Tensor, checkpoints: Tensor, values: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Gradients of x and of each value, of their dtypes; all tensors as they are stored."""
        coefficients = self.source.prologue(values)
        grad_x, sums = self.backward_with(grad, x, checkpoints, coefficients)
        grads = self.source.epilogue(values, sums, coefficients)
        return grad_x, [torch.zeros_like(v) if own is None else own for own, v in zip(grads, values, strict=True)]

    def forward_with(self, x: Tensor, coefficients: Coefficients, for_backward: bool) -> tuple[Tensor, Tensor]:
        """As `forward`, from what the prologue makes of the values; empty checkpoints may be shared between calls."""
        return self._kernel(x).forward(x, coefficients, for_backward, self._window(x))

    def backward_with(
        self, grad: Tensor, x: Tensor, checkpoints: Tensor, coefficients: Coefficients
    ) -> tuple[Tensor, list[Tensor]]:
        """Gradient of x, and the sums from which the epilogue makes those of the values."""
        return self._kernel(x).backward(grad, x, checkpoints, coefficients, self._window(x))

    def step_kernel(self, x: Tensor) -> CpuKernel:
        """What runs one time step of an input x [1, N, *features], its states given; of the kind "cpu" alone."""
        kernel = self._kernel(x)
        assert isinstance(kernel, CpuKernel)
        return kernel

    def checkpoint_shape(self, x: Tensor, for_backward: bool) -> tuple[int, ...]:
        """Shape of what `forward` returns beside the output."""
        if self.kind == "cpu" or not for_backward:
            return (0,)
        from neurons.kernels.gpu.launch import checkpoint_shape

        return checkpoint_shape(self.source, x.shape, self._window(x))

    def once(self, what: str) -> BackendUnavailable:
        """The error for a derivative that the kernels do not have."""
        kernel = f"the fused {self.kind} kernel of {self.source.neuron}"
        return BackendUnavailable(f"{kernel} is differentiable once, backward: for {what} take backend='reference'")

    def _kernel(self, x: Tensor) -> Kernel:
        """The kernel for tensors like x, compared with the reference before it is first used."""
        key = self.kind, self.source.digest, x.dtype, x.device
        if key not in _kernels:
            kernel = self._compiled(x)
            run = partial(_run_once, self.source, kernel)
            verification.verify(self.source, kernel.identity, x.dtype, x.device, run)
            _kernels[key] = kernel
        return _kernels[key]

    def _compiled(self, x: Tensor) -> Kernel:
        if self.kind == "cpu":
            return cpu_kernel(self.source, x.dtype)
        from neurons.kernels.gpu.launch import triton_kernel

        return triton_kernel(self.source)

    def _window(self, x: Tensor) -> int | None:
        """Time steps that a gradient may go back; None if that is all of them."""
        return None if self.bptt_steps is None or self.bptt_steps >= x.shape[0] else self.bptt_steps


def as_stored(tensor: Tensor) -> Tensor:
    """Its numbers side by side in memory, as kernels read them; the tensor itself where they are."""
    return (tensor.resolve_neg() if tensor.is_neg() else tensor).contiguous()


_kernels: dict[tuple[str, str, torch.dtype, torch.device], Kernel] = {}


def _run_once(
    source: KernelSource, kernel: Kernel, x: Tensor, values: Sequence[Tensor], gradient: Tensor
) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
    """Output and gradients of x and of the values."""
    coefficients = source.prologue(values)
    output, checkpoints = kernel.forward(x, coefficients, True, None)
    grad_x, sums = kernel.backward(gradient, x, checkpoints, coefficients, None)
    grads = source.epilogue(values, sums, coefficients)
    return output, grad_x, [torch.zeros_like(v) if own is None else own for own, v in zip(grads, values, strict=True)]


_programs: dict[str, Program] = {}
_kept: set[str] = set()
_cache = DiskCache("programs")
HANDLE = re.compile(r"(cpu|triton):(.*)-([0-9a-f]{16})(?:-bptt([1-9]\d*))?", re.DOTALL)


def make_known(program: Program) -> str:
    """The program's handle, from now on known in this process."""
    handle = program.handle
    _programs.setdefault(handle, program)
    return handle


def program_of(handle: str) -> Program:
    """The program of a handle, from this process or from the disk.

    Raises:
        BackendUnavailable: neither knows it; one line that says what makes it known.
    """
    if handle not in _programs:
        parts = HANDLE.fullmatch(handle)
        content = None if parts is None else _cache.read(f"{parts[3]}.json")
        if parts is None or content is None:
            name = handle if parts is None else parts[2]
            raise BackendUnavailable(
                f"this graph runs the kernel '{handle}', which is not known here: make the same layer first, "
                f"neurons.layer('{name}', …), or export the network again"
            )
        bptt_steps = int(parts[4]) if parts[4] else None
        _programs[handle] = Program(parts[1], KernelSource.from_json(content), bptt_steps)
    return _programs[handle]


def keep(handle: str) -> None:
    """Keep the handle's program on disk, for other processes that meet the handle in a graph."""
    source = program_of(handle).source
    if source.digest not in _kept:
        _kept.add(source.digest)
        name = f"{source.digest}.json"
        if _cache.find(name) is None:
            _cache.store(name, source.to_json())
