"""How a network is trained: loss, optimiser, learning rate and budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from neurons import InvalidValue, NeuronLayer, UnknownName
from tasks.training.losses import LOSSES

OPTIMIZERS = ("adamw", "sgd")
USUAL = {"adamw": (5e-3, 1e-2), "sgd": (0.1, 5e-5)}
"""Learning rate and weight decay of an optimiser where none are set."""
FURTHER = ("augmentation", "cutmix", "clip_gradients", "held_out", "eprop")
FACTOR = "neuron_learning_rate_factor"


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: `sgd` as the paper (momentum 0.9, cosine over all epochs), `adamw` for small tasks.

    Attributes:
        neuron_learning_rate_factor: the learning rate of neurons' own parameters over that of all others.
        augmentation: changes of training images, as "crop+flip", see `tasks.training.augmentation`.
        cutmix: the parameter of CutMix's beta distribution; None mixes no images.
        clip_gradients: the largest norm of all gradients together.
        held_out: whether validation samples are kept out of the training; papers train on them, too.
        eprop: whether gradients are those of e-prop, see `tasks.training.eligibility`, and not of back-propagation.
    """

    epochs: int
    batch_size: int
    loss: str
    optimizer: str
    learning_rate: float
    weight_decay: float
    neuron_learning_rate_factor: float = 1.0
    augmentation: str | None = None
    cutmix: float | None = None
    clip_gradients: float | None = None
    held_out: bool = True
    eprop: bool = False

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Recipe:
        """The recipe in a cell's settings.

        A learning rate or decay of None takes the optimiser's usual one, and no factor is a factor of 1.
        """
        optimizer = settings["optimizer"]
        if optimizer not in OPTIMIZERS:
            raise UnknownName("optimizer", optimizer, OPTIMIZERS)
        if settings["loss"] not in LOSSES:
            raise UnknownName("loss", settings["loss"], LOSSES)
        for name, least in (("epochs", 1), ("batch_size", 2)):  # batch normalisation needs two samples
            if settings[name] < least:
                raise InvalidValue(f"{name} must be at least {least}, not {settings[name]}")
        rate, decay = USUAL[optimizer]
        return cls(
            epochs=settings["epochs"],
            batch_size=settings["batch_size"],
            loss=settings["loss"],
            optimizer=optimizer,
            learning_rate=rate if settings["learning_rate"] is None else settings["learning_rate"],
            weight_decay=decay if settings["weight_decay"] is None else settings["weight_decay"],
            neuron_learning_rate_factor=1.0 if (factor := settings.get(FACTOR)) is None else factor,
            **{name: settings[name] for name in FURTHER if name in settings},
        )

    def make_optimizer(self, network: nn.Module, fused: bool = False) -> torch.optim.Optimizer:
        """The optimiser, `fused` in one kernel for all parameters.

        Weight decay pulls on synapses alone, as it would drag a neuron's parameters to a model's arbitrary zero (PLIF
        to tau 2, KLIF to k = 0). They have a learning rate of their own by the factor.
        """
        layers = [module for module in network.modules() if isinstance(module, NeuronLayer)]
        own = {id(parameter) for layer in layers for parameter in layer.parameters()}
        groups: list[dict[str, Any]] = [
            {"params": [p for p in network.parameters() if id(p) not in own], "weight_decay": self.weight_decay},
            {
                "params": [p for p in network.parameters() if id(p) in own],
                "weight_decay": 0.0,
                "lr": self.learning_rate * self.neuron_learning_rate_factor,
            },
        ]
        groups = [group for group in groups if group["params"]]
        if self.optimizer == "sgd":
            return torch.optim.SGD(groups, self.learning_rate, momentum=0.9, fused=fused or None)
        return torch.optim.AdamW(groups, self.learning_rate, fused=fused or None)
