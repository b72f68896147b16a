"""Binary adding: count the ones among nine marked bits of a long random sequence.

The task of NeuroSeqBench (arXiv 2502.09449), after the adding problem of Hochreiter and Schmidhuber (1997), made here
by its rule from a generator of this project.
"""

from __future__ import annotations

import numpy as np

from tasks.data.dataset import Arrays, Card, Source

STEPS, MARKED = 100, 9
SAMPLES = {"t": 50_000, "v": 1_000, "e": 2_000}


def _binary_adding(_: int, seed: int) -> Arrays:
    """Channel 0: random bits; channel 1: a mark at nine of the steps; label: how many marked bits are 1, 0 to 9.

    Only the output of the last step counts. Labels are balanced: each is as frequent in every part. A mark stands at
    every step equally often, and bits that are not marked say nothing.
    """
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([20250213, seed])))
    total = sum(SAMPLES.values())
    labels = np.tile(np.arange(MARKED + 1), total // (MARKED + 1))
    split = np.repeat(list(SAMPLES), list(SAMPLES.values()))
    places = np.argsort(generator.random((total, STEPS)), axis=1)[:, :MARKED]
    inputs = np.zeros((total, STEPS, 2), np.uint8)
    inputs[..., 0] = generator.random((total, STEPS)) < 0.5
    samples = np.arange(total)[:, np.newaxis]
    inputs[samples, places, 1] = 1
    inputs[samples, places, 0] = np.arange(MARKED) < labels[:, np.newaxis]  # the places are in random order
    return inputs, labels.astype(np.int64), split


SOURCES = {
    "binary_adding": Source(
        "synthetic: count the ones among nine marked bits, T = 100, read at the end",
        network="mlp",
        load=_binary_adding,
        readout="last",
        sequence=True,
        drawn=True,
        in_quick=False,
        budgets={
            "smoke": {"epochs": 1, "width": 32, "train_samples": 256},
            "quick": {"epochs": 6, "train_samples": 4000},
            "full": {"epochs": 50, "batch_size": 250},
        },
        sha256={0: "d51acecd39576a619ad5cfcccffa05babbfc09f9ea72262bfec5a0d954ae8126"},
        title="Binary adding",
        card=Card(
            "binary",
            "none: made by rule",
            "NeuroSeqBench, arXiv 2502.09449; rule re-implemented",
            step="one bit",
            splits="50,000 for training as published, 1,000 for validation, 2,000 for testing; drawn by the run's seed",
        ),
    )
}
