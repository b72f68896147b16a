"""e-prop: gradients of whole networks against eligibility traces that are written out, weight by weight."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import neurons
from neurons import BackendUnavailable
from tasks import Cell, get
from tasks.networks import RecurrentNeurons, SpikingNetwork
from tasks.training.eligibility import EligibilityTraces
from tasks.training.step import TrainingStep

STEPS, BATCH, FEATURES, WIDTH, CLASSES = 7, 3, 5, 4, 2
STEPPED = [name for name in neurons.names() if neurons.get(name).runs_over_time()]


def network(name: str, depth: int, feedback: bool = True, bptt_steps: int | None = None) -> SpikingNetwork:
    torch.manual_seed(3)
    synapses = [nn.Sequential(nn.Linear(size, WIDTH, bias=False)) for size in [FEATURES, *[WIDTH] * (depth - 1)]]
    layers: list[Any] = [neurons.layer(name, backend="reference", bptt_steps=bptt_steps) for _ in range(depth)]
    if feedback:
        layers = [RecurrentNeurons(layer, WIDTH) for layer in layers]
    made = SpikingNetwork(synapses, layers, nn.Linear(WIDTH, CLASSES), None).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.uniform_(-0.6, 1.2)  # so that neurons of both layers fire
    return made


def batch() -> tuple[Tensor, Tensor]:
    """Inputs, and what the loss weighs each class score of each step with."""
    draw = torch.Generator().manual_seed(1)
    x = torch.rand(BATCH, STEPS, FEATURES, generator=draw, dtype=torch.float64) * 1.5
    return x, torch.randn(STEPS, BATCH, CLASSES, generator=draw, dtype=torch.float64)


def by_eprop(made: nn.Module, loss_of: Callable[[], Tensor]) -> dict[str, Tensor]:
    traces = EligibilityTraces(made)
    made.zero_grad()
    with traces.recorded():
        loss = loss_of()
    traces.backward(loss)
    return {name: own.grad.clone() for name, own in made.named_parameters() if own.grad is not None}


def by_back_propagation(made: nn.Module, loss_of: Callable[[], Tensor]) -> dict[str, Tensor]:
    made.zero_grad()
    loss_of().backward()
    return {name: own.grad.clone() for name, own in made.named_parameters() if own.grad is not None}


def weighed(made: SpikingNetwork) -> Callable[[], Tensor]:
    def loss() -> Tensor:
        x, weights = batch()
        return (made(x) * weights).sum()

    return loss


def alike(one: dict[str, Tensor], other: dict[str, Tensor], **tolerance: float) -> bool:
    assert set(one) == set(other)
    return all(torch.allclose(one[name], other[name], **tolerance) for name in one)


def lif(x: Tensor, states: list[Tensor], dx: Tensor, before: list[Tensor]) -> Any:
    """tau 2, threshold 1, rectangle of width 1, soft reset.

    Args:
        dx, before: derivatives of the input and of the states by each weight, with one dimension more.

    Returns:
        Output, states, the derivatives of both, and that of the output by the input of this step.
    """
    u, du = 0.5 * states[0] + x, 0.5 * before[0] + dx
    spike, slope = (u >= 1).double(), ((u - 1).abs() < 0.5).double()
    ds = slope.unsqueeze(-1) * du
    return spike, [u - spike], ds, [du - ds], slope


def alif(x: Tensor, states: list[Tensor], dx: Tensor, before: list[Tensor]) -> Any:
    """The same with a threshold of 1 + 1.8·a."""
    keep, threshold = math.exp(-1 / 20), 1 + 1.8 * states[1]
    dthreshold = 1.8 * before[1]
    u, du = 0.5 * states[0] + x, 0.5 * before[0] + dx
    spike, slope = (u >= threshold).double(), ((u - threshold).abs() < 0.5).double()
    ds = slope.unsqueeze(-1) * (du - dthreshold)
    after = du - dthreshold * spike.unsqueeze(-1) - threshold.unsqueeze(-1) * ds
    adapted = keep * states[1] + (1 - keep) * spike
    return spike, [u - threshold * spike, adapted], ds, [after, keep * before[1] + (1 - keep) * ds], slope


EQUATIONS = {"lif": (lif, 1), "alif": (alif, 2)}


def traced(name: str, heard: Tensor, weight: Tensor, feedback: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs [T, N, j] of a layer for the inputs that it hears, its traces by each weight and by each of its own.

    A neuron's trace is by its own weights: [T, N, j, i], where i counts what it hears, and then its own outputs.
    """
    step, count = EQUATIONS[name]
    zeros = heard.new_zeros(BATCH, WIDTH)
    states, output = [zeros] * count, zeros
    before = [heard.new_zeros(BATCH, WIDTH, heard.shape[2] + WIDTH)] * count
    outputs, traces, slopes = [], [], []
    for now in heard:
        into = torch.cat([now, output], dim=1)  # neuron j's input changes by that with each of its weights
        x = now @ weight.T + output @ feedback.T
        output, states, trace, before, slope = step(x, states, into.unsqueeze(1).expand(-1, WIDTH, -1), before)
        outputs.append(output)
        traces.append(trace)
        slopes.append(slope)
    return torch.stack(outputs), torch.stack(traces), torch.stack(slopes)


@pytest.mark.parametrize("name", EQUATIONS)
def test_gradients_are_learning_signals_times_eligibility_traces(name: str) -> None:
    made, (x, weights) = network(name, depth=2), batch()
    found = by_eprop(made, weighed(made))
    parameters = {key: own.detach() for key, own in made.named_parameters()}
    inputs = [f"synapses.{place}.0.weight" for place in (0, 1)]
    own = [f"neurons.{place}.feedback.weight" for place in (0, 1)]
    first, traces_of_first, _ = traced(name, x.transpose(0, 1), parameters[inputs[0]], parameters[own[0]])
    second, traces_of_second, slopes = traced(name, first, parameters[inputs[1]], parameters[own[1]])
    assert 0.1 < first.mean() < 0.9
    assert 0.1 < second.mean() < 0.9
    readout = next(own for key, own in parameters.items() if key.startswith("readout") and own.ndim == 2)
    signal_of_second = weights @ readout
    signal_of_first = (signal_of_second * slopes) @ parameters[inputs[1]]  # within a step, past the second layer
    for place, signal, traces in ((0, signal_of_first, traces_of_first), (1, signal_of_second, traces_of_second)):
        gradient = torch.einsum("tnj,tnji->ji", signal, traces)
        by_inputs, by_itself = gradient[:, :-WIDTH], gradient[:, -WIDTH:]
        assert by_inputs.abs().max() > 0
        assert torch.allclose(found[inputs[place]], by_inputs, rtol=0, atol=1e-12)
        assert torch.allclose(found[own[place]], by_itself, rtol=0, atol=1e-12)


def test_a_single_layer_without_feedback_is_back_propagated_in_full() -> None:
    """It has no other neuron that a gradient could pass."""
    made = network("alif", depth=1, feedback=False)
    assert alike(by_eprop(made, weighed(made)), by_back_propagation(made, weighed(made)), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("depth", "feedback"), [(2, False), (1, True)])
def test_ways_through_other_neurons_in_time_are_left_out(depth: int, feedback: bool) -> None:
    made = network("lif", depth, feedback)
    eprop, full = by_eprop(made, weighed(made)), by_back_propagation(made, weighed(made))
    assert not torch.allclose(eprop["synapses.0.0.weight"], full["synapses.0.0.weight"])
    assert all(torch.allclose(eprop[name], full[name]) for name in full if name.startswith("readout"))


def test_gradients_pass_back_as_before_once_a_pass_is_recorded() -> None:
    made = network("lif", depth=2)
    before = by_back_propagation(made, weighed(made))
    by_eprop(made, weighed(made))
    assert alike(by_back_propagation(made, weighed(made)), before, rtol=0, atol=0)


def step_of(name: str, backend: str = "reference", **settings: Any) -> TrainingStep:
    own = {**get("training_speed").settings, "dataset": "digits", "width": 4, "timesteps": 3, "batch_size": 4}
    return TrainingStep(Cell("training_speed", name, backend, 0, own | settings))


def gradients(training: TrainingStep) -> dict[str, Tensor]:
    training.step()
    return {name: own.grad.clone() for name, own in training.network.named_parameters() if own.grad is not None}


@pytest.mark.parametrize("architecture", ["mlp", "recurrent", "resnet18", "ms_resnet18", "transformer"])
def test_with_gradients_of_single_steps_it_is_sltt(architecture: str) -> None:
    """Whatever ways there are within a step, past shortcuts and products of spikes, each is gone once."""
    settings = {"network": architecture, "dataset": "mnist5k", "bptt_steps": 1}
    with_traces, plain = (gradients(step_of("lif", **settings, eprop=eprop)) for eprop in (True, False))
    assert any(own.abs().max() > 0 for name, own in plain.items() if name.startswith("synapses.0"))
    assert set(with_traces) == set(plain)
    for name, own in plain.items():  # float32, summed in another order
        assert (with_traces[name] - own).abs().max() <= 1e-3 * own.abs().max() + 1e-6, name


@pytest.mark.parametrize("architecture", ["mlp", "recurrent"])
def test_fused_kernels_and_the_reference_agree(architecture: str) -> None:
    fused, exact = (
        gradients(step_of("clif", backend, network=architecture, eprop=True)) for backend in ("cpu", "reference")
    )
    assert alike(fused, exact, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", STEPPED)
def test_every_model_with_a_step_is_trained(name: str) -> None:
    training = step_of(name, eprop=True)
    before = [own.detach().clone() for own in training.network.parameters()]
    found = gradients(training)
    assert all(torch.isfinite(own).all() for own in found.values())
    assert set(found) == set(gradients(step_of(name)))
    assert any(not torch.equal(own, old) for own, old in zip(training.network.parameters(), before, strict=True))


def test_a_model_without_a_step_has_no_traces() -> None:
    with pytest.raises(BackendUnavailable, match="psn is not a step over time"):
        step_of("psn", "auto", eprop=True).step()


def test_a_network_without_neurons_has_none() -> None:
    with pytest.raises(BackendUnavailable, match="a network without layers of neurons"):
        step_of("relu", network="gru", eprop=True)


@pytest.mark.parametrize(("name", "value"), [("compile", "on"), ("processes", 2)])
def test_what_cannot_be_combined_is_refused(name: str, value: Any) -> None:
    task = get("accuracy")
    settings = {**task.settings, "eprop": True}
    assert task.refusal(settings) is None
    assert str(task.refusal(settings | {name: value})).startswith(f"setting eprop=True: {name}={value}")
