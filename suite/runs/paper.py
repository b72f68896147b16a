"""What `--profile paper` runs: the CLIF paper's data sets by its recipe, and what that will take."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import nn

from neurons import BackendUnavailable
from suite.runs import machine
from suite.runs.backend import resolved
from suite.runs.text import counted
from tasks import Cell, data, get
from tasks.measuring.size import size_of
from tasks.training import recipes
from tasks.training.network_task import load

PROFILE = "paper"
BACKWARD = 3
"""Multiplications of a training step over those of its forward pass."""
MEASURED_SECONDS = 1.0


def grid(device: str, models: Sequence[str], seeds: int) -> list[Cell]:
    """Each model on each data set of the recipe."""
    return [
        Cell("accuracy", model, resolved("auto", model, device), seed, _settings(dataset, device), device)
        for dataset in recipes.datasets()
        for model in models
        for seed in range(seeds)
    ]


def _settings(dataset: str, device: str) -> dict[str, object]:
    own = {**get("accuracy").settings, **recipes.settings_of(dataset)}
    if device == "cpu":  # torch 2.14 writes beyond its memory there where channels come last and the processor has AVX2
        own["memory_format"] = "contiguous"
    return own


def estimate(cells: Sequence[Cell]) -> list[str]:
    """What cells that train by a recipe will take, in lines, predicted from a convolution that is timed now."""
    lines, total, disk = [], 0.0, 0
    rates = {device: _rate(cell.torch_device) for device, cell in {cell.device: cell for cell in cells}.items()}
    for dataset in dict.fromkeys(str(cell.dataset) for cell in cells):
        own = [cell for cell in cells if cell.dataset == dataset]
        try:
            known = load(own[0].settings)
        except (BackendUnavailable, data.DataCorrupted) as error:
            lines.append(f"{error} ({counted(len(own), 'cell')})")
            continue
        for cell in own:
            seconds, size = _needs(cell, known)
            total += seconds / rates[cell.device]
            disk += size
    if total:
        rate = ", ".join(f"{own / 1e9:,.0f} G multiplications/s on {device}" for device, own in rates.items())
        side = machine.usable_cores() if all(cell.device == "cpu" for cell in cells) else 1
        hours = total / side / 3600
        lines.append(
            f"predicted: {hours:,.1f} h for {counted(len(cells), 'cell')}, {side} at a time, by {rate} (a convolution "
            f"that was timed now); {disk / 2**20:,.0f} MiB of checkpoints; {hours / 10:,.2g} kWh for each 100 W"
        )
    return lines


def _needs(cell: Cell, known: data.Dataset) -> tuple[float, int]:
    """Multiplications of the whole training with its evaluations, and bytes of its checkpoint."""
    settings = cell.settings
    size = size_of(str(settings["network"]), known.features, known.classes, settings["width"], cell.neuron)
    steps = known.timesteps or settings["timesteps"]
    parts = {name: len(known.indices(name)) for name in ("train", "validation", "test")}
    trained = parts["train"] + (0 if settings["held_out"] else parts["validation"])
    if settings["train_samples"] is not None:
        trained = min(trained, settings["train_samples"])
    shown = BACKWARD * trained + parts["test"] + (parts["validation"] if settings["held_out"] else 0)
    copies = 2 if settings["optimizer"] == "sgd" else 3
    return float((size.macs or 0) * steps * shown * settings["epochs"]), 4 * copies * size.parameters


def _rate(device: torch.device) -> float:
    """Multiplications a second of a training step of one convolution, on one thread or one card."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        layer, x = nn.Conv2d(64, 64, 3, padding=1).to(device), torch.rand(16, 64, 16, 16, device=device)
        done, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < MEASURED_SECONDS:
            layer(x.requires_grad_()).sum().backward()
            float(x.grad.sum())  # type: ignore[union-attr]
            done += 1
        return BACKWARD * done * 16 * 64 * 64 * 9 * 256 / (time.perf_counter() - begun)
    finally:
        torch.set_num_threads(threads)
