"""One training by several processes, each with a share of every batch: torch's DistributedDataParallel.

The processes see the same batches in the same order, augmented by the same draws, and batch norms take their statistics
from all shares together, so that a step is that of a lone process but for the order in which sums are rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@dataclass(frozen=True)
class Team:
    """The processes of a training, as one of them sees it: the one of `rank` 0 is the cell's own."""

    rank: int = 0
    size: int = 1

    def joined(self, network: nn.Module) -> nn.Module:
        """What runs the network in training."""
        if self.size == 1:
            return network
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.forward = partial(_norm_together, module)  # type: ignore[method-assign]
        return nn.parallel.DistributedDataParallel(network)

    def share(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, float | None]:
        """This process's samples of a batch, and the weight of their mean loss: gradients are averaged afterwards."""
        if self.size == 1:
            return x, labels, None
        own = labels[self.rank :: self.size]
        return x[self.rank :: self.size], own, len(own) * self.size / len(labels)

    def summed(self, losses: Tensor) -> Tensor:
        """The losses of the whole batches, from those of the shares."""
        if self.size > 1:
            dist.all_reduce(losses)
            losses /= self.size
        return losses

    def begin_epoch(self, network: Any, seed: int, epoch: int) -> None:
        """Give dropout draws of this process's own: it sees other samples than the others do."""
        if self.size > 1 and network.dropout.rate > 0:
            device = next(network.parameters()).device
            drawn = hash((seed, epoch, self.rank)) % 2**63
            network.dropout.generator = torch.Generator(device).manual_seed(drawn)


ALONE = Team()


class _Sum(torch.autograd.Function):
    """The sum over all processes, whose gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        total = own.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        total = grad.contiguous().clone()
        dist.all_reduce(total)
        return total


def _norm_together(norm: Any, x: Tensor) -> Tensor:
    """A batch norm [N, C, *space] in training by the moments of all processes; `nn.SyncBatchNorm` is of cards alone."""
    if not norm.training:
        return type(norm).forward(norm, x)
    over, shape = [0, *range(2, x.ndim)], [-1, *[1] * (x.ndim - 2)]
    wide = x if x.dtype == torch.float64 else x.float()
    sums = _Sum.apply(torch.cat([wide.sum(over), wide.new_tensor([x.numel() // x.shape[1]])]))
    mean, count = sums[:-1] / sums[-1].detach(), sums[-1].detach()
    away = wide - mean.reshape(shape)
    variance = _Sum.apply(away.square().sum(over)) / count
    with torch.no_grad():
        norm.num_batches_tracked.add_(1)
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance * (count / (count - 1)), norm.momentum)
    scale = (norm.weight * torch.rsqrt(variance + norm.eps)).reshape(shape)
    return (away * scale + norm.bias.reshape(shape)).to(x.dtype)
