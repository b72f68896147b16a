"""Every task on the stand-in accelerator gives the CPU's values, and whatever is left on the CPU is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import tasks
from neurons import InvalidValue
from suite import cli
from suite.runs import plan
from suite.runs.cell_key import identity, key
from suite.runs.store import read_results
from tasks import Cell, accuracy
from tasks.measuring import devices

REPOSITORY = Path(__file__).resolve().parent.parent.parent
STAND_IN = REPOSITORY / "tests" / "stand_in"
HOW_IT_RAN = ("kernel_calls", "saved_bytes")
"""Metrics that are exact on one device, and tell how it ran: the stand-in is reached by operations of torch, which keep
the constants of a kernel as tensors of their own."""
MEASURED = ("startup", "linear_neuron", "throughput", "training_speed", "training_memory")
"""Tasks whose other values are measured anew by each cell."""


def python(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A process with the stand-in on its path."""
    path = os.pathsep.join([str(REPOSITORY), str(STAND_IN)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **variables}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_every_task_gives_the_values_of_the_cpu(tmp_path: Path) -> None:
    names = ",".join(sorted(tasks.TASKS))
    done = python(
        *("-m", "suite", "run", "--profile", "smoke", "--device", "cpu,mirror", "--tasks", names),
        *("--neurons", "clif,plif", "--datasets", "digits", "--out", str(tmp_path / "run")),
    )
    rows = read_results(tmp_path / "run")
    bad = rows[(rows.status != "ok") & ~((rows.task == "conversion") & (rows.neuron == "plif"))]
    assert bad.empty, f"{bad[['task', 'neuron', 'device', 'detail']].to_string()}\n{done.stderr}"
    assert set(rows.device) == {"cpu", "mirror (Stand-in)"}
    assert set(rows.task[rows.device != "cpu"]) == set(tasks.TASKS)
    there, here = rows[rows.device != "cpu"], rows[rows.device == "cpu"]
    assert there.versions.str.contains("driver 1.0").all()
    assert not here.versions.str.contains("driver").any()
    places = ["task", "neuron", "backend", "seed", "settings", "metric", "layer", "step", "lag"]
    beside = here.merge(there, on=places, how="outer", indicator=True)
    assert set(beside["_merge"]) == {"both"}
    exact = {(name, metric) for name, task in tasks.TASKS.items() for metric, own in task.metrics.items() if own.exact}
    measured = beside.task.isin(MEASURED) | (beside.task == "memory") | beside.metric.isin(accuracy.MEASURED)
    counted = pd.Series([pair in exact for pair in zip(beside.task, beside.metric, strict=True)], beside.index)
    values = beside[(~measured | counted) & ~beside.metric.isin(HOW_IT_RAN) & beside.value_x.notna()]
    different = values[values.value_x != values.value_y]
    assert different.empty, different[[*places, "value_x", "value_y"]].to_string()
    assert len(values) > 1000


FAULTS = {
    "nothing": "",
    "data that stays on the CPU": "Dataset.on = lambda self, device: self",
    "a network that stays on the CPU": "arithmetic.Arithmetic.placed = lambda self, network: network",
    "a .cpu() in a training step": "loop.Trainer.step = lambda self, x, y: step(self, x.cpu(), y)",
    "labels that stay on the CPU": "loop.Trainer.step = lambda self, x, y: step(self, x, y.cpu())",
    "a drive without its device": "workload.drive = lambda *a: drive(*a[:4])",
    "a neuron that stays on the CPU": "NeuronLayer.to = lambda self, *a, **k: self",
    "spikes of dynamics on the CPU": "dynamics.traces = lambda layer, x: traces(layer, x.cpu())",
}
"""What is planted, by Python code. Each is a fault that a task may have, not the stand-in."""
PLANTED = """
import json, sys
import mirror, tasks
from neurons import NeuronLayer
from tasks import Cell, conformance, dynamics
from tasks.data import Dataset
from tasks.measuring import devices, workload
from tasks.training import arithmetic, loop
devices.of("mirror").use(devices.torch_device("mirror"))
step, drive, traces = loop.Trainer.step, workload.drive, dynamics.traces
places = (Dataset, "on"), (arithmetic.Arithmetic, "placed"), (loop.Trainer, "step"), (workload, "drive")
places += (NeuronLayer, "to"), (dynamics, "traces")
known = [(owner, name, getattr(owner, name)) for owner, name in places]
small = {"dataset": "digits", "width": 16, "epochs": 1, "train_samples": 128, "timesteps": 4, "elements": 4096}
found = {}
for planted, code in json.loads(sys.argv[1]).items():
    exec(code)
    found[planted] = []
    for name in ("accuracy", "memory", "dynamics"):
        settings = {key: small.get(key, value) for key, value in tasks.get(name).settings.items()}
        try:
            list(tasks.get(name).run(Cell(name, "plif", "cpu", 0, settings, "mirror")))
        except Exception as error:
            found[planted].append(str(error))
    for owner, name, own in known:
        setattr(owner, name, own)
print(json.dumps(found))
"""


@pytest.mark.slow
def test_what_is_left_on_the_cpu_is_found() -> None:
    done = python("-c", PLANTED, json.dumps(FAULTS))
    assert done.returncode == 0, done.stderr
    for planted, faults in json.loads(done.stdout.splitlines()[-1]).items():
        assert bool(faults) is (planted != "nothing"), (planted, faults)
        assert all("device" in text or "on mirror:0" in text or "on cpu" in text for text in faults)


WAITS = """
import json, mirror, tasks, torch
from tasks import Cell
from tasks.training import loop
from tasks.training.network_task import prepare, trained
counts = {}
for samples in (128, 512):
    own = {"dataset": "digits", "width": 16, "epochs": 2, "train_samples": samples}
    settings = {**tasks.get("accuracy").settings, **own}
    cell = Cell("accuracy", "plif", "cpu", 0, settings, "mirror")
    dataset, network = prepare(cell)
    epochs = trained(cell, dataset, network)
    next(epochs)
    mirror.waits.clear()
    next(epochs)
    counts[samples] = mirror.waits[:]
print(json.dumps(counts))
"""


@pytest.mark.slow
def test_no_training_step_waits_for_the_device() -> None:
    """Two or eight steps an epoch: the device is waited for once for their losses, once for each evaluation, once for
    the answers on the test set, and once for what neurons learned."""
    done = python("-c", WAITS)
    few, many = json.loads(done.stdout.splitlines()[-1]).values()
    assert few == many
    assert len(many) == 1 + 2 + 1 + 1, many


@pytest.mark.slow
def test_a_card_that_is_too_small_says_what_is_asked_and_free(tmp_path: Path) -> None:
    run = ("-m", "suite", "run", "--profile", "smoke", "--device", "mirror", "--neurons", "lif", "--datasets", "digits")
    tasks_of_run = ("--tasks", "accuracy,memory", "--out", str(tmp_path / "run"))
    done = python(*run, *tasks_of_run, NEURON_SUITE_MIRROR_MEMORY="100000")
    assert done.returncode == 1
    rows = read_results(tmp_path / "run").drop_duplicates("cell").set_index("task")
    assert rows.status["memory"] == "unavailable"
    assert "are asked for (input, output and their gradients), 0.00 GiB are free on mirror:0" in rows.detail["memory"]
    assert rows.status["accuracy"] == "failed"
    assert rows.detail["accuracy"].startswith("the device's memory ran out: asked for 0.00 GiB, 0.00 GiB are free")
    assert set(rows.device) == {"mirror (Stand-in)"}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gpu", "device gpu: auto, cpu, cuda or cuda:N is wanted"),
        ("cuda:x", "device cuda:x: auto, cpu, cuda or cuda:N is wanted"),
        ("cuda:", "device cuda:: auto, cpu, cuda or cuda:N is wanted"),
        ("cpu:0", "device cpu:0: the CPU is one device"),
        ("", "device : auto, cpu, cuda or cuda:N is wanted"),
    ],
)
def test_what_is_no_device_is_refused(name: str, told: str) -> None:
    with pytest.raises(InvalidValue) as error:
        devices.resolve(name)
    assert str(error.value).startswith(told)
    assert len(str(error.value).splitlines()) == 1


@pytest.fixture
def two_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cards of one name, of which nothing but that is asked."""
    monkeypatch.setattr(devices.Cuda, "count", lambda self: 2)
    monkeypatch.setattr(devices.Cuda, "card", lambda self, device: "H100")
    monkeypatch.setattr(devices.Cuda, "versions", lambda self: {"cuda": "13.0", "driver": "580.1"})
    monkeypatch.setattr(devices.Cuda, "free_bytes", lambda self, device: 12 << 30)


def test_devices_that_are_here(two_cards: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [devices.resolve(name) for name in ("auto", "cuda", "cuda:1", "cuda:01", "cpu")] == [
        *("cuda", "cuda", "cuda:1", "cuda:1", "cpu")
    ]
    assert devices.cards("cuda") == ["cuda:0", "cuda:1"]
    assert devices.cards("cuda:1") == ["cuda:1"]
    with pytest.raises(InvalidValue, match=r"^device cuda:7: there are 2 cards here, cuda:0 to cuda:1$"):
        devices.resolve("cuda:7")
    monkeypatch.setattr(devices.Cuda, "count", lambda self: 1)
    with pytest.raises(InvalidValue, match=r"^device cuda:1: there is 1 card here, cuda:0$"):
        devices.resolve("cuda:1")
    monkeypatch.setattr(devices.Cuda, "count", lambda self: 0)
    assert devices.resolve("auto") == "cpu"
    with pytest.raises(InvalidValue, match=r"^device cuda: torch .*; --device cpu runs everything on the CPU$"):
        devices.resolve("cuda")


@pytest.mark.parametrize("command", ["run", "study all", "packages", "check FILE", "compare-backends lif"])
def test_every_command_that_measures_refuses_a_card_that_is_not_there(
    command: str, neuron_file: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = neuron_file("@register\nclass Mine(Neuron):\n    def step(self, x):\n        return (x,)\n")
    assert cli.main([*command.replace("FILE", str(path)).split(), "--device", "cuda:99"]) == 2
    said = capsys.readouterr()
    assert len(said.err.strip().splitlines()) == 1
    assert said.err.startswith("suite: device cuda:99: ")
    assert said.out == ""


def test_a_plan_names_the_device_and_the_backend_of_it(two_cards: None) -> None:
    (one, other) = plan.make(plan.Request("smoke", ["memory"], ["lif"], devices=["cpu", "auto", "cuda"]))
    assert [(cell.device, cell.backend) for cell in (one, other)] == [("cpu", "cpu"), ("cuda", "triton")]
    assert identity(one) != identity(other)


def test_a_key_holds_the_card_and_its_driver_and_not_its_number(
    two_cards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for task in ("memory", "accuracy"):
        first, second = (Cell(task, "lif", "reference", 0, tasks.get(task).settings, f"cuda:{n}") for n in (0, 1))
        assert identity(first) == identity(second)
        assert key(first) == key(second)
        before = key(first)
        with monkeypatch.context() as changed:
            changed.setattr(devices.Cuda, "card", lambda self, device: "A100")
            assert key(first) != before
        with monkeypatch.context() as changed:
            changed.setattr(devices.Cuda, "versions", lambda self: {"cuda": "13.0", "driver": "999.9"})
            assert key(first) != before
        assert key(first) == before


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"precision": "tf32"}, "TensorFloat-32 is of CUDA cards"),
        ({"compile": "graphs"}, "CUDA graphs are of CUDA cards"),
        ({"precision": "int8"}, "unknown precision"),
    ],
)
def test_arithmetic_that_the_cpu_has_not_is_refused(settings: dict[str, str], told: str) -> None:
    with pytest.raises(Exception, match=told):
        plan.make(plan.Request("smoke", ["accuracy"], ["lif"], settings=settings, devices=["cpu"]))


def test_the_profile_of_a_card(two_cards: None) -> None:
    cells = plan.make(plan.Request("gpu", devices=["cuda"]))
    assert {cell.device for cell in cells} == {"cuda"}
    assert {cell.task for cell in cells} >= {"conformance", "throughput", "memory", "training_speed", "accuracy"}
    assert {cell.settings["timesteps"] for cell in cells if cell.task == "throughput"} == {1, 4, 8, 32, 128, 1024}
    assert {cell.seed for cell in cells if cell.task == "accuracy"} == set(range(20))
    trained = {cell.backend for cell in cells if cell.task == "training_speed"}
    assert trained == {"triton", "reference", "compile", "spikingjelly", "snntorch", "norse"}
    with pytest.raises(InvalidValue, match="--profile gpu measures a card"):
        plan.make(plan.Request("gpu", devices=["cpu"]))
    few = plan.make(plan.Request("gpu", ["accuracy"], ["clif"], datasets=["digits"], seeds=2, devices=["cuda"]))
    assert [(cell.neuron, cell.dataset, cell.seed) for cell in few] == [("clif", "digits", seed) for seed in (0, 1)]
