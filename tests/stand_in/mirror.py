"""A stand-in accelerator, "mirror": tensors say that they are there, their values live in CPU tensors.

What computes on it gives the CPU's values to the bit, and an operation on tensors of both devices raises, as it would
on a GPU. So a task that runs here leaves nothing on the CPU. `waits` records what a real device would have to be waited
for: every number or tensor that is brought to the CPU. With this folder on the path the suite finds it by its entry
point, in each of its processes.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map, tree_map_only
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from neurons import backends
from tasks.measuring.devices import Device

KIND = "mirror"
CARDS = "NEURON_SUITE_MIRROR_CARDS"
"""Environment variable: how many cards there are, 1 unless told otherwise; torch's autograd runs on the first alone."""
MEMORY = "NEURON_SUITE_MIRROR_MEMORY"
"""Environment variable: bytes that a single tensor may take there; unlimited unless told otherwise."""

waits: list[str] = []
"""What a device would have been waited for so far, with the line of the caller."""

_setup_privateuseone_for_python_backend(KIND)


class Mirror(torch.Tensor):
    """A tensor on the stand-in; `raw` holds its values."""

    raw: torch.Tensor

    @staticmethod
    def __new__(cls, raw: torch.Tensor, index: int = 0) -> Mirror:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            raw.size(),
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            device=torch.device(KIND, index),
            requires_grad=False,
        )
        made.raw = raw
        return made

    def untyped_storage(self) -> torch.UntypedStorage:
        return self.raw.untyped_storage()

    def new_tensor(self, data: Any, **options: Any) -> torch.Tensor:
        made = self.raw.new_tensor(data, **{k: v for k, v in options.items() if k != "device"})
        return Mirror(made, self.device.index).requires_grad_(bool(options.get("requires_grad")))

    def tolist(self) -> Any:
        _waited("tolist")
        return self.raw.tolist()

    def numpy(self, **_: Any) -> Any:
        raise TypeError(f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() first.")

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Mirror({self.raw!r}, device='{self.device}')"

    @classmethod
    def __torch_dispatch__(
        cls, operation: Any, types: Any, arguments: tuple[Any, ...] = (), options: dict[str, Any] | None = None
    ) -> Any:
        return _run(operation, arguments, dict(options or {}))


def _run(operation: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """An operation of torch on raw values, its result where its operands are, or where `device` says."""
    name = operation.overloadpacket.__name__
    tensors = [leaf for leaf in tree_leaves((arguments, options)) if isinstance(leaf, torch.Tensor)]
    mirrors = [tensor for tensor in tensors if isinstance(tensor, Mirror)]
    index = mirrors[0].device.index if mirrors else 0
    if name == "copy_":
        return _copy(operation, arguments, options)
    if name == "_to_copy":
        asked = options.pop("device", None)
        target = mirrors[0].device if asked is None else torch.device(asked)
        if target.type != "cpu":
            _check_memory("empty_like", arguments)
        made = operation(_raw(arguments)[0], **options)
        if target.type == "cpu":
            _waited("to the CPU")
            return made.clone() if made is arguments[0].raw else made
        return Mirror(made, target.index or 0)
    if name in ("_local_scalar_dense", "is_nonzero", "nonzero", "equal", "masked_select"):
        _waited(name)
    strangers = [t for t in tensors if t.ndim and not (isinstance(t, Mirror) and t.device.index == index)]
    if strangers and mirrors:
        raise RuntimeError(
            f"{operation}: expected all tensors to be on the same device, but found {mirrors[0].device} and "
            f"{strangers[0].device}"
        )
    if options.get("device") is not None:
        asked = torch.device(options["device"])
        index = index if asked.index is None else asked.index
        options["device"] = torch.device("cpu")
        if asked.type == "cpu":
            return operation(*_raw(arguments), **_raw(options))
    _check_memory(name, arguments)
    found = operation(*_raw(arguments), **_raw(options))
    if operation._schema.name.endswith("_"):
        return arguments[0]
    if "out" in options:
        return options["out"]
    return tree_map(lambda leaf: Mirror(leaf, index) if isinstance(leaf, torch.Tensor) else leaf, found)


def _raw(tree: Any) -> Any:
    return tree_map_only(Mirror, lambda tensor: tensor.raw, tree)


def _copy(operation: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The one operation that takes tensors of two devices."""
    if isinstance(arguments[1], Mirror) and not isinstance(arguments[0], Mirror):
        _waited("copy to the CPU")
    operation(*_raw(arguments), **options)
    return arguments[0]


def _waited(why: str) -> None:
    place = next(
        (f"{frame.filename}:{frame.lineno}" for frame in reversed(traceback.extract_stack()) if _ours(frame.filename)),
        "",
    )
    waits.append(f"{why} at {place}")


def _ours(path: str) -> bool:
    return any(f"/{folder}/" in path for folder in ("neurons", "tasks", "suite")) and "site-packages" not in path


def _check_memory(name: str, arguments: tuple[Any, ...]) -> None:
    limit = os.environ.get(MEMORY)
    if limit is None or name not in ("empty", "empty_strided", "empty_like", "new_empty"):
        return
    shape = arguments[0].shape if isinstance(arguments[0], torch.Tensor) else arguments[0]
    asked = 4 * torch.Size(shape).numel()
    if asked > int(limit):
        raise torch.OutOfMemoryError(
            f"mirror out of memory. Tried to allocate {asked / 2**30:.2f} GiB. Card 0 has a total capacity of "
            f"{int(limit) / 2**30:.2f} GiB of which {int(limit) / 2**30:.2f} GiB is free."
        )


_factories = torch.library.Library("_", "IMPL")
_factories.fallback(lambda operation, *arguments, **options: _run(operation, arguments, options), "PrivateUse1")


def _made_elsewhere(make: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """torch.tensor and torch.as_tensor read numbers of Python and know the devices of C++ alone."""

    def made(data: Any, *arguments: Any, device: Any = None, **options: Any) -> torch.Tensor:
        if isinstance(data, torch.Tensor) or device is None or torch.device(device).type != KIND:
            return make(data, *arguments, **({} if device is None else {"device": device}), **options)
        wanted = options.pop("requires_grad", False)
        return make(data, *arguments, **options).to(device).requires_grad_(wanted)

    return made


torch.tensor, torch.as_tensor = _made_elsewhere(torch.tensor), _made_elsewhere(torch.as_tensor)  # type: ignore[assignment]


def _refuse_cpu(module: torch.nn.Module, arguments: tuple[Any, ...]) -> None:
    for argument in arguments:
        if isinstance(argument, torch.Tensor) and argument.device.type == "cpu" and argument.ndim:
            raise RuntimeError(f"{type(module).__name__}: a tensor on cpu, in a cell whose device is {KIND}")


class MirrorDevice(Device):
    """The stand-in as a device of the suite; its fused backend is the CPU's, on the raw values."""

    kind = KIND

    def __init__(self) -> None:
        backends.FUSED[KIND] = "cpu"
        backends.Cpu.devices = (*backends.Cpu.devices, KIND)

    def use(self, device: torch.device) -> None:
        """From now on a network or layer of this process that is given a tensor of the CPU raises."""
        torch.nn.modules.module.register_module_forward_pre_hook(_refuse_cpu)

    def count(self) -> int:
        return int(os.environ.get(CARDS, "1"))

    def card(self, device: torch.device) -> str | None:
        return "Stand-in"

    def versions(self) -> dict[str, str]:
        return {"driver": "1.0"}

    def free_bytes(self, device: torch.device) -> int | None:
        limit = os.environ.get(MEMORY)
        return None if limit is None else int(limit)
