"""N-MNIST (Orchard et al. 2015): the 70,000 images of MNIST before an ATIS sensor that makes three saccades."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from tasks.data.cache import built
from tasks.data.dataset import Arrays, Card, DataCorrupted, Published, Source, held_out
from tasks.data.events import frames_of_equal_number, read_atis, stored
from tasks.data.location import Download, find, state

SIDE, CLASSES = 34, 10
DOWNLOAD = Download(
    "n_mnist",
    tuple(f"{part}/{digit}" for part in ("Train", "Test") for digit in range(CLASSES)),
    "https://www.garrickorchard.com/datasets/n-mnist",
    "1.1 GB",
    {"Train.zip": "20959b8e626244a1b502305a9e6e2031", "Test.zip": "69ca8762b2fe404d9b9bad1103e97832"},
)


def _n_mnist(frames: int) -> Arrays:
    root = find("n_mnist", DOWNLOAD)
    found = {part: [(path, digit) for digit in range(CLASSES) for path in _of(root, part, digit)] for part in PARTS}
    paths = [path for part in PARTS for path, _ in found[part]]
    labels = np.array([digit for part in PARTS for _, digit in found[part]], np.int64)
    trained = len(found["Train"])
    split = np.concatenate([held_out(labels[:trained]), np.full(len(labels) - trained, "e")])
    make = partial(read_frames, frames=frames)
    inputs, _, _ = built(f"n_mnist-{frames}", state("n_mnist", DOWNLOAD), paths, make, labels, split)
    return inputs, labels, split


PARTS = ("Train", "Test")


def _of(root: Path, part: str, digit: int) -> list[Path]:
    paths = sorted((root / part / str(digit)).glob("*.bin"))
    if not paths:
        raise DataCorrupted(f"{root / part / str(digit)}: holds no recording NUMBER.bin")
    return paths


def read_frames(path: Path, frames: int) -> np.ndarray:
    """Counts [T, 2, 34, 34] of one recording."""
    return stored(frames_of_equal_number(read_atis(path), frames, SIDE, SIDE, path), np.uint8, path)


SOURCES = {
    "n_mnist": Source(
        "events of 70,000 digits, counts in frames of 2×34×34, T = 10",
        network="conv5",
        load=_n_mnist,
        sequence=True,
        budgets={
            "smoke": {"epochs": 1, "width": 4, "train_samples": 128},
            "quick": {"epochs": 3, "width": 8},
            "full": {"epochs": 30},
        },
        title="N-MNIST",
        argument="frames",
        usual=10,
        card=Card(
            "counts",
            "CC BY-SA 4.0",
            "Orchard et al. 2015, doi:10.3389/fnins.2015.00437",
            step="a tenth of a recording's events",
            splits="official; of the training set each tenth of a class is validation",
        ),
        download=DOWNLOAD,
        published=Published((2, SIDE, SIDE), CLASSES, 60_000, 10_000, "n_mnist-{}"),
    )
}
