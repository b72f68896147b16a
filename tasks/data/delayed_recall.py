"""A synthetic memory task: recall a cue after a delay."""

from __future__ import annotations

import numpy as np

from neurons import InvalidValue
from tasks.data.dataset import Arrays, Source

CLASSES, CHANNELS, CUE_CHANNELS, CUE_STEPS = 4, 20, 16, 2
SAMPLES = {"t": 1200, "v": 300, "e": 1000}


def _delayed_recall(delay: int, seed: int) -> Arrays:
    """A cue (one of four spike patterns, two steps), `delay` steps of background spikes, then a go signal.

    Only the output at the go signal counts, so a network must carry the cue over `delay` steps. The last channel is
    the go signal; the others fire at random with probability 0.1 after the cue. All cues have as many spikes, so that
    none is told by its number alone. The background is drawn anew for each seed.
    """
    if delay < 0:
        raise InvalidValue(f"delay must be 0 or more steps, not {delay}")
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([20240204, delay, seed])))
    patterns = np.zeros((CLASSES, CHANNELS), np.float32)
    for label in range(CLASSES):
        patterns[label, label:CUE_CHANNELS:CLASSES] = 1
    total = sum(SAMPLES.values())
    labels = np.tile(np.arange(CLASSES), total // CLASSES + 1)[:total]
    split = np.repeat(list(SAMPLES), list(SAMPLES.values()))
    inputs = (generator.random((total, CUE_STEPS + delay + 1, CHANNELS)) < 0.1).astype(np.float32)
    inputs[:, :CUE_STEPS] = patterns[labels][:, None]
    inputs[:, :, -1] = 0
    inputs[:, -1, -1] = 1
    return inputs, labels.astype(np.int64), split


SOURCES = {
    "delayed_recall": Source(
        "synthetic: recall a cue after `delay` steps of noise",
        network="mlp",
        load=_delayed_recall,
        readout="last",
        sequence=True,
        argument="delay",
        usual=4,
        budgets={
            "smoke": {"epochs": 1, "width": 32, "train_samples": 256},
            "quick": {"epochs": 12},
            "full": {"epochs": 40},
        },
        in_smoke=True,
        drawn=True,
        sha256={4: "b7d1d62896cc52d99c44af6184e51a6eb455bb915180ca5b2ffe565422f564f6"},
    )
}
