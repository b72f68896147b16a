"""tdBN in networks: where it stands, for which threshold, and what it does to the currents."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

import neurons
from neurons import InvalidValue, NeuronLayer
from tasks import networks

V_TH = 0.6
ADDED = {
    "mlp": (),
    "vgg11": (),
    "recurrent": (),
    "resnet18": ("second", "shortcut"),
    "resnet18_preact": (),
    "ms_resnet18": ("second", "shortcut"),
    "transformer": ("project", "narrow"),
}


def lif(channels: int) -> NeuronLayer:
    return neurons.layer("lif", channels, 2, "reference", v_th=V_TH)


def built(name: str, norm: str) -> networks.SpikingNetwork:
    torch.manual_seed(0)
    return networks.build(name, lif, (2, 8, 8), 3, 2, 4, norm)


@pytest.mark.parametrize("name", ADDED)
def test_every_norm_has_the_gain_of_its_place(name: str) -> None:
    """α·v_th with α = 1, and 1/√2 where a block adds its output to another; everything else starts as it would."""
    plain, network = built(name, "batch"), built(name, "tdbn")
    norms = {own: module for own, module in network.named_modules() if isinstance(module, _BatchNorm)}
    assert {own for own, module in plain.named_modules() if isinstance(module, _BatchNorm)} == set(norms)
    for place, norm in norms.items():
        added = place.split(".")[-2] in ADDED[name]
        gain = V_TH / math.sqrt(2) if added else V_TH
        assert norm.weight.tolist() == pytest.approx([gain] * norm.num_features), place
    if ADDED[name]:
        assert {place.split(".")[-2] for place in norms} >= set(ADDED[name])
    own = dict(network.named_parameters())
    for key, value in plain.named_parameters():
        place, _, last = key.rpartition(".")
        where = f"{place}.parametrizations.weight.original" if place in norms and last == "weight" else key
        assert torch.equal(own.pop(where), value), key
    assert not own


def test_the_sum_of_a_block_varies_as_the_threshold() -> None:
    """What tdBN is for: the current of the neurons behind a sum of two independent branches has variance v_th²."""
    network = built("resnet18", "tdbn")
    block = next(own for own in network.synapses if hasattr(own, "shortcut") and len([*own.shortcut]) > 1)
    current = block((torch.rand(2, 64, 4, 8, 8) < 0.3).float())
    assert current.std((0, 1, 3, 4)).mean().item() == pytest.approx(V_TH, rel=0.15)


def test_statistics_are_of_all_steps_together() -> None:
    network = built("mlp", "tdbn")
    seen: list[Tensor] = []
    network.synapses[1].register_forward_hook(lambda module, arguments, output: seen.append(output))
    network(torch.rand(16, 2, 8, 8))
    alive = seen[0].std((0, 1), correction=0) > 0
    assert alive.any()
    assert torch.allclose(seen[0].mean((0, 1)), torch.zeros(4), atol=1e-6)
    assert torch.allclose(seen[0].std((0, 1), correction=0)[alive], torch.full((4,), V_TH)[alive], rtol=1e-2)
    assert not torch.allclose(seen[0][0].mean(0)[alive], torch.zeros(4)[alive], atol=1e-3)


def test_a_network_without_norms_refuses() -> None:
    def relu(channels: int) -> NeuronLayer:
        return neurons.layer("relu", channels, 2)

    with pytest.raises(InvalidValue, match="setting norm=tdbn: network gru has no batch norm"):
        networks.build("gru", relu, (5,), 3, None, 4, "tdbn")


def test_norms_are_those_of_torch() -> None:
    """So that what folds a batch norm into weights, as the export to NIR, meets a tdBN with its whole factor."""
    network = built("conv5", "tdbn")
    norm = next(module for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    x = torch.randn(3, 4, 5, 5)
    right = nn.functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    assert torch.equal(norm.eval()(x), right)
