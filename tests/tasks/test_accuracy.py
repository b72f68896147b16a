"""The accuracy task: what each profile trains, what a seed decides, and what the rows say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import neurons
from neurons import InvalidValue, Neuron, NeuronLayer
from tasks import accuracy, data, networks
from tasks.accuracy import Accuracy, summarise
from tasks.base import Cell, NotFinite, Value
from tasks.data import Dataset
from tasks.training import network_task
from tasks.training.loop import Epoch, firing_rates
from tasks.training.network_task import prepare
from tasks.training.predictions import packed, unpacked
from tasks.training.recipe import Recipe

SETTINGS = dict(Accuracy.settings) | {"dataset": "digits", "width": 16, "epochs": 2, "train_samples": 256}
DATASETS = ["digits", "mnist5k", "mnist5k_rows", "japanese_vowels", "delayed_recall"]
EPOCHS = {"smoke": [2, 1, 1, 2, 1], "quick": [10, 3, 4, 20, 12], "full": [50, 30, 30, 60, 40]}
WIDTHS = {"smoke": [32, 4, 32, 32, 32], "quick": [None, 8, 96, None, None], "full": [None] * 5}
SAMPLES = {"smoke": [256, 128, 256, None, 256], "quick": [None, 1500, None, None, None], "full": [None] * 5}
NETWORKS = ["mlp", "conv5", "mlp", "mlp", "mlp"]


def cell_of(neuron: str, seed: int = 0, **settings: Any) -> Cell:
    return Cell("accuracy", neuron, "reference", seed, SETTINGS | settings)


def values_of(cell: Cell) -> list[Value]:
    """All but what is measured, which differs from run to run."""
    return [value for value in Accuracy().run(cell) if value.metric not in accuracy.MEASURED]


@pytest.mark.parametrize("profile", EPOCHS)
def test_budget_of_each_data_set(profile: str) -> None:
    defaults = dict(Accuracy.settings)
    grid = [defaults | settings for settings in Accuracy().grid(profile, DATASETS)]
    assert [settings["dataset"] for settings in grid] == DATASETS
    assert [settings["epochs"] for settings in grid] == EPOCHS[profile]
    assert [settings["width"] for settings in grid] == WIDTHS[profile]
    assert [settings["train_samples"] for settings in grid] == SAMPLES[profile]
    assert [settings["network"] for settings in grid] == NETWORKS
    assert [settings["timesteps"] for settings in grid] == [4, 2 if profile == "smoke" else 4, 4, 4, 4]
    assert not Accuracy.exclusive
    assert Accuracy().seeds(profile, 7) == 7


def test_protocol_of_the_comparison() -> None:
    defaults = Accuracy.settings
    assert [defaults[name] for name in ("loss", "optimizer", "batch_size", "protocol")] == [
        *("tet", "adamw", 64, "controlled")
    ]
    assert [defaults[name] for name in ("learning_rate", "weight_decay", "bptt_steps", "exchange_to")] == [None] * 4


def test_same_seed_gives_the_same_rows() -> None:
    torch.manual_seed(5)
    first = values_of(cell_of("clif", 3))
    torch.manual_seed(6)
    assert values_of(cell_of("clif", 3)) == first
    assert values_of(cell_of("clif", 4)) != first


@pytest.mark.parametrize("name", ["lif", "glif"])
def test_a_seed_draws_the_network(name: str) -> None:
    """And each of its parameters that is drawn at all, GLIF's gates too."""

    def drawn(seed: int) -> dict[str, Tensor]:
        torch.manual_seed(99 + seed)
        return {key: value.clone() for key, value in prepare(cell_of(name, seed))[1].named_parameters()}

    first, again, other = drawn(0), drawn(0), drawn(1)
    assert all(torch.equal(first[key], again[key]) for key in first)
    random = [key for key in first if first[key].std() > 1e-3]
    assert any("weight" in key for key in random)
    assert (name != "glif") or any(key.startswith("neurons") for key in random)
    assert not any(torch.equal(first[key], other[key]) for key in random)


def test_a_seed_orders_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the same network, so that the seed of `prepare` cannot hide a lost one."""
    seen: list[int] = []

    def keep(network: Any, dataset: Any, recipe: Any, samples: Any, seed: int, *_: Any) -> list[Epoch]:
        seen.append(seed)
        return [Epoch(1, 1, 1, 1, 1, 1)]

    monkeypatch.setattr(network_task, "train", keep)
    for seed in (0, 1, 17):
        values_of(cell_of("lif", seed))
    assert seen == [0, 1, 17]


def test_settings_reach_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def keep(network: Any, dataset: Any, recipe: Any, samples: Any, seed: int, *_: Any) -> list[Epoch]:
        seen.extend([dataset.name, recipe, samples])
        return [Epoch(1, 1, 1, 1, 1, 1)]

    monkeypatch.setattr(network_task, "train", keep)
    own = {"epochs": 3, "batch_size": 9, "loss": "cross_entropy", "optimizer": "sgd", "train_samples": 77}
    values_of(cell_of("lif", **own, learning_rate=0.25, weight_decay=0.125, dataset="japanese_vowels"))
    assert seen == ["japanese_vowels", Recipe(3, 9, "cross_entropy", "sgd", 0.25, 0.125), 77]


@pytest.mark.parametrize(
    ("neuron", "settings", "shown", "steps"),
    [
        ("lif", {}, 4, 4),
        ("lif", {"timesteps": 7}, 7, 7),
        ("relu", {"timesteps": 7}, 1, 1),  # without a state, a static image says all in one step
        ("lif", {"dataset": "japanese_vowels"}, None, 29),
        ("relu", {"dataset": "japanese_vowels"}, None, 29),
        ("lif", {"dataset": "delayed_recall", "delay": 6}, None, 9),
    ],
)
def test_time_steps_of_a_network(neuron: str, settings: dict[str, Any], shown: int | None, steps: int) -> None:
    dataset, network = prepare(cell_of(neuron, **settings))
    assert network.timesteps == shown
    assert [layer.neuron.timesteps for layer in network.neurons] == [steps] * 2
    assert [layer.channels for layer in network.neurons] == [16] * 2
    assert network(dataset.inputs[:3]).shape == (steps, 3, dataset.classes)


def test_network_of_a_cell() -> None:
    _, network = prepare(cell_of("lif", network="mlp8", width=None, bptt_steps=2, protocol="published"))
    assert [layer.channels for layer in network.neurons] == [64] * 8
    assert {(layer.bptt_steps, layer.backend) for layer in network.neurons} == {(2, "reference")}
    _, network = prepare(cell_of("lif", **{"neuron.tau": 1.25, "width": None}))
    assert [(layer.channels, layer.neuron.tau) for layer in network.neurons] == [(128, 1.25)] * 2


def test_selection_never_looks_at_the_test_set() -> None:
    epochs = [
        Epoch(3.0, 1.1, validation_accuracy=0.7, test_loss=1.4, test_accuracy=0.9, seconds=1, samples=40),
        Epoch(2.0, 1.2, validation_accuracy=0.8, test_loss=1.5, test_accuracy=0.6, seconds=2, memory=3 << 20),
        Epoch(1.0, 1.3, validation_accuracy=0.8, test_loss=1.6, test_accuracy=0.5, seconds=4),
        Epoch(0.5, 0.9, validation_accuracy=0.5, test_loss=1.7, test_accuracy=0.7, seconds=8),
    ]
    found = list(summarise(epochs))
    values = {value.metric: value.value for value in found if value.step is None}
    assert values == pytest.approx(
        {
            "accuracy_selected": 60,  # of the two best the one of lower validation loss
            "accuracy_final": 70,
            "accuracy_validation_best": 80,
            "accuracy_paper_style": 90,
            "training_seconds": 15,
            "training_memory": 3,
        }
    )
    curves = {
        "train_loss": [3, 2, 1, 0.5],
        "validation_loss": [1.1, 1.2, 1.3, 0.9],
        "test_loss": [1.4, 1.5, 1.6, 1.7],
        "validation_accuracy": [70, 80, 80, 50],
        "test_accuracy": [90, 60, 50, 70],
        "training_rate": [40, 0, 0, 0],
    }
    for metric, curve in curves.items():
        points = [(value.step, value.value) for value in found if value.metric == metric]
        assert points == [(number, pytest.approx(value)) for number, value in enumerate(curve, 1)]
    assert {value.metric for value in found} <= set(Accuracy.metrics)


def test_of_tied_epochs_the_one_of_lowest_validation_loss_counts() -> None:
    epochs = [
        Epoch(1.0, loss, validation_accuracy=accuracy, test_loss=1.0, test_accuracy=test, seconds=1)
        for loss, accuracy, test in [(0.5, 0.8, 0.1), (0.3, 0.8, 0.2), (0.4, 0.8, 0.3), (0.1, 0.7, 0.4)]
    ]
    for order in (epochs, epochs[::-1]):
        values = {value.metric: value.value for value in summarise(order) if value.step is None}
        assert values["accuracy_selected"] == pytest.approx(20)


def test_rows_of_a_run() -> None:
    """Learned parameters after each epoch, and the rate of each layer once; all named in the metrics."""
    found = values_of(cell_of("plif"))
    learned = [(value.layer, value.step) for value in found if value.metric == "learned_parameter"]
    assert learned == [(f"neurons.{layer}.w", epoch) for epoch in (1, 2) for layer in (0, 1)]
    rates = {value.layer: value.value for value in found if value.metric == "firing_rate"}
    assert set(rates) == {"neurons.0", "neurons.1"}
    assert 0 < rates["neurons.0"] < 1
    assert 0 <= rates["neurons.1"] < 1
    accuracies = [value.value for value in found if Accuracy.metrics[value.metric].unit == "%"]
    assert accuracies
    assert all(0 <= accuracy <= 100 for accuracy in accuracies)
    # the first decay is that of tau = 2 and training moves it: the rows are not those of one epoch
    values = [value.value for value in found if value.metric == "learned_parameter" and value.layer == "neurons.0.w"]
    assert values[0] != values[1]


def test_answers_of_the_selected_epoch_are_kept() -> None:
    """All of them, so that any accuracy can be counted again from the row."""
    found = {value.metric: value for value in values_of(cell_of("lif")) if value.step is None and value.layer is None}
    predicted, labels = unpacked(found["right_answers"].detail)
    assert labels.tolist() == data.load("digits").part("test")[1].tolist()
    assert (predicted == labels).sum() == found["right_answers"].value
    assert 100 * (predicted == labels).mean() == pytest.approx(found["accuracy_selected"].value)
    assert len(found["right_answers"].detail) < 2 * len(labels)


@pytest.mark.parametrize("classes", [2, 10, 40_000])
def test_answers_are_packed_without_loss(classes: int) -> None:
    generator = torch.Generator().manual_seed(classes)
    predicted, labels = torch.randint(classes, (2, 333), generator=generator)
    own, known = unpacked(packed(predicted, labels))
    assert (own.tolist(), known.tolist()) == (predicted.tolist(), labels.tolist())


@pytest.mark.parametrize(("neuron", "own"), [("lif", 0), ("plif", 2), ("glif", 2 * 16 * (7 + 4))])
def test_what_a_neuron_adds_is_counted(neuron: str, own: int) -> None:
    """PLIF: a value a layer, its decay is made once a call; GLIF: seven a channel, and one for each of four steps."""
    found = {value.metric: value.value for value in values_of(cell_of(neuron))}
    lif = {value.metric: value.value for value in values_of(cell_of("lif"))}
    assert found["neuron_parameters"] == own
    assert found["parameters"] - own == lif["parameters"]
    assert found["neuron_operations"] >= lif["neuron_operations"] > 3
    assert (found["neuron_operations"] > lif["neuron_operations"]) is (neuron == "glif")


@pytest.mark.parametrize("at", [1, 2])
def test_neurons_are_exchanged_after_their_epoch(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[list[str]] = []

    def watched(network: networks.SpikingNetwork, *arguments: Any) -> Any:
        for _ in range(3):
            names.append([layer.neuron.name for layer in network.neurons])
            yield Epoch(1, 1, 1, 1, 1, 1)

    monkeypatch.setattr(network_task, "train", watched)
    values_of(cell_of("lif", exchange_to="clif", exchange_at=at))
    assert names == [["lif"] * 2] * at + [["clif"] * 2] * (3 - at)


def test_neurons_with_parameters_are_not_exchanged() -> None:
    with pytest.raises(InvalidValue, match="only neurons without trainable parameters"):
        values_of(cell_of("lif", exchange_to="plif", exchange_at=1))


class Same(Neuron):
    """Its output is its input."""

    name = "same_for_rates"

    def step(self, x: Tensor) -> tuple[Tensor, ...]:
        return (x,)


class Plain(torch.nn.Module):
    """A layer whose outputs are the samples, before and after a doubling."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (NeuronLayer(Same(1), backend="reference") for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        assert not self.training
        return self.second(2 * self.first(x.unsqueeze(0)))


def test_rates_are_the_mean_output_on_the_test_set() -> None:
    """600 samples in batches of unequal size, whose means differ: 0.25 in all, while training has 0.75."""
    test = torch.cat([torch.zeros(512), torch.full((88,), 150 / 88)])
    inputs = torch.cat([torch.full((100,), 0.75), torch.full((50,), 3.0), test]).unsqueeze(1)
    split = np.array(list("t" * 100 + "v" * 50 + "e" * 600))
    dataset = Dataset("made", 2, None, "mean", inputs, torch.zeros(750, dtype=torch.int64), split, "")
    network = Plain()
    assert firing_rates(network, dataset) == pytest.approx({"first": 0.25, "second": 0.5})
    assert not network.first._forward_hooks


def test_a_rate_that_is_not_finite_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy, "firing_rates", lambda network, dataset: {"neurons.1": float("nan")})
    with pytest.raises(NotFinite, match=r"output of neurons\.1 is NaN"):
        values_of(cell_of("lif", epochs=1))


def test_directions_of_the_metrics() -> None:
    better = {name: metric.better for name, metric in Accuracy.metrics.items()}
    assert {name for name, direction in better.items() if direction == "higher"} == {
        *("accuracy_selected", "accuracy_final", "accuracy_validation_best", "accuracy_paper_style"),
        *("validation_accuracy", "test_accuracy"),
    }
    assert {name for name, direction in better.items() if direction is None} == {
        "firing_rate",
        "learned_parameter",
        "output_bits",
        "right_answers",
        "training_memory",
        "training_rate",
    }
    assert neurons.names()
