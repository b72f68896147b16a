"""Japanese Vowels (UCI): who speaks, from a vowel pair."""

from __future__ import annotations

from importlib import resources

import numpy as np

from tasks.data.dataset import FILES, Arrays, Source, frozen_split


def _japanese_vowels(_: int) -> Arrays:
    """Utterances padded with zeros to 29 frames, each coefficient standardised by the training set.

    Nothing masks the padding: of 29 frames 15.6 are speech on average, and a padded frame is the mean frame. It is
    part of every mean over time (readout, firing rates) and of every count.
    """
    with resources.as_file(FILES / "japanese_vowels.npz") as path:
        stored = np.load(path)
        frames, lengths, labels = stored["frames"], stored["lengths"].astype(int), stored["labels"].astype(np.int64)
    split = frozen_split("japanese_vowels")
    training = np.repeat(split == "t", lengths)
    frames = (frames - frames[training].mean(0)) / frames[training].std(0)
    utterances = np.split(frames, np.cumsum(lengths)[:-1])
    padded = np.zeros((len(lengths), lengths.max(), frames.shape[1]), np.float32)
    for row, utterance in zip(padded, utterances, strict=True):
        row[: len(utterance)] = utterance
    return padded, labels, split


SOURCES = {
    "japanese_vowels": Source(
        "speaker of 640 utterances, 12 channels (UCI), T = 29 with silence behind the words that nothing masks",
        network="mlp",
        load=_japanese_vowels,
        sequence=True,
        budgets={
            "smoke": {"epochs": 2, "width": 32},
            "quick": {"epochs": 20},
            "full": {"epochs": 60},
        },
        sha256={0: "268675cfabaf782a6f5cac3944029b2a76da6454e2adae6eab9523f4b2a7a97f"},
        title="Japanese vowels",
    )
}
