"""The claims of the CLIF paper as experiments anyone can run: a module with a `STUDY` is one, found by being here.

The claims themselves are data, results/paper/claims.toml; a study gives the evidence, `verdicts` judges it.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from neurons import UnknownName
from suite.studies.base import Scale, Study


@cache
def studies() -> dict[str, Study]:
    """All studies by name, in the order of the paper."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    found = [module.STUDY for module in modules if hasattr(module, "STUDY")]
    return {study.name: study for study in sorted(found, key=lambda study: study.order)}


def get(name: str) -> Study:
    """The study of that name; UnknownName with the nearest name otherwise."""
    if name not in studies():
        raise UnknownName("study", name, [*studies(), "all"])
    return studies()[name]


__all__ = ["Scale", "Study", "get", "studies"]
