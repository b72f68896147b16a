"""Mean and variance of each channel, and their share of the input's gradient, each in one pass (norm.c)."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from neurons.kernels.cpu import library
from neurons.kernels.cpu.kernel import BITS

LONGEST_VECTOR = 64
"""Bytes of a vector of any processor, as in norm.c: a shorter channel has its numbers item by item."""


def takes(x: Tensor) -> bool:
    """Whether these functions can be used: for plain numbers on a CPU that has a compiler."""
    plain = type(x) in (Tensor, torch.nn.Parameter) and x.is_cpu and x.dtype in BITS and x.numel() > 0
    if not plain or torch.compiler.is_compiling():
        return False
    return x.dtype in _loaded or library.no_compiler() is None


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel of contiguous x [T, N, C, *features], in float64."""
    found = torch.empty(2, x.shape[2], dtype=torch.float64)
    mean, variance = found.unbind()
    if _library(x.dtype).moments(x.data_ptr(), mean.data_ptr(), variance.data_ptr(), *_sizes(x)):
        raise MemoryError("no memory for the mean and variance of each channel")
    return mean, variance


def correct(grad_x: Tensor, x: Tensor, slope: Tensor, offset: Tensor) -> None:
    """Add slope · x + offset, both of each channel, to the contiguous grad_x."""
    inner = x[0, 0, 0].numel()
    values = [own.to(torch.float64 if x.dtype == torch.float64 else torch.float32) for own in (slope, offset)]
    if inner < LONGEST_VECTOR // values[0].itemsize:
        values = [own.repeat_interleave(inner) for own in values]
    own_slope, own_offset = (own.contiguous() for own in values)
    _library(x.dtype).correct(grad_x.data_ptr(), x.data_ptr(), own_slope.data_ptr(), own_offset.data_ptr(), *_sizes(x))


def _sizes(x: Tensor) -> tuple[int, int, int, int]:
    """Rows, channels, inner size, threads."""
    return x.shape[0] * x.shape[1], x.shape[2], x[0, 0, 0].numel(), torch.get_num_threads()


_loaded: dict[torch.dtype, ctypes.CDLL] = {}


def _library(dtype: torch.dtype) -> ctypes.CDLL:
    if dtype in _loaded:
        return _loaded[dtype]
    loaded = library.load(library.Code("norm.c", *BITS[dtype]))
    pointer, count = ctypes.c_void_p, ctypes.c_int64
    sizes = [count, count, count, ctypes.c_int]
    loaded.moments.argtypes = [pointer, pointer, pointer, *sizes]
    loaded.correct.argtypes = [pointer, pointer, pointer, pointer, *sizes]
    loaded.correct.restype = None
    _loaded[dtype] = loaded
    return loaded
