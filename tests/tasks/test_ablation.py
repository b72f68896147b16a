"""Neurons with one thing changed: forward and gradient by hand, each kernel equal to its loop."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import neurons
import tasks
from neurons import InvalidValue, NeuronLayer, UnknownName
from tasks.ablation import AblatedCell, ablated
from tasks.base import Cell
from tasks.measuring.workload import drive
from tasks.temporal_gradient import jacobian_by_first_step, temporal_jacobian

LIF, CLIF = neurons.get("lif"), neurons.get("clif")
CHANGES = {
    "nothing": (CLIF, None, 0.0, None),
    "cut m": (CLIF, "m", 0.0, None),
    "cut u": (LIF, "u", 0.0, None),
    "reset 0.5": (LIF, None, 0.5, None),
    "reset 0.75": (LIF, None, 0.75, None),
    "backward of LIF": (CLIF, None, 0.0, LIF),
    "backward of CLIF": (LIF, None, 0.0, CLIF),
    "all": (CLIF, "m", 0.25, LIF),
}


def layer_of(change: str, backend: str = "reference") -> NeuronLayer:
    return NeuronLayer(ablated(*CHANGES[change])(), backend=backend)


def forward_and_gradient(layer: object, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    output = layer(x)  # type: ignore[operator]
    weights = torch.linspace(0.5, 1.5, output.numel()).reshape(output.shape)
    (output * weights).sum().backward()
    assert x.grad is not None
    return output.detach(), x.grad


@pytest.mark.parametrize("change", CHANGES)
def test_fused_kernel_is_the_loop(change: str) -> None:
    x = drive(6, 64 * 8, seed=0)
    expected, found = (forward_and_gradient(layer_of(change, backend), x) for backend in ("reference", "cpu"))
    assert torch.equal(expected[0], found[0])
    assert torch.allclose(expected[1], found[1], atol=1e-5)


@pytest.mark.parametrize(
    ("change", "forward_of", "other"),
    [("cut m", "clif", None), ("backward of LIF", "clif", "lif"), ("backward of CLIF", "lif", "clif")],
)
def test_spikes_are_those_of_the_model(change: str, forward_of: str, other: str | None) -> None:
    x = drive(8, 64 * 8, seed=1)
    model = neurons.layer(forward_of, backend="reference")
    plain, changed = (forward_and_gradient(layer, x) for layer in (model, layer_of(change)))
    assert torch.equal(plain[0], changed[0])
    assert not torch.allclose(plain[1], changed[1])


def test_a_cut_state_carries_nothing() -> None:
    x = drive(6, 64 * 8, seed=2)
    first = jacobian_by_first_step(layer_of("cut m"), x)
    assert float(first.by_state["m"].abs().max()) == 0
    assert float(first.by_state["u"].abs().max()) > 0
    cut = temporal_jacobian(layer_of("cut u"), x)
    assert float((cut * torch.ones(6, 6).tril(-1).reshape(6, 6, 1, 1)).abs().max()) == 0


def test_extra_reset_by_hand() -> None:
    """x = 1, 1.2, 1.2, 2 with 0.5 more reset: u = 1, 0.95, 1.675, 2.0875; without it 1, 1.2, 1.3, 2.15 all fire."""
    x = torch.tensor([1.0, 1.2, 1.2, 2.0]).reshape(4, 1, 1)
    assert layer_of("reset 0.5")(x).flatten().tolist() == [1, 0, 1, 1]
    assert neurons.layer("lif", backend="reference")(x).flatten().tolist() == [1, 1, 1, 1]


def test_backward_of_the_same_model_changes_nothing() -> None:
    x = drive(6, 64 * 8, seed=3)
    twin = NeuronLayer(ablated(CLIF, None, 0.0, CLIF)(), backend="reference")
    for expected, found in zip(
        forward_and_gradient(neurons.layer("clif", backend="reference"), x), forward_and_gradient(twin, x), strict=True
    ):
        assert torch.allclose(expected, found, atol=1e-6)


def test_constants_of_the_cell_reach_the_ablated_neuron() -> None:
    settings = {**tasks.get("ablation").settings, "neuron.tau": 4.0, "extra_reset": 0.75, "bptt_steps": 2}
    layer = AblatedCell("ablation", "lif", "reference", 0, settings).neuron_layer(3, 5)
    assert (layer.neuron.tau, layer.bptt_steps, layer.neuron.timesteps) == (4.0, 2, 5)
    assert layer.neuron.name == "lif_reset_0.75"


def test_what_cannot_be_changed_is_refused() -> None:
    with pytest.raises(UnknownName, match="unknown state of lif 'm'"):
        ablated(LIF, "m", 0.0, None)
    with pytest.raises(InvalidValue, match="relu has no potential u"):
        ablated(neurons.get("relu"), None, 0.5, None)
    with pytest.raises(InvalidValue, match="neither may have learned parameters"):
        ablated(LIF, None, 0.0, neurons.get("plif"))


def test_the_task_trains_the_ablated_neuron() -> None:
    small = {"width": 8, "epochs": 2, "train_samples": 128}
    losses = {}
    for reset in (0.0, 0.75):
        settings = {**tasks.get("ablation").settings, **small, "extra_reset": reset}
        values = list(tasks.get("ablation").run(Cell("ablation", "lif", "reference", 0, settings)))
        losses[reset] = [value.value for value in values if value.metric == "train_loss"]
    plain = {**tasks.get("accuracy").settings, **small}
    values = list(tasks.get("accuracy").run(Cell("accuracy", "lif", "reference", 0, plain)))
    expected = [value.value for value in values if value.metric == "train_loss"]
    assert losses[0.0] == expected
    assert losses[0.75] != expected
