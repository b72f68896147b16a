"""What is measured. Each task turns a cell (neuron, backend, settings, seed) into values.

A task is a module of this folder with a class that has a name, found by being here.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil

from neurons import UnknownName
from tasks.base import Cell, Metric, NotFinite, Task, Value


def _found() -> dict[str, Task]:
    found = []
    for module in pkgutil.iter_modules(__path__):
        if not module.ispkg:
            members = vars(importlib.import_module(f"{__name__}.{module.name}")).values()
            found += [own for own in members if _is_task(own) and own.__module__ == f"{__name__}.{module.name}"]
    return {task.name: task() for task in sorted(found, key=lambda task: (not task.main, task.name))}


def _is_task(member: object) -> bool:
    return inspect.isclass(member) and issubclass(member, Task) and not inspect.isabstract(member)


TASKS: dict[str, Task] = _found()
"""All tasks by name, the main ones first."""
MAIN_TASKS = tuple(name for name, task in TASKS.items() if task.main)
"""What a run measures unless told otherwise; the others serve the studies and the comparison of packages."""


def get(name: str) -> Task:
    """The task of that name; UnknownName with the nearest name otherwise."""
    if name not in TASKS:
        raise UnknownName("task", name, TASKS)
    return TASKS[name]


__all__ = ["MAIN_TASKS", "TASKS", "Cell", "Metric", "NotFinite", "Task", "Value", "get"]
