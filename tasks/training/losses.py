"""Losses of class scores over time, and which steps they are taken from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tasks.data import Readout


def temporal_efficient_loss(scores: Tensor, labels: Tensor, weight: float = 0.05, target: float = 1.0) -> Tensor:
    """TET (Deng et al., ICLR 2022, eq. 9-11): the mean over steps of the cross entropy, (1 − λ), + λ·MSE to `target`.

    `weight` is λ, 0.05 as in the CLIF paper; scores [T, N, classes].
    """
    repeated = labels.expand(scores.shape[0], -1)
    entropy = F.cross_entropy(scores.flatten(0, 1), repeated.flatten())
    return (1 - weight) * entropy + weight * F.mse_loss(scores, torch.full_like(scores, target))


def mean_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of the scores averaged over time."""
    return F.cross_entropy(scores.mean(0), labels)


LOSSES = {"tet": temporal_efficient_loss, "cross_entropy": mean_cross_entropy}


def read_out(scores: Tensor, readout: Readout) -> Tensor:
    """The steps that count: all of [T, N, classes], or the last alone."""
    return scores[-1:] if readout == "last" else scores
