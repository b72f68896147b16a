"""The claims of the CLIF paper as experiments anyone can run: one module a study, found by being here."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from neurons import UnknownName
from suite.studies.base import Finding, Scale, Study


@cache
def studies() -> dict[str, Study]:
    """All studies by name, in the order of the paper."""
    found = []
    for module in pkgutil.iter_modules(__path__):
        if module.name != "base":
            found.append(importlib.import_module(f"{__name__}.{module.name}").STUDY)
    return {study.name: study for study in sorted(found, key=lambda study: study.order)}


def get(name: str) -> Study:
    """The study of that name; UnknownName with the nearest name otherwise."""
    if name not in studies():
        raise UnknownName("study", name, [*studies(), "all"])
    return studies()[name]


__all__ = ["Finding", "Scale", "Study", "get", "studies"]
