"""The loop over epochs, and what is read of a network on a data set."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from neurons import InvalidValue, NeuronLayer
from tasks.base import NotFinite
from tasks.data import Dataset
from tasks.training.losses import LOSSES, read_out
from tasks.training.recipe import Recipe

EVALUATION_BATCH = 256


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave: losses and accuracies (fractions) and the seconds spent in training steps."""

    train_loss: float
    validation_loss: float
    validation_accuracy: float
    test_loss: float
    test_accuracy: float
    seconds: float


def train(
    network: nn.Module, dataset: Dataset, recipe: Recipe, train_samples: int | None, seed: int
) -> Iterator[Epoch]:
    """Train `network` in place and yield after each epoch.

    `train_samples` takes that many of the training set, the same for all seeds. The order of the samples depends on
    `seed` alone.

    Raises:
        InvalidValue: too few samples to train on.
        NotFinite: a loss is NaN or Inf, as soon as it is.
    """
    if train_samples is not None and train_samples < 2:
        raise InvalidValue(f"train_samples must be at least 2, not {train_samples}")
    inputs, labels = dataset.part("train")
    subset = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))[:train_samples]
    inputs, labels = inputs[subset], labels[subset]
    order = torch.Generator().manual_seed(seed)
    optimizer = recipe.make_optimizer(network)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs)
    for _ in range(recipe.epochs):
        network.train()
        bounded = [layer for layer in network.modules() if isinstance(layer, NeuronLayer) and layer.neuron.bounded()]
        started, total, trained_on = time.perf_counter(), 0.0, 0
        for chosen in torch.randperm(len(labels), generator=order).split(recipe.batch_size):
            if len(chosen) == 1:
                continue  # batch normalisation has no variance over it
            scores = read_out(network(inputs[chosen]), dataset.readout)
            loss = LOSSES[recipe.loss](scores, labels[chosen])
            check_finite(loss, "training loss")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            for layer in bounded:
                layer.project()
            total += loss.item() * len(chosen)
            trained_on += len(chosen)
        schedule.step()
        seconds = time.perf_counter() - started
        validation_loss, validation_accuracy = evaluate(network, dataset, "validation", recipe.loss)
        test_loss, test_accuracy = evaluate(network, dataset, "test", recipe.loss)
        yield Epoch(total / trained_on, validation_loss, validation_accuracy, test_loss, test_accuracy, seconds)


@torch.no_grad()
def evaluate(network: nn.Module, dataset: Dataset, part: str, loss: str) -> tuple[float, float]:
    """Loss and accuracy (a fraction) on "validation" or "test"."""
    network.eval()
    inputs, labels = dataset.part(part)
    total, right = 0.0, 0
    for x, y in zip(inputs.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True):
        scores = read_out(network(x), dataset.readout)
        total += LOSSES[loss](scores, y).item() * len(y)
        right += int((scores.mean(0).argmax(1) == y).sum())
    return total / len(labels), right / len(labels)


@torch.no_grad()
def firing_rates(network: nn.Module, dataset: Dataset) -> dict[str, float]:
    """Mean magnitude of the outputs of each layer of neurons over the test set: spikes per neuron and step, of either
    sign."""
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}

    def record(name: str) -> Any:
        def hook(module: nn.Module, arguments: Any, output: Tensor) -> None:
            sums[name] = sums.get(name, 0.0) + float(output.double().abs().sum())
            counts[name] = counts.get(name, 0) + output.numel()

        return hook

    layers = {name: layer for name, layer in network.named_modules() if isinstance(layer, NeuronLayer)}
    hooks = [layer.register_forward_hook(record(name)) for name, layer in layers.items()]
    network.eval()
    for x in dataset.part("test")[0].split(EVALUATION_BATCH):
        network(x)
    for hook in hooks:
        hook.remove()
    return {name: sums[name] / counts[name] for name in layers}


def check_finite(value: Tensor, what: str) -> None:
    """Raise NotFinite unless all of `value` is finite."""
    if not torch.isfinite(value).all():
        raise NotFinite(f"{what} is {'NaN' if torch.isnan(value).any() else 'infinite'}")
