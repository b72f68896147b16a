"""Where the next batch of cells runs: on the CPU, or on which of several cards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from suite.runs import machine
from tasks.measuring import devices

MEMORY_OF_A_CELL = 4 << 30
"""Bytes of a card's free memory for each cell that trains there beside others: its context takes half a GiB."""


@dataclass
class Places:
    """The jobs that may run at a time: `jobs` in all, and on each card as many as its memory holds, or one alone.

    Attributes:
        alone: a job has its card to itself.
        taken: how many jobs run on each device.
    """

    jobs: int
    alone: bool
    taken: Counter[str] = field(default_factory=Counter)
    _limits: dict[str, int] = field(default_factory=dict)

    def take(self, name: str) -> str | None:
        """A device for a job that asks for `name`, the least busy of its cards; None while all are taken."""
        if self.full:
            return None
        known = devices.cards(name)
        device = min(known, key=lambda card: self.taken[card])
        if self.taken[device] >= self._limit(device, len(known)):
            return None
        self.taken[device] += 1
        return device

    @property
    def full(self) -> bool:
        return self.taken.total() >= self.jobs

    def give_back(self, device: str) -> None:
        self.taken[device] -= 1

    def _limit(self, device: str, among: int) -> int:
        if devices.kind_of(device) == "cpu":
            return self.jobs
        if device not in self._limits:
            free = devices.of(device).free_bytes(devices.torch_device(device))
            cores = max(1, machine.usable_cores() // among)
            self._limits[device] = 1 if self.alone else cores if free is None else max(1, free // MEMORY_OF_A_CELL)
            self._limits[device] = min(self._limits[device], cores)
        return self._limits[device]
