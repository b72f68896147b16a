"""Which cells a request asks for."""

from __future__ import annotations

from collections import Counter

import pytest

import neurons
import tasks
from suite.runs import plan
from suite.runs.plan import Request
from tasks.base import COMMON_RANGES

STANDARD = {"if", "lif", "plif", "klif", "glif", "clif", "relu"}
DATASETS = {"digits", "mnist5k", "mnist5k_rows", "japanese_vowels", "delayed_recall", "mnist5k_events"}
LONG = {"binary_adding", "psmnist5k", "mnist1d"}
"""Data sets of the full profile alone."""


@pytest.mark.parametrize(
    ("profile", "datasets", "seeds"),
    [("smoke", {"digits", "delayed_recall"}, 1), ("quick", DATASETS, 8), ("full", DATASETS | LONG, 10)],
)
def test_accuracy_is_asked_of_every_model_data_set_and_seed(profile: str, datasets: set[str], seeds: int) -> None:
    cells = plan.make(Request(profile=profile, tasks=["accuracy"]))
    counts = Counter((cell.neuron, cell.dataset) for cell in cells)
    assert set(counts) == {(model, dataset) for model in STANDARD for dataset in datasets}
    assert set(counts.values()) == {seeds}
    assert {cell.seed for cell in cells} == set(range(seeds))


def test_tasks_of_a_run_that_names_none() -> None:
    """Those of the report's first page; the side-by-side ones first."""
    asked = list(dict.fromkeys(cell.task for cell in plan.make(Request(profile="smoke"))))
    assert set(asked) == {"accuracy", "temporal_gradient", "memory", "throughput", "training_speed"}
    assert [tasks.get(name).exclusive for name in asked] == [False, False, True, True, True]


def test_timings_take_one_seed() -> None:
    cells = plan.make(Request(profile="quick", tasks=["memory"], neurons=["lif"], seeds=5))
    assert {cell.seed for cell in cells} == {0}


def test_many_neurons_are_a_first_look_and_told() -> None:
    many = Request(neurons=["all"])
    cells = plan.make(many)
    counts = Counter((cell.neuron, cell.dataset) for cell in cells if cell.task == "accuracy")
    assert {dataset for _, dataset in counts} == DATASETS
    assert set(counts.values()) == {plan.FIRST_LOOK_SEEDS}
    assert len({cell.dataset for cell in cells if cell.task == "training_speed"}) == 1
    assert f"{len(neurons.names())} neurons: a first look with 2 seeds" in plan.first_look(many)
    whole = Request(neurons=["all"], seeds=8, tasks=["accuracy", "training_speed"])
    assert {cell.seed for cell in plan.make(whole) if cell.task == "accuracy"} == set(range(8))
    assert {cell.dataset for cell in plan.make(whole) if cell.task == "training_speed"} == DATASETS
    named = Request(neurons=["all"], tasks=["training_speed"], datasets=["digits", "mnist5k"])
    assert {cell.dataset for cell in plan.make(named)} == {"digits", "mnist5k"}
    for other in (whole, Request(), Request("full", neurons=["all"]), Request(neurons=["tag:standard"])):
        assert plan.first_look(other) == ""


def test_a_setting_reaches_the_cells_of_the_tasks_that_have_it() -> None:
    settings = {"epochs": 3, "neuron.tau": 1.5}
    cells = plan.make(Request("smoke", ["accuracy", "memory"], ["lif"], settings=settings))
    assert {cell.settings.get("epochs") for cell in cells if cell.task == "accuracy"} == {3}
    assert all("epochs" not in cell.settings for cell in cells if cell.task == "memory")
    assert {cell.settings["neuron.tau"] for cell in cells} == {1.5}


def test_a_name_given_twice_is_one_cell() -> None:
    once = plan.make(Request("smoke", ["memory"], ["lif"], ["cpu"]))
    assert plan.make(Request("smoke", ["memory"], ["lif", "lif"], ["cpu", "cpu"])) == once


@pytest.mark.parametrize("task", sorted(tasks.TASKS))
def test_every_number_of_a_task_has_a_range_that_holds_its_default(task: str) -> None:
    known = tasks.get(task)
    unbounded = {"weight", "extra_reset"}
    for name, default in known.settings.items():
        assert known.range(name).value(name, default) == default
        if isinstance(default, int | float) and name not in unbounded:
            assert name in {**COMMON_RANGES, **known.ranges}, name
    for name in known.ranges:
        assert name in known.settings, f"the range of {name} is of no setting"


@pytest.mark.parametrize("profile", ["smoke", "quick", "full"])
def test_the_profiles_keep_to_the_ranges(profile: str) -> None:
    for task in tasks.TASKS.values():
        for settings in task.grid(profile, sorted(DATASETS)):
            for name, value in settings.items():
                assert task.range(name).value(name, value) == value


@pytest.mark.parametrize(("asked", "seconds"), [(None, 120), (3.5, 3.5)])
def test_time_limit(asked: float | None, seconds: float) -> None:
    assert plan.time_limit(asked, "smoke") == seconds
