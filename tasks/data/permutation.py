"""The order in which permuted sequential MNIST reads its 784 pixels: one for every machine, version and paper."""

from __future__ import annotations

import hashlib

import numpy as np

from tasks.data.dataset import FILES, DataCorrupted

SHA256 = "5d1bb30359371b272cc849e5dc17f9a1db6e0c0af112d2a9c750c21729109cac"
"""Of the 784 numbers as 64-bit little-endian integers."""


def pixel_permutation() -> np.ndarray:
    """Place in the image (row by row) of the pixel that is read at each step.

    Raises:
        DataCorrupted: the file is not the one that came with the project.
    """
    order = np.array((FILES / "pixels.permutation.txt").read_text().split(), np.int64)
    digest = hashlib.sha256(order.astype("<i8").tobytes()).hexdigest()
    if digest != SHA256:
        raise DataCorrupted(f"pixels.permutation.txt has hash {digest}, frozen is {SHA256}")
    return order
