"""Training of one network: losses, optimisers and the loop over epochs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurons import InvalidValue, NeuronLayer, UnknownName
from tasks.accuracy.datasets import Dataset, Readout
from tasks.base import NotFinite

EVALUATION_BATCH = 256


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
OPTIMIZERS = ("adamw", "sgd")


def read_out(scores: Tensor, readout: Readout) -> Tensor:
    """The steps that count: all of [T, N, classes], or the last alone."""
    return scores[-1:] if readout == "last" else scores


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: `sgd` as the paper (momentum 0.9, cosine over all epochs), `adamw` for small tasks."""

    epochs: int
    batch_size: int
    loss: str
    optimizer: str
    learning_rate: float
    weight_decay: float

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Recipe:
        """The recipe in a cell's settings; a learning rate or decay of None takes the optimiser's usual one."""
        optimizer = settings["optimizer"]
        if optimizer not in OPTIMIZERS:
            raise UnknownName("optimizer", optimizer, OPTIMIZERS)
        if settings["loss"] not in LOSSES:
            raise UnknownName("loss", settings["loss"], LOSSES)
        for name, least in (("epochs", 1), ("batch_size", 2)):  # batch normalisation needs two samples
            if settings[name] < least:
                raise InvalidValue(f"{name} must be at least {least}, not {settings[name]}")
        rate, decay = (0.1, 5e-5) if optimizer == "sgd" else (5e-3, 1e-2)
        return cls(
            epochs=settings["epochs"],
            batch_size=settings["batch_size"],
            loss=settings["loss"],
            optimizer=optimizer,
            learning_rate=rate if settings["learning_rate"] is None else settings["learning_rate"],
            weight_decay=decay if settings["weight_decay"] is None else settings["weight_decay"],
        )

    def make_optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimiser; weight decay pulls on synapses alone, as it would drag a neuron's parameters to a model's
        arbitrary zero (PLIF to tau 2, KLIF to k = 0)."""
        layers = [module for module in network.modules() if isinstance(module, NeuronLayer)]
        own = {id(parameter) for layer in layers for parameter in layer.parameters()}
        groups: list[dict[str, Any]] = [
            {"params": [p for p in network.parameters() if id(p) not in own], "weight_decay": self.weight_decay},
            {"params": [p for p in network.parameters() if id(p) in own], "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        if self.optimizer == "sgd":
            return torch.optim.SGD(groups, self.learning_rate, momentum=0.9)
        return torch.optim.AdamW(groups, self.learning_rate)


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
