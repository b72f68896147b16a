"""How a neuron travels in a pickle: by its class's name, module and file, so that another process can find it."""

from __future__ import annotations

import copy
import importlib
import sys
from functools import reduce
from pathlib import Path
from typing import Any

from neurons import registry, user_file
from neurons.errors import NeuronError
from neurons.model import Neuron


class Portable:
    """A neuron as a layer hands it to `copy` and `pickle`."""

    def __init__(self, neuron: Neuron) -> None:
        self.neuron = neuron

    def __deepcopy__(self, memo: dict[int, Any]) -> Portable:
        """A copy within the process keeps the class itself."""
        return Portable(copy.deepcopy(self.neuron, memo))

    def __reduce__(self) -> tuple[Any, ...]:
        cls = type(self.neuron)
        file = str(registry.source_file(cls))
        return _restore, (cls.name, cls.__module__, cls.__qualname__, file, self.neuron.__getstate__())


def _restore(name: str, module: str, qualname: str, file: str, constants: dict[str, Any]) -> Portable:
    neuron = object.__new__(_find_class(name, module, qualname, file))
    vars(neuron).update(constants)
    return Portable(neuron)


def _find_class(name: str, module: str, qualname: str, file: str) -> type[Neuron]:
    """The class where it was defined; else the neuron registered under its name; else from its file.

    Raises:
        NeuronError: one line that names the file to load.
    """
    found = _attribute(module, qualname) or registry.registered(name)
    if found is None and module.startswith(user_file.FILE_MODULE) and Path(file).is_file():
        registry.load_file(file)
        found = registry.registered(name)
    if found is None:
        way = "define it again" if not file.endswith(".py") else f"neurons.load_file('{file}')"
        raise NeuronError(f"the neuron '{name}' of this layer is not known here: first {way}")
    return found


def _attribute(module: str, qualname: str) -> type[Neuron] | None:
    """What a module that can be imported holds under that name."""
    if module not in sys.modules and not module.startswith(user_file.FILE_MODULE):
        try:
            importlib.import_module(module)
        except ImportError:
            return None
    found = reduce(lambda place, part: getattr(place, part, None), qualname.split("."), sys.modules.get(module))
    return found if isinstance(found, type) and issubclass(found, Neuron) else None
