"""The temporal gradient by hand over three steps, and by the states that carry it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import neurons
from neurons import Learnable, Neuron, NeuronLayer
from tasks import data
from tasks.base import Cell
from tasks.measuring.workload import drive
from tasks.temporal_gradient import (
    Recorded,
    TemporalGradient,
    count_zeros,
    decompose,
    describe,
    describe_paths,
    jacobian_by_first_step,
    jacobian_of_lif,
    jacobian_through_u,
    temporal_jacobian,
)
from tasks.training.network_task import prepare

BY_HAND = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.05, 2.0, 1.0]])
"""J of three steps: lag 1 has 0 and 2, lag 2 has 0.05."""


def two_neurons() -> tuple[Tensor, Tensor]:
    """J [3, 3, 1, 2] of one neuron and of its negative, and g = 1."""
    return torch.stack([BY_HAND, -BY_HAND], dim=-1).unsqueeze(2), torch.ones(3, 1, 2)


def test_three_steps_by_hand() -> None:
    parts = decompose(*two_neurons())
    assert parts.spatial.tolist() == [1, 1, 1]
    assert parts.by_lag().tolist() == pytest.approx([1, 0.05])
    assert parts.ratio() == pytest.approx(1.05)
    assert parts.horizon() == 2
    assert parts.outside == 0
    assert parts.vanished == pytest.approx(1 / 3)


def test_horizon_is_at_one_percent() -> None:
    for value, horizon in ((0.0101, 2), (0.0099, 1)):
        jacobian = BY_HAND.clone()
        jacobian[2, 0] = value
        assert decompose(jacobian.reshape(3, 3, 1, 1), torch.ones(3, 1, 1)).horizon() == horizon


def test_horizon_is_a_share_of_the_spatial_gradient() -> None:
    """Of g = 1/4 everywhere: 1 % of mean |P| is 0.0025."""
    gradient = torch.full((3, 1, 1), 0.25)
    for value, horizon in ((0.0101, 2), (0.0099, 1)):
        jacobian = BY_HAND.clone()
        jacobian[2, 0] = value
        assert decompose(jacobian.reshape(3, 3, 1, 1), gradient).horizon() == horizon


def record_of(name: str, steps: int = 5) -> Recorded:
    """A layer as a network's loss would leave it, in float64."""
    layer = neurons.layer(name, channels=3, timesteps=steps, backend="reference").double()
    x = (0.9 + 0.5 * torch.randn(steps, 2, 3, generator=torch.Generator().manual_seed(3))).double()
    gradient = torch.randn(x.shape, generator=torch.Generator().manual_seed(4)).double()
    output = layer(x).detach().requires_grad_()
    output.grad = gradient
    return Recorded(layer, x, output)


def rows_by_metric(record: Recorded, jacobian: Tensor) -> dict[str, dict[int | None, float]]:
    rows: dict[str, dict[int | None, float]] = {}
    for value in describe_paths(record, jacobian, "neurons.0"):
        assert value.layer == "neurons.0"
        rows.setdefault(value.metric, {})[value.lag] = value.value
    return rows


BY_STATES = {"through_u_by_lag", "through_others_by_lag", "m1_by_lag", "m2_by_lag"}
BESIDE_LIF = {"lif_paths_by_lag", "beyond_lif_by_lag"}


@pytest.mark.parametrize(
    ("name", "metrics"),
    [
        ("lif", {"decay_by_lag"}),
        ("plif", set()),
        ("glif", {"smallest_psi"} | BY_STATES),
        ("clif", {"smallest_psi", "decay_by_lag"} | BY_STATES | BESIDE_LIF),
    ],
)
def test_which_rows_a_model_has(name: str, metrics: set[str]) -> None:
    record = record_of(name)
    rows = rows_by_metric(record, temporal_jacobian(record.layer, record.current))
    assert set(rows) == metrics | {"sum_error"}
    for metric in metrics & (BY_STATES | BESIDE_LIF | {"decay_by_lag"}):
        assert list(rows[metric]) == [1, 2, 3, 4]


def test_the_rows_of_paths_are_the_means_of_their_parts() -> None:
    record = record_of("clif")
    jacobian = temporal_jacobian(record.layer, record.current)
    rows = rows_by_metric(record, jacobian)
    first = jacobian_by_first_step(record.layer, record.current)
    through_u, of_lif = jacobian_through_u(record.layer, record.current), jacobian_of_lif(record.layer, record.current)
    parts = {
        "m1_by_lag": first.by_state["u"],
        "m2_by_lag": first.by_state["m"],
        "through_u_by_lag": through_u,
        "through_others_by_lag": jacobian - through_u,
        "lif_paths_by_lag": of_lif,
        "beyond_lif_by_lag": jacobian - of_lif,
    }
    for metric, part in parts.items():
        for lag in (1, 2, 3, 4):
            pairs = [(record.gradient[t + lag] * part[t + lag, t]).abs().mean() for t in range(5 - lag)]
            assert rows[metric][lag] == pytest.approx(float(torch.stack(pairs).mean()), rel=1e-12), (metric, lag)
    assert rows["smallest_psi"][None] == float(first.local["m"].min())


@pytest.mark.parametrize("name", ["lif", "clif", "glif"])
def test_the_error_of_the_sum_is_relative_to_the_largest_gradient(name: str) -> None:
    record = record_of(name)
    jacobian = temporal_jacobian(record.layer, record.current)
    assert rows_by_metric(record, jacobian)["sum_error"][None] < 1e-12
    assert rows_by_metric(record, 3 * jacobian)["sum_error"][None] == pytest.approx(2)


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e9])
def test_the_error_of_the_sum_does_not_depend_on_the_size_of_the_loss(scale: float) -> None:
    record = record_of("lif")
    record.output.grad = scale * record.gradient
    jacobian = temporal_jacobian(record.layer, record.current)
    assert rows_by_metric(record, 3 * jacobian)["sum_error"][None] == pytest.approx(2)


class OwnClock(Neuron):
    """A state that goes on by a learned factor, whatever the input."""

    name, states = "own_clock", ("u", "m")
    rate = Learnable(0.5)

    def step(self, x: Tensor, u: Tensor, m: Tensor) -> tuple[Tensor, ...]:
        m = self.rate * (m + 1)
        u = self.charge(u, x) + m
        spike = self.spike(u - self.v_th)
        return spike, self.fire_reset(u, spike), m


def test_a_state_that_no_input_reaches_has_no_part() -> None:
    """It follows a learned factor alone, so all that the input does passes through u."""
    layer = NeuronLayer(OwnClock(4), 3, "reference").double()
    x = (0.6 + 0.5 * torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0))).double()
    first = jacobian_by_first_step(layer, x)
    assert first.local["m"].tolist() == torch.zeros(4, 2, 3).tolist()
    assert first.by_state["m"].abs().max() == 0
    below = temporal_jacobian(layer, x).clone()
    below[range(4), range(4)] = 0
    assert torch.allclose(first.by_state["u"], below, rtol=1e-12)


def test_the_rows_of_three_steps() -> None:
    rows = {(v.metric, v.step, v.lag): v.value for v in describe(decompose(*two_neurons()), "neurons.0")}
    assert rows["temporal_gradient_by_lag", None, 1] == pytest.approx(1)
    assert rows["temporal_gradient_by_lag", None, 2] == pytest.approx(0.05)
    assert rows["temporal_gradient", 0, 1] == 0
    assert rows["temporal_gradient", 1, 1] == 2
    assert rows["temporal_gradient", 0, 2] == pytest.approx(0.05)
    assert [rows["spatial_gradient", step, None] for step in range(3)] == [1, 1, 1]
    assert (rows["vanished_by_lag", None, 1], rows["vanished_by_lag", None, 2]) == (0.5, 0)
    assert (rows["horizon", None, None], rows["temporal_ratio", None, None]) == (2, pytest.approx(1.05))
    shares = rows["outside_fraction", None, None], rows["vanished_fraction", None, None]
    assert shares == (0, pytest.approx(1 / 3))


def test_zeros_outside_the_surrogate_are_not_those_on_the_way() -> None:
    """A spike at t' = 2 that passes nothing at all, and one at t' = 1 that loses its way to t = 0."""
    jacobian = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]).reshape(3, 3, 1, 1)
    zeros = count_zeros(jacobian)
    assert (zeros.entries.tolist(), zeros.outside.tolist(), zeros.vanished.tolist()) == ([2, 1], [1, 1], [1, 0])
    parts = decompose(jacobian, torch.ones(3, 1, 1))
    assert (parts.outside, parts.vanished) == (pytest.approx(2 / 3), 1)
    rows = {(v.metric, v.lag): v.value for v in describe(parts, "neurons.0")}
    assert rows["outside_by_lag", 2] == 1
    assert ("vanished_by_lag", 2) not in rows  # no gradient entered at lag 2


def test_a_single_step_has_no_shares() -> None:
    parts = decompose(torch.ones(1, 1, 2, 2), torch.ones(1, 2, 2))
    assert math.isnan(parts.outside)
    assert math.isnan(parts.vanished)
    assert {value.metric for value in describe(parts, "neurons.0")} == {"temporal_ratio", "horizon", "spatial_gradient"}


def test_lif_vanishes_where_u_was_near_the_threshold() -> None:
    """Equation 14 in float64: J[t', t] is H(u[t'])·γ^lag if no u[t], …, u[t' − 1] lies in (½, 3/2), else 0."""
    x = drive(6, 512, seed=1).double()
    jacobian = temporal_jacobian(neurons.layer("lif", backend="reference"), x)
    u, near = torch.zeros_like(x[0]), []
    for current in x:
        u = 0.5 * u + current
        near.append((u - 1).abs() < 0.5)
        u = u - (u >= 1).double()
    for later in range(6):
        for t in range(later + 1):
            crossed = torch.stack([torch.zeros_like(near[0]), *near[t:later]]).any(0)
            expected = near[later] * ~crossed * 0.5 ** (later - t)
            assert torch.allclose(jacobian[later, t], expected.double(), atol=1e-12)
    parts = decompose(jacobian, torch.ones_like(x))
    assert parts.outside == pytest.approx(
        float(sum((later * ~near[later]).sum() for later in range(1, 6))) / (15 * near[0].numel())
    )


class WrittenOnly(Neuron):
    """m is written and never read."""

    states = ("u", "m")

    def step(self, x: Tensor, u: Tensor, m: Tensor) -> tuple[Tensor, ...]:
        u = self.charge(u, x)
        spike = self.spike(u - self.v_th)
        return spike, self.fire_reset(u, spike), m + u


class CarriedByM(Neuron):
    """u is made anew from m at each step."""

    states = ("u", "m")

    def step(self, x: Tensor, u: Tensor, m: Tensor) -> tuple[Tensor, ...]:
        m = 0.5 * m + x
        return self.spike(m - self.v_th), 0 * u, m


@pytest.mark.parametrize(("model", "carrier"), [(WrittenOnly, "u"), (CarriedByM, "m")])
def test_a_state_that_nobody_reads_carries_nothing(model: type[Neuron], carrier: str) -> None:
    model.name = model.__name__.lower()
    layer = NeuronLayer(model(), backend="reference")
    x = drive(5, 256, seed=0)
    jacobian = temporal_jacobian(layer, x)
    below = jacobian * torch.ones(5, 5).tril(-1).reshape(5, 5, 1, 1)
    assert float(below.abs().max()) > 0
    first = jacobian_by_first_step(layer, x)
    other = {"u": "m", "m": "u"}[carrier]
    assert torch.allclose(first.by_state[carrier], below)
    assert float(first.by_state[other].abs().max()) == 0
    through_u = jacobian_through_u(layer, x)
    expected = jacobian if carrier == "u" else jacobian - below
    assert torch.allclose(through_u, expected)


@pytest.mark.parametrize("name", ["clif", "glif"])
@pytest.mark.parametrize("bptt_steps", [None, 3])
def test_first_steps_sum_to_the_jacobian(name: str, bptt_steps: int | None) -> None:
    torch.manual_seed(0)
    layer = neurons.layer(name, channels=64, timesteps=7, backend="reference", bptt_steps=bptt_steps).double()
    x = drive(7, 4 * 64, seed=3).double()
    below = temporal_jacobian(layer, x) * torch.ones(7, 7).tril(-1).reshape(7, 7, 1, 1)
    first = jacobian_by_first_step(layer, x)
    assert torch.allclose(sum(first.by_state.values()), below, atol=1e-12)  # type: ignore[arg-type]
    assert all(float(part.abs().max()) > 0 for part in first.by_state.values())


def test_clif_first_steps_by_its_equations() -> None:
    """M2·ψ of the paper for a gradient at t' = t + 2: γ·(−s·σ'(m))·H at t + 1, times σ(u/τ), times ψ[t], by hand."""
    x = drive(3, 4096, seed=2).double()
    layer = neurons.layer("clif", backend="reference")
    u, m, states = torch.zeros_like(x[0]), torch.zeros_like(x[0]), []
    for current in x:
        u = 0.5 * u + current
        s = (u >= 1).double()
        gate = torch.sigmoid(u / 2)
        psi = 0.5 * m * gate * (1 - gate) + ((u - 1).abs() < 0.5).double()
        m = m * gate + s
        states.append((u, s, m, gate, psi))
        u = u - s * (1 + torch.sigmoid(m))
    (_, _, _, _, psi), (_, s1, m1, gate1, psi1), (u2, *_) = states
    slope = torch.sigmoid(m1) * (1 - torch.sigmoid(m1))
    inside = ((u2 - 1).abs() < 0.5).double()
    expected = inside * 0.5 * (-s1 * slope) * gate1 * psi
    first = jacobian_by_first_step(layer, x)
    assert torch.allclose(first.by_state["m"][2, 0], expected, atol=1e-12)
    assert torch.allclose(first.local["m"][0], psi, atol=1e-12)
    assert torch.allclose(first.local["m"][1], psi1, atol=1e-12)
    assert float(expected.abs().max()) > 0
    assert (first.by_state["m"][1, 0] == 0).all()


def test_lif_paths_of_clif_are_the_product_of_epsilon() -> None:
    """Π γ·(1 − H(u)·V_th) at CLIF's own potentials, times H at the loss; a LIF's are all of its Jacobian."""
    x = drive(5, 1024, seed=4).double()
    layer = neurons.layer("clif", backend="reference")
    u, m, near = torch.zeros_like(x[0]), torch.zeros_like(x[0]), []
    for current in x:
        u = 0.5 * u + current
        s = (u >= 1).double()
        near.append(((u - 1).abs() < 0.5).double())
        m = m * torch.sigmoid(u / 2) + s
        u = u - s * (1 + torch.sigmoid(m))
    found = jacobian_of_lif(layer, x)
    for later in range(5):
        for t in range(later + 1):
            expected = near[later].clone()
            for between in near[t:later]:
                expected = expected * 0.5 * (1 - between)
            assert torch.allclose(found[later, t], expected, atol=1e-12)
    lif = neurons.layer("lif", backend="reference")
    assert torch.allclose(jacobian_of_lif(lif, x), temporal_jacobian(lif, x), atol=1e-12)


def test_no_progress_trains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """With progress 0 the gradients are those of the network as it was drawn, and no step was taken."""
    settings = dict(TemporalGradient.settings) | {"width": 8, "epochs": 2, "train_samples": 64, "progress": 0.0}
    cell = Cell("temporal_gradient", "lif", "reference", 0, settings)
    _, fresh = prepare(cell)
    weights = {name: value.clone() for name, value in fresh.state_dict().items() if name.endswith("weight")}
    seen: list[dict[str, Tensor]] = []
    import tasks.temporal_gradient as module

    plain = module.record_gradients

    def record(network: torch.nn.Module, *arguments: object) -> dict[str, Recorded]:
        seen.append({name: value.clone() for name, value in network.state_dict().items() if name in weights})
        return plain(network, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "record_gradients", record)
    steps: list[int] = []
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda *_, **__: steps.append(1))
    list(TemporalGradient().run(cell))
    assert not steps
    assert all(torch.equal(seen[0][name], value) for name, value in weights.items())


@pytest.mark.parametrize("progress", [0.5, 1.0])
def test_the_batch_is_of_the_training_set_and_of_no_seed(progress: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many samples as asked, each with its label; the network trains so long before, and as a loss would see it."""
    import tasks.temporal_gradient as module

    seen: list[tuple[Tensor, Tensor, str]] = []
    plain = module.record_gradients

    def record(network: torch.nn.Module, dataset: Any, x: Tensor, labels: Tensor, loss: str) -> dict[str, Recorded]:
        seen.append((x, labels, loss))
        recorded = plain(network, dataset, x, labels, loss)
        assert network.training
        return recorded

    steps: list[int] = []
    step = torch.optim.AdamW.step
    monkeypatch.setattr(module, "record_gradients", record)
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda *own, **more: (steps.append(1), step(*own, **more)))
    given = {"width": 8, "epochs": 2, "train_samples": 64, "batch_size": 32, "samples": 5, "loss": "cross_entropy"}
    settings = dict(TemporalGradient.settings) | given | {"progress": progress}
    for seed in (0, 1):
        list(TemporalGradient().run(Cell("temporal_gradient", "lif", "reference", seed, settings)))
    assert len(steps) == 2 * 2 * (1 if progress == 0.5 else 2)
    (x, labels, loss), (other, _, _) = seen
    assert torch.equal(x, other)
    assert (len(x), loss) == (5, "cross_entropy")
    inputs, known = data.load("digits").part("train")
    places = [int((inputs == own).flatten(1).all(1).nonzero()[0]) for own in x]
    assert torch.equal(known[places], labels)
    assert len(set(places)) == 5
