"""The settings in a row are those of the layer that ran: every task, every kind of setting, and the gate before it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

import neurons
import tasks
from neurons import NeuronLayer
from tasks import Cell, dynamics, linear_neuron, startup, throughput, training_speed
from tasks.ablation import AblatedCell
from tasks.measuring.workload import LayerWorkload
from tests.tasks.test_timesteps import SMALL

SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("lif", {"neuron.tau": 3, "neuron.v_th": 0.5, "neuron.detach_reset": True}),
    ("lif", {"neuron.decay_input": True, "neuron.surrogate": "atan", "neuron.surrogate_width": 2.0}),
    ("lif", {"neuron.reset": "hard", "neuron.v_reset": -0.25}),
    ("clif", {"neuron.tau": 4.0, "bptt_steps": 1}),
    ("klif", {"protocol": "published", "neuron.tau": 1.5, "neuron.k": 2.0}),
    ("spikingjelly.klif", {"protocol": "published", "neuron.v_th": 0.75}),
    ("snntorch.leaky", {"neuron.tau": 3.0}),
]
PEERS = ["spikingjelly.klif", "snntorch.leaky"]
NEITHER = {"conversion": ["klif", *PEERS], "energy": PEERS, "dynamics": PEERS, "equivalence": PEERS, "ablation": PEERS}
"""Neurons that a task refuses: those with parameters cannot be exchanged, a package's has no step to look into (and
`equivalence` runs it without a layer)."""
BESIDE = {("conversion", ""): "lif", ("temporal_gradient", "clif"): "clif_backward_lif"}
"""Other neurons that a task runs by intention: what LIF's own paths carry of CLIF's gradient."""
UNTRAINED = ("memory", "throughput", "equivalence", "startup", "dynamics")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[NeuronLayer]:
    """Every layer that runs, in the order of first calls."""
    seen: list[NeuronLayer] = []
    plain, plain_traces = NeuronLayer.forward, dynamics.traces

    def forward(self: NeuronLayer, x: torch.Tensor) -> torch.Tensor:
        seen.append(self)
        return plain(self, x)

    def traces(layer: NeuronLayer, current: torch.Tensor) -> Any:
        seen.append(layer)
        return plain_traces(layer, current)

    def one_process(command: list[str], caches: str) -> tuple[float, float]:
        """What the other process does with its arguments, in this one."""
        _, neuron, backend, device, _, settings = command[3:]
        LayerWorkload.of(Cell("startup", neuron, backend, 0, json.loads(settings), device)).forward_backward()
        return 1.0, 1.0

    monkeypatch.setattr(NeuronLayer, "forward", forward)
    monkeypatch.setattr(dynamics, "traces", traces)
    monkeypatch.setattr(startup, "_one_process", one_process)
    for module in (throughput, training_speed, linear_neuron):  # the baseline is another layer by intention
        monkeypatch.setattr(module, "add_baseline", lambda *_: (None, "left out"))
    return seen


@pytest.mark.parametrize(("neuron", "settings"), SETTINGS, ids=str)
@pytest.mark.parametrize("task", tasks.TASKS)
def test_settings_are_those_of_the_layer_that_ran(
    task: str, neuron: str, settings: dict[str, Any], ran: list[NeuronLayer]
) -> None:
    known = tasks.get(task).settings
    if neuron in NEITHER.get(task, []) or any(name not in known for name in settings if "." not in name):
        return
    small = {name: value for name, value in {**SMALL, "dataset": "digits"}.items() if name in known}
    if task == "conformance":
        del small["elements"]  # there it is one large shape, beside which the small ones are not run
    backend = neuron.partition(".")[0] if "." in neuron else "reference"
    cell = Cell(task, neuron, backend, 0, {**known, **small, **settings})
    list(tasks.get(task).run(cell))
    wanted = {name.removeprefix("neuron."): value for name, value in settings.items() if name.startswith("neuron.")}
    published = neurons.get(neuron).published if settings.get("protocol") == "published" else {}
    first = wanted.pop("k", None)
    assert ran
    for number, layer in enumerate(ran):
        others = task == "conversion" and layer is not ran[0] and layer.neuron.name == "lif"
        expected = {**published, **wanted}
        if others and number > 0:
            expected = {name: value for name, value in expected.items() if name not in ("reset", "v_reset")}
        assert {name: getattr(layer.neuron, name) for name in expected} == expected
        assert layer.neuron.name in (neuron, BESIDE.get((task, neuron), BESIDE.get((task, ""), neuron)))
        assert layer.bptt_steps == settings.get("bptt_steps")
        assert layer.backend == backend
        if first is not None and task in UNTRAINED:
            assert layer.k.item() == first


@pytest.mark.parametrize(("neuron", "parameter"), [("klif", "k"), ("glif", "gate_leak")])
def test_an_ablated_layer_starts_as_the_layer_of_its_cell(neuron: str, parameter: str) -> None:
    settings = {**tasks.get("ablation").settings, "extra_reset": 0.5, f"neuron.{parameter}": 2.0}
    cell = AblatedCell("ablation", neuron, "reference", 0, settings)
    assert (getattr(cell.neuron_layer(3, 4), parameter) == 2).all()
