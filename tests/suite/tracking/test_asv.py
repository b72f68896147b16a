"""What ASV tracks is what the tasks measure; it finds a commit that slows a kernel, and accuses no other."""

from __future__ import annotations

import inspect
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import neurons
import tasks
from suite.tracking import benchmarks, track
from suite.tracking.share_environment import VARIABLE, variables
from tasks.temporal_gradient import temporal_jacobian
from tests.conftest import REPOSITORY

SLOW_STEP = """
    def step(self, x, u, m):
        for _ in range(2):
            m = m + 1e-9 * torch.tanh(m)
        return self.quick_step(x, u, m)

    def quick_step("""


def values(task: str, name: str, **settings: Any) -> dict[str, float]:
    """What a task itself measures of a neuron by the fused CPU kernel."""
    cell = tasks.Cell(task, name, "cpu", 0, {**tasks.get(task).settings, **settings})
    return {value.metric: value.value for value in tasks.get(task).run(cell) if value.layer is value.step is None}


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Benchmarks set one thread; the next test has its own number again."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def ready(name: str = "lif", steps: int = 8) -> benchmarks.Layer:
    layer = benchmarks.Layer()
    layer.setup(name, steps)
    return layer


def test_every_neuron_is_tracked_and_every_figure_is_better_smaller() -> None:
    found = {
        name: member
        for holder in (benchmarks.Layer, benchmarks.Network, benchmarks)
        for name, member in inspect.getmembers(holder, inspect.isfunction)
        if name.startswith(("time_", "track_", "timeraw_"))
    }
    tracked = {"track_saved_bytes", "track_peak_bytes", "track_error", "track_spatial_share"}
    assert set(found) == {"time_forward", "time_forward_backward", "timeraw_import"} | tracked
    assert benchmarks.Layer.params[0] == benchmarks.Network.params[0] == benchmarks.MODELS
    assert {"lif", "clif", "relu"} <= set(benchmarks.MODELS) <= set(neurons.names())
    units = {name: getattr(member, "unit", None) for name, member in found.items() if name.startswith("track_")}
    assert units == {"track_saved_bytes": "B/element-step", "track_peak_bytes": "B/element-step",
                     "track_error": "% wrong", "track_spatial_share": "1"}  # fmt: skip


def test_the_times_are_of_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """One forward without gradient, or one forward and one backward through the fused kernel, a call."""
    layer = ready("clif")
    assert layer.workload.layer.backend == "cpu"
    assert layer.workload.x.shape == (8, 1024, 64)
    forwards, backwards = [], []
    layer.workload.layer.register_forward_hook(lambda *_: forwards.append(torch.is_grad_enabled()))
    layer.workload.x.register_hook(backwards.append)
    layer.time_forward("clif", 8)
    assert (forwards, len(backwards)) == ([False], 0)
    layer.time_forward_backward("clif", 8)
    assert (forwards, len(backwards)) == ([False, True], 1)
    assert backwards[0].abs().sum() > 0


@pytest.mark.parametrize("name", ["lif", "clif"])
def test_memory_is_that_of_the_task(name: str) -> None:
    layer, own = ready(name), values("memory", name, timesteps=8, elements=1 << 16)
    assert layer.track_saved_bytes(name, 8) == own["saved_bytes"]
    assert layer.track_peak_bytes(name, 8) == pytest.approx(own["peak_bytes"], rel=0.25)


def test_the_saved_bytes_of_lif_by_hand() -> None:
    """The fused kernel keeps its input alone: four bytes of float32 an element and step."""
    assert ready().track_saved_bytes("lif", 8) == 4.0


@pytest.mark.slow
def test_the_error_is_what_the_task_gets_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmarks, "TRAINING", {"epochs": 3, "train_samples": 600, "network": "mlp", "timesteps": 2})
    settings = benchmarks.budget("smoke", "digits") | benchmarks.TRAINING
    error = benchmarks.Network().track_error("lif")
    assert error == 100 - values("accuracy", "lif", **settings)["accuracy_selected"]
    assert 0 < error < 85, "better than chance (90 % wrong)"


def test_the_spatial_share_by_hand() -> None:
    """Own step over own and later steps, averaged over neurons; ReLU sends nothing back in time, LIF does."""
    assert benchmarks.Network().track_spatial_share("relu") == 1.0
    x = benchmarks.drive(16, 64 * 16, seed=0)
    jacobian = temporal_jacobian(neurons.layer("lif", 64, 16, "cpu"), x).flatten(2).double().abs()
    later = sum(torch.diagonal(jacobian, offset=-lag).mean() for lag in range(1, 16))
    own = torch.diagonal(jacobian).mean()
    assert benchmarks.Network().track_spatial_share("lif") == pytest.approx(float(own / (own + later)), rel=1e-4)


def test_the_import_is_timed_beyond_torch() -> None:
    timed, before = benchmarks.timeraw_import()
    count = "import sys; print(*({name.partition('.')[0] for name in sys.modules} & {'torch', 'neurons'}))"
    script = f"{before}\n{count}\n{timed}\n{count}"
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert [sorted(line.split()) for line in done.stdout.splitlines()] == [["torch"], ["neurons", "torch"]]
    assert benchmarks.timeraw_import.number == 1


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The calls of ASV that a session makes; none is run, and a run says that a benchmark failed."""
    made: list[list[str]] = []

    def noted(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        made.append(command[3:])
        return subprocess.CompletedProcess(command, 2 if "run" in command else 0)

    monkeypatch.setattr(track.subprocess, "run", noted)
    return made


@pytest.mark.parametrize("change", [None, "edited", "untracked", "staged"])
def test_a_tree_that_is_not_committed_is_labelled(
    change: str | None, commands: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(track, "git", lambda folder, *words: answers["status" if "status" in words else "head"])
    status = {None: "", "edited": " M a.py\n", "untracked": "?? b.py\n", "staged": "A  c.py\n"}[change]
    answers = {
        "head": subprocess.CompletedProcess([], 0, "abc\n", ""),
        "status": subprocess.CompletedProcess([], 0, status, ""),
    }
    machine = platform.node() + ("-uncommitted" if change else "")
    assert track.main([]) == 2
    assert commands[0] == ["machine", "--yes", "--machine", machine]
    assert commands[1][:5] == ["run", "--show-stderr", "--launch-method=spawn", "--machine", machine]
    assert commands[1][-2:] == ["--set-commit-hash", "abc"]


def test_a_benchmark_that_failed_is_told(commands: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert track.main(["HEAD~2..HEAD"]) == 2
    assert "benchmarks failed or ran out of time" in capsys.readouterr().err
    assert commands[1][-1] == "HEAD~2..HEAD"
    assert not any("uncommitted" in word for word in commands[1]), "a range is of commits"


@pytest.mark.slow
@pytest.mark.parametrize("body", ["raise ValueError", "import time; time.sleep(60)"])
def test_asv_exits_with_2_where_a_benchmark_fails_or_runs_out_of_time(body: str, tmp_path: Path) -> None:
    """What `suite.tracking.track` relies on, asked of ASV itself."""
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench/__init__.py").touch()
    (tmp_path / "bench/one.py").write_text(f"def track_x():\n    {body}\ntrack_x.timeout = 2\n")
    (tmp_path / "asv.conf.json").write_text(
        '{"version": 1, "project": "x", "repo": ".", "benchmark_dir": "bench", "branches": ["HEAD"], '
        '"environment_type": "virtualenv"}'
    )
    git("init", "--quiet", str(tmp_path), cwd=tmp_path)
    git("-c", "user.name=x", "-c", "user.email=x@y", "commit", "--quiet", "--allow-empty", "-m", "x", cwd=tmp_path)
    asv = [sys.executable, "-m", "asv"]
    environment = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run([*asv, "machine", "--yes"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    command = [*asv, "run", "--quick", "--environment", f"existing:{sys.executable}", "--set-commit-hash", "HEAD"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "track_x" in done.stdout
    assert "failed" in done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of this repository, with a commit that changes nothing and one that doubles the time of CLIF's kernel."""
    path = tmp_path / "clone"
    git("clone", "--quiet", str(REPOSITORY), str(path), cwd=tmp_path)
    git("config", "user.name", "somebody", cwd=path)
    git("config", "user.email", "somebody@example.org", cwd=path)
    (path / "README.md").write_text((path / "README.md").read_text() + "\nNothing.\n")
    git("commit", "--quiet", "--all", "-m", "Nothing", cwd=path)
    clif = path / "neurons/models/clif.py"
    text = clif.read_text()
    assert "\n    def step(" in text
    clif.write_text(text.replace("\n    def step(", SLOW_STEP, 1))
    git("commit", "--quiet", "--all", "-m", "CLIF slowed", cwd=path)
    return path


def git(*arguments: str, cwd: Path) -> None:
    subprocess.run(["git", *arguments], cwd=cwd, check=True)


def continuous(clone: Path, before: str, after: str) -> subprocess.CompletedProcess[str]:
    """`asv continuous` of CLIF's layer at 8 steps between two commits."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    bench = r"Layer\.time_forward_backward\('clif', 8\)"
    command = [sys.executable, "-m", "asv", "continuous", "--environment", f"virtualenv:{version}", "--factor", "1.3"]
    command += ["--interleave-rounds", "--show-stderr", "--bench", bench, before, after]
    environment = {**variables(), VARIABLE: sys.prefix, "XDG_CACHE_HOME": str(clone / ".cache")}
    subprocess.run([sys.executable, "-m", "asv", "machine", "--yes"], cwd=clone, check=True, capture_output=True)
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False)


def compared(clone: Path, before: str, after: str, wanted: str) -> subprocess.CompletedProcess[str]:
    """The comparison that comes to the wanted judgement, of three: a busy machine can hide a change, or feign one."""
    for _ in range(3):
        done = continuous(clone, before, after)
        if wanted in done.stdout:
            return done
    raise AssertionError(done.stdout + done.stderr)


@pytest.mark.slow
def test_a_slowed_kernel_is_found_and_an_unchanged_commit_is_not_accused(clone: Path) -> None:
    same = compared(clone, "HEAD~2", "HEAD~1", "BENCHMARKS NOT SIGNIFICANTLY CHANGED")
    assert same.returncode == 0
    slowed = compared(clone, "HEAD~1", "HEAD", "PERFORMANCE DECREASED")
    assert "time_forward_backward('clif', 8)" in slowed.stdout
    assert slowed.returncode == 1


def test_asv_finds_this_python_before_a_shim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyenv puts a `python3.x` of every version that it knows on the path, also of those that are not active."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (tmp_path / name).write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = shutil.which(name, path=variables()["PATH"])
    assert found is not None
    assert Path(found).resolve() == Path(sys.executable).resolve()
