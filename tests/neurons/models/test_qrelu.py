"""The quantised rectifier by hand: levels 0, ¼, ½, ¾, 1 of top."""

import pytest
import torch

import neurons
from tests.neurons.models.hand import run


def test_levels() -> None:
    assert run("qrelu", [-1.0, 0.1, 0.2, 0.6, 0.9, 3.0]) == [0, 0, 0.25, 0.5, 1, 1]
    assert run("qrelu", [1.6, 9.0], top=2.0) == [1.5, 2]


def test_gradients() -> None:
    # within: dy/dx = 1 and dy/dtop = y/top − x/top; above: dy/dx = 0 and dy/dtop = 1
    layer = neurons.layer("qrelu", backend="reference").double()
    x = torch.tensor([[0.6], [3.0]], dtype=torch.float64, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad.flatten().tolist() == [1, 0]
    assert layer.top.grad.item() == pytest.approx((0.5 - 0.6) + 1)
