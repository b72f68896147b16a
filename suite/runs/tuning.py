"""Equal tuning: N settings a neuron and data set, judged on validation alone; the best is run with the run's seeds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

import neurons
import tasks
from neurons import InvalidValue
from neurons.span import Span
from suite.runs import plan
from suite.runs.cell_key import identity, model_hash
from suite.runs.files import log
from suite.runs.plan_file import Plan
from suite.runs.record import Result
from tasks import Cell
from tasks.training.recipe import USUAL

TUNED_TASK, TRIAL_TASK = "accuracy", "tuning"
TRIAL_SEED = plan.MOST_SEEDS
"""Of all trials: one that no run has, so that the seeds of the tuned runs are fresh."""
FEWEST, MOST = 2, 1024
TUNED = "tuned"
"""What the setting `tuning` of a cell says whose settings were chosen by trials; other cells do not have it."""

RECIPE: Mapping[str, Span] = {
    "learning_rate": Span(0.1, 10, logarithmic=True),
    "weight_decay": Span(0.01, 10, logarithmic=True),
}
"""Times what the optimiser's usual value is."""
SHARED: Mapping[str, Span] = {
    "neuron.tau": Span(1.25, 10, logarithmic=True),
    "neuron.v_th": Span(0.5, 2, logarithmic=True),
    "neuron.surrogate": Span(choices=("rectangle", "triangle", "atan", "sigmoid")),
    "neuron.surrogate_width": Span(0.5, 4, logarithmic=True),
}
"""Of every model that computes something else with them; a model names its own in `Neuron.tuning`."""
DIMENSIONS = 16
"""Of the sequence of points, so that what all neurons have in common is tried at the same places for each."""

Load = Callable[[Cell], Result | None]


@dataclass(frozen=True)
class Search:
    """What is tried for one neuron on one data set.

    Attributes:
        cells: those of the run with the settings as they are, one a seed.
        trials: one a setting, the first with the settings as they are.
    """

    cells: Sequence[Cell]
    trials: Sequence[Cell]

    def best(self, load: Load) -> Cell | None:
        """The trial of highest validation accuracy, of tied ones of lowest loss; None if none was measured."""
        worth = {}
        for place, trial in enumerate(self.trials):
            result = load(trial)
            if result is not None and result.finished:
                found = {value.metric: value.value for value in result.values}
                worth[place] = found["accuracy_validation_best"], -found["validation_loss_selected"], -place
        return self.trials[max(worth, key=worth.__getitem__)] if worth else None

    def tuned(self, load: Load) -> list[Cell]:
        """The cells of the run with the best settings; none, and a line, if no trial was measured."""
        best = self.best(load)
        if best is None:
            one = self.cells[0]
            log.warning("no setting of %s on %s could be measured: it is not tuned", one.neuron, one.dataset)
            return []
        told = {"tuning": TUNED, "trials": len(self.trials), "untuned": best.settings["untuned"]}
        chosen = {name: best.settings[name] for name in best.settings["untuned"]}
        return [replace(cell, settings={**cell.settings, **chosen, **told}) for cell in self.cells]


def searches(cells: Sequence[Cell], request: plan.Request) -> list[Search]:
    """What `request.tune` asks to be tried for the cells of a run.

    Raises:
        InvalidValue: nothing can be tuned, or a model cannot be made with what it says it may be.
    """
    count = request.tune
    if count is None:
        return []
    if not FEWEST <= count <= MOST:
        raise InvalidValue(
            f"--tune must be at least {FEWEST} and at most {MOST:,}, not {count:,}; the first is as it is"
        )
    if request.profile not in plan.PROFILES:
        raise InvalidValue(f"--tune goes with --profile {', '.join(plan.PROFILES)}, not {request.profile}")
    questions: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.task == TUNED_TASK:
            questions.setdefault(identity(replace(cell, seed=0)), []).append(cell)
    if not questions:
        raise InvalidValue(f"--tune chooses settings of the task {TUNED_TASK}; --tasks has none")
    return [Search(own, _trials(own[0], count, request.settings)) for own in questions.values()]


def stages(cells: Sequence[Cell], request: plan.Request) -> tuple[list[Cell], Callable[[Load], list[Cell]]]:
    """The trials for a run's cells, and what gives the tuned cells once these are measured."""
    found = searches(cells, request)

    def follow(load: Load) -> list[Cell]:
        return [cell for search in found for cell in search.tuned(load)]

    return [trial for search in found for trial in search.trials], follow


def promised(cells: Sequence[Cell], request: plan.Request) -> str:
    """What comes after the trials of a run, in words; nothing without `request.tune`."""
    if request.tune is None:
        return ""
    return f", then at most {sum(cell.task == TUNED_TASK for cell in cells):,} more with the best settings"


def _trials(cell: Cell, count: int, fixed: Collection[str]) -> list[Cell]:
    spans = space(cell, fixed)
    known = tasks.get(TRIAL_TASK).settings
    kept = {name: value for name, value in cell.settings.items() if name in known or name.startswith(plan.NEURON)}
    found = []
    for number, chosen in enumerate(_settings(cell, spans, count)):
        told = {"trial": number, "untuned": {name: cell.settings.get(name) for name in chosen}}
        trial = replace(cell, task=TRIAL_TASK, seed=TRIAL_SEED, settings={**kept, **chosen, **told})
        _check(trial)
        found.append(trial)
    return found


def space(cell: Cell, fixed: Collection[str] = ()) -> dict[str, tuple[int, Span]]:
    """What is tuned for a cell, each with its dimension: what all share, then what the model names.

    A constant with which the model computes the same is left out, as is what is `fixed` by the user.
    """
    own = {f"{plan.NEURON}{name}": span for name, span in neurons.get(cell.neuron).tuning.items()}
    named = {**RECIPE, **SHARED, **own}
    if len(named) > DIMENSIONS:
        raise InvalidValue(
            f"{cell.neuron}: tuning names {len(own)} values; {DIMENSIONS - len(named) + len(own)} at most"
        )
    return {
        name: (place, span)
        for place, (name, span) in enumerate(named.items())
        if name not in fixed and (name in RECIPE or _matters(cell, name, span))
    }


def _matters(cell: Cell, name: str, span: Span) -> bool:
    """Whether the model computes something else at some place of the span."""
    hashes = set()
    for share in (0.0, 0.3, 0.99):
        try:
            hashes.add(model_hash(replace(cell, settings={**cell.settings, name: span.at(share)})))
        except (neurons.UnknownName, InvalidValue) as error:
            if name not in SHARED:
                raise InvalidValue(f"{cell.neuron}: tuning of {name}: {error}") from error
            return False
    return len(hashes) > 1


def _settings(cell: Cell, spans: Mapping[str, tuple[int, Span]], count: int) -> list[dict[str, Any]]:
    """The settings that are tried: none changed first, then those of Sobol's points."""
    usual = dict(zip(RECIPE, USUAL[cell.settings["optimizer"]], strict=True))
    found: list[dict[str, Any]] = [{}]
    for point in _points(count - 1):
        chosen = {name: span.at(float(point[place])) for name, (place, span) in spans.items()}
        found.append({n: float(f"{v * usual[n]:.3g}") if n in usual else v for n, v in chosen.items()})
    return found


@cache
def _points(count: int) -> np.ndarray:
    """The first `count` points of Sobol's sequence, scrambled alike in every run (Owen 1998)."""
    try:
        from scipy.stats import qmc
    except ModuleNotFoundError as error:
        raise InvalidValue(f"--tune needs the package {error.name}, which is not installed") from error
    drawn = qmc.Sobol(DIMENSIONS, scramble=True, rng=np.random.default_rng(0))
    return drawn.random_base2((max(count, 1) - 1).bit_length())[:count]


def _check(trial: Cell) -> None:
    """Make a layer with the settings of a trial, so that what cannot be made is refused before anything runs."""
    try:
        replace(trial, backend="reference", device="cpu").neuron_layer(channels=1, timesteps=1)
    except (neurons.UnknownName, InvalidValue) as error:
        raise InvalidValue(f"{trial.neuron}: tuning: {error}") from error


def superseded(planned: Plan, current: Sequence[Cell]) -> list[str]:
    """Keys of tuned cells of a run directory's plan whose question is answered by other settings now.

    That happens where a trial could not be measured at first.
    """
    tuned = [cell for cell in current if cell.settings.get("tuning") == TUNED]
    asked, kept = {_question(cell) for cell in tuned}, {identity(cell) for cell in tuned}
    found = []
    for name, (key, cell) in planned.items():
        if cell is None or cell.settings.get("tuning") != TUNED or name in kept:
            continue
        if _question(cell) in asked:
            found.append(key)
    return found


def _question(cell: Cell) -> str:
    """What a tuned cell asks, but for what was chosen."""
    before = cell.settings["untuned"]
    settings = {name: value for name, value in cell.settings.items() if name not in (*before, "untuned")}
    return identity(replace(cell, settings={**settings, **before}))
