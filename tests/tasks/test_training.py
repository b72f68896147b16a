"""Losses by hand, and repeatable training."""

from __future__ import annotations

import math

import pytest
import torch

from neurons import UnknownName
from tasks.accuracy.task import Accuracy, prepare, summarise
from tasks.accuracy.training import Epoch, Recipe, mean_cross_entropy, temporal_efficient_loss
from tasks.base import Cell

SETTINGS = dict(Accuracy.settings) | {"dataset": "digits", "width": 16, "epochs": 2, "train_samples": 256}


def test_tet_loss_by_hand() -> None:
    # two steps, one sample, two classes, label 0. Cross entropy: ln 2 at (0, 0); ln(1 + e^−2) at (2, 0).
    # MSE to 1: ((1 + 1) + (1 + 1)) / 4 = 1
    scores = torch.tensor([[[0.0, 0.0]], [[2.0, 0.0]]])
    entropy = (math.log(2) + math.log(1 + math.exp(-2))) / 2
    loss = temporal_efficient_loss(scores, torch.tensor([0]))
    assert loss.item() == pytest.approx(0.95 * entropy + 0.05)


def test_mean_cross_entropy_by_hand() -> None:
    scores = torch.tensor([[[0.0, 0.0]], [[2.0, 0.0]]])
    assert mean_cross_entropy(scores, torch.tensor([0])).item() == pytest.approx(math.log(1 + math.exp(-1)))


def test_same_seed_gives_the_same_rows() -> None:
    cell = Cell("accuracy", "clif", "reference", 3, SETTINGS)
    runs = [[v for v in Accuracy().run(cell) if v.metric != "training_seconds"] for _ in range(2)]
    assert runs[0] == runs[1]
    other = list(Accuracy().run(Cell("accuracy", "clif", "reference", 4, SETTINGS)))
    assert runs[0] != [v for v in other if v.metric != "training_seconds"]


def test_selection_never_looks_at_the_test_set() -> None:
    epochs = [
        Epoch(1.0, 1.0, validation_accuracy=0.7, test_loss=1.0, test_accuracy=0.9, seconds=1),
        Epoch(1.0, 1.0, validation_accuracy=0.8, test_loss=1.0, test_accuracy=0.6, seconds=1),
        Epoch(1.0, 1.0, validation_accuracy=0.5, test_loss=1.0, test_accuracy=0.7, seconds=1),
    ]
    values = {value.metric: value.value for value in summarise(epochs) if value.step is None}
    assert values["accuracy_selected"] == 60
    assert values["accuracy_final"] == 70
    assert values["accuracy_paper_style"] == 90
    assert values["training_seconds"] == 3


def test_of_tied_epochs_the_one_of_lowest_validation_loss_counts() -> None:
    epochs = [
        Epoch(1.0, loss, validation_accuracy=accuracy, test_loss=1.0, test_accuracy=test, seconds=1)
        for loss, accuracy, test in [(0.5, 0.8, 0.1), (0.3, 0.8, 0.2), (0.4, 0.8, 0.3), (0.1, 0.7, 0.4)]
    ]
    for order in (epochs, epochs[::-1]):
        values = {value.metric: value.value for value in summarise(order) if value.step is None}
        assert values["accuracy_selected"] == pytest.approx(20)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_weight_decay_leaves_the_parameters_of_neurons(optimizer: str) -> None:
    """A step without any gradient: what decay pulls on shrinks by rate · decay, the rest stays."""
    settings = SETTINGS | {"optimizer": optimizer, "learning_rate": 0.5, "weight_decay": 0.1}
    _, network = prepare(Cell("accuracy", "glif", "reference", 0, settings))
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    Recipe.from_settings(settings).make_optimizer(network).step()
    moved = {name: not torch.equal(parameter, before[name]) for name, parameter in network.named_parameters()}
    of_neurons = {name for name in moved if name.startswith("neurons.")}
    assert len(of_neurons) == 16
    assert not any(moved[name] for name in of_neurons)
    weight = "synapses.0.1.weight"
    assert torch.allclose(dict(network.named_parameters())[weight], before[weight] * 0.95)


def test_recipe_defaults_follow_the_optimizer() -> None:
    assert Recipe.from_settings(SETTINGS | {"optimizer": "sgd"}).learning_rate == 0.1
    assert Recipe.from_settings(SETTINGS | {"optimizer": "sgd", "learning_rate": 0.05}).learning_rate == 0.05
    with pytest.raises(UnknownName, match="did you mean 'adamw'"):
        Recipe.from_settings(SETTINGS | {"optimizer": "adam"})
    with pytest.raises(UnknownName, match="unknown loss"):
        Recipe.from_settings(SETTINGS | {"loss": "hinge"})


def test_stateless_neuron_sees_a_static_image_once() -> None:
    from tasks.accuracy.task import prepare

    _, network = prepare(Cell("accuracy", "relu", "reference", 0, SETTINGS))
    assert network.timesteps == 1
    _, network = prepare(Cell("accuracy", "lif", "reference", 0, SETTINGS))
    assert network.timesteps == 4
