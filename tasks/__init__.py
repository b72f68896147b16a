"""What is measured. Each task turns a cell (neuron, backend, settings, seed) into values.

A task is a class in a file of this folder, found by being here; in a file of a user (`load_file`); or in a module that
an installed package names as an entry point of the group `neuron_suite.tasks`.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

from neurons import NeuronError, UnknownName
from neurons.user_file import import_user_file, installed
from tasks import contract
from tasks.base import Cell, Metric, NotFinite, Task, Value

TASKS: dict[str, Task] = {}
"""All tasks by name, the main ones first."""


def load_file(path: str | Path) -> list[str]:
    """Import a user's Python file and return the names of the tasks in it.

    Raises:
        NeuronError: one line with file, class and fault.
    """
    module = import_user_file(path, "--task-file takes a Python file with a subclass of tasks.Task")
    found = _tasks_in(module)
    if not found:
        raise NeuronError(f"{module.__file__}: has no task; write a subclass of tasks.Task with a name, grid and run")
    for cls in found:
        fault = contract.fault_of_task(cls, TASKS)
        if fault is not None:
            raise NeuronError(f"{module.__file__}: class {cls.__name__}: {fault}")
        TASKS[cls.name] = cls()
    return [cls.name for cls in found]


def _tasks_in(module: ModuleType) -> list[type[Task]]:
    members = vars(module).values()
    return [own for own in members if _is_task(own) and own.__module__ == module.__name__]


def _is_task(member: object) -> bool:
    return isinstance(member, type) and issubclass(member, Task) and "name" in vars(member)


def _discover() -> None:
    files = [module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in files]
    modules += [entry.load() for entry in installed("tasks")]
    found = [cls for module in modules for cls in _tasks_in(module)]
    TASKS.update({task.name: task() for task in sorted(found, key=lambda task: (not task.main, task.name))})


_discover()
MAIN_TASKS = tuple(name for name, task in TASKS.items() if task.main)
"""What a run measures unless told otherwise; the others serve the studies and the comparison of packages."""


def get(name: str) -> Task:
    """The task of that name; UnknownName with the nearest name otherwise."""
    if name not in TASKS:
        raise UnknownName("task", name, TASKS)
    return TASKS[name]


__all__ = ["MAIN_TASKS", "TASKS", "Cell", "Metric", "NotFinite", "Task", "Value", "get", "load_file"]
