"""The loop over epochs, and what is read of a network on a data set."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from neurons import InvalidValue, NeuronLayer
from tasks.base import NotFinite
from tasks.data import Dataset, Readout
from tasks.measuring import devices
from tasks.networks import neurons_of
from tasks.training import augmentation
from tasks.training.arithmetic import Arithmetic
from tasks.training.checkpoint import PLACE, random_states, set_random_states
from tasks.training.eligibility import EligibilityTraces
from tasks.training.losses import LOSSES, read_out
from tasks.training.pace import Pace
from tasks.training.recipe import Recipe
from tasks.training.team import ALONE, Team

EVALUATION_BATCH = 256
USUAL = Arithmetic(torch.device("cpu"))
"""As every setting of it is unless told otherwise."""


class Evaluation(NamedTuple):
    """What a network is worth on a part of the data: its accuracy is a fraction.

    Attributes:
        predicted: the class that it takes each sample for, on its device.
    """

    loss: float
    accuracy: float
    predicted: Tensor


NOTHING = Evaluation(math.nan, math.nan, torch.zeros(0, dtype=torch.long))
"""Of a part that was left alone."""


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave: losses and accuracies (fractions) and the seconds spent in training steps.

    Attributes:
        test_loss, test_accuracy: NaN where the test set was left alone.
        predicted: the class of each test sample; None where it was left alone.
        validation_loss, validation_accuracy: NaN where no samples were held out for it.
        learned: mean of each parameter of neurons after the epoch, by its name.
        samples: how many were trained on.
        memory: bytes at most of the device's tensors in the epoch; on the CPU those of the process at its end.
    """

    train_loss: float
    validation_loss: float
    validation_accuracy: float
    test_loss: float
    test_accuracy: float
    seconds: float
    predicted: Tensor | None = None
    learned: Mapping[str, float] = field(default_factory=dict)
    samples: int = 0
    memory: int = 0


def selected_epoch(epochs: Sequence[Epoch]) -> Epoch:
    """The one of best validation accuracy: few validation samples tie often, and then the lowest loss counts.

    The last, where no samples were held out for validation.
    """
    if math.isnan(epochs[-1].validation_loss):
        return epochs[-1]
    return max(epochs, key=lambda epoch: (epoch.validation_accuracy, -epoch.validation_loss))


class Trainer:
    """A network with its optimiser. No step waits for the device.

    Args:
        team: the processes that train it together, each on its share of a batch.

    Attributes:
        optimizer: of the recipe; on a CUDA card by its fused kernel, which takes the scale of fp16 without a wait.
    """

    def __init__(
        self, network: nn.Module, recipe: Recipe, readout: Readout, arithmetic: Arithmetic, team: Team = ALONE
    ) -> None:
        self.network, self.recipe, self.readout, self.arithmetic = network, recipe, readout, arithmetic
        self.team = team
        self.run = arithmetic.compiled(team.joined(network))
        self.optimizer = recipe.make_optimizer(network, fused=arithmetic.device.type == "cuda")
        self.scaler = arithmetic.scaler()
        self.traces = EligibilityTraces(network) if recipe.eprop else None
        layers = (module for module in network.modules() if isinstance(module, NeuronLayer))
        self.bounded = [layer for layer in layers if layer.neuron.bounded()]

    def step(self, x: Tensor, labels: Tensor) -> Tensor:
        """Train on one batch; returns its loss, a number that stays on the device; of a team, to be summed over it."""
        x, labels, share = self.team.share(x, labels)
        with self.arithmetic.rounding():
            recording = contextlib.nullcontext() if self.traces is None else self.traces.recorded()
            with self.arithmetic.autocast(), recording:
                scores = read_out(self.run(self.arithmetic.in_format(x)), self.readout)
                loss = LOSSES[self.recipe.loss](scores, labels)
                loss = loss if share is None else share * loss
            self.optimizer.zero_grad(set_to_none=True)
            backward = Tensor.backward if self.traces is None else self.traces.backward
            if self.scaler is None:
                backward(loss)
                self._clip()
                self.optimizer.step()
            else:
                backward(self.scaler.scale(loss))
                if self.recipe.clip_gradients is not None:
                    self.scaler.unscale_(self.optimizer)
                self._clip()
                self.scaler.step(self.optimizer)
                self.scaler.update()
        for layer in self.bounded:
            layer.project()
        return loss.detach()

    def _clip(self) -> None:
        if self.recipe.clip_gradients is not None:
            parameters = [own for group in self.optimizer.param_groups for own in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, self.recipe.clip_gradients)

    def state(self) -> dict[str, Any]:
        """All that its next step depends on."""
        scaler = None if self.scaler is None else self.scaler.state_dict()
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(), "scaler": scaler}

    def set_state(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scaler is not None:
            self.scaler.load_state_dict(state["scaler"])


def train(
    network: nn.Module,
    dataset: Dataset,
    recipe: Recipe,
    train_samples: int | None,
    seed: int,
    arithmetic: Arithmetic = USUAL,
    tested: bool = True,
    team: Team = ALONE,
) -> Iterator[Epoch]:
    """Train `network` in place, on the device that it and the data set are on, and yield after each epoch.

    `train_samples` takes that many of the training set, the same for all seeds. The order of the samples depends on
    `seed` alone. The device is waited for once an epoch, when its losses are read. Unless it is to be `tested`, the
    test set is not looked at. A training whose cell was killed goes on after its last whole epoch, and yields those
    before it first. Of a team of processes the first alone evaluates and writes checkpoints. After each epoch its
    pace and the time left are printed.

    Raises:
        InvalidValue: too few samples to train on.
        NotFinite: a loss is NaN or Inf; at the end of its epoch, with epoch and step.
    """
    if train_samples is not None and train_samples < 2:
        raise InvalidValue(f"train_samples must be at least 2, not {train_samples}")
    samples = _training_samples(dataset, recipe, train_samples)
    order = torch.Generator().manual_seed(seed)  # on the CPU, so that every device sees the samples in one order
    trainer = Trainer(network, recipe, dataset.readout, arithmetic, team)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(trainer.optimizer, recipe.epochs)
    batches, checkpoint, epochs = Batches(dataset, recipe), PLACE.next(), list[Epoch]()
    pace, device = Pace(recipe.epochs), devices.of(arithmetic.device)
    saved = checkpoint.load(arithmetic.device)
    if saved is not None:
        epochs = [Epoch(**epoch) for epoch in saved["epochs"]]
        yield from epochs[:-1]
        trainer.set_state(saved["trainer"])
        schedule.load_state_dict(saved["schedule"])
        order.set_state(saved["order"].cpu())
        set_random_states(saved["random"], arithmetic.device)
        print(f"training goes on after epoch {len(epochs)}", file=sys.stderr)
        yield epochs[-1]
    for number in range(len(epochs) + 1, recipe.epochs + 1):
        network.train()
        team.begin_epoch(network, seed, number)
        started = time.perf_counter()
        shuffled = samples[torch.randperm(len(samples), generator=order).to(samples.device)]
        # batch normalisation has no variance over a single sample
        chosen = [own for own in shuffled.split(recipe.batch_size) if len(own) >= max(2, team.size)]
        losses = [trainer.step(*batches.of(own)) for own in chosen]
        schedule.step()
        sizes = [len(own) for own in chosen]
        train_loss = _mean_loss(team.summed(torch.stack(losses)), sizes, number)
        seconds = time.perf_counter() - started
        validation, test = (
            evaluate(network, dataset, part, recipe.loss, arithmetic) if wanted and team.rank == 0 else NOTHING
            for part, wanted in (("validation", recipe.held_out), ("test", tested))
        )
        measured = train_loss, validation.loss, validation.accuracy, test.loss, test.accuracy
        kept = test.predicted.cpu() if tested else None, _learned(network), sum(sizes)
        epochs.append(Epoch(*measured, seconds, *kept, device.most_bytes(arithmetic.device)))
        if team.rank > 0:
            yield epochs[-1]
            continue
        pace.tell(number, epochs[-1])
        state = {"trainer": trainer.state(), "schedule": schedule.state_dict(), "order": order.get_state()}
        random = random_states(arithmetic.device)
        checkpoint.save({**state, "random": random, "epochs": [asdict(epoch) for epoch in epochs]})
        yield epochs[-1]


def _training_samples(dataset: Dataset, recipe: Recipe, train_samples: int | None) -> Tensor:
    """Those that are trained on, the same for all seeds; with those of validation unless they are held out."""
    samples = dataset.indices("train")
    if not recipe.held_out:
        samples = torch.cat([samples, dataset.indices("validation")])
    subset = torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))[:train_samples]
    return samples[subset.to(samples.device)]


def _learned(network: nn.Module) -> dict[str, float]:
    """The mean of each parameter of neurons, read from the device together."""
    layers = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, NeuronLayer)]
    means = {
        f"{name}.{own}": parameter.detach().double().mean()
        for name, layer in layers
        for own, parameter in layer.named_parameters()
    }
    return dict(zip(means, torch.stack(list(means.values())).tolist(), strict=True)) if means else {}


class Batches:
    """Batches as they are trained on: augmented as they are stored, then as a network takes them."""

    def __init__(self, dataset: Dataset, recipe: Recipe) -> None:
        self.dataset, self.cutmix = dataset, recipe.cutmix
        self.changes = augmentation.parsed(recipe.augmentation)

    def of(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and labels of these samples; mixed images have shares of classes as labels."""
        stored, labels = self.dataset.inputs[samples], self.dataset.labels[samples]
        for change in self.changes:
            stored = change(stored)
        shown = self.dataset.shown(stored)
        if self.cutmix is None:
            return shown, labels
        return augmentation.cutmix(shown, labels, self.dataset.classes, self.cutmix)


def _mean_loss(losses: Tensor, sizes: Sequence[int], epoch: int) -> float:
    """The mean over an epoch's samples, and the one wait for the device.

    Raises:
        NotFinite: with the first step whose loss is NaN or Inf.
    """
    read = losses.tolist()
    for step, loss in enumerate(read, 1):
        if not math.isfinite(loss):
            kind = "NaN" if math.isnan(loss) else "infinite"
            raise NotFinite(f"training loss is {kind} in epoch {epoch}, step {step} of {len(read)}")
    return sum(loss * size for loss, size in zip(read, sizes, strict=True)) / sum(sizes)


@torch.no_grad()
def evaluate(network: nn.Module, dataset: Dataset, part: str, loss: str, arithmetic: Arithmetic = USUAL) -> Evaluation:
    """What the network is worth on "validation" or "test"; the device is waited for at the end."""
    network.eval()
    samples = dataset.indices(part)
    losses, classes, sizes = [], [], []
    with arithmetic.rounding(), arithmetic.autocast():
        for x, y in map(dataset.batch, samples.split(EVALUATION_BATCH)):
            scores = read_out(network(arithmetic.in_format(x)), dataset.readout)
            losses.append(LOSSES[loss](scores, y))
            classes.append(scores.mean(0).argmax(1))
            sizes.append(len(y))
    predicted = torch.cat(classes)
    right = (predicted == dataset.labels[samples]).sum()
    *read, count = torch.stack([*losses, right.to(losses[0].dtype)]).tolist()
    total = sum(own * size for own, size in zip(read, sizes, strict=True))
    return Evaluation(total / len(samples), count / len(samples), predicted)


@torch.no_grad()
def firing_rates(network: nn.Module, dataset: Dataset) -> dict[str, float]:
    """Mean magnitude of the outputs of each layer of neurons over the test set: spikes per neuron and step, of either
    sign."""
    sums: dict[str, Tensor] = {}
    counts: dict[str, int] = {}

    def record(name: str) -> Any:
        def hook(module: nn.Module, arguments: Any, output: Tensor) -> None:
            sums[name] = sums.get(name, 0.0) + output.double().abs().sum()
            counts[name] = counts.get(name, 0) + output.numel()

        return hook

    layers = neurons_of(network)
    hooks = [layer.register_forward_hook(record(name)) for name, layer in layers.items()]
    network.eval()
    for x, _ in map(dataset.batch, dataset.indices("test").split(EVALUATION_BATCH)):
        network(x)
    for hook in hooks:
        hook.remove()
    return {name: float(sums[name]) / counts[name] for name in layers}


def check_finite(value: Tensor, what: str) -> None:
    """Raise NotFinite unless all of `value` is finite."""
    if not torch.isfinite(value).all():
        raise NotFinite(f"{what} is {'NaN' if torch.isnan(value).any() else 'infinite'}")
