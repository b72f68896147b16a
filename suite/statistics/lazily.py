"""Parts of scipy, imported when a number of theirs is first asked for: a machine that only measures needs none."""

from __future__ import annotations

import importlib
from typing import Any


class Lazily:
    """A module, by its name, that looks like it and is imported at its first use."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


stats: Any = Lazily("scipy.stats")
optimize: Any = Lazily("scipy.optimize")
