"""Gradients cut at each step, neurons that begin each step anew, and what has neither."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import tasks
from neurons import BackendUnavailable
from tasks import Cell
from tasks.accuracy import MEASURED
from tasks.networks import Forgetful, neurons_of
from tasks.temporal_need import TIMES, TimedCell
from tasks.training.network_task import prepare

TASK = tasks.get("temporal_need")


def cell(kind: type[Cell] = Cell, neuron: str = "lif", backend: str = "cpu", **settings: Any) -> Cell:
    small = {"dataset": "delayed_recall", "width": 16, "epochs": 2, "train_samples": 128}
    return kind("temporal_need", neuron, backend, 0, {**TASK.settings, **small, **settings})


@pytest.mark.parametrize("network", ["mlp", "recurrent"])
@pytest.mark.parametrize("time", TIMES)
def test_how_far_a_score_sees_and_a_gradient_goes(time: str, network: str) -> None:
    """The last score of a network: which inputs change it, and from which it takes gradients."""
    _, built = prepare(cell(TimedCell, time=time, network=network, delay=3))
    torch.manual_seed(0)
    x = torch.randn(64, 6, 20, requires_grad=True)
    for norm in (module for module in built.modules() if isinstance(module, torch.nn.BatchNorm1d)):
        norm.momentum = None  # its running averages are those of this batch
    built(x)
    built.eval()
    scores = built(x)[-1]
    (gradient,) = torch.autograd.grad(scores.square().sum(), x)
    reached = gradient.abs().amax((0, 2)) > 0
    assert reached.tolist() == ([True] * 6 if time == "full" else [False] * 5 + [True])
    other = torch.cat([x[:, :5].flip(0), x[:, 5:]], 1)
    assert torch.equal(built(other)[-1], scores) is (time == "none")


def test_the_full_one_is_the_accuracy_task() -> None:
    own = cell()
    known = {key: value for key, value in own.settings.items() if key != "time"}
    plain = tasks.get("accuracy").run(Cell("accuracy", "lif", "cpu", 0, known))
    expected = {(v.metric, v.layer, v.step): v.value for v in plain if v.metric not in MEASURED}
    found = {(v.metric, v.layer, v.step): v.value for v in TASK.run(own) if v.metric not in MEASURED}
    assert found == expected


def test_parameters_begin_as_without_it() -> None:
    (plain, forgetful) = (neurons_of(prepare(cell(TimedCell, "plif", time=time))[1]) for time in ("full", "none"))
    for name, layer in forgetful.items():
        assert isinstance(layer, Forgetful)
        assert torch.equal(layer.w, plain[name].w)


@pytest.mark.parametrize(
    ("neuron", "backend", "settings", "line"),
    [
        ("glif", "cpu", {"time": "none"}, "glif knows its place in the sequence"),
        ("psn", "reference", {"time": "none"}, "psn knows its place in the sequence"),
        ("psn", "reference", {"time": "cut"}, "its gradient cannot be truncated"),
        ("lif", "spikingjelly", {"time": "cut"}, "spikingjelly cannot truncate"),
        ("relu", "cpu", {"time": "cut", "network": "gru"}, "network gru has a memory of its own"),
    ],
)
def test_what_cannot_be_taken_away(neuron: str, backend: str, settings: dict[str, Any], line: str) -> None:
    with pytest.raises(BackendUnavailable, match=line):
        list(TASK.run(cell(Cell, neuron, backend, **settings)))


@pytest.mark.parametrize("settings", [{"bptt_steps": 2}, {"exchange_to": "clif", "exchange_at": 1}])
def test_settings_that_would_take_more_away(settings: dict[str, Any]) -> None:
    refusal = TASK.refusal({**cell().settings, **settings})
    assert refusal is not None
    assert refusal.startswith(f"setting {next(iter(settings))}=")
