"""What measured numbers are in: by clocks, memory and sizes that the test gives."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import tasks
from neurons import BackendUnavailable
from tasks import Cell, linear_neuron, memory, throughput, training_memory
from tasks.measuring import contender, devices, linear_workload
from tasks.measuring.contender import Contender
from tasks.measuring.linear_workload import Behind, Synapse
from tasks.measuring.timing import COPY_WORK, Spread, interleave
from tasks.memory import Peak
from tasks.training.loop import Epoch
from tasks.training.pace import Pace

LINEAR = tasks.get("linear_neuron")


def linear_cell(backend: str = "cpu", **settings: Any) -> Cell:
    small = {"timesteps": 6, "batch_size": 3, "width": 16, "rounds": 2}
    return Cell("linear_neuron", "lif", backend, 0, {**LINEAR.settings, **small, **settings})


def layer_cell(**settings: Any) -> Cell:
    own = {**tasks.get("throughput").settings, "timesteps": 3, "elements": 512, "rounds": 2}
    return Cell("throughput", "lif", "cpu", 0, {**own, **settings})


def test_rounds_end_with_the_first_beyond_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 1 s each, after 2.5 s: the third is the last."""
    clock = [0.0]

    def work() -> None:
        clock[0] += 1.0

    monkeypatch.setattr(devices.time, "perf_counter", lambda: clock[0])
    assert interleave({"a": work}, 10, budget=2.5)["a"].rounds == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("changed", "together"),
    [
        *(({name: value}, False) for name, value in (("timesteps", 4), ("elements", 256), ("rounds", 3))),
        *(({name: value}, False) for name, value in (("dtype", "bfloat16"), ("norm", "batch"))),
        *(({name: value}, True) for name, value in (("protocol", "published"), ("neuron.tau", 1.5))),
    ],
)
def test_what_shares_the_rounds_of_layers(changed: dict[str, Any], together: bool) -> None:
    task = tasks.get("throughput")
    assert (task.batch(layer_cell()) == task.batch(layer_cell(**changed))) is together


def test_a_norm_apart_is_over_the_norm_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"norm_apart": 6.0, "forward_backward": 4.0}

    def given(works: Mapping[Hashable, object], *_: object) -> dict[Hashable, Spread]:
        return {key: Spread.of([seconds.get(str(key[-1]), 1.0)] * 2) for key in works}

    monkeypatch.setattr(throughput, "interleave", given)
    found = {value.metric: value.value for value in tasks.get("throughput").run(layer_cell(norm="batch"))}
    assert found["norm_apart_over_inside"] == 1.5
    assert found["norm_apart_time"] == pytest.approx(6e9 / (3 * 512))


def test_the_peak_of_a_training_is_that_of_a_later_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the optimiser keeps is there before."""
    kept: list[int] = []

    def peak(work: Any, device: torch.device) -> Peak:
        kept.append(len(work.__self__.trainer.optimizer.state))
        return Peak(3 << 20, 5 << 20)

    monkeypatch.setattr(training_memory, "peak_bytes", peak)
    task = tasks.get("training_memory")
    settings = {**task.settings, "dataset": "digits", "network": "mlp", "width": 8}
    found = {value.metric: value.value for value in task.run(Cell("training_memory", "lif", "cpu", 0, settings))}
    assert found == {"training_peak": 3.0, "training_peak_reserved": 5.0}
    assert kept[0] > 0


def test_a_process_tells_its_memory_in_kibibytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda path: "Name:\tpython\nVmHWM:\t      20 kB\nVmRSS:\t      12 kB\n")
    assert (memory._process_bytes("VmHWM"), memory._process_bytes("VmRSS")) == (20_480, 12_288)


def test_peaks_of_a_layer_are_told_in_gibibytes() -> None:
    """Of the neurons' own forward and backward, then of both together."""
    asked: list[object] = []

    def peak(work: Any) -> int:
        asked.append(work)
        return 2**30 * len(asked)

    def alone() -> None: ...
    def both() -> None: ...

    known = Contender({"forward": both, "forward_backward": alone}, "torch", lambda: both, peak, [])
    found = {value.metric: value.value for value in contender.peaks(known, both)}
    assert found == {"neuron_peak": 1.0, "together_peak": 2.0}
    assert asked == [alone, both]
    assert [value.metric for value in contender.peaks(known, None)] == ["neuron_peak"]


def test_a_linear_timed_on_a_part_is_scaled_to_all_rows() -> None:
    times: dict[Hashable, Spread] = {
        (owner, direction): Spread.of([seconds] * 2)
        for owner, seconds in ((0, 2.0), ("torch", 0.5), ("lif", 4.0))
        for direction in ("forward", "forward_backward")
    }
    found = {value.metric: value for value in linear_neuron._times(0, "torch", times, 12.0, "lif")}
    assert (found["linear_time"].value, found["linear_forward_time"].value) == (6000.0, 6000.0)
    assert found["neuron_share"].value == 2.0 / (2.0 + 6.0)
    assert found["neuron_time_over_baseline"].value == 0.5
    assert found["linear_time"].detail == "predicted: 12 times that of one in 12 rows"


@pytest.mark.parametrize(
    ("a_row", "contenders", "rows", "together"),
    [
        (0.001, 9, 64, True),  # 0.064 s four times are far below 5 s
        (0.01, 1, 64, True),
        (0.01, 2, 64, False),  # both together would take 2 · 4 · 0.64 s
        (0.02, 1, 4, False),  # the Linear alone takes 1.5 · 4 · 1.28 s
    ],
)
def test_what_the_rounds_have_time_for(
    a_row: float, contenders: int, rows: int, together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten seconds, of which the Linear may take half: two rounds and two to warm up, of 64 rows or a part of four."""
    monkeypatch.setattr(linear_neuron, "_seconds", lambda synapse, device: a_row * synapse.rows)
    own = linear_cell(timesteps=8, batch_size=8, seconds=10.0)
    found, both = linear_neuron._affordable(Synapse.of(own), contenders, own.settings)
    assert (found.rows, both) == (rows, together)


def test_the_copy_of_a_current_is_read_and_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def given(works: Mapping[Hashable, object], *_: object, **__: object) -> dict[Hashable, Spread]:
        return {key: Spread.of([2.0 if key == COPY_WORK else 1.0] * 2) for key in works}

    monkeypatch.setattr(linear_neuron, "interleave", given)
    ((_, found),) = LINEAR.run_batch([linear_cell()])
    assert not isinstance(found, Exception)
    values = {value.metric: value.value for value in found}
    assert values["copy_bandwidth"] == pytest.approx(2 * 4 * 6 * 3 * 16 / 2.0 / 1e9)


def test_each_backend_is_held_against_the_reference_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the size; other constants and another protocol are another neuron."""
    compared: list[Cell] = []
    compare = linear_neuron._compared
    monkeypatch.setattr(linear_neuron, "_compared", lambda cell: compared.append(cell) or compare(cell))
    known: dict[Hashable, Any] = {}
    changed = [{}, {"width": 32}, {"neuron.tau": 1.5}, {"protocol": "published"}]
    for cell in (*(linear_cell(**own) for own in changed), linear_cell("reference"), linear_cell("reference")):
        linear_neuron._relation(cell, known)
    assert [(own.backend, own.settings["width"]) for own in compared] == [*[("cpu", 16)] * 3, ("reference", 16)]


def test_gradients_are_those_of_one_call_however_often_it_is_called() -> None:
    own = linear_cell()
    synapse = Synapse.of(own)
    behind = Behind(synapse, own.neuron_layer(16, 6))
    for work, tensor in (
        (behind.forward_backward, synapse.current),
        (behind.together, synapse.linear.weight),
        (synapse.forward_backward, synapse.linear.weight),
        (synapse.step_by_step, synapse.linear.weight),
    ):
        work()
        assert tensor.grad is not None
        once = tensor.grad.clone()
        assert once.abs().sum() > 0
        work()
        assert torch.equal(tensor.grad, once)


def test_a_linear_gives_currents_like_the_drive() -> None:
    """Mean 0.7 and deviation 0.6 of inputs of variance 1, at any width."""
    for width in (16, 256):
        synapse = Synapse.of(linear_cell(width=width, timesteps=64, batch_size=16))
        current = synapse.linear(synapse.x)
        assert float(current.mean()) == pytest.approx(0.7, abs=0.1)
        assert float(current.std()) == pytest.approx(0.6, rel=0.15)
        assert float(synapse.current.mean()) == pytest.approx(0.7, abs=0.05)


def test_memory_is_asked_for_all_that_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fourteen tensors of 64 · 16 · 4,096 numbers, and a weight of 4,096² with its gradient."""
    monkeypatch.setattr(linear_workload, "_available_bytes", lambda: 2**20)
    asked = 4 * (14 * 64 * 16 * 4096 + 2 * 4096**2) / 2**30
    with pytest.raises(BackendUnavailable, match=f"^{asked:.1f} GiB are asked for, 0.0 GiB are free"):
        Synapse.of(linear_cell(timesteps=64, batch_size=16, width=4096))
    monkeypatch.setattr(linear_workload, "_available_bytes", lambda: math.ceil(asked * 2**30))
    linear_workload.check_memory((64, 16, 4096), torch.device("cpu"))


def test_a_training_that_goes_on_counts_its_own_epochs_into_the_pace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the ninth of ten on, 30 s an epoch: one is left after it, whoever trained the eight before."""
    moments = iter([0.0, 30.0, 60.0])
    monkeypatch.setattr("tasks.training.pace.time.monotonic", lambda: next(moments))
    pace = Pace(10)
    epoch = replace(Epoch(1.0, 1.0, 0.5, 1.0, 0.5, seconds=2.0), samples=100)
    pace.tell(9, epoch)
    pace.tell(10, epoch)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("samples/s, ")[2] for line in lines] == ["about 0:30 left", "about 0:00 left"]
    assert "50 samples/s" in lines[0]
