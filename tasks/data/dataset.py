"""What a data set is, and how one is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from tasks.data.location import Download

Readout = Literal["mean", "last"]
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Inputs, labels and the split letter of each sample: t train, v validation, e test."""

FILES = resources.files("tasks.data") / "files"
"""What comes with the project."""
SPLITS = {"train": "t", "validation": "v", "test": "e"}


class DataCorrupted(Exception):
    """A data set or its split is not the one that was frozen, or a file of it cannot be read."""


@dataclass(frozen=True)
class Pixels:
    """How stored pixels (0 to 255) become inputs: mean 0 and deviation 1 over the training set, by channel."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def normalised(self, stored: Tensor) -> Tensor:
        """Images [..., C, H, W] of whole numbers as float32."""
        shape = (-1, 1, 1)
        mean, deviation = (torch.tensor(own, device=stored.device).view(shape) for own in (self.mean, self.deviation))
        return (stored.float() / 255 - mean) / deviation


@dataclass(frozen=True)
class Dataset:
    """One data set.

    Attributes:
        inputs: as stored, [samples, *features] for a static set, [samples, T, *features] for a sequence: float32, or
            whole numbers (pixels, counts of events), which are a quarter of the memory and become float32 by batch.
        timesteps: length of the sequences; None for a static set, which is shown at each of T steps (direct encoding).
        readout: which outputs decide: the mean over time, or the last step alone.
        pixels: how images of whole numbers are normalised; None for inputs that are taken as they are.
    """

    name: str
    classes: int
    timesteps: int | None
    readout: Readout
    inputs: Tensor
    labels: Tensor
    split: np.ndarray
    sha256: str
    pixels: Pixels | None = None

    @property
    def features(self) -> tuple[int, ...]:
        """Shape of the input of one step."""
        return tuple(self.inputs.shape[1 if self.timesteps is None else 2 :])

    def on(self, device: torch.device) -> Dataset:
        """The same data, resident on the device: no loader waits there for the host."""
        return replace(self, inputs=self.inputs.to(device), labels=self.labels.to(device))

    def indices(self, name: str) -> Tensor:
        """The samples of "train", "validation" or "test"."""
        return torch.from_numpy(np.flatnonzero(self.split == SPLITS[name])).to(self.inputs.device)

    def shown(self, stored: Tensor) -> Tensor:
        """Stored inputs as a network takes them, in float32."""
        return self.pixels.normalised(stored) if self.pixels is not None else stored.float()

    def batch(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs, as a network takes them, and labels of these samples."""
        return self.shown(self.inputs[samples]), self.labels[samples]

    def part(self, name: str) -> tuple[Tensor, Tensor]:
        """All of "train", "validation" or "test" as one batch, for sets that are small."""
        return self.batch(self.indices(name))

    def are_events(self) -> bool:
        """Whether all inputs are 0, 1 or −1: of events, at most one a step."""
        return self.pixels is None and bool(((self.inputs == 0) | (self.inputs.abs() == 1)).all())


@dataclass(frozen=True)
class Card:
    """What one must know of a data set beside its arrays.

    Attributes:
        values: what an input is: "binary", "counts", "pixels", "analog".
        step: how long a time step is, in words; empty for a static set.
        licence: of the data.
        source: paper or site.
        splits: how samples came to training, validation and test.
    """

    values: str
    licence: str
    source: str
    step: str = ""
    splits: str = ""


@dataclass(frozen=True)
class Published:
    """What is known of a set that a user brings before its files are read, as it was published.

    Attributes:
        features: shape of the input of one step.
        training, test: samples; those of validation are counted to training.
        cache: what its samples are kept under once they are made ready, with the number of frames put in; empty for a
            set that is read from its files each time.
        number: bytes of a number that is kept.
        steps: of a sequence that is not cut into frames.
    """

    features: tuple[int, ...]
    classes: int
    training: int
    test: int
    cache: str = ""
    number: int = 1
    steps: int | None = None

    @property
    def samples(self) -> int:
        return self.training + self.test

    def kept(self, frames: int) -> tuple[str, int]:
        """The name in the cache, and the bytes of all samples in so many frames."""
        return self.cache.format(frames), self.samples * max(1, frames) * math.prod(self.features) * self.number


@dataclass(frozen=True)
class Source:
    """How a data set is made, how much training it gets, and the hash that freezes it.

    Attributes:
        network: by which it is learned unless a setting says otherwise.
        load: makes it, from its `argument`; most have none and ignore it. Of a set that is drawn, also from a seed.
        budgets: settings of its training by profile; what a profile does not say is the task's default.
        in_smoke, in_quick: whether the smoke and the quick profile take it where nobody names it.
        timings_alone: it holds nothing to learn, and only who names it gets it.
        sha256: by argument, 0 where there is none; of what is drawn that of seed 0.
        title: as papers and pages call it; its name in words unless told.
        argument: the setting that `load` takes: "delay", or "frames" of events; and its value unless one is set.
        pixels: see `Dataset`.
        download: files that must be brought; None for what comes with the project, which every profile runs.
        drawn: every seed of a run has samples of its own, and who runs with that seed shares them.
        published: None where that is the project's own affair.
    """

    description: str
    network: str
    load: Callable[..., Arrays]
    readout: Readout = "mean"
    sequence: bool = False
    budgets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    in_smoke: bool = False
    in_quick: bool = True
    timings_alone: bool = False
    sha256: Mapping[int, str] = field(default_factory=dict)
    title: str = ""
    argument: Literal["", "delay", "frames"] = ""
    usual: int = 0
    pixels: Pixels | None = None
    card: Card | None = None
    download: Download | None = None
    drawn: bool = False
    published: Published | None = None


def frozen_split(name: str) -> np.ndarray:
    """The split letters of each sample, as they come with the project."""
    text = (FILES / f"{name}.split.txt").read_text()
    return np.array(list("".join(text.split())))


def held_out(labels: np.ndarray, every: int = 10) -> np.ndarray:
    """Letters of a training set of which, of each class in the order of the files, each tenth sample is validation.

    A rule and no list, so that it holds for what cannot come with the project. Of a class with fewer the last sample.
    """
    letters = np.full(len(labels), "t")
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        letters[own[every - 1 :: every] if len(own) >= every else own[len(own) - 1 :]] = "v"
    return letters
