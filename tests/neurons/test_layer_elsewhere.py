"""Layers that travel: loaded in a new process, with the file of a user's neuron there, moved, changed or gone."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import neurons
from neurons import user_file

MINE = """import torch
from neurons import Neuron, register

@register
class Mine(Neuron):
    states = ("u",)
    leak = {leak}
    def step(self, x, u):
        u = self.leak * u + x
        spike = self.spike(u - self.v_th)
        return spike, u - spike
"""
LOAD = """
import torch, neurons
layer = torch.load("layer.pt", weights_only=False)
print(int(layer(torch.load("x.pt")).sum()))
"""


def run(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python code, or a script, in a process of its own, in `folder`."""
    path = f"{Path(neurons.__file__).parent.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return subprocess.run(
        [sys.executable, "-W", "ignore", *([code] if code.endswith(".py") else ["-c", code])],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def x(tmp_path: Path) -> torch.Tensor:
    value = 0.7 + 0.6 * torch.randn(6, 3, 4)
    torch.save(value, tmp_path / "x.pt")
    return value


def save(name: str, folder: Path, **constants: float) -> neurons.NeuronLayer:
    layer = neurons.layer(name, 4, 6, **constants)
    torch.save(layer, folder / "layer.pt")
    return layer


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lif", "glif"])
def test_a_layer_of_the_registry(name: str, tmp_path: Path, x: torch.Tensor) -> None:
    layer = save(name, tmp_path, tau=1.5)
    done = run(LOAD, tmp_path)
    assert int(done.stdout) == int(layer(x).sum()) > 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("where", ["in its place", "copied and loaded first", "gone"])
def test_a_layer_of_a_users_file(where: str, tmp_path: Path, x: torch.Tensor) -> None:
    """Its file is loaded with it, or any copy of it before it; if there is none, one line names the file."""
    file = tmp_path / "mine.py"
    file.write_text(MINE.format(leak=0.3))
    neurons.load_file(file)
    layer = save("mine", tmp_path, v_th=0.8)
    expected = int(layer(x).sum())
    code = LOAD
    if where != "in its place":
        (tmp_path / "moved").mkdir()
        shutil.move(file, tmp_path / "moved" / "renamed.py")
    if where == "copied and loaded first":
        code = f"import neurons; neurons.load_file('moved/renamed.py')\n{LOAD}"
    done = run(code, tmp_path)
    if where == "gone":
        assert done.returncode != 0
        line = done.stderr.strip().splitlines()[-1]
        assert line.endswith(f"the neuron 'mine' of this layer is not known here: first neurons.load_file('{file}')")
    else:
        assert int(done.stdout) == expected > 0, done.stderr


@pytest.mark.slow
def test_a_users_layer_reaches_workers_that_are_started_anew(tmp_path: Path, x: torch.Tensor) -> None:
    (tmp_path / "mine.py").write_text(MINE.format(leak=0.3))
    code = """
import multiprocessing, neurons, torch
def work(layer, x): return int(layer(x).sum())
if __name__ == "__main__":
    neurons.load_file("mine.py")
    layer, x = neurons.layer("mine"), torch.load("x.pt")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.apply(work, (layer, x)) == work(layer, x) > 0)
"""
    (tmp_path / "main.py").write_text(code)
    done = run("main.py", tmp_path)
    assert done.stdout.strip() == "True", done.stderr


@pytest.mark.slow
def test_a_class_of_a_script_or_a_notebook(tmp_path: Path, x: torch.Tensor) -> None:
    body = MINE.format(leak=0.3)
    first = run(f"{body}\nimport neurons\ntorch.save(neurons.layer('mine'), 'layer.pt')", tmp_path)
    assert first.returncode == 0, first.stderr
    again = run(f"{body}\n{LOAD}", tmp_path)
    assert int(again.stdout) > 0, again.stderr
    without = run(LOAD, tmp_path)
    assert without.stderr.strip().endswith("the neuron 'mine' of this layer is not known here: first define it again")


def test_a_class_made_by_a_function() -> None:
    """Its name leads nowhere for pickle; the registry knows it."""

    def make() -> type[neurons.Neuron]:
        class Local(neurons.Neuron):
            states = ("u",)

            def step(self, x: torch.Tensor, u: torch.Tensor) -> tuple[torch.Tensor, ...]:
                u = 0.5 * u + x
                spike = self.spike(u - self.v_th)
                return spike, u - spike

        return neurons.register(Local)

    cls = make()
    layer = pickle.loads(pickle.dumps(neurons.layer("local", v_th=0.7)))
    assert type(layer.neuron) is cls
    assert layer.neuron.v_th == 0.7


def test_files_are_named_by_their_content(tmp_path: Path) -> None:
    """The same file in two places is one module; a changed one is another."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(MINE.format(leak=0.3))
    neurons.load_file(tmp_path / "a" / "mine.py")
    first = neurons.get("mine")
    assert neurons.load_file(tmp_path / "b" / "mine.py") == ["mine"]
    assert neurons.get("mine") is first
    (tmp_path / "a" / "mine.py").write_text(MINE.format(leak=0.9))
    neurons.load_file(tmp_path / "a" / "mine.py")
    assert neurons.get("mine").leak == 0.9
    assert neurons.get("mine").__module__.startswith(f"{user_file.FILE_MODULE}mine_")


EXPORT = """
import torch, neurons
torch.manual_seed(0)
for name in ("lif", "plif"):
    network = torch.nn.Sequential(torch.nn.Linear(4, 4), neurons.layer(name, 4, 6, backend="cpu", v_th=0.6))
    x = torch.load("x.pt")
    torch.export.save(torch.export.export(network, (x,)), f"{name}.pt2")
    print(int(network(x).sum()))
"""
RUN_EXPORTED = """
import torch, neurons
for name in ("lif", "plif"):
    print(int(torch.export.load(f"{name}.pt2").module()(torch.load("x.pt")).sum()))
"""
RUN_ELSEWHERE = f"""
import neurons
try:
    exec({RUN_EXPORTED!r})
except Exception as error:
    print(error)
[neurons.layer(name, 4, 6, backend='cpu', v_th=0.6) for name in ('lif', 'plif')]
exec({RUN_EXPORTED!r})
"""


@pytest.mark.slow
def test_an_exported_program_runs_in_another_process(tmp_path: Path, x: torch.Tensor) -> None:
    """It finds its kernels on the disk; where they are not, one line says which layer to make first."""
    own, other = {"XDG_CACHE_HOME": str(tmp_path / "cache")}, {"XDG_CACHE_HOME": str(tmp_path / "other")}
    made = run(EXPORT, tmp_path, **own)
    expected = [int(line) for line in made.stdout.split()]
    assert len(expected) == 2, made.stderr
    assert min(expected) > 0
    found = run(RUN_EXPORTED, tmp_path, **own)
    assert [int(line) for line in found.stdout.split()] == expected, found.stderr
    elsewhere = run(RUN_ELSEWHERE, tmp_path, TMPDIR=str(tmp_path), **other)
    refusal, *known = elsewhere.stdout.splitlines()
    line = "is not known here: make the same layer first, neurons.layer('lif', …), or export the network again"
    assert refusal.endswith(line), elsewhere.stderr
    assert [int(line) for line in known] == expected, elsewhere.stderr
