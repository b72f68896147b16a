"""Many records in one file: `cells/packed-000001.parquet`, a row a cell; a large run is not 100,000 small files.

A pack is written whole, renamed and on the disk before the files that it replaces are removed, and never changed
afterwards. Of several packs that hold a cell the one of the highest number is the latest.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from suite.runs.files import replacing, set_aside

SCHEMA = pa.schema(
    [
        pa.field("key", pa.string()),
        pa.field("identity", pa.string()),
        pa.field("status", pa.string()),
        pa.field("seconds", pa.float64()),
        pa.field("record", pa.string()),
    ]
)
ROW_GROUP_BYTES = 1 << 24
"""Records of a row group: what a reader holds at a time."""
PATTERN = f"packed-{'[0-9]' * 6}.parquet"


@dataclass(frozen=True)
class Outcome:
    """How a stored cell ended, without what it measured.

    Attributes:
        identity: of the cell, see `suite.runs.cell_key`.
    """

    identity: str
    status: str
    seconds: float

    @property
    def finished(self) -> bool:
        """Whether the cell's result is reused."""
        return self.status == "ok"


Row = tuple[str, Outcome, str]
"""Key, outcome and the record as JSON."""


def packs(folder: Path) -> list[Path]:
    """The packs of a folder of cells, the latest last."""
    return sorted(folder.glob(PATTERN))


def write(folder: Path, rows: Iterable[Row]) -> Path:
    """Write a further pack.

    Raises:
        StorageError: it could not be written; nothing has changed.
    """
    number = max((int(path.stem.removeprefix("packed-")) for path in packs(folder)), default=0) + 1
    path = folder / f"packed-{number:06d}.parquet"
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(temporary, SCHEMA, compression="zstd", write_page_checksum=True) as writer,
    ):
        for group in _groups(rows):
            writer.write_table(_as_table(group))
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # its name is on the disk before other names are removed
    finally:
        os.close(descriptor)
    return path


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    size = 0
    for row in rows:
        group.append(row)
        size += len(row[2])
        if size >= ROW_GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _as_table(rows: Sequence[Row]) -> pa.Table:
    columns = zip(*((key, own.identity, own.status, own.seconds, text) for key, own, text in rows), strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def read_outcomes(path: Path) -> Iterator[tuple[str, Outcome]]:
    """How each cell of a pack ended; nothing of a broken pack, which is set aside."""
    for group in _read(path, ["key", "identity", "status", "seconds"]):
        keys, *rest = (group[name].to_pylist() for name in group.column_names)
        for key, own in zip(keys, zip(*rest, strict=True), strict=True):
            yield key, Outcome(*own)


def read_records(path: Path, wanted: str | None = None) -> Iterator[tuple[str, str]]:
    """Each key of a pack, or the wanted one, with its record; nothing of a broken pack, which is set aside."""
    for group in _read(path, ["key", "record"]):
        keys = group["key"].to_pylist()
        if wanted is None:
            yield from zip(keys, (text.as_py() for text in group["record"]), strict=True)
        elif wanted in keys:
            yield wanted, group["record"][keys.index(wanted)].as_py()


def _read(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if not file.schema_arrow.equals(SCHEMA):
                raise pa.ArrowInvalid("it is no pack of cells")
            for number in range(file.num_row_groups):
                yield file.read_row_group(number, columns)
    except FileNotFoundError:
        return
    except (OSError, pa.ArrowException) as error:
        set_aside(path, str(error) or type(error).__name__)
