"""What a kernel is handed as an address is looked at first: it would read whatever lies there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neurons.errors import InvalidValue
from neurons.kernels.coefficient import Coefficient


def address(tensor: Tensor, what: str, x: Tensor, dtype: torch.dtype, count: int) -> int:
    """Where `count` numbers of `dtype` lie side by side in the memory of the device of the input `x`.

    Raises:
        InvalidValue: they do not.
    """
    dense = tensor.layout is torch.strided and tensor.is_contiguous() and not tensor.is_neg()
    if not dense or tensor.dtype is not dtype or tensor.numel() != count or tensor.device != x.device:
        found = f"{list(tensor.shape)} of {tensor.dtype} on {tensor.device}, {tensor.layout}"
        raise InvalidValue(f"the kernel needs {what} as {count} dense {dtype} on {x.device}, not {found}")
    place = tensor.data_ptr()
    if count and not place:
        raise InvalidValue(f"{what} has no memory (a fake, freed or zero tensor), so no kernel can read it")
    return place


def coefficient_addresses(tensors: Sequence[Tensor], declared: Sequence[Coefficient], x: Tensor) -> list[int]:
    """The same for the coefficients of a layer with the input `x` [T, N, C, *features]."""
    channels = x.shape[2] if x.ndim > 2 else 1
    counts = {"layer": 1, "channel": channels, "step_channel": x.shape[0] * channels}
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    pairs = zip(tensors, declared, strict=True)
    return [address(tensor, "a coefficient", x, dtype, counts[own.per]) for tensor, own in pairs]
