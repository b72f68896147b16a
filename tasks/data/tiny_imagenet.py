"""Tiny-ImageNet (Stanford CS231n): 110,000 labelled images of 3×64×64 in 200 classes, from folders of JPEG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tasks.data.cache import built
from tasks.data.dataset import Arrays, Card, DataCorrupted, Pixels, Published, Source, held_out
from tasks.data.location import Download, find, state

ROOT = "tiny-imagenet-200"
SIDE = 64
JPEG = "*.JPEG"
DOWNLOAD = Download(
    "tiny_imagenet",
    tuple(f"{ROOT}/{name}" for name in ("wnids.txt", "train", "val/val_annotations.txt", "val/images")),
    "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
    "248 MB",
    {"tiny-imagenet-200.zip": "90528d7ca1a48142e341f4ef8d21d0de"},
)


def _tiny_imagenet(_: int) -> Arrays:
    """Classes are numbered in the order of `wnids.txt`; the official validation set, which has labels, is the test."""
    root = find("tiny_imagenet", DOWNLOAD) / ROOT
    classes = (root / "wnids.txt").read_text().split()
    number = {word: index for index, word in enumerate(classes)}
    training = [(path, number[own]) for own in classes for path in sorted((root / "train" / own / "images").glob(JPEG))]
    if not training:
        raise DataCorrupted(f"{root / 'train'}: no folder of a class in wnids.txt holds images")
    test = []
    annotations = root / "val" / "val_annotations.txt"
    for line in annotations.read_text().splitlines():
        file, word = (*line.split("\t"), "")[:2]
        if word not in number:
            raise DataCorrupted(f"{annotations}: {file} is of class '{word}', which wnids.txt does not have")
        test.append((root / "val" / "images" / file, number[word]))
    labels = np.array([label for _, label in (*training, *test)], np.int64)
    split = np.concatenate([held_out(labels[: len(training)]), np.full(len(test), "e")])
    paths = [path for path, _ in (*training, *test)]
    return built("tiny_imagenet", state("tiny_imagenet", DOWNLOAD), paths, read_image, labels, split)


def read_image(path: Path) -> np.ndarray:
    """The pixels [3, 64, 64] of one file; a grey image has three equal channels.

    Raises:
        DataCorrupted: it is missing or no image of that size.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    except OSError as error:
        raise DataCorrupted(f"{path}: {error}") from error
    if pixels.shape != (SIDE, SIDE, 3):
        raise DataCorrupted(f"{path}: an image of {pixels.shape[1]}×{pixels.shape[0]}, not of {SIDE}×{SIDE}")
    return pixels.transpose(2, 0, 1)


SOURCES = {
    "tiny_imagenet": Source(
        "110,000 colour images of 3×64×64 in 200 classes, static",
        network="vgg13",
        load=_tiny_imagenet,
        budgets={
            "smoke": {"epochs": 1, "width": 4, "train_samples": 128, "timesteps": 2},
            "quick": {"epochs": 10, "width": 32},
            "full": {"epochs": 100},
        },
        title="Tiny-ImageNet",
        pixels=Pixels((0.4802, 0.4481, 0.3975), (0.2302, 0.2265, 0.2262)),
        card=Card(
            "pixels",
            "of the images' owners; research use (ImageNet)",
            "Le and Yang 2015, Stanford CS231n",
            splits="official training set, each tenth image of a class held out for validation; "
            "the official validation set is the test set, as the official test set has no labels",
        ),
        download=DOWNLOAD,
        published=Published((3, SIDE, SIDE), 200, 100_000, 10_000, "tiny_imagenet"),
    )
}
