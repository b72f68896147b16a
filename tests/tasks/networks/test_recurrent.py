"""Layers that hear themselves: by hand, in every task on a network, and what cannot be recurrent."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import neurons
import tasks
from neurons import BackendUnavailable, NeuronLayer
from neurons.stepping import LayerState
from tasks import Cell, networks
from tasks.energy import OperationCounter
from tasks.networks import Forgetful, RecurrentNeurons, neurons_of
from tasks.training.network_task import NetworkTask

STEPS, SAMPLES, WIDTH = 6, 4, 5


def recurrent(name: str = "lif", backend: str = "reference", **settings: Any) -> RecurrentNeurons:
    torch.manual_seed(0)
    made = RecurrentNeurons(neurons.layer(name, WIDTH, STEPS, backend, **settings), WIDTH)
    with torch.no_grad():
        made.feedback.weight.mul_(3)
    return made


def currents(dtype: torch.dtype = torch.float32) -> Tensor:
    torch.manual_seed(1)
    return (0.6 + torch.randn(STEPS, SAMPLES, WIDTH)).to(dtype).requires_grad_()


def by_hand(layer: RecurrentNeurons, current: Tensor, cut: bool = False) -> Tensor:
    """A LIF of tau 2 and threshold 1, its feedback written out."""
    u, spike, outputs = torch.zeros(SAMPLES, WIDTH), torch.zeros(SAMPLES, WIDTH), []
    spike_of = layer.neurons.neuron.spike
    for now in current:
        if cut:
            u, spike = u.detach(), spike.detach()
        u = 0.5 * u + now + spike @ layer.feedback.weight.T
        spike = spike_of(u - 1)
        u = u - spike
        outputs.append(spike)
    return torch.stack(outputs)


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_by_hand(backend: str, cut: bool) -> None:
    layer, current = recurrent(backend=backend, bptt_steps=1 if cut else None), currents()
    outputs, expected = layer(current), by_hand(layer, current, cut)
    assert torch.equal(outputs, expected)
    assert 0.1 < float(outputs.detach().mean()) < 0.9
    weights = torch.randn(outputs.shape)
    leaves = [current, layer.feedback.weight]
    found = [torch.autograd.grad((each * weights).sum(), leaves) for each in (outputs, expected)]
    for own, right in zip(*found, strict=True):
        assert torch.allclose(own, right, atol=1e-5)
    assert found[0][1].abs().max() > 0.1


def test_without_feedback_it_is_the_layer() -> None:
    layer, current = recurrent("clif", "cpu"), currents()
    assert torch.equal(layer.alone(current), layer.neurons(current))
    assert not torch.equal(layer(current), layer.alone(current))


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_forgetful_layer_sees_each_step_alone(backend: str) -> None:
    forgetful, current = Forgetful(neurons.get("clif")(), backend=backend), currents()
    outputs = forgetful(current)
    assert torch.equal(outputs, (current >= 1).to(outputs.dtype))
    state = forgetful.initial_state(current[0])
    full = LayerState(1, tuple(torch.ones_like(value) for value in state.values))
    assert torch.equal(forgetful.step(current[2], full)[0], outputs[2])
    assert torch.equal(RecurrentNeurons(forgetful, WIDTH)(current), outputs)


def test_names_of_layers() -> None:
    def make(channels: int) -> NeuronLayer:
        return neurons.layer("lif", channels)

    flat, again = (networks.build(name, make, (3,), 2, 4, 8) for name in ("mlp", "recurrent"))
    assert list(neurons_of(flat)) == list(neurons_of(again)) == ["neurons.0", "neurons.1"]
    assert {type(layer) for layer in neurons_of(again).values()} == {RecurrentNeurons}
    assert again(torch.rand(5, 3)).shape == (4, 5, 2)


def test_operations_of_the_feedback_by_hand() -> None:
    """Each spike but the last step's reaches all neurons of its layer."""
    layer = recurrent("lif")
    with OperationCounter(layer) as counter:
        outputs = layer(currents())
    spikes = int(outputs[:-1].sum())
    assert counter.layers[".feedback"]["acs"] == spikes * WIDTH
    assert counter.layers[".feedback"]["input_spikes"] == spikes
    assert counter.totals["macs"] == 0
    assert counter.layers[""]["spikes"] == outputs.sum()
    assert counter.shapes[".feedback"]["weights"] == WIDTH * WIDTH
    assert counter.feeds[".feedback"] == {""}
    relu = recurrent("relu")
    with OperationCounter(relu) as counter:
        relu(currents())
    assert counter.totals["macs"] == (STEPS - 1) * SAMPLES * WIDTH * WIDTH


NETWORK_TASKS = [name for name, task in tasks.TASKS.items() if isinstance(task, NetworkTask)]
SMALL = {"network": "recurrent", "width": 8, "epochs": 1, "train_samples": 64, "batch_size": 32, "rounds": 1}


def cell(task: str, neuron: str, backend: str = "cpu", **settings: Any) -> Cell:
    known = tasks.get(task).settings
    own = {key: value for key, value in {**SMALL, "samples": 8, **settings}.items() if key in known}
    return Cell(task, neuron, backend, 0, {**known, **own})


@pytest.mark.parametrize("task", NETWORK_TASKS)
def test_every_task_on_a_network(task: str) -> None:
    """Those that need neurons apart from each other say so; the others measure."""
    own = cell(task, "clif", dataset="delayed_recall")
    results = [result for _, result in tasks.get(task).run_batch([own])]
    if task == "temporal_gradient":
        assert [str(result) for result in results] == [
            "neurons that hear each other have no temporal Jacobian of each alone: take mlp"
        ]
        return
    for result in results:
        assert isinstance(result, list), result
        assert result


@pytest.mark.parametrize(("neuron", "backend"), [("psn", "reference"), ("lif", "spikingjelly"), ("lif", "compile")])
def test_what_has_no_step_is_unavailable(neuron: str, backend: str) -> None:
    with pytest.raises(BackendUnavailable, match=r"has no step; call|has no single step: use reference, or cpu"):
        list(tasks.get("accuracy").run(cell("accuracy", neuron, backend, dataset="delayed_recall")))


def test_neurons_parameters_and_feedback_are_told_apart() -> None:
    """The feedback is a synapse: weight decay pulls on it, and not on the neurons."""
    values = list(tasks.get("accuracy").run(cell("accuracy", "plif", dataset="delayed_recall")))
    layers = {value.metric: {own.layer for own in values if own.metric == value.metric} for value in values}
    assert layers["learned_parameter"] == {"neurons.0.neurons.w", "neurons.1.neurons.w"}
    assert layers["firing_rate"] == layers["output_bits"] == {"neurons.0", "neurons.1"}
    assert next(value.value for value in values if value.metric == "neuron_parameters") == 2
