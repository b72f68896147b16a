"""The errors that a user of the neurons package can meet; each message is one line that says what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NeuronError(Exception):
    """A neuron class is wrong; the message names its file, its class and the fault."""


class UnknownName(Exception):
    """A name that is not known, with the nearest one that is."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
        super().__init__(f"unknown {kind} '{name}'; {hint}")


class InvalidValue(Exception):
    """A setting has a value outside its range."""


class BackendUnavailable(Exception):
    """A backend cannot run here; the message gives the reason and what would make it run."""


class NotFusable(Exception):
    """A step does something that cannot be fused; the message names the operation and the line."""
