"""`torch.compile(network, fullgraph=True)` as users meet it: in a fresh process, where nothing has run before."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import neurons

CASES = Path(__file__).with_name("compiled_cases.py")


def _usable(python: str) -> bool:
    """Whether that interpreter is installed here and has what the package imports."""
    if shutil.which(python) is None:
        return False
    probe = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False)
    return probe.returncode == 0


PYTHONS = [sys.executable, *(python for python in ("python3.12", "python3.13") if _usable(python))]


@pytest.mark.slow
@pytest.mark.parametrize("origin", ["fresh", "copied", "loaded"])
@pytest.mark.parametrize("python", PYTHONS)
def test_one_graph_in_a_fresh_process(python: str, origin: str, tmp_path: Path) -> None:
    """Float32, bfloat16 by autocast and float64, trained and evaluated: one graph, the values of eager mode.

    The cache of kernels is empty for the fresh network, so its first call also compiles C.
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(neurons.__file__).parent.parent)}
    if origin == "fresh":
        environment["XDG_CACHE_HOME"] = str(tmp_path)
    done = subprocess.run(
        [python, "-W", "ignore", str(CASES), origin],
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines() == ["lif float32", "glif float32", "glif bfloat16", "glif float64"]
