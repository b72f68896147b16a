"""Interleaved timing: every contender once a round, in turn, so that ratios hold while the machine's speed drifts.

The device's own clock measures: of a card events in its stream, of the CPU that of the process.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar, runtime_checkable

import torch

import neurons
from neurons import backends
from tasks.base import Cell, Metric, Value
from tasks.measuring import devices
from tasks.measuring.nvml import Reading

K = TypeVar("K")
W = TypeVar("W")

MINIMUM_SECONDS = 0.002
"""A measured sample repeats its work until it lasts at least this long."""
BASELINE = "lif"
BASELINE_WORK = "baseline"
COPY_WORK = "copy"
"""Names of two works that run in every round beside the contenders."""


@dataclass(frozen=True)
class Spread:
    """Seconds of one call over the rounds: median, 20th and 80th percentile.

    Attributes:
        rounds: the seconds of each round, in order.
    """

    p20: float
    p50: float
    p80: float
    rounds: tuple[float, ...] = ()

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Spread:
        if len(seconds) == 1:
            return cls(seconds[0], seconds[0], seconds[0], tuple(seconds))
        cuts = statistics.quantiles(seconds, n=10, method="inclusive")
        return cls(cuts[1], statistics.median(seconds), cuts[7], tuple(seconds))

    def over(self, other: Spread) -> Spread:
        """The ratio to another of the same rounds, round by round: what slows one round slows both."""
        if len(self.rounds) != len(other.rounds) or not self.rounds:
            return Spread(self.p20 / other.p80, self.p50 / other.p50, self.p80 / other.p20)
        return Spread.of([own / base for own, base in zip(self.rounds, other.rounds, strict=True)])

    def share_beside(self, other: Spread) -> Spread:
        """The share of this in the sum of both, of the same rounds, round by round."""
        return Spread.of([own / (own + beside) for own, beside in zip(self.rounds, other.rounds, strict=True)])

    def times(self, factor: float) -> Spread:
        """All of it times a factor."""
        return Spread.of([factor * own for own in self.rounds])


CPU = torch.device("cpu")


@runtime_checkable
class Elsewhere(Protocol):
    """A work of another process, which times it by its own clock."""

    def __call__(self) -> object:
        """Do it once."""

    def seconds(self, repeats: int) -> float:
        """How long one of `repeats` calls took there."""


Work = Callable[[], object] | Elsewhere


def interleave(
    works: Mapping[K, Work],
    rounds: int,
    device: torch.device = CPU,
    after_round: Callable[[], None] = lambda: None,
    budget: float = math.inf,
) -> dict[K, Spread]:
    """Time each work once a round, in turn, after one warm-up; the spread of its seconds over the rounds.

    Args:
        budget: seconds after which no further round begins; one is always measured.
    """

    def seconds_of(work: Work, repeats: int) -> float:
        if isinstance(work, Elsewhere):
            return work.seconds(repeats)
        return devices.of(device).seconds(device, work, repeats)

    repeats = {}
    for key, work in works.items():
        work()
        once = seconds_of(work, 1)
        repeats[key] = max(1, round(MINIMUM_SECONDS / max(once, 1e-9)))
    seconds: dict[K, list[float]] = {key: [] for key in works}
    started = time.perf_counter()
    for _ in range(rounds):
        for key, work in works.items():
            seconds[key].append(seconds_of(work, repeats[key]))
        after_round()
        if time.perf_counter() - started > budget:
            break
    return {key: Spread.of(values) for key, values in seconds.items()}


NOISY = 0.05
"""A clock that moves by more than this share of its median during the rounds makes their times uncertain."""
CARD_METRICS = {
    "card_clock": Metric("MHz", "clock of the card over the rounds, median (detail: temperature, power, if it moved)"),
}
"""Of tasks whose rounds a card's clock decides; there are none on a CPU, and where NVML does not tell."""


@dataclass
class CardWatch:
    """What a card tells of itself while it is timed: looked at before the rounds and after each."""

    device: torch.device
    readings: list[Reading] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.look()

    def look(self) -> None:
        reading = devices.of(self.device).reading(self.device)
        if reading is not None:
            self.readings.append(reading)

    def values(self) -> Iterator[Value]:
        """The median clock, and in words what makes it uncertain."""
        clocks = [reading.clock_mhz for reading in self.readings if reading.clock_mhz is not None]
        if not clocks:
            return
        last, share = self.readings[-1], devices.moved(clocks)
        told = [f"{last.temperature_c} °C"] if last.temperature_c is not None else []
        told += [f"{last.power_w:.0f} W"] if last.power_w is not None else []
        told += [f"noisy: the clock moved by {share:.0%} during the rounds"] if share > NOISY else []
        yield Value("card_clock", statistics.median(clocks), detail=", ".join(told))


def spread_values(metric: str, spread: Spread, factor: float = 1.0, detail: str = "") -> Iterator[Value]:
    """Median and percentiles of a timing as METRIC, METRIC_p20 and METRIC_p80, each times `factor`."""
    yield Value(metric, factor * spread.p50, detail=detail)
    yield Value(f"{metric}_p20", factor * spread.p20, detail=detail)
    yield Value(f"{metric}_p80", factor * spread.p80, detail=detail)


def baseline_of(cell: Cell, device: torch.device) -> Cell:
    """What the times of a cell are held against: LIF by the fused kernel of the device, with its own constants.

    Raises:
        BackendUnavailable: the device has no fused backend.
    """
    backend = backends.resolve("auto", neurons.get(BASELINE), device)
    settings = {name: value for name, value in cell.settings.items() if not name.startswith("neuron.")}
    return replace(cell, neuron=BASELINE, backend=backend, settings={**settings, "protocol": "controlled"})


def add_baseline(
    cells: Sequence[Cell], contenders: dict[Hashable, W], device: torch.device, prepare: Callable[[Cell], W]
) -> tuple[Hashable, str]:
    """Put the baseline among the contenders of a batch (by their place in `cells`), unless it is one of the cells.

    Returns:
        Its key among the contenders, and why there is none (then the key is None).
    """
    try:
        wanted = baseline_of(cells[0], device)
        for index, cell in enumerate(cells):
            if index in contenders and cell == replace(wanted, seed=cell.seed):
                return index, ""
        contenders[BASELINE_WORK] = prepare(wanted)
    except Exception as error:
        return None, f"no ratio to {BASELINE}: {error}"
    return BASELINE_WORK, ""
