"""A trained network keeps the constants of its cell when it is run with LIF neurons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import neurons
import tasks
from tasks import Cell, conversion, networks
from tasks.training.network_task import exchange, prepare

SMALL = {"width": 8, "epochs": 1, "train_samples": 64, "timesteps": 3}


def cell_of(neuron: str, **settings: Any) -> Cell:
    return Cell("conversion", neuron, "reference", 0, {**tasks.get("conversion").settings, **SMALL, **settings})


@pytest.fixture
def exchanged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[neurons.Neuron, int | None]]:
    """The neurons that take the place of others, and how often a static input is shown to them."""
    seen: list[tuple[neurons.Neuron, int | None]] = []

    def spy(network: networks.SpikingNetwork, cell: Cell) -> None:
        exchange(network, cell)
        seen.append((network.neurons[0].neuron, network.timesteps))  # type: ignore[arg-type, union-attr]

    monkeypatch.setattr(conversion, "exchange", spy)
    return seen


@pytest.mark.parametrize(
    "constants",
    [{}, {"tau": 4.0}, {"v_th": 0.5}, {"decay_input": True, "surrogate": "atan"}, {"detach_reset": True, "tau": 3}],
)
@pytest.mark.parametrize("neuron", ["lif", "clif", "if", "relu"])
def test_lif_has_the_constants_of_the_cell(neuron: str, constants: dict[str, Any], exchanged: list[Any]) -> None:
    cell = cell_of(neuron, **{f"neuron.{name}": value for name, value in constants.items()})
    values = list(tasks.get("conversion").run(cell))
    assert [made.name for made, _ in exchanged] == ["lif"] * 7
    for made, shown in exchanged:
        assert {name: getattr(made, name) for name in constants} == constants
        assert shown == 3
    assert [(made.reset, made.v_reset) for made, _ in exchanged] == [
        ("soft", 0.0),
        *(("hard", value) for value in (0.0, -0.02, -0.04, -0.06, -0.08, -0.1)),
    ]
    assert [value.lag for value in values if value.metric == "accuracy_hard"] == [0, 2, 4, 6, 8, 10]
    if neuron == "lif":  # run as what it is
        found = {value.metric: value.value for value in values}
        assert found["accuracy_soft"] == found["accuracy_own"]


def test_the_protocol_goes_with_it(neuron_file: Any, exchanged: list[Any]) -> None:
    body = """@register
class DecayingInput(Neuron):
    states = ("u",)
    published = {"decay_input": True, "tau": 5.0, "surrogate": "atan"}
    def step(self, x, u):
        u = self.charge(u, x)
        spike = self.spike(u - self.v_th)
        return spike, self.fire_reset(u, spike)
"""
    neurons.load_file(neuron_file(body))
    list(tasks.get("conversion").run(cell_of("decayinginput", protocol="published")))
    assert {(made.decay_input, made.tau, made.surrogate) for made, _ in exchanged} == {(True, 5.0, "atan")}


@pytest.mark.parametrize(("dataset", "before", "after"), [("digits", 1, 3), ("japanese_vowels", 29, 29)])
def test_neurons_with_memory_in_place_of_others_see_all_steps(dataset: str, before: int, after: int) -> None:
    cell = cell_of("relu", dataset=dataset)
    data, network = prepare(cell)
    inputs = data.part("test")[0][:2]
    assert len(network(inputs)) == before
    exchange(network, replace(cell, neuron="lif"))
    assert len(network(inputs)) == after
    exchange(network, cell)
    assert len(network(inputs)) == before


def test_every_accuracy_is_that_of_the_test_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """In %, of the neuron of training, of soft reset and of six hard ones, in this order."""
    asked: list[tuple[str, str]] = []

    def fake(network: object, dataset: object, part: str, loss: str, how: object) -> tuple[float, float]:
        asked.append((part, loss))
        return 9.0, len(asked) / 100

    monkeypatch.setattr(conversion, "evaluate", fake)
    values = list(tasks.get("conversion").run(cell_of("lif", loss="cross_entropy")))
    assert asked == [("test", "cross_entropy")] * 8
    assert [value.metric for value in values] == ["accuracy_own", "accuracy_soft", *["accuracy_hard"] * 6]
    assert [value.value for value in values] == pytest.approx([1, 2, 3, 4, 5, 6, 7, 8])
