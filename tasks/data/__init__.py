"""Data sets that need no download, with frozen splits. Arrays and splits are hashed and checked at each load.

A family of data sets is a module with `SOURCES`: found by being here, in a file of a user (`load_file`), or named by an
installed package as an entry point of the group `neuron_suite.datasets`.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from neurons import BackendUnavailable, UnknownName
from tasks import contract
from tasks.data.dataset import Arrays, DataCorrupted, Dataset, Readout, Source
from tasks.families import Families

_families = Families("data set", "SOURCES", Source, "tasks.data.Source(...)", "--dataset-file")
SOURCES: dict[str, Source] = _families.entries
"""All data sets by name, the static ones first."""


def load_file(path: str | Path) -> list[str]:
    """Import a user's Python file and return the names of the data sets in its `SOURCES`.

    Raises:
        NeuronError: one line with the file, the data set and what is wrong with it.
    """
    return _families.load_file(path, contract.fault_of_source)


def source_file(name: str) -> Path:
    """The file that defines a data set."""
    return _families.files[name]


def _discover() -> None:
    _families.discover(__name__, __path__, "datasets")
    ordered = sorted(SOURCES.items(), key=lambda item: (item[1].sequence, item[0]))
    SOURCES.clear()
    SOURCES.update(ordered)


_discover()


def load(name: str, delay: int = 4) -> Dataset:
    """The data set `name`; `delay` is used by `delayed_recall` alone.

    Raises:
        UnknownName: no such data set.
        BackendUnavailable: the package that it comes with is not installed.
        DataCorrupted: the arrays or the split differ from the frozen ones.
    """
    return _load(name, _delay_of(name, delay))


def load_unkept(name: str, delay: int = 4) -> Dataset:
    """As `load`, for who looks at a data set once: it is not kept for the next call."""
    return _made(name, _delay_of(name, delay))


def _delay_of(name: str, delay: int) -> int:
    return delay if name == "delayed_recall" else 0


@lru_cache(maxsize=4)
def _load(name: str, delay: int) -> Dataset:
    return _made(name, delay)


def _made(name: str, delay: int) -> Dataset:
    if name not in SOURCES:
        raise UnknownName("data set", name, SOURCES)
    source = SOURCES[name]
    try:
        inputs, labels, split = source.load(delay)
    except ModuleNotFoundError as error:
        raise BackendUnavailable(f"data set {name} needs the package {error.name}, which is not installed") from error
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


__all__ = [
    "SOURCES",
    "Arrays",
    "DataCorrupted",
    "Dataset",
    "Readout",
    "Source",
    "load",
    "load_file",
    "load_unkept",
    "names",
    "source_file",
]
