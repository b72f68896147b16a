"""Layers without state to NIR's nodes and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neurons import InvalidValue
from neurons.nir_nodes import nir_package


def node_of_module(module: nn.Module, x: Tensor) -> Any:
    """The NIR node of a layer for inputs like x [N, *features].

    Only what NIR has a field for is written; `tasks.nir_exchange.check` tells whether that was all.

    Raises:
        InvalidValue: NIR has no form for the layer.
    """
    nir = nir_package()
    if isinstance(module, nn.Linear):
        return weighted(module, module.weight, module.bias, x)
    if isinstance(module, nn.Conv2d):
        return weighted(module, module.weight, module.bias, x)
    if isinstance(module, nn.AvgPool2d):
        pair = [np.array(_pair(size)) for size in (module.kernel_size, module.stride, module.padding)]
        return nir.AvgPool2d(*pair)
    if isinstance(module, nn.Flatten):
        start, end = (dim - 1 if dim > 0 else dim for dim in (module.start_dim, module.end_dim))
        return nir.Flatten(input_type={"input": np.array(x.shape[1:])}, start_dim=start, end_dim=end)
    raise InvalidValue(f"NIR export has no form for {type(module).__name__}")


def weighted(module: nn.Linear | nn.Conv2d, weight: Tensor, bias: Tensor | None, x: Tensor) -> Any:
    """The node of a linear layer or a convolution with these weights in place of its own."""
    nir = nir_package()
    if isinstance(module, nn.Linear):
        return nir.Linear(_array(weight)) if bias is None else nir.Affine(_array(weight), _array(bias))
    form = {name: getattr(module, name) for name in ("stride", "padding", "dilation")}
    offsets = np.zeros(module.out_channels) if bias is None else _array(bias)
    full = _array(_ungrouped(weight, module.groups))
    return nir.Conv2d(input_shape=tuple(x.shape[2:]), weight=full, bias=offsets, groups=1, **form)


def _ungrouped(weight: Tensor, groups: int) -> Tensor:
    """The weights of the same convolution in one group, zero between groups.

    nir takes the channels of one group for those of all and so refuses to read what it wrote, and spikingjelly has no
    groups.
    """
    blocks = weight.chunk(groups)
    rows = [
        [block if own == other else torch.zeros_like(block) for other in range(groups)]
        for own, block in enumerate(blocks)
    ]
    return torch.cat([torch.cat(row, 1) for row in rows])


def module_of_node(node: Any) -> nn.Module:
    """The layer that a NIR node describes, in float32.

    Raises:
        InvalidValue: the suite has no such layer.
    """
    kind = type(node).__name__
    if kind in ("Linear", "Affine"):
        weight = _weight(node, 2)
        return _with_weights(nn.Linear(weight.shape[1], weight.shape[0], bias=kind == "Affine"), node)
    if kind == "Conv2d":
        weight, groups = _weight(node, 4), int(node.groups)
        form = {name: _ints(getattr(node, name)) for name in ("stride", "padding", "dilation")}
        fan_in, fan_out = weight.shape[1] * groups, weight.shape[0]
        return _with_weights(nn.Conv2d(fan_in, fan_out, weight.shape[2:], groups=groups, **form), node)
    if kind == "AvgPool2d":
        return nn.AvgPool2d(_ints(node.kernel_size), _ints(node.stride), _ints(node.padding))
    if kind == "Flatten":
        start, end = (int(dim) + 1 if dim >= 0 else int(dim) for dim in (node.start_dim, node.end_dim))
        return nn.Flatten(start, end)
    raise InvalidValue(f"the suite has no layer for NIR's {kind}")


def _weight(node: Any, dimensions: int) -> np.ndarray:
    weight = np.asarray(node.weight)
    if weight.ndim != dimensions:
        raise InvalidValue(
            f"weights of NIR's {type(node).__name__} must have {dimensions} dimensions, not {weight.ndim}"
        )
    return weight


def _with_weights(module: Any, node: Any) -> nn.Module:
    module.weight = nn.Parameter(torch.as_tensor(np.array(node.weight), dtype=torch.float32))
    if module.bias is not None:
        module.bias = nn.Parameter(torch.as_tensor(np.array(node.bias), dtype=torch.float32))
    return module


def _array(value: Tensor) -> np.ndarray:
    return value.detach().cpu().numpy()


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def _ints(value: Any) -> Any:
    """A NIR size, which is an array, a tuple or a word, as torch takes it."""
    return value if isinstance(value, str) else tuple(int(entry) for entry in np.atleast_1d(np.asarray(value)))
