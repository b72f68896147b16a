"""Names as papers write them: LIF for lif, MNIST rows for mnist5k_rows. Files and commands keep the plain ones."""

from __future__ import annotations

import re

from neurons import peers, registry
from neurons.selection import CATALOGUE
from tasks import data as datasets

ACRONYM = re.compile(r"\b(mnist|cifar|dvs|shd|ssc|nmnist|psmnist|smnist)(?=\d|\b)", re.IGNORECASE)
MODEL_LIKE = re.compile(r"[a-z]{0,3}if")
"""The short names that papers write in capitals; for neurons whose file is not at hand."""


def neuron(name: str) -> str:
    """A neuron, or `who` of a row: its class's name, with how it ran behind it as it is."""
    own, bracket, how = name.partition(" (")
    return written(own) + bracket + how


def neuron_of(who: str) -> str:
    """The neuron of `who`, without how it ran."""
    return who.partition(" (")[0]


def written(name: str) -> str:
    """The name of the neuron's class if that is the same word, hyphens for `_`; else the name as it was given.

    The class ILIF of `i_lif` is I-LIF.
    """
    known = registry.registered(name)
    if known is not None and known.__name__.lower() == name.lower().replace("_", ""):
        letters = iter(known.__name__)
        return "".join("-" if letter == "_" else next(letters) for letter in name)
    return name.upper() if MODEL_LIKE.fullmatch(name) else name


def is_own(name: str) -> bool:
    """Whether somebody brought the neuron: it is in no catalogue of the suite and of no package."""
    own = neuron_of(name)
    known = registry.registered(own)
    if known is not None:
        return not known.__module__.startswith(CATALOGUE)
    return own not in peers.peers()


def spiking(name: str) -> bool:
    """Whether the neuron's output is events; also of a neuron whose file is not at hand."""
    known = registry.registered(neuron_of(name))
    return known is None or known.spiking


def dataset(name: str) -> str:
    """A data set's title; one without has its name in words."""
    source = datasets.SOURCES.get(name)
    return (source.title if source is not None else "") or ACRONYM.sub(
        lambda found: found[0].upper(), name.replace("_", " ")
    )


def known(text: str) -> str:
    """A registered neuron or a data set as papers write it; any other text as it is."""
    if registry.registered(text) is not None:
        return neuron(text)
    return dataset(text) if text in datasets.SOURCES else text


def condition(text: str) -> str:
    """A text that begins with the name of a data set, as a column or a panel is called."""
    for name in sorted(datasets.SOURCES, key=len, reverse=True):
        if re.match(rf"{re.escape(name)}(?!\w)", text):
            return dataset(name) + text[len(name) :]
    return text
