"""Data sets that need no download, with frozen splits. Arrays and splits are hashed and checked at each load.

A family of data sets is a module with `SOURCES`, found by being here.
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from functools import lru_cache

import numpy as np
import torch

from neurons import UnknownName
from tasks.data.dataset import Arrays, DataCorrupted, Dataset, Readout, Source


def _found() -> dict[str, Source]:
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    found = {name: source for module in modules for name, source in getattr(module, "SOURCES", {}).items()}
    return dict(sorted(found.items(), key=lambda item: (item[1].sequence, item[0])))


SOURCES: dict[str, Source] = _found()
"""All data sets by name, the static ones first."""


def load(name: str, delay: int = 4) -> Dataset:
    """The data set `name`; `delay` is used by `delayed_recall` alone.

    Raises:
        UnknownName: no such data set.
        DataCorrupted: the arrays or the split differ from the frozen ones.
    """
    return _load(name, delay if name == "delayed_recall" else 0)


@lru_cache(maxsize=4)
def _load(name: str, delay: int) -> Dataset:
    if name not in SOURCES:
        raise UnknownName("data set", name, SOURCES)
    source = SOURCES[name]
    inputs, labels, split = source.load(delay)
    digest = hashlib.sha256()
    for array in (inputs, labels, split):
        digest.update(np.ascontiguousarray(array).tobytes())
    frozen = source.sha256.get(delay)
    if frozen is not None and digest.hexdigest() != frozen:
        raise DataCorrupted(f"{name}: data or split has hash {digest.hexdigest()}, frozen is {frozen}")
    return Dataset(
        name=name,
        classes=int(labels.max()) + 1,
        timesteps=inputs.shape[1] if source.sequence else None,
        readout=source.readout,
        inputs=torch.from_numpy(inputs),
        labels=torch.from_numpy(labels),
        split=split,
        sha256=digest.hexdigest(),
    )


def names() -> list[str]:
    return list(SOURCES)


__all__ = ["SOURCES", "Arrays", "DataCorrupted", "Dataset", "Readout", "Source", "load", "names"]
