"""From a request to a list of cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import neurons
import tasks
from neurons import InvalidValue, UnknownName, backends
from suite.runs import card, paper, rivals
from suite.runs.backend import resolved
from suite.runs.cell_key import identity
from tasks import Cell, Task, data
from tasks.base import LARGEST
from tasks.measuring import devices
from tasks.training import recipes

Profile = Literal["smoke", "quick", "full", "gpu", "onm", "rivals", "paper"]
PROFILES = ("smoke", "quick", "full")
"""Those that say how much is measured, on any device."""
CARD = "gpu"
"""The profile that measures a card, see `suite.runs.card`."""
FIXED: dict[str, Callable[[str, Sequence[str], int], list[Cell]]] = {
    CARD: card.grid,
    paper.PROFILE: paper.grid,
    **rivals.PROFILES,
}
"""Profiles whose cells are given: from the device, the models and the number of seeds."""
SEEDS: dict[str, int] = {
    **{"smoke": 1, "quick": 8, "full": 10, CARD: 20, paper.PROFILE: 1},
    **dict.fromkeys(rivals.PROFILES, 1),
}
"""Six seeds can claim something; eight find a difference of two standard deviations among all pairs of seven neurons in
three of four runs, ten in nearly all (`suite/statistics/README.md`). The paper prints one."""
MANY, FIRST_LOOK_SEEDS = 14, 2
"""Neurons from which on a quick run that names no seeds is a first look, of so many seeds and with training timed on
one data set: 41 models take half an hour on two cores by its own estimate, and 97 minutes as seven of them are run."""
TIME_LIMITS: dict[str, float] = {
    **{"smoke": 120, "quick": 600, "full": 6 * 3600, CARD: 300, paper.PROFILE: 14 * 24 * 3600},
    **dict.fromkeys(rivals.PROFILES, 300),
}
"""Seconds that one cell may take in all."""
MOST_SEEDS = 10_000
NEURON = "neuron."
"""What settings of neurons begin with."""


@dataclass(frozen=True)
class Request:
    """What the user asked for; empty lists mean all, of neurons the default ones (see `neurons.selection`).

    Attributes:
        devices: every cell runs on each of them.
        tune: settings tried for each neuron and data set, see `suite.runs.tuning`; none where it is None.
    """

    profile: str = "quick"
    tasks: Sequence[str] = ()
    neurons: Sequence[str] = ()
    backends: Sequence[str] = ("auto",)
    datasets: Sequence[str] = ()
    seeds: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    devices: Sequence[str] = ("auto",)
    tune: int | None = None


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
    models = neurons.select(request.neurons or ["default"])
    for name in request.backends:
        if name != "auto":
            backends.get_backend(name)
    known = [name for name, source in data.SOURCES.items() if not source.timings_alone and data.embedded(name)]
    sets = list(request.datasets) or [name for name in known if _taken(data.SOURCES[name], request.profile)]
    for name in sets:
        if name not in data.SOURCES:
            raise UnknownName("data set", name, data.SOURCES)
    _check_seeds(request.seeds)
    places = list(dict.fromkeys(devices.resolve(name) for name in request.devices))
    if request.profile in FIXED:
        return _fixed(request, models, places)
    overrides = checked_settings(request.settings, chosen)
    _check_neurons(overrides, models)
    timed = sets
    if is_first_look(request):
        request = replace(request, seeds=FIRST_LOOK_SEEDS)
        timed = list(request.datasets) or sets[:1]
    cells: dict[str, Cell] = {}
    for task in sorted(chosen, key=lambda task: task.exclusive):
        for settings in task.grid(request.profile, timed if task.exclusive else sets):
            own = {key: value for key, value in overrides.items() if _applies(key, task)}
            together = {**task.settings, **settings, **own}
            kinds = {devices.kind_of(place) for place in places}
            refusals = (task.refusal(together), *(task.refusal_on(kind, together) for kind in kinds))
            refusal = next(filter(None, refusals), None)
            if refusal is not None:
                raise InvalidValue(refusal)
            for cell in _spread(task, request, models, together, places):
                cells[identity(cell)] = cell
    return list(cells.values())


def _check_seeds(seeds: int | None) -> None:
    if seeds is not None and seeds < 1:
        raise InvalidValue(f"--seeds must be at least 1, not {seeds}")
    if seeds is not None and seeds > MOST_SEEDS:
        raise InvalidValue(f"--seeds must be at most {MOST_SEEDS}, not {seeds}")


def is_first_look(request: Request) -> bool:
    """Whether so many neurons are asked for that fewer seeds are taken than the quick profile has."""
    chosen = neurons.select(request.neurons or ["default"])
    return request.profile == "quick" and request.seeds is None and len(chosen) > MANY


def first_look(request: Request) -> str:
    """A line that says that a run is a first look; empty if it is none."""
    if not is_first_look(request):
        return ""
    count = len(neurons.select(request.neurons or ["default"]))
    usual = SEEDS["quick"]
    return (
        f"{count} neurons: a first look with {FIRST_LOOK_SEEDS} seeds, too few to claim a difference, and training "
        f"timed on one data set; --seeds {usual} measures as fewer neurons are"
    )


def _taken(source: data.Source, profile: str) -> bool:
    """Whether a profile takes a data set that nobody names."""
    return {"smoke": source.in_smoke, "quick": source.in_quick}.get(profile, True)


def _fixed(request: Request, models: Sequence[str], places: Sequence[str]) -> list[Cell]:
    """The cells of a profile that gives them, or of those tasks, neurons, backends and data sets that are asked for."""
    if request.profile == CARD and "cpu" in places:
        raise InvalidValue(f"--profile {CARD} measures a card; --device cpu has none: use quick or full")
    grid = FIXED[request.profile]
    known = {cell.task: tasks.get(cell.task) for cell in grid("cpu", models, 1)}
    overrides = checked_settings(request.settings, list(known.values()))
    _check_neurons(overrides, models)
    asked = (("task", request.tasks), ("neuron", models if request.neurons else ()), ("dataset", request.datasets))
    cells: dict[str, Cell] = {}
    for place in places:
        for cell in grid(place, models, request.seeds or SEEDS[request.profile]):
            own = {key: value for key, value in overrides.items() if _applies(key, known[cell.task])}
            changed = replace(cell, settings=_by_recipe({**cell.settings, **own}))
            of_backend = "auto" in request.backends or cell.backend in request.backends
            if of_backend and all(not names or getattr(cell, name) in names for name, names in asked):
                _check_together(known[cell.task], changed)
                cells[identity(changed)] = changed
    if not cells:
        sets = ", ".join(dict.fromkeys(str(cell.dataset) for cell in grid("cpu", models, 1) if cell.dataset))
        raise InvalidValue(
            f"--profile {request.profile} has no such cell" + (f"; its data sets: {sets}" if sets else "")
        )
    return sorted(cells.values(), key=lambda cell: tasks.get(cell.task).exclusive)


def _check_together(task: Task, cell: Cell) -> None:
    """Raise InvalidValue if the settings of a cell do not go together, or not on its device."""
    refusal = task.refusal(cell.settings) or task.refusal_on(devices.kind_of(cell.device), cell.settings)
    if refusal is not None:
        raise InvalidValue(refusal)


def _by_recipe(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with the name of their recipe, and what was changed of it."""
    return {**settings, "recipe": recipes.named(settings)} if settings.get("recipe") else settings


def _applies(key: str, task: Task) -> bool:
    return key in task.settings or key.startswith(NEURON)


def _spread(
    task: Task, request: Request, models: Sequence[str], settings: dict[str, Any], places: Sequence[str]
) -> list[Cell]:
    seeds = task.seeds(request.profile, request.seeds or SEEDS[request.profile])
    return [
        Cell(task.name, model, resolved(backend, model, device), seed, settings, device)
        for device in places
        for seed in range(seeds)
        for model in models
        for backend in request.backends
    ]


def checked_settings(settings: Mapping[str, Any], chosen: Sequence[Task]) -> dict[str, Any]:
    """The settings in their types; those of neurons are checked by `_check_neurons`."""
    known = {key: task for task in reversed(chosen) for key in task.settings}
    checked = {}
    for key, value in settings.items():
        if key.startswith(NEURON):
            checked[key] = value
        elif key == "dataset":
            raise InvalidValue("setting dataset: data sets are chosen by --datasets")
        elif key == "recipe":
            raise InvalidValue("setting recipe: --profile paper takes the paper's; --set changes single values of it")
        elif key not in known:
            raise UnknownName("setting", key, known)
        else:
            checked[key] = known[key].range(key).value(key, value)
    return checked


def _check_neurons(settings: Mapping[str, Any], models: Sequence[str]) -> None:
    """Make a layer of each model with the settings of neurons, so that a wrong one is refused before anything runs."""
    parameters = {key.removeprefix(NEURON): value for key, value in settings.items() if key.startswith(NEURON)}
    if not parameters:
        return
    protocol = settings.get("protocol", "controlled")
    for name in models:
        told = ", ".join(f"{NEURON}{key}={value}" for key, value in parameters.items())
        for key, value in parameters.items():
            usual = getattr(neurons.get(name), key, None)
            if isinstance(usual, int | float | neurons.Learnable) and not _is_like(usual, value):
                kind = "true or false" if isinstance(usual, bool) else "a finite number"
                raise InvalidValue(f"setting {NEURON}{key}={value}: {kind} is wanted")
        try:
            neurons.layer(name, channels=1, timesteps=1, backend="reference", protocol=protocol, **parameters)
        except (UnknownName, InvalidValue) as error:
            raise InvalidValue(f"setting {told}: {error}") from error
        except Exception as error:
            raise InvalidValue(f"{name} cannot be made with {told}: {type(error).__name__}: {error}") from error


def _is_like(usual: Any, value: Any) -> bool:
    if isinstance(usual, bool) or isinstance(value, bool):
        return isinstance(usual, bool) and isinstance(value, bool)
    return isinstance(value, int | float) and abs(value) <= LARGEST
