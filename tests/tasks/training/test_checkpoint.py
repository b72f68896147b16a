"""A training that was interrupted ends with the bits of one that was not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import neurons
from tasks import Cell, data, get
from tasks.data import location
from tasks.training import checkpoint
from tasks.training.checkpoint import PLACE
from tasks.training.loop import Epoch
from tasks.training.network_task import exchange, prepare, trained
from tests.tasks.data import made_files

SMALL: dict[str, Any] = {"width": 8, "epochs": 4, "train_samples": 96, "batch_size": 32, "dataset": "digits"}
CIFAR = {"dataset": "cifar10", "network": "vgg11", "width": 2, "train_samples": 20, "batch_size": 8, "timesteps": 2}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "adamw": ("plif", {}),
    "sgd, clipped": ("clif", {"optimizer": "sgd", "clip_gradients": 0.5}),
    "dropout": ("lif", {"dropout": 0.3}),
    "exchange": ("lif", {"exchange_to": "clif", "exchange_at": 1}),
    "16 bits": ("lif", {"precision": "bf16"}),
    "images": ("lif", {**CIFAR, "augmentation": "crop+cutout+flip", "cutmix": 1.0, "held_out": False}),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The log of a cell, beside which its checkpoints are."""
    monkeypatch.setenv(location.VARIABLE, str(tmp_path / "data"))
    made_files.cifar10(tmp_path / "data")
    data._load.cache_clear()
    yield tmp_path / "cell.log"
    PLACE.base = None
    data._load.cache_clear()


def cell_of(kind: str) -> Cell:
    neuron, settings = KINDS[kind]
    return Cell("accuracy", neuron, "reference", 3, {**get("accuracy").settings, **SMALL, **settings})


def run(cell: Cell, log: Path | None, stop: int | None = None) -> tuple[list[Epoch], dict[str, Tensor]]:
    """Its epochs, as the accuracy task takes them, and the network's state at the end."""
    if log is not None:
        PLACE.begin(log)
    dataset, network = prepare(cell)
    epochs = []
    for epoch in islice(trained(cell, dataset, network), stop):
        epochs.append(epoch)
        if cell.settings["exchange_to"] and len(epochs) == cell.settings["exchange_at"]:
            exchange(network, replace(cell, neuron=cell.settings["exchange_to"]))
    return epochs, {name: value.clone() for name, value in network.state_dict().items()}


def same(first: Epoch, second: Epoch) -> bool:
    """All but what is read off the machine: the time and the process's memory."""
    left, right = ({**asdict(own), "seconds": 0.0, "memory": 0} for own in (first, second))
    assert torch.equal(left.pop("predicted"), right.pop("predicted"))
    return repr(left) == repr(right)  # NaN, where nothing is held out, is equal to itself here


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_goes_on_to_the_same_bits(kind: str, place: Path) -> None:
    cell = cell_of(kind)
    whole, expected = run(cell, None)
    for stop in (1, 2):
        run(cell, place, stop)
    torch.manual_seed(99)  # another process begins from another state
    epochs, state = run(cell, place)
    assert len(epochs) == len(whole) == 4
    assert all(same(first, second) for first, second in zip(epochs, whole, strict=True))
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    assert [path.name for path in place.parent.glob("*.checkpoint*")] == ["cell.checkpoint1"]
    checkpoint.discard(place)
    assert not list(place.parent.glob("*checkpoint*"))


def test_two_trainings_of_a_cell_do_not_share_a_checkpoint(place: Path) -> None:
    cell = cell_of("adamw")
    PLACE.begin(place)
    for _ in range(2):
        dataset, network = prepare(cell)
        assert len(list(trained(cell, dataset, network))) == 4
    assert sorted(path.name for path in place.parent.glob("*.checkpoint*")) == ["cell.checkpoint1", "cell.checkpoint2"]


def test_a_checkpoint_that_cannot_be_read_is_told_and_left(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell = cell_of("adamw")
    whole, expected = run(cell, None)
    run(cell, place, 2)
    path = place.with_name("cell.checkpoint1")
    path.write_bytes(path.read_bytes()[:-200])
    epochs, state = run(cell, place)
    assert "cell.checkpoint1 cannot be read and training begins anew" in capsys.readouterr().err
    assert len(epochs) == len(whole)
    assert all(torch.equal(state[name], expected[name]) for name in expected)


def test_the_curve_of_a_training_that_did_not_end_is_kept(place: Path) -> None:
    task, cell = get("accuracy"), cell_of("adamw")
    assert task.unfinished(place) == [], "it left nothing"
    epochs, _ = run(cell, place, 2)
    found = task.unfinished(place)
    curve = [(value.step, value.value) for value in found if value.metric == "train_loss"]
    assert curve == [(number, epoch.train_loss) for number, epoch in enumerate(epochs, 1)]
    assert {value.metric for value in found} == {
        *("train_loss", "validation_loss", "test_loss", "validation_accuracy", "test_accuracy"),
        *("training_rate", "learned_parameter"),
    }
    path = place.with_name("cell.checkpoint1")
    path.write_bytes(path.read_bytes()[:-200])
    assert task.unfinished(place) == [], "it cannot be read"


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    epochs, _ = run(cell_of("adamw"), place)
    assert len(epochs) == 4
    assert capsys.readouterr().err.count("no checkpoint: [Errno 28] No space left on device") == 4


def test_nothing_is_held_out_where_all_is_trained_on(place: Path) -> None:
    """No number of validation is told, and the selected epoch is the last."""
    values = list(get("accuracy").run(cell_of("images")))
    found = {value.metric: value.value for value in values}
    assert not {"accuracy_validation_best", "validation_loss", "validation_accuracy"} & set(found)
    assert found["accuracy_selected"] == found["accuracy_final"]
    assert neurons.get("lif")
