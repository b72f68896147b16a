"""A time that is predicted for the card at hand, from what the compiler said of both kernels."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

import neurons
from neurons.kernels.gpu import ahead_of_time
from tasks.measuring import devices
from tasks.measuring.predicted import predicted_time
from tasks.measuring.workload import LayerWorkload


def workload(backend: str) -> LayerWorkload:
    x = torch.zeros(8, 16, 64, dtype=torch.bfloat16)
    return LayerWorkload(neurons.layer("lif", 64, 8, backend), [x], x)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Of forward 2 ps, of backward 3.5 ps; what was compiled."""
    asked: list[tuple[Any, ...]] = []

    def compile_kernel(source: Any, kernel: str, target: str, steps: int, **own: Any) -> Any:
        asked.append((source.neuron, kernel, target, steps, own["shape"], own["dtype"]))
        return SimpleNamespace(predicted_ps={"forward": 2.0, "backward": 3.5}[kernel])

    monkeypatch.setattr(ahead_of_time, "compile_kernel", compile_kernel)
    return asked


def test_both_kernels_are_compiled_for_the_card_and_the_input(
    compiled: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices.Cpu, "target", lambda self, device: "cuda:90")
    found = predicted_time(workload("triton"))
    assert found == (pytest.approx(0.0055), "predicted by the data sheet of H100 SXM")
    places = [("lif", kernel, "cuda:90", 8, (16, 64), torch.bfloat16) for kernel in ("forward", "backward")]
    assert compiled == places


@pytest.mark.parametrize("target", [None, "cuda:75"])
def test_a_card_without_a_data_sheet_has_none(
    target: str | None, compiled: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices.Cpu, "target", lambda self, device: target)
    assert predicted_time(workload("triton")) is None
    assert compiled == []


def test_other_backends_have_none(compiled: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices.Cpu, "target", lambda self, device: "cuda:90")
    assert predicted_time(workload("reference")) is None
    assert compiled == []


@pytest.mark.parametrize(
    ("version", "properties", "capability", "target"),
    [
        (None, "", (9, 0), "cuda:90"),
        (None, "", (10, 0), "cuda:100"),
        ("6.4", "gfx942:sramecc+:xnack-", (9, 4), "hip:gfx942"),
    ],
)
def test_what_kernels_are_compiled_for(
    version: str | None,
    properties: str,
    capability: tuple[int, int],
    target: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.version, "hip", version)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(gcnArchName=properties))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert devices.of("cuda").target(torch.device("cuda")) == target
    assert devices.of("cpu").target(torch.device("cpu")) is None
