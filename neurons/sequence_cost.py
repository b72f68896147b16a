"""What a model without a step costs: the operations of its own forward, counted as torch runs them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from neurons.errors import BackendUnavailable
from neurons.kernels.lowering import COPIES, operation_name
from neurons.kernels.operations import OPERATIONS
from neurons.model import Neuron

CHANNELS = 2
FREE = frozenset(
    (
        *COPIES,
        *("_to_copy", "slice", "select", "unbind", "split", "cat", "stack", "unsqueeze", "squeeze", "permute", "tril"),
        *("transpose", "t", "reshape", "flip", "constant_pad_nd", "arange", "zeros", "ones", "zeros_like", "triu"),
        *("ones_like", "empty_like", "empty", "fill", "copy", "complex", "view_as_complex", "view_as_real", "real"),
        *("imag", "as_strided", "new_zeros", "full", "scalar_tensor", "_conj", "conj", "masked_fill"),
    )
)
"""Operations that move values or make constants."""


def operations_of(neuron: Neuron, steps: int) -> Counter[str]:
    """Operations of a neuron and time step by class, for sequences of that length; what neurons share is free.

    A matrix product of T steps costs T multiplications and additions a step; a Fourier transform of n real values
    2.5·n·log₂ n operations, of which two in five are multiplications.

    Raises:
        BackendUnavailable: the forward does something that is not counted.
    """
    small, large = (_counted(neuron, steps, samples) for samples in (1, 2))
    per = steps * CHANNELS
    return Counter({kind: (large[kind] - small[kind]) / per for kind in large if large[kind] > small[kind]})


def _counted(neuron: Neuron, steps: int, samples: int) -> Counter[str]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        own = neuron.bind({})
        own.timesteps = steps
        parameters = own.initial_parameters(CHANNELS)
    counter = _Counter(neuron.name)
    with torch.no_grad(), counter:
        own.run(parameters, torch.zeros(steps, samples, CHANNELS))
    return counter.found


class _Counter(TorchDispatchMode):
    """Adds up the operations that pass."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = operation_name(func)
        if name in SPECIAL:
            self.found.update(SPECIAL[name](args, result))
        elif name in OPERATIONS or name in ("rsub", "bitwise_and", "clamp"):
            kind = OPERATIONS[name].cost if name in OPERATIONS else "add"
            self.found.update(_pointwise(kind, result))
        elif isinstance(result, Tensor) and name not in FREE:
            raise BackendUnavailable(f"{self.name}: operations of {name} are not counted")
        return result


def _pointwise(kind: str, result: Tensor) -> dict[str, float]:
    count = result.numel()
    if not result.is_complex() or kind not in ("multiply", "divide"):
        return {kind: count * (2 if result.is_complex() else 1)}
    return {"multiply": 4 * count, "add": 2 * count}


def _product(args: Any, result: Tensor) -> dict[str, float]:
    inner = next(value for value in reversed(args) if isinstance(value, Tensor)).shape[-2]
    return {"multiply": result.numel() * inner, "add": result.numel() * inner}


def _sum(args: Any, result: Tensor) -> dict[str, float]:
    return {"add": args[0].numel()}


def _transform(real: Callable[[Any, Tensor], Tensor]) -> Callable[[Any, Tensor], dict[str, float]]:
    def count(args: Any, result: Tensor) -> dict[str, float]:
        values = real(args, result)
        length = values.shape[args[1][0]]
        total = 2.5 * values.numel() * math.log2(max(length, 2))
        return {"multiply": 0.4 * total, "add": 0.6 * total}

    return count


SPECIAL: dict[str, Callable[[Any, Any], dict[str, float]]] = {
    **dict.fromkeys(["mm", "addmm", "bmm"], _product),
    **dict.fromkeys(["sum", "cumsum"], _sum),
    "_fft_r2c": _transform(lambda args, result: args[0]),
    "_fft_c2r": _transform(lambda args, result: result),
}
