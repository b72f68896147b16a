"""What networks take, and what they refuse in one line."""

from __future__ import annotations

import pytest
import torch

import neurons
from neurons import NeuronLayer
from suite.runs import plan
from tasks import networks

IMAGE, ROW = (1, 8, 8), (5,)
WRONG_INPUTS = [
    # features, shown, what is given, what the line says
    (IMAGE, 4, torch.zeros(3, 2, 8, 8), r"takes \[N, 1, 8, 8\], the batch first, not \[3, 2, 8, 8\]"),
    (IMAGE, 4, torch.zeros(4, 3, 1, 8, 8), r"takes \[N, 1, 8, 8\], the batch first, not \[4, 3, 1, 8, 8\]"),
    (IMAGE, 4, torch.zeros(3, 8, 8, 1), r"takes \[N, 1, 8, 8\]"),
    (ROW, 4, torch.zeros(3, 6, 5), r"takes \[N, 5\], the batch first, not \[3, 6, 5\]"),
    (ROW, None, torch.zeros(3, 5), r"takes \[N, T, 5\], the batch first, not \[3, 5\]"),
    (ROW, None, torch.zeros(6, 3, 5), r"with T = 6, not \[6, 3, 5\]: the batch goes first, x\.transpose\(0, 1\)"),
    (ROW, None, torch.zeros(3, 7, 5), r"with T = 6, not \[3, 7, 5\]: dimension 1 is the time"),
    (ROW, None, torch.zeros(3, 6, 4), r"takes \[N, T, 5\]"),
    (IMAGE, 4, torch.zeros(3, 1, 8, 8, dtype=torch.uint8), r"not torch\.uint8: use x\.float\(\)"),
    (IMAGE, 4, torch.zeros(3, 1, 8, 8, dtype=torch.bool), r"not torch\.bool: use x\.float\(\)"),
    (IMAGE, 4, torch.zeros(3, 1, 8, 8).double(), r"is torch\.float64, the network's weights torch\.float32: use x\.to"),
]


def lif(channels: int) -> NeuronLayer:
    return neurons.layer("lif", channels, backend="reference")


@pytest.mark.parametrize(("features", "shown", "x", "line"), WRONG_INPUTS, ids=map(str, range(len(WRONG_INPUTS))))
def test_inputs_that_do_not_fit_are_one_line(
    features: tuple[int, ...], shown: int | None, x: torch.Tensor, line: str
) -> None:
    def make(channels: int) -> NeuronLayer:
        return neurons.layer("lif", channels, shown or 6, "reference")

    network = networks.build("mlp", make, features, 3, shown, 4)
    right = torch.zeros(3, *features) if shown else torch.zeros(3, 6, *features)
    assert network(right).shape == (shown or 6, 3, 3)
    with pytest.raises(neurons.InvalidValue, match=line) as caught:
        network(x)
    assert "\n" not in str(caught.value)


def test_a_network_takes_half_precision_under_autocast() -> None:
    network = networks.build("mlp", lif, ROW, 3, 4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert network(torch.zeros(2, 5, dtype=torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize("name", [name for name, found in networks.ARCHITECTURES.items() if found.images])
@pytest.mark.parametrize("features", [(64,), (28, 28)])
def test_image_networks_refuse_other_data(name: str, features: tuple[int, ...]) -> None:
    with pytest.raises(neurons.InvalidValue, match=rf"{name} needs images \[C, H, W\], the data has "):
        networks.build(name, lif, features, 10, 4, 4)


def test_image_networks_are_marked() -> None:
    assert {name for name, found in networks.ARCHITECTURES.items() if found.images} == {
        *("conv5", "snn5", "vgg11", "vgg13", "vggsnn"),
        *("resnet18", "resnet18_preact", "ms_resnet18", "transformer"),
    }


@pytest.mark.parametrize("network", ["conv5", "resnet18"])
@pytest.mark.parametrize("task", ["accuracy", "energy", "temporal_gradient", "conversion"])
def test_a_plan_with_an_image_network_on_flat_data_is_refused(task: str, network: str) -> None:
    settings = {"network": network}
    flat = plan.Request(tasks=[task], neurons=["lif"], datasets=["digits"], settings=settings, profile="smoke")
    with pytest.raises(neurons.InvalidValue, match=rf"{network} needs images \[C, H, W\], digits has \(64,\)"):
        plan.make(flat)
