"""Which kernels a layer really ran, read off torch's profiler: a backend is established, not believed."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from neurons import Neuron, peers
from neurons.peers.peer import Peer

FUSED = (
    *("_FusedFunction", "_FusedFunctionBackward", "_FusedStepFunction", "_FusedStepFunctionBackward"),
    *("neurons::fused_forward", "neurons::fused_backward"),
)
"""Calls of the fused kernels, direct and as operations of torch."""
OWN_KERNELS = ("forward_kernel", "backward_kernel", "truncated_kernel")
INDUCTOR_KERNELS = ("triton_",)
OF_TORCH = re.compile(r"at::|cub::|cublas|cudnn|cutlass|gemm|Memcpy|Memset|hip", re.IGNORECASE)
"""Kernels of torch and its libraries, as the profiler names them."""
COMPILED = "## Call CompiledFxGraph"
BOOKKEEPING = {
    *("empty", "empty_like", "empty_strided", "new_empty", "as_strided", "view", "view_as", "reshape", "expand"),
    *("expand_as", "flatten", "unflatten", "unsqueeze", "squeeze", "select", "unbind", "t", "transpose", "permute"),
    *("alias", "detach", "detach_", "lift_fresh", "to", "contiguous"),
}
"""Operators that compute nothing."""
KIND_OF_BACKEND = {
    **{"reference": "torch operators", "compile": "compiled graph", "cpu": "fused C", "triton": "triton"},
    **{"convolution": "torch operators", "scan": "torch operators"},
}
SHOWN = 4


class WrongKernel(Exception):
    """A backend ran something else than its name says."""


@dataclass(frozen=True)
class Executed:
    """What one call did.

    Attributes:
        kind: "fused C", "triton" (the suite's), "compiled graph", "package kernels" (on a card, neither torch's nor the
            suite's) or "torch operators".
        calls: operations that compute or copy: calls of fused kernels and compiled graphs, operators of torch, or the
            kernels that a GPU was given.
        names: how often each ran, kernels first, then the most frequent.
        on_card: these are kernels that a card was given.
    """

    kind: str
    calls: int
    names: tuple[tuple[str, int], ...]
    on_card: bool = False

    def __str__(self) -> str:
        shown = ", ".join(f"{count}× {name}" for name, count in self.names[:SHOWN])
        more = len(self.names) - SHOWN
        return f"{self.kind}: {shown}" + (f" and {more} more" if more > 0 else "")


def executed(work: Callable[[], object]) -> Executed:
    """Run `work` once more under the profiler and tell what ran."""
    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
    with _quiet(), profile(activities=activities) as recorded:
        work()
    events = recorded.events() or []
    on_gpu = Counter(event.name for event in events if event.device_type == torch.autograd.DeviceType.CUDA)
    names = on_gpu or Counter(_short(event.name) for event in events if _computes(event))
    ordered = tuple(sorted(names.items(), key=_by_weight))
    return Executed(_kind(names, bool(on_gpu)), names.total(), ordered, on_card=bool(on_gpu))


def _computes(event: Any) -> bool:
    """Whether an event of the CPU is an operation of its own: not a part of another, and no mere view or allocation."""
    if event.name in FUSED or event.name.startswith(COMPILED):
        return True
    if not event.name.startswith("aten::") or event.name.removeprefix("aten::") in BOOKKEEPING:
        return False
    parent = event.cpu_parent
    return parent is None or not parent.name.startswith("aten::")


def check(backend: str, found: Executed, neuron: Neuron | None = None) -> None:
    """Refuse a neuron that did not run by what was asked for.

    Raises:
        WrongKernel: a backend of the suite ran another kind of kernel than it is, or a package its loop on a card,
            where it has a kernel of the neuron.
    """
    wanted = KIND_OF_BACKEND.get(backend)
    if wanted is not None and found.kind != wanted:
        raise WrongKernel(f"backend {backend} should run {wanted} but ran {found}")
    if wanted is None and found.on_card and found.kind == "torch operators" and _has_kernel(backend, neuron):
        raise WrongKernel(f"{backend} has a kernel of {neuron.name if neuron else backend} for cards but ran {found}")


def _has_kernel(package: str, neuron: Neuron | None) -> bool:
    known = [neuron] if isinstance(neuron, Peer) else peers.counterparts(package, neuron.name) if neuron else []
    return bool(known) and known[0].kernel_on_cards


def _kind(names: Counter[str], on_card: bool) -> str:
    if not on_card:
        if any(name in FUSED for name in names):
            return "fused C"
        return "compiled graph" if "compiled graph" in names else "torch operators"
    if any(name.startswith(OWN_KERNELS) for name in names):
        return "triton"
    if any(name.startswith(INDUCTOR_KERNELS) for name in names):
        return "compiled graph"
    return "torch operators" if all(OF_TORCH.search(name) for name in names) else "package kernels"


def _short(name: str) -> str:
    """A name as people say it: compiled graphs without their hash."""
    return "compiled graph" if name.startswith(COMPILED) else name.removeprefix("aten::")


def _by_weight(entry: tuple[str, int]) -> tuple[bool, int]:
    """Kernels and compiled graphs first, then by how often."""
    return entry[0] not in (*FUSED, "compiled graph"), -entry[1]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The profiler's library writes notes of its own to the process's standard error; they say nothing about a run."""
    with contextlib.ExitStack() as stack:
        saved = os.dup(2)
        stack.callback(os.close, saved)
        stack.callback(os.dup2, saved, 2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
        yield
