"""How a training computes on its device: precision, compilation and memory format, which say nothing of the neurons."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

PRECISIONS = ("float32", "tf32", "bf16", "fp16")
"""float32 throughout; products of matrices and convolutions in TensorFloat-32; or in 16 bits by autocast, whose
gradients fp16 scales against underflow."""
COMPILATIONS = ("off", "on", "graphs")
"""Of the network by torch.compile; "graphs" also replays CUDA graphs."""
N = TypeVar("N", bound=nn.Module)
FORMATS = ("contiguous", "channels_last")
SIXTEEN_BITS = {"bf16": torch.bfloat16, "fp16": torch.float16}
ARITHMETIC_SETTINGS: dict[str, Any] = {"precision": "float32", "compile": "off", "memory_format": "contiguous"}


@dataclass(frozen=True)
class Arithmetic:
    """See PRECISIONS, COMPILATIONS and FORMATS."""

    device: torch.device
    precision: str = "float32"
    compile: str = "off"
    memory_format: str = "contiguous"

    @classmethod
    def of(cls, settings: Mapping[str, Any], device: torch.device) -> Arithmetic:
        """From the settings of a cell."""
        return cls(device, **{name: settings[name] for name in ARITHMETIC_SETTINGS})

    def placed(self, network: N) -> N:
        """The network on the device, its convolutions in the memory format."""
        if self.memory_format == "channels_last":
            network = network.to(memory_format=torch.channels_last)
        return network.to(self.device)

    def compiled(self, network: nn.Module) -> Callable[[Tensor], Tensor]:
        """What runs the network in training."""
        if self.compile == "off":
            return network
        mode = "reduce-overhead" if self.compile == "graphs" else "default"
        return torch.compile(network, dynamic=False, mode=mode)

    def in_format(self, x: Tensor) -> Tensor:
        """A batch [N, *features] in the memory format, if it is one of images."""
        return x.contiguous(memory_format=torch.channels_last) if self._images_last(x) else x

    def _images_last(self, x: Tensor) -> bool:
        return self.memory_format == "channels_last" and x.ndim == 4

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Around forward passes."""
        if self.precision not in SIXTEEN_BITS:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, SIXTEEN_BITS[self.precision])

    def rounding(self) -> contextlib.AbstractContextManager[Any]:
        """Around forward and backward passes: whether float32 products may be rounded to TensorFloat-32.

        By itself torch does so in convolutions and not in products of matrices.
        """
        return _fp32_precision("tf32" if self.precision == "tf32" else "ieee") if self._rounds() else _nothing

    def _rounds(self) -> bool:
        return self.device.type == "cuda"

    def scaler(self) -> torch.amp.GradScaler | None:
        """What keeps gradients of fp16 from underflow."""
        return torch.amp.GradScaler(self.device.type) if self.precision == "fp16" else None


def refusal(settings: Mapping[str, Any], device: str) -> str | None:
    """Why a device of that kind cannot compute so, or None."""
    if device == "cuda":
        return None
    if settings["precision"] == "tf32":
        return f"setting precision=tf32: TensorFloat-32 is of CUDA cards, the device is {device}"
    if settings["compile"] == "graphs":
        return f"setting compile=graphs: CUDA graphs are of CUDA cards, the device is {device}; compile=on compiles"
    return None


_nothing = contextlib.nullcontext()


@contextlib.contextmanager
def _fp32_precision(name: str) -> Iterator[None]:
    cudnn: Any = torch.backends.cudnn
    places = [torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn]
    before = [place.fp32_precision for place in places]
    for place in places:
        place.fp32_precision = name
    try:
        yield
    finally:
        for place, own in zip(places, before, strict=True):
            place.fp32_precision = own
