"""The tidy table of a run: its columns, the rows of a record, and how it is written and read.

`results.parquet` has one schema always, whatever columns are empty, and the format version in its metadata.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

import tasks
from suite.runs.cell_key import plain_settings
from suite.runs.conditions import defaults
from suite.runs.files import RunError, log, replacing, set_aside
from suite.runs.provenance import origin_of
from suite.runs.record import FORMAT, MEASURED, Record
from suite.runs.text import counted

pa.set_memory_pool(pa.system_memory_pool())  # Arrow's own keep what was freed: 80 MiB more at 100,000 rows

COLUMNS = [
    "run",
    "task",
    "dataset",
    "network",
    "neuron",
    "backend",
    "protocol",
    "device",
    "dtype",
    "timesteps",
    "seed",
    "settings",
    "metric",
    "layer",
    "step",
    "lag",
    "value",
    "unit",
    "status",
    "detail",
    "cell",
    "machine",
    "versions",
    "commit",
]
ORIGIN = ("machine", "versions", "commit")
"""Columns that say what made a row; format 1 had none of them."""
SEVERAL = {"machine": "machines", "versions": "versions", "commit": "commits"}
WHOLE_NUMBERS = ("timesteps", "seed", "step", "lag")
SCHEMA = pa.schema(
    [
        pa.field(name, pa.int64() if name in WHOLE_NUMBERS else pa.float64() if name == "value" else pa.string())
        for name in COLUMNS
    ]
)
TEXTS = tuple(name for name in COLUMNS if SCHEMA.field(name).type == pa.string())
ENCODED = pa.schema(
    [pa.field(own.name, pa.dictionary(pa.int32(), own.type) if own.name in TEXTS else own.type) for own in SCHEMA]
)
"""SCHEMA with each text held once: the rows of a run share most of theirs."""
TEXT = pd.StringDtype("python", na_value=np.nan)
"""How pandas holds texts here: as references. Arrow's own copy each text into each row, half a kilobyte of settings."""
ROW_GROUP = 50_000
"""Rows that are written at a time."""
FORMAT_KEY, CELLS_KEY = b"neuron_suite.format", b"neuron_suite.cells"
OWN_COLUMNS = ("dataset", "network", "protocol", "dtype")
"""Settings that have a column of their own; the others stand in `settings` as JSON.

The column `timesteps` is the T that ran. Where the setting asked for another (a sequence has its own T, a neuron
without memory sees a static input once), `settings` keeps what was asked for."""
DEFAULTS = {"dtype": "float32"}
"""What a task without such a setting uses."""


QUESTION = (
    *("task", "dataset", "network", "neuron", "backend", "protocol", "device", "dtype", "timesteps"),
    "settings",
)
"""Columns that say what a cell asks, but for its seed."""


def rows_of(run: str, records: Sequence[tuple[str, Record]]) -> pa.Table:
    """The rows of records with their keys, in Arrow's columns."""
    cells = zip(*(_of_cell(run, key, record) for key, record in records), strict=True)
    rows = [list(_of_values(record)) for _, record in records]
    owners = np.repeat(np.arange(len(records)), [len(several) for several in rows])
    values = zip(*(row for several in rows for row in several), strict=True)
    own = {name: _array(name, column).take(pa.array(owners)) for name, column in zip(OF_CELL, cells, strict=True)}
    own |= {name: _array(name, column) for name, column in zip(OF_VALUE, values, strict=True)}
    return pa.Table.from_arrays([own[name] for name in COLUMNS], schema=ENCODED)


OF_CELL = (
    *("run", "task", "neuron", "backend", "device", "timesteps", "seed", "settings", "cell"),
    *(*ORIGIN, *OWN_COLUMNS),
)
OF_VALUE = ("metric", "layer", "step", "lag", "value", "unit", "status", "detail")


def _of_cell(run: str, key: str, record: Record) -> tuple[Any, ...]:
    """What all rows of a record share: the columns OF_CELL."""
    cell, result = record.cell, record.result
    settings = plain_settings(cell.settings)
    others = {name: value for name, value in settings.items() if name not in OWN_COLUMNS}
    if others.get("timesteps") == result.timesteps:
        others.pop("timesteps", None)
    asked = json.dumps(others, sort_keys=True)
    return (
        *(run, cell.task, cell.neuron, cell.backend, result.device, result.timesteps, cell.seed, asked, key),
        *(record.origin.get(name) for name in ORIGIN),
        *(settings.get(name, DEFAULTS.get(name)) for name in OWN_COLUMNS),
    )


def _of_values(record: Record) -> Iterator[tuple[Any, ...]]:
    """The columns OF_VALUE of each row of a record: one a value.

    Of a cell that did not end one with the cause, and with the same status and cause what it had measured until then.
    """
    task, result = tasks.TASKS.get(record.cell.task), record.result
    ended = result.status in MEASURED
    if not (ended and result.values):
        yield None, None, None, None, None, None, result.status, result.detail
    for value in result.values:
        metric = task.metrics.get(value.metric) if task else None
        status, detail = ("ok", value.detail) if ended else (result.status, result.detail)
        if ended and not math.isfinite(value.value):
            status, detail = "nonfinite", detail or f"{value.metric} is {value.value}"
        unit = metric.unit if metric else None
        yield value.metric, value.layer, value.step, value.lag, value.value, unit, status, detail


def _array(name: str, column: Sequence[Any]) -> pa.Array:
    """A column of plain values, NaN as missing, texts each once."""
    array = pa.array(column, SCHEMA.field(name).type, from_pandas=True)
    return array.dictionary_encode() if name in TEXTS else array


def as_table(rows: pd.DataFrame | Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The rows as a table with exactly the columns and types of SCHEMA."""
    return _to_pandas(as_arrow(rows))


def as_arrow(rows: pd.DataFrame | Sequence[dict[str, Any]]) -> pa.Table:
    """The same as Arrow has it, which takes less room."""
    frame = pd.DataFrame(rows).reindex(columns=COLUMNS)
    arrays = [_encoded(frame[name]) if name in TEXTS else _numbers(frame[name]) for name in COLUMNS]
    return pa.Table.from_arrays(arrays, schema=ENCODED)


def _encoded(column: pd.Series) -> pa.Array:
    numbers, distinct = pd.factorize(column)
    indices = pa.array(numbers.astype(np.int32), mask=numbers < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(distinct), pa.string()))


def _numbers(column: pd.Series) -> pa.Array:
    name = str(column.name)
    typed = column.astype("Int64") if name in WHOLE_NUMBERS else column.astype("float64")
    return pa.Array.from_pandas(typed, type=SCHEMA.field(name).type)


def in_order(parts: Sequence[pa.Table], places: Mapping[str, int]) -> pd.DataFrame:
    """The rows of several tables in one, by the place of their cell; those of one cell stay in their order."""
    if not parts:
        return as_table([])
    whole = _whole(pa.concat_tables(parts))
    cells = whole["cell"].chunk(0)
    place = np.array([places[name] for name in cells.dictionary.to_pylist()])[cells.indices.to_numpy()]
    return _to_pandas(whole if (np.diff(place) >= 0).all() else whole.take(np.argsort(place, kind="stable")))


def _whole(table: pa.Table) -> pa.Table:
    """A table in one piece."""
    return table.unify_dictionaries().combine_chunks()


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    """A table of ENCODED as pandas has it; rows point to the same text, which is held once."""
    if not len(table):
        table = ENCODED.empty_table()
    table = _whole(table)
    columns = {name: _column(name, table[name].combine_chunks()) for name in COLUMNS}
    return pd.DataFrame(columns, copy=False)


def _column(name: str, array: pa.Array) -> Any:
    if name in TEXTS:
        distinct = np.array([*array.dictionary.to_pylist(), None], dtype=object)
        return pd.array(distinct[array.indices.fill_null(-1).to_numpy()], dtype=TEXT)
    if name in WHOLE_NUMBERS:
        mask = array.is_null().to_numpy(zero_copy_only=False)
        return pd.arrays.IntegerArray(array.fill_null(0).to_numpy(zero_copy_only=False, writable=True), mask)
    return array.to_numpy(zero_copy_only=False, writable=True)


def questions(rows: pd.DataFrame) -> pd.Series:
    """What the cell of each row asks, as a text: equal for two answers to one question, whatever code gave them.

    Settings count as numbers (2 is 2.0) and where they are set; one that the task had not yet is its default. Of tasks
    that measure the machine, the machine counts.
    """
    parts = pd.DataFrame({"question": _seedless(rows), "seed": rows.seed})
    codes = parts.groupby(["question", "seed"], dropna=False, sort=False).ngroup()
    distinct = parts[~codes.duplicated()]
    texts = [f"{question}\n{seed}" for question, seed in distinct.itertuples(index=False, name=None)]
    return codes.map(dict(enumerate(texts))).astype(object)


def answerers(rows: pd.DataFrame) -> pd.Series:
    """A number for what each row's cell asks, with the machine and the versions that answered."""
    parts = rows[["seed", "machine", "versions"]].assign(question=_seedless(rows))
    return parts.groupby(["question", "seed", "machine", "versions"], dropna=False, sort=False).ngroup()


def _seedless(rows: pd.DataFrame) -> pd.Series:
    """What the cell of each row asks but for its seed: few texts, however many rows there are."""
    columns = [*QUESTION, "machine"]
    codes = rows.groupby(columns, dropna=False, sort=False).ngroup()
    distinct = rows[columns].astype(object).where(rows[columns].notna(), None)[~codes.duplicated()]
    texts = [_question(own) for own in distinct.to_dict("records")]
    return codes.map(dict(enumerate(texts))).astype(object)


def _question(own: dict[Any, Any]) -> str:
    written = json.loads(own.pop("settings") or "{}")
    task = tasks.TASKS.get(own["task"])
    unwritten = set(task.settings) - set(written) - set(OWN_COLUMNS) if task is not None else set[str]()
    asked = {name: value for name, value in written.items() if value is not None} | defaults(own["task"], unwritten)
    machine = own.pop("machine")
    steps = own.pop("timesteps")
    asked.setdefault("timesteps", None if steps is None else int(steps))
    timed = machine if task is not None and task.exclusive else None
    return json.dumps([*map(str, own.values()), plain_settings(asked), timed], sort_keys=True)


def write_parquet(table: pd.DataFrame | pa.Table, path: Path, cells: str = "") -> None:
    """Write a table with the one schema and the format version; `cells` names the state of the cells behind it."""
    whole = as_arrow(table) if isinstance(table, pd.DataFrame) else table
    known = {FORMAT_KEY: str(FORMAT).encode(), CELLS_KEY: cells.encode()}
    with replacing(path) as temporary, pq.ParquetWriter(temporary, SCHEMA.with_metadata(known)) as writer:
        for part in _parts(whole):
            writer.write_table(part)


def write_csv(table: pa.Table, path: Path) -> None:
    """Write a table as comma-separated text, its texts in quotes."""
    with replacing(path) as temporary, csv.CSVWriter(temporary, SCHEMA) as writer:
        for part in _parts(table):
            writer.write_table(part)


def _parts(table: pa.Table) -> Iterator[pa.Table]:
    """The rows of a table of ENCODED as SCHEMA has them, some at a time."""
    for begin in range(0, len(table), ROW_GROUP):
        yield table.slice(begin, ROW_GROUP).cast(SCHEMA)


def cells_behind(path: Path) -> str | None:
    """What `write_parquet` was told of the cells; None if the file cannot be read."""
    try:
        return (pq.read_schema(path).metadata or {}).get(CELLS_KEY, b"").decode()
    except (OSError, pa.ArrowException):
        return None


def statuses(path: Path) -> dict[str, str]:
    """How each cell of a file ended; empty if it cannot be read."""
    try:
        rows = pq.ParquetFile(path, read_dictionary=["cell", "status"]).read(["cell", "status"])
    except (OSError, pa.ArrowException, KeyError):
        return {}
    if not len(rows):
        return {}
    cells, statuses = (column.chunk(0) for column in _whole(rows).columns)
    last = np.empty(len(cells.dictionary), dtype=int)
    last[cells.indices.to_numpy()] = statuses.indices.to_numpy()
    names = statuses.dictionary.to_pylist()
    return {cell: names[number] for cell, number in zip(cells.dictionary.to_pylist(), last, strict=True)}


def read_parquet(path: Path, provenance: dict[str, Any]) -> pd.DataFrame | None:
    """The table of a file; None if it was broken, and is set aside.

    Rows of format 1 are given the commit, machine and versions of the directory's provenance, which a line says.

    Raises:
        RunError: a later version wrote it, or it is another table.
    """
    try:
        named = set(pq.read_schema(path).names)
        file = pq.ParquetFile(path, read_dictionary=[name for name in TEXTS if name in named])
        table = file.read()  # `read_table` imports clients of remote file systems
    except (OSError, pa.ArrowException) as error:
        set_aside(path, str(error).splitlines()[0] if str(error) else type(error).__name__)
        return None
    written = int((table.schema.metadata or {}).get(FORMAT_KEY, b"1"))
    if written > FORMAT:
        raise RunError(f"{path} is of format {written}; this version reads up to {FORMAT}: update neuron-suite")
    lacking = [name for name in COLUMNS if name not in table.column_names and name not in ORIGIN]
    if lacking:
        raise RunError(f"{path} is no table of a run: it has no column {lacking[0]}")
    if table.schema.equals(ENCODED) and not any(table[name].null_count for name in ORIGIN):
        return _to_pandas(table)
    frame = pq.ParquetFile(path).read().to_pandas()
    if written < FORMAT:
        log.warning(
            "%s is of format %s: commit, machine and versions are taken from its provenance.json", path, written
        )
    frame = _with_origin(frame, provenance)
    try:
        return as_table(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise RunError(f"{path} is no table of a run: {str(error).splitlines()[0]}") from error


def _with_origin(rows: pd.DataFrame, provenance: dict[str, Any]) -> pd.DataFrame:
    """The rows, those that do not say what made them with what the provenance says of their run.

    Where the directory was merged from several, that is the part of the run's name, if only one is called so.
    """
    rows = rows.assign(**{name: None for name in ORIGIN if name not in rows})
    silent = rows[list(ORIGIN)].isna().all(axis=1)
    if not silent.any():
        return rows
    places = ["run", "backend", "neuron"]
    found = rows.loc[silent, places].drop_duplicates()
    parts: list[dict[str, Any]] | None = provenance.get("merged")
    origins = []
    for run, backend, neuron in found.itertuples(index=False, name=None):
        known = [provenance] if parts is None else [part for part in parts if part.get("run") == run]
        origins.append(origin_of(known[0] if len(known) == 1 else {}, backend, neuron))
    told = rows[places].merge(found.join(pd.DataFrame(origins, found.index)[list(ORIGIN)]), "left", places)
    filled = {name: rows[name].astype(object).where(~silent, told[name].to_numpy()) for name in ORIGIN}
    return rows.assign(**filled)


def mixtures(rows: pd.DataFrame) -> list[str]:
    """A line for each of commit, versions and machine of which the rows hold several.

    Cells that ran by different packages name different packages; only two versions of one are a mixture.
    """
    cells = rows.drop_duplicates("cell")
    lines = []
    for name in ORIGIN:
        counts = cells[name].fillna("unknown").value_counts()
        for several in _of_packages(counts) if name == "versions" else [dict(counts)]:
            if len(several) > 1:
                told = "; ".join(f"{text} ({counted(count, 'cell')})" for text, count in several.items())
                lines.append(f"rows of several {SEVERAL[name]}: {told}")
    return lines


def _of_packages(counts: pd.Series) -> list[dict[str, int]]:
    """How many cells each version of each package has, from those of each text of versions."""
    packages: dict[str, dict[str, int]] = {}
    for text, count in counts.items():
        for version in str(text).split(", "):
            known = packages.setdefault(version.partition(" ")[0], {})
            known[version] = known.get(version, 0) + int(count)
    if "unknown" in packages and len(counts) > 1:
        return [{**packages["unknown"], "known": int(counts.drop("unknown").sum())}]
    return list(packages.values())
