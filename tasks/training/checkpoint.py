"""What a training needs to go on where it was killed, one file after each epoch, written whole and renamed.

A training that goes on ends with the same bits as one that was never interrupted, on the CPU; on a card as far as its
kernels give the same bits twice.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch

SUFFIX = ".checkpoint"


class Place:
    """Where the trainings of a cell keep their checkpoints: the first, the second and so on, each its own file."""

    def __init__(self) -> None:
        self.base: Path | None = None
        self.used = 0

    def begin(self, log: Path) -> None:
        """A cell begins, whose output goes to the file `log`."""
        self.base, self.used = log.with_suffix(SUFFIX), 0

    def next(self) -> Checkpoint:
        """That of the next training; without a cell that has begun there is none, and nothing is written."""
        self.used += 1
        return Checkpoint(None if self.base is None else self.base.with_name(f"{self.base.name}{self.used}"))


PLACE = Place()
"""Of this process, which runs a cell at a time."""


class Checkpoint:
    """The file of one training."""

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def save(self, state: dict[str, Any]) -> None:
        """Write the state of a training; where that fails the training goes on and says so in its output."""
        if self.path is None:
            return
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            torch.save(state, draft)
            os.replace(draft, self.path)
        except (OSError, RuntimeError) as error:
            draft.unlink(missing_ok=True)
            print(f"no checkpoint: {error}", file=sys.stderr)

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """The state that was written last; None if there is none, or none that can be read, which is said."""
        if self.path is None or not self.path.exists():
            return None
        try:
            return torch.load(self.path, map_location=device, weights_only=True)
        except Exception as error:  # whatever a file that was cut off or changed makes of it
            print(f"{self.path} cannot be read and training begins anew: {error}", file=sys.stderr)
            return None


def epochs_of(log: Path) -> list[dict[str, Any]]:
    """The whole epochs of the first training of a cell that did not end, by its log; none if none can be read."""
    path = log.with_suffix(f"{SUFFIX}1")
    try:
        kept: list[dict[str, Any]] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)["epochs"]
    except Exception:  # there is none, or whatever a file that was cut off makes of it
        return []
    return kept


def discard(log: Path) -> None:
    """Delete the checkpoints of a cell whose result is stored, and drafts that a kill left."""
    for pattern in (f"{log.stem}{SUFFIX}*", f".{log.stem}{SUFFIX}*"):
        for path in log.parent.glob(pattern):
            path.unlink(missing_ok=True)


def random_states(device: torch.device) -> dict[str, Any]:
    """The states of torch's generators that a training draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_states(states: dict[str, Any], device: torch.device) -> None:
    torch.set_rng_state(states["cpu"].cpu())
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"].cpu(), device)
