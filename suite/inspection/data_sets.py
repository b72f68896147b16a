"""What the data sets are and where: `python -m suite data`."""

from __future__ import annotations

import hashlib
from typing import Any

from neurons import UnknownName
from tasks import data
from tasks.data import location
from tasks.data.dataset import SPLITS, Source
from tasks.data.location import VARIABLE, directory

__all__ = ["PRESENT", "VARIABLE", "described", "directory", "overview"]

PRESENT, ABSENT, CORRUPT = "present", "missing", "corrupt"


def overview() -> list[dict[str, Any]]:
    """One object for each data set: whether it is here, its size, and where it is had if it is not. Nothing is read."""
    return [_line(name, source) for name, source in data.SOURCES.items()]


def _line(name: str, source: Source) -> dict[str, Any]:
    download = source.download
    if download is None:
        state, size, where = PRESENT, "", "comes with the project"
    else:
        try:
            state, size, where = PRESENT, download.size, str(location.find(name, download))
        except data.DataMissing:
            state, size, where = ABSENT, download.size, download.site
    return {"name": name, "description": source.description, "state": state, "size": size, "where": where}


def described(name: str) -> dict[str, Any]:
    """All there is to say of one data set, which is read whole for it (its frames are built if they are not).

    Raises:
        UnknownName: there is no such data set.
    """
    if name not in data.SOURCES:
        raise UnknownName("data set", name, data.SOURCES)
    source = data.SOURCES[name]
    card = source.card
    entry: dict[str, Any] = {"name": name, "title": source.title or name, "description": source.description}
    if card is not None:
        entry |= {"values": card.values, "time step": card.step or "none: static"}
        entry |= {"split": card.splits, "source": card.source, "licence": card.licence}
    if source.download is not None:
        entry |= _files(name, source.download)
    try:
        dataset = data.load_unkept(name)
    except data.DataMissing as error:
        return entry | {"state": ABSENT, "cause": str(error)}
    except data.DataCorrupted as error:
        return entry | {"state": CORRUPT, "cause": str(error)}
    counts = {part: int((dataset.split == letter).sum()) for part, letter in SPLITS.items()}
    entry |= {
        "state": PRESENT,
        "samples": ", ".join(f"{count:,} {part}" for part, count in counts.items()),
        "classes": dataset.classes,
        "time steps": dataset.timesteps,
        "input of a step": " × ".join(map(str, dataset.features)),
        "split sha256": hashlib.sha256("".join(dataset.split).encode()).hexdigest(),
    }
    if dataset.sha256:
        entry["sha256"] = dataset.sha256
    total, published = sum(counts.values()), source.published
    if published is not None and total != published.samples:
        entry["not whole"] = f"{total:,} of the {published.samples:,} samples that are published"
    return entry


def _files(name: str, download: location.Download) -> dict[str, Any]:
    """Where files are looked for and had, and whether those that are there are the published ones."""
    told = {
        "looked for in": ", ".join(map(str, location.places(download))),
        "to be had from": f"{download.site} ({download.size})",
    }
    checked = []
    for place in location.places(download):
        for file, published in download.md5.items():
            path = place / file
            if path.is_file():
                same = location.hashed(path) == published
                checked.append(f"{path}: {'as published' if same else 'not the published file'} (md5 {published})")
    hashes = ", ".join(f"{file} {md5}" for file, md5 in download.md5.items())
    return told | {"md5": hashes} | ({"checked": "; ".join(checked)} if checked else {})
