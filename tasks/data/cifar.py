"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009): 60,000 images of 3×32×32, by torchvision."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tasks.data.dataset import Arrays, Card, DataCorrupted, Pixels, Published, Source, held_out
from tasks.data.location import Download, find

DOWNLOADS = {
    "cifar10": Download(
        "cifar10",
        tuple(f"cifar-10-batches-py/{name}" for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch")),
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "170 MB",
        {
            "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
            "cifar-10-batches-py/data_batch_1": "c99cafc152244af753f735de768cd75f",
            "cifar-10-batches-py/data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "cifar-10-batches-py/data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "cifar-10-batches-py/data_batch_4": "634d18415352ddfa80567beed471001a",
            "cifar-10-batches-py/data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "cifar-10-batches-py/test_batch": "40351d587109b95175f43aff81a1287e",
        },
    ),
    "cifar100": Download(
        "cifar100",
        ("cifar-100-python/train", "cifar-100-python/test"),
        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        "169 MB",
        {
            "cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85",
            "cifar-100-python/train": "16019d7e3df5f24257cddd939b257f8d",
            "cifar-100-python/test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
        },
    ),
}
PIXELS = {
    "cifar10": Pixels((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "cifar100": Pixels((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
}
"""As the CLIF paper's code normalises; of CIFAR-10 the deviations are means over images, not over all pixels."""


def _reader(name: str) -> Any:
    """torchvision's class without its test of hashes, which knows whole sets alone; `suite data` compares them."""
    from torchvision import datasets

    base = datasets.CIFAR10 if name == "cifar10" else datasets.CIFAR100

    class Reader(base):  # type: ignore[misc, valid-type]
        def _check_integrity(self) -> bool:
            return True

        def _load_meta(self) -> None:
            """The names of the classes have no part in anything here."""

    return Reader


def _cifar(name: str, _: int) -> Arrays:
    root = find(name, DOWNLOADS[name])
    images, labels = [], []
    for train in (True, False):
        own_images, own_labels = _part(name, root, train)
        images.append(own_images.transpose(0, 3, 1, 2))
        labels.append(own_labels)
    split = np.concatenate([held_out(labels[0]), np.full(len(labels[1]), "e")])
    return np.concatenate(images), np.concatenate(labels), split


def _part(name: str, root: Path, train: bool) -> tuple[np.ndarray, np.ndarray]:
    reader = _reader(name)
    first = root / reader.base_folder / (reader.train_list if train else reader.test_list)[0][0]
    try:
        part = reader(root, train=train)
        images, labels = np.asarray(part.data), np.asarray(part.targets, np.int64)
    except Exception as error:  # whatever a pickle that was cut off or changed makes of it
        raise DataCorrupted(f"{_unreadable(root, reader, train) or first}: {error}") from error
    if images.shape != (len(labels), 32, 32, 3) or not len(labels):
        raise DataCorrupted(f"{first.parent}: {len(labels)} labels and images of shape {list(images.shape)}")
    return images, labels


def _unreadable(root: Path, reader: Any, train: bool) -> Path | None:
    """The first file of a part that is no pickle of images."""
    import pickle

    for name, _ in reader.train_list if train else reader.test_list:
        path = root / reader.base_folder / name
        try:
            with path.open("rb") as file:
                pickle.load(file, encoding="latin1")["data"].reshape(-1, 3, 32, 32)
        except Exception:
            return path
    return None


def _source(name: str, classes: int) -> Source:
    return Source(
        f"60,000 colour images of 3×32×32 in {classes} classes, static",
        network="resnet18_preact",
        load=partial(_cifar, name),
        budgets={
            "smoke": {"epochs": 1, "width": 4, "train_samples": 128, "timesteps": 2},
            "quick": {"epochs": 10, "width": 32},
            "full": {"epochs": 100},
        },
        title=f"CIFAR-{classes}",
        pixels=PIXELS[name],
        card=Card(
            "pixels",
            "none stated; research use",
            "Krizhevsky 2009, Learning multiple layers of features from tiny images",
            splits="official training set, each tenth image of a class held out for validation; official test set",
        ),
        download=DOWNLOADS[name],
        published=Published((3, 32, 32), classes, 50_000, 10_000),
    )


SOURCES = {"cifar10": _source("cifar10", 10), "cifar100": _source("cifar100", 100)}
