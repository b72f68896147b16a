"""The step that training is timed by: real data, the recipe's optimiser, and the part of it that the neurons take."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from neurons import NeuronLayer
from tasks import Cell, data, get, training_memory
from tasks.memory import Peak
from tasks.training.network_task import prepare
from tasks.training.step import TrainingStep


def step_of(**settings: Any) -> TrainingStep:
    own = {**get("training_speed").settings, "dataset": "digits", "width": 16, "loss": "cross_entropy"}
    return TrainingStep(Cell("training_speed", "clif", "reference", 3, own | {"optimizer": "sgd"} | settings))


def test_the_batch_is_of_the_training_part() -> None:
    inputs, labels = data.load("digits").part("train")
    training = step_of(batch_size=32)
    assert torch.equal(training.x, inputs[:32])
    assert torch.equal(training.y, labels[:32])
    large = step_of(batch_size=1300)  # 1,257 samples are there
    assert torch.equal(large.x[1257:], inputs[:43])


def test_a_step_is_one_of_the_recipe() -> None:
    """Its gradient alone, however often it is called, and one step of SGD by it."""
    training = step_of(batch_size=32, learning_rate=0.5, weight_decay=0.0)
    _, other = prepare(Cell("accuracy", "clif", "reference", 3, {**get("accuracy").settings, "width": 16}))
    velocity: dict[str, Tensor] = {}
    for _ in range(2):
        training.step()
        other.zero_grad()
        torch.nn.functional.cross_entropy(other(training.x).mean(0), training.y).backward()
        with torch.no_grad():
            for name, parameter in other.named_parameters():
                assert parameter.grad is not None
                velocity[name] = 0.9 * velocity.get(name, torch.zeros(())) + parameter.grad
                parameter.sub_(0.5 * velocity[name])
    for name, parameter in training.network.named_parameters():
        assert torch.allclose(parameter, other.get_parameter(name), atol=1e-5), name


def test_neurons_alone_repeat_what_the_layers_did() -> None:
    training = step_of(batch_size=32)
    training.record_currents()
    seen: list[Tensor] = []
    layers = [layer for layer in training.network.modules() if isinstance(layer, NeuronLayer)]
    for layer in layers:
        layer.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0].detach().clone()))
    training.network(training.x)
    assert [layer for layer, _, _ in training.currents] == layers
    for (_, current, _), expected in zip(training.currents, seen, strict=True):
        assert torch.equal(current, expected)
    for _ in range(2):
        training.neurons_alone()
    for layer, current, gradient in training.currents:
        assert torch.equal(gradient, torch.ones_like(current))
        (expected,) = torch.autograd.grad(layer(current).sum(), current)
        assert torch.equal(current.grad, expected)
        assert expected.any()


def test_peak_is_that_of_a_step_after_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The optimiser's state is there before, so that it is no part of the peak."""
    states: list[int] = []

    def peak(work: Any, device: torch.device) -> Peak:
        states.append(len(work.__self__.trainer.optimizer.state))
        assert work.__name__ == "step"
        assert device.type == "cpu"
        return Peak(3 * 2**20)

    monkeypatch.setattr(training_memory, "peak_bytes", peak)
    settings = {**get("training_memory").settings, "dataset": "digits", "width": 16}
    (found,) = get("training_memory").run(Cell("training_memory", "lif", "cpu", 0, settings))
    assert (found.metric, found.value) == ("training_peak", 3.0)
    assert states[0] > 0
