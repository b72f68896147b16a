"""The temporal gradient: how far back in time, and how strongly, a loss reaches through a layer of neurons.

With g[t'] = ∂L/∂s[t'] from a real loss, and J[t', t] = ∂s[t']/∂x[t] of each neuron (CLIF paper, eq. 10-12 and 20):
spatial P[t] = g[t]·J[t, t]; temporal 𝒯[t, t'] = g[t']·J[t', t] for t' > t. ∂L/∂x[t] is their sum over t' ≥ t.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from neurons import Neuron, NeuronLayer
from neurons.truncation import reference_loop
from tasks.accuracy.datasets import Dataset
from tasks.accuracy.task import NETWORK_RANGES, NETWORK_SETTINGS, NetworkTask, budget, prepare
from tasks.accuracy.training import LOSSES, Recipe, check_finite, read_out, train
from tasks.base import Cell, Metric, Range, Value

HORIZON_SHARE = 0.01


def temporal_jacobian(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """J[t', t, ...] = ∂s[t']/∂x[t] of each neuron, exact: one vector-Jacobian product a time step.

    Args:
        layer: any module from input current [T, N, *features] to outputs of that shape whose neurons do not
            influence each other (any backend, any peer).
        x: input current.

    Returns:
        [T, T, N, *features], row t', column t; zero where t > t'.
    """
    x = x.detach().requires_grad_()
    output = layer(x)
    rows = []
    for t in range(x.shape[0]):
        (row,) = torch.autograd.grad(output[t].sum(), x, retain_graph=True, materialize_grads=True)
        rows.append(row)
    return torch.stack(rows)


@dataclass(frozen=True)
class Decomposition:
    """The gradient of one layer, taken apart; means over neurons and samples.

    Attributes:
        spatial: [T] mean |P[t]|.
        temporal: [T, T] mean |𝒯[t, t']| at row t, column t'; zero where t' ≤ t.
        vanished: share of the entries t' > t of J that are exactly 0; NaN for a single step, which has none.
    """

    spatial: Tensor
    temporal: Tensor
    vanished: float

    def by_lag(self) -> Tensor:
        """[T − 1] mean |𝒯| over all pairs t' − t = lag, for lag 1 to T − 1."""
        steps = len(self.spatial)
        return (
            torch.stack([self.temporal.diagonal(lag).mean() for lag in range(1, steps)])
            if steps > 1
            else torch.empty(0)
        )

    def ratio(self) -> float:
        """Σ over lags of mean |𝒯| / mean |P|; 0 for a single step, NaN without any gradient."""
        return float(self.by_lag().sum() / self.spatial.mean())

    def horizon(self) -> int:
        """The largest lag whose mean |𝒯| is at least 1 % of mean |P|; 0 if none."""
        reached = (self.by_lag() >= HORIZON_SHARE * self.spatial.mean()) & (self.by_lag() > 0)
        return int(reached.nonzero().max()) + 1 if reached.any() else 0


def decompose(jacobian: Tensor, gradient: Tensor) -> Decomposition:
    """Split ∂L/∂x by source: `jacobian` [T, T, ...] from `temporal_jacobian`, `gradient` g = ∂L/∂s [T, ...]."""
    steps = len(gradient)
    paths = (gradient.unsqueeze(1) * jacobian).abs().flatten(2).mean(2)  # row t', column t
    later = torch.ones(steps, steps).tril(-1).bool()
    vanished = float((jacobian[later] == 0).double().mean()) if steps > 1 else math.nan
    return Decomposition(spatial=paths.diagonal(), temporal=paths.tril(-1).T, vanished=vanished)


@dataclass
class Recorded:
    """What passed through one layer of neurons: input current and, after the backward pass, ∂L/∂s."""

    layer: NeuronLayer
    current: Tensor
    output: Tensor

    @property
    def gradient(self) -> Tensor:
        assert self.output.grad is not None
        return self.output.grad


def record_gradients(network: nn.Module, dataset: Dataset, x: Tensor, labels: Tensor, loss: str) -> dict[str, Recorded]:
    """Run one batch forward and backward and return what each layer of neurons saw, by layer name."""
    recorded: dict[str, Recorded] = {}

    def hook(name: str) -> Any:
        def record(module: NeuronLayer, arguments: tuple[Tensor], output: Tensor) -> None:
            output.retain_grad()
            recorded[name] = Recorded(module, arguments[0].detach(), output)

        return record

    layers = {name: layer for name, layer in network.named_modules() if isinstance(layer, NeuronLayer)}
    hooks = [layer.register_forward_hook(hook(name)) for name, layer in layers.items()]
    network.train()
    LOSSES[loss](read_out(network(x), dataset.readout), labels).backward()
    for handle in hooks:
        handle.remove()
    return recorded


def jacobian_through_u(layer: NeuronLayer, x: Tensor) -> Tensor:
    """The part of the temporal Jacobian that passes from step to step through the state u alone.

    The gradient through the other states is cut at each step; what they do within a step stays. A layer of truncated
    gradients (`bptt_steps`) is truncated here too, so that the two parts sum to its Jacobian.
    """
    parent = type(layer.neuron)
    kept = parent.states.index("u")

    def step(self: Neuron, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        return parent.step(self, x, *(s if index == kept else s.detach() for index, s in enumerate(states)))

    cut = layer.neuron.bind({})
    cut.__class__ = type(f"{parent.__name__}ThroughU", (parent,), {"step": step})
    parameters = {name: value.detach() for name, value in layer.named_parameters()}
    return temporal_jacobian(partial(reference_loop(cut, layer.bptt_steps), parameters), x)


class TemporalGradient(NetworkTask):
    """Spatial and temporal gradient of each layer, in an untrained and in a trained network, on a real batch."""

    name = "temporal_gradient"
    description = "spatial and temporal gradient by layer, step and lag; ratio and horizon"
    settings: ClassVar[dict[str, Any]] = NETWORK_SETTINGS | {"progress": 1.0, "samples": 64}
    ranges = NETWORK_RANGES | {"progress": Range(float, least=0, most=1)}
    sources = ("accuracy", "networks.py", "cache.py")
    metrics = {
        "temporal_ratio": Metric("1", "Σ over lags of mean |𝒯| / mean |P|", "higher"),
        "horizon": Metric("steps", "largest lag whose mean |𝒯| is at least 1 % of mean |P|", "higher"),
        "vanished_fraction": Metric("1", "share of the entries t' > t of the Jacobian that are exactly 0", "lower"),
        "spatial_gradient": Metric("1", "mean |P[t]| by time step"),
        "temporal_gradient": Metric("1", "mean |𝒯[t, t + lag]| by time step t and lag"),
        "temporal_gradient_by_lag": Metric("1", "mean |𝒯| over all pairs of that lag"),
        "decay_by_lag": Metric("1", "γ to the lag: what the leak alone leaves (part I for LIF)"),
        "vanished_by_lag": Metric("1", "share of exact zeros in J[t', t] at that lag (part II for LIF)"),
        "through_u_by_lag": Metric("1", "mean |𝒯| by paths that pass from step to step through u alone (M1)"),
        "through_others_by_lag": Metric("1", "mean |𝒯| by paths through another state at least once (M2)"),
        "sum_error": Metric("1", "largest |Σ P + 𝒯 − autograd's ∂L/∂x|, relative to the largest entry", "lower"),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        few = {"smoke": ["digits"], "quick": ["digits", "japanese_vowels"]}.get(profile, datasets)
        chosen = [dataset for dataset in datasets if dataset in few] or list(datasets)[:1]
        return [budget(profile, dataset) | {"progress": progress} for dataset in chosen for progress in (0.0, 1.0)]

    def seeds(self, profile: str, seeds: int) -> int:
        return seeds if profile == "full" else 1

    def run(self, cell: Cell) -> Iterator[Value]:
        settings = cell.settings
        dataset, network = prepare(cell)
        recipe = Recipe.from_settings(dict(settings))
        epochs = train(network, dataset, recipe, settings["train_samples"], cell.seed)
        for _ in islice(epochs, round(settings["progress"] * recipe.epochs)):
            pass
        inputs, labels = dataset.part("train")
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))[: settings["samples"]]
        recorded = record_gradients(network, dataset, inputs[order], labels[order], settings["loss"])
        for name, record in recorded.items():
            check_finite(record.output.detach(), f"output of {name}")
            jacobian = temporal_jacobian(record.layer, record.current)
            yield from describe(decompose(jacobian, record.gradient), name)
            yield from describe_paths(record, jacobian, name)


def describe(parts: Decomposition, layer: str) -> Iterator[Value]:
    """The values of one layer."""
    yield Value("temporal_ratio", parts.ratio(), layer)
    yield Value("horizon", parts.horizon(), layer)
    if not math.isnan(parts.vanished):
        yield Value("vanished_fraction", parts.vanished, layer)
    for lag, mean in enumerate(parts.by_lag().tolist(), 1):
        yield Value("temporal_gradient_by_lag", mean, layer, lag=lag)
    for step, mean in enumerate(parts.spatial.tolist()):
        yield Value("spatial_gradient", mean, layer, step=step)
        for lag in range(1, len(parts.spatial) - step):
            yield Value("temporal_gradient", float(parts.temporal[step, step + lag]), layer, step=step, lag=lag)


def describe_paths(record: Recorded, jacobian: Tensor, layer: str) -> Iterator[Value]:
    """Why the gradient vanishes or not, by lag; and that the parts add up to autograd's gradient."""
    gradient = record.gradient
    steps = len(gradient)
    for lag in range(1, steps):
        zeros = torch.stack([(jacobian[t + lag, t] == 0).double().mean() for t in range(steps - lag)])
        yield Value("vanished_by_lag", float(zeros.mean()), layer, lag=lag)
        if isinstance(record.layer.neuron.tau, (int, float)) and not record.layer.neuron.learnables():
            yield Value("decay_by_lag", record.layer.neuron.decay**lag, layer, lag=lag)
    x = record.current.clone().requires_grad_()
    (total,) = torch.autograd.grad(record.layer(x), x, gradient)
    error = ((gradient.unsqueeze(1) * jacobian).sum(0) - total).abs().max()
    yield Value("sum_error", float(error / total.abs().max().clamp(min=1e-30)), layer)
    if len(record.layer.neuron.states) > 1 and "u" in record.layer.neuron.states:
        through_u = jacobian_through_u(record.layer, record.current)
        for metric, part in (("through_u_by_lag", through_u), ("through_others_by_lag", jacobian - through_u)):
            for lag, mean in enumerate(decompose(part, gradient).by_lag().tolist(), 1):
                yield Value(metric, mean, layer, lag=lag)
