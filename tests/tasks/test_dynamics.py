"""Traces of single neurons are those of a layer; a package's neuron has none and says so."""

from __future__ import annotations

import pytest
import torch

import neurons
import tasks
from neurons import BackendUnavailable, peers
from tasks import Cell
from tasks.dynamics import LAGS, Dynamics, autocorrelation, correlation, traces


@pytest.mark.parametrize("name", ["if", "lif", "plif", "klif", "glif", "clif", "relu"])
def test_output_is_that_of_the_layer(name: str) -> None:
    layer = neurons.layer(name, 1, 12, "reference")
    current = 0.7 + 0.6 * torch.randn(12, 30)
    found = traces(layer, current)
    assert torch.equal(found["output"], layer(current.unsqueeze(-1)).squeeze(-1))
    assert set(found) == {"output", *layer.neuron.states}
    assert all(values.shape == (12, 30) for values in found.values())


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("name", ["lif", "glif", "clif"])
def test_few_steps(name: str, steps: int) -> None:
    cell = Cell("dynamics", name, "auto", 0, {**tasks.get("dynamics").settings, "timesteps": steps, "samples": 4})
    values = list(tasks.get("dynamics").run(cell))
    assert all(value.value == value.value for value in values)
    assert {value.lag for value in values if value.metric == "autocorrelation"} == set(range(1, steps))


def test_autocorrelation_by_hand() -> None:
    """0, 1, 0, 1: centred ∓½, variance ¼, products −¼ at lag 1 and +¼ at lag 2."""
    assert autocorrelation(torch.tensor([[0.0], [1.0], [0.0], [1.0]]), 2) == [-1.0, 1.0]
    assert autocorrelation(torch.ones(3, 1), 5) == [0.0, 0.0]


def test_correlation_by_hand() -> None:
    """1, 2, 3: R[0] = 14/3, R[1] = (2 + 6)/3, R[2] = 3/3; the mean stays in."""
    assert correlation(torch.tensor([[1.0], [2.0], [3.0]]), 5) == pytest.approx([14 / 3, 8 / 3, 1])


def test_no_input_spike_alone_fires_a_neuron() -> None:
    """Whatever weight a profile uses, a LIF must sum spikes: else it copies its input."""
    task = tasks.get("dynamics")
    for profile in ("smoke", "quick", "full"):
        assert all(settings["weight"] < 1 for settings in task.grid(profile, ["digits"]))
    settings = {**task.settings, "timesteps": 400, "samples": 32, "input_rate": 0.7}
    rate = {
        name: next(v.value for v in task.run(Cell("dynamics", name, "auto", 0, settings)) if v.metric == "firing_rate")
        for name in ("lif", "clif")
    }
    assert rate["clif"] < rate["lif"] < 0.65


@pytest.mark.parametrize("task", ["dynamics", "energy"])
@pytest.mark.parametrize("name", ["snntorch.leaky", "spikingjelly.lif", "spikingjelly.psn", "norse.lifbox"])
def test_a_neuron_of_a_package_has_no_step_to_look_into(task: str, name: str) -> None:
    settings = {**tasks.get(task).settings, **tasks.get(task).grid("smoke", ["digits"])[0]}
    with pytest.raises(BackendUnavailable, match=rf"{name} has no step of the suite"):
        list(tasks.get(task).run(Cell(task, name, peers.get(name).package, 0, settings)))


@pytest.mark.parametrize(("rate", "weight"), [(0.1, 0.9), (0.9, 0.5)])
def test_input_of_that_rate_and_weight(rate: float, weight: float) -> None:
    """A ReLU gives back its input: spikes of the seed alone, each worth the weight."""
    settings = {**Dynamics.settings, "timesteps": 500, "input_rate": rate, "weight": weight}
    runs = [list(Dynamics().run(Cell("dynamics", "relu", "reference", seed, settings))) for seed in (0, 0, 1)]
    (mean,) = [value.value for value in runs[0] if value.metric == "firing_rate"]
    # 500 steps of 64 neurons: the share of spikes lies within 4 standard deviations
    assert mean / weight == pytest.approx(rate, abs=4 * (rate * (1 - rate) / 32_000) ** 0.5)
    trace = [value for value in runs[0] if value.metric == "trace"]
    assert [value.step for value in trace] == list(range(100))
    assert {round(value.value, 6) for value in trace} == {0.0, weight}
    assert runs[0] == runs[1] != runs[2]


def test_the_rows_of_a_run_are_those_of_the_traced_neurons() -> None:
    """Traces of the first neuron by step from 0; correlations over all neurons by lag, from 0 and from 1."""
    settings = {**Dynamics.settings, "timesteps": 40, "samples": 3, "input_rate": 0.5, "weight": 0.9}
    cell = Cell("dynamics", "clif", "reference", 5, settings)
    rows = {(v.metric, v.layer, v.step, v.lag): v.value for v in Dynamics().run(cell)}
    spikes = torch.rand((40, 3), generator=torch.Generator().manual_seed(5)) < 0.5
    found = traces(cell.neuron_layer(1, 40), 0.9 * spikes.float())
    assert rows["firing_rate", None, None, None] == pytest.approx(float(found["output"].mean()))
    for state, values in found.items():
        assert [rows["trace", state, step, None] for step in range(40)] == values[:, 0].tolist()
    assert {layer for metric, layer, _, _ in rows if metric == "correlation"} == {"u", "m"}
    for state in ("u", "m"):
        own = [rows["correlation", state, None, lag] for lag in range(LAGS + 1)]
        centred = [rows["autocorrelation", state, None, lag] for lag in range(1, LAGS + 1)]
        assert own == pytest.approx(correlation(found[state], LAGS))
        assert centred == pytest.approx(autocorrelation(found[state], LAGS))
        assert ("autocorrelation", state, None, 0) not in rows
