"""Random images of the size of CIFAR's, for what is timed on a network of that size and learns nothing."""

from __future__ import annotations

import numpy as np

from tasks.data.dataset import Arrays, Source

CLASSES = 10
SAMPLES = {"t": 500, "v": 100, "e": 100}


def _random_images(_: int) -> Arrays:
    generator = np.random.Generator(np.random.PCG64(20240204))
    total = sum(SAMPLES.values())
    inputs = generator.standard_normal((total, 3, 32, 32), dtype=np.float32)
    labels = np.tile(np.arange(CLASSES), total // CLASSES)
    return inputs, labels.astype(np.int64), np.repeat(list(SAMPLES), list(SAMPLES.values()))


SOURCES = {
    "random_images": Source(
        "700 random images of 3×32×32 as CIFAR's, static, for timings: nothing can be learned",
        network="resnet18",
        load=_random_images,
        budgets={"smoke": {"epochs": 1, "width": 4, "train_samples": 128, "timesteps": 2}},
        timings_alone=True,
        sha256={0: "945e7df841eea4226f6eec50db7869f0af381844e514eddb40b02673b8c406c0"},
    )
}
