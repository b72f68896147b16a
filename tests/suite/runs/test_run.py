"""The suite as a user runs it: a whole run, a new neuron, failures, a kill, and wrong input."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest

from suite.cli import main
from suite.runs import guardian
from tests.conftest import REPOSITORY, Suite

ALL_TASKS = {"accuracy", "temporal_gradient", "memory", "throughput", "training_speed"}

NEW_NEURON = '''
@register
class Slow(Neuron):
    """A LIF with a second, slower potential that its spikes feed."""
    states = ("u", "trace")
    leak = Learnable(0.3, per="channel")
    def step(self, x, u, trace):
        u = self.charge(u, x) - torch.sigmoid(self.leak) * trace
        spike = self.spike(u - self.v_th)
        trace = 0.9 * trace + 0.1 * spike
        return spike, self.fire_reset(u, spike), trace
'''


@pytest.mark.slow
def test_smoke_run_with_a_new_neuron(suite: Suite, neuron_file: Callable[[str], Path], tmp_path: Path) -> None:
    path = neuron_file(NEW_NEURON)
    assert len(path.read_text().splitlines()) <= 20
    out = tmp_path / "run"
    done = suite("run", "--profile", "smoke", "--neuron-file", path, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "Slow against LIF: digits" in done.stdout
    assert "report:" in done.stdout
    table = pd.read_parquet(out / "results.parquet")
    assert set(table.status) == {"ok"}
    assert set(table.task) == ALL_TASKS
    assert "slow" in set(table[table.metric == "accuracy_selected"].neuron)
    assert list(table.columns) == list(pd.read_csv(out / "results.csv").columns)
    assert "| Slow |" in (out / "report/tables/accuracy.md").read_text()
    page = (out / "report/index.html").read_text()
    for picture in ("accuracy", "gradient_by_lag", "loss_curves"):
        assert f"plots/{picture}.png" in page
        assert (out / f"report/plots/{picture}.svg").stat().st_size > 1000
    provenance = json.loads((out / "provenance.json").read_text())
    assert provenance["packages"]["torch"]
    assert provenance["machine"]["cores"] >= 1
    assert_possible(table)
    assert provenance["commands"] == [provenance["command"]]

    again = suite("run", "--profile", "smoke", "--neuron-file", path, "--out", out)
    assert again.returncode == 0
    assert "0 ok" in again.stderr
    pd.testing.assert_frame_equal(table, pd.read_parquet(out / "results.parquet"))


def assert_possible(table: pd.DataFrame) -> None:
    """Bounds that definitions and physics give."""
    values = table.groupby("metric").value
    lowest, highest = values.min(), values.max()
    for name in ("accuracy_selected", "accuracy_final", "validation_accuracy", "test_accuracy"):
        assert lowest[name] >= 0
        assert highest[name] <= 100
    fused = table[(table.metric == "saved_bytes") & (table.neuron == "lif") & (table.backend == "cpu")]
    assert fused.value.to_list() == pytest.approx([4.0], abs=0.01), "the input alone, in float32"
    places = ["neuron", "backend", "dataset", "timesteps", "settings", "seed"]
    times = table[table.task == "throughput"].set_index([*places, "metric"]).value.unstack("metric")
    assert (times.forward_backward_time_p20 <= times.forward_backward_time).all()
    assert (times.forward_backward_time <= times.forward_backward_time_p80).all()
    assert (times.forward_backward_time > 0).all()
    assert lowest["vanished_fraction"] >= 0
    assert highest["vanished_fraction"] <= 1
    assert lowest["neuron_share"] > 0
    assert highest["neuron_share"] < 1


@pytest.mark.slow
def test_bad_neurons_fail_alone(suite: Suite, neuron_file: Callable[[str], Path], tmp_path: Path) -> None:
    path = neuron_file(
        "@register\nclass Nan(Neuron):\n    def step(self, x):\n        return (x * float('nan'),)\n\n"
        "@register\nclass Raises(Neuron):\n    def step(self, x):\n        raise ValueError('the cause')\n\n"
        "@register\nclass Dies(Neuron):\n    def step(self, x):\n"
        "        import os\n        if x.numel() > 4:\n            os._exit(7)\n        return (x,)\n"
    )
    out = tmp_path / "run"
    done = suite(
        *("run", "--profile", "smoke", "--neurons", "lif,nan,raises,dies", "--neuron-file", path, "--out", out),
        *("--datasets", "digits", "--backends", "reference"),
    )
    assert done.returncode == 1
    table = pd.read_parquet(out / "results.parquet")
    ended = table.groupby("neuron").status.unique().map(list).to_dict()
    assert ended == {"lif": ["ok"], "nan": ["failed"], "raises": ["failed"], "dies": ["failed"]}
    details = table.groupby("neuron").detail.unique()
    assert all("NaN" in text for text in details["nan"])
    assert all("ValueError: the cause" in text for text in details["raises"])
    assert all("exit code 7" in text for text in details["dies"])
    assert set(table[table.neuron == "lif"].task) == {
        "accuracy",
        "temporal_gradient",
        "memory",
        "throughput",
        "training_speed",
    }
    problems = (out / "report/tables/problems.md").read_text()
    assert "ValueError: the cause" in problems
    traces = [json.loads(path.read_text())["traceback"] for path in (out / "cells").glob("*.json")]
    assert any("raise ValueError('the cause')" in trace for trace in traces)


def test_time_limit(suite: Suite, neuron_file: Callable[[str], Path], tmp_path: Path) -> None:
    path = neuron_file(
        "@register\nclass Sleeps(Neuron):\n    def step(self, x):\n"
        "        import time\n        if x.numel() > 4:\n            time.sleep(60)\n        return (x,)\n"
    )
    arguments = ("--profile", "smoke", "--tasks", "memory", "--backends", "reference", "--time-limit", "15")
    done = suite("run", *arguments, "--neurons", "sleeps,relu", "--neuron-file", path, "--out", tmp_path / "run")
    assert done.returncode == 1
    table = pd.read_parquet(tmp_path / "run/results.parquet")
    ended = table.groupby("neuron").status.unique().map(list).to_dict()
    assert ended == {"sleeps": ["timeout"], "relu": ["ok"]}
    assert set(table[table.neuron == "sleeps"].detail) == {"not done after 15 s; --time-limit allows more"}


def _carries_mark_of(run: int, process: psutil.Process) -> bool:
    try:
        return process.environ().get(guardian.VARIABLE, "").startswith(f"{run}-")
    except psutil.Error:
        return False


@pytest.mark.slow
def test_resume_after_kill(suite: Suite, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ["run", "--profile", "smoke", "--tasks", "accuracy", "--seeds", "2", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "suite", *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while len(list((out / "cells").glob("*.json"))) < 3:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    while any(_carries_mark_of(process.pid, each) for each in psutil.process_iter()):  # its guardian ends its workers
        assert time.monotonic() < deadline
        time.sleep(0.05)
    kept = {path.name: path.read_bytes() for path in (out / "cells").glob("*.json")}
    done = suite(*arguments)
    assert done.returncode == 0, done.stderr
    reused = re.search(r"(\d+) cached", done.stderr)
    assert reused is not None
    assert int(reused[1]) == len(kept)
    for name, content in kept.items():
        assert (out / "cells" / name).read_bytes() == content
    table = pd.read_parquet(out / "results.parquet")
    selected = table[table.metric == "accuracy_selected"]
    assert len(selected) == selected.neuron.nunique() * 2 * 2
    assert {"if", "lif", "plif", "klif", "glif", "clif", "relu"} <= set(selected.neuron)
    assert not selected.duplicated(["neuron", "dataset", "seed"]).any()
    assert not table.duplicated(["cell", "metric", "layer", "step", "lag"]).any()


@pytest.mark.slow
def test_interrupt_leaves_a_run_that_resumes(suite: Suite, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ["run", "--profile", "smoke", "--tasks", "accuracy", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "suite", *arguments],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list((out / "cells").glob("*.json")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same line again goes on from here" in errors
    assert len(pd.read_parquet(out / "results.parquet")) > 0
    assert suite(*arguments).returncode == 0


def test_wrong_input_ends_the_program_with_code_2(suite: Suite, tmp_path: Path) -> None:
    """`tests/suite/test_wrong_input.py` has many more, in one process."""
    done = suite("run", "--neurons", "cliff", "--out", tmp_path / "run")
    assert done.returncode == 2
    assert done.stderr == "suite: unknown neuron 'cliff'; did you mean 'clif'?\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("neurons", {"lif", "clif", "plif", "relu"}),
        ("tasks", {"accuracy", "memory", "throughput"}),
        ("datasets", {"digits", "delayed_recall"}),
        ("backends", {"reference", "compile", "cpu", "triton"}),
        ("studies", {"neurons"}),
    ],
)
def test_list_as_json(kind: str, known: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", kind, "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert known <= {entry["name"] for entry in entries}
    assert all(len(entry) > 1 and all(isinstance(key, str) for key in entry) for entry in entries)
