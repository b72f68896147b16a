"""`python -m suite compare-backends`: which implementations compute the same, and where the others depart."""

from __future__ import annotations

from typing import Any

import torch

import neurons
from neurons import BackendUnavailable, backends, parallel, peers
from neurons.peers import Peer, equivalence
from suite.runs.packages import model_of
from tasks.measuring import devices


def compare_backends(model: str | None, device: str = "cpu") -> list[dict[str, Any]]:
    """One object for each backend of a model (of all models if None) and each neuron of a package held against it.

    All run in float64 on the device, on which a backend may be unavailable.
    """
    models = [neurons.get(model).name] if model else neurons.names()
    rows = []
    for name in models:
        own = [backend.name for backend in backends.OWN if backend.name not in ("reference", "compile")]
        if isinstance(parallel.linear_step(neurons.get(name)()), str):  # of few models, which says nothing of others
            own = [backend for backend in own if backend not in ("convolution", "scan")]
        rows += [_row(name, backend, None, device) for backend in own]
        known = [peer for peer in peers.peers().values() if peer.model == name]
        rows += [_row(name, peer.package, peer, device) for peer in known]
    return rows


def _row(model: str, backend: str, peer: type[Peer] | None, device: str) -> dict[str, Any]:
    torch.manual_seed(0)
    name = peer.name if peer else model
    row = {"name": model, "backend": backend, "neuron": name, "held_against": model_of(peer) if peer else model}
    try:
        layer = neurons.layer(name, equivalence.CHANNELS, equivalence.TIMESTEPS, backend)
        place = devices.torch_device(device)
        found = equivalence.compare(layer.to(place), device=place)
    except BackendUnavailable as error:
        return row | {"relation": "unavailable", "departs_at": "", "gradient_error": "", "why": str(error)}
    where = "" if found.step is None else f"{found.drive}: step {found.step}, neuron {found.neuron}"
    off = "" if found.gradient_error is None else f"{found.gradient_error:.1e}"
    why = peer.departs if peer else ""
    return row | {"relation": found.relation, "departs_at": where, "gradient_error": off, "why": why}
