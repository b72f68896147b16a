"""The kernels that ran are read off the profiler, and a backend that is not what it says is refused."""

from __future__ import annotations

import pytest
import torch

import neurons
from neurons import InvalidValue
from tasks import Cell, get
from tasks.measuring.executed import WrongKernel, check, executed
from tasks.networks import neurons_of
from tasks.training.step import TrainingStep


def run(name: str, backend: str, steps: int) -> object:
    x = torch.randn(steps, 8, 16, requires_grad=True)
    layer = neurons.layer(name, 16, steps, backend)
    gradient = torch.ones_like(x)

    def work() -> None:
        layer(x).backward(gradient)

    work()
    return executed(work)


@pytest.mark.parametrize(
    ("name", "backend", "kind"),
    [
        ("clif", "cpu", "fused C"),
        ("glif", "cpu", "fused C"),
        ("clif", "reference", "torch operators"),
        ("lif", "spikingjelly", "torch operators"),
        ("snntorch.leaky", "snntorch", "torch operators"),
    ],
)
def test_kind(name: str, backend: str, kind: str) -> None:
    found = run(name, backend, 4)
    assert found.kind == kind
    check(backend, found)


def test_calls_grow_with_time_for_a_loop_alone() -> None:
    assert run("clif", "cpu", 4).calls == run("clif", "cpu", 16).calls
    assert run("clif", "reference", 16).calls > 3 * run("clif", "reference", 4).calls


def test_a_backend_that_runs_something_else_is_refused() -> None:
    with pytest.raises(WrongKernel, match="backend cpu should run fused C but ran torch operators"):
        check("cpu", run("clif", "reference", 4))


def test_neurons_alone_are_a_part_of_the_step() -> None:
    """Each layer runs on what it gets within the network, forward and backward; the step has the synapses besides."""
    settings = {**get("training_speed").settings, "dataset": "digits", "network": "mlp"}
    training = TrainingStep(Cell("training_speed", "clif", "cpu", 0, settings))
    training.step()
    layers, inputs = list(neurons_of(training.network).values()), []
    hooks = [layer.register_forward_hook(lambda _, given, __: inputs.append(given[0].detach())) for layer in layers]
    with torch.no_grad():
        training.network(training.x)
    for hook in hooks:
        hook.remove()
    training.record_currents()
    training.neurons_alone()
    assert [layer for layer, _, _ in training.currents] == layers
    for (layer, current, _), given in zip(training.currents, inputs, strict=True):
        assert torch.equal(current, given)
        again = given.clone().requires_grad_()
        layer(again).sum().backward()
        assert again.grad is not None
        assert again.grad.abs().sum() > 0
        assert torch.equal(current.grad, again.grad)


def test_dtype_is_checked() -> None:
    settings = {**get("memory").settings, "dtype": "float8", "elements": 64}
    with pytest.raises(Exception, match="unknown dtype 'float8'; did you mean 'float"):
        list(get("memory").run(Cell("memory", "lif", "reference", 0, settings)))
    with pytest.raises(InvalidValue, match="must be at least 1"):
        list(get("memory").run(Cell("memory", "lif", "reference", 0, {**settings, "dtype": "float32", "elements": 0})))
