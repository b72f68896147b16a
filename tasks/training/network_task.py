"""What all tasks on a whole network share: their settings, and the network of a cell with its data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch

import neurons
from neurons import BackendUnavailable
from tasks import data, networks
from tasks.base import Cell, Range, Task
from tasks.training import arithmetic, augmentation, parallel
from tasks.training.arithmetic import ARITHMETIC_SETTINGS, COMPILATIONS, FORMATS, PRECISIONS, Arithmetic
from tasks.training.loop import Epoch, train
from tasks.training.losses import LOSSES
from tasks.training.recipe import OPTIMIZERS, Recipe
from tasks.training.team import Team

NETWORK_SETTINGS: dict[str, Any] = {
    "dataset": "digits",
    "network": None,
    "width": None,
    "norm": "batch",
    "timesteps": 4,
    "delay": 4,
    "frames": None,
    "protocol": "controlled",
    "loss": "tet",
    "optimizer": "adamw",
    "learning_rate": None,
    "weight_decay": None,
    "neuron_learning_rate_factor": None,
    "batch_size": 64,
    "epochs": 10,
    "train_samples": None,
    "bptt_steps": None,
    "eprop": False,
    "exchange_to": None,
    "exchange_at": 0,
    "augmentation": None,
    "cutmix": None,
    "dropout": 0.0,
    "clip_gradients": None,
    "held_out": True,
    "processes": 1,
    "recipe": None,
    **ARITHMETIC_SETTINGS,
}
"""Settings of every task that trains a network. None: the data set's network, its width, the set's usual number of
frames, the optimiser's usual rate, one learning rate for all parameters, all samples, gradients over all time steps,
the same neuron to the end (else another from epoch `exchange_at` on), images as they are, gradients as they are, no
recipe of a name. `eprop` trains by e-prop instead of back-propagation through time."""
NETWORK_RANGES: dict[str, Range] = {
    "dataset": Range(str, choices=lambda: data.SOURCES),
    "network": Range(str, choices=lambda: networks.ARCHITECTURES, optional=True),
    "width": Range(int, least=1, optional=True),
    "norm": Range(str, choices=lambda: networks.NORMS),
    "delay": Range(int, least=1),
    "frames": Range(int, least=1, optional=True),
    "loss": Range(str, choices=lambda: LOSSES),
    "optimizer": Range(str, choices=lambda: OPTIMIZERS),
    "learning_rate": Range(float, above=0, optional=True),
    "weight_decay": Range(float, least=0, optional=True),
    "neuron_learning_rate_factor": Range(float, least=0, optional=True),
    "batch_size": Range(int, least=2),
    "epochs": Range(int, least=1),
    "train_samples": Range(int, least=2, optional=True),
    "bptt_steps": Range(int, least=1, optional=True),
    "eprop": Range(bool),
    "exchange_to": Range(str, choices=neurons.names, optional=True),
    "exchange_at": Range(int, least=0),
    "augmentation": Range(str, optional=True),
    "cutmix": Range(float, above=0, optional=True),
    "dropout": Range(float, least=0, most=0.95),
    "clip_gradients": Range(float, above=0, optional=True),
    "held_out": Range(bool),
    "processes": Range(int, least=1),
    "recipe": Range(str, optional=True),
    "precision": Range(str, choices=lambda: PRECISIONS),
    "compile": Range(str, choices=lambda: COMPILATIONS),
    "memory_format": Range(str, choices=lambda: FORMATS),
}
"""Batch normalisation needs two samples, so a batch of one would train nothing."""


def budget(profile: str, dataset: str) -> dict[str, Any]:
    """The settings of a data set in a profile."""
    source = data.SOURCES[dataset]
    return {"dataset": dataset, "network": source.network} | dict(source.budgets.get(profile, {}))


def load(settings: Mapping[str, Any], seed: int = 0) -> data.Dataset:
    """The data set of a cell's settings and seed; shape and sizes are the same for all seeds."""
    return data.load(settings["dataset"], settings["delay"], settings["frames"], seed)


def _load(cell: Cell) -> data.Dataset:
    return load(cell.settings, cell.seed)


def _shown(cell: Cell, dataset: data.Dataset) -> int | None:
    """How often a static input is shown, once to a neuron without memory; None for a sequence."""
    model = neurons.get(cell.neuron)
    stateless = model.runs_over_time() and not model.states
    return (1 if stateless else cell.settings["timesteps"]) if dataset.timesteps is None else None


def _at_hand(settings: Mapping[str, Any]) -> data.Dataset | None:
    """The data set, or None: cells whose data a plan cannot see end with the cause."""
    try:
        return load(settings)
    except (BackendUnavailable, data.DataCorrupted):
        return None


def _features(settings: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Shape of the input of one step, of a set of a user's files as it is published: a plan reads no files."""
    published = data.SOURCES[settings["dataset"]].published
    if published is not None:
        return published.features
    dataset = _at_hand(settings)
    return None if dataset is None else dataset.features


def _most_samples(settings: Mapping[str, Any], part: str) -> int | None:
    """How many a part of the data set has, at most as it is published; None where that is not known."""
    published = data.SOURCES[settings["dataset"]].published
    if published is not None:
        return published.test if part == "test" else published.training
    dataset = _at_hand(settings)
    return None if dataset is None else len(dataset.indices(part))


class NetworkTask(Task):
    """A task on a whole network, whose time steps are those of the data set where that is a sequence."""

    ranges: ClassVar[Mapping[str, Range]] = NETWORK_RANGES
    parts: ClassVar[Mapping[str, str]] = {"train_samples": "train"}
    """The settings that are a number of samples, each with the part of the data set that they are taken from."""
    exchanges = False
    """Whether its training exchanges the neurons at `exchange_at`."""
    trains_whole = True
    """Whether it trains over epochs, which several processes can do together."""

    def refusal(self, settings: Mapping[str, Any]) -> str | None:
        """An image network needs images, samples must be there, and an exchange must fall into the training."""
        data_refusals = (self._frames_refusal, self._network_refusal, self._samples_refusal, self._images_refusal)
        refusals = (*data_refusals, self._exchange_refusal, self._processes_refusal, self._eprop_refusal)
        return next(filter(None, (refuses(settings) for refuses in refusals)), None)

    def refusal_on(self, device: str, settings: Mapping[str, Any]) -> str | None:
        return arithmetic.refusal(settings, device)

    def _frames_refusal(self, settings: Mapping[str, Any]) -> str | None:
        name, frames = settings["dataset"], settings["frames"]
        if frames is None:
            return None
        if data.SOURCES[name].argument != "frames":
            return f"setting frames={frames}: {name} has no events that could be cut into frames"
        if data.embedded(name):
            load(settings)  # which says of a number that does not divide its steps what is wrong with it
        return None

    def _network_refusal(self, settings: Mapping[str, Any]) -> str | None:
        chosen, usual = settings["network"], data.SOURCES[settings["dataset"]].network
        if chosen in (None, usual) or not networks.ARCHITECTURES[chosen].images:
            return None
        features = _features(settings)
        return (
            None if features is None else networks.ARCHITECTURES[chosen].refusal(chosen, features, settings["dataset"])
        )

    def _samples_refusal(self, settings: Mapping[str, Any]) -> str | None:
        for name, part in self.parts.items():
            asked = settings[name]
            if asked is None or asked == self.settings[name]:  # what nobody asked for is "at most"
                continue
            there = _most_samples(settings, part)
            if there is not None and asked > there:
                return f"setting {name}={asked}: the {part} set of {settings['dataset']} has {there}"
        return None

    def _images_refusal(self, settings: Mapping[str, Any]) -> str | None:
        source = data.SOURCES[settings["dataset"]]
        augmentation.parsed(settings["augmentation"])  # which says what there is
        for name in ("augmentation", "cutmix"):
            if settings[name] is not None and (source.pixels is None or source.sequence):
                return f"setting {name}={settings[name]}: {settings['dataset']} holds no images in pixels"
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

    def _processes_refusal(self, settings: Mapping[str, Any]) -> str | None:
        processes = settings["processes"]
        if processes == 1:
            return None
        if not self.trains_whole:
            return f"setting processes={processes}: {self.name} runs single steps of one process"
        if settings["exchange_to"] is not None:
            return f"setting processes={processes}: exchange_to={settings['exchange_to']} is for one process"
        if settings["batch_size"] < processes:
            return f"setting processes={processes}: batch_size={settings['batch_size']} leaves some without a sample"
        return None

    def _eprop_refusal(self, settings: Mapping[str, Any]) -> str | None:
        """Its backward pass is several, which neither a compiled network nor one of several processes can make."""
        if not settings["eprop"]:
            return None
        other = {"compile": "off", "processes": 1}
        return next(
            (
                f"setting eprop=True: {name}={settings[name]}; it trains with {name}={usual}"
                for name, usual in other.items()
                if settings[name] != usual
            ),
            None,
        )

    def timesteps(self, cell: Cell) -> int | None:
        dataset = _load(cell)
        return _shown(cell, dataset) or dataset.timesteps


def prepare(cell: Cell) -> tuple[data.Dataset, networks.SpikingNetwork]:
    """The data set and the freshly initialised network of a cell on its device, drawn from its seed on the CPU."""
    torch.manual_seed(cell.seed)
    settings = cell.settings
    dataset = _load(cell)
    shown = _shown(cell, dataset)
    steps = shown or dataset.timesteps
    network = networks.build(
        settings["network"] or data.SOURCES[dataset.name].network,
        lambda channels: cell.neuron_layer(channels, steps),
        dataset.features,
        dataset.classes,
        shown,
        settings["width"],
        settings["norm"],
    )
    return dataset.on(cell.torch_device), Arithmetic.of(settings, cell.torch_device).placed(network)


def trained(
    cell: Cell, dataset: data.Dataset, network: networks.SpikingNetwork, tested: bool = True
) -> Iterator[Epoch]:
    """Train the network of a cell by its settings, in as many processes as they say, and yield after each epoch."""
    with parallel.team(cell) as team:
        yield from train_with(team, cell, dataset, network, tested)


def train_with(
    team: Team, cell: Cell, dataset: data.Dataset, network: networks.SpikingNetwork, tested: bool = True
) -> Iterator[Epoch]:
    """The part of one process in it; see `train`."""
    settings = cell.settings
    recipe, how = Recipe.from_settings(dict(settings)), Arithmetic.of(settings, cell.torch_device)
    if settings["dropout"]:
        network.dropout.rate = settings["dropout"]
    return train(network, dataset, recipe, settings["train_samples"], cell.seed, how, tested, team)


def train_through(cell: Cell, dataset: data.Dataset, network: networks.SpikingNetwork) -> None:
    """Train the network of a cell to the end, for tasks that ask for no curves."""
    for _ in trained(cell, dataset, network, tested=False):
        pass


def exchange(network: networks.SpikingNetwork, cell: Cell) -> None:
    """Put the neurons of `cell` in place of a trained network's, for as many time steps as they are shown.

    Raises:
        InvalidValue: the old or the new neurons have trainable parameters, which an optimiser would lose.
    """
    dataset = _load(cell)
    shown = _shown(cell, dataset)
    network.exchange_neurons(lambda channels, _: cell.neuron_layer(channels, shown or dataset.timesteps))
    network.timesteps = shown
