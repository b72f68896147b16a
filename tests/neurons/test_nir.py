"""Layers of neurons move to NIR and back without losing a bit, under any time step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import neurons
from neurons import InvalidValue
from neurons.nir_nodes import OWN, layer_of, node_of

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
    assert type(again.neuron) is type(layer.neuron)
    for constant in layer.neuron.constants():
        assert getattr(again.neuron, constant) == getattr(layer.neuron, constant)
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


def lif_node(tau: Any = 2e-4, r: Any = 2.0, v_leak: Any = 0.0, v_threshold: Any = 1.0, v_reset: Any = 0.0) -> Any:
    fields = {"tau": tau, "r": r, "v_leak": v_leak, "v_threshold": v_threshold, "v_reset": v_reset}
    return nir.LIF(**{name: np.broadcast_to(np.asarray(value), (3,)) for name, value in fields.items()})


@pytest.mark.parametrize("dt", [1e-4, 1e-3, 1.0, 3.3e-5])
@pytest.mark.parametrize("unit_r", [False, True])
@pytest.mark.parametrize(("name", "decay_input"), [("if", False), ("lif", True), ("lif", False), ("plif", True)])
def test_any_time_step(name: str, decay_input: bool, unit_r: bool, dt: float) -> None:
    """The node keeps its dt; without the suite's metadata it is read with the dt that is given."""
    layer = neurons.layer(name, tau=2.5, v_th=0.9, reset="hard", decay_input=decay_input)
    node = node_of(layer, (5,), dt, unit_r)
    x = 2 * torch.randn(9, 3, 5)
    gain = 2.5 if unit_r and not decay_input and name != "if" else 1.0  # left to the weights before it
    wanted = neurons.layer(name, tau=2.5, v_th=0.9, reset="hard", decay_input=decay_input)(x)
    assert wanted.sum() > 10
    assert torch.equal(layer_of(node)(gain * x), wanted)
    del node.metadata[OWN]
    assert (node.r == 1).all() == (unit_r or decay_input or (name == "if" and dt == 1))
    assert (layer_of(node, dt=dt)(gain * x) != wanted).float().mean() < 0.01  # τ in seconds is rounded


def test_another_packages_node_has_the_assumed_step_of_a_tenth_of_a_millisecond() -> None:
    assert layer_of(lif_node(tau=2e-4)).neuron.tau == pytest.approx(2)
    assert layer_of(lif_node(tau=2e-3), dt=1e-3).neuron.tau == pytest.approx(2)


@pytest.mark.parametrize("r", [1.0, 1e4])
def test_both_conventions_of_if(r: float) -> None:
    ones = np.ones(3)
    layer = layer_of(nir.IF(r=r * ones, v_threshold=ones, v_reset=0 * ones))
    assert layer(torch.full((3, 1, 3), 0.5))[:, 0, 0].tolist() == [0, 1, 0]
    with pytest.raises(InvalidValue, match=r"IF.r must be 1 or 1/dt, 1000 at dt = 0\.001 s, not 10000"):
        layer_of(nir.IF(r=1e4 * ones, v_threshold=ones, v_reset=0 * ones), dt=1e-3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tau": 2.0}, r"LIF\.tau is 20,000 steps at dt = 0\.0001 s, which the graph does not say"),
        ({"tau": 2e-3, "r": 2.0}, r"LIF\.r must be 1 or τ over the time step, 20 at .* \(it is τ at dt = 0\.001 s\)"),
        ({"tau": 0.5e-4, "r": 1.0}, "tau must be at least 1 step"),
        ({"v_leak": 0.1}, r"LIF\.v_leak must be 0"),
        ({"tau": np.array([2e-4, 2e-4, 3e-4])}, r"LIF\.tau must be the same for all neurons"),
    ],
)
def test_what_is_not_the_suites(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        layer_of(lif_node(**fields))


def test_a_long_time_constant_is_read_where_the_step_is_known() -> None:
    assert layer_of(lif_node(tau=2.0, r=1.0), dt=1e-4).neuron.tau == pytest.approx(20000)
    layer = neurons.layer("lif", tau=1e6, reset="hard")
    assert layer_of(node_of(layer, (3,))).neuron.tau == 1e6


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_one_step_and_rounded_fields(kind: type) -> None:
    """float32 says 0.99999997 steps; values that differ by rounding are one value."""
    assert layer_of(lif_node(tau=kind(1e-4), r=kind(1.0))).neuron.tau == 1
    near = np.array([2e-4, 2e-4 * (1 + 1e-12), 2e-4], dtype=kind)
    assert layer_of(lif_node(tau=near)).neuron.tau == pytest.approx(2)


@pytest.mark.parametrize(
    ("field", "value", "constant"),
    [("v_threshold", 1.05, "v_th"), ("v_threshold", 1 + 1e-5, "v_th"), ("v_reset", 1e-5, "v_reset")],
)
def test_fields_that_differ_from_the_metadata_decide(field: str, value: float, constant: str) -> None:
    node = node_of(neurons.layer("lif", reset="hard", surrogate="atan"), (3,))
    assert layer_of(node).neuron.surrogate == "atan"
    setattr(node, field, np.full(3, value))
    layer = layer_of(node)
    assert getattr(layer.neuron, constant) == value
    assert layer.neuron.surrogate == "rectangle"


@pytest.mark.parametrize(
    "change",
    [
        lambda own: own["constants"].update(refractory=2),
        lambda own: own.update(name="adex"),
        lambda own: own.pop("constants"),
        lambda own: own.update(name=3),
        lambda own: own["constants"].update(tau="long"),
        lambda own: own.clear(),
        None,
        "[1]",
        "{",
    ],
)
def test_metadata_of_another_version_falls_back_to_the_fields(change: Any) -> None:
    node = node_of(neurons.layer("lif", tau=2.5, v_th=0.7, reset="hard"), (3,))
    if callable(change):
        own = json.loads(node.metadata[OWN])
        change(own)
        change = json.dumps(own)
    node.metadata[OWN] = change
    found = layer_of(node).neuron
    assert (found.name, found.v_th) == ("lif", 0.7)
    assert found.tau == pytest.approx(2.5)


def test_a_step_of_no_length_is_refused() -> None:
    with pytest.raises(InvalidValue, match="dt must be above 0 seconds, not 0"):
        node_of(neurons.layer("if", reset="hard"), (3,), dt=0)
