"""Which kernels a layer really ran, read off torch's profiler: a backend is established, not believed."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

FUSED = ("_FusedFunction", "_FusedFunctionBackward")
OWN_KERNELS = ("forward_kernel", "backward_kernel", "truncated_kernel")
COMPILED = "## Call CompiledFxGraph"
BOOKKEEPING = {
    *("empty", "empty_like", "empty_strided", "new_empty", "as_strided", "view", "view_as", "reshape", "expand"),
    *("expand_as", "flatten", "unflatten", "unsqueeze", "squeeze", "select", "unbind", "t", "transpose", "permute"),
    *("alias", "detach", "detach_", "lift_fresh", "to", "contiguous"),
}
"""Operators that compute nothing."""
KIND_OF_BACKEND = {"reference": "torch operators", "compile": "compiled graph", "cpu": "fused C", "triton": "triton"}
SHOWN = 4


class WrongKernel(Exception):
    """A backend ran something else than its name says."""


@dataclass(frozen=True)
class Executed:
    """What one call did.

    Attributes:
        kind: "fused C", "triton", "compiled graph" or "torch operators"; on a GPU also the package's own kernels, by
            "cuda kernels".
        calls: operations that compute or copy: calls of fused kernels and compiled graphs, operators of torch, or the
            kernels that a GPU was given.
        names: how often each ran, kernels first, then the most frequent.
    """

    kind: str
    calls: int
    names: tuple[tuple[str, int], ...]

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
    return Executed(_kind(names, bool(on_gpu)), names.total(), tuple(sorted(names.items(), key=_by_weight)))


def _computes(event: Any) -> bool:
    """Whether an event of the CPU is an operation of its own: not a part of another, and no mere view or allocation."""
    if event.name in FUSED or event.name.startswith(COMPILED):
        return True
    if not event.name.startswith("aten::") or event.name.removeprefix("aten::") in BOOKKEEPING:
        return False
    parent = event.cpu_parent
    return parent is None or not parent.name.startswith("aten::")


def check(backend: str, found: Executed) -> None:
    """Raises WrongKernel if a backend of the suite ran another kind of kernel than it is."""
    wanted = KIND_OF_BACKEND.get(backend)
    if wanted is not None and found.kind != wanted:
        raise WrongKernel(f"backend {backend} should run {wanted} but ran {found}")


def _kind(names: Counter[str], on_gpu: bool) -> str:
    if any("triton" in name or name.startswith(OWN_KERNELS) for name in names):
        return "triton"
    if on_gpu:
        return "cuda kernels"
    if any(name in FUSED for name in names):
        return "fused C"
    return "compiled graph" if "compiled graph" in names else "torch operators"


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
