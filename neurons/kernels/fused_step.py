"""One time step by the fused kernel, its states given and returned, differentiable in all of them.

T such steps have the outputs of one call of the layer to the last bit, and its gradient of the input. A step is called
as often as there are time steps, so what does not change with them is prepared once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from neurons.errors import BackendUnavailable, InvalidValue
from neurons.kernels.coefficient import Coefficients
from neurons.kernels.fused import FusedRunner, is_plain, refuse_batch
from neurons.kernels.programs import Program, as_stored
from neurons.kernels.source import KernelSource
from neurons.model import Neuron


class FusedStep:
    """Runs one time step of a neuron on the CPU."""

    def __init__(self, neuron: Neuron) -> None:
        self.runner = FusedRunner(neuron, "cpu", None)
        self._whole: tuple[list[Tensor], Coefficients] | None = None

    def state_dtype(self, x: Tensor) -> torch.dtype:
        """Of the states for inputs like x: those of a 16-bit input are float32."""
        return torch.float64 if x.dtype == torch.float64 else torch.float32

    @torch.compiler.disable
    def __call__(
        self, parameters: Mapping[str, Tensor], x: Tensor, states: Sequence[Tensor], time: int
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Output and states after step `time` of x [N, *features].

        Raises:
            BackendUnavailable: a mode of torch that only plain operations know.
            InvalidValue: a state is not of the input's shape.
        """
        program, constants = self.runner.prepared(x)
        source, dtype = program.source, self.state_dtype(x)
        whole = [parameters[name].to(dtype) for name in source.parameters]
        _check(program, x, states, whole, dtype)
        own = [_row(value, per, time) for value, per in zip(whole, source.granularity, strict=True)]
        if "step_channel" in source.granularity:
            coefficients = self._of_step(source, whole, own, constants, time)
        else:
            coefficients = source.prologue([*map(as_stored, own), *constants], self.runner.known)
        given = [as_stored(value) for value in (*states, *own)]
        output, *after = _FusedStepFunction.apply(as_stored(x), program, coefficients, constants, len(states), *given)
        return output, tuple(after)

    def _of_step(
        self,
        source: KernelSource,
        whole: Sequence[Tensor],
        own: Sequence[Tensor],
        constants: Sequence[Tensor],
        time: int,
    ) -> Coefficients:
        """The rows of a step among the coefficients of all steps.

        torch rounds by where a value stands in its tensor: rows computed apart would not be those of a whole call. So
        all are computed at once, and again as soon as a value that this step needs is another.
        """
        values = [*whole, *constants]
        if self._whole is None or not _alike(self._whole[0], [*own, *constants], source, time):
            stored = [as_stored(value.detach()).clone() for value in values]
            self._whole = stored, source.prologue(stored)
        made = zip(self._whole[1], source.coefficients, strict=True)
        return Coefficients([_row(value, coefficient.per, time) for value, coefficient in made])


def _row(value: Tensor, per: str, time: int) -> Tensor:
    return value[time : time + 1] if per == "step_channel" else value


def _alike(kept: Sequence[Tensor], now: Sequence[Tensor], source: KernelSource, time: int) -> bool:
    granularity = [*source.granularity, *["layer"] * len(source.constants)]
    rows = [_row(value, per, time) for value, per in zip(kept, granularity, strict=True)]
    return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(rows, now, strict=True))


def _check(program: Program, x: Tensor, states: Sequence[Tensor], own: Sequence[Tensor], dtype: torch.dtype) -> None:
    watched = forward_ad._current_level >= 0 or torch._C._are_functorch_transforms_active()
    if watched or not is_plain((x, *states, *own)):
        name = program.source.neuron
        raise BackendUnavailable(
            f"one fused step of {name} takes plain tensors; for transforms, tangents or subclasses of tensors take "
            "backend='reference'"
        )
    for state in states:
        if state.shape != x.shape or state.dtype != dtype:
            wanted = f"{list(x.shape)} of {dtype}"
            found = f"{list(state.shape)} of {state.dtype}"
            raise InvalidValue(f"a state must be {wanted}, as initial_state(x) makes it, not {found}")


class _FusedStepFunction(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        program: Program,
        coefficients: Coefficients,
        constants: list[Tensor],
        count: int,
        *values: Tensor,
    ) -> tuple[Tensor, ...]:
        wide = x.unsqueeze(0)
        output, after = program.step_kernel(wide).step(wide, values[:count], coefficients)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, *values)
        ctx.rest = program, coefficients, constants, count
        return output.squeeze(0), *after

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, *grad_states: Tensor | None) -> tuple[Tensor | None, ...]:
        x, *values = ctx.saved_tensors
        program, coefficients, constants, count = ctx.rest
        if torch.is_grad_enabled():
            raise program.once("second derivatives")
        given = [None if own is None else as_stored(own) for own in (grad, *grad_states)]
        for own in given:
            if own is not None:
                refuse_batch(own, program)
        wide, states, parameters = x.unsqueeze(0), values[:count], values[count:]
        kernel = program.step_kernel(wide)
        grad_x, before, sums = kernel.step_backward(given[0], given[1:], wide, states, coefficients)
        grads: Sequence[Tensor | None] = [None] * len(parameters)
        if any(ctx.needs_input_grad[5 + count :]):
            given_values = [*parameters, *constants]
            # rows of all coefficients come without what the epilogue starts from
            made = (
                program.source.prologue(given_values) if "step_channel" in program.source.granularity else coefficients
            )
            grads = program.source.epilogue(given_values, sums, made)
        return grad_x.squeeze(0), None, None, None, None, *before, *grads[: len(parameters)]
