"""Losses, optimisers and the loop over epochs, by hand on networks of one weight."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurons import InvalidValue, UnknownName
from tasks.accuracy import Accuracy
from tasks.base import Cell, NotFinite
from tasks.data import Dataset
from tasks.training import loop
from tasks.training.loop import Epoch, check_finite, evaluate, train
from tasks.training.losses import mean_cross_entropy, read_out, temporal_efficient_loss
from tasks.training.network_task import prepare
from tasks.training.pace import PACE
from tasks.training.recipe import Recipe

SETTINGS = dict(Accuracy.settings)
RECIPE = Recipe.from_settings(SETTINGS | {"loss": "cross_entropy", "optimizer": "sgd", "epochs": 3, "batch_size": 4})


def dataset_of(parts: str, labels: list[int], readout: str = "mean") -> Dataset:
    """Samples whose one feature is their number; `parts` holds the letter of each."""
    inputs = torch.arange(len(parts), dtype=torch.float32).unsqueeze(1)
    return Dataset("made", 2, None, readout, inputs, torch.tensor(labels), np.array(list(parts)), "")  # type: ignore[arg-type]


class Scores(nn.Module):
    """Scores [2, N, 2] that say what it was shown and in which mode."""

    def __init__(self, first: tuple[float, float] = (0, 0), last: tuple[float, float] = (0, 0)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.steps = torch.tensor([first, last], dtype=torch.float32).unsqueeze(1)
        self.seen: list[tuple[bool, list[int]]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append((self.training, [int(value) for value in x.flatten()]))
        return self.steps.expand(2, len(x), 2) + self.weight

    def batches(self) -> list[list[int]]:
        """The samples of each training step."""
        return [batch for mode, batch in self.seen if mode]


def test_tet_loss_by_hand() -> None:
    # two steps, one sample, two classes, label 0. Cross entropy: ln 2 at (0, 0); ln(1 + e^−2) at (2, 0).
    # MSE to 1: ((1 + 1) + (1 + 1)) / 4 = 1
    scores = torch.tensor([[[0.0, 0.0]], [[2.0, 0.0]]])
    entropy = (math.log(2) + math.log(1 + math.exp(-2))) / 2
    assert temporal_efficient_loss(scores, torch.tensor([0])).item() == pytest.approx(0.95 * entropy + 0.05)
    # MSE to 3: ((9 + 9) + (1 + 9)) / 4 = 7
    other = temporal_efficient_loss(scores, torch.tensor([0]), weight=0.5, target=3.0)
    assert other.item() == pytest.approx(0.5 * entropy + 3.5)


def test_losses_take_the_label_of_each_sample() -> None:
    """Two samples over two steps: the labels are repeated over time, not over the batch."""
    scores = torch.tensor([[[3.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 5.0]]])
    right, wrong = (math.log(1 + math.exp(-margin)) for margin in (2, 3)), [2, 3]
    assert mean_cross_entropy(scores, torch.tensor([0, 1])).item() == pytest.approx(sum(right) / 2)
    exchanged = mean_cross_entropy(scores, torch.tensor([1, 0])).item()
    assert exchanged == pytest.approx(sum(math.log(1 + math.exp(margin)) for margin in wrong) / 2)
    entropies = [math.log(1 + math.exp(-margin)) for margin in (3, 1, 1, 5)]
    # MSE to 1 of 3, 0, 0, 1, 1, 0, 0, 5: (4 + 1 + 1 + 0 + 0 + 1 + 1 + 16) / 8 = 3
    expected = 0.95 * sum(entropies) / 4 + 0.05 * 3
    assert temporal_efficient_loss(scores, torch.tensor([0, 1])).item() == pytest.approx(expected)


def test_mean_cross_entropy_by_hand() -> None:
    scores = torch.tensor([[[0.0, 0.0]], [[2.0, 0.0]]])
    assert mean_cross_entropy(scores, torch.tensor([0])).item() == pytest.approx(math.log(1 + math.exp(-1)))


def test_read_out() -> None:
    scores = torch.tensor([1.0, 2.0, 3.0]).reshape(3, 1, 1)
    assert read_out(scores, "last").tolist() == [[[3.0]]]
    assert torch.equal(read_out(scores, "mean"), scores)


@pytest.mark.parametrize(("optimizer", "rate", "decay"), [("sgd", 0.1, 5e-5), ("adamw", 5e-3, 1e-2)])
def test_recipe_defaults_follow_the_optimizer(optimizer: str, rate: float, decay: float) -> None:
    settings = SETTINGS | {"optimizer": optimizer, "epochs": 7, "batch_size": 5, "loss": "cross_entropy"}
    assert Recipe.from_settings(settings) == Recipe(7, 5, "cross_entropy", optimizer, rate, decay)
    own = Recipe.from_settings(settings | {"learning_rate": 0.05, "weight_decay": 0.0})
    assert (own.learning_rate, own.weight_decay) == (0.05, 0)


def test_recipe_of_an_unknown_name() -> None:
    with pytest.raises(UnknownName, match="did you mean 'adamw'"):
        Recipe.from_settings(SETTINGS | {"optimizer": "adam"})
    with pytest.raises(UnknownName, match="unknown loss"):
        Recipe.from_settings(SETTINGS | {"loss": "hinge"})


@pytest.mark.parametrize(("name", "least"), [("epochs", 1), ("batch_size", 2)])
def test_a_recipe_that_trains_nothing_is_refused(name: str, least: int) -> None:
    with pytest.raises(InvalidValue, match=f"{name} must be at least {least}, not {least - 1}"):
        Recipe.from_settings(SETTINGS | {name: least - 1})
    assert getattr(Recipe.from_settings(SETTINGS | {name: least}), name) == least


def test_one_sample_is_refused() -> None:
    dataset = dataset_of("tttve", [0] * 5)
    with pytest.raises(InvalidValue, match="train_samples must be at least 2, not 1"):
        next(train(Scores(), dataset, RECIPE, 1, 0))
    assert len(list(train(Scores(), dataset, RECIPE, 2, 0))) == 3


def stepped(optimizer: str, value: float, gradient: float, steps: int) -> float:
    """A weight after steps on one gradient, by the optimiser's usual rate and decay."""
    module = nn.Linear(1, 1, bias=False)
    module.weight.data.fill_(value)
    made = Recipe.from_settings(SETTINGS | {"optimizer": optimizer}).make_optimizer(module)
    for _ in range(steps):
        module.weight.grad = torch.full_like(module.weight, gradient)
        made.step()
    return module.weight.item()


def test_optimizers_by_hand() -> None:
    # momentum 0.9: steps of 0.1·1, then 0.1·1.9; the decay of a weight of 0 to 0.1 is below the tolerance
    assert stepped("sgd", 0.0, 1.0, 1) == pytest.approx(-0.1)
    assert stepped("sgd", 0.0, 1.0, 2) == pytest.approx(-0.29, rel=1e-5)
    # decay alone: 1 − 0.1·5e-5·1000 for a weight of 1000
    assert stepped("sgd", 1000.0, 0.0, 1) == pytest.approx(1000 - 0.005, abs=1e-4)
    # AdamW: the first step is the rate whatever the gradient, and decays by 5e-3·1e-2
    assert stepped("adamw", 0.0, 30.0, 1) == pytest.approx(-5e-3, rel=1e-4)
    assert stepped("adamw", 100.0, 0.0, 1) == pytest.approx(100 - 0.005, abs=1e-4)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_weight_decay_leaves_the_parameters_of_neurons(optimizer: str) -> None:
    """A step without any gradient: what decay pulls on shrinks by rate · decay, the rest stays."""
    settings = SETTINGS | {"width": 16, "optimizer": optimizer, "learning_rate": 0.5, "weight_decay": 0.1}
    _, network = prepare(Cell("accuracy", "glif", "reference", 0, settings))
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    Recipe.from_settings(settings).make_optimizer(network).step()
    of_neurons = {name for name in before if name.startswith("neurons.")}
    assert len(of_neurons) == 16
    for name, parameter in network.named_parameters():
        assert torch.allclose(parameter, before[name] * (1 if name in of_neurons else 0.95)), name


def test_every_sample_once_an_epoch_in_an_order_of_the_seed() -> None:
    def order(seed: int, state: int) -> list[list[int]]:
        torch.manual_seed(state)
        network = Scores()
        assert len(list(train(network, dataset_of("t" * 10 + "ve", [0] * 12), RECIPE, None, seed))) == 3
        return network.batches()

    batches = order(0, 0)
    assert [len(batch) for batch in batches] == [4, 4, 2] * 3
    epochs = [[sample for batch in batches[index : index + 3] for sample in batch] for index in (0, 3, 6)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert order(0, 1) == batches  # not of the global generator
    assert order(1, 0) != batches


def test_training_samples_are_the_same_for_all_seeds() -> None:
    """And drawn: the first ones of a sorted set would be of one class."""
    chosen = []
    for seed in (0, 1):
        network = Scores()
        list(train(network, dataset_of("t" * 40 + "ve", [0] * 42), RECIPE, 8, seed))
        chosen.append({sample for batch in network.batches() for sample in batch})
        assert sum(map(len, network.batches())) == 3 * 8
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 8
    assert chosen[0] != set(range(8))


def test_what_is_not_held_out_is_trained_on_and_the_test_set_never() -> None:
    network, recipe = Scores(), dataclasses.replace(RECIPE, epochs=1, batch_size=8, held_out=False)
    list(train(network, dataset_of("ttvveete", [0] * 8), recipe, None, 0))
    assert [sorted(batch) for batch in network.batches()] == [[0, 1, 2, 3, 6]]


def test_a_batch_of_one_is_left_out() -> None:
    """Batch normalisation has no variance over it; the loss is the mean over the samples that were trained on."""
    network = Scores()
    (epoch,) = train(network, dataset_of("t" * 5 + "ve", [0] * 7), dataclasses.replace(RECIPE, epochs=1), None, 0)
    assert [len(batch) for batch in network.batches()] == [4]
    assert epoch.train_loss == pytest.approx(math.log(2))


def test_the_loop_by_hand() -> None:
    """One weight, scores (w·x, 0): gradients are those of the batch alone, momentum and cosine as SGD has them."""

    class Line(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.tensor(0.3, dtype=torch.float64))

        def forward(self, x: Tensor) -> Tensor:
            score = self.w * x.double()
            return torch.cat([score, torch.zeros_like(score)], 1).unsqueeze(0)

    labels = [0, 1, 1, 0, 0, 1, 0, 1]
    network, dataset = Line(), dataset_of("t" * 6 + "ve", labels)
    recipe = dataclasses.replace(RECIPE, learning_rate=0.02, weight_decay=0.1, epochs=3, batch_size=4)
    losses = [epoch.train_loss for epoch in train(network, dataset, recipe, None, 5)]

    subset = torch.randperm(6, generator=torch.Generator().manual_seed(0)).tolist()
    order = torch.Generator().manual_seed(5)
    w, velocity, expected = 0.3, 0.0, []
    for rate in (0.02, 0.015, 0.005):  # 0.02·(1 + cos(k·π/3))/2
        total = 0.0
        for batch in torch.randperm(6, generator=order).split(4):
            samples = [subset[index] for index in batch]
            gradient = 0.0
            for x in samples:
                probability = 1 / (1 + math.exp(-w * x))
                total -= math.log(probability if labels[x] == 0 else 1 - probability)
                gradient += (probability - (labels[x] == 0)) * x / len(samples)
            velocity = 0.9 * velocity + gradient + 0.1 * w
            w -= rate * velocity
        expected.append(total / 6)
    assert losses == pytest.approx(expected)
    assert network.w.item() == pytest.approx(w)


def test_epochs_report_each_part_of_the_data() -> None:
    """Scores favour class 0: of three validation labels one is 0, of four test labels three are."""
    dataset = dataset_of("tttvvveeee", [0, 1, 0, 0, 1, 1, 0, 0, 0, 1])
    network = Scores((1, 0), (1, 0))
    recipe = dataclasses.replace(RECIPE, learning_rate=0.0, epochs=2)
    right, wrong = math.log(1 + math.exp(-1)), math.log(1 + math.exp(1))
    for epoch in train(network, dataset, recipe, None, 0):
        assert epoch.train_loss == pytest.approx((2 * right + wrong) / 3)
        assert (epoch.validation_accuracy, epoch.test_accuracy) == (pytest.approx(1 / 3), 3 / 4)
        assert epoch.validation_loss == pytest.approx((right + 2 * wrong) / 3)
        assert epoch.test_loss == pytest.approx((3 * right + wrong) / 4)
    assert network.seen[1:3] == [(False, [3, 4, 5]), (False, [6, 7, 8, 9])]


@pytest.mark.parametrize(("readout", "accuracy"), [("last", 0.0), ("mean", 1.0)])
def test_readout_decides_losses_and_accuracies(readout: str, accuracy: float) -> None:
    """Scores of class 0 less class 1: 5 in the first step, −1 in the last; their mean is 2."""
    network = Scores((5, 0), (0, 1))
    (epoch,) = train(
        network, dataset_of("ttve", [0] * 4, readout), dataclasses.replace(RECIPE, epochs=1, learning_rate=0.0), None, 0
    )
    loss = math.log(1 + math.exp(1 if readout == "last" else -2))
    assert (epoch.validation_accuracy, epoch.test_accuracy) == (accuracy, accuracy)
    assert [epoch.train_loss, epoch.validation_loss, epoch.test_loss] == pytest.approx([loss] * 3)


def test_an_untested_training_leaves_the_test_set_alone() -> None:
    network = Scores()
    for epoch in train(network, dataset_of("ttttvvee", [0] * 8), RECIPE, None, 0, tested=False):
        assert math.isnan(epoch.test_loss)
        assert math.isnan(epoch.test_accuracy)
        assert epoch.predicted is None
    assert not any({6, 7} & set(samples) for _, samples in network.seen)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_neurons_have_a_learning_rate_of_their_own(optimizer: str) -> None:
    """A factor of 0 leaves their parameters where they start; without one the rate is that of all others."""
    for factor, rate in ((None, 0.5), (0.0, 0.0), (3.0, 1.5)):
        settings = SETTINGS | {"width": 16, "optimizer": optimizer, "learning_rate": 0.5}
        settings |= {"neuron_learning_rate_factor": factor}
        _, network = prepare(Cell("accuracy", "plif", "reference", 0, settings))
        others, own = Recipe.from_settings(settings).make_optimizer(network).param_groups
        assert (others["lr"], own["lr"]) == (0.5, rate)
        assert {id(parameter) for parameter in own["params"]} == {id(layer.w) for layer in network.neurons}


@pytest.mark.parametrize("batch", [1, 7, 256])
def test_evaluation_does_not_depend_on_its_batch(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it change the network: batch normalisation keeps its running statistics."""
    monkeypatch.setattr(loop, "EVALUATION_BATCH", batch)
    network = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 2), nn.Unflatten(0, (1, -1)))
    network[0].running_mean.fill_(100.0)
    network[0].running_var.fill_(50.0**2)
    network[1].weight.data.copy_(torch.tensor([[0.8], [-0.3]]))
    network[1].bias.data.copy_(torch.tensor([0.1, 0.2]))
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    labels = [index % 3 % 2 for index in range(300)]
    loss, accuracy, _ = evaluate(network, dataset_of("e" * 300, labels), "test", "cross_entropy")
    margins = [1.1 * (index - 100) / 50 - 0.1 for index in range(300)]  # of class 0
    signs = [1 if label == 0 else -1 for label in labels]
    expected = [math.log(1 + math.exp(-sign * margin)) for sign, margin in zip(signs, margins, strict=True)]
    assert loss == pytest.approx(sum(expected) / 300, rel=1e-5)
    assert accuracy == sum(sign * margin > 0 for sign, margin in zip(signs, margins, strict=True)) / 300
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(value.grad is not None for value in network.parameters())


def test_loss_of_no_knowledge_is_ln_2() -> None:
    """300 samples are two batches of unequal size."""
    loss, accuracy, _ = evaluate(Scores(), dataset_of("e" * 300, [1] * 300), "test", "cross_entropy")
    assert loss == pytest.approx(0.693147, abs=1e-6)
    assert accuracy == 0


def test_training_goes_on_in_training_mode_after_an_evaluation() -> None:
    network = Scores()
    list(train(network, dataset_of("ttttve", [0] * 6), RECIPE, None, 0))
    assert [mode for mode, _ in network.seen] == [True, False, False] * 3


def test_seconds_are_those_of_the_training_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    readings: Iterator[float] = iter([0.0, 5.0, 100.0, 107.0])
    monkeypatch.setattr(loop.time, "perf_counter", lambda: next(readings))
    recipe = dataclasses.replace(RECIPE, epochs=2)
    epochs: list[Epoch] = list(train(Scores(), dataset_of("ttve", [0] * 4), recipe, None, 0))
    assert [epoch.seconds for epoch in epochs] == [5, 7]


def test_each_epoch_tells_its_pace(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Samples by the seconds of the training steps; the time left by that of whole epochs."""
    seconds: Iterator[float] = iter([0.0, 2.0, 0.0, 4.0, 0.0, 1.0])
    moments: Iterator[float] = iter([0.0, 50.0, 130.0, 180.0])
    monkeypatch.setattr(loop.time, "perf_counter", lambda: next(seconds))
    monkeypatch.setattr(loop.time, "monotonic", lambda: next(moments))
    epochs = list(train(Scores(), dataset_of("ttttve", [0] * 6), RECIPE, None, 0))
    assert [epoch.samples for epoch in epochs] == [4, 4, 4]
    assert all(epoch.memory > 1 << 20 for epoch in epochs)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "epoch 1 of 3: loss 0.693, validation 100.0 %, test 100.0 %, 2 samples/s, about 1:40 left"
    assert lines[1].endswith("1 samples/s, about 1:05 left")
    assert lines[2].endswith("4 samples/s, about 0:00 left")
    assert all(PACE.match(line) for line in lines)


@pytest.mark.parametrize(("number", "word"), [(math.nan, "NaN"), (math.inf, "infinite"), (-math.inf, "infinite")])
def test_a_loss_that_is_not_finite_ends_the_training_with_its_epoch(number: float, word: str) -> None:
    """The device is waited for once an epoch, and so the training ends with the epoch of the step."""
    network = Scores((number, 0), (number, 0))
    wanted = "NaN" if math.isinf(number) and number > 0 else word  # ∞ − ∞ in the softmax
    with pytest.raises(NotFinite, match=f"^training loss is {wanted} in epoch 1, step 1 of 1$"):
        next(train(network, dataset_of("ttve", [0] * 4), RECIPE, None, 0))
    with pytest.raises(NotFinite, match=f"x is {word}"):
        check_finite(torch.tensor([1.0, number]), "x")
    check_finite(torch.tensor([1.0, 3e38]), "x")


def test_losses_agree_with_torch_in_a_gradient() -> None:
    scores = torch.randn(4, 6, 3, requires_grad=True)
    labels = torch.randint(3, (6,))
    mean_cross_entropy(scores, labels).backward()
    expected = (torch.softmax(scores.detach().mean(0), 1) - F.one_hot(labels, 3)) / 6 / 4
    assert scores.grad is not None
    assert torch.allclose(scores.grad, expected.expand(4, 6, 3), atol=1e-6)


def test_the_first_bad_step_of_a_later_epoch_is_told() -> None:
    """Twelve samples in three batches: losses turn to NaN with the fifth call, the second step of the second epoch."""

    class TurnsBad(Scores):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += self.training
            return super().forward(x) * (math.nan if self.training and self.calls >= 5 else 1.0)

    recipe = dataclasses.replace(RECIPE, epochs=3, batch_size=4)
    epochs = train(TurnsBad(), dataset_of("t" * 12 + "ve", [0] * 14), recipe, None, 0)
    next(epochs)
    with pytest.raises(NotFinite, match=r"^training loss is NaN in epoch 2, step 2 of 3$"):
        next(epochs)
