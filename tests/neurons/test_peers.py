"""What other packages compute: what is said to be the same is, over 1,024 neurons and 64 steps; the rest is pinned."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

import neurons
from neurons import BackendUnavailable, UnknownName, peers, reference
from neurons.conformance import NotConformant, compare, gate
from neurons.model import CONSTANTS
from neurons.peers import equivalence
from neurons.peers.equivalence import CHANNELS, SAMPLES, TIMESTEPS, NotEquivalent
from neurons.peers.spikingjelly import LIF as SpikingJellyLIF
from suite.runs.packages import model_of
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "packages.md"

SAME = [name for name, peer in peers.peers().items() if not peer.departs]
DEPARTURES = {
    "snntorch.leaky": ("noise", 1, 3),
    "snntorch.leaky_same_step": ("noise", 1, 220),
    "snntorch.synaptic": ("noise", 1, 11),
    "norse.lifbox": ("grid", 0, 0),
    "norse.lifbox_soft": ("grid", 0, 0),
    "norse.lif": ("noise", 1, 3),
    "spyx.lif": ("noise", 0, 3),
    "spyx.parallel_reset_lif": ("noise", 0, 3),
}
"""Drive, first step and neuron at which each package's neuron departs from the model that it is held against."""


def peer_layer(name: str, **constants: object) -> neurons.NeuronLayer:
    torch.manual_seed(0)
    return neurons.layer(name, CHANNELS, TIMESTEPS, **constants)


def maker(name: str, **options: Any) -> Callable[[int, int], neurons.NeuronLayer]:
    return lambda channels, timesteps: neurons.layer(name, channels, timesteps, **options)


def test_every_peer_is_said_to_be_the_same_or_pinned() -> None:
    assert {*SAME, *DEPARTURES} == set(peers.peers())
    assert not set(SAME) & set(DEPARTURES)
    assert SAMPLES * CHANNELS >= 1000
    assert TIMESTEPS >= 64


def test_the_page_says_what_is_asserted_here(request: pytest.FixtureRequest) -> None:
    """docs/packages.md: the relation of every neuron with its first departure, and its card."""
    relations, cards = [], []
    for name, peer in peers.peers().items():
        drive, step, neuron = DEPARTURES.get(name, ("", "", ""))
        where = f"{drive}, step {step}, neuron {neuron}" if drive else ""
        relation = "another model" if peer.departs else "the same"
        relations.append(f"| {name} | {model_of(peer)} | {relation} | {where} | {peer.departs} |")
        card = peer.card
        cards.append(f"| {name} | {card.charge} | {card.fire} | {card.reset} | {card.gradient} |")
    lines = PAGE.read_text().splitlines()
    for head, rows in (("| neuron | held", relations), ("| neuron | charge", cards)):
        start = next(number for number, entry in enumerate(lines) if entry.startswith(head)) + 2
        end = next((number for number in range(start, len(lines)) if not lines[number].startswith("|")), len(lines))
        lines[start:end] = rows
    page = "\n".join(lines) + "\n"
    if request.config.getoption("--update-snapshots"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page


@pytest.mark.parametrize(
    ("name", "seed"), [(name, seed) for name in SAME for seed in (0, 1) if not (seed and peers.get(name).apart)]
)
def test_same(name: str, seed: int) -> None:
    found = equivalence.compare(peer_layer(name), seed)
    assert found.relation in ("same", "same within rounding")
    assert (found.different_spikes, found.step) == (0, None)
    assert found.gradient_error is not None
    assert found.gradient_error < 1e-10


SLOW = "spyx.parallel_reset_lif"
"""Its T passes over T steps run operation by operation."""


@pytest.mark.parametrize(
    "name", [name if name != SLOW else pytest.param(name, marks=pytest.mark.slow) for name in DEPARTURES]
)
def test_different(name: str) -> None:
    found = equivalence.compare(peer_layer(name))
    assert found.relation == "different model"
    assert (found.drive, found.step, found.neuron) == DEPARTURES[name]
    assert found.different_spikes > 0


@pytest.mark.parametrize(
    ("name", "constants"),
    [
        ("spikingjelly.lif", {"surrogate": "atan", "reset": "hard", "decay_input": True}),
        ("spikingjelly.lif", {"surrogate": "sigmoid", "detach_reset": True, "tau": 1.3}),
        ("spikingjelly.if", {"reset": "hard", "surrogate": "atan"}),
        ("snntorch.leaky_zero_same_step", {"tau": 3.0, "v_th": 0.7, "surrogate": "triangle"}),
        *[
            (name, {"tau": tau, "v_th": v_th, "reset": reset})
            for name in ("spikingjelly.lif", "spikingjelly.klif", "snntorch.leaky_zero_same_step")
            for tau, v_th in ((1.0, 1.0), (1.3, 50.0), (2.0, 0.0), (2.0, -0.5), (1e6, 0.25))
            for reset in ("soft", "hard")
        ],
    ],
)
def test_same_with_other_constants_or_unavailable(name: str, constants: dict[str, object]) -> None:
    """At the edges too a package is refused or computes the model, the grid and silence included."""
    layer = peer_layer(name, **constants)
    if reason := layer.neuron.unlike(layer.neuron.like):
        with pytest.raises(BackendUnavailable, match=re.escape(reason)):
            layer(torch.zeros(TIMESTEPS, 3, CHANNELS))
    else:
        found = equivalence.compare(layer)
        assert (found.different_spikes, found.step) == (0, None)


def test_potentials_exactly_at_the_threshold() -> None:
    """2, 2, 2, 2 halved: the model fires at u = 1 each step; norse not before u has passed it."""
    x = torch.full((4, 1, 1), 2.0)
    ours = neurons.layer("lif", decay_input=True, surrogate="triangle", reset="hard")
    assert ours(x).flatten().tolist() == [1, 1, 1, 1]
    assert neurons.layer("norse.lifbox")(x).flatten().tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("drive", equivalence.DRIVES)
@pytest.mark.parametrize("name", ["lif", "if", "klif"])
def test_drives_reach_what_they_are_for(name: str, drive: str) -> None:
    model = neurons.get(name)()
    x = equivalence.drives(model, 0)[drive]
    output, states = zip(*reference.steps(model, model.initial_parameters(CHANNELS), x), strict=True)
    assert 0.02 < torch.stack(output).mean() < (1.01 if drive == "large" else 0.98)
    after = torch.stack([state[0] for state in states])
    if drive == "grid":
        before = after + torch.stack(output)  # of a soft reset by 1
        assert (before == 1).sum() > 10
    if drive == "silence":
        assert (x[16:48] == 0).all()
    if drive == "large":
        assert x.abs().max() > 1e4


def test_the_card_of_leaky_same_step() -> None:
    """A loop by the card: spikes, potentials and the input's gradient to the last bit."""
    layer = peer_layer("snntorch.leaky_same_step")
    x = (0.7 + 0.6 * torch.randn(30, 16, CHANNELS, dtype=torch.float64)).requires_grad_()
    neuron = layer.neuron
    u, spikes, potentials = torch.zeros(16, CHANNELS, dtype=torch.float64), [], []
    for current in x:
        taken = (u >= 1).double()  # detached
        u = 0.5 * u + current
        spike = neuron.spike(u - taken - 1)
        u = u - spike
        spikes.append(spike)
        potentials.append(u)
    ours, theirs = torch.stack(spikes), neuron.trace(x, {})
    assert torch.equal(ours, theirs[0])
    assert torch.allclose(torch.stack(potentials), theirs[1], atol=1e-12)
    gradient = torch.randn_like(x)
    mine, own = (torch.autograd.grad(output, x, gradient)[0] for output in (ours, theirs[0]))
    assert torch.allclose(mine, own, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "constants", "reason"),
    [
        ("snntorch.leaky", {"reset": "hard"}, "Leaky has reset='soft' and no other, not 'hard'"),
        ("snntorch.synaptic", {"decay_input": True}, "Synaptic has decay_input=False and no other, not True"),
        ("norse.lifbox", {"decay_input": False}, "LIFBoxCell has decay_input=True and no other, not False"),
        ("norse.lifbox", {"surrogate": "atan"}, "LIFBoxCell has surrogate='triangle' and no other, not 'atan'"),
        ("norse.lif", {"reset": "soft"}, "LIFCell has reset='hard' and no other"),
        ("spikingjelly.psn", {"tau": 3.0}, "PSN has tau=2.0 and no other, not 3.0"),
        ("spikingjelly.psn", {"surrogate": "triangle"}, "spikingjelly has no triangle surrogate"),
        ("spikingjelly.lif", {"tau": 1}, "spikingjelly needs tau above 1, not 1"),
        ("snntorch.leaky_zero", {"v_th": 0.0}, "for one more spike where v_th is 0 or below"),
    ],
)
def test_a_constant_that_a_package_does_not_take_is_refused(name: str, constants: Any, reason: str) -> None:
    for run in (lambda layer: layer(torch.zeros(TIMESTEPS, 3, CHANNELS)), equivalence.compare):
        with pytest.raises(BackendUnavailable, match=reason):
            run(peer_layer(name, **constants))


@pytest.mark.parametrize("name", ["plif", "klif", "lif"])
def test_the_published_protocol_of_a_peer_is_that_of_its_model(name: str) -> None:
    ours, theirs = (neurons.layer(n, protocol="published").neuron for n in (name, f"spikingjelly.{name}"))
    assert {key: getattr(theirs, key) for key in CONSTANTS} == {key: getattr(ours, key) for key in CONSTANTS}


@pytest.mark.parametrize("off", [1e-6, 1e-9])
def test_a_potential_that_is_off_is_another_model(off: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spikes and gradients are the same; the potential alone tells."""
    peer = peers.get("spikingjelly.lif_step")
    plain = peer.trace

    def trace(self: Any, x: torch.Tensor, parameters: Any) -> Any:
        spikes, potentials = plain(self, x, parameters)
        assert potentials is not None
        return spikes, potentials + off

    monkeypatch.setattr(peer, "trace", trace)
    found = equivalence.compare(peer_layer("spikingjelly.lif_step"))
    assert (found.relation, found.different_spikes, found.drive) == ("different model", 0, "noise")
    assert off / 10 < found.potential_error < off


@pytest.mark.parametrize("protocol", ["controlled", "published"])
@pytest.mark.parametrize("name", ["if", "lif", "plif", "klif", "glif", "clif"])
def test_spikingjelly_as_a_backend(name: str, protocol: str) -> None:
    torch.manual_seed(0)
    layer = neurons.layer(name, 10, 64, "spikingjelly", protocol)
    x = 0.7 + 0.6 * torch.randn(64, 100, 10)
    found = compare(layer, x, torch.randn_like(x))
    assert found.fault is None
    assert found.undecided < 20
    assert torch.equal(layer(x), layer(x))  # no state is left over


def test_the_packages_as_backends_of_lif() -> None:
    x = 0.7 + 0.6 * torch.randn(16, 30, 4)
    for package, constants in (
        ("snntorch", {"reset": "hard"}),
        ("snntorch", {"reset": "hard", "detach_reset": True}),
    ):
        theirs, ours = (neurons.layer("lif", backend=backend, **constants) for backend in (package, "reference"))
        assert torch.equal(theirs(x), ours(x))


@pytest.mark.parametrize(
    ("backend", "name", "constants", "reason"),
    [
        ("spikingjelly", "relu", {}, "no relu that computes the same"),
        ("spikingjelly", "lif", {"surrogate": "triangle"}, "no triangle surrogate"),
        ("spikingjelly", "lif", {"reset": "hard", "v_reset": 0.2}, "leaks towards v_reset"),
        ("spikingjelly", "if", {"reset": "hard", "v_reset": 0.2}, "starts at v_reset"),
        ("spikingjelly", "clif", {"reset": "hard"}, "resets softly"),
        ("snntorch", "lif", {}, "with reset='hard' it computes this one"),
        ("snntorch", "lif", {"reset": "hard", "v_reset": 0.2}, "resets to 0"),
        ("snntorch", "lif", {"reset": "hard", "v_th": -0.5}, "for one more spike where v_th is 0 or below, not -0.5"),
        ("spikingjelly", "lif", {"tau": 1.0}, "spikingjelly needs tau above 1, not 1.0"),
        ("spikingjelly", "klif", {"tau": 1.0}, "spikingjelly needs tau above 1, not 1.0"),
        ("spikingjelly", "clif", {"tau": 1.0}, "spikingjelly needs tau above 1, not 1.0"),
        ("norse", "lif", {"decay_input": True, "surrogate": "triangle"}, "of norse.lifbox, it fires at u > v_th"),
        ("norse", "clif", {}, "norse has no clif"),
        ("reference", "snntorch.leaky", {}, "is run by snntorch alone"),
        ("norse", "snntorch.leaky", {}, "is run by snntorch alone"),
    ],
)
def test_what_a_package_cannot_do_is_told(backend: str, name: str, constants: dict[str, object], reason: str) -> None:
    with pytest.raises(BackendUnavailable, match=reason):
        neurons.layer(name, backend=backend, **constants)(torch.zeros(2, 3))


def test_unknown_neuron_of_a_package() -> None:
    with pytest.raises(UnknownName, match=r"did you mean 'snntorch\.leaky'\?"):
        neurons.layer("snntorch.leeky")


@pytest.mark.parametrize("package", peers.PACKAGES)
def test_old_or_missing_package(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.0.0.14")
    with pytest.raises(BackendUnavailable, match=rf"{package} 0\.0\.0\.14 is too old: pip install"):
        neurons.layer("lif", backend=package)(torch.zeros(2, 3))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendUnavailable, match=f"the package {package} is not installed: pip install"):
        neurons.layer("lif", backend=package)(torch.zeros(2, 3))
    assert not [name for name in peers.available() if name.startswith(package)]


def test_gate_refuses_a_backend_that_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that loses a hundredth of its gradient is not timed."""
    from neurons.kernels.cpu.kernel import CpuKernel

    gate(maker("lif", backend="cpu"))
    right = CpuKernel.backward

    def wrong(self: CpuKernel, *arguments: object) -> object:
        grad_x, grads = right(self, *arguments)  # type: ignore[arg-type]
        return grad_x * 0.99, grads

    monkeypatch.setattr(CpuKernel, "backward", wrong)
    with pytest.raises(NotConformant, match="lif by cpu does not conform: the input gradient is off"):
        gate(maker("lif", backend="cpu"))


def test_gate_refuses_a_peer_that_is_not_what_its_card_says(monkeypatch: pytest.MonkeyPatch) -> None:
    gate(maker("spikingjelly.lif", backend="spikingjelly"))
    monkeypatch.setattr(SpikingJellyLIF, "arguments", lambda self, channels: {"tau": 3.0, "step_mode": "m"})
    with pytest.raises(NotEquivalent, match=r"spikingjelly\.lif departs from lif under the drive noise, step 0"):
        gate(maker("spikingjelly.lif", backend="spikingjelly"))


def test_a_compiled_peer_computes_the_same() -> None:
    x = 0.7 + 0.6 * torch.randn(4, 30, 4)
    plain, compiled = (neurons.layer("snntorch.leaky", backend=backend) for backend in ("snntorch", "compile"))
    assert torch.equal(plain(x), compiled(x))


def test_the_gate_asks_the_layer_that_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its constants and its truncation: what is right with them passes, what departs with them is refused."""
    gate(maker("lif", backend="snntorch", reset="hard"))  # right with this constant alone
    gate(maker("clif", backend="cpu", bptt_steps=2))
    with pytest.raises(BackendUnavailable, match="v_th is 0 or below"):
        gate(maker("snntorch.leaky_zero_same_step", v_th=0.0))
    with pytest.raises(BackendUnavailable, match="with reset='hard' it computes this one"):
        gate(maker("lif", backend="snntorch"))

    # said to be truncated, and is not
    monkeypatch.setattr("neurons.backends.reference_loop", lambda neuron, _: partial(reference.step_loop, neuron))
    with pytest.raises(NotConformant, match="lif by reference does not conform: the input gradient is off"):
        gate(maker("lif", backend="reference", bptt_steps=2))
