"""A kernel is compared with the reference when it is first made, and never used if it disagrees.

The comparison takes milliseconds: a few steps of a few neurons, forward and backward, with all parameters. What agreed
is noted on disk beside the kernels, under the kernel and the code of the step: a later process need not repeat it.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import CodeType

import torch
from torch import Tensor

from neurons.errors import BackendUnavailable
from neurons.kernels.disk_cache import DiskCache
from neurons.kernels.source import KernelSource
from neurons.kernels.trace import in_clean_thread
from neurons.model import Neuron
from neurons.reference import step_loop

STEPS, ROWS, CHANNELS = 6, 24, 3
LEAST_DECIDED = 0.9
"""Share of the neurons that a comparison must rest on. The others come within rounding of a jump (a threshold), where
float32 may follow another path that is as right, or are not finite in the reference itself."""
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4, torch.bfloat16: 2e-2, torch.float16: 5e-3}
"""Relative to the largest value of a row of neurons, or of a parameter's gradient."""
GAINS = ((0.1, 10.0), (1.0, 1.0), (0.3, 2.0), (10.0, 100.0), (0.01, 0.1))
"""Of the input of the first and the last row, for one comparison after the other."""

Run = Callable[[Tensor, Sequence[Tensor], Tensor], tuple[Tensor, Tensor, Sequence[Tensor]]]
"""(x, values, gradient of the output) to the output and the gradients of x and of the values."""

_cache = DiskCache("verified")
_steps: dict[str, Neuron] = {}
_agreed: set[str] = set()


def expect(source: KernelSource, neuron: Neuron) -> None:
    """Kernels of `source` are to do what the step of `neuron` does as it is now."""
    if source.digest not in _steps:
        _steps[source.digest] = neuron.snapshot()


def verify(source: KernelSource, library: str, dtype: torch.dtype, device: torch.device, run: Run) -> None:
    """Compare a kernel with the reference unless this process or the disk knows that they agree.

    Args:
        library: what identifies the compiled kernel.

    Raises:
        BackendUnavailable: they disagree, or the comparison cannot tell.
    """
    neuron = _steps.get(source.digest)
    if neuron is None:
        return  # a graph from another process, which made the kernel and compared it
    code = _described(inspect.unwrap(type(neuron).step).__code__)
    decided_by = [library, source.digest, str(dtype), code, torch.__version__]
    key = hashlib.sha256(json.dumps(decided_by).encode()).hexdigest()[:32]
    if key in _agreed:
        return
    if _cache.find(f"{key}.txt") is None:
        fault = in_clean_thread(lambda: _compare(neuron, source, dtype, device, run))
        if fault is not None:
            raise BackendUnavailable(f"the kernel of {neuron.name} on {device} for {dtype} is not used: {fault}")
        _cache.store(f"{key}.txt", f"{neuron.name} on {device} for {dtype}\n".encode())
    _agreed.add(key)


def _described(code: CodeType) -> str:
    """The instructions, names and constants of a function and of those inside it."""
    constants = [_described(own) if isinstance(own, CodeType) else repr(own) for own in code.co_consts]
    whole = [code.co_code.hex(), code.co_names, constants]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


@dataclass(frozen=True)
class _Case:
    """One comparison: input [T, rows, channels], gradient of the output, values of parameters and constants."""

    neuron: Neuron
    source: KernelSource
    x: Tensor
    gradient: Tensor
    values: list[Tensor]

    def reference(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Output and gradients of the step in a loop, in that dtype."""
        count = len(self.source.parameters)
        parameters = [value.detach().to(dtype).requires_grad_() for value in self.values[:count]]
        x = self.x.detach().to(dtype).requires_grad_()
        output = step_loop(self.neuron, dict(zip(self.source.parameters, parameters, strict=True)), x)
        if not output.requires_grad:
            return output, torch.zeros_like(x), [torch.zeros_like(value) for value in parameters]
        grad_x, *grads = torch.autograd.grad(output, [x, *parameters], self.gradient.to(dtype), materialize_grads=True)
        return output.detach(), grad_x, grads

    def part(self, rows: Tensor) -> _Case:
        """The same for some of the rows."""
        x, gradient = self.x[:, rows].contiguous(), self.gradient[:, rows].contiguous()
        return _Case(self.neuron, self.source, x, gradient, self.values)


def _compare(neuron: Neuron, source: KernelSource, dtype: torch.dtype, device: torch.device, run: Run) -> str | None:
    """What disagrees, in words; None if nothing does. A disagreement counts if a second draw disagrees too."""
    real = torch.float64 if dtype == torch.float64 else torch.float32
    faults: list[str] = []
    for draw, gains in enumerate((*GAINS, *GAINS)):
        case = _draw(neuron, source, dtype, real, device, draw, gains)
        decided = _decided(case, real, TOLERANCE[dtype])
        if decided.float().mean() < LEAST_DECIDED:
            continue
        case = case.part(decided)
        fault = _fault(case, run(case.x, case.values, case.gradient), real, TOLERANCE[dtype])
        if fault is None:
            return None
        faults.append(fault)
        if len(faults) > 1:
            return f"{fault}; the backend reference remains"
    return "whether it agrees with the reference cannot be told on random inputs; the backend reference remains"


def _draw(
    neuron: Neuron,
    source: KernelSource,
    dtype: torch.dtype,
    real: torch.dtype,
    device: torch.device,
    seed: int,
    gains: tuple[float, float],
) -> _Case:
    steps = min(STEPS, neuron.timesteps or STEPS)
    generator = torch.Generator().manual_seed(seed)
    gain = torch.logspace(math.log10(gains[0]), math.log10(gains[1]), ROWS).unsqueeze(1)
    x = neuron.input_scale * gain * (0.7 + 0.6 * torch.randn(steps, ROWS, CHANNELS, generator=generator))
    gradient = torch.randn(x.shape, generator=generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        initial = neuron.initial_parameters(CHANNELS)
    values = []
    for name, per in zip(source.parameters, source.granularity, strict=True):
        value = initial[name][:steps] if per == "step_channel" else initial[name]
        noise = torch.randn(value.shape, generator=generator) if seed else torch.zeros(value.shape)
        values.append((value * (1 + 0.05 * noise) + 0.01 * noise).to(device, real))
    values += [torch.tensor(float(getattr(neuron, name)), dtype=real, device=device) for name in source.constants]
    return _Case(neuron, source, x.to(device, dtype), gradient.to(device, dtype), values)


def _decided(case: _Case, real: torch.dtype, tolerance: float) -> Tensor:
    """Rows whose results are finite, and the same to rounding in float32 as in float64."""
    exact = case.reference(torch.float64)
    rounded = case.reference(real) if real != torch.float64 else exact
    decided = torch.ones(case.x.shape[1], dtype=torch.bool, device=case.x.device)
    for own, right in zip(rounded[:2], exact[:2], strict=True):
        decided &= torch.isfinite(right).all(2).all(0) & _near(own, right, tolerance)
    return decided


def _near(own: Tensor, right: Tensor, tolerance: float) -> Tensor:
    """For each row whether all its values agree, relative to its largest."""
    largest = right.abs().amax((0, 2))
    allowed = tolerance * largest.clamp(min=1e-6 * float(largest.nan_to_num(0, 0, 0).max()))
    return ((own.double() - right).abs().amax((0, 2)) <= allowed) & torch.isfinite(own).all(2).all(0)


def _fault(
    case: _Case, found: tuple[Tensor, Tensor, Sequence[Tensor]], real: torch.dtype, tolerance: float
) -> str | None:
    exact, rounded = case.reference(torch.float64), case.reference(real)
    for what, own, right in zip(("output", "gradient of the input"), found[:2], exact[:2], strict=True):
        wrong = int((~_near(own, right, tolerance)).sum())
        if wrong:
            worst = float((own.double() - right).abs().nan_to_num(float("inf")).max())
            return f"its {what} differs from the reference in {wrong} of {right.shape[1]} rows, by up to {worst:.1e}"
    floor = 1e-3 * case.x.numel() ** 0.5
    for name, own, right, eager in zip(case.source.parameters, found[2], exact[2], rounded[2], strict=False):
        allowed = tolerance * max(float(right.abs().max()), floor) + 4 * float((eager.double() - right).abs().max())
        error = float((own.double() - right).abs().max())
        if not error <= allowed:
            return f"its gradient of {name} differs from the reference by {error:.1e}"
    return None
