"""CIFAR10-DVS (Li et al. 2017): 10,000 images of CIFAR-10, moved before an event camera of 128×128.

It has no official split, and two are in use, whose accuracies are not comparable: of each class samples 0 to 99 are
the test set (Duan et al. 2022, TEBN), or 900 to 999 (the code of the CLIF paper).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from tasks.data.cache import built
from tasks.data.dataset import Arrays, Card, DataCorrupted, Pixels, Published, Source, held_out
from tasks.data.events import frames_of_equal_number, read_aedat2
from tasks.data.location import Download, find, state

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SENSOR, SIDE = 128, 48
DOWNLOAD = Download(
    "cifar10_dvs",
    CLASSES,
    "https://figshare.com/articles/dataset/CIFAR10-DVS_New/4724671",
    "1.2 GB, ten archives",
    {
        "airplane.zip": "0afd5c4bf9ae06af762a77b180354fdd",
        "automobile.zip": "8438dfeba3bc970c94962d995b1b9bdd",
        "bird.zip": "a9c207c91c55b9dc2002dc21c684d785",
        "cat.zip": "52c63c677c2b15fa5146a8daf4d56687",
        "deer.zip": "b6bf21f6c04d21ba4e23fc3e36c8a4a3",
        "dog.zip": "f379ebdf6703d16e0a690782e62639c3",
        "frog.zip": "cad6ed91214b1c7388a5f6ee56d08803",
        "horse.zip": "e7cbbf77bec584ffbf913f00e682782a",
        "ship.zip": "41c7bd7d6b251be82557c6cce9a7d5c9",
        "truck.zip": "89f3922fd147d9aeff89e76a2b0b70a7",
    },
)


def _cifar10_dvs(in_test: Callable[[int], bool], frames: int) -> Arrays:
    root = find("cifar10_dvs", DOWNLOAD)
    found = [(path, label) for label, name in enumerate(CLASSES) for path in _numbered(root / name)]
    paths = [path for path, _ in found]
    labels = np.array([label for _, label in found], np.int64)
    test = np.array([in_test(_number(path)) for path in paths])
    split = np.full(len(paths), "e")
    split[~test] = held_out(labels[~test])
    make = partial(read_frames, frames=frames)
    inputs, _, _ = built(f"cifar10_dvs-{frames}", state("cifar10_dvs", DOWNLOAD), paths, make, labels, split)
    return inputs, labels, split


def _numbered(folder: Path) -> list[Path]:
    """The recordings of a class by their number.

    Raises:
        DataCorrupted: there is none.
    """
    paths = sorted(folder.glob("cifar10_*.aedat"), key=_number)
    if not paths:
        raise DataCorrupted(f"{folder}: holds no recording cifar10_{folder.name}_NUMBER.aedat")
    return paths


def _number(path: Path) -> int:
    try:
        return int(path.stem.rpartition("_")[2])
    except ValueError as error:
        raise DataCorrupted(f"{path}: its name ends with no number") from error


def read_frames(path: Path, frames: int) -> np.ndarray:
    """Frames [T, 2, 48, 48] of one recording: which pixels saw an event, made smaller by bilinear interpolation.

    The CLIF paper's code makes them so, but for this: there a pixel with k events counts (256 − k)/255, here 1.
    """
    from torchvision.transforms.v2 import functional

    counts = frames_of_equal_number(read_aedat2(path), frames, SENSOR, SENSOR, path)
    seen = torch.from_numpy(np.minimum(counts, 1).astype(np.uint8) * 255)
    return functional.resize(seen, [SIDE, SIDE], antialias=True).numpy()


def _source(title: str, in_test: Callable[[int], bool], split: str) -> Source:
    return Source(
        f"events of 10,000 images, frames of 2×48×48, T = 10; test set: {split}",
        network="vgg11",
        load=partial(_cifar10_dvs, in_test),
        sequence=True,
        budgets={
            "smoke": {"epochs": 1, "width": 4, "train_samples": 128},
            "quick": {"epochs": 10, "width": 32},
            "full": {"epochs": 100},
        },
        title=title,
        argument="frames",
        usual=10,
        pixels=Pixels((0.0, 0.0), (1.0, 1.0)),
        card=Card(
            "binary, averaged over 2.7×2.7 pixels",
            "CC BY 4.0",
            "Li et al. 2017, doi:10.3389/fnins.2017.00309",
            step="a tenth of a recording's events",
            splits=f"no official one; test: {split}; of the others each tenth of a class is validation",
        ),
        download=DOWNLOAD,
        published=Published((2, SIDE, SIDE), len(CLASSES), 9_000, 1_000, "cifar10_dvs-{}"),
    )


def _first_hundred(number: int) -> bool:
    return number < 100


def _last_hundred(number: int) -> bool:
    return number >= 900


SOURCES = {
    "cifar10_dvs_tebn": _source("CIFAR10-DVS (TEBN's split)", _first_hundred, "samples 0 to 99 of a class"),
    "cifar10_dvs_clif": _source("CIFAR10-DVS (CLIF's split)", _last_hundred, "samples 900 to 999 of a class"),
}
