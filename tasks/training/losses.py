"""Losses of class scores over time, and which steps they are taken from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tasks.data import Readout


def temporal_efficient_loss(scores: Tensor, labels: Tensor, weight: float = 0.05, target: float = 1.0) -> Tensor:
    """TET (Deng et al., ICLR 2022, eq. 9-11): the mean over steps of the cross entropy, (1 − λ), + λ·MSE to `target`.

    `weight` is λ, 0.05 as in the CLIF paper; scores [T, N, classes], labels [N] or shares of classes [N, classes].
    """
    return (1 - weight) * _entropy(scores, labels) + weight * F.mse_loss(scores, torch.full_like(scores, target))


def temporal_efficient_loss_to_labels(scores: Tensor, labels: Tensor, weight: float = 0.05) -> Tensor:
    """The same with the labels as target of the MSE, as the CLIF paper's code has it for CIFAR10-DVS."""
    shares = F.one_hot(labels, scores.shape[-1]) if labels.ndim == 1 else labels
    return (1 - weight) * _entropy(scores, labels) + weight * F.mse_loss(scores, shares.to(scores).expand_as(scores))


def _entropy(scores: Tensor, labels: Tensor) -> Tensor:
    repeated = labels.expand(len(scores), *labels.shape)
    return F.cross_entropy(scores.flatten(0, 1), repeated.flatten(0, 1))


def mean_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of the scores averaged over time."""
    return F.cross_entropy(scores.mean(0), labels)


LOSSES = {
    "tet": temporal_efficient_loss,
    "tet_labels": temporal_efficient_loss_to_labels,
    "cross_entropy": mean_cross_entropy,
}


def read_out(scores: Tensor, readout: Readout) -> Tensor:
    """The steps that count: all of [T, N, classes], or the last alone."""
    return scores[-1:] if readout == "last" else scores
