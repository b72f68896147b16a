"""MNIST-1D (Greydanus and Kobak 2024, arXiv 2011.14439): ten shapes of one dimension, stretched, moved and noisy.

Made here by the published rule and its published constants, from a generator of this project: the samples are others
than those of the authors' file, and as many.
"""

from __future__ import annotations

import numpy as np

from tasks.data.dataset import Arrays, Card, Source, held_out

SHAPES = (
    (5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5),
    (5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5),
    (5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5),
    (5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5),
    (5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5),
    (5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5),
    (5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5),
    (5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5),
)
"""One for each digit, 12 points, as published."""
SAMPLES, TEST, STEPS, SEED = 5000, 1000, 40, 20240204
PADDING, STRETCHED, SCALE, FARTHEST = (36, 60), 72, 0.4, 48
SMOOTH_NOISE, SMOOTHNESS, NOISE, SHEAR = 0.25, 2.0, 0.02, 0.75
DECIMALS = 6
"""Kept of each value, so that the last bits of a library's arithmetic have no part in the data's hash."""


def _mnist1d(_: int) -> Arrays:
    generator = np.random.Generator(np.random.PCG64(SEED))
    labels = np.repeat(np.arange(len(SHAPES)), SAMPLES // len(SHAPES))
    signals = np.stack([sample_of(shape(int(label)), generator) for label in labels])
    order = generator.permutation(SAMPLES)
    signals, labels = signals[order], labels[order]
    signals = (signals - signals.mean()) / signals.std()
    split = np.full(SAMPLES, "e")
    training = np.concatenate([np.flatnonzero(labels == label)[: -TEST // len(SHAPES)] for label in range(len(SHAPES))])
    split[training] = held_out(labels[training])
    return signals.round(DECIMALS).astype(np.float32)[..., np.newaxis], labels.astype(np.int64), split


def shape(label: int) -> np.ndarray:
    """The 12 points of a digit, scaled as published: it begins at 0."""
    points = np.array(SHAPES[label], np.float64)
    points = (points - points.mean()) / points.std()
    return (points - points[0]) / 6


def sample_of(points: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """40 points: the shape and silence behind it, stretched, scaled, turned round by some places; noise and a slope."""
    low, high = PADDING
    silence = np.zeros(low + int(generator.random() * (high - low + 1)))
    signal = stretched(np.concatenate([points + 1e-8, silence]), STRETCHED)
    signal *= 1 + SCALE * (generator.random() - 0.5)
    signal = np.roll(signal, int(generator.integers(FARTHEST)))
    from scipy.ndimage import gaussian_filter1d

    background = gaussian_filter1d(SMOOTH_NOISE * generator.standard_normal(STRETCHED), SMOOTHNESS)
    signal = np.where(signal != 0, signal, background) + NOISE * generator.standard_normal(STRETCHED)
    signal -= SHEAR * (generator.random() - 0.5) * np.linspace(-0.5, 0.5, STRETCHED)
    return stretched(signal, STEPS)


def stretched(signal: np.ndarray, length: int) -> np.ndarray:
    """The signal on another number of points, linear between its own."""
    return np.interp(np.linspace(0, 1, length), np.linspace(0, 1, len(signal)), signal)


SOURCES = {
    "mnist1d": Source(
        "5,000 shapes of digits in one dimension, read point by point, T = 40",
        network="mlp",
        load=_mnist1d,
        sequence=True,
        budgets={
            "smoke": {"epochs": 1, "width": 32, "train_samples": 256},
            "quick": {"epochs": 4, "width": 96},
            "full": {"epochs": 60},
        },
        title="MNIST-1D",
        in_quick=False,
        card=Card(
            "analog",
            "Apache 2.0 (rule and constants)",
            "Greydanus and Kobak 2024, arXiv 2011.14439",
            step="a fortieth of the signal",
            splits="4,000 and 1,000 as published, here stratified; each tenth of a class of the first is validation",
        ),
        sha256={0: "eb6b914390a1bf0b9edc47809906331c36ef5e8457fd7299dec888cc41a4a410"},
    )
}
