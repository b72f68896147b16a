"""A fused program as what a layer calls: differentiable, by the shortest way that the tensors allow.

Three ways lead to the same kernels. Plain tensors in eager mode go straight to them (an operation of torch costs
0.2 ms a call more, which small layers would feel). What compiles, traces or fakes meets the registered operations.
Torch's transforms meet functions that say how a batch or a second derivative is treated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.autograd import forward_ad

from neurons.errors import NotFusable
from neurons.kernels import fused_transforms, verification
from neurons.kernels.fused_operations import fused_forward
from neurons.kernels.programs import Program, as_stored, make_known
from neurons.kernels.source import Known, source_of
from neurons.model import Neuron

PLAIN = (Tensor, torch.nn.Parameter)
PRE_DISPATCH = torch._C.DispatchKey.PreDispatch


class FusedRunner:
    """Runs one neuron over time, by one kind of kernel ("cpu" or "triton").

    A layer makes it anew when its neuron has changed, but for annealed constants (`Neuron.annealed`): these are tensors
    that follow the attribute, given at each call after the parameters.
    """

    def __init__(self, neuron: Neuron, kind: str, bptt_steps: int | None) -> None:
        self.neuron = neuron
        self.kind = kind
        self.bptt_steps = bptt_steps
        self.programs: dict[torch.dtype, Program] = {}
        self.constants: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
        self.known: Known = {}
        self.asks = True
        self._prepare(torch.float32)
        if kind == "cpu":
            with suppress(NotFusable):  # raised again at the first input of that type
                self._prepare(torch.float64)

    def __call__(self, parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
        dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
        program, constants = self.prepared(x)
        own = [_of_dtype(parameters[name], dtype) for name in program.source.parameters]
        needed = torch.is_grad_enabled() and _any_trained(x, own)
        if torch.compiler.is_compiling():
            values = [value.contiguous() for value in (*own, *constants)]
            return fused_forward(x.contiguous(), values, program.handle, needed)[0]
        if forward_ad._current_level >= 0:
            self._refuse_tangents(program, (x, *own))
        if torch._C._are_functorch_transforms_active():
            return fused_transforms.Forward.apply(x, program.handle, *own, *constants)[0]
        if not is_plain((x, *own)):
            # of their own, as a mode may fake or record all that it meets
            numbers = [float(getattr(self.neuron, name)) for name in program.source.constants]
            fresh = [torch.full((), number, dtype=dtype, device=x.device) for number in numbers]
            return fused_forward(x, [*own, *fresh], program.handle, needed)[0]
        stored = [as_stored(value) for value in own]
        if not x.is_contiguous() and (places := _channels_last(x)) is not None:
            output = _FusedFunction.apply(as_stored(places.flatten(1, -2)), program, needed, constants, self, *stored)
            return output.view(places.shape).movedim(-1, 2)
        return _FusedFunction.apply(as_stored(x), program, needed, constants, self, *stored)

    def prepared(self, x: Tensor) -> tuple[Program, list[Tensor]]:
        """The program for inputs like x, whose states are float32 also for 16-bit ones, and its run-time constants."""
        dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
        if dtype not in self.programs:
            self._prepare(dtype)
        program = self.programs[dtype]
        return program, self._constants(program, dtype, x) if program.source.constants else []

    def _prepare(self, dtype: torch.dtype) -> None:
        source = source_of(self.neuron, dtype)
        verification.expect(source, self.neuron)
        self.programs[dtype] = Program(self.kind, source, self.bptt_steps)
        make_known(self.programs[dtype])
        if source.constants and self.kind == "cpu":  # made here, not where torch.compile traces
            self._constants(self.programs[dtype], dtype, torch.empty(0))

    def _constants(self, program: Program, dtype: torch.dtype, x: Tensor) -> list[Tensor]:
        key = dtype, x.device
        if key not in self.constants:
            self.constants[key] = [self.neuron.held(name, dtype, x.device) for name in program.source.constants]
        return self.constants[key]

    def _refuse_tangents(self, program: Program, tensors: Iterable[Tensor]) -> None:
        if any(forward_ad.unpack_dual(tensor).tangent is not None for tensor in tensors):
            raise program.once("forward-mode derivatives (jvp, jacfwd, hessian)")


class _FusedFunction(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        program: Program,
        needed: bool,
        constants: list[Tensor],
        runner: FusedRunner,
        *parameters: Tensor,
    ) -> Tensor:
        coefficients = program.source.prologue([*parameters, *constants], runner.known)
        output, checkpoints = program.forward_with(x, coefficients, needed)
        if needed:
            ctx.save_for_backward(x, checkpoints, *parameters)
            # as they are now: backward belongs to this forward, also where a constant is annealed between the two
            ctx.rest = program, coefficients, runner
        return output

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, checkpoints, *parameters = ctx.saved_tensors
        program, coefficients, runner = ctx.rest
        values = [*parameters, *coefficients.constants]
        # A second derivative is refused by the function of the transforms, which a graph of the gradient records.
        if torch.is_grad_enabled() or torch._C._are_functorch_transforms_active() or not is_plain((grad, x)):
            grad_x, *grads = fused_transforms.Backward.apply(grad, x, checkpoints, program.handle, *values)
        else:
            refuse_batch(grad, program)
            grad_x, sums = program.backward_with(as_stored(grad), x, checkpoints, coefficients)
            wanted = parameters and _parameters_wanted(ctx, runner)
            grads = program.source.epilogue(values, sums, coefficients) if wanted else [None] * len(values)
        return grad_x, None, None, None, None, *grads[: len(parameters)]

    @staticmethod
    def jvp(ctx: Any, *_: Any) -> NoReturn:
        raise ctx.rest[0].once("forward-mode derivatives (jvp, jacfwd)")


def is_plain(tensors: Iterable[Tensor]) -> bool:
    """Whether these tensors are no more than numbers in memory, and nothing watches what is done with them."""
    if torch._C._len_torch_dispatch_stack() or torch._C._dispatch_tls_is_dispatch_key_included(PRE_DISPATCH):
        return False
    for tensor in tensors:  # noqa: SIM110 (a generator costs as much again)
        if type(tensor) not in PLAIN or tensor.is_meta:
            return False
    return True


def _channels_last(x: Tensor) -> Tensor | None:
    """x as [T, N, *features, C] if it lies so in memory, as convolutions leave it: their format is kept, uncopied."""
    if x.ndim < 4:
        return None
    places = x.movedim(2, -1)
    return places if places.is_contiguous() else None


def _parameters_wanted(ctx: Any, runner: FusedRunner) -> bool:
    """Whether this backward goes on to a parameter: where the gradient of x alone is asked for, it does not."""
    if not runner.asks:
        return True
    try:
        return any(node is not None and torch._C._will_engine_execute_node(node) for node, _ in ctx.next_functions[1:])
    except RuntimeError:  # the engine does not tell of a parameter that `torch.autograd.grad` is asked for
        runner.asks = False  # an error takes longer than the gradients of all parameters
        return True


def _any_trained(x: Tensor, parameters: Iterable[Tensor]) -> bool:
    if x.requires_grad:
        return True
    return any(value.requires_grad for value in parameters)


def _of_dtype(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor if tensor.dtype is dtype else tensor.to(dtype)


def refuse_batch(grad: Tensor, program: Program) -> None:
    """`torch.autograd` batches gradients by tensors that look plain, but have no memory of their own."""
    try:
        grad.data_ptr()
    except RuntimeError:
        raise program.once("batched gradients (is_grads_batched, vectorize) use torch.func.jacrev, or") from None
