"""The task linear_neuron: shares by a clock that the test turns, what is refused, and packages apart or broken."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import neurons
import tasks
from neurons import BackendUnavailable, peers
from neurons.conformance import gate
from neurons.peers import equivalence
from neurons.peers.apart import Apart
from tasks import Cell, linear_neuron
from tasks.measuring import contender, linear_workload
from tasks.measuring.linear_workload import Synapse
from tasks.measuring.timing import COPY_WORK, Spread, interleave

TASK = tasks.get("linear_neuron")


def cell(neuron: str = "lif", backend: str = "cpu", **settings: Any) -> Cell:
    small = {"timesteps": 6, "batch_size": 3, "width": 16, "rounds": 2}
    return Cell("linear_neuron", neuron, backend, 0, {**TASK.settings, **small, **settings})


def values(*cells: Cell) -> list[dict[str, float] | Exception]:
    return [
        found if isinstance(found, Exception) else {value.metric: value.value for value in found}
        for _, found in TASK.run_batch(cells)
    ]


def given_times(seconds: dict[object, list[float]]) -> Callable[..., dict[object, Spread]]:
    return lambda works, rounds, device, budget: {key: Spread.of(seconds[key]) for key in works}


def test_shares_are_of_the_same_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine slows fivefold in the second round: neurons 1 and 5 s, Linear 3 and 15 s: 1/4 in both."""
    seconds = {
        COPY_WORK: [1.0, 1.0],
        ("torch", "forward"): [1.0, 1.0],
        ("torch", "forward_backward"): [3.0, 15.0],
        ("torch", "steps"): [4.0, 20.0],
        (0, "forward"): [1.0, 3.0],
        (0, "forward_backward"): [1.0, 5.0],
        (0, "together"): [7.0, 7.0],
    }
    monkeypatch.setattr(linear_neuron, "interleave", given_times(seconds))
    (found,) = values(cell())
    assert isinstance(found, dict)
    assert [found[f"neuron_share{end}"] for end in ("", "_p20", "_p80")] == [0.25] * 3
    assert found["neuron_forward_share"] == pytest.approx((1 / 2 + 3 / 4) / 2)
    assert found["neuron_share_of_steps"] == pytest.approx(0.2)
    assert found["neuron_time"] == 3000
    assert found["linear_time"] == 9000
    assert found["together_time"] == 7000
    assert found["neuron_time_over_baseline"] == 1
    assert found["different_spikes"] == 0


def test_a_linear_that_takes_too_long_is_predicted_from_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    own = cell(timesteps=8, batch_size=16, seconds=1e-9)
    (result,) = (found for _, found in TASK.run_batch([own]))
    assert not isinstance(result, Exception)
    details = {value.metric: value.detail for value in result}
    assert details["linear_time"] == "predicted: 16 times that of one in 16 rows"
    assert details["neuron_share"] == details["linear_time"]
    assert details["neuron_time"] == ""
    assert "together_time" not in details
    synapse = Synapse.of(own)
    assert (synapse.part(16).scale, synapse.part(16).rows, synapse.scale) == (16, 8, 1)


def test_rounds_end_with_their_time_but_one_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    found = interleave({"a": lambda: None}, 5, budget=-1.0)
    assert len(found["a"].rounds) == 1
    assert len(interleave({"a": lambda: None}, 5)["a"].rounds) == 5


@pytest.mark.parametrize("input_gradient", [True, False])
def test_the_linear_and_the_neurons_are_those_of_a_layer(input_gradient: bool) -> None:
    """Gradients of the parts, chained by hand, are those of both together."""
    own = cell(input_gradient=input_gradient)
    synapse = Synapse.of(own)
    behind = linear_workload.Behind(synapse, own.neuron_layer(16, 6))
    behind.together()
    assert synapse.linear.weight.grad is not None
    together = synapse.linear.weight.grad.clone()
    current = synapse.linear(synapse.x).detach().requires_grad_()
    behind.layer(current).backward(synapse.gradient)
    assert current.grad is not None
    by_hand = current.grad.flatten(0, 1).T @ synapse.x.detach().flatten(0, 1)
    assert torch.allclose(together, by_hand, atol=1e-4)
    assert (synapse.x.grad is not None) is input_gradient
    synapse.step_by_step()
    steps = synapse.linear.weight.grad.clone()
    synapse.forward_backward()
    assert torch.allclose(synapse.linear.weight.grad, steps, atol=1e-4)


def test_too_little_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = values(cell(width=1 << 22))
    assert isinstance(found, BackendUnavailable)
    assert "GiB are asked for" in str(found)


PLANTED = {
    "breaks as it is imported": ("raise OSError('libcuda.so.9: cannot open')", "1.0.0", "fails: OSError: libcuda"),
    "is newer than its adapter": ("def Leaky(**names): raise TypeError('no beta')", "9.0", "fails: TypeError: no beta"),
    "is too old": ("", "0.7", "is too old: pip install"),
}


@pytest.fixture
def without_snntorch() -> Iterator[None]:
    """Its modules are forgotten, and come back when the test is over."""

    def loaded() -> list[str]:
        return [name for name in sys.modules if name.partition(".")[0] == "snntorch"]

    kept = {name: sys.modules.pop(name) for name in loaded()}
    yield
    for name in loaded():
        del sys.modules[name]
    sys.modules.update(kept)


@pytest.mark.usefixtures("without_snntorch")
@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_package_is_unavailable_and_leaves_the_rest(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, version, told = PLANTED[fault]
    (tmp_path / "snntorch").mkdir()
    (tmp_path / "snntorch" / "__init__.py").write_text(code)
    info = tmp_path / f"snntorch-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: snntorch\nVersion: {version}\n")
    monkeypatch.syspath_prepend(tmp_path)
    good, bad = values(cell(), cell("snntorch.leaky", "snntorch"))[::-1]
    assert isinstance(bad, BackendUnavailable)
    assert told in str(bad)
    assert str(bad).startswith(f"snntorch {version}")
    assert isinstance(good, dict)
    assert good["neuron_time"] > 0


def test_a_package_of_jax_is_timed_in_a_process_of_its_own() -> None:
    before = set(sys.modules)
    ours, theirs = values(cell(), cell("jaxpike.lif", "jaxpike", **{"neuron.decay_input": True}))
    assert isinstance(theirs, dict), theirs
    assert isinstance(ours, dict)
    assert theirs["jit_time"] > 0
    assert theirs["different_spikes"] == 0
    assert 0 < theirs["neuron_share"] < 1
    assert theirs["linear_time"] != ours["linear_time"]
    assert not {name.partition(".")[0] for name in set(sys.modules) - before} & {"jax", "jaxlib", "jaxpike"}


def test_other_tasks_refuse_to_time_it() -> None:
    with pytest.raises(BackendUnavailable, match="where only linear_neuron takes times"):
        gate(lambda channels, steps: neurons.layer("spyx.lif", channels, steps))


def test_a_process_that_died_is_told_and_replaced() -> None:
    process = Apart("cpu")
    process.close()
    with pytest.raises(BackendUnavailable, match="ended with exit code -9"):
        process.ask("forget")
    jax = contender.OfJax()
    jax.process = process
    with jax:
        assert jax._started(torch.device("cpu")).ask("forget") is None


def test_what_a_package_of_jax_raises_is_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = neurons.layer("spyx.psu_lif", 8, 4)
    monkeypatch.setattr(peers.get("spyx.psu_lif"), "name", "spyx.lif_of_tomorrow")
    with pytest.raises(BackendUnavailable, match="lif_of_tomorrow"):
        layer(torch.zeros(4, 2, 8))


def by_hand(charge: Callable[[Any, Any], Any], x: torch.Tensor, fires_before: bool, reset: float) -> torch.Tensor:
    """Spikes of a LIF written out, in float64."""
    u, spikes = torch.zeros_like(x[0]), []
    for current in x:
        if fires_before:
            spike = (u >= 1).double()
            u = charge(u, current) - reset * spike
        else:
            u = charge(u, current)
            spike = (u >= 1).double()
            u = u - reset * spike
        spikes.append(spike)
    return torch.stack(spikes)


@pytest.mark.parametrize(
    ("name", "charge", "fires_before", "reset"),
    [
        ("spyx.lif", lambda u, x: 0.5 * u + x, True, 1.0),
        ("spyx.psu_lif", lambda u, x: 0.5 * u + x, False, 0.0),
        ("jaxpike.lif", lambda u, x: 0.5 * u + 0.5 * x, False, 1.0),
        ("snntorch.state_leaky", lambda u, x: 0.5 * u + x, False, 0.0),
    ],
)
def test_the_equations_of_the_cards(
    name: str, charge: Callable[[Any, Any], Any], fires_before: bool, reset: float
) -> None:
    drives = equivalence.drives(neurons.get("lif")(), 0)
    x = 2 * drives["grid"][:12, :16]  # exact in binary, and some potentials are the threshold
    expected = by_hand(charge, x, fires_before, reset)
    assert torch.equal(neurons.layer(name, 8, 12)(x), expected)
    assert 0.1 < expected.mean() < 0.9


def test_gradients_of_earlier_works_do_not_hide_the_peak() -> None:
    """Beside a weight's gradient of 16 MiB that the work frees as it begins: spikes and gradient of 4 MiB each."""
    wide = cell(width=2048, timesteps=8, batch_size=64)
    synapse = Synapse.of(wide)
    known = contender.of_torch(synapse, wide.neuron_layer(2048, 8), [])
    known.works["forward_backward"]()
    synapse.forward_backward()
    (peak,) = contender.peaks(known, None)
    assert peak.value * 1024 >= 0.9 * 8, "MiB"
