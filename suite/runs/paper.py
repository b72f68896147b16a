"""What `--profile paper` runs: the CLIF paper's data sets by its recipe, and what that will take."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from suite.runs import machine
from suite.runs.backend import resolved
from suite.runs.text import counted
from tasks import Cell, data, get
from tasks.data import cache, location
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
    """What cells that train by a recipe will take, in lines, predicted from a convolution that is timed now.

    Data sets are taken as they are published: nothing of their files is read, and no frame is made.
    """
    lines, total, kept = [], 0.0, dict[str, int]()
    rates = {device: _rate(cell.torch_device) for device, cell in {cell.device: cell for cell in cells}.items()}
    checkpoints = []
    for dataset in dict.fromkeys(str(cell.dataset) for cell in cells):
        own = [cell for cell in cells if cell.dataset == dataset]
        source = data.SOURCES[dataset]
        try:
            if source.download is not None:
                location.find(dataset, source.download)
        except data.DataMissing as error:
            lines.append(f"{error} ({counted(len(own), 'cell')})")
            continue
        for cell in own:
            known = _published(cell)
            seconds, size = _needs(cell, known)
            total += seconds / rates[cell.device]
            checkpoints.append(size)
            if known.cache:
                kept.update([known.kept(_frames(cell))])
    if total:
        rate = ", ".join(f"{own / 1e9:,.0f} G multiplications/s on {device}" for device, own in rates.items())
        side = machine.usable_cores() if all(cell.device == "cpu" for cell in cells) else 1
        hours = total / side / 3600
        disk = sum(sorted(checkpoints, reverse=True)[:side])
        lines.append(
            f"predicted: {hours:,.1f} h for {counted(len(checkpoints), 'cell')}, {side} at a time, by {rate} (a "
            f"convolution that was timed now); {disk / 2**20:,.0f} MiB of checkpoints{_told(kept)}; "
            f"{hours / 10:,.2g} kWh for each 100 W"
        )
    return lines


def _told(kept: Mapping[str, int]) -> str:
    """What the data sets' frames and images take that are made once, and what of it is there."""
    if not kept:
        return ""
    there = sum(min(cache.size_of(name), size) for name, size in kept.items())
    size = f"{sum(kept.values()) / 2**20:,.0f} MiB of data made ready in {cache.folder()}"
    return f", {size}" + (f" ({there / 2**20:,.0f} MiB are there)" if there else "")


def _published(cell: Cell) -> data.Published:
    """What is known of a cell's data set without its files; of one that comes with the project from the set itself."""
    published = data.SOURCES[str(cell.dataset)].published
    if published is not None:
        return published
    known = load(cell.settings)
    test = len(known.indices("test"))
    return data.Published(known.features, known.classes, len(known.labels) - test, test, steps=known.timesteps)


def _frames(cell: Cell) -> int:
    """Into how many frames a sample is cut; 0 of a set without events."""
    source = data.SOURCES[str(cell.dataset)]
    return (cell.settings["frames"] or source.usual) if source.argument == "frames" else 0


def _needs(cell: Cell, known: data.Published) -> tuple[float, int]:
    """Multiplications of the whole training with its evaluations, and bytes of its checkpoint."""
    settings = cell.settings
    size = size_of(str(settings["network"]), known.features, known.classes, settings["width"], cell.neuron)
    steps = known.steps or _frames(cell) or settings["timesteps"]
    trained = known.training if settings["train_samples"] is None else min(known.training, settings["train_samples"])
    copies = 2 if settings["optimizer"] == "sgd" else 3
    shown = BACKWARD * trained + known.test
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
