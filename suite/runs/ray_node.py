"""What runs on a node of a Ray cluster: one batch of cells at a time, by the same executor as on a single machine.

So a cell that crashes, hangs or leaves something behind ends as it does there; Ray itself only finds places for
batches, and says when a node was lost.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import itertools
import os
import socket
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from suite.runs import machine
from suite.runs.cell_key import versions
from suite.runs.execute import LocalExecutor
from suite.runs.provenance import machine_in_words
from suite.runs.record import Result, result_to_json
from suite.runs.user_files import UserFiles
from tasks import Cell
from tasks.data import location

Texts = Mapping[str, Sequence[tuple[str, str]]]
"""The user's files by what they add: the name and the text of each."""


class OtherVersions(Exception):
    """A node has other packages than the machine that keeps the rows."""


@dataclass(frozen=True)
class Order:
    """How a node is to measure a batch of cells.

    Attributes:
        alone: nothing else runs on the node meanwhile.
        wanted: the versions of the packages that decide values, of the machine that keeps the rows.
        data_dir: where files of data sets lie on every node; None where each node says so itself.
    """

    time_limit: float
    alone: bool
    wanted: Mapping[str, str]
    data_dir: str | None


def texts_of(files: UserFiles) -> Texts:
    """The files to send."""
    own = {each.name: getattr(files, each.name) for each in fields(files)}
    return {name: [(Path(path).name, Path(path).read_text(encoding="utf-8")) for path in own[name]] for name in own}


def measure(cells: Sequence[Cell], files: Texts, order: Order) -> list[dict[str, Any]]:
    """The result of each cell of a batch, in their order, as `result_to_json` has them.

    Raises:
        OtherVersions: this node has other packages than the run.
    """
    if versions() != order.wanted:
        raise OtherVersions(f"{socket.gethostname()} has {_told(versions())}; the run is of {_told(order.wanted)}")
    if order.data_dir is not None:
        os.environ[location.VARIABLE] = order.data_dir  # before the first worker of this process is started
    found: dict[int, Result] = {}
    places = {id(cell): place for place, cell in enumerate(cells)}
    executor = _executor(_written(files))
    executor.time_limit = order.time_limit
    executor.keep_workers = not order.alone
    executor.finished = lambda cell, result: found.update({places[id(cell)]: _of_here(result)})
    executor.run(cells)
    return [result_to_json(found[place]) for place in range(len(cells))]


def _told(packages: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in packages.items())


def _of_here(result: Result) -> Result:
    """The result with the machine that it is of; what is not available is so on this node."""
    where = f" (on {socket.gethostname()})" if result.status == "unavailable" else ""
    return replace(result, detail=result.detail + where, machine=_machine())


@cache
def _machine() -> str:
    return machine_in_words(machine.describe()) or ""


_numbers = itertools.count()


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="neuron-suite-"))


@cache
def _executor(files: UserFiles) -> LocalExecutor:
    """Of this process, so that its workers stay warm from one batch to the next."""
    files.load()  # a batch is planned here by its task, which may be the user's
    executor = LocalExecutor(
        time_limit=0.0,
        files=files,
        log=lambda _: _folder() / f"{next(_numbers)}.log",
        started=lambda _: None,
        finished=lambda cell, result: None,
        stop=lambda: False,
    )
    atexit.register(executor.pool.close)  # multiprocessing would wait for the workers, which wait for their next batch
    return executor


def _written(texts: Texts) -> UserFiles:
    """The user's files, written once on this node."""
    paths: dict[str, tuple[str, ...]] = {}
    for kind, several in texts.items():
        own = []
        for name, text in several:
            folder = _folder() / hashlib.sha256(text.encode()).hexdigest()[:12]
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                (folder / name).write_text(text, encoding="utf-8")
            own.append(str(folder / name))
        paths[kind] = tuple(own)
    return UserFiles(**paths)
