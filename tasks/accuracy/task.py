"""The accuracy task: train one network with one neuron and one seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch

import neurons
from tasks import networks
from tasks.accuracy import datasets
from tasks.accuracy.training import LOSSES, OPTIMIZERS, Epoch, Recipe, check_finite, firing_rates, train
from tasks.base import Cell, Metric, Range, Task, Value

NETWORK_SETTINGS: dict[str, Any] = {
    "dataset": "digits",
    "network": None,
    "width": None,
    "timesteps": 4,
    "delay": 4,
    "protocol": "controlled",
    "loss": "tet",
    "optimizer": "adamw",
    "learning_rate": None,
    "weight_decay": None,
    "batch_size": 64,
    "epochs": 10,
    "train_samples": None,
    "bptt_steps": None,
    "exchange_to": None,
    "exchange_at": 0,
}
"""Settings of every task that trains a network. None: the data set's network, its width, the optimiser's usual rate,
all samples, gradients over all time steps, the same neuron to the end (else another from epoch `exchange_at` on)."""
NETWORK_RANGES: dict[str, Range] = {
    "dataset": Range(str, choices=lambda: datasets.SOURCES),
    "network": Range(str, choices=lambda: networks.ARCHITECTURES, optional=True),
    "width": Range(int, least=1, optional=True),
    "delay": Range(int, least=1),
    "loss": Range(str, choices=lambda: LOSSES),
    "optimizer": Range(str, choices=lambda: OPTIMIZERS),
    "learning_rate": Range(float, above=0, optional=True),
    "weight_decay": Range(float, least=0, optional=True),
    "batch_size": Range(int, least=2),
    "epochs": Range(int, least=1),
    "train_samples": Range(int, least=2, optional=True),
    "bptt_steps": Range(int, least=1, optional=True),
    "exchange_to": Range(str, choices=neurons.names, optional=True),
    "exchange_at": Range(int, least=0),
}
"""Batch normalisation needs two samples, so a batch of one would train nothing."""

BUDGETS: dict[str, dict[str, dict[str, Any]]] = {
    "smoke": {
        "digits": {"epochs": 2, "width": 32, "train_samples": 256},
        "mnist5k": {"epochs": 1, "width": 4, "train_samples": 128, "timesteps": 2},
        "mnist5k_rows": {"epochs": 1, "width": 32, "train_samples": 256},
        "japanese_vowels": {"epochs": 2, "width": 32},
        "delayed_recall": {"epochs": 1, "width": 32, "train_samples": 256},
    },
    "quick": {
        "digits": {"epochs": 10},
        "mnist5k": {"epochs": 3, "width": 8, "train_samples": 1500},
        "mnist5k_rows": {"epochs": 4, "width": 96},
        "japanese_vowels": {"epochs": 20},
        "delayed_recall": {"epochs": 12},
    },
    "full": {
        "digits": {"epochs": 50},
        "mnist5k": {"epochs": 30},
        "mnist5k_rows": {"epochs": 30},
        "japanese_vowels": {"epochs": 60},
        "delayed_recall": {"epochs": 40},
    },
}
"""How much training each data set gets in each profile."""


def budget(profile: str, dataset: str) -> dict[str, Any]:
    """The settings of a data set in a profile."""
    return {"dataset": dataset, "network": datasets.SOURCES[dataset].network} | BUDGETS[profile].get(dataset, {})


def _load(cell: Cell) -> datasets.Dataset:
    return datasets.load(cell.settings["dataset"], cell.settings["delay"])


def _shown(cell: Cell, dataset: datasets.Dataset) -> int | None:
    """How often a static input is shown, once to a neuron without memory; None for a sequence."""
    model = neurons.get(cell.neuron)
    stateless = model.runs_over_time() and not model.states
    return (1 if stateless else cell.settings["timesteps"]) if dataset.timesteps is None else None


class NetworkTask(Task):
    """A task on a whole network, whose time steps are those of the data set where that is a sequence."""

    ranges: ClassVar[Mapping[str, Range]] = NETWORK_RANGES
    parts: ClassVar[Mapping[str, str]] = {"train_samples": "train"}
    """The settings that are a number of samples, each with the part of the data set that they are taken from."""
    exchanges = False
    """Whether its training exchanges the neurons at `exchange_at`."""

    def refusal(self, settings: Mapping[str, Any]) -> str | None:
        """An image network needs images, samples must be there, and an exchange must fall into the training."""
        return self._network_refusal(settings) or self._samples_refusal(settings) or self._exchange_refusal(settings)

    def _network_refusal(self, settings: Mapping[str, Any]) -> str | None:
        chosen, usual = settings["network"], datasets.SOURCES[settings["dataset"]].network
        if chosen in (None, usual) or not networks.ARCHITECTURES[chosen].images:
            return None
        dataset = datasets.load(settings["dataset"], settings["delay"])
        return networks.ARCHITECTURES[chosen].refusal(chosen, dataset.features, dataset.name)

    def _samples_refusal(self, settings: Mapping[str, Any]) -> str | None:
        for name, part in self.parts.items():
            asked = settings[name]
            if asked is None or asked == self.settings[name]:  # what nobody asked for is "at most"
                continue
            there = len(datasets.load(settings["dataset"], settings["delay"]).part(part)[1])
            if asked > there:
                return f"setting {name}={asked}: the {part} set of {settings['dataset']} has {there}"
        return None

    def _exchange_refusal(self, settings: Mapping[str, Any]) -> str | None:
        target, at, epochs = (settings[name] for name in ("exchange_to", "exchange_at", "epochs"))
        if target is None:
            return f"setting exchange_at={at}: exchange_to=NEURON says for which" if at else None
        if not self.exchanges:
            return f"setting exchange_to={target}: {self.name} trains one neuron to the end; accuracy exchanges it"
        if 1 <= at < epochs:
            return None
        if epochs == 1:
            return f"setting exchange_to={target}: a training of epochs=1 has no epoch after an exchange"
        return f"setting exchange_at={at}: with epochs={epochs} an exchange is after epoch 1 to {epochs - 1}"

    def timesteps(self, cell: Cell) -> int | None:
        dataset = _load(cell)
        return _shown(cell, dataset) or dataset.timesteps


def prepare(cell: Cell) -> tuple[datasets.Dataset, networks.SpikingNetwork]:
    """The data set and the freshly initialised network of a cell, drawn from its seed."""
    torch.manual_seed(cell.seed)
    settings = cell.settings
    dataset = _load(cell)
    shown = _shown(cell, dataset)
    steps = shown or dataset.timesteps
    network = networks.build(
        settings["network"] or datasets.SOURCES[dataset.name].network,
        lambda channels: cell.neuron_layer(channels, steps),
        dataset.features,
        dataset.classes,
        shown,
        settings["width"],
    )
    return dataset, network


def exchange(network: networks.SpikingNetwork, cell: Cell) -> None:
    """Put the neurons of `cell` in place of a trained network's, for as many time steps as they are shown.

    Raises:
        InvalidValue: the old or the new neurons have trainable parameters, which an optimiser would lose.
    """
    dataset = _load(cell)
    shown = _shown(cell, dataset)
    network.exchange_neurons(lambda channels, _: cell.neuron_layer(channels, shown or dataset.timesteps))
    network.timesteps = shown


class Accuracy(NetworkTask):
    """Test accuracy after training, chosen by validation, with curves, firing rates and training time."""

    name = "accuracy"
    description = "accuracy of a trained network, learning curves, firing rates"
    settings: ClassVar[dict[str, Any]] = NETWORK_SETTINGS
    exchanges = True
    sources = ("accuracy", "networks.py", "cache.py")
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
        "firing_rate": Metric("spikes/step", "mean output of a layer on the test set after training"),
        "learned_parameter": Metric("1", "mean of a neuron's parameter by epoch (layer: its name; step: epoch)"),
        "training_seconds": Metric("s", "time in training steps, beside other cells", "lower"),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        return [budget(profile, dataset) for dataset in datasets]

    def run(self, cell: Cell) -> Iterator[Value]:
        dataset, network = prepare(cell)
        recipe = Recipe.from_settings(dict(cell.settings))
        epochs = []
        for epoch in train(network, dataset, recipe, cell.settings["train_samples"], cell.seed):
            epochs.append(epoch)
            for name, layer in network.named_modules():
                if isinstance(layer, neurons.NeuronLayer):
                    for own, parameter in layer.named_parameters():
                        mean = float(parameter.detach().mean())
                        yield Value("learned_parameter", mean, f"{name}.{own}", step=len(epochs))
            if cell.settings["exchange_to"] and len(epochs) == cell.settings["exchange_at"]:
                exchange(network, replace(cell, neuron=cell.settings["exchange_to"]))
        yield from summarise(epochs)
        for name, rate in firing_rates(network, dataset).items():
            check_finite(torch.tensor(rate), f"output of {name}")
            yield Value("firing_rate", rate, layer=name)


def summarise(epochs: Sequence[Epoch]) -> Iterator[Value]:
    """Final, selected and best accuracies, and the curves by epoch (from 1).

    Few validation samples tie often: of epochs of equal validation accuracy the one of lowest validation loss counts.
    """
    selected = max(epochs, key=lambda epoch: (epoch.validation_accuracy, -epoch.validation_loss))
    yield Value("accuracy_selected", 100 * selected.test_accuracy)
    yield Value("accuracy_final", 100 * epochs[-1].test_accuracy)
    yield Value("accuracy_validation_best", 100 * selected.validation_accuracy)
    yield Value("accuracy_paper_style", 100 * max(epoch.test_accuracy for epoch in epochs))
    for number, epoch in enumerate(epochs, 1):
        yield Value("train_loss", epoch.train_loss, step=number)
        yield Value("validation_loss", epoch.validation_loss, step=number)
        yield Value("test_loss", epoch.test_loss, step=number)
        yield Value("validation_accuracy", 100 * epoch.validation_accuracy, step=number)
        yield Value("test_accuracy", 100 * epoch.test_accuracy, step=number)
    yield Value("training_seconds", sum(epoch.seconds for epoch in epochs))
