"""A process that trains with a cell's own, see `tasks.training.parallel`; what it sees of the training is dropped."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace

import torch

import neurons
from tasks import data, networks
from tasks.measuring import devices
from tasks.training.checkpoint import PLACE
from tasks.training.network_task import prepare, train_with
from tasks.training.parallel import Files, Order, card, joined


def follow(order: Order) -> None:
    """Train from the first epoch, or from the checkpoint, to the last."""
    _load(order.files)
    torch.set_num_threads(1)
    vars(PLACE).update(vars(order.checkpoints))
    cell = replace(order.cell, device=card(order.cell, order.rank))
    devices.of(cell.device).use(cell.torch_device)
    dataset, network = prepare(cell)
    with joined(order) as team:
        for _ in train_with(team, cell, dataset, network):
            pass


def _load(files: Files) -> None:
    """Load what a user brought: whose name is not known here."""
    for kind, name, path in files:
        if kind == "neurons" and name not in neurons.names() and "." not in name:
            neurons.load_file(path)
        elif kind == "networks" and name not in networks.ARCHITECTURES:
            networks.load_file(path)
        elif kind == "data" and name not in data.SOURCES:
            data.load_file(path)


if __name__ == "__main__":
    follow(pickle.load(sys.stdin.buffer))
