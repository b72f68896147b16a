"""The key of a cell: a hash of what it is and of the code and versions that decide its value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import neurons
import tasks
from neurons import Neuron, peers, registry
from neurons.fingerprint import fingerprint
from neurons.model import NeuronType
from neurons.peers.peer import Peer
from suite.runs import machine
from tasks import Cell, data, networks
from tasks.measuring import devices

NEURONS = Path(neurons.__file__).parent
TASKS = Path(tasks.__file__).parent
SHARED_TASK_FILES = ("base.py",)
PACKAGES = ("torch", "numpy", "triton")


def identity(cell: Cell) -> str:
    """A hash of (task, neuron, backend, device, settings, seed) alone: the same question, whatever the code.

    It is free of order; 2 and 2.0 are one number, and a setting of None is one that is not set. Which of several cards
    runs it is no part of the question; what the card is called is a part of the key.
    """
    known: str | None = vars(cell).get(IDENTITY)
    if known is None:
        others = [cell.task, cell.neuron, cell.backend, devices.kind_of(cell.device), cell.seed]
        known = _digest_of(f"{json.dumps(others)[:-1]}, {_asked(cell.settings)}]")
        object.__setattr__(cell, IDENTITY, known)
    return known


IDENTITY = "_identity"
"""Where a cell, which never changes, keeps its identity: a run asks for it at every step."""


class Latest:
    """What was last made of settings: the cells of a grid share one mapping and come after each other."""

    def __init__(self, make: Callable[[Mapping[str, Any]], str]) -> None:
        self.make = make
        self._known: tuple[Mapping[str, Any] | None, Mapping[str, Any], str] = (None, {}, "")

    def __call__(self, settings: Mapping[str, Any]) -> str:
        last, copy, made = self._known
        if settings is not last or settings != copy:
            made = self.make(settings)
            self._known = settings, dict(settings), made
        return made


@Latest
def _asked(settings: Mapping[str, Any]) -> str:
    """The settings that are set, as JSON free of order."""
    asked = {name: value for name, value in plain_settings(settings).items() if value is not None}
    return json.dumps(asked, sort_keys=True)


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with whole numbers as integers, so that equal numbers are written alike."""
    return {name: value if type(value) in PLAIN else _plain(value) for name, value in settings.items()}


PLAIN = frozenset((str, int, bool, type(None)))


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return plain_settings(value)
    return value


def key(cell: Cell) -> str:
    """The identity with code and versions; on a card also with the card and the versions of what runs it; for tasks
    that measure the machine also with the machine; for data that a user brought also with the state of its files.

    The version of another package counts for the cells that run it.
    """
    return _digest([identity(cell), *_decided_by(cell)])


class Keys:
    """The keys of a run's cells: what many of them share (code, versions, machine) is found out once."""

    def __init__(self) -> None:
        self._shared: dict[tuple[object, ...], str] = {}

    def __call__(self, cell: Cell) -> str:
        behind = (cell.task, cell.neuron, cell.backend, cell.device, _deciding(cell.settings))
        if behind not in self._shared:
            self._shared[behind] = json.dumps(_decided_by(cell), sort_keys=True)
        return _digest_of(f"[{json.dumps(identity(cell))}, {self._shared[behind][1:]}")


@Latest
def _deciding(settings: Mapping[str, Any]) -> str:
    """The settings that decide what code is behind a cell."""
    chosen = [(name, settings.get(name)) for name in DECIDING]
    own = [(name, value) for name, value in settings.items() if name.startswith(OF_NEURON)]
    return repr((chosen, own))


DECIDING = ("dataset", "network", "timesteps", "protocol")
OF_NEURON = "neuron."


def _decided_by(cell: Cell) -> list[object]:
    """All but the question that decides the value of a cell."""
    task = tasks.get(cell.task)
    decided_by: list[object] = [code_hash(cell), versions()]
    used = {cell.backend, cell.neuron.partition(".")[0]} & set(peers.PACKAGES)
    if used:
        decided_by.append({package: machine.installed_version(package) for package in sorted(used)})
    on_device = devices.facts(cell.device)
    if on_device:
        decided_by.append(on_device)
    if task.exclusive:
        decided_by.append(machine.describe())
    brought = data.fingerprint(str(cell.dataset))
    if brought is not None:
        decided_by.append(brought)
    return decided_by


def code_hash(cell: Cell) -> str:
    """Hash of what is behind a cell: the neurons package without the models, what the model computes, the task."""
    task = tasks.get(cell.task)
    module = Path(__import__(type(task).__module__, fromlist=["_"]).__file__ or "")
    sources = [module, *(TASKS / name for name in (*SHARED_TASK_FILES, *task.sources))]
    dataset, network = cell.settings.get("dataset"), cell.settings.get("network")
    sources += [data.source_file(dataset)] if dataset in data.SOURCES else []
    sources += [networks.source_file(network)] if network in networks.ARCHITECTURES else []
    return _digest([_core_hash(), model_hash(cell), _hash_files(sources)])


def model_hash(cell: Cell) -> str:
    """What the cell's model computes with its constants, see `neurons.fingerprint`; of a peer its file and versions."""
    cls = neurons.get(cell.neuron)
    if issubclass(cls, Peer):
        return _hash_files([registry.source_file(cls)])
    own = {name.removeprefix(OF_NEURON): cell.settings[name] for name in cell.settings if name.startswith(OF_NEURON)}
    published = cls.published if cell.settings.get("protocol") == "published" else {}
    asked = json.dumps([cell.settings.get("timesteps"), {**published, **own}], sort_keys=True, default=repr)
    known = _model_hashes.setdefault(cls, {})
    if (asked, NeuronType.changes) not in known:
        neuron = cls(cell.settings.get("timesteps") or USUAL_STEPS, **{**published, **own})
        known[asked, NeuronType.changes] = fingerprint(neuron)
    return known[asked, NeuronType.changes]


USUAL_STEPS = 8
_model_hashes: dict[type[Neuron], dict[tuple[str, int], str]] = {}


@cache
def versions() -> dict[str, str]:
    """Versions of the packages that decide values."""
    return {name: version for name in PACKAGES if (version := machine.installed_version(name)) is not None}


@cache
def _core_hash() -> str:
    sources = (path for path in NEURONS.rglob("*") if path.suffix in (".py", ".c", ".h"))
    return _hash_files(path for path in sources if path.parent.name != "models")


def _hash_files(paths: Iterable[Path]) -> str:
    files: set[Path] = set()
    for path in paths:
        files.update(path.rglob("*.py") if path.is_dir() else [path])
    return _digest([_file_hash(path) for path in sorted(files)])


@cache
def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(value: object) -> str:
    return _digest_of(json.dumps(value, sort_keys=True))


def _digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]
