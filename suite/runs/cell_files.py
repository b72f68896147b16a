"""The folder `cells/` of a run directory: a record is a file of its own until there are many, then a row of a pack.

`<key>.json` is written whole and renamed; of a cell that is in a pack as well it is the later one. A reader lists the
files first and the packs afterwards, so that a record that is packed meanwhile is seen in one of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.runs import packs
from suite.runs.cell_key import identity
from suite.runs.files import log, read_json, set_aside, write_atomically
from suite.runs.packs import Outcome
from suite.runs.record import BrokenRecord, Record, record_from_json, record_to_text

MOST_FILES = 1000
"""Records that lie beside each other as files of their own; one more, and they are packed."""


@dataclass
class CellFiles:
    """The records of one run directory."""

    folder: Path
    _files: int = field(default=0, init=False)
    _packed: dict[str, tuple[Path, Outcome]] | None = field(default=None, init=False)

    def path(self, key: str) -> Path:
        """The file of a record that is not packed."""
        return self.folder / f"{key}.json"

    def paths(self) -> list[Path]:
        """The files of all records that are not packed."""
        return sorted(self.folder.glob("[!.]*.json"))

    def write(self, key: str, record: Record) -> None:
        """Write a record, whole or not at all.

        Raises:
            StorageError: it could not be written.
        """
        write_atomically(self.path(key), record_to_text(record))
        self._files += 1

    def read(self, key: str) -> Record | None:
        """A record; None if there is none, or if it was broken and is set aside."""
        record = read_record(self.path(key))
        if record is not None or key not in self._index():
            return record
        path, _ = self._index()[key]
        for _, text in packs.read_records(path, key):
            return _parsed(text, path, key)
        return None

    def outcomes(self) -> dict[str, Outcome]:
        """How each stored cell ended, by its key."""
        loose: dict[str, Outcome] = {}
        for path in self.paths():
            record = read_record(path)
            if record is not None:
                loose[path.stem] = _outcome(record)
        self._packed = None
        return {key: outcome for key, (_, outcome) in self._index().items()} | loose

    def records(self) -> Iterator[tuple[str, Record]]:
        """Every readable record with its key, each cell once."""
        seen = set()
        for path in self.paths():
            record = read_record(path)
            if record is not None:
                seen.add(path.stem)
                yield path.stem, record
        for pack in reversed(packs.packs(self.folder)):
            for key, text in packs.read_records(pack):
                if key not in seen and (packed := _parsed(text, pack, key)) is not None:
                    seen.add(key)
                    yield key, packed

    def state(self) -> str:
        """A hash of the names, sizes and times of the files, so that a table can be told from an outdated one."""
        found = []
        for path in [*self.paths(), *packs.packs(self.folder)]:
            with contextlib.suppress(FileNotFoundError):  # packed meanwhile
                known = path.stat()
                found.append((path.name, known.st_size, known.st_mtime_ns))
        return hashlib.sha256(repr(found).encode()).hexdigest()[:20]

    def should_pack(self) -> bool:
        """Whether more records may lie beside each other than should, by what this process wrote."""
        return self._files > MOST_FILES

    def many(self) -> bool:
        """Whether more records lie beside each other than should."""
        self._files = len(self.paths())
        return self.should_pack()

    def pack(self) -> None:
        """Pack all records. A run that ends in between leaves some in both places, which are the same.

        Raises:
            StorageError: the pack could not be written; every record is where it was.
        """
        packed: list[Path] = []
        self._files = 0  # if it fails, it is not tried again before as many more have come
        packs.write(self.folder, _rows(self.paths(), packed))
        for path in packed:
            with contextlib.suppress(OSError):
                path.unlink()
        self._packed = None

    def _index(self) -> dict[str, tuple[Path, Outcome]]:
        """Of each packed cell the latest pack that holds it, and how it ended."""
        if self._packed is None:
            self._packed = {}
            for pack in packs.packs(self.folder):
                self._packed.update((key, (pack, outcome)) for key, outcome in packs.read_outcomes(pack))
        return self._packed


def _rows(paths: list[Path], packed: list[Path]) -> Iterator[packs.Row]:
    """The rows of a pack; the files that are in it are noted in `packed`."""
    for path in paths:
        record = read_record(path)
        if record is not None:
            yield path.stem, _outcome(record), record_to_text(record)
            packed.append(path)


def _outcome(record: Record) -> Outcome:
    return Outcome(identity(record.cell), record.result.status, record.result.seconds)


def read_record(path: Path) -> Record | None:
    """The record of a file; None if there is none, or if it was broken and is set aside."""
    known: dict[str, Any] | None = read_json(path, dict)
    if known is None:
        return None
    try:
        return record_from_json(known)
    except BrokenRecord as error:
        set_aside(path, str(error))
        return None


def _parsed(text: str, pack: Path, key: str) -> Record | None:
    """The record of a pack, which holds none that could not be read when it was written."""
    try:
        return record_from_json(json.loads(text))
    except (BrokenRecord, ValueError) as error:
        log.warning("%s: cell %s cannot be read: %s", pack, key, error)
        return None
