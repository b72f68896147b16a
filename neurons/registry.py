"""Where models come from: every module of `neurons/models/`, installed entry points, and files named by the user."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch

from neurons.errors import NeuronError, UnknownName
from neurons.model import CONSTANTS, Neuron
from neurons.source import Source
from neurons.user_file import import_user_file, installed

_models: dict[str, type[Neuron]] = {}
_packages: dict[str, Callable[[str], type[Neuron]]] = {}
_reserved: set[str] = set()

N = TypeVar("N", bound=type[Neuron])


def register(cls: N) -> N:
    """Class decorator: check a model and add it under `name`, or under its class name in lower case.

    Raises:
        NeuronError: one line with file, class and fault, if the class is wrong or its name is taken.
    """
    cls.name = vars(cls).get("name", cls.__name__.lower())
    fault = find_fault(cls) if isinstance(cls.name, str) else f"name must be a text, not {cls.name!r}"
    known = _models.get(cls.name)
    if fault is None and known is not None and source_file(known) != source_file(cls):
        fault = f"the name '{cls.name}' is taken by {known.__name__} in {source_file(known)}; give the class another"
    if fault is not None:
        raise NeuronError(f"{source_file(cls)}: class {cls.__name__}: {fault}")
    _models[cls.name] = cls
    return cls


def get(name: str) -> type[Neuron]:
    """The model class registered as `name`, or a package's neuron (`snntorch.leaky`); UnknownName otherwise."""
    _discover()
    if name not in _models:
        package = name.partition(".")[0]
        if package in _packages:
            return _packages[package](name)
        raise UnknownName("neuron", name, _models)
    return _models[name]


def look_up_in(package: str, get: Callable[[str], type[Neuron]]) -> None:
    """From now on, find `package.neuron` by calling `get` with that name."""
    _packages[package] = get


def reserve(names: Iterable[str]) -> None:
    """From now on, refuse learnables of these names, which a layer uses itself."""
    _reserved.update(names)


def registered(name: str) -> type[Neuron] | None:
    """The model class registered as `name`, or None."""
    _discover()
    return _models.get(name)


def names() -> list[str]:
    """All registered names, sorted."""
    _discover()
    return sorted(_models)


def load_file(path: str | Path) -> list[str]:
    """Import a user's Python file and return the names of the neurons that it registers."""
    _discover()
    module = import_user_file(path, "--neuron-file takes a Python file that registers a neuron")
    added = [name for name, cls in _models.items() if cls.__module__ == module.__name__]
    if not added:
        raise NeuronError(f"{module.__file__}: registers no neuron; decorate a subclass of Neuron with @register")
    return added


def source_file(cls: type[Neuron]) -> Path:
    """The file that defines a model."""
    module = sys.modules.get(cls.__module__)
    return Path(getattr(module, "__file__", None) or "<interactive>")


def find_fault(cls: type[Neuron]) -> str | None:
    """What is wrong with a model class, in words, or None. An exception inside `step` is left to the run."""
    if not (isinstance(cls, type) and issubclass(cls, Neuron)):
        return "not a subclass of neurons.Neuron"
    if not cls.runs_over_time():
        return _fault_of_description(cls)
    return _fault_of_description(cls) or _fault_of_step(cls) or _fault_of_names(cls) or _probe_step(cls)


def _fault_of_description(cls: type[Neuron]) -> str | None:
    if not isinstance(cls.tags, (tuple, list)) or not all(isinstance(tag, str) for tag in cls.tags):
        return f"tags must be a tuple of words, as in tags = ('adaptive',), not {cls.tags!r}"
    if cls.source is not None and not isinstance(cls.source, Source):
        return f"source must be a neurons.Source, as in Source('Fang et al., ICCV 2021', 2021), not {cls.source!r}"
    return None


def _fault_of_step(cls: type[Neuron]) -> str | None:
    if cls.step is Neuron.step:
        return "has no step(self, x, *states)"
    if not inspect.isfunction(inspect.getattr_static(cls, "step")):
        return "step must be a plain method: def step(self, x, *states)"
    expected = ["x", *cls.states]
    arguments = list(inspect.signature(cls.step).parameters.values())[1:]
    open_ended = any(argument.kind is argument.VAR_POSITIONAL for argument in arguments)
    if not open_ended and len(arguments) != len(expected):
        return f"step takes {len(arguments)} tensors, but x and the states {cls.states} make {len(expected)}"
    return None


def _fault_of_names(cls: type[Neuron]) -> str | None:
    if not isinstance(cls.states, (tuple, list)) or not all(isinstance(name, str) for name in cls.states):
        return f"states must be a tuple of names, as in states = ('u',), not {cls.states!r}"
    twice = next((name for name in cls.states if list(cls.states).count(name) > 1), None)
    if twice is not None:
        return f"the state '{twice}' is declared twice"
    for name, declared in cls.learnables().items():
        if declared.per not in ("layer", "channel", "step_channel"):
            return f"{name} is learnable per '{declared.per}'; right are layer, channel and step_channel"
        if name in _reserved or (name in dir(Neuron) and name not in CONSTANTS):
            return f"a learnable cannot be called '{name}', which a layer or Neuron uses itself; give it another name"
    return None


def _probe_step(cls: type[Neuron]) -> str | None:
    neuron = cls(timesteps=2)
    tensors = [torch.linspace(0.2, 1.4, 4) for _ in range(1 + len(cls.states))]
    versions = [tensor._version for tensor in tensors]
    parameters = {name: torch.full((4,), 0.1) for name in cls.learnables()}
    try:
        result = neuron.bind(parameters).step(*tensors)
    except Exception:
        return None
    if [tensor._version for tensor in tensors] != versions:
        return "step changes a tensor in place; write u = u + x, not u += x"
    if not isinstance(result, tuple):
        return "step must return a tuple (spike, *states)"
    if len(result) != len(tensors):
        missing = f"the spike and the states {cls.states}" if cls.states else "the output alone, as a tuple"
        return f"step returns {len(result)} values, not {len(tensors)}: {missing}"
    if any(not isinstance(value, torch.Tensor) or value.shape != tensors[0].shape for value in result):
        return "step must return tensors of the shape of its input (pointwise operations only)"
    return None


@cache
def _discover() -> None:
    package = importlib.import_module("neurons.models")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"neurons.models.{module.name}")
    for entry in installed("neurons"):
        loaded = entry.load()
        if isinstance(loaded, type) and loaded not in _models.values():
            register(loaded)
