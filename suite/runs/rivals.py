"""What the profiles of the comparison with published figures measure (page `rivals.html`).

`onm` is the setting of Open Neuromorphic's comparison of libraries: one Linear and one LIF, batch 16, 500 steps, no
gradient to the input. `rivals` is the map of the neurons' share, and the LIF without a reset, in step and in parallel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import tasks
from neurons import peers
from suite.runs.backend import resolved
from tasks import Cell

TASK = "linear_neuron"
PUBLISHED_SETTING: dict[str, Any] = {"timesteps": 500, "batch_size": 16, "input_gradient": False, "seconds": 60.0}
PUBLISHED_WIDTHS = (512, 4096, 16384)
WIDTHS, LENGTHS, BATCHES = (64, 256, 1024), (16, 64, 256), (16, 128)
LONG = (256, 1024, 4096, 16384)
"""Time steps of 64 neurons, for neurons that may be computed in parallel over time."""


def onm(device: str, models: Sequence[str], seeds: int) -> list[Cell]:
    """A LIF by the suite's fused kernel and by its reference loop, and by every package; one seed."""
    return list(_onm(device))


def share(device: str, models: Sequence[str], seeds: int) -> list[Cell]:
    """The map of the neurons' share, and the LIF without a reset over long times; one seed."""
    return list(_share(device))


PROFILES = {"onm": onm, "rivals": share}
"""Each is a group of its own in a run, so that both may be run into one."""


def _onm(device: str) -> Iterator[Cell]:
    for width in PUBLISHED_WIDTHS:
        for neuron, backend in (("lif", "auto"), ("lif", "reference"), *of_packages("lif")):
            yield _cell(neuron, backend, device, width=width, **PUBLISHED_SETTING)


def _share(device: str) -> Iterator[Cell]:
    mapped = (("lif", "auto"), ("lif", "reference"), ("clif", "auto"), *of_packages("lif"))
    for batch in BATCHES:
        for steps in LENGTHS:
            for width in WIDTHS:
                for neuron, backend in mapped:
                    size = {"timesteps": steps, "batch_size": batch, "width": width}
                    yield _cell(neuron, backend, device, **size, rounds=3, seconds=20.0, together=False)
    parallel = (("reset_free", "auto"), ("reset_free", "convolution"), ("reset_free", "scan"))
    for steps in LONG:
        for neuron, backend in (*parallel, ("lif", "auto"), *of_packages("reset_free")):
            yield _cell(
                neuron, backend, device, timesteps=steps, batch_size=2, width=32, rounds=3, seconds=20.0, together=False
            )


def of_packages(model: str) -> Sequence[tuple[str, str]]:
    """The neurons that packages offer for a model to their users, one each, whether or not they are installed."""
    return [(peer.name, peer.package) for peer in peers.peers().values() if peer.model == model and peer.usual]


def _cell(neuron: str, backend: str, device: str, **settings: Any) -> Cell:
    own = {**tasks.get(TASK).settings, **settings}
    return Cell(TASK, neuron, resolved(backend, neuron, device), 0, own, device)
