"""What there is to choose from: `python -m suite list KIND`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text

import neurons
import tasks
from neurons import UnknownName, backends
from suite import studies
from suite.inspection import catalogue
from suite.runs.text import plain
from tasks import data, networks
from tasks.measuring.size import size_of

Entry = dict[str, Any]


def _neurons() -> list[Entry]:
    return catalogue.catalogue(neurons.names())


def _tasks() -> list[Entry]:
    return [
        {
            "name": task.name,
            "description": task.description,
            "metrics": list(task.metrics),
            "settings": dict(task.settings),
        }
        for task in tasks.TASKS.values()
    ]


def _datasets() -> list[Entry]:
    return [
        {"name": name, "description": source.description, "network": source.network}
        for name, source in data.SOURCES.items()
    ]


def _networks() -> list[Entry]:
    """Sizes with LIF at the default width: of images 3×32×32 in ten classes, else of 784 numbers."""
    return [{"name": name, **_size(name)} for name in networks.ARCHITECTURES]


def _size(name: str) -> Entry:
    architecture = networks.ARCHITECTURES[name]
    features = (3, 32, 32) if architecture.images else (784,)
    with torch.random.fork_rng(devices=[]):
        size = size_of(name, features, 10)
    return {
        "description": architecture.description,
        "width": architecture.width,
        "parameters": size.parameters,
        "input": "×".join(map(str, features)),
        "macs": size.macs,
        "macs_as_paper": size.macs_as_paper,
    }


def _backends() -> list[Entry]:
    lif = neurons.get("lif")()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return [
        {"name": name, "description": backend.description, "available": backend.unavailable(lif, device) or "yes"}
        for name, backend in ((name, backends.get_backend(name)) for name in backends.names())
    ]


def _studies() -> list[Entry]:
    return [{"name": study.name, "title": study.title, "paper": study.source} for study in studies.studies().values()]


KINDS: dict[str, Callable[[], list[Entry]]] = {
    "neurons": _neurons,
    "tasks": _tasks,
    "datasets": _datasets,
    "networks": _networks,
    "backends": _backends,
    "studies": _studies,
}


def listing(kind: str) -> list[Entry]:
    """One object for each thing of that kind, `name` first; UnknownName for another kind."""
    if kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    return KINDS[kind]()


def print_listing(entries: list[Entry], columns: Sequence[str] = ()) -> None:
    """A table on the terminal, of some columns or of all."""
    table = Table(box=None, header_style="bold")
    shown = columns or list(entries[0] if entries else ())
    for column in shown:
        table.add_column(column, overflow="fold")
    for entry in entries:
        table.add_row(*(Text(plain(_text(entry[column]))) for column in shown))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _first_line(text: str | None) -> str:
    return (text or "").strip().splitlines()[0] if text else ""
