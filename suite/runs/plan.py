"""From a request to a list of cells."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

import neurons
import tasks
from neurons import InvalidValue, UnknownName, backends
from tasks import Cell, Task
from tasks.accuracy import datasets

Profile = Literal["smoke", "quick", "full"]
SEEDS: dict[str, int] = {"smoke": 1, "quick": 8, "full": 10}
"""Eight seeds are the fewest with which six comparisons can claim anything (`suite.statistics.seeds_needed`)."""
TIME_LIMITS: dict[str, float] = {"smoke": 120, "quick": 600, "full": 6 * 3600}
"""Seconds that one cell may take in all."""
SMOKE_DATASETS = ["digits", "delayed_recall"]


@dataclass(frozen=True)
class Request:
    """What the user asked for; empty lists mean all."""

    profile: str = "quick"
    tasks: Sequence[str] = ()
    neurons: Sequence[str] = ()
    backends: Sequence[str] = ("auto",)
    datasets: Sequence[str] = ()
    seeds: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)


def time_limit(asked: float | None, profile: str) -> float:
    """Seconds for one cell: what was asked, or what the profile allows.

    Raises:
        UnknownName, InvalidValue: there is no such profile, or no cell can be done in that time.
    """
    if profile not in TIME_LIMITS:
        raise UnknownName("profile", profile, TIME_LIMITS)
    if asked is None:
        return TIME_LIMITS[profile]
    if not (math.isfinite(asked) and asked > 0):
        raise InvalidValue(f"--time-limit is a number of seconds above 0, not {asked:g}")
    return asked


def make(request: Request) -> list[Cell]:
    """All cells of a request, side-by-side tasks first.

    Raises:
        UnknownName, InvalidValue: a name or a setting is wrong; the message says what would be right.
    """
    if request.profile not in SEEDS:
        raise UnknownName("profile", request.profile, SEEDS)
    chosen = [tasks.get(name) for name in request.tasks or tasks.MAIN_TASKS]
    models = [neurons.get(name).name for name in request.neurons or neurons.names()]
    for name in request.backends:
        if name != "auto":
            backends.get_backend(name)
    sets = list(request.datasets) or (SMOKE_DATASETS if request.profile == "smoke" else datasets.names())
    for name in sets:
        if name not in datasets.SOURCES:
            raise UnknownName("data set", name, datasets.SOURCES)
    if request.seeds is not None and request.seeds < 1:
        raise InvalidValue(f"--seeds must be at least 1, not {request.seeds}")
    overrides = _checked_settings(request.settings, chosen)
    cells: dict[str, Cell] = {}
    for task in sorted(chosen, key=lambda task: task.exclusive):
        for settings in task.grid(request.profile, sets):
            own = {key: value for key, value in overrides.items() if _applies(key, task)}
            for cell in _spread(task, request, models, {**task.settings, **settings, **own}):
                cells[_frozen(cell)] = cell
    return list(cells.values())


def _spread(task: Task, request: Request, models: Sequence[str], settings: dict[str, Any]) -> list[Cell]:
    seeds = task.seeds(request.profile, request.seeds or SEEDS[request.profile])
    return [
        Cell(task.name, model, _resolved(backend, model), seed, settings)
        for seed in range(seeds)
        for model in models
        for backend in request.backends
    ]


def _resolved(backend: str, model: str) -> str:
    """The name behind "auto", so that a row names the backend that ran."""
    return backends.resolve(backend, neurons.get(model), torch.device("cpu"))


def _frozen(cell: Cell) -> str:
    return json.dumps([cell.task, cell.neuron, cell.backend, cell.seed, dict(cell.settings)], sort_keys=True)


def _applies(key: str, task: Task) -> bool:
    return key in task.settings or key.startswith("neuron.")


def _checked_settings(settings: dict[str, Any], chosen: Sequence[Task]) -> dict[str, Any]:
    known = {key: value for task in chosen for key, value in task.settings.items()}
    for key, value in settings.items():
        if key.startswith("neuron."):
            continue
        if key not in known:
            raise UnknownName("setting", key, known)
        default = known[key]
        if default is not None and not _same_kind(default, value):
            raise InvalidValue(f"setting {key}={value} is not a {type(default).__name__} like its default {default}")
    return settings


def _same_kind(default: Any, value: Any) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, (int, float))
    return isinstance(value, type(default))
