"""The conformance cases, shared by every backend: a new neuron is tested by existing."""

from __future__ import annotations

import torch

import neurons
from neurons.conformance import Agreement, compare

STEPS = [1, 2, 4, 33, 128]
MODELS = [name for name in neurons.names() if neurons.get(name).runs_over_time()]
STANDARD = [name for name in neurons.select(["tag:standard"]) if name in MODELS]
"""Tried in every size and with every surrogate. Of the others, whose printers and loops are the same, each is tried in
every dtype and protocol, forward and backward, once over one block of steps and once over several."""
Case = tuple[str, int, int, str]


def float32_cases(steps: list[int], few: list[int]) -> list[Case]:
    """(name, steps, elements, protocol): every size of the standard models, `few` lengths of the others."""
    found: list[Case] = []
    for name in MODELS:
        protocols = ["controlled", *(["published"] if neurons.get(name).published else [])]
        standard = name in STANDARD
        for protocol in protocols:
            lengths = steps if standard else few[: 1 if protocol == "published" else None]
            sizes = [1, 255, 1023] if standard else [255]
            found += [(name, length, size, protocol) for length in lengths for size in sizes]
    return found


MOST_UNDECIDED = 0.2
"""Share of neurons that may come within rounding of a jump and are not compared. Over 128 steps it is up to 0.1 for
bfloat16: its inputs lie on a coarse grid and meet the edges of the rectangle exactly. Of one neuron it is none."""


def shape_of(elements: int) -> tuple[int, int, int]:
    """[N, C, features] with that many neurons: odd channels and features where they divide it."""
    channels = next(count for count in (5, 3, 1) if elements % count == 0)
    inner = next(count for count in (17, 11, 7, 1) if (elements // channels) % count == 0)
    return elements // channels // inner, channels, inner


def agreement(
    name: str, backend: str, steps: int, elements: int, dtype: torch.dtype = torch.float32, **settings: object
) -> Agreement:
    """Compare one layer with the reference on a usual drive; on another where no neuron of it could be compared."""
    samples, channels, inner = shape_of(elements)
    for attempt in range(10):
        torch.manual_seed(steps * elements + attempt)
        layer = neurons.layer(name, channels, steps, backend, **settings)
        if dtype == torch.float64:
            layer.double()
        x = (layer.neuron.input_scale * (0.7 + 0.6 * torch.randn(steps, samples, channels, inner))).to(dtype)
        found = compare(layer, x, torch.randn(x.shape).to(dtype))
        if found.undecided < found.neurons:
            break
    return found


def assert_agrees(found: Agreement) -> None:
    assert found.fault is None
    assert found.undecided < max(MOST_UNDECIDED * found.neurons, 1)
