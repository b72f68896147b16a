"""Saved bytes are exact, and the peak sees what a function allocates."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import neurons
from neurons import InvalidValue, UnknownName
from neurons.conformance import NotConformant
from tasks import memory
from tasks.base import Cell
from tasks.measuring.workload import LayerWorkload, drive
from tasks.memory import Memory, Peak, peak_bytes, saved_bytes

CPU = torch.device("cpu")


def cell_of(neuron: str, backend: str = "cpu", seed: int = 0, **settings: Any) -> Cell:
    return Cell("memory", neuron, backend, seed, {**Memory.settings, "timesteps": 4, "elements": 640, **settings})


def test_saved_bytes_counts_each_storage_once() -> None:
    x = torch.rand(1000, requires_grad=True)
    assert saved_bytes(lambda: x * 2) == 0
    assert saved_bytes(lambda: x * x) == 4000
    assert saved_bytes(lambda: torch.sigmoid(x) * x) == 8000
    assert saved_bytes(lambda: x[:10] * x[10:20]) == 4000


def test_parameters_are_left_out() -> None:
    weight = torch.rand(1000, requires_grad=True)
    x = torch.rand(1000, requires_grad=True)
    assert saved_bytes(lambda: x * weight, [weight]) == 4000


def test_peak_sees_a_passing_allocation() -> None:
    def work() -> None:
        torch.ones(25_000_000).sum()

    peak = peak_bytes(work, CPU).allocated
    assert 98_000_000 <= peak < 130_000_000  # the kernel counts resident pages in batches


def test_peak_of_the_same_work_again() -> None:
    """Neither what torch nor what the pool of the kernels keeps for later hides it the second time."""
    layer = neurons.layer("lif", backend="cpu")
    x = torch.rand(4, 4_000_000)  # 64 MB, as the output

    def work() -> None:
        with torch.no_grad():
            layer(x)
        torch.ones(5_000_000).sum()

    layer(x[:, :10])
    first, second = (peak_bytes(work, CPU).allocated for _ in range(2))
    assert first >= 64_000_000
    assert second == pytest.approx(first, rel=0.1)


def test_memory_that_the_c_library_keeps_is_given_back_first() -> None:
    """Many small pieces below one that stays: without that, the second time would find their pages in use already."""
    stay = []

    def work() -> None:
        pieces = [torch.ones(20_000) for _ in range(500)]  # 40 MB
        stay.append(torch.ones(20_000))
        pieces.clear()

    work()
    first, second = (peak_bytes(work, CPU).allocated for _ in range(2))
    assert first >= 35_000_000
    assert second == pytest.approx(first, rel=0.1)


def test_peak_of_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its allocator held at most during the work, above what it held before."""
    calls: list[str] = []
    for name in ("synchronize", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda device, name=name: calls.append(name))
    known = {"memory_allocated": 300, "max_memory_allocated": 1000, "memory_reserved": 512, "max_memory_reserved": 2560}
    for name, value in known.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: calls.append("empty_cache"))
    assert peak_bytes(lambda: calls.append("work"), torch.device("cuda", 0)) == Peak(700, 2048)
    assert calls == ["synchronize", "empty_cache", "reset_peak_memory_stats", "work", "synchronize"]


@pytest.mark.parametrize(
    ("neuron", "backend", "settings", "saved"),
    [
        ("lif", "cpu", {}, 4),  # the input alone
        ("clif", "cpu", {"timesteps": 9}, 4),
        ("lif", "cpu", {"dtype": "bfloat16"}, 2),
        ("relu", "reference", {}, 4),
    ],
)
def test_bytes_of_an_element_step(
    neuron: str, backend: str, settings: dict[str, Any], saved: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = cell_of(neuron, backend, **settings)
    monkeypatch.setattr(memory, "peak_bytes", lambda work, device: Peak(640 * cell.settings["timesteps"] * 12))
    values = {value.metric: value.value for value in Memory().run(cell)}
    assert values == {"saved_bytes": saved, "peak_bytes": 12}


def test_an_eager_loop_keeps_more_than_a_fused_kernel() -> None:
    kept = {backend: next(iter(Memory().run(cell_of("clif", backend)))).value for backend in ("cpu", "reference")}
    assert kept["reference"] > 2 * kept["cpu"]


def test_nothing_is_measured_of_a_kernel_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **named: Any) -> None:
        raise NotConformant("lif by cpu does not conform")

    def never(*arguments: Any) -> int:
        raise AssertionError("measured")

    monkeypatch.setattr(memory, "gate", refuse)
    monkeypatch.setattr(memory, "peak_bytes", never)
    monkeypatch.setattr(memory, "saved_bytes", never)
    with pytest.raises(NotConformant):
        list(Memory().run(cell_of("lif")))


def test_grid_and_directions() -> None:
    assert Memory().grid("smoke", []) == [{"timesteps": 4, "elements": 16_384}]
    for profile in ("quick", "full"):
        grid = Memory().grid(profile, [])
        assert [(settings["timesteps"], settings["elements"]) for settings in grid] == [(8, 1_048_576), (64, 131_072)]
    assert {metric.better for metric in Memory.metrics.values()} == {"lower"}
    assert Memory.exclusive
    assert Memory().seeds("quick", 8) == 1


def test_drive_of_a_layer() -> None:
    """Mean 0.7 and deviation 0.6, of the seed alone; 64 channels, or the most that divide the neurons."""
    x = drive(16, 64 * 300, seed=3)
    assert x.shape == (16, 300, 64)
    assert x.mean().item() == pytest.approx(0.7, abs=0.01)
    assert x.std().item() == pytest.approx(0.6, abs=0.01)
    torch.manual_seed(9)
    assert torch.equal(drive(16, 64 * 300, seed=3), x)
    assert not torch.equal(drive(16, 64 * 300, seed=4), x)
    assert [tuple(drive(2, elements, 0).shape) for elements in (1, 7, 65, 100, 131)] == [
        *((2, 1, 1), (2, 1, 7), (2, 5, 13), (2, 2, 50), (2, 131, 1))
    ]
    assert drive(1, 4, 0, torch.bfloat16).dtype == torch.bfloat16
    with pytest.raises(InvalidValue, match="timesteps and elements must be at least 1, not 0 and 4"):
        drive(0, 4, 0)


def test_work_of_a_layer() -> None:
    """The seed draws the layer and its drive; gradients are those of one call, however often it is called."""
    works = [LayerWorkload.of(cell_of("glif", "reference", seed)) for seed in (0, 0, 1)]
    assert works[0].element_steps == 4 * 640
    gates = [dict(work.layer.named_parameters())["gate_leak"] for work in works]
    assert torch.equal(gates[0], gates[1])
    assert not torch.equal(gates[0], gates[2])
    assert torch.equal(works[0].x, works[1].x)
    assert not torch.equal(works[0].x, works[2].x)
    for _ in range(2):
        works[0].forward_backward()
    works[1].forward_backward()
    assert torch.equal(works[0].x.grad, works[1].x.grad)
    assert torch.equal(gates[0].grad, gates[1].grad)
    works[2].forward()
    assert works[2].x.grad is None
    with pytest.raises(UnknownName, match="unknown dtype 'float8'; did you mean 'float"):
        LayerWorkload.of(cell_of("lif", dtype="float8"))
