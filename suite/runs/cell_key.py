"""The key of a cell: a hash of what it is and of the code and versions that decide its value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
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
    asked = {name: value for name, value in plain_settings(cell.settings).items() if value is not None}
    return _digest([cell.task, cell.neuron, cell.backend, devices.kind_of(cell.device), cell.seed, asked])


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with whole numbers as integers, so that equal numbers are written alike."""
    return {name: _plain(value) for name, value in settings.items()}


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
    task = tasks.get(cell.task)
    decided_by: list[object] = [identity(cell), code_hash(cell), versions()]
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
    return _digest(decided_by)


def code_hash(cell: Cell) -> str:
    """Hash of what is behind a cell: the neurons package without the models, what the model computes, the task."""
    task = tasks.get(cell.task)
    module = Path(__import__(type(task).__module__, fromlist=["_"]).__file__ or "")
    sources = [module, *(TASKS / name for name in (*SHARED_TASK_FILES, *task.sources))]
    dataset, network = cell.settings.get("dataset"), cell.settings.get("network")
    sources += [data.source_file(dataset)] if dataset in data.SOURCES else []
    sources += [networks.source_file(network)] if network in networks.ARCHITECTURES else []
    return _digest([_core_hash(), _model_hash(cell), _hash_files(sources)])


def _model_hash(cell: Cell) -> str:
    """What the cell's model computes with its constants, see `neurons.fingerprint`; of a peer its file and versions."""
    cls = neurons.get(cell.neuron)
    if issubclass(cls, Peer):
        return _hash_files([registry.source_file(cls)])
    prefix = "neuron."
    own = {key.removeprefix(prefix): value for key, value in cell.settings.items() if key.startswith(prefix)}
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
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:20]
