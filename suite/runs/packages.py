"""The packages that people use, side by side with the suite's own kernels: which cells to measure.

Every neuron of a package is measured under its own name, beside the suite's fused kernel of the model that it is held
against, with the same constants. Sizes are given as neurons × time steps, so that all lengths move the same data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import neurons
import tasks
from neurons import peers
from neurons.peers import Peer
from suite.runs.backend import resolved
from tasks import Cell
from tasks.measuring.workload import CHANNELS
from tasks.training.network_task import budget

GROUP = "packages"
TIMESTEPS = [1, 4, 8, 32, 100]
SIZES = {"small": 1 << 15, "cache": 1 << 19, "large": 1 << 23}
"""Neurons × time steps: 128 KiB, 2 MiB (the second-level cache) and 32 MiB of float32 input."""
COMPILED = ("spikingjelly.lif", "snntorch.leaky_zero_same_step", "norse.lifbox")
"""Those that are also run under torch.compile, one of each package."""
NETWORKS: dict[str, dict[str, Any]] = {"conv5": {"dataset": "mnist5k"}, "resnet18": {"dataset": "mnist5k", "width": 16}}
"""Networks in which packages are timed: the 5-layer network of the paper's Figure 2, and ResNet-18 at a quarter of its
width, so that a step takes seconds on two cores."""


def grid(profile: str, device: str = "cpu") -> list[Cell]:
    """The cells of the comparison on a device; a smoke profile takes one size of each."""
    return [replace(cell, device=device, backend=_on(device, cell)) for cell in _grid(profile)]


def _on(device: str, cell: Cell) -> str:
    """The suite's own kernel is the fused one of the device."""
    return resolved("auto", cell.neuron, device) if cell.backend == "auto" else cell.backend


def _grid(profile: str) -> list[Cell]:
    smoke = profile == "smoke"
    chosen = list(peers.available().values())
    cells = [_cell("equivalence", peer) for peer in chosen]
    timed = (peer for peer in chosen if not peer.apart)  # the others are timed by the task linear_neuron
    chosen = [peer for peer in timed if neurons.get(peer.model).runs_over_time()]  # the others have no kernel beside
    lengths, sizes = ([4], {"small": SIZES["small"]}) if smoke else (TIMESTEPS, SIZES)
    for total in sizes.values():
        for timesteps in lengths:
            cells += _beside(
                chosen, "throughput", rounds=3, timesteps=timesteps, elements=elements_of(total, timesteps)
            )
    steps = 4 if smoke else 8
    cache: dict[str, Any] = {"timesteps": steps, "elements": elements_of(SIZES["cache"], steps)}
    cells += _beside(chosen, "memory", **cache)
    cells += _beside([peer for peer in chosen if peer.name in COMPILED], "startup", processes=1 if smoke else 3)
    if not smoke:
        large: dict[str, Any] = {"timesteps": 8, "elements": elements_of(SIZES["large"], 8)}
        cells += _beside(chosen, "throughput", rounds=3, dtype="bfloat16", **large)
        compiled = [peer for peer in chosen if peer.name in COMPILED]
        cells += _compiled(_beside(compiled, "throughput", rounds=3, **cache))
        cells += _compiled(_beside(compiled, "startup", processes=1))
    trained = [peer for peer in chosen if peer.name in COMPILED or (not smoke and peer.name == "spikingjelly.clif")]
    for network, own in list(NETWORKS.items())[: 1 if smoke else None]:
        settings = budget("smoke" if smoke else "quick", "mnist5k") | {"network": network, "batch_size": 32, **own}
        cells += _beside(trained, "training_speed", rounds=3 if smoke else 9, **settings)
        cells += _beside(trained, "training_memory", **settings)
    return list({_identity(cell): cell for cell in cells}.values())


def constants_of(peer: type[Peer]) -> dict[str, Any]:
    """The settings that give the suite's model the peer's constants."""
    return {f"neuron.{name}": value for name, value in sorted(peer.constants_of_model.items())}


def model_of(peer: type[Peer]) -> str:
    """The suite's model that a peer is held against, with the constants that bring it nearest, as in a call."""
    constants = ", ".join(f"{name}={value}" for name, value in peer.constants_of_model.items())
    return f"{peer.model}({constants})" if constants else peer.model


def elements_of(total: int, timesteps: int) -> int:
    """Neurons so that neurons × steps come to about `total`, in whole groups of channels."""
    return max(1, total // timesteps // CHANNELS) * CHANNELS


def _cell(task: str, peer: type[Peer], **settings: Any) -> Cell:
    return Cell(task, peer.name, peer.package, 0, {**tasks.get(task).settings, **settings})


def _beside(chosen: Iterable[type[Peer]], task: str, **settings: Any) -> Iterator[Cell]:
    """A measurement of each peer, and of the suite's fused kernel of the model that it is held against."""
    for peer in chosen:
        cell = _cell(task, peer, **settings)
        yield cell
        yield replace(cell, neuron=peer.model, backend="auto", settings={**cell.settings, **constants_of(peer)})


def _compiled(cells: Iterable[Cell]) -> Iterator[Cell]:
    """The same cells under torch.compile."""
    return (replace(cell, backend="compile") for cell in cells)


def _identity(cell: Cell) -> str:
    return repr((cell.task, cell.neuron, cell.backend, sorted(cell.settings.items(), key=repr)))
