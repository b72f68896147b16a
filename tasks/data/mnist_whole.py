"""MNIST (LeCun et al. 1998): 70,000 images of 28×28, by torchvision; whole, pixel by pixel, and pixels permuted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tasks.data.dataset import Arrays, Card, DataCorrupted, Pixels, Published, Source, held_out
from tasks.data.location import Download, find
from tasks.data.permutation import pixel_permutation

RAW = "MNIST/raw"
NAMES = {
    True: ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    False: ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
DOWNLOAD = Download(
    "mnist",
    tuple(f"{RAW}/{name}" for names in NAMES.values() for name in names),
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "12 MB, four archives",
    {
        f"{RAW}/train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        f"{RAW}/train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        f"{RAW}/t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        f"{RAW}/t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    },
)
IMAGE = 28


def _images(_: int) -> Arrays:
    """Images [N, 1, 28, 28] of 0 to 255."""
    from torchvision.datasets import MNIST

    root = find("mnist", DOWNLOAD)
    parts = []
    for train, names in NAMES.items():
        for name in names:
            _check_size(root / RAW / name)
        part = MNIST(root, train=train)
        images, labels = part.data.numpy(), part.targets.numpy().astype(np.int64)
        if images.shape != (len(labels), IMAGE, IMAGE):
            shape = list(images.shape)
            raise DataCorrupted(f"{root / RAW / names[0]}: images of shape {shape}, and {len(labels)} labels")
        parts.append((images[:, np.newaxis], labels))
    split = np.concatenate([held_out(parts[0][1]), np.full(len(parts[1][1]), "e")])
    return np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts]), split


def _check_size(path: Path) -> None:
    """An IDX file of bytes tells its sizes: 0x0000080N and N numbers of 32 bits, big-endian.

    Raises:
        DataCorrupted: it has no such header, or another length than that.
    """
    with path.open("rb") as file:
        magic = file.read(4)
        sizes = np.frombuffer(file.read(4 * (magic[3] if len(magic) == 4 else 0)), ">u4").astype(np.int64)
    if magic[:3] != b"\0\0\x08" or not len(sizes) == magic[3] > 0:
        raise DataCorrupted(f"{path}: is no IDX file of bytes")
    wanted = 4 * (len(sizes) + 1) + int(sizes.prod())
    if path.stat().st_size != wanted:
        raise DataCorrupted(f"{path}: has {path.stat().st_size:,} bytes, and its header tells of {wanted:,}")


def _sequence(order: Callable[[], np.ndarray], _: int) -> Arrays:
    """The same, a pixel a step [N, 784, 1], in an order; as numbers from 0 to 1."""
    images, labels, split = _images(0)
    pixels = images.reshape(len(images), -1)[:, order(), np.newaxis]
    return pixels.astype(np.float32) / 255, labels, split


def _as_written() -> np.ndarray:
    return np.arange(IMAGE**2)


def _source(description: str, title: str, load: Callable[[int], Arrays], **own: Any) -> Source:
    shape: dict[str, Any] = {"features": (1, IMAGE, IMAGE)}
    if own.get("sequence"):
        shape = {"features": (1,), "steps": IMAGE**2}
    return Source(
        description,
        load=load,
        title=title,
        download=DOWNLOAD,
        published=Published(**shape, classes=10, training=60_000, test=10_000),
        card=Card(
            "pixels",
            "CC BY-SA 3.0",
            "LeCun et al. 1998, Gradient-based learning applied to document recognition",
            step="one pixel" if own.get("sequence") else "",
            splits="official; of the training set each tenth image of a class is validation",
        ),
        **own,
    )


LONG: dict[str, Any] = {
    "network": "mlp",
    "sequence": True,
    "readout": "last",
    "budgets": {
        "smoke": {"epochs": 1, "width": 16, "train_samples": 128},
        "quick": {"epochs": 2, "train_samples": 5000},
        "full": {"epochs": 50},
    },
}
SOURCES = {
    "mnist": _source(
        "70,000 images of digits of 28×28, static",
        "MNIST",
        _images,
        network="conv5",
        pixels=Pixels((0.1307,), (0.3081,)),
        budgets={
            "smoke": {"epochs": 1, "width": 4, "train_samples": 128, "timesteps": 2},
            "quick": {"epochs": 3, "width": 8, "train_samples": 5000},
            "full": {"epochs": 30},
        },
    ),
    "smnist": _source("the same, pixel by pixel, T = 784", "sMNIST", partial(_sequence, _as_written), **LONG),
    "psmnist": _source(
        "the same, pixel by pixel in one shuffled order, T = 784",
        "psMNIST",
        partial(_sequence, pixel_permutation),
        **LONG,
    ),
}
