"""Where files of data sets are looked for that do not come with the project, and what is said if they are not there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from neurons import BackendUnavailable, user_folders

VARIABLE = "NEURON_SUITE_DATA"
"""The environment variable that says where; `--data-dir` sets it for a run and its processes."""


class DataMissing(BackendUnavailable):
    """The files of a data set are not on this machine; the message says where they are looked for and had."""


@dataclass(frozen=True)
class Download:
    """Files that a user brings.

    Attributes:
        folder: that they are looked for in, below the data directory; they may also lie in that directory itself.
        needs: paths below it that must be there, as the published archives unpack to.
        site: where they are had.
        size: of what is downloaded, in words.
        md5: of the published files and archives, by path below the folder.
    """

    folder: str
    needs: tuple[str, ...]
    site: str
    size: str
    md5: Mapping[str, str] = field(default_factory=dict)


def directory() -> Path:
    """The data directory: of `NEURON_SUITE_DATA`, else of this user. It is read, never written."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else user_folders.data()


def places(download: Download) -> list[Path]:
    """The folders in which a data set is looked for; `extract` is where spikingjelly unpacks."""
    base = directory()
    return [base / download.folder, base / download.folder / "extract", base, base / "extract"]


def find(name: str, download: Download) -> Path:
    """The folder that holds all that a data set needs.

    Raises:
        DataMissing: no folder does.
    """
    found = {place: [need for need in download.needs if not (place / need).exists()] for place in places(download)}
    for place, missing in found.items():
        if not missing:
            return place
    nearest = min(found, key=lambda place: len(found[place]))
    missing = found[nearest]
    lacks = f"has no {missing[0]}" + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
    raise DataMissing(
        f"data set {name}: {nearest} {lacks}; get it ({download.size}) from {download.site}, unpack it there, "
        f"or name another folder by --data-dir or {VARIABLE}"
    )


def state(name: str, download: Download) -> list[tuple[str, int, float]]:
    """The files that a data set needs with size and time of change, which tells one state of them from another.

    Of a folder these are its entries. Empty where files are missing.
    """
    try:
        root = find(name, download)
    except DataMissing:
        return []
    files: list[tuple[str, int, float]] = []
    for need in download.needs:
        path = root / need
        for own in sorted(path.iterdir()) if path.is_dir() else [path]:
            known = own.stat()
            files.append((str(own.relative_to(root)), known.st_size, known.st_mtime))
    return files


def hashed(path: Path) -> str:
    """The MD5 of a file, by which publishers of data sets name theirs."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
