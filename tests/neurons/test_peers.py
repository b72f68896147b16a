"""What other packages compute: what is said to be the same is, over 1,024 neurons and 64 steps; the rest is pinned."""

from __future__ import annotations

import importlib.metadata

import pytest
import torch

import neurons
from neurons import BackendUnavailable, UnknownName, peers
from neurons.conformance import NotConformant, compare, gate
from neurons.peers import equivalence
from neurons.peers.equivalence import CHANNELS, SAMPLES, TIMESTEPS, NotEquivalent
from neurons.peers.spikingjelly import LIF as SpikingJellyLIF

SAME = [name for name, peer in peers.peers().items() if not peer.departs]
DEPARTURES = {
    "spikingjelly.psn": (0, 3),
    "snntorch.leaky": (1, 3),
    "snntorch.leaky_same_step": (1, 220),
    "snntorch.synaptic": (1, 11),
    "snntorch.rleaky": (1, 3),
    "snntorch.alpha": (0, 3),
    "norse.lif": (1, 3),
    "norse.lifadex": (0, 76),
}
"""First step and neuron at which each package's neuron departs from the model that it is held against."""


def peer_layer(name: str, **constants: object) -> neurons.NeuronLayer:
    torch.manual_seed(0)
    return neurons.layer(name, CHANNELS, TIMESTEPS, **constants)


def test_every_peer_is_said_to_be_the_same_or_pinned() -> None:
    assert {*SAME, *DEPARTURES} == set(peers.peers())
    assert not set(SAME) & set(DEPARTURES)
    assert SAMPLES * CHANNELS >= 1000
    assert TIMESTEPS >= 64


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", SAME)
def test_same(name: str, seed: int) -> None:
    found = equivalence.compare(peer_layer(name), seed)
    assert found.relation in ("same", "same within rounding")
    assert (found.different_spikes, found.step) == (0, None)
    assert found.gradient_error is not None
    assert found.gradient_error < equivalence.TOLERANCE


@pytest.mark.parametrize("name", DEPARTURES)
def test_different(name: str) -> None:
    found = equivalence.compare(peer_layer(name))
    assert found.relation == "different model"
    assert (found.step, found.neuron) == DEPARTURES[name]
    assert found.different_spikes > 0


@pytest.mark.parametrize(
    ("name", "constants"),
    [
        ("spikingjelly.lif", {"surrogate": "atan", "reset": "hard", "decay_input": True}),
        ("spikingjelly.lif", {"surrogate": "sigmoid", "detach_reset": True, "tau": 1.3}),
        ("spikingjelly.if", {"reset": "hard", "surrogate": "atan"}),
        ("snntorch.leaky_zero_same_step", {"tau": 3.0, "v_th": 0.7, "surrogate": "triangle"}),
        ("norse.lifbox", {"tau": 5.0, "v_th": 0.5, "v_reset": -0.2}),
    ],
)
def test_same_with_other_constants(name: str, constants: dict[str, object]) -> None:
    assert equivalence.compare(peer_layer(name, **constants)).step is None


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
        ("norse", {"decay_input": True, "surrogate": "triangle"}),
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
        ("norse", "lif", {}, "with decay_input=True it computes this model"),
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
    from neurons.kernels.cpu import CpuKernel

    gate("lif", "cpu")
    right = CpuKernel.backward

    def wrong(self: CpuKernel, *arguments: object) -> object:
        grad_x, grads = right(self, *arguments)  # type: ignore[arg-type]
        return grad_x * 0.99, grads

    monkeypatch.setattr(CpuKernel, "backward", wrong)
    with pytest.raises(NotConformant, match="lif by cpu does not conform: the input gradient is off"):
        gate("lif", "cpu")


def test_gate_refuses_a_peer_that_is_not_what_its_card_says(monkeypatch: pytest.MonkeyPatch) -> None:
    gate("spikingjelly.lif", "spikingjelly")
    monkeypatch.setattr(SpikingJellyLIF, "arguments", lambda self, channels: {"tau": 3.0, "step_mode": "m"})
    with pytest.raises(NotEquivalent, match=r"spikingjelly\.lif departs from lif at step 0, neuron \d+"):
        gate("spikingjelly.lif", "spikingjelly")


def test_a_compiled_peer_computes_the_same() -> None:
    x = 0.7 + 0.6 * torch.randn(4, 30, 4)
    plain, compiled = (neurons.layer("snntorch.leaky", backend=backend) for backend in ("snntorch", "compile"))
    assert torch.equal(plain(x), compiled(x))
