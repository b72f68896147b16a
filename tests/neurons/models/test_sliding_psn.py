"""Sliding PSN by hand, and held against spikingjelly's."""

import pytest
import torch

import neurons
from tests.neurons.models.hand import run


def test_taps_from_the_past_to_the_present() -> None:
    # taps ⅛, ¼, ½, 1: h = 0.6; 0.3 + 0.6 = 0.9; 0.15 + 0.3 + 0.6 = 1.05 fires; ⅛·0.6 + 0.15 + 0.3 + 0 = 0.525
    assert run("sliding_psn", [0.6, 0.6, 0.6, 0.0]) == [0, 0, 1, 0]
    # a fifth input back is not seen: 0.5 + 0.5·0.9 …: only the last four count
    assert run("sliding_psn", [100.0, 0.0, 0.0, 0.0, 0.9]) == [1, 1, 1, 1, 0]


def test_equal_to_spikingjelly() -> None:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    node = neuron.SlidingPSN(k=4, step_mode="m").double()
    node.bias.data += 0.2
    ours = neurons.layer("sliding_psn", backend="reference", protocol="published").double()
    ours.bias.data = node.bias.data.clone().reshape(())
    assert torch.equal(ours.weight, node.weight)
    results = []
    x = 0.3 + torch.randn(9, 20, 4, dtype=torch.float64)
    for module in (node, ours):
        own = x.clone().requires_grad_()
        output = module(own)
        output.backward(torch.cos(torch.arange(output.numel(), dtype=torch.float64)).view(output.shape))
        results.append((output.detach(), own.grad, module.weight.grad, module.bias.grad.reshape(())))
    assert 0 < float(results[0][0].mean()) < 1
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other, atol=1e-12)
