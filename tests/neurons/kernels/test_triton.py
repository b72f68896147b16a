"""The Triton kernels without a GPU: run in Triton's interpreter, and compiled ahead of time for four GPUs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import neurons
from neurons import BackendUnavailable
from neurons.kernels import cost
from neurons.kernels.gpu import ahead_of_time
from neurons.kernels.gpu import layer as triton_layer
from neurons.kernels.gpu.cards import CARDS
from neurons.kernels.gpu.launch import A_THREAD, TritonKernel, neurons_of_a_thread
from neurons.kernels.programs import Program
from neurons.kernels.source import source_of
from tests.neurons.kernels.cases import MODELS, STANDARD

CASES = [(name, target, steps) for name in STANDARD for target in CARDS for steps in (8, 100)]
CASES += [(name, "cuda:90", 8) for name in MODELS if name not in STANDARD]


@pytest.mark.slow
@pytest.mark.parametrize("cases", ["triton_cases.py", "test_fuzz.py"])
def test_conformance_in_the_interpreter(cases: str) -> None:
    """All shapes and dtypes of conformance, and random steps."""
    path = Path(__file__).with_name(cases)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)]
    alone = {"TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": "", "NEURON_SUITE_FUZZ": "12"}
    environment = {**os.environ, **alone}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=1200)
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout


NARROW = {name for name in MODELS if neurons_of_a_thread(source_of(neurons.get(name)(1))) < A_THREAD}
"""Whose backward has to hold too much for whole accesses."""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "target", "steps"), CASES)
def test_ahead_of_time(name: str, target: str, steps: int) -> None:
    """No spill, no barrier in the loop over time, whole accesses, four loads in flight, at most 1.1 times the least
    bytes, on every target.
    """
    source = source_of(neurons.get(name)(steps))
    moved = least = 0.0
    for kernel in ("forward", "backward"):
        found = ahead_of_time.compile_kernel(source, kernel, target, steps)
        assert found.barriers == 0
        assert found.spills == 0
        assert 0 < found.registers <= (255 if target.startswith("cuda") else 512)
        assert found.access_bytes == (8 if kernel == "backward" and name in NARROW else 16)
        assert found.loads_in_flight >= 4
        if name in STANDARD:
            assert found.predicted_ps <= (1.25 if name == "lif" else 3) * found.limit_ps
        moved += found.bytes_per_element_step
        least += cost.least_bytes(kernel, item_size=4)
    assert least <= moved <= 1.1 * least


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["forward", "backward"])
@pytest.mark.parametrize("name", ["lif", "clif"])
def test_halves_are_read_in_whole_accesses(name: str, kernel: str) -> None:
    found = ahead_of_time.compile_kernel(
        source_of(neurons.get(name)(1024)), kernel, "cuda:90", 1024, dtype=torch.bfloat16
    )
    assert (found.access_bytes, found.spills, found.barriers) == (8, 0, 0)
    assert found.loads_in_flight >= 4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lif", "glif"])
def test_channels_along_columns_have_no_barrier_either(name: str) -> None:
    for kernel in ("forward", "backward"):
        found = ahead_of_time.compile_kernel(source_of(neurons.get(name)(20)), kernel, "cuda:90", 20, shape=(64, 64))
        assert (found.spills, found.barriers) == (0, 0)
        assert found.access_bytes >= 8
        # GLIF has a coefficient of each step and channel to load between the inputs
        assert found.loads_in_flight >= (4 if name == "lif" else 3)


def test_needs_a_gpu() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(BackendUnavailable, match="needs a CUDA or ROCm device, not cpu"):
        neurons.layer("lif", backend="triton")(torch.zeros(2, 3))


def test_checkpoints_are_for_backward_alone() -> None:
    program = Program("triton", source_of(neurons.get("lif")()), None)
    x = torch.empty(40, 3, 5, device="meta")
    assert program.checkpoint_shape(x, False) == (0,)
    assert program.checkpoint_shape(x, True) == (4, 1, 3, 5)  # 40 steps in 5 blocks of 8: states before all but one


@pytest.mark.parametrize("steps", [8, 40])
@pytest.mark.parametrize("for_backward", [True, False])
def test_the_kernel_saves_for_backward_alone(for_backward: bool, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of LIF: the states before each block of 8 steps but the first, where a backward pass is to come."""
    launched: list[dict[str, object]] = []

    class Launch:
        def __getitem__(self, grid: object) -> Callable[..., None]:
            return lambda *tensors, **constants: launched.append(constants)

    monkeypatch.setattr(triton_layer, "forward_kernel", Launch())
    source = source_of(neurons.get("lif")())
    coefficients = [torch.zeros(()) for _ in source.coefficients]
    _, checkpoints = TritonKernel(source).forward(torch.zeros(steps, 3, 5), coefficients, for_backward, None)
    saved = for_backward and steps > 8
    assert checkpoints.numel() == (4 * 3 * 5 if saved else 0)
    assert [constants["SAVE"] for constants in launched] == [saved]


@pytest.mark.parametrize("grad", [True, False])
def test_without_a_gradient_none_is_prepared(grad: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def spy(program: Program, x: torch.Tensor, needed: bool) -> tuple[int, ...]:
        asked.append(needed)
        return (0,)

    monkeypatch.setattr(Program, "checkpoint_shape", spy)
    layer, x = neurons.layer("lif", backend="triton"), torch.empty(40, 3, 5, device="meta")
    with torch.set_grad_enabled(grad):
        layer(x.requires_grad_())
    layer(x.detach())
    assert asked == [grad, False]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float8_e5m2])
def test_other_dtypes_are_refused(dtype: torch.dtype) -> None:
    kernel = TritonKernel(source_of(neurons.get("lif")()))
    with pytest.raises(BackendUnavailable, match=f"takes float32, float16 and bfloat16, not {dtype}: use x.float"):
        kernel.forward(torch.zeros(2, 3).to(dtype), [], False, None)
