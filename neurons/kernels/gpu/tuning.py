"""Which of a few ways to launch a kernel is the fastest on this card: measured on first use, kept on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

from neurons.kernels.disk_cache import DiskCache

SECONDS = 2.0
"""Beyond it no further way is tried."""
LAUNCHES = 5

_cache = DiskCache("tuned")
_known: dict[str, int] = {}


def fastest(
    key: str, ways: Sequence[int], launch: Callable[[int], object], seconds_of: Callable[[Callable[[], object]], float]
) -> int:
    """The way whose launch takes the least time; the first in `ways` where none is measured in time.

    Args:
        key: what decides the answer: card, source, kind of input.
        ways: the one to fall back to first.
        launch: launches the kernel in one way; may be repeated.
        seconds_of: measures one launch.
    """
    if key not in _known:
        kept = [way for way in ways if _cache.read(f"{key}.txt") == f"{way}\n".encode()]
        if not kept:
            kept = [_measured(ways, launch, seconds_of)]
            _cache.store(f"{key}.txt", f"{kept[0]}\n".encode())
        _known[key] = kept[0]
    return _known[key]


def _measured(
    ways: Sequence[int], launch: Callable[[int], object], seconds_of: Callable[[Callable[[], object]], float]
) -> int:
    begin = time.perf_counter()
    taken: dict[int, float] = {}
    for way in ways:
        if taken and time.perf_counter() - begin > SECONDS:
            break
        launch(way)  # compiles it
        taken[way] = seconds_of(lambda way=way: launch(way))  # type: ignore[misc]
    return min(taken, key=lambda way: taken[way])


def on_the_card(launch: Callable[[], object]) -> float:
    """Seconds of a launch by the clock of the current CUDA device: the least of a few."""
    taken = []
    for _ in range(LAUNCHES):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        launch()
        end.record()
        end.synchronize()
        taken.append(begin.elapsed_time(end) / 1e3)
    return min(taken)
