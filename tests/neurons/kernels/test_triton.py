"""The Triton kernels without a GPU: run in Triton's interpreter, and compiled ahead of time for four GPUs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import neurons
from neurons import BackendUnavailable
from neurons.kernels import ahead_of_time, cost
from neurons.kernels.source import source_of
from neurons.kernels.triton_launch import interval_of

MODELS = [name for name in neurons.names() if neurons.get(name).runs_over_time()]


@pytest.mark.slow
def test_conformance_in_the_interpreter() -> None:
    cases = Path(__file__).with_name("triton_cases.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(cases)]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("steps", [8, 100])
@pytest.mark.parametrize("target", ahead_of_time.TARGETS)
@pytest.mark.parametrize("name", MODELS)
def test_ahead_of_time(name: str, target: str, steps: int) -> None:
    """No spills, and at most 1.1 times the least bytes, on every target."""
    source = source_of(neurons.get(name)(steps))
    moved = least = 0.0
    for kernel in ("forward", "backward"):
        found = ahead_of_time.compile_kernel(source, kernel, target, steps)
        assert found.spills == 0
        assert 0 < found.registers <= 255
        moved += found.bytes_per_element_step
        least += cost.least_bytes(kernel, item_size=4)
    assert least <= moved <= 1.1 * least


def test_needs_a_gpu() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(BackendUnavailable, match="needs a CUDA or ROCm device, not cpu"):
        neurons.layer("lif", backend="triton")(torch.zeros(2, 3))


def test_blocks_of_steps() -> None:
    assert [interval_of(steps) for steps in (1, 8, 16)] == [1, 8, 16]
    assert interval_of(100) == 10
    assert all(8 <= interval_of(steps) <= 16 for steps in range(17, 2000))
