"""A kernel that disagrees with the reference is never used, whoever calls it; one that agrees is compared once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import neurons
from neurons import BackendUnavailable, Learnable, Neuron, NeuronLayer
from neurons.kernels import programs, verification
from neurons.kernels.cpu import kernel as cpu
from neurons.kernels.cpu.printer import CPrinter
from neurons.kernels.source import KernelSource


@pytest.fixture(autouse=True)
def nothing_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cpu, "_kernels", {})
    monkeypatch.setattr(programs, "_kernels", {})
    monkeypatch.setattr(verification, "_agreed", set())
    monkeypatch.setattr(verification, "_steps", {})


def x(steps: int = 4) -> Tensor:
    return 0.7 + 0.6 * torch.randn(steps, 5, 3, generator=torch.Generator().manual_seed(0))


WRONG = {
    "where": "choose({0}, {1} * R(1.001), {2})",  # the height of the surrogate
    "truth": "truth({0}) * R(0.5)",
}


@pytest.mark.parametrize(
    ("operation", "dtype"),
    [
        *((operation, dtype) for operation in WRONG for dtype in (torch.float32, torch.float64)),
        ("truth", torch.bfloat16),  # the other is within its rounding
    ],
)
def test_a_wrong_printer(operation: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CPrinter.functions, operation, WRONG[operation])
    layer = neurons.layer("lif", backend="cpu")
    for _ in range(2):
        with pytest.raises(BackendUnavailable, match=r"the kernel of lif on cpu for .* is not used: its .* differs"):
            layer(x().to(dtype))
    real = torch.float64 if dtype == torch.float64 else torch.float32
    handle = layer._runners["cpu"].programs[real].handle
    with pytest.raises(BackendUnavailable, match="is not used"):  # as a compiled or exported network calls it
        torch.ops.neurons.fused_forward(x().to(dtype), [torch.ones((), dtype=real)], handle, True)


@pytest.mark.parametrize("per", ["layer", "channel", "step_channel"])
def test_a_wrong_gradient_of_a_parameter(per: str, monkeypatch: pytest.MonkeyPatch) -> None:
    epilogue = KernelSource.epilogue
    monkeypatch.setattr(KernelSource, "epilogue", lambda *given: [own * 1.002 for own in epilogue(*given)[:1]] + [None])
    step = neurons.get("lif").step
    cls = type("Own", (Neuron,), {"name": "own", "states": ("u",), "v_th": Learnable(0.9, per), "step": step})
    with pytest.raises(BackendUnavailable, match="its gradient of v_th differs from the reference"):
        NeuronLayer(cls(4), 3, backend="cpu")(x())


class NeverFinite(Neuron):
    name, states = "never", ("u",)

    def step(self, x: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        u = torch.log(-1 - u * u) + x
        spike = self.spike(u - 1)
        return spike, u - spike


def test_what_cannot_be_compared_is_not_used() -> None:
    with pytest.raises(BackendUnavailable, match="cannot be told on random inputs"):
        NeuronLayer(NeverFinite(), backend="cpu")(x())


def test_compared_once_in_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    compare = verification._compare
    monkeypatch.setattr(verification, "_compare", lambda *given: compared.append(given) or compare(*given))
    neurons.layer("plif", backend="cpu")(x())
    neurons.layer("plif", backend="cpu")(x())
    assert len(compared) == 1
    for known in (verification._agreed, programs._kernels, verification._steps):
        known.clear()  # as in another process
    neurons.layer("plif", backend="cpu")(x())
    assert len(compared) == 1
    neurons.layer("plif", backend="cpu").double()(x().double())
    assert len(compared) == 2


def test_the_draws_of_the_program_are_left_alone() -> None:
    torch.manual_seed(0)
    layer = neurons.layer("glif", 3, 4, backend="cpu")
    torch.manual_seed(5)
    layer(x())
    found = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(found, torch.rand(3))


def test_most_neurons_are_compared_for_every_model() -> None:
    """Not a comparison of nothing: nine rows in ten, and both spikes and gradients are there."""
    for name in neurons.names():
        cls = neurons.get(name)
        if not cls.runs_over_time():
            continue
        layer = NeuronLayer(cls(6), 3, "cpu")
        source = layer._runners["cpu"].programs[torch.float32].source
        drawn = (layer.neuron, source, torch.float32, torch.float32, torch.device("cpu"), 0, verification.GAINS[0])
        case = verification._draw(*drawn)
        decided = verification._decided(case, torch.float32, 1e-4)
        assert decided.float().mean() >= 0.9
        output, grad_x, _ = case.reference(torch.float64)
        assert (output != 0).any()
        assert grad_x[:, decided].abs().max() > 0
