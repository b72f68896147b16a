"""The accuracy task: train one network with one neuron and one seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch

import neurons
from tasks.base import Cell, Metric, Value
from tasks.data import Dataset
from tasks.measuring.operations import operations_of_neuron
from tasks.networks import neurons_of
from tasks.training import checkpoint
from tasks.training.loop import Epoch, check_finite, firing_rates, selected_epoch
from tasks.training.network_task import NETWORK_SETTINGS, NetworkTask, budget, exchange, prepare, trained
from tasks.training.predictions import packed

MEASURED = ("training_seconds", "training_rate", "training_memory")
"""Metrics of the machine, which differ each time; all others follow from the seed."""


class Accuracy(NetworkTask):
    """Test accuracy after training, chosen by validation, with curves, firing rates and training time."""

    name = "accuracy"
    description = "accuracy of a trained network, learning curves, firing rates"
    main = True
    settings: ClassVar[dict[str, Any]] = NETWORK_SETTINGS
    exchanges = True
    sources: ClassVar[Sequence[str]] = ("training", "networks", "data", "measuring/operations.py")
    metrics = {
        "accuracy_selected": Metric(
            "%", "test accuracy at the epoch of best validation accuracy, ties by loss", "higher"
        ),
        "accuracy_final": Metric("%", "test accuracy after the last epoch", "higher"),
        "accuracy_validation_best": Metric("%", "best validation accuracy over epochs", "higher"),
        "accuracy_paper_style": Metric(
            "%", "best test accuracy over epochs (paper-style; selects on the test set)", "higher"
        ),
        "train_loss": Metric("1", "training loss by epoch (step: epoch)", "lower"),
        "validation_loss": Metric("1", "validation loss by epoch (step: epoch)", "lower"),
        "test_loss": Metric("1", "test loss by epoch (step: epoch)", "lower"),
        "validation_accuracy": Metric("%", "validation accuracy by epoch (step: epoch)", "higher"),
        "test_accuracy": Metric("%", "test accuracy by epoch (step: epoch)", "higher"),
        "firing_rate": Metric("events/step", "mean |output| of a layer on the test set after training"),
        "output_bits": Metric("bits/step", "what tells the outputs of a layer of spiking neurons apart", exact=True),
        "learned_parameter": Metric("1", "mean of a neuron's parameter by epoch (layer: its name; step: epoch)"),
        "training_seconds": Metric("s", "time in training steps, beside other cells", "lower"),
        "training_rate": Metric("samples/s", "of training steps by epoch, measured beside other cells (step: epoch)"),
        "training_memory": Metric(
            "MiB", "most in training, measured beside other cells: a device's tensors; on the CPU the whole process"
        ),
        "right_answers": Metric(
            "samples", "test samples answered right at the selected epoch (detail: answers and labels, packed)"
        ),
        "parameters": Metric("1", "trainable parameters of the network", "lower", exact=True),
        "neuron_parameters": Metric("1", "those of them that its neurons have", "lower", exact=True),
        "neuron_operations": Metric("1/step", "operations of one neuron and time step, forward", "lower", exact=True),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        return [budget(profile, dataset) for dataset in datasets]

    def run(self, cell: Cell) -> Iterator[Value]:
        dataset, network = prepare(cell)
        epochs = []
        for epoch in trained(cell, dataset, network):
            epochs.append(epoch)
            if cell.settings["exchange_to"] and len(epochs) == cell.settings["exchange_at"]:
                exchange(network, replace(cell, neuron=cell.settings["exchange_to"]))
        yield from learned(epochs)
        yield from summarise(epochs)
        yield from answers(epochs, dataset)
        yield from sizes(network)
        for name, rate in firing_rates(network, dataset).items():
            check_finite(torch.tensor(rate), f"output of {name}")
            yield Value("firing_rate", rate, layer=name)
        for name, layer in neurons_of(network).items():
            if layer.neuron.spiking:
                yield Value("output_bits", layer.neuron.bits, layer=name)

    def unfinished(self, log: Path) -> list[Value]:
        epochs = [Epoch(**epoch) for epoch in checkpoint.epochs_of(log)]
        return [*learned(epochs), *curves(epochs)]


def learned(epochs: Sequence[Epoch]) -> Iterator[Value]:
    """The parameters of neurons by epoch (from 1)."""
    for number, epoch in enumerate(epochs, 1):
        for name, mean in epoch.learned.items():
            yield Value("learned_parameter", mean, name, step=number)


def answers(epochs: Sequence[Epoch], dataset: Dataset) -> Iterator[Value]:
    """The right answers at the selected epoch, with all answers as `tasks.training.predictions` packs them."""
    predicted = selected_epoch(epochs).predicted
    if predicted is not None:
        labels = dataset.labels[dataset.indices("test")].cpu()
        yield Value("right_answers", int((predicted == labels).sum()), detail=packed(predicted, labels))


def sizes(network: torch.nn.Module) -> Iterator[Value]:
    """Parameters, and the operations of a neuron where its step can be counted, the most of all layers."""
    layers = [module for module in network.modules() if isinstance(module, neurons.NeuronLayer)]
    own = {id(parameter): parameter.numel() for layer in layers for parameter in layer.parameters()}
    yield Value("parameters", sum(parameter.numel() for parameter in network.parameters()))
    yield Value("neuron_parameters", sum(own.values()))
    counted = [count for layer in layers if (count := operations_of_neuron(layer.neuron)) is not None]
    if counted:
        yield Value("neuron_operations", max(counted))


def summarise(epochs: Sequence[Epoch]) -> Iterator[Value]:
    """Final, selected and best accuracies, and the curves by epoch (from 1)."""
    selected = selected_epoch(epochs)
    yield Value("accuracy_selected", 100 * selected.test_accuracy)
    yield Value("accuracy_final", 100 * epochs[-1].test_accuracy)
    if not math.isnan(selected.validation_loss):
        yield Value("accuracy_validation_best", 100 * selected.validation_accuracy)
    yield Value("accuracy_paper_style", 100 * max(epoch.test_accuracy for epoch in epochs))
    yield from curves(epochs)
    yield Value("training_seconds", sum(epoch.seconds for epoch in epochs))
    yield Value("training_memory", max(epoch.memory for epoch in epochs) / 2**20)


def curves(epochs: Sequence[Epoch]) -> Iterator[Value]:
    """Losses, accuracies and pace by epoch (from 1)."""
    for number, epoch in enumerate(epochs, 1):
        held_out = not math.isnan(epoch.validation_loss)
        yield Value("train_loss", epoch.train_loss, step=number)
        if held_out:
            yield Value("validation_loss", epoch.validation_loss, step=number)
        yield Value("test_loss", epoch.test_loss, step=number)
        if held_out:
            yield Value("validation_accuracy", 100 * epoch.validation_accuracy, step=number)
        yield Value("test_accuracy", 100 * epoch.test_accuracy, step=number)
        yield Value("training_rate", epoch.samples / epoch.seconds, step=number)
