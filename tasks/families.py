"""What is found by being there: modules that hold data sets, or networks, by name in one attribute."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from neurons import NeuronError
from neurons.user_file import import_user_file, installed
from tasks import contract

T = TypeVar("T")


@dataclass(frozen=True)
class Families(Generic[T]):
    """All things of one kind: those of this project's modules, of installed packages, and of files of a user.

    Attributes:
        kind: what one is called, "data set".
        attribute: where a module holds its own by name; each is of the class `holds`, which `written` shows.
        option: of the command line, which takes a file with some.
        entries: all by name; files: the file that defines each.
    """

    kind: str
    attribute: str
    holds: type[T]
    written: str
    option: str
    entries: dict[str, T] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)

    def discover(self, package: str, path: Iterable[str], group: str) -> None:
        """Add what the modules of a package hold, and what installed packages name as entry points of the group."""
        modules = [importlib.import_module(f"{package}.{module.name}") for module in pkgutil.iter_modules(path)]
        modules += [entry.load() for entry in installed(group)]
        for module in modules:
            self._add(module, getattr(module, self.attribute, {}))

    def load_file(self, path: str | Path, fault_of: Callable[[T], str | None]) -> list[str]:
        """Import a user's Python file and add what it holds; its names.

        Args:
            fault_of: what is wrong with one, in words, or None.

        Raises:
            NeuronError: one line with the file, the name and the fault.
        """
        wanted = f"{self.attribute} = {{name: {self.written}}}"
        module = import_user_file(path, f"{self.option} takes a Python file with {wanted}")
        found = getattr(module, self.attribute, None)
        if not isinstance(found, dict) or not found or not all(isinstance(own, self.holds) for own in found.values()):
            raise NeuronError(f"{module.__file__}: has no {wanted}")
        for name, own in found.items():
            others = {known for known in self.entries if self.entries[known] is not own}
            fault = contract.fault_of_name(name, others) or fault_of(own)
            if fault is not None:
                raise NeuronError(f"{module.__file__}: {self.kind} {name}: {fault}")
        self._add(module, found)
        return list(found)

    def _add(self, module: ModuleType, found: dict[str, T]) -> None:
        self.entries.update(found)
        self.files.update(dict.fromkeys(found, Path(module.__file__ or "<interactive>")))
