"""The generated source of a neuron's kernels, kept on disk: a second process neither traces nor imports the tracer."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from neurons.kernels.coefficient import Coefficient
from neurons.kernels.disk_cache import DiskCache
from neurons.model import Neuron

PACKAGE = Path(__file__).parent.parent
TRACED_WITH = ("model.py", "surrogate.py", "kernels")
"""Files of this package, beside the model's own, that decide the generated source."""


@dataclass(frozen=True)
class KernelSource:
    """What a fused backend needs of a neuron.

    Attributes:
        parameters: the neuron's trainable parameters, in the order of the prologue's arguments.
        coefficients: what the prologue makes of them, in its order.
        prologue_text: a Python function `forward(self, *parameters)` that returns the coefficients.
        c_text: the C header `step.h`.
        triton_text: the Python module with the Triton functions of the step.
    """

    neuron: str
    states: tuple[str, ...]
    parameters: tuple[str, ...]
    coefficients: tuple[Coefficient, ...]
    prologue_text: str
    c_text: str
    triton_text: str

    @cached_property
    def digest(self) -> str:
        """A hash of the source: equal sources share their kernels."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:16]

    @cached_property
    def prologue(self) -> Callable[..., tuple[Tensor, ...]]:
        """From the parameters to the coefficients, in torch, differentiable."""
        scope: dict[str, Any] = {"torch": torch}
        exec(self.prologue_text, scope)
        forward = scope["forward"]
        return lambda *parameters: forward(None, *parameters)

    def to_json(self) -> bytes:
        """All of it as text."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, content: bytes) -> KernelSource:
        """What `to_json` wrote."""
        fields: dict[str, Any] = json.loads(content)
        for field in ("states", "parameters"):
            fields[field] = tuple(fields[field])
        fields["coefficients"] = tuple(Coefficient(**coefficient) for coefficient in fields["coefficients"])
        return cls(**fields)


_sources: dict[Hashable, KernelSource] = {}
_cache = DiskCache("sources")


def source_of(neuron: Neuron) -> KernelSource:
    """The kernel source of a neuron with its constants: from this process, from the disk, or traced.

    Raises:
        NotFusable: one line that names the operation and the line of the step.
    """
    key = neuron.signature()
    if key not in _sources:
        name = f"{_key(neuron)}.json"
        _sources[key] = _read(name) or _generate(neuron, name)
    return _sources[key]


def _read(name: str) -> KernelSource | None:
    content = _cache.read(name)
    return None if content is None else KernelSource.from_json(content)


def _generate(neuron: Neuron, name: str) -> KernelSource:
    from neurons.kernels.c_printer import print_c
    from neurons.kernels.trace import program_of
    from neurons.kernels.triton_printer import print_triton

    program = program_of(neuron)
    source = KernelSource(
        neuron=program.neuron,
        states=program.states,
        parameters=program.parameters,
        coefficients=program.coefficients,
        prologue_text=program.prologue_text,
        c_text=print_c(program),
        triton_text=print_triton(program),
    )
    _cache.store(name, source.to_json())
    return source


def _key(neuron: Neuron) -> str:
    """A hash of all that the source is made from: the files of the class and its bases, the constants, the tracer."""
    cls = type(neuron)
    files = {getattr(sys.modules.get(base.__module__), "__file__", None) for base in cls.__mro__[:-2]}
    texts = [Path(name).read_text(encoding="utf-8") for name in sorted(name for name in files if name)]
    constants = [(name, repr(getattr(neuron, name))) for name in cls.constants()]
    decided_by = [cls.__qualname__, neuron.timesteps, constants, texts, _tracer_hash(), torch.__version__]
    return hashlib.sha256(json.dumps(decided_by).encode()).hexdigest()[:32]


@cache
def _tracer_hash() -> str:
    digest = hashlib.sha256()
    for name in TRACED_WITH:
        place = PACKAGE / name
        for path in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            digest.update(path.read_bytes())
    return digest.hexdigest()
