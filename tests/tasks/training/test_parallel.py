"""A training by two processes is that of one: gloo on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

import tasks
from neurons import BackendUnavailable
from tasks import Cell
from tasks.networks import SpikingNetwork
from tasks.training import parallel
from tasks.training.checkpoint import PLACE
from tasks.training.loop import Epoch
from tasks.training.network_task import prepare, trained

SMALL = {"width": 16, "timesteps": 3, "batch_size": 30, "train_samples": 101, "epochs": 1, "optimizer": "sgd"}


def cell_of(neuron: str = "clif", device: str = "cpu", **settings: Any) -> Cell:
    return Cell("accuracy", neuron, "cpu", 3, {**tasks.get("accuracy").settings, **SMALL, **settings}, device)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where a cell keeps its checkpoints."""
    before = dict(vars(PLACE))
    PLACE.begin(tmp_path / "cell.log")
    yield tmp_path
    vars(PLACE).update(before)


def whole(cell: Cell, stop: int | None = None) -> tuple[list[Epoch], SpikingNetwork]:
    dataset, network = prepare(cell)
    training = trained(cell, dataset, network)
    epochs = list(islice(training, stop))
    training.close()
    return epochs, network


def test_gradients_and_statistics_are_those_of_one(place: Path) -> None:
    """Of a batch of 29, which two cannot share equally; norms see all of it, and one process keeps the checkpoint."""
    (one,), alone = whole(cell_of(train_samples=29))
    for path in place.iterdir():
        path.unlink()
    PLACE.begin(place / "cell.log")
    (two,), together = whole(cell_of(train_samples=29, processes=2))
    own, right = dict(together.named_parameters()), dict(alone.named_parameters())
    assert set(own) == set(right)
    for name, parameter in right.items():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0
        assert torch.allclose(own[name].grad, parameter.grad, rtol=1e-4, atol=1e-6), name
        assert torch.allclose(own[name], parameter, rtol=1e-4, atol=1e-6), name
    for name, buffer in alone.named_buffers():
        assert torch.allclose(dict(together.named_buffers())[name].float(), buffer.float(), rtol=1e-5, atol=1e-6), name
    assert two.train_loss == pytest.approx(one.train_loss, rel=1e-5)
    assert two.samples == one.samples == 29
    assert two.predicted is not None
    assert one.predicted is not None
    assert (two.predicted == one.predicted).float().mean() > 0.95
    assert [path.name for path in place.iterdir()] == ["cell.checkpoint1"]


@pytest.mark.slow
def test_a_training_of_two_goes_on_where_it_was_killed(place: Path) -> None:
    """With dropout, which each process draws for its own samples: the same bits as unbroken."""
    cell = cell_of(epochs=3, dropout=0.2, processes=2)
    unbroken, network = whole(cell)
    (place / "cell.checkpoint1").unlink()
    PLACE.begin(place / "cell.log")
    assert len(whole(cell, stop=2)[0]) == 2
    PLACE.begin(place / "cell.log")
    resumed, again = whole(cell)
    assert [epoch.train_loss for epoch in resumed] == [epoch.train_loss for epoch in unbroken]
    assert [epoch.test_loss for epoch in resumed] == [epoch.test_loss for epoch in unbroken]
    for name, value in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


OWN = """
import torch
from neurons import Neuron, register
@register
class OfAUser(Neuron):
    states = ("u",)
    def step(self, x, u):
        u = 0.5 * u + x
        spike = self.spike(u - self.v_th)
        return spike, u - spike
"""


@pytest.mark.slow
def test_a_neuron_of_a_user_and_a_process_that_dies(neuron_file, monkeypatch: pytest.MonkeyPatch) -> None:
    import neurons

    neurons.load_file(neuron_file(OWN))
    cell = cell_of("ofauser", epochs=2, processes=2)
    assert len(whole(cell)[0]) == 2
    dataset, network = prepare(cell)
    started = []
    real = parallel._started
    monkeypatch.setattr(parallel, "_started", lambda order: started.append(real(order)) or started[-1])
    training = trained(cell, dataset, network)
    next(training)
    started[0].kill()
    started[0].wait()
    with pytest.raises(RuntimeError):
        next(training)


@pytest.mark.parametrize(
    ("task", "settings", "line"),
    [
        ("training_speed", {}, "training_speed runs single steps of one process"),
        ("accuracy", {"exchange_to": "lif", "exchange_at": 1, "epochs": 2}, "exchange_to=lif is for one process"),
        ("accuracy", {"batch_size": 2, "processes": 3}, "batch_size=2 leaves some without a sample"),
    ],
)
def test_what_is_refused(task: str, settings: dict[str, Any], line: str) -> None:
    refusal = tasks.get(task).refusal({**tasks.get(task).settings, "processes": 2, **settings})
    assert refusal is not None
    assert line in refusal


def test_cards_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel.devices.Cuda, "count", lambda self: 2)
    assert parallel.card(cell_of(device="cuda:0", processes=2), 1) == "cuda:1"
    with pytest.raises(BackendUnavailable, match="processes=2 from cuda:1 on: there are 2 cards"):
        parallel.card(cell_of(device="cuda:1", processes=2), 1)
