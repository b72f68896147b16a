"""Starts and ends the processes that train a cell together, see `tasks.training.team`."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.distributed as dist

import neurons
from neurons import BackendUnavailable, registry
from tasks import data, networks
from tasks.base import Cell
from tasks.measuring import devices
from tasks.training.checkpoint import PLACE, Place
from tasks.training.team import ALONE, Team

PATIENCE = 60.0
"""Seconds that the other processes have to end after the first."""
FOLLOWER = "tasks.training.follower"
Files = tuple[tuple[str, str, str], ...]
"""Kind, name and file of what a user may have brought."""


@dataclass(frozen=True)
class Order:
    """What a process is told that trains with a cell's own.

    Attributes:
        meeting: where the processes of the training find each other.
        checkpoints: where the cell keeps its own.
    """

    cell: Cell
    rank: int
    size: int
    meeting: str
    checkpoints: Place
    files: Files


@contextlib.contextmanager
def team(cell: Cell) -> Iterator[Team]:
    """The processes of a cell's training, by its setting `processes`; the others end with this one.

    Raises:
        BackendUnavailable: there are fewer cards than processes.
    """
    size = cell.settings["processes"]
    if size == 1:
        yield ALONE
        return
    card(cell, size - 1)
    with tempfile.TemporaryDirectory() as folder:
        orders = [Order(cell, rank, size, f"file://{folder}/meeting", PLACE, files_of(cell)) for rank in range(size)]
        followers = [_started(order) for order in orders[1:]]
        try:
            with joined(orders[0]) as own:
                yield own
            for follower in followers:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    follower.wait(PATIENCE)
        finally:
            for follower in followers:
                follower.kill()
                follower.wait()


def _started(order: Order) -> subprocess.Popen[bytes]:
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    follower = subprocess.Popen([sys.executable, "-m", FOLLOWER], stdin=subprocess.PIPE, env=paths)
    assert follower.stdin is not None
    with follower.stdin as pipe:
        pickle.dump(order, pipe)
    return follower


@contextlib.contextmanager
def joined(order: Order) -> Iterator[Team]:
    """From the arrival of all to the end of the work, with the random state of the first."""
    device = torch.device(card(order.cell, order.rank))
    kind = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(kind, init_method=order.meeting, rank=order.rank, world_size=order.size)
    try:
        state = [torch.get_rng_state()]
        dist.broadcast_object_list(state, 0, device=device)
        torch.set_rng_state(state[0])
        yield Team(order.rank, order.size)
    finally:
        dist.destroy_process_group()


def card(cell: Cell, rank: int) -> str:
    """The device of a process: the cards behind the cell's own, one each."""
    device = cell.torch_device
    if device.type == "cpu":
        return "cpu"
    number, there = (device.index or 0) + rank, devices.of(device).count()
    if number >= there:
        asked = f"processes={cell.settings['processes']} from {cell.device} on"
        raise BackendUnavailable(f"{asked}: there are {there} cards")
    return f"{device.type}:{number}"


def files_of(cell: Cell) -> Files:
    """The files behind a cell's neuron, data set and network, which the other processes load if they lack the name."""
    dataset = str(cell.settings["dataset"])
    network = cell.settings["network"] or data.SOURCES[dataset].network
    known = (
        ("neurons", cell.neuron, registry.source_file(neurons.get(cell.neuron))),
        ("networks", network, networks.source_file(network)),
        ("data", dataset, data.source_file(dataset)),
    )
    return tuple((kind, name, str(path)) for kind, name, path in known)
