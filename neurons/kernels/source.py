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

from neurons.kernels.coefficient import Coefficient, Coefficients
from neurons.learnable import Granularity
from neurons.model import Neuron


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

    def prologue(self, values: Sequence[Tensor], known: Known | None = None) -> Coefficients:
        """From the values to the coefficients.

        Args:
            known: where to look for coefficients made of constants alone, and to leave them for the next call.
        """
        constant = _of_constants(self, values, _last if known is None else known)
        own = len(self.coefficients) - len(constant)
        if not own:
            return constant
        made = self._computed(self.prologue_text, values)
        ready, others = iter(constant), iter(made)
        coefficients = [next(ready) if alone else next(others) for alone in self.constant]
        return Coefficients(coefficients, made[own:], constant.constants)

    def _computed(self, text: str, values: Sequence[Tensor]) -> list[Tensor]:
        function = _function(text, "prologue")
        if not torch.is_grad_enabled():
            return [made.contiguous() for made in function(values, values[0].dtype, values[0].device)]
        with torch.no_grad():
            return self._computed(text, values)

    def epilogue(
        self, values: Sequence[Tensor], sums: Sequence[Tensor], coefficients: Coefficients
    ) -> list[Tensor | None]:
        """From the sums of backward to the gradient of each value; None if it has none, as a constant.

        Args:
            coefficients: what the prologue made of the same values.
        """
        if not self.sums:
            return [None] * len(values)
        inputs = [*values, *sums, *coefficients.kept]
        made = _function(self.epilogue_text, "epilogue")(inputs, values[0].dtype, values[0].device)
        gradients = [
            own if own is None or own.shape == value.shape else own.reshape(value.shape)
            for own, value in zip(made, values, strict=False)
        ]
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
    from neurons.kernels.cpu.printer import print_c
    from neurons.kernels.gpu.printer import print_triton
    from neurons.kernels.torch_printer import of_constants, print_epilogue, print_prologue
    from neurons.kernels.trace import program_of

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


Known = dict[str, tuple[Sequence[Tensor], list[int], Coefficients]]
"""By the digest of a source: constants, their versions, and the coefficients that are made of them alone."""
_last: Known = {}
_none = Coefficients(())
UNTRACKED = -1
"""The version of a tensor made in inference mode: torch does not count its changes."""


def _of_constants(source: KernelSource, values: Sequence[Tensor], last: Known) -> Coefficients:
    """The coefficients that are made of constants alone: computed again only when one has changed."""
    if not source.constants:
        return _none
    constants = values[len(source.parameters) :]
    versions = [UNTRACKED if value.is_inference() else value._version for value in constants]
    known = last.get(source.digest)
    if (
        known is None
        or UNTRACKED in versions
        or versions != known[1]
        or any(a is not b for a, b in zip(constants, known[0], strict=True))
    ):
        with torch.inference_mode(False), torch.no_grad():
            made = source._computed(source.constant_text, values)
            coefficients = Coefficients(made, constants=[value.clone() for value in constants])
        known = last[source.digest] = constants, versions, coefficients
    return known[2]


@cache
def number(text: str, dtype: torch.dtype) -> Tensor:
    """A number as a tensor, which torch computes with three times as fast as with a number of Python."""
    from neurons.kernels.trace import in_clean_thread

    return in_clean_thread(lambda: torch.tensor(float(text), dtype=dtype, device="cpu"))


@cache
def _function(text: str, name: str) -> Callable[..., list[Any]]:
    scope: dict[str, Any] = {"number": number}
    exec(text, scope)
    function: Callable[..., list[Any]] = scope[name]
    return function
