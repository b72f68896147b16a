"""What the first use of a neuron costs: import of its package, then the first forward and backward of a layer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import torch

from neurons import BackendUnavailable, backends
from neurons.peers.peer import refuse_apart
from tasks.base import Cell, Metric, Task, Value
from tasks.measuring.timing import Spread, spread_values
from tasks.measuring.workload import DTYPE_RANGE

PACKAGE_IMPORTS = {
    "spikingjelly": "import spikingjelly.activation_based.neuron",
    "snntorch": "import snntorch",
    "norse": "import norse.torch",
}
CACHE_VARIABLES = ("XDG_CACHE_HOME", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")
OWN_IMPORT = "import neurons; neurons.names()"

SCRIPT = """
import json, sys, time
import torch
code, neuron, backend, device, threads, settings = sys.argv[1:]
torch.set_num_threads(int(threads))
if device != "cpu":
    from tasks.measuring import devices
    devices.kinds()
warm = torch.ones(2, device=device, requires_grad=True)
(warm * 2).backward(torch.ones(2, device=device))  # what torch itself begins at its first backward pass is nobody's
begun = time.perf_counter()
exec(code)
imported = time.perf_counter() - begun
from tasks.base import Cell
from tasks.measuring.workload import LayerWorkload
from tasks.measuring import devices
cell = Cell("startup", neuron, backend, 0, json.loads(settings), device)
begun = time.perf_counter()
LayerWorkload.of(cell).forward_backward()
devices.of(device).synchronize(cell.torch_device)
print(json.dumps([imported, time.perf_counter() - begun]))
"""


class Startup(Task):
    """Seconds until a neuron has run once, each in a fresh process that has torch already."""

    name = "startup"
    description = "import time of the package and time of the first call, in fresh processes"
    exclusive = True
    settings: ClassVar[dict[str, Any]] = {
        "timesteps": 8,
        "elements": 4096,
        "dtype": "float32",
        "protocol": "controlled",
        "processes": 3,
    }
    ranges = DTYPE_RANGE
    sources = ("measuring/workload.py", "measuring/timing.py")
    metrics = {
        "import_seconds": Metric("s", "import of the package beyond torch, median of fresh processes", "lower"),
        "first_call_seconds": Metric("s", "a layer made and run forward and backward once, with empty caches", "lower"),
        "cached_call_seconds": Metric("s", "the same in a second process, with the caches of the first", "lower"),
        **{
            f"{name}_{percentile}": Metric("s", f"{percentile[1:]}th percentile of the processes", "lower")
            for name in ("import_seconds", "first_call_seconds", "cached_call_seconds")
            for percentile in ("p20", "p80")
        },
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        return [{"processes": 1}] if profile == "smoke" else [{}]

    def run(self, cell: Cell) -> Iterator[Value]:
        layer = cell.neuron_layer(64, cell.settings["timesteps"])
        reason = backends.get_backend(cell.backend).unavailable(layer.neuron, cell.torch_device)
        if reason is not None:
            raise BackendUnavailable(reason)
        refuse_apart(layer.neuron)
        package = getattr(layer.neuron, "package", cell.backend)
        command = [sys.executable, "-c", SCRIPT, PACKAGE_IMPORTS.get(package, OWN_IMPORT), cell.neuron, cell.backend]
        command += [cell.device, str(torch.get_num_threads()), json.dumps(dict(cell.settings))]
        rounds = [_two_processes(command) for _ in range(cell.settings["processes"])]
        names = ("import_seconds", "first_call_seconds", "cached_call_seconds")
        for name, seconds in zip(names, zip(*rounds, strict=True), strict=True):
            yield from spread_values(name, Spread.of(seconds))


def _two_processes(command: Sequence[str]) -> tuple[float, float, float]:
    """Import and call with empty caches of compiled kernels, then the call in a process that finds them."""
    with tempfile.TemporaryDirectory() as folder:
        _, first = _one_process(command, folder)
        imported, cached = _one_process(command, folder)
    return imported, first, cached


def _one_process(command: Sequence[str], caches: str) -> tuple[float, float]:
    environment = {**os.environ, **dict.fromkeys(CACHE_VARIABLES, caches)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    imported, called = json.loads(done.stdout.splitlines()[-1])
    return imported, called
