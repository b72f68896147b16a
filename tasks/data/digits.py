"""Handwritten digits of scikit-learn."""

from __future__ import annotations

import numpy as np

from tasks.data.dataset import Arrays, Source, frozen_split


def _digits(_: int) -> Arrays:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.data.astype(np.float32) / 16, bunch.target.astype(np.int64), frozen_split("digits")


SOURCES = {
    "digits": Source(
        "1,797 handwritten digits of 8×8 pixels (scikit-learn), static",
        network="mlp",
        load=_digits,
        budgets={
            "smoke": {"epochs": 2, "width": 32, "train_samples": 256},
            "quick": {"epochs": 10},
            "full": {"epochs": 50},
        },
        in_smoke=True,
        sha256={0: "a7ed437e4865b593da0562bf7757cef447c8a337ae33e66b2aae721bcc452eb6"},
    )
}
