"""Choosing models by what they are: `tag:adaptive`, `kind:levels`, `all`, `default`, or by name."""

from __future__ import annotations

from collections.abc import Iterable

from neurons import registry
from neurons.errors import UnknownName
from neurons.model import Neuron

STANDARD = "standard"
"""Tag of the models that are compared where nobody names any."""
CATALOGUE = "neurons.models."
KINDS = ("spikes", "levels", "real", "sequence")


def kind_of(model: type[Neuron]) -> str:
    """What a model's output is: binary spikes, whole levels or real values of a step, or those of a whole sequence."""
    if not model.runs_over_time():
        return "sequence"
    if not model.spiking:
        return "real"
    return "spikes" if model().bits == 1 else "levels"


def default() -> list[str]:
    """The standard models, and all that are not of the suite's own catalogue: somebody brought them to compare."""
    return [
        name
        for name in registry.names()
        if STANDARD in registry.get(name).tags or not registry.get(name).__module__.startswith(CATALOGUE)
    ]


def select(texts: Iterable[str]) -> list[str]:
    """The names behind `tag:T`, `kind:K`, `all`, `default` and plain names, each once and in that order.

    Raises:
        UnknownName: no such model, tag or kind.
    """
    found: list[str] = []
    for text in texts:
        found += _matching(text)
    return list(dict.fromkeys(found))


def _matching(text: str) -> list[str]:
    if text == "all":
        return registry.names()
    if text == "default":
        return default()
    by, _, wanted = text.partition(":")
    if by == "tag":
        return _with_property("tag", wanted, {name: registry.get(name).tags for name in registry.names()})
    if by == "kind":
        return _with_property("kind", wanted, {name: (kind_of(registry.get(name)),) for name in registry.names()})
    return [registry.get(text).name]


def _with_property(what: str, wanted: str, known: dict[str, tuple[str, ...]]) -> list[str]:
    found = [name for name, values in known.items() if wanted in values]
    if not found:
        raise UnknownName(
            f"{what} of neurons", wanted, sorted({value for values in known.values() for value in values})
        )
    return found
