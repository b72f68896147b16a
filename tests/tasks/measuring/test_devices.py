"""What is asked of a card, by stand-ins for its driver: clocks, memory, readings, and how a want of memory is told."""

from __future__ import annotations

import types
from collections.abc import Iterator

import pytest
import torch

import tasks
from tasks import Cell, training_speed
from tasks.measuring import devices, nvml
from tasks.measuring.nvml import Reading
from tasks.measuring.timing import CardWatch

CARD = torch.device("cuda", 0)


class NVMLError(Exception):
    """As pynvml raises."""


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.SimpleNamespace]:
    """NVML with one card, which draws 250.5 W at 1,980 MHz and has used 12.5 J."""

    def unsupported(handle: object) -> int:
        raise NVMLError("Not Supported")

    def handle(uuid: str) -> str:
        if uuid != "GPU-abc":
            raise NVMLError("Not Found")
        return "card"

    made = types.SimpleNamespace(
        NVMLError=NVMLError,
        NVML_CLOCK_SM=1,
        NVML_TEMPERATURE_GPU=0,
        nvmlSystemGetDriverVersion=lambda: b"580.1",
        nvmlDeviceGetHandleByUUID=handle,
        nvmlDeviceGetClockInfo=lambda handle, kind: 1980,
        nvmlDeviceGetTemperature=lambda handle, kind: 61,
        nvmlDeviceGetPowerUsage=lambda handle: 250_500,
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: 12_500,
        unsupported=unsupported,
    )
    monkeypatch.setattr(nvml, "_library", lambda: made)
    nvml._handle.cache_clear()
    yield made
    nvml._handle.cache_clear()


def test_a_card_tells_of_itself(library: types.SimpleNamespace) -> None:
    assert nvml.reading("abc") == nvml.reading("GPU-abc") == Reading(1980, 61, 250.5)
    assert nvml.joules("abc") == 12.5
    assert nvml.driver_version() == "580.1"


def test_what_a_card_does_not_tell_is_none(library: types.SimpleNamespace) -> None:
    library.nvmlDeviceGetTotalEnergyConsumption = library.nvmlDeviceGetPowerUsage = library.unsupported
    assert nvml.joules("abc") is None
    assert nvml.reading("abc") == Reading(1980, 61, None)
    assert nvml.reading("of another") is nvml.joules(None) is None


def test_without_the_library_nothing_is_estimated(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(nvml, "_library", lambda: None)
    nvml._handle.cache_clear()
    file = tmp_path / "version"
    monkeypatch.setattr(nvml, "DRIVER_FILE", file)
    assert nvml.reading("abc") is nvml.joules("abc") is nvml.driver_version() is None
    file.write_text("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\n")
    assert nvml.driver_version() == "570.86.15"
    file.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5\n")
    assert nvml.driver_version() == "550.54.15"
    nvml._handle.cache_clear()


@pytest.mark.parametrize(
    ("clocks", "told"),
    [
        ([1980] * 4, ""),
        ([1980, 1980, 1900], ""),
        ([1980, 1980, 1870], "noisy: the clock moved by 6% during the rounds"),
    ],
)
def test_a_clock_that_moved_is_told(clocks: list[int], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([Reading(clock, 60, 300.0) for clock in clocks])
    monkeypatch.setattr(devices.Cuda, "reading", lambda self, device: next(readings))
    watch = CardWatch(CARD)
    for _ in clocks[1:]:
        watch.look()
    (value,) = watch.values()
    assert (value.metric, value.value) == ("card_clock", 1980)
    assert value.detail == ", ".join(["60 °C", "300 W", *([told] if told else [])])


def test_a_device_that_tells_nothing_leaves_no_value() -> None:
    watch = CardWatch(torch.device("cpu"))
    watch.look()
    assert list(watch.values()) == []


def test_a_card_is_timed_by_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four calls between two events that lie 8 ms apart: 2 ms each, whatever the process's clock says."""
    order: list[str] = []

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            order.append("event")

        def synchronize(self) -> None:
            order.append("wait")

        def elapsed_time(self, other: object) -> float:
            return 8.0

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "device", lambda device: torch.no_grad())
    assert devices.of(CARD).seconds(CARD, lambda: order.append("work"), 4) == pytest.approx(0.002)
    assert order == ["event", *["work"] * 4, "event", "wait"]


def test_a_want_of_memory_says_what_was_asked_and_free() -> None:
    said = (
        "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 15.77 GiB of which 14.10 GiB "
        "is free. Including non-PyTorch memory, this process has 1.66 GiB memory in use."
    )
    told = devices.shortage(torch.OutOfMemoryError(said))
    assert told is not None
    assert told.startswith("the device's memory ran out: asked for 20.00 GiB, 14.10 GiB are free; smaller settings")
    assert "no numbers" in str(devices.shortage(torch.OutOfMemoryError("no numbers")))
    assert devices.shortage(RuntimeError(said)) is None


def test_the_energy_of_a_step_is_what_the_counter_gained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of half a second go on for two seconds: four, which took 10 J."""
    steps: list[int] = []
    training = types.SimpleNamespace(x=torch.zeros(1), step=lambda: steps.append(1))
    counter = iter([100.0, 110.0])
    monkeypatch.setattr(devices.Cpu, "joules", lambda self, device: next(counter))
    (value,) = training_speed._energy(training, 0.5)  # type: ignore[arg-type]
    assert (value.metric, value.value, len(steps)) == ("step_energy", 2.5, 4)


def test_without_a_counter_there_is_no_energy() -> None:
    settings = {**tasks.get("training_speed").settings, "dataset": "digits", "width": 8, "rounds": 1}
    values = tasks.get("training_speed").run(Cell("training_speed", "lif", "reference", 0, settings))
    assert "step_energy" not in {value.metric for value in values}


def test_copies_of_an_input_go_beyond_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a cache of 1,000 bytes and an input of 256: eight copies, taken in turn, and one where none is asked for."""
    from tasks.measuring.workload import LayerWorkload

    monkeypatch.setattr(devices.Cpu, "cache_bytes", lambda self, device: 1000)
    settings = {**tasks.get("throughput").settings, "timesteps": 1, "elements": 64}
    cell = Cell("throughput", "lif", "reference", 0, settings)
    workload = LayerWorkload.of(cell, beyond_cache=True)
    assert len(workload.inputs) == 8
    seen = {id(workload._next()) for _ in range(8)}
    assert seen == {id(x) for x in workload.inputs}
    assert all(torch.equal(x, workload.x) for x in workload.inputs)
    assert len(LayerWorkload.of(cell).inputs) == 1
