"""The source of a neuron's kernels, generated from its traced program: what is compiled, and what is run by torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor

from neurons.kernels.coefficient import Coefficient
from neurons.model import Granularity, Neuron


@dataclass(frozen=True)
class KernelSource:
    """What a fused backend needs of a neuron.

    The *values* of a call are the neuron's trainable parameters, then its run-time constants as tensors of one number.

    Attributes:
        neuron: its name, for messages.
        program: the digest of the traced program (`trace.Program.digest`).
        granularity: of each parameter.
        constants: names of the constants that are given at each call.
        coefficients: what the prologue makes of the values, in its order.
        sums: what backward adds up, from which the epilogue makes the gradients of the parameters.
        constant: for each coefficient whether it is made of constants alone, by `constant_text`.
        c_text: the C header `step.h`.
        triton_text: the Python module with the Triton functions of the step.
    """

    neuron: str
    program: str
    states: tuple[str, ...]
    parameters: tuple[str, ...]
    granularity: tuple[Granularity, ...]
    constants: tuple[str, ...]
    coefficients: tuple[Coefficient, ...]
    sums: tuple[Coefficient, ...]
    constant: tuple[bool, ...]
    prologue_text: str
    constant_text: str
    epilogue_text: str
    c_text: str
    triton_text: str

    digest: str = field(init=False, default="", compare=False)
    """A hash of the source: equal sources share their kernels."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha256(self.to_json()).hexdigest()[:16])

    def prologue(self, values: Sequence[Tensor]) -> Sequence[Tensor]:
        """From the values to the coefficients, contiguous."""
        constant = _of_constants(self, values) if self.constants else ()
        if len(constant) == len(self.coefficients):
            return constant
        made = iter(self._computed(self.prologue_text, values))
        kept = iter(constant)
        return [next(kept) if own else next(made) for own in self.constant]

    def _computed(self, text: str, values: Sequence[Tensor]) -> list[Tensor]:
        with torch.no_grad():
            made = _function(text, "prologue")(values, values[0].dtype, values[0].device)
            return [coefficient.contiguous() for coefficient in made]

    def epilogue(self, values: Sequence[Tensor], sums: Sequence[Tensor]) -> list[Tensor | None]:
        """From the sums of backward to the gradient of each value; None if it has none, as a constant."""
        if not self.sums:
            return [None] * len(values)
        made = _function(self.epilogue_text, "epilogue")([*values, *sums], values[0].dtype, values[0].device)
        gradients = [None if own is None else own.reshape(v.shape) for own, v in zip(made, values, strict=False)]
        return [*gradients, *[None] * (len(values) - len(gradients))]

    def sum_shapes(self, x: Tensor) -> list[tuple[int, ...]]:
        """The shape of each sum for an input [T, N, C, *features]."""
        channels = x.shape[2] if x.ndim > 2 else 1
        shapes: dict[str, tuple[int, ...]] = {
            "layer": (),
            "channel": (channels,),
            "step_channel": (x.shape[0], channels),
        }
        return [shapes[total.per] for total in self.sums]

    def to_json(self) -> bytes:
        """All of it as text."""
        return json.dumps({name: value for name, value in asdict(self).items() if name != "digest"}).encode()

    @classmethod
    def from_json(cls, content: bytes) -> KernelSource:
        """What `to_json` wrote."""
        fields: dict[str, Any] = json.loads(content)
        for name, value in fields.items():
            if isinstance(value, list):
                fields[name] = tuple(Coefficient(**own) if isinstance(own, dict) else own for own in value)
        return cls(**fields)


def source_of(neuron: Neuron, dtype: torch.dtype = torch.float32) -> KernelSource:
    """The kernel source of a neuron as it is now, for states of that dtype.

    Raises:
        NotFusable: one line that names the operation and the line of the step.
    """
    sources: dict[torch.dtype, KernelSource] = neuron.derived("sources")
    if dtype not in sources:
        sources[dtype] = _generate(neuron, dtype)
    return sources[dtype]


def _generate(neuron: Neuron, dtype: torch.dtype) -> KernelSource:
    from neurons.kernels.c_printer import print_c
    from neurons.kernels.torch_printer import of_constants, print_epilogue, print_prologue
    from neurons.kernels.trace import program_of
    from neurons.kernels.triton_printer import print_triton

    program = program_of(neuron, dtype)
    return KernelSource(
        neuron=program.neuron,
        program=program.digest(),
        states=program.states,
        parameters=program.parameters,
        granularity=program.granularity,
        constants=program.constants,
        coefficients=program.coefficients,
        sums=program.sums,
        constant=of_constants(program),
        prologue_text=print_prologue(program, constant=False),
        constant_text=print_prologue(program, constant=True),
        epilogue_text=print_epilogue(program),
        c_text=print_c(program),
        triton_text=print_triton(program),
    )


_last: dict[str, tuple[list[Tensor], list[int], list[Tensor]]] = {}


def _of_constants(source: KernelSource, values: Sequence[Tensor]) -> Sequence[Tensor]:
    """The coefficients that are made of constants alone: computed again only when one has changed."""
    constants = list(values[len(source.parameters) :])
    versions = [value._version for value in constants]
    known = _last.get(source.digest)
    if known is None or versions != known[1] or any(a is not b for a, b in zip(constants, known[0], strict=True)):
        known = _last[source.digest] = constants, versions, source._computed(source.constant_text, values)
    return known[2]


@cache
def _function(text: str, name: str) -> Callable[..., list[Any]]:
    scope: dict[str, Any] = {}
    exec(text, scope)
    function: Callable[..., list[Any]] = scope[name]
    return function
