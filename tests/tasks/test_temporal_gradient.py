"""The temporal Jacobian against finite differences and autograd, and its summary numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import neurons
import tasks
from neurons import BackendUnavailable, NeuronLayer
from tasks.accuracy import Accuracy
from tasks.base import Cell
from tasks.measuring.workload import drive
from tasks.temporal_gradient import (
    TemporalGradient,
    decompose,
    describe,
    jacobian_through_u,
    record_gradients,
    temporal_jacobian,
)
from tasks.training.network_task import prepare

MODELS = ["lif", "plif", "klif", "glif", "clif"]


def smooth(name: str, steps: int) -> NeuronLayer:
    """The model with a logistic function instead of its spike, so that its derivative is the true one."""
    base = neurons.get(name)

    class Smooth(base):  # type: ignore[valid-type, misc]
        def spike(self, distance: Tensor) -> Tensor:
            return torch.sigmoid(4 * distance)

    Smooth.name = f"smooth_{name}"
    return NeuronLayer(Smooth(steps), channels=3, backend="reference").double()


@pytest.mark.parametrize("name", MODELS)
def test_jacobian_is_the_finite_difference_of_a_smooth_variant(name: str) -> None:
    torch.manual_seed(0)
    steps, step_size = 6, 1e-6
    layer = smooth(name, steps)
    x = 0.7 + 0.6 * torch.randn(steps, 2, 3, dtype=torch.float64)
    jacobian = temporal_jacobian(layer, x)
    for t in range(steps):
        shift = torch.zeros_like(x)
        shift[t] = step_size
        difference = (layer(x + shift) - layer(x - shift)) / (2 * step_size)
        assert torch.allclose(jacobian[:, t], difference, atol=1e-7), f"column {t}"
    for later in range(steps):
        assert (jacobian[later, later + 1 :] == 0).all()


@pytest.mark.parametrize("name", MODELS)
def test_parts_sum_to_autograds_gradient_in_a_network(name: str) -> None:
    """Σ over t' ≥ t of g[t']·J[t', t] is ∂L/∂x[t] of autograd, in each layer of a real network."""
    settings = dict(Accuracy.settings) | {"dataset": "digits", "width": 16, "timesteps": 5}
    dataset, network = prepare(Cell("accuracy", name, "reference", 0, settings))
    currents: dict[str, Tensor] = {}

    def keep(module: NeuronLayer, arguments: tuple[Tensor]) -> None:
        arguments[0].retain_grad()
        currents[str(id(module))] = arguments[0]

    hooks = [layer.register_forward_pre_hook(keep) for layer in network.neurons]
    inputs, labels = dataset.part("train")
    recorded = record_gradients(network, dataset, inputs[:32], labels[:32], "tet")
    assert len(recorded) == 2
    for hook in hooks:
        hook.remove()
    for record in recorded.values():
        jacobian = temporal_jacobian(record.layer, record.current)
        total = (record.gradient.unsqueeze(1) * jacobian).sum(0)
        gradient = currents[str(id(record.layer))].grad
        assert gradient is not None
        assert torch.allclose(total, gradient, atol=1e-5 * float(gradient.abs().max()))


def test_decomposition_by_hand() -> None:
    """Two steps, one neuron: J = [[2, 0], [−3, 4]], g = (1, 5): P = (2, 20); 𝒯[0, 1] = −15."""
    jacobian = torch.tensor([[2.0, 0.0], [-3.0, 4.0]]).reshape(2, 2, 1, 1)
    parts = decompose(jacobian, torch.tensor([1.0, 5.0]).reshape(2, 1, 1))
    assert parts.spatial.tolist() == [2, 20]
    assert parts.temporal.tolist() == [[0, 15], [0, 0]]
    assert parts.by_lag().tolist() == [15]
    assert parts.ratio() == pytest.approx(15 / 11)
    assert parts.horizon() == 1
    assert parts.vanished == 0


def test_one_step_has_no_temporal_gradient() -> None:
    parts = decompose(torch.ones(1, 1, 2, 2), torch.ones(1, 2, 2))
    assert (parts.ratio(), parts.horizon()) == (0, 0)
    assert math.isnan(parts.vanished)


def test_clif_reaches_further_than_lif() -> None:
    """The claim the suite starts from, for a drive of mean 0.7 and deviation 0.6 and a loss on every spike."""
    ratio = {}
    for name in ("lif", "clif"):
        x = drive(16, 64 * 64, seed=0)
        jacobian = temporal_jacobian(neurons.layer(name, backend="reference"), x)
        ratio[name] = decompose(jacobian, torch.ones_like(x)).ratio()
    assert ratio["clif"] > 1.5 * ratio["lif"]


@pytest.mark.parametrize("bptt_steps", [1, 2, 3, None])
def test_paths_through_u_and_through_others_sum_to_the_jacobian_of_truncated_layers(bptt_steps: int | None) -> None:
    layer = neurons.layer("clif", backend="reference", bptt_steps=bptt_steps)
    x = drive(6, 128, seed=0)
    through_u, whole = jacobian_through_u(layer, x), temporal_jacobian(layer, x)
    reach = bptt_steps or 6
    for later in range(6):
        for t in range(later):
            lag = later - t
            assert (through_u[later, t] != 0).any() == (lag < reach)
            assert ((whole - through_u)[later, t] != 0).any() == (2 <= lag < reach)  # m moves u at its next reset


@pytest.mark.parametrize("tau", [2, 2.0, 3])
def test_decay_by_lag_of_any_number(tau: float) -> None:
    settings = dict(TemporalGradient.settings) | {"width": 4, "epochs": 1, "train_samples": 8, "neuron.tau": tau}
    values = TemporalGradient().run(Cell("temporal_gradient", "lif", "reference", 0, settings))
    decay = [value.value for value in values if value.metric == "decay_by_lag" and value.layer == "neurons.0"]
    assert decay == pytest.approx([(1 - 1 / tau) ** lag for lag in (1, 2, 3)])


def test_seeds_of_each_profile() -> None:
    """One network is looked at, but in the full profile as many as accuracies are measured on."""
    task = TemporalGradient()
    assert [task.seeds(profile, 8) for profile in ("smoke", "quick", "full")] == [1, 1, 8]


def test_without_a_spatial_gradient_there_is_no_ratio() -> None:
    """Of the alpha neuron, e + i = x − x at the step of an input: it acts a step later."""
    layer = neurons.layer("alpha", backend="reference").double()
    x = drive(6, 64, seed=0).double()
    jacobian = temporal_jacobian(layer, 3 * x)
    parts = decompose(jacobian, torch.ones_like(x))
    assert float(parts.spatial.abs().max()) == 0
    assert float(parts.by_lag().max()) > 0
    metrics = {value.metric for value in describe(parts, "0")}
    assert "temporal_ratio" not in metrics
    assert "horizon" in metrics


def test_a_model_over_whole_sequences_has_the_jacobian_of_its_own_forward() -> None:
    # sliding PSN: every entry of a diagonal is the tap of its lag, and nothing lies beyond the last of four
    layer = neurons.layer("sliding_psn", backend="reference", surrogate="straight_through").double()
    jacobian = temporal_jacobian(layer, torch.zeros(6, 1, 1, dtype=torch.float64))[..., 0, 0]
    for lag, tap in enumerate((1, 0.5, 0.25, 0.125, 0, 0)):
        assert jacobian.diagonal(-lag).tolist() == [tap] * (6 - lag)
    assert (jacobian.triu(1) == 0).all()
    later = neurons.layer("psn", timesteps=6, backend="reference", surrogate="straight_through").double()
    whole = temporal_jacobian(later, torch.zeros(6, 1, 1, dtype=torch.float64))[..., 0, 0]
    assert torch.allclose(whole, later.weight)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, r"784 steps, 64 samples and 128 neurons takes 19 GiB, more than 4: samples=13 fits"),
        ({"width": 4096}, r"takes 600 GiB, more than 4: take a narrower network"),
    ],
)
def test_a_jacobian_beyond_the_memory_is_refused_before_training(settings: dict[str, int], line: str) -> None:
    known = tasks.get("temporal_gradient").settings
    cell = Cell("temporal_gradient", "lif", "cpu", 0, {**known, "dataset": "psmnist5k", **settings})
    with pytest.raises(BackendUnavailable, match=line):
        list(tasks.get("temporal_gradient").run(cell))
