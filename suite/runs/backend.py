"""Which backend "auto" is."""

from __future__ import annotations

import torch

import neurons
from neurons import backends
from tasks.measuring import devices


def resolved(backend: str, model: str, device: str) -> str:
    """The name behind "auto", so that a row names the backend that ran."""
    return backends.resolve(backend, neurons.get(model), torch.device(devices.kind_of(device)))
