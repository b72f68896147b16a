"""Peers compute what the step says: the same spikes and gradients, over 1,000 neurons and 64 steps."""

from __future__ import annotations

import pytest
import torch

import neurons
from neurons import BackendUnavailable
from neurons.conformance import NotConformant, compare, gate
from neurons.peers.spikingjelly import MODELS


@pytest.mark.parametrize("protocol", ["controlled", "published"])
@pytest.mark.parametrize("name", MODELS)
def test_spikingjelly_is_the_same_model(name: str, protocol: str) -> None:
    torch.manual_seed(0)
    layer = neurons.layer(name, 10, 64, "spikingjelly", protocol)
    x = 0.7 + 0.6 * torch.randn(64, 100, 10)
    found = compare(layer, x, torch.randn_like(x))
    assert found.fault is None
    assert found.undecided < 20
    assert torch.equal(layer(x), layer(x))


def test_what_a_peer_lacks_is_told() -> None:
    with pytest.raises(BackendUnavailable, match="no relu that computes the same"):
        neurons.layer("relu", backend="spikingjelly")(torch.zeros(2, 3))
    with pytest.raises(BackendUnavailable, match="no triangle surrogate"):
        neurons.layer("lif", backend="spikingjelly", surrogate="triangle")(torch.zeros(2, 3))


def test_old_or_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.0.0.14")
    with pytest.raises(BackendUnavailable, match=r"spikingjelly 0\.0\.0\.14 is too old: pip install"):
        neurons.layer("lif", backend="spikingjelly")(torch.zeros(2, 3))


def test_gate_refuses_a_backend_that_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that loses a hundredth of its gradient is not timed."""
    from neurons.kernels.cpu import CpuKernel

    gate("lif", "cpu")
    right = CpuKernel.backward

    def wrong(self: CpuKernel, *arguments: object) -> object:
        grad_x, grads = right(self, *arguments)  # type: ignore[arg-type]
        return grad_x * 0.99, grads

    monkeypatch.setattr(CpuKernel, "backward", wrong)
    with pytest.raises(NotConformant, match="lif by cpu does not conform: the input gradient is off"):
        gate("lif", "cpu")
