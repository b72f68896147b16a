"""What a report says of a data set and of the network on it, beside the rows: samples, shape, chance, parameters.

A data set that is not at hand (its files lie on another machine) has none of it: the report stands on the rows alone.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

import neurons
from neurons import NeuronLayer
from tasks import data as datasets
from tasks import networks
from tasks.data.dataset import SPLITS

PERCENT = 100.0


@dataclass(frozen=True)
class DataFacts:
    """A data set as it was shown.

    Attributes:
        samples: of training, validation and test.
        features: shape of the input of one step.
        chance: accuracy in percent of who always names the most frequent class of the test set.
    """

    samples: tuple[int, int, int]
    features: tuple[int, ...]
    classes: int
    chance: float


@lru_cache(maxsize=64)
def facts(name: str, delay: int, frames: int | None = None) -> DataFacts | None:
    """None where the data set is not known here, or cannot be loaded."""
    if name not in datasets.SOURCES:
        return None
    try:
        dataset = datasets.load_unkept(name, delay, frames)
    except Exception:  # whatever keeps it from being there is no fault of the report
        return None
    labels = dataset.labels[dataset.indices("test")].numpy()
    counts = [int((dataset.split == letter).sum()) for letter in SPLITS.values()]
    shares = np.bincount(labels) / len(labels)
    return DataFacts((counts[0], counts[1], counts[2]), dataset.features, dataset.classes, PERCENT * shares.max())


def of_settings(name: str, settings: str) -> DataFacts | None:
    known = _settings(settings)
    return facts(name, int(known.get("delay") or 4), known.get("frames"))


def chance(name: str, settings: str) -> float:
    """Accuracy of guessing in percent; NaN where the data set is not at hand."""
    known = of_settings(name, settings)
    return math.nan if known is None else known.chance


def parameters(name: str, network: str, neuron: str, steps: int, settings: str) -> int | None:
    """Learnable numbers of the network with that neuron; None where it cannot be built here."""
    known, width = of_settings(name, settings), _settings(settings).get("width")
    if known is None:
        return None

    def layer(channels: int) -> NeuronLayer:
        return neurons.layer(neuron, channels, steps, "reference")

    try:
        with torch.random.fork_rng(devices=[]):
            built = networks.build(network, layer, known.features, known.classes, steps, width)
    except Exception:  # a network or neuron that this version does not have
        return None
    return sum(parameter.numel() for parameter in built.parameters())


def _settings(text: Any) -> dict[str, Any]:
    known = json.loads(text) if isinstance(text, str) and text else {}
    return known if isinstance(known, dict) else {}
