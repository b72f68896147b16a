"""The temporal gradient: how far back in time, and how strongly, a loss reaches through a layer of neurons.

With g[t'] = ∂L/∂s[t'] from a real loss, and J[t', t] = ∂s[t']/∂x[t] of each neuron (CLIF paper, eq. 10-12 and 20):
spatial P[t] = g[t]·J[t, t]; temporal 𝒯[t, t'] = g[t']·J[t', t] for t' > t. ∂L/∂x[t] is their sum over t' ≥ t.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from neurons import BackendUnavailable, Neuron, NeuronLayer
from neurons.models.lif import LIF
from neurons.reference import step_loop
from neurons.truncation import reference_loop
from tasks.ablation import ablated
from tasks.base import Cell, Metric, Range, Value
from tasks.data import Dataset
from tasks.networks import RecurrentNeurons
from tasks.training.loop import check_finite
from tasks.training.losses import LOSSES, read_out
from tasks.training.network_task import NETWORK_RANGES, NETWORK_SETTINGS, NetworkTask, budget, prepare, trained

HORIZON_SHARE = 0.01
MOST_BYTES = 4 * 2**30
"""Of a Jacobian, which holds T × T numbers a neuron and sample."""


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
class Zeros:
    """Why entries t' > t of a temporal Jacobian are 0, by lag t' − t from 1; counts over neurons, samples and pairs.

    Attributes:
        entries: how many there are.
        outside: those of a spike s[t'] that passes no gradient to any step: u[t'] is outside the surrogate's window.
        vanished: the other zeros: a gradient entered at t' and was lost on the way (part II, CLIF paper, eq. 14).
    """

    entries: Tensor
    outside: Tensor
    vanished: Tensor

    def outside_share(self) -> Tensor:
        """[T − 1] of all entries of a lag."""
        return self.outside / self.entries

    def vanished_share(self) -> Tensor:
        """[T − 1] of the entries into which a gradient entered; NaN where none did."""
        return self.vanished / (self.entries - self.outside)

    def summed(self) -> Zeros:
        """Over all lags."""
        return Zeros(self.entries.sum(), self.outside.sum(), self.vanished.sum())


def count_zeros(jacobian: Tensor) -> Zeros:
    """Count the zeros of a Jacobian [T, T, ...] from `temporal_jacobian`."""
    steps = len(jacobian)
    closed = (jacobian == 0).all(1)
    counts = torch.zeros(3, max(steps - 1, 0), dtype=torch.float64)
    for lag in range(1, steps):
        zero = torch.stack([jacobian[t + lag, t] == 0 for t in range(steps - lag)])
        outside = closed[lag:]
        counts[:, lag - 1] = torch.tensor([zero.numel(), int(outside.sum()), int((zero & ~outside).sum())])
    return Zeros(*counts)


@dataclass(frozen=True)
class Decomposition:
    """The gradient of one layer, taken apart; means over neurons and samples.

    Attributes:
        spatial: [T] mean |P[t]|.
        temporal: [T, T] mean |𝒯[t, t']| at row t, column t'; zero where t' ≤ t.
        zeros: of the Jacobian, by lag.
    """

    spatial: Tensor
    temporal: Tensor
    zeros: Zeros

    @property
    def outside(self) -> float:
        """Share of the entries t' > t whose s[t'] passes no gradient at all; NaN for a single step."""
        return float(self.zeros.summed().outside_share())

    @property
    def vanished(self) -> float:
        """Share of the other entries t' > t that are 0: what vanished on the way; NaN if there are none."""
        return float(self.zeros.summed().vanished_share())

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
    paths = (gradient.unsqueeze(1) * jacobian).abs().flatten(2).mean(2)  # row t', column t
    return Decomposition(spatial=paths.diagonal(), temporal=paths.tril(-1).T, zeros=count_zeros(jacobian))


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


def jacobian_of_lif(layer: NeuronLayer, x: Tensor) -> Tensor:
    """The temporal Jacobian that a LIF would have at the potentials and spikes of this neuron.

    Of CLIF: the product of ε alone (CLIF paper, eq. 12 and 46), without what m does to u, also within a step.
    """
    neuron = layer.neuron
    model: Any = type(neuron)
    constants = {name: getattr(neuron, name) for name in neuron.constants()}
    as_lif = ablated(model, None, 0.0, LIF)(neuron.timesteps, **constants)
    return temporal_jacobian(NeuronLayer(as_lif, layer.channels, "reference", layer.bptt_steps), x)


@dataclass(frozen=True)
class FirstSteps:
    """The temporal Jacobian by the state in which a path leaves the step t of its input.

    Attributes:
        by_state: [T, T, N, *features] for each state, row t' > t, column t; they sum to the Jacobian
            below its diagonal.
        local: [T, N, *features] for each state, its derivative by the input of the same step (for m the paper's ψ).
    """

    by_state: dict[str, Tensor]
    local: dict[str, Tensor]


def jacobian_by_first_step(layer: NeuronLayer, x: Tensor) -> FirstSteps:
    """Split ∂s[t']/∂x[t] by the state that carries it out of step t.

    Of CLIF, the part by u is the paper's T_M1 (eq. 21: on u for a while, which may include the reset by m of the same
    step, then to the spike or into m), the part by m its T_M2·ψ (eq. 24). Both are placed by the step t' of the loss.
    """
    parent = type(layer.neuron)
    carried: list[tuple[Tensor, ...]] = []
    local: list[tuple[Tensor, ...]] = []

    def step(self: Neuron, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        alone = x.detach().requires_grad_()
        _, *after = parent.step(self, alone, *(state.detach() for state in states))
        local.append(
            tuple(
                torch.autograd.grad(state.sum(), alone, retain_graph=True, materialize_grads=True)[0]
                if state.requires_grad
                else torch.zeros_like(x)
                for state in after
            )
        )
        output, *after = parent.step(self, x, *states)
        carried.append(tuple(state.clone() for state in after))  # what the next step reads, apart from this step's use
        return output, *carried[-1]

    watched = layer.neuron.bind({})
    watched.__class__ = type(f"{parent.__name__}Watched", (parent,), {"step": step})
    parameters = {name: value.detach() for name, value in layer.named_parameters()}
    outputs = step_loop(watched, parameters, x.detach().requires_grad_())
    reach = layer.bptt_steps or len(x)
    parts = {name: x.new_zeros(len(x), *x.shape) for name in parent.states}
    for later in range(1, len(x)):
        earlier = range(max(0, later - reach + 1), later)
        places = [(t, i) for t in earlier for i, state in enumerate(carried[t]) if state.requires_grad]
        if places:
            sources = [carried[t][i] for t, i in places]
            found = torch.autograd.grad(outputs[later].sum(), sources, retain_graph=True, materialize_grads=True)
            for (t, i), part in zip(places, found, strict=True):
                parts[parent.states[i]][later, t] = part * local[t][i]
    return FirstSteps(
        parts, {name: torch.stack(each) for name, each in zip(parent.states, zip(*local, strict=True), strict=True)}
    )


class TemporalGradient(NetworkTask):
    """Spatial and temporal gradient of each layer, in an untrained and in a trained network, on a real batch."""

    name = "temporal_gradient"
    description = "spatial and temporal gradient by layer, step and lag; ratio and horizon"
    main = True
    settings: ClassVar[dict[str, Any]] = NETWORK_SETTINGS | {"progress": 1.0, "samples": 64}
    parts: ClassVar[Mapping[str, str]] = {**NetworkTask.parts, "samples": "train"}
    ranges = NETWORK_RANGES | {"progress": Range(float, least=0, most=1)}
    sources = ("training", "ablation.py", "networks", "data")
    metrics = {
        "temporal_ratio": Metric("1", "Σ over lags of mean |𝒯| / mean |P|", "higher"),
        "horizon": Metric("steps", "largest lag whose mean |𝒯| is at least 1 % of mean |P|", "higher"),
        "outside_fraction": Metric("1", "share of the entries t' > t of the Jacobian whose s[t'] passes no gradient"),
        "vanished_fraction": Metric("1", "share of the other entries t' > t that are 0: vanished on the way", "lower"),
        "spatial_gradient": Metric("1", "mean |P[t]| by time step"),
        "temporal_gradient": Metric("1", "mean |𝒯[t, t + lag]| by time step t and lag"),
        "temporal_gradient_by_lag": Metric("1", "mean |𝒯| over all pairs of that lag"),
        "decay_by_lag": Metric("1", "γ to the lag: what the leak alone leaves (part I for LIF)"),
        "outside_by_lag": Metric("1", "outside_fraction at that lag"),
        "vanished_by_lag": Metric("1", "vanished_fraction at that lag (part II for LIF)"),
        "through_u_by_lag": Metric("1", "mean |𝒯| by paths that pass from step to step through u alone"),
        "through_others_by_lag": Metric("1", "mean |𝒯| by paths through another state at least once"),
        "m1_by_lag": Metric("1", "mean |𝒯| by paths that leave their step through u (the paper's M1)"),
        "m2_by_lag": Metric("1", "mean |𝒯| by paths that leave their step through another state (the paper's M2·ψ)"),
        "lif_paths_by_lag": Metric(
            "1", "mean |𝒯| by the derivatives of a LIF at the same potentials (Πε of the paper)"
        ),
        "beyond_lif_by_lag": Metric(
            "1", "mean |𝒯| beside them: what the other states add, within a step or over steps"
        ),
        "smallest_psi": Metric("1", "smallest derivative of another state by the input of its step (the paper's ψ)"),
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
        if any(isinstance(module, RecurrentNeurons) for module in network.modules()):
            raise BackendUnavailable("neurons that hear each other have no temporal Jacobian of each alone: take mlp")
        _refuse_large(network, dataset.timesteps or settings["timesteps"], settings["samples"])
        for _ in islice(
            trained(cell, dataset, network, tested=False), round(settings["progress"] * settings["epochs"])
        ):
            pass
        samples = dataset.indices("train")
        order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))[: settings["samples"]]
        recorded = record_gradients(
            network, dataset, *dataset.batch(samples[order.to(samples.device)]), settings["loss"]
        )
        for name, record in recorded.items():
            check_finite(record.output.detach(), f"output of {name}")
            jacobian = temporal_jacobian(record.layer, record.current)
            yield from describe(decompose(jacobian, record.gradient), name)
            yield from describe_paths(record, jacobian, name)


def _refuse_large(network: nn.Module, steps: int, samples: int) -> None:
    """A Jacobian of many steps fills the memory of the machine; said before anything is trained."""
    widest = max((layer.channels or 1 for layer in network.modules() if isinstance(layer, NeuronLayer)), default=1)
    each = torch.finfo(torch.float32).bits // 8 * steps**2 * widest
    if each * samples > MOST_BYTES:
        fit = MOST_BYTES // each
        way = f"samples={fit} fits" if fit else "take a narrower network"
        raise BackendUnavailable(
            f"the temporal Jacobian of {steps} steps, {samples} samples and {widest} neurons takes "
            f"{each * samples / 2**30:.0f} GiB, more than {MOST_BYTES // 2**30}: {way}"
        )


def describe(parts: Decomposition, layer: str) -> Iterator[Value]:
    """The values of one layer."""
    if not math.isinf(parts.ratio()):  # of a neuron whose input acts a step later there is none
        yield Value("temporal_ratio", parts.ratio(), layer)
    yield Value("horizon", parts.horizon(), layer)
    for metric, share in (("outside_fraction", parts.outside), ("vanished_fraction", parts.vanished)):
        if not math.isnan(share):
            yield Value(metric, share, layer)
    shares = {"outside_by_lag": parts.zeros.outside_share(), "vanished_by_lag": parts.zeros.vanished_share()}
    for metric, by_lag in shares.items():
        for lag, share in enumerate(by_lag.tolist(), 1):
            if not math.isnan(share):
                yield Value(metric, share, layer, lag=lag)
    for lag, mean in enumerate(parts.by_lag().tolist(), 1):
        yield Value("temporal_gradient_by_lag", mean, layer, lag=lag)
    for step, mean in enumerate(parts.spatial.tolist()):
        yield Value("spatial_gradient", mean, layer, step=step)
        for lag in range(1, len(parts.spatial) - step):
            yield Value("temporal_gradient", float(parts.temporal[step, step + lag]), layer, step=step, lag=lag)


def describe_paths(record: Recorded, jacobian: Tensor, layer: str) -> Iterator[Value]:
    """Why the gradient vanishes or not, by lag; and that the parts add up to autograd's gradient."""
    gradient = record.gradient
    neuron = record.layer.neuron
    if isinstance(neuron.tau, (int, float)) and not neuron.learnables():
        for lag in range(1, len(gradient)):
            yield Value("decay_by_lag", neuron.decay**lag, layer, lag=lag)
    x = record.current.clone().requires_grad_()
    (total,) = torch.autograd.grad(record.layer(x), x, gradient)
    error = ((gradient.unsqueeze(1) * jacobian).sum(0) - total).abs().max()
    yield Value("sum_error", float(error / total.abs().max().clamp(min=1e-30)), layer)
    if len(neuron.states) > 1 and "u" in neuron.states:
        yield from describe_states(record, jacobian, layer)


def describe_states(record: Recorded, jacobian: Tensor, layer: str) -> Iterator[Value]:
    """Which state carries the temporal gradient, by both splits: all the way, and out of its first step."""
    through_u = jacobian_through_u(record.layer, record.current)
    first = jacobian_by_first_step(record.layer, record.current)
    by_others = [part for state, part in first.by_state.items() if state != "u"]
    parts = {
        "through_u_by_lag": through_u,
        "through_others_by_lag": jacobian - through_u,
        "m1_by_lag": first.by_state["u"],
        "m2_by_lag": torch.stack(by_others).sum(0),
    }
    for metric, part in parts.items():
        for lag, mean in enumerate(decompose(part, record.gradient).by_lag().tolist(), 1):
            yield Value(metric, mean, layer, lag=lag)
    if not record.layer.neuron.learnables():
        of_lif = jacobian_of_lif(record.layer, record.current)
        for metric, part in (("lif_paths_by_lag", of_lif), ("beyond_lif_by_lag", jacobian - of_lif)):
            for lag, mean in enumerate(decompose(part, record.gradient).by_lag().tolist(), 1):
                yield Value(metric, mean, layer, lag=lag)
    yield Value("smallest_psi", min(float(own.min()) for state, own in first.local.items() if state != "u"), layer)
