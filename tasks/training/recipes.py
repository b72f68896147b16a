"""Recipes of papers as data: `recipes.toml`, by data set, with the accuracies that are printed for them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from tasks.training.network_task import NETWORK_SETTINGS

PAPER = "clif2024"
"""The recipe of the CLIF paper."""
BUT = ", but "
FREE = ("recipe", "memory_format")
NO_SETTINGS = ("source", "judged_by", "common", "printed")


@dataclass(frozen=True)
class Printed:
    """An accuracy in percent that a paper prints for a neuron on a data set.

    Attributes:
        within: points by which another seed may differ from it.
        metric: of the accuracy task, which is judged in the same way.
    """

    accuracy: float
    within: float
    metric: str


@cache
def _table(recipe: str) -> dict[str, Any]:
    text = (resources.files("tasks.training") / "recipes.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)[recipe]


def datasets(recipe: str = PAPER) -> list[str]:
    """The data sets that a recipe is for."""
    return [name for name in _table(recipe) if name not in NO_SETTINGS]


def settings_of(dataset: str, recipe: str = PAPER) -> dict[str, Any]:
    """The settings of a recipe for a data set, which the name of the recipe is one of."""
    table = _table(recipe)
    return {"dataset": dataset, **table["common"], **table[dataset], "recipe": recipe}


def named(settings: Mapping[str, Any]) -> str:
    """The recipe of settings, with all that was changed of it: "clif2024, but epochs=2, width=8".

    In which order memory holds an image is up to the device and changes nothing.
    """
    recipe = str(settings["recipe"]).partition(BUT)[0]
    own = {**NETWORK_SETTINGS, **settings_of(str(settings["dataset"]), recipe)}
    differ = (name for name in sorted(settings) if name not in FREE and settings[name] != own.get(name))
    changed = [f"{name}={settings[name]}" for name in differ]
    return recipe + (BUT + ", ".join(changed) if changed else "")


def printed(dataset: str, neuron: str, recipe: str = PAPER) -> Printed | None:
    """What the paper prints; None where it prints nothing."""
    table = _table(recipe)
    own = table["printed"].get(dataset, {})
    return Printed(own[neuron], own["within"], table["judged_by"]) if neuron in own else None
