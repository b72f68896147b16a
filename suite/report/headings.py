"""Many neurons under headings of what they are: their kind, and of those with binary spikes the first tag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

from neurons import registry
from neurons.selection import STANDARD, kind_of
from suite.report import names

UNGROUPED_UP_TO = 12
"""Lines of a table that are read without headings."""
OWN, OTHERS, PACKAGES = "Yours", "Spikes: others", "Of other packages"
KINDS = {"levels": "Levels", "sequence": "Whole sequences", "real": "ANN baselines"}
BASELINE = "baseline"
"""Tag of what is compared with spikes and is none of them, whatever its outputs are."""

T = TypeVar("T")


def sections(lines: Sequence[T], who: Callable[[T], str]) -> list[tuple[str, list[T]]]:
    """Lines of a table under their headings, in the order given within each; of a few one section without a heading.

    A tag that a single neuron has makes no heading of its own.

    Args:
        who: the neuron of a line, which may have how it ran behind it.
    """
    neurons = {names.neuron_of(who(line)) for line in lines}
    if len(neurons) <= UNGROUPED_UP_TO:
        return [("", list(lines))] if lines else []
    heads = {neuron: heading(neuron) for neuron in sorted(neurons)}
    counts = Counter(heads.values())
    of_tag = {head for head in counts if head.startswith(_of_tag("")) and counts[head] == 1}
    found: dict[str, list[T]] = {}
    for line in lines:
        head = heads[names.neuron_of(who(line))]
        found.setdefault(OTHERS if head in of_tag else head, []).append(line)
    return [(head, found[head]) for head in sorted(found, key=_place)]


@cache
def heading(neuron: str) -> str:
    """What a neuron stands under."""
    if names.is_own(neuron):
        return OWN
    model = registry.registered(neuron)
    if model is None:
        return PACKAGES
    kind = "real" if BASELINE in model.tags else kind_of(model)
    if kind in KINDS:
        return KINDS[kind]
    return _of_tag(model.tags[0]) if model.tags else OTHERS


def _of_tag(tag: str) -> str:
    return f"Spikes: {tag}"


def _place(head: str) -> tuple[int, str]:
    """One's own first, then spikes by tag, the usual ones before the others, then the other kinds."""
    first = (OWN, _of_tag(STANDARD))
    last = (OTHERS, *KINDS.values(), PACKAGES)
    if head in first:
        return first.index(head) - len(first), ""
    return (1 + last.index(head), "") if head in last else (0, head)
