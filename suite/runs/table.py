"""The tidy table of a run: its columns, the rows of a record, and how it is written and read.

`results.parquet` has one schema always, whatever columns are empty, and the format version in its metadata.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import tasks
from suite.runs.cell_key import plain_settings
from suite.runs.conditions import defaults
from suite.runs.files import RunError, log, replacing, set_aside
from suite.runs.provenance import origin_of
from suite.runs.record import FORMAT, Record
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
FORMAT_KEY, CELLS_KEY = b"neuron_suite.format", b"neuron_suite.cells"
OWN_COLUMNS = ("dataset", "network", "protocol", "dtype")
"""Settings that have a column of their own; the others stand in `settings` as JSON.

The column `timesteps` is the T that ran. Where the setting asked for another (a sequence has its own T, a neuron
without memory sees a static input once), `settings` keeps what was asked for."""
DEFAULTS = {"dtype": "float32"}
"""What a task without such a setting uses."""


QUESTION = (
    *("task", "dataset", "network", "neuron", "backend", "protocol", "device", "dtype", "timesteps", "seed"),
    "settings",
)
"""Columns that say what a cell asks."""


def rows_of(run: str, key: str, record: Record) -> Iterator[dict[str, Any]]:
    """The rows of a record: one a value, or one that says why there is none."""
    cell, result = record.cell, record.result
    metrics = tasks.get(cell.task).metrics if cell.task in tasks.TASKS else {}
    settings = plain_settings(cell.settings)
    others = {name: value for name, value in settings.items() if name not in OWN_COLUMNS}
    if others.get("timesteps") == result.timesteps:
        others.pop("timesteps", None)
    common = {
        "run": run,
        "task": cell.task,
        "neuron": cell.neuron,
        "backend": cell.backend,
        "device": result.device,
        "timesteps": result.timesteps,
        "seed": cell.seed,
        "settings": json.dumps(others, sort_keys=True),
        "status": result.status,
        "detail": result.detail,
        "cell": key,
        **{name: record.origin.get(name) for name in ORIGIN},
        **{name: settings.get(name, DEFAULTS.get(name)) for name in OWN_COLUMNS},
    }
    for value in result.values:
        metric = metrics.get(value.metric)
        row = {**common, **asdict(value), "status": "ok", "unit": metric.unit if metric else None}
        if not math.isfinite(value.value):
            row |= {"status": "nonfinite", "detail": value.detail or f"{value.metric} is {value.value}"}
        yield row
    if not result.values:
        yield common


def as_table(rows: pd.DataFrame | Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The rows as a table with exactly the columns and types of SCHEMA."""
    return _to_pandas(as_arrow(rows))


def as_arrow(rows: pd.DataFrame | Sequence[dict[str, Any]]) -> pa.Table:
    """The same as Arrow has it, which takes less room."""
    frame = pd.DataFrame(rows).reindex(columns=COLUMNS)
    return pa.Table.from_pandas(frame.astype(_types()), schema=SCHEMA, preserve_index=False)


def in_order(parts: Sequence[pa.Table], places: Mapping[str, int]) -> pd.DataFrame:
    """The rows of several tables in one, by the place of their cell; those of one cell stay in their order."""
    if not parts:
        return as_table([])
    whole = pa.concat_tables(parts)
    cells = whole["cell"].combine_chunks().dictionary_encode()
    place = np.array([places[name] for name in cells.dictionary.to_pylist()])[cells.indices.to_numpy()]
    return _to_pandas(whole if (np.diff(place) >= 0).all() else whole.take(np.argsort(place, kind="stable")))


def _types() -> dict[str, str]:
    return {**dict.fromkeys(WHOLE_NUMBERS, "Int64"), "value": "float64"}


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    whole = {name: frame[name].astype("Int64") for name in WHOLE_NUMBERS}
    return frame.assign(**whole)


def questions(rows: pd.DataFrame) -> pd.Series:
    """What the cell of each row asks, as a text: equal for two answers to one question, whatever code gave them.

    Settings count as numbers (2 is 2.0) and where they are set; one that the task had not yet is its default. Of tasks
    that measure the machine, the machine counts.
    """
    columns = [*QUESTION, "machine"]
    codes = rows.groupby(columns, dropna=False, sort=False).ngroup()
    distinct = rows[columns].astype(object).where(rows[columns].notna(), None)[~codes.duplicated()]
    texts = [_question(own) for own in distinct.to_dict("records")]
    return codes.map(dict(enumerate(texts))).astype(object)


def answerers(rows: pd.DataFrame) -> pd.Series:
    """What each row's cell asks, with the machine and the versions that answered."""
    return questions(rows) + "\n" + rows.machine.fillna("") + "\n" + rows.versions.fillna("")


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


def write_parquet(table: pd.DataFrame, path: Path, cells: str = "") -> None:
    """Write a table with the one schema and the format version; `cells` names the state of the cells behind it."""
    whole = pa.Table.from_pandas(table.reindex(columns=COLUMNS).astype(_types()), schema=SCHEMA, preserve_index=False)
    known = {FORMAT_KEY: str(FORMAT).encode(), CELLS_KEY: cells.encode()}
    with replacing(path) as temporary:
        pq.write_table(whole.replace_schema_metadata(known), temporary)


def cells_behind(path: Path) -> str | None:
    """What `write_parquet` was told of the cells; None if the file cannot be read."""
    try:
        return (pq.read_schema(path).metadata or {}).get(CELLS_KEY, b"").decode()
    except (OSError, pa.ArrowException):
        return None


def statuses(path: Path) -> dict[str, str]:
    """How each cell of a file ended; empty if it cannot be read."""
    try:
        rows = pq.ParquetFile(path).read(["cell", "status"]).to_pandas()
    except (OSError, pa.ArrowException):
        return {}
    return dict(zip(rows.cell, rows.status, strict=True))


def read_parquet(path: Path, provenance: dict[str, Any]) -> pd.DataFrame | None:
    """The table of a file; None if it was broken, and is set aside.

    Rows of format 1 are given the commit, machine and versions of the directory's provenance, which a line says.

    Raises:
        RunError: a later version wrote it, or it is another table.
    """
    try:
        table = pq.ParquetFile(path).read()  # `read_table` imports clients of remote file systems
    except (OSError, pa.ArrowException) as error:
        set_aside(path, str(error).splitlines()[0] if str(error) else type(error).__name__)
        return None
    written = int((table.schema.metadata or {}).get(FORMAT_KEY, b"1"))
    if written > FORMAT:
        raise RunError(f"{path} is of format {written}; this version reads up to {FORMAT}: update neuron-suite")
    lacking = [name for name in COLUMNS if name not in table.column_names and name not in ORIGIN]
    if lacking:
        raise RunError(f"{path} is no table of a run: it has no column {lacking[0]}")
    if table.schema.equals(SCHEMA) and not any(table[name].null_count for name in ORIGIN):
        return _to_pandas(table)
    frame = table.to_pandas()
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
