"""Networks move to NIR and back without losing a bit, and into another package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import neurons
from neurons import InvalidValue
from neurons.nir_exchange import OWN, layer_of, node_of
from tasks import networks
from tasks.nir_exchange import from_graph, to_graph

nir = pytest.importorskip("nir")


@pytest.mark.parametrize("decay_input", [False, True])
@pytest.mark.parametrize("tau", [1.1, 2.0, 7.3])
@pytest.mark.parametrize("name", ["if", "lif", "plif"])
def test_a_layer_comes_back_to_the_last_bit(name: str, tau: float, decay_input: bool, tmp_path: Path) -> None:
    constants = {"tau": tau, "v_th": 0.8, "v_reset": -0.1, "reset": "hard", "surrogate": "atan"}
    layer = neurons.layer(name, decay_input=decay_input, **constants)
    nir.write(tmp_path / "layer.nir", nir.NIRGraph.from_list(node_of(layer, (5,))))
    read = nir.read(tmp_path / "layer.nir")
    (node,) = (node for node in read.nodes.values() if type(node).__name__ in ("IF", "LIF"))
    again = layer_of(node)
    assert again.neuron.signature() == layer.neuron.signature()
    for one, other in zip(layer.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    x = torch.randn(9, 3, 5)
    assert torch.equal(layer(x), again(x))


@pytest.mark.parametrize("name", ["if", "lif"])
def test_what_another_package_wrote_is_read_from_its_fields(name: str) -> None:
    layer = neurons.layer(name, tau=2.5, reset="hard")
    node = node_of(layer, (5,))
    del node.metadata[OWN]
    x = torch.randn(9, 3, 5)
    assert torch.equal(layer_of(node)(x), layer(x))
    node.metadata[OWN] = node_of(neurons.layer(name, v_th=0.5, reset="hard"), (5,)).metadata[OWN]
    assert torch.equal(layer_of(node)(x), layer(x))  # the fields decide where the metadata says something else


@pytest.mark.parametrize("network", ["mlp", "conv5"])
def test_a_network_computes_the_same_in_spikingjelly(network: str, tmp_path: Path) -> None:
    pytest.importorskip("nirtorch")
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    torch.manual_seed(0)
    trained = networks.build(network, lambda c: neurons.layer("lif", c, 6, reset="hard"), (1, 28, 28), 10, 6, 16)
    x = 2 * torch.rand(8, 1, 28, 28)
    trained(x)  # running means and variances
    trained.eval()
    nir.write(tmp_path / "network.nir", to_graph(trained, (1, 28, 28)))
    graph = nir.read(tmp_path / "network.nir")
    sequence = x.expand(6, *x.shape)
    theirs = import_from_nir(graph, step_mode="m")
    scores, _ = theirs(sequence, None)
    assert torch.allclose(scores, trained(x), atol=1e-5)
    assert trained(x).abs().sum() > 0
    again = from_graph(graph, 6)
    assert torch.equal(again(x), from_graph(to_graph(again, (1, 28, 28)), 6)(x))
    assert torch.allclose(again(x), trained(x), atol=1e-5)


def test_a_network_of_spikingjelly_is_read() -> None:
    pytest.importorskip("nirtorch")
    from spikingjelly.activation_based import layer, neuron
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    torch.manual_seed(0)
    theirs = torch.nn.Sequential(
        layer.Linear(12, 20, step_mode="m"),
        neuron.LIFNode(tau=2.0, decay_input=False, v_reset=0.0, step_mode="m"),
        layer.Linear(20, 3, step_mode="m"),
    )
    x = 2 * torch.randn(6, 4, 12)
    ours = from_graph(export_to_nir(theirs, x), None)
    assert torch.allclose(ours(x.transpose(0, 1)), theirs(x), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "constants", "message"),
    [
        ("clif", {}, "NIR has no clif; it has if, lif, plif"),
        ("lif", {}, "no soft reset; export a lif with reset='hard'"),
    ],
)
def test_refusals(name: str, constants: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        node_of(neurons.layer(name, **constants), (5,))


def test_refusals_of_nodes() -> None:
    values = {name: np.ones(3) for name in ("tau", "r", "v_threshold")}
    with pytest.raises(InvalidValue, match=r"LIF\.v_leak must be 0"):
        layer_of(nir.LIF(**values, v_leak=np.ones(3)))
    with pytest.raises(InvalidValue, match=r"LIF\.v_threshold must be the same for all neurons"):
        layer_of(nir.LIF(**{**values, "v_threshold": np.arange(3.0)}, v_leak=np.zeros(3)))
    with pytest.raises(InvalidValue, match="no neuron for NIR's LI;"):
        layer_of(nir.LI(tau=np.ones(3), r=np.ones(3), v_leak=np.zeros(3)))
    resnet = networks.build("resnet18", lambda c: neurons.layer("lif", c, reset="hard"), (1, 8, 8), 10, 2, 4)
    with pytest.raises(InvalidValue, match="chains of layers, not ResidualBlock"):
        to_graph(resnet, (1, 8, 8))
