"""What is measured. Each task turns a cell (neuron, backend, settings, seed) into values."""

from __future__ import annotations

from neurons import UnknownName
from tasks.ablation import Ablation
from tasks.accuracy.task import Accuracy
from tasks.base import Cell, Metric, NotFinite, Task, Value
from tasks.conversion import Conversion
from tasks.dynamics import Dynamics
from tasks.energy import Energy
from tasks.equivalence import Equivalence
from tasks.memory import Memory
from tasks.startup import Startup
from tasks.temporal_gradient import TemporalGradient
from tasks.throughput import Throughput
from tasks.training_memory import TrainingMemory
from tasks.training_speed import TrainingSpeed

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Accuracy(),
        TemporalGradient(),
        Memory(),
        Throughput(),
        TrainingSpeed(),
        Energy(),
        Conversion(),
        Dynamics(),
        Equivalence(),
        Startup(),
        TrainingMemory(),
        Ablation(),
    )
}
MAIN_TASKS = ("accuracy", "temporal_gradient", "memory", "throughput", "training_speed")
"""What a run measures unless told otherwise; the others serve the studies and the comparison of packages."""


def get(name: str) -> Task:
    """The task of that name; UnknownName with the nearest name otherwise."""
    if name not in TASKS:
        raise UnknownName("task", name, TASKS)
    return TASKS[name]


__all__ = ["MAIN_TASKS", "TASKS", "Cell", "Metric", "NotFinite", "Task", "Value", "get"]
