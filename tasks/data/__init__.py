"""Data sets: those that come with the project, frozen and hashed, and those whose files a user brings.

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
from tasks.data import location
from tasks.data.dataset import Arrays, Card, DataCorrupted, Dataset, Pixels, Published, Readout, Source
from tasks.data.location import DataMissing, Download
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


def load(name: str, delay: int = 4, frames: int | None = None, seed: int = 0) -> Dataset:
    """The data set `name`.

    Args:
        delay: of `delayed_recall` alone.
        frames: of sets of events alone: how many each sample is cut into; the set's usual number unless given.
        seed: of a run, which draws the samples of synthetic sets (`Source.drawn`); the others are the same for all.

    Raises:
        UnknownName: no such data set.
        BackendUnavailable: its files, or the package that it comes with, are not on this machine.
        DataCorrupted: the arrays or the split differ from the frozen ones, or a file cannot be read.
    """
    drawn = name in SOURCES and SOURCES[name].drawn
    return _load(name, _argument(name, delay, frames), seed if drawn else 0, _state(name))


def load_unkept(name: str, delay: int = 4, frames: int | None = None) -> Dataset:
    """As `load`, for who looks at a data set once: it is not kept for the next call."""
    return _made(name, _argument(name, delay, frames), 0)


def embedded(name: str) -> bool:
    """Whether a data set comes with the project or is made by it, so that nothing need be brought."""
    return SOURCES[name].download is None


def fingerprint(name: str) -> str | None:
    """What tells one state of files that a user brought from another; None for what comes with the project."""
    download = SOURCES[name].download if name in SOURCES else None
    if download is None:
        return None
    return hashlib.sha256(repr(location.state(name, download)).encode()).hexdigest()


def _argument(name: str, delay: int, frames: int | None) -> int:
    source = SOURCES.get(name)
    if source is None or not source.argument:
        return 0
    return delay if source.argument == "delay" else frames if frames is not None else source.usual


def _state(name: str) -> str | None:
    """Files of a user may change or come while a process lives, and its memory of them must not outlive them."""
    return f"{location.directory()} {fingerprint(name)}" if name in SOURCES and not embedded(name) else None


@lru_cache(maxsize=4)
def _load(name: str, argument: int, seed: int, state: str | None = None) -> Dataset:
    return _made(name, argument, seed)


def _made(name: str, argument: int, seed: int) -> Dataset:
    if name not in SOURCES:
        raise UnknownName("data set", name, SOURCES)
    source = SOURCES[name]
    try:
        inputs, labels, split = source.load(argument, seed) if source.drawn else source.load(argument)
    except ModuleNotFoundError as error:
        raise BackendUnavailable(f"data set {name} needs the package {error.name}, which is not installed") from error
    frozen = source.sha256.get(argument) if seed == 0 else None
    digest = "" if source.download is not None else _digest(inputs, labels, split)
    if frozen is not None and digest != frozen:
        raise DataCorrupted(f"{name}: data or split has hash {digest}, frozen is {frozen}")
    return Dataset(
        name=name,
        classes=int(labels.max()) + 1,
        timesteps=inputs.shape[1] if source.sequence else None,
        readout=source.readout,
        inputs=torch.from_numpy(inputs),
        labels=torch.from_numpy(labels),
        split=split,
        sha256=digest,
        pixels=source.pixels,
    )


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def names() -> list[str]:
    return list(SOURCES)


__all__ = [
    "SOURCES",
    "Arrays",
    "Card",
    "DataCorrupted",
    "DataMissing",
    "Dataset",
    "Download",
    "Pixels",
    "Published",
    "Readout",
    "Source",
    "embedded",
    "fingerprint",
    "load",
    "load_file",
    "load_unkept",
    "names",
    "source_file",
]
