"""Arrays that are slow to parse, kept in the user's cache folder. Safe under parallel processes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path


def cached_arrays(name: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays of `make`, computed once on this machine. The caller checks their hash."""
    path = Path(user_cache_path("neuron-suite")) / "datasets" / f"{name}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
            np.savez_compressed(file, **make())  # type: ignore[arg-type]
        os.replace(file.name, path)
    with np.load(path) as stored:
        return {key: stored[key] for key in stored.files}
