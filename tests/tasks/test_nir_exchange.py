"""Networks move to NIR and back: what NIR can say arrives to the last bit, the rest is refused by name."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import neurons
from neurons import InvalidValue
from tasks import networks
from tasks.networks import SpikingNetwork
from tasks.nir_exchange import from_graph, to_graph
from tasks.nir_exchange.definition import run_graph

nir = pytest.importorskip("nir")


def lif(*_: Any, **constants: Any) -> neurons.NeuronLayer:
    return neurons.layer("lif", **{"reset": "hard", "backend": "reference", **constants})


def network_of(*modules: nn.Module, features: tuple[int, ...], timesteps: int | None = 4, **constants: Any) -> Any:
    """One synapse, neurons, and a readout of what comes out of them."""
    network = SpikingNetwork([nn.Sequential(*modules)], [lif(**constants)], nn.Sequential(nn.Flatten()), timesteps)
    return network.eval()


def through_a_file(graph: Any, folder: Path) -> Any:
    nir.write(folder / "network.nir", graph)
    return folder / "network.nir"


@pytest.mark.parametrize("name", ["if", "lif", "plif"])
@pytest.mark.parametrize(("network", "features"), [("mlp", (20,)), ("mlp", (1, 4, 5)), ("conv5", (1, 8, 8))])
def test_trained_networks_come_back(network: str, features: tuple[int, ...], name: str, tmp_path: Path) -> None:
    make = lambda channels: neurons.layer(name, channels, 6, "reference", reset="hard", decay_input=name == "plif")  # noqa: E731
    made = networks.build(network, make, features, 5, 6, 8)
    x = 3 * torch.rand(16, *features)
    for _ in range(10):
        made(x)  # running means and variances
    made.eval()
    graph = to_graph(made, features)
    again = from_graph(through_a_file(graph, tmp_path), 6, "reference")
    assert torch.allclose(again(x), made(x), atol=1e-4)
    assert made(x).std() > 0.01
    assert torch.equal(from_graph(to_graph(again, features), 6, "reference")(x), again(x))
    assert len(graph.nodes) == len(graph.edges) + 1


FORMS: dict[str, tuple[list[nn.Module], tuple[int, ...]]] = {
    "two of a kind": ([nn.Linear(6, 6), nn.Linear(6, 6)], (6,)),
    "two sizes": ([nn.Linear(6, 4), nn.Linear(4, 7, bias=False)], (6,)),
    "two convolutions": ([nn.Conv2d(2, 3, 3), nn.Conv2d(3, 2, 3)], (2, 9, 9)),
    "two pools": ([nn.AvgPool2d(2), nn.AvgPool2d(2)], (2, 9, 9)),
    "groups": ([nn.Conv2d(4, 8, 3, groups=2)], (4, 9, 9)),
    "depthwise": ([nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False), nn.BatchNorm2d(4)], (4, 9, 9)),
    "stride and dilation": ([nn.Conv2d(2, 3, 3, stride=(2, 1), padding=(2, 1), dilation=2)], (2, 9, 9)),
    "same": ([nn.Conv2d(2, 3, 3, padding="same")], (2, 9, 9)),
    "valid": ([nn.Conv2d(2, 3, 3, padding="valid")], (2, 9, 9)),
    "pool with its padding": ([nn.AvgPool2d(3, 2, 1)], (2, 9, 9)),
    "some dimensions flat": ([nn.Flatten(2)], (2, 9, 9)),
    "the first dimensions flat": ([nn.Flatten(1, 2)], (2, 9, 9)),
    "nested": (
        [nn.Sequential(nn.Linear(6, 6), nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(6))), nn.Identity()],
        (6,),
    ),
    "nothing": ([], (6,)),
    "weights of two norms": ([nn.utils.parametrizations.weight_norm(nn.Linear(6, 6))], (6,)),
    "flat already": ([nn.Flatten(), nn.Linear(6, 6)], (6,)),
}
linear = nn.Linear(6, 6)
FORMS["one twice"] = ([linear, linear], (6,))


@pytest.mark.parametrize("unit_r", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_comes_back(form: str, unit_r: bool, tmp_path: Path) -> None:
    modules, features = FORMS[form]
    network = network_of(*modules, features=features)
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.uniform_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
    x = 4 * torch.rand(3, *features)
    if (unit_r and form in ("nothing", "two pools", "pool with its padding", "some dimensions flat")) or (
        unit_r and form == "the first dimensions flat"
    ):
        with pytest.raises(
            InvalidValue, match=r"neurons\.0: there are no weights before it that could take its r of 2"
        ):
            to_graph(network, features, unit_r=unit_r)
        return
    graph = to_graph(network, features, unit_r=unit_r)
    again = from_graph(through_a_file(graph, tmp_path), 4, "reference")
    current, other = network.synapses[0](x[None]), again.synapses[0](x[None])
    assert torch.allclose(other, current * (2 if unit_r else 1), atol=1e-4)
    assert (again(x) != network(x)).float().mean() < 0.01
    flat = [node for node in graph.nodes.values() if type(node).__name__ == "Flatten"]
    assert len(flat) <= (len(features) > 1) * 2


class Quarters(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, torch.round(4 * self.weight) / 4, self.bias)


class Doubled(nn.Sequential):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


def hooked() -> nn.Linear:
    module = nn.Linear(6, 6)
    module.register_forward_hook(lambda module, given, out: 2 * out)
    return module


@pytest.mark.parametrize(
    ("modules", "features", "message"),
    [
        ([nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular")], (2, 9, 9), r"synapses\.0\.0: Conv2d\(.*circular"),
        ([nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect")], (2, 9, 9), r"synapses\.0\.0: Conv2d\(.*reflect"),
        ([nn.AvgPool2d(3, 2, 1, count_include_pad=False)], (2, 9, 9), r"synapses\.0\.0: AvgPool2d.*cannot say"),
        ([nn.AvgPool2d(2, divisor_override=1)], (2, 9, 9), r"synapses\.0\.0: AvgPool2d.*cannot say"),
        ([nn.AvgPool2d(2, ceil_mode=True)], (2, 9, 9), r"synapses\.0\.0: AvgPool2d.*gives the shape \[2, 4, 4\]"),
        ([nn.Linear(6, 6), Quarters(6, 6)], (6,), r"synapses\.0\.1: Quarters.*cannot say"),
        ([hooked()], (6,), r"synapses\.0\.0: Linear.*cannot say"),
        ([Doubled(nn.Linear(6, 6))], (6,), r"synapses\.0: EachStep.*cannot say"),
        ([nn.Linear(6, 6), nn.ReLU()], (6,), "NIR export has no form for ReLU"),
        ([nn.MaxPool2d(2)], (2, 9, 9), "NIR export has no form for MaxPool2d"),
        ([nn.BatchNorm1d(6), nn.Linear(6, 6)], (6,), r"synapses\.0\.0: NIR export can fold batch normalisation only"),
        ([nn.Linear(6, 6), nn.BatchNorm1d(6, track_running_stats=False)], (6,), "without running means"),
        ([nn.Conv2d(2, 3, (3, 5))], (2, 9, 9), "nir cannot hold this network"),
        ([nn.Linear(5, 6)], (6,), r"synapses\.0\.0 cannot take \[6\]"),
    ],
)
def test_what_nir_cannot_say_is_refused_by_module(modules: Any, features: Any, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        to_graph(network_of(*modules, features=features), features)


def test_what_stands_in_the_place_of_neurons_or_of_the_network() -> None:
    synapses = [nn.Sequential(nn.Linear(6, 6)), nn.Sequential(nn.Linear(6, 6))]
    with pytest.raises(InvalidValue, match=r"neurons\.0 is ReLU, no layer of neurons"):
        to_graph(SpikingNetwork(synapses, [nn.ReLU(), lif()], nn.Linear(6, 3), 4), (6,))

    class Half(SpikingNetwork):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x / 2)

    with pytest.raises(InvalidValue, match="the network computes what NIR cannot say"):
        to_graph(Half(synapses[:1], [lif()], nn.Linear(6, 3), 4), (6,))
    louder = lif()
    louder.register_forward_hook(lambda module, given, out: 3 * out)
    with pytest.raises(InvalidValue, match=r"neurons\.0: NeuronLayer\(lif"):
        to_graph(SpikingNetwork(synapses[:1], [louder], nn.Linear(6, 3), 4), (6,))
    with pytest.raises(InvalidValue, match="takes a SpikingNetwork, not Linear"):
        to_graph(nn.Linear(6, 6), (6,))
    resnet = networks.build("resnet18", lif, (1, 8, 8), 10, 2, 4)
    with pytest.raises(InvalidValue, match="chains of layers, not ResidualBlock"):
        to_graph(resnet, (1, 8, 8))


def test_weights_on_a_grid_whose_potentials_meet_the_threshold() -> None:
    network = network_of(nn.Linear(6, 6), features=(6,), tau=3.0)
    with torch.no_grad():
        for parameter in network.synapses.parameters():
            parameter.copy_((4 * parameter).round() / 4)
    to_graph(network, (6,))


def test_a_grouped_convolution_is_read_too() -> None:
    """Only in memory: a file of nir cannot hold one."""
    module = nn.Conv2d(4, 8, 3, groups=2)
    weight, bias = module.weight.detach().numpy(), module.bias.detach().numpy()
    node = nir.Conv2d((9, 9), weight, stride=1, padding=0, dilation=1, groups=2, bias=bias)
    nodes = {"x": nir.Input(np.array([4, 9, 9])), "c": node, "y": nir.Output(np.array([8, 7, 7]))}
    x = torch.rand(2, 4, 9, 9)
    readout = from_graph(nir.NIRGraph(nodes, [("x", "c"), ("c", "y")], type_check=False), None).readout
    assert torch.equal(readout(x[None])[0], module(x))
    (found,) = (layer for layer in readout.modules() if isinstance(layer, nn.Conv2d))
    assert (found.in_channels, found.out_channels, found.groups) == (4, 8, 2)


def test_the_network_is_left_alone() -> None:
    network = networks.build("mlp", lif, (6,), 3, 4, 8)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    to_graph(network, (6,))
    assert network.training
    assert all(layer.neuron.v_th == 1 and layer.backend == "reference" for layer in network.neurons)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("dt", [1e-4, 1e-3])
def test_the_time_step_goes_with_the_graph(dt: float, tmp_path: Path) -> None:
    network = network_of(nn.Linear(6, 6), features=(6,))
    path = through_a_file(to_graph(network, (6,), dt), tmp_path)
    x = 4 * torch.rand(3, 6)
    assert torch.equal(from_graph(path, 4)(x), network(x))
    assert torch.equal(from_graph(str(path), 4, dt=dt)(x), network(x))
    graph = nir.read(path)
    for node in graph.nodes.values():
        node.metadata.clear()
    assert from_graph(graph, 4).neurons[0].neuron.tau == pytest.approx(2)  # said by the graph alone
    with pytest.raises(InvalidValue, match=rf"written for dt = {dt:g} s, not 0\.5; leave dt out"):
        from_graph(path, 4, dt=0.5)


def test_a_step_that_nobody_says_is_warned_of() -> None:
    graph = to_graph(network_of(nn.Linear(6, 6), features=(6,)), (6,))
    graph.metadata.clear()
    with pytest.warns(UserWarning, match=r"does not say its time step; .* read with dt = 0\.0001 s"):
        from_graph(graph, 4)


def chain(seed: int) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """A random chain of nodes that the suite has, under random names."""
    draw = random.Random(seed)
    ones, weight = np.ones(4), np.random.default_rng(seed).normal(size=(4, 4)).astype(np.float32)
    makers = [
        lambda: nir.Affine(weight, ones),
        lambda: nir.Linear(weight),
        lambda: nir.LIF(tau=2e-4 * ones, r=ones, v_leak=0 * ones, v_threshold=ones, v_reset=0 * ones),
        lambda: nir.IF(r=1e4 * ones, v_threshold=ones, v_reset=0 * ones),
        lambda: nir.Flatten(np.array([4]), 0, -1),
    ]
    inner = [draw.choice(makers)() for _ in range(draw.randint(1, 6))]
    nodes = [nir.Input(np.array([4])), *inner, nir.Output(np.array([4]))]
    names = [f"n{number}" for number in draw.sample(range(100), len(nodes))]
    edges = list(itertools.pairwise(names))
    pairs = list(zip(names, nodes, strict=True))
    draw.shuffle(pairs)
    draw.shuffle(edges)
    return dict(pairs), edges


@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), data=st.data())
def test_a_graph_is_read_whole_or_refused(seed: int, data: st.DataObject) -> None:
    """Random chains: as they are, and with one edge added, removed or doubled."""
    nodes, edges = chain(seed)
    change = data.draw(st.sampled_from(["none", "added", "removed", "doubled"]))
    if change == "added":
        new = data.draw(
            st.tuples(st.sampled_from(list(nodes)), st.sampled_from(list(nodes))).filter(edges.__contains__)
        )
    if change == "removed":
        edges.remove(data.draw(st.sampled_from(edges)))
    if change == "doubled":
        edges.append(data.draw(st.sampled_from(edges)))
    if change == "added":
        edges.append(new)
    graph = nir.NIRGraph(nodes, edges, type_check=False)
    if change != "none":
        with pytest.raises(InvalidValue, match="NIR import takes chains of layers"):
            from_graph(graph, 3, dt=1e-4)
        return
    network = from_graph(graph, None, "reference", dt=1e-4)
    neurons_there = sum(type(node).__name__ in ("IF", "LIF") for node in nodes.values())
    assert len(network.neurons) == neurons_there
    weights = [module for module in network.modules() if isinstance(module, (nn.Linear, nn.Flatten))]
    assert len(weights) - sum(isinstance(module, networks.EachStep) for module in weights) + neurons_there + 2 == len(
        nodes
    )
    x = 3 * torch.randn(5, 2, 4, dtype=torch.float64)
    wanted = run_graph(graph, x, 1e-4)
    found = network.double()(x.transpose(0, 1))
    assert ((found - wanted).abs().amax((0, 2)) < 1e-4).any()


def graph_of(edges: list[tuple[str, str]], **others: Any) -> Any:
    """Nodes x, a, n, b, y, and others by name."""
    weight, ones = np.eye(3, dtype=np.float32), np.ones(3)
    nodes = {
        "x": nir.Input(np.array([3])),
        "a": nir.Linear(weight),
        "n": nir.IF(r=ones, v_threshold=ones),
        "b": nir.Linear(50 * weight),
        "y": nir.Output(np.array([3])),
    }
    return nir.NIRGraph({**nodes, **others}, edges, type_check=False)


CHAIN = [("x", "a"), ("a", "n"), ("n", "b"), ("b", "y")]


@pytest.mark.parametrize(
    ("edges", "others", "message"),
    [
        ([*CHAIN, ("n", "y")], {}, "y has several that lead to it: b, n"),
        ([*CHAIN[:-1], ("n", "c"), ("b", "y")], {"c": nir.Linear(np.eye(3))}, "n has several that follow: b, c"),
        ([("x", "a"), ("a", "n"), ("b", "y")], {}, "b, y are not reached from x"),
        ([("x", "a"), ("a", "n"), ("n", "y")], {}, "b is not reached from x"),
        ([*CHAIN, ("z", "c")], {"z": nir.Input(np.array([3])), "c": nir.Output(np.array([3]))}, "z, c are not reached"),
        ([*CHAIN, CHAIN[1]], {}, "the edge from a to n is there 2 times"),
        ([*CHAIN[:-1], ("b", "a")], {}, "a has several that lead to it: x, b"),
        ([*CHAIN[:-1], ("b", "x")], {}, "a loop through a"),
        ([*CHAIN[:-1], ("b", "w")], {}, "an edge names w, which is no node"),
        (
            [("x", "a"), ("a", "n"), ("n", "b"), ("b", "y"), ("y", "z")],
            {"z": nir.Linear(np.eye(3))},
            "x → a → n → b → y → z",
        ),
    ],
)
def test_what_is_no_chain_is_refused_by_node_and_reason(edges: Any, others: Any, message: str) -> None:
    with pytest.raises(InvalidValue, match=f"NIR import takes chains of layers.*{message}"):
        from_graph(graph_of(edges, **others), 2, dt=1e-4)


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    for wrong in (nir.Linear(np.eye(3)), {}, None):
        with pytest.raises(InvalidValue, match=f"path of a file with one, not {type(wrong).__name__}"):
            from_graph(wrong, 2)
    with pytest.raises(InvalidValue, match="this graph has no Input"):
        from_graph(nir.NIRGraph({}, [], type_check=False), 2)
    with pytest.raises(InvalidValue, match=r"there is no file .*absent\.nir"):
        from_graph(tmp_path / "absent.nir", 2)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (nir.Scale(np.ones(3)), "c: the suite has no layer for NIR's Scale"),
        (nir.Threshold(np.ones(3)), "c: the suite has no layer for NIR's Threshold"),
        (nir.Linear(np.ones((2, 3, 3))), "c: weights of NIR's Linear must have 2 dimensions, not 3"),
        (nir.LIF(*[np.arange(1.0, 4.0)] * 4), r"c: the suite has no such neuron: NIR's LIF\.r must be the same"),
    ],
)
def test_a_node_that_the_suite_has_not_is_named(node: Any, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        from_graph(graph_of([*CHAIN[:-1], ("b", "c"), ("c", "y")], c=node), 2, dt=1e-4)
