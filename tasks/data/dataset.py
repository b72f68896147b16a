"""What a data set is, and how one is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

Readout = Literal["mean", "last"]
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Inputs, labels and the split letter of each sample: t train, v validation, e test."""

FILES = resources.files("tasks.data") / "files"
"""What comes with the project."""
SPLITS = {"train": "t", "validation": "v", "test": "e"}


class DataCorrupted(Exception):
    """A data set or its split is not the one that was frozen."""


@dataclass(frozen=True)
class Dataset:
    """One data set.

    Attributes:
        inputs: [samples, *features] for a static set, [samples, T, *features] for a sequence; float32.
        timesteps: length of the sequences; None for a static set, which is shown at each of T steps (direct encoding).
        readout: which outputs decide: the mean over time, or the last step alone.
    """

    name: str
    classes: int
    timesteps: int | None
    readout: Readout
    inputs: Tensor
    labels: Tensor
    split: np.ndarray
    sha256: str

    @property
    def features(self) -> tuple[int, ...]:
        """Shape of the input of one step."""
        return tuple(self.inputs.shape[1 if self.timesteps is None else 2 :])

    def on(self, device: torch.device) -> Dataset:
        """The same data, resident on the device."""
        return replace(self, inputs=self.inputs.to(device), labels=self.labels.to(device))

    def part(self, name: str) -> tuple[Tensor, Tensor]:
        """Inputs and labels of "train", "validation" or "test"."""
        chosen = torch.from_numpy(np.flatnonzero(self.split == SPLITS[name])).to(self.inputs.device)
        return self.inputs[chosen], self.labels[chosen]


@dataclass(frozen=True)
class Source:
    """How a data set is made, how much training it gets, and the hash that freezes it.

    Attributes:
        network: by which it is learned unless a setting says otherwise.
        load: makes it, from a delay that most ignore.
        budgets: settings of its training by profile; what a profile does not say is the task's default.
        in_smoke: whether the smoke profile takes it.
        timings_alone: it holds nothing to learn, and only who names it gets it.
        sha256: by delay, 0 where the delay has no part in it.
        title: as papers and pages call it; its name in words unless told.
    """

    description: str
    network: str
    load: Callable[[int], Arrays]
    readout: Readout = "mean"
    sequence: bool = False
    budgets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    in_smoke: bool = False
    timings_alone: bool = False
    sha256: Mapping[int, str] = field(default_factory=dict)
    title: str = ""


def frozen_split(name: str) -> np.ndarray:
    """The split letters of each sample, as they come with the project."""
    text = (FILES / f"{name}.split.txt").read_text()
    return np.array(list("".join(text.split())))
