"""Every value of a timing by a clock that the test turns: units, medians, percentiles, ratios, and the guards."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import tasks
from tasks import Cell, startup, throughput, training_memory, training_speed
from tasks.measuring import devices
from tasks.measuring.timing import Spread, add_baseline, baseline_of, interleave
from tasks.memory import Peak

SECONDS = {"copy": 1.0, "forward": 2.0, "forward_backward": 5.0}
ELEMENTS, STEPS = 1024, 4


def cell(task: str, neuron: str = "clif", backend: str = "cpu", **settings: Any) -> Cell:
    known = {"timesteps": STEPS, "elements": ELEMENTS, "rounds": 3, "dataset": "digits", "network": "mlp", "width": 16}
    own = tasks.get(task).settings
    return Cell(task, neuron, backend, 0, {**own, **{k: v for k, v in known.items() if k in own}, **settings})


def values(given: Cell) -> dict[str, float]:
    return {value.metric: value.value for value in tasks.get(given.task).run(given)}


def test_spread_is_the_median_and_the_percentiles() -> None:
    # 0, 1, …, 10: the 20th percentile is 2, the 80th is 8
    spread = Spread.of([10.0, 0.0, 1.0, 9.0, 2.0, 8.0, 3.0, 7.0, 4.0, 6.0, 5.0])
    assert (spread.p20, spread.p50, spread.p80) == (2.0, 5.0, 8.0)
    one = Spread.of([3.0])
    assert (one.p20, one.p50, one.p80) == (3.0, 3.0, 3.0)


def test_a_ratio_is_taken_round_by_round() -> None:
    """A machine that slows tenfold from the third round on slows both: each round's ratio is 2."""
    own, base = Spread.of([2.0, 4.0, 20.0, 40.0]), Spread.of([1.0, 2.0, 10.0, 20.0])
    ratio = own.over(base)
    assert (ratio.p20, ratio.p50, ratio.p80) == (2.0, 2.0, 2.0)
    assert Spread(1.0, 2.0, 3.0).over(Spread(4.0, 5.0, 10.0)) == Spread(0.1, 0.4, 0.75)


def test_interleave_times_each_work_once_a_round_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that only the works turn: rounds of 1, 2 and 9 s have the median 2."""
    clock, order = [0.0], []
    durations = {"a": itertools.chain([1.0, 1.0], [1.0, 2.0, 9.0]), "b": itertools.repeat(0.5)}

    def work(name: str) -> Callable[[], None]:
        def run() -> None:
            order.append(name)
            clock[0] += next(durations[name])

        return run

    monkeypatch.setattr(devices.time, "perf_counter", lambda: clock[0])
    found = interleave({"a": work("a"), "b": work("b")}, 3)
    assert found["a"].p50 == 2.0
    assert found["b"].p50 == 0.5
    assert found["a"].rounds == (1.0, 2.0, 9.0)
    assert order == ["a", "a", "b", "b", *["a", "b"] * 3]


@pytest.fixture
def known_times(monkeypatch: pytest.MonkeyPatch) -> dict[Hashable, Spread]:
    """`interleave` by given seconds: a copy 1 s, forward 2 s, both 5 s, the baseline half as long, ± 10 %."""
    asked: dict[Hashable, Spread] = {}

    def fake(works: Mapping[Hashable, object], rounds: int, *_: object) -> dict[Hashable, Spread]:
        for key in works:
            owner, kind = key if isinstance(key, tuple) else (None, key)
            seconds = SECONDS.get(str(kind), 0.5 if kind == "step" else 0.125) / (2 if owner == "baseline" else 1)
            asked[key] = Spread(0.9 * seconds, seconds, 1.2 * seconds)
        return asked

    for module in (throughput, training_speed):
        monkeypatch.setattr(module, "interleave", fake)
    return asked


def test_units_of_a_layer(known_times: dict[Hashable, Spread]) -> None:
    found = values(cell("throughput"))
    per_element = 1e9 / (STEPS * ELEMENTS)
    assert found["forward_time"] == pytest.approx(2 * per_element)
    assert found["forward_backward_time"] == pytest.approx(5 * per_element) == pytest.approx(1_220_703.125)
    assert found["forward_backward_time_p20"] == pytest.approx(4.5 * per_element)
    assert found["forward_backward_time_p80"] == pytest.approx(6 * per_element)
    assert found["forward_time_p80"] == pytest.approx(2.4 * per_element)
    assert found["forward_limit"] == 2.0
    assert found["forward_backward_limit"] == 2.0  # 5 s over 2.5 copies of 1 s
    assert found["copy_bandwidth"] == pytest.approx(8 * STEPS * ELEMENTS / 1e9)
    assert found["forward_backward_time_over_baseline"] == 2.0
    assert found["forward_backward_time_over_baseline_p20"] == pytest.approx(4.5 / 3.0)
    assert found["forward_backward_time_over_baseline_p80"] == pytest.approx(6.0 / 2.25)


@pytest.mark.parametrize(("dtype", "least"), [("float32", 20), ("bfloat16", 10)])
def test_what_a_fused_layer_computes_and_must_move(dtype: str, least: int, known_times: dict[Hashable, Spread]) -> None:
    """LIF: 6 operations forward, 6 again and 12 more backward; five values, of which each is read or written once."""
    found = values(cell("throughput", "lif", dtype=dtype))
    assert (found["operations"], found["least_bytes"]) == (24, least)
    by_loop = values(cell("throughput", "lif", "reference", dtype=dtype))
    assert {"operations", "least_bytes"}.isdisjoint(by_loop)


def test_units_of_training(known_times: dict[Hashable, Spread]) -> None:
    found = values(cell("training_speed", batch_size=64))
    assert found["training_speed"] == 128.0  # 64 samples in 0.5 s
    assert found["training_speed_p20"] == pytest.approx(64 / 0.6)
    assert found["training_speed_p80"] == pytest.approx(64 / 0.45)
    assert found["neuron_share"] == 0.25
    assert found["training_speed_over_baseline"] == 0.5
    assert found["copy_bandwidth"] == pytest.approx(2 * 2**24 / 1e9)


@pytest.mark.parametrize("task", ["throughput", "training_speed"])
def test_the_baseline_is_timed_in_the_same_rounds_and_once(task: str, known_times: dict[Hashable, Spread]) -> None:
    list(tasks.get(task).run_batch([cell(task), cell(task, "if")]))
    assert len({key[0] for key in known_times if isinstance(key, tuple)}) == 3
    assert any(isinstance(key, tuple) and key[0] == "baseline" for key in known_times)
    known_times.clear()
    lif = cell(task, "lif", protocol="controlled")
    found = {c.neuron: r for c, r in tasks.get(task).run_batch([cell(task), lif])}
    assert {key[0] for key in known_times if isinstance(key, tuple)} == {0, 1}, "LIF is among the cells"
    ratios = [v.value for v in found["lif"] if v.metric.endswith("_over_baseline")]
    assert ratios == [1.0] * len(ratios)
    assert ratios


def test_the_baseline_has_its_own_constants_and_the_rest_of_the_cell() -> None:
    asked = cell("throughput", "clif", "reference", protocol="published", dtype="bfloat16", **{"neuron.tau": 1.5})
    found = baseline_of(asked, torch.device("cpu"))
    assert (found.neuron, found.backend) == ("lif", "cpu")
    assert found.settings == {**tasks.get("throughput").settings, "timesteps": 4, "elements": 1024, "rounds": 3} | {
        "dtype": "bfloat16"
    }


def test_without_a_baseline_times_stand_and_say_so(
    monkeypatch: pytest.MonkeyPatch, known_times: dict[Hashable, Spread]
) -> None:
    def refuse(make: Any, device: Any) -> None:
        if make.__self__.neuron == "lif":
            raise RuntimeError("no compiler")

    monkeypatch.setattr(throughput, "gate", refuse)
    found = {value.metric: value for value in tasks.get("throughput").run(cell("throughput"))}
    assert "forward_backward_time" in found
    assert "forward_backward_time_over_baseline" not in found
    assert found["copy_bandwidth"].detail == "no ratio to lif: no compiler"


@pytest.mark.parametrize("task", ["throughput", "training_speed", "training_memory", "memory"])
def test_a_cell_that_the_gate_refuses_is_not_measured(
    task: str, monkeypatch: pytest.MonkeyPatch, known_times: dict[Hashable, Spread]
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("wrong kernel")

    monkeypatch.setattr(f"tasks.{task}.gate", refuse)
    ((_, found),) = tasks.get(task).run_batch([cell(task)])
    assert isinstance(found, RuntimeError)
    assert str(found) == "wrong kernel"
    assert not known_times


def test_a_kernel_that_is_not_the_backends_is_not_timed(
    monkeypatch: pytest.MonkeyPatch, known_times: dict[Hashable, Spread]
) -> None:
    monkeypatch.setattr(throughput, "executed", lambda work: throughput.Executed("torch operators", 3, ()))
    ((_, found),) = tasks.get("throughput").run_batch([cell("throughput")])
    assert "should run fused C but ran torch operators" in str(found)
    assert not known_times


def test_one_bad_cell_leaves_the_others(monkeypatch: pytest.MonkeyPatch, known_times: dict[Hashable, Spread]) -> None:
    def refuse(make: Any, device: Any) -> None:
        if make.__self__.neuron == "clif":
            raise RuntimeError("wrong kernel")

    monkeypatch.setattr(throughput, "gate", refuse)
    found = {c.neuron: r for c, r in tasks.get("throughput").run_batch([cell("throughput"), cell("throughput", "if")])}
    assert isinstance(found["clif"], RuntimeError)
    assert isinstance(found["if"], list)


def test_peak_of_training_in_mebibytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_memory, "peak_bytes", lambda work, device: Peak(2**20))
    assert values(cell("training_memory")) == {"training_peak": 1.0}


def test_startup_takes_the_import_and_the_second_call_of_the_second_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three times (1 s, 10 s) with empty caches, then (2 s, 3 s) with those of the first."""
    processes = itertools.cycle([(1.0, 10.0), (2.0, 3.0)])
    monkeypatch.setattr(startup, "_one_process", lambda command, caches: next(processes))
    found = values(cell("startup", "lif", processes=3))
    medians = {name: value for name, value in found.items() if not name.endswith(("_p20", "_p80"))}
    assert medians == {"import_seconds": 2.0, "first_call_seconds": 10.0, "cached_call_seconds": 3.0}
    assert found["cached_call_seconds_p80"] == 3.0


def test_the_baseline_is_not_made_twice() -> None:
    lif = cell("throughput", "lif")
    made: list[Cell] = []
    contenders: dict[Hashable, str] = {0: "clif", 1: "lif"}
    assert add_baseline(
        [cell("throughput"), lif], contenders, torch.device("cpu"), lambda c: made.append(c) or "x"
    ) == (
        1,
        "",
    )
    other = replace(lif, settings={**lif.settings, "neuron.tau": 1.5})
    key, _ = add_baseline([cell("throughput"), other], contenders, torch.device("cpu"), lambda c: made.append(c) or "x")
    assert key == "baseline"
    assert [own.neuron for own in made] == ["lif"]


def test_a_short_work_is_repeated_until_it_can_be_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A work of 0.5 ms four times in each sample; its seconds are those of one call."""
    clock, calls = [0.0], [0]

    def work() -> None:
        calls[0] += 1
        clock[0] += 0.0005

    monkeypatch.setattr(devices.time, "perf_counter", lambda: clock[0])
    spread = interleave({"short": work}, 3)["short"]
    assert spread.p50 == pytest.approx(0.0005)
    assert spread.rounds == pytest.approx([0.0005] * 3)
    assert calls[0] == 1 + 1 + 3 * 4  # one to warm up, one to see how long it takes


def test_two_processes_share_caches_that_began_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, list[str]]] = []

    def process(command: list[str], caches: str) -> tuple[float, float]:
        seen.append((caches, sorted(path.name for path in Path(caches).iterdir())))
        (Path(caches) / "kernel").write_text("")
        return 1.0, 2.0

    monkeypatch.setattr(startup, "_one_process", process)
    values(cell("startup", "lif", processes=2))
    folders = [folder for folder, _ in seen]
    assert [found for _, found in seen] == [[], ["kernel"], [], ["kernel"]]
    assert folders[0] == folders[1] != folders[2] == folders[3]


def test_a_fresh_process_gets_these_caches_and_its_fault_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    code = "import os; print('noise'); print([float(os.environ[v] == %r) for v in %r[:2]])"
    command = [sys.executable, "-c", code % (str(tmp_path), startup.CACHE_VARIABLES)]
    assert startup._one_process(command, str(tmp_path)) == (1.0, 1.0)
    assert set(startup.CACHE_VARIABLES) == {"XDG_CACHE_HOME", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"}
    with pytest.raises(RuntimeError, match=r"^ValueError: no$"):
        startup._one_process([sys.executable, "-c", "raise ValueError('no')"], str(tmp_path))
