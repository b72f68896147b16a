"""`kernels` and `check` as a user runs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Suite

NEURON = '''
@register
class Adaptive(Neuron):
    """Two states, a learnable per-channel parameter, where and tanh."""
    states = ("u", "a")
    gain = Learnable(0.2, per="channel")

    def step(self, x, u, a):
        u = self.charge(u, torch.where(x > 2.0, 2.0 + torch.tanh(x - 2.0), x))
        spike = self.spike(u - self.v_th - torch.tanh(self.gain * a))
        return spike, self.fire_reset(u, spike), 0.9 * a + spike
'''
MEAN = """
@register
class Mean(Neuron):
    states = ("u",)
    def step(self, x, u):
        u = u + x - u.mean()
        return self.spike(u - 1.0), u
"""


@pytest.mark.slow
def test_check_of_a_new_neuron(suite: Suite, neuron_file: Callable[[str], Path]) -> None:
    path = neuron_file(NEURON)
    assert len(path.read_text().strip().splitlines()) <= 15
    done = suite("check", path)
    assert done.returncode == 0, done.stdout + done.stderr
    for backend in ("reference", "compile", "cpu", "triton (interpreter)"):
        assert f"  {backend}: agrees" in done.stdout
    assert "cost of a step:" in done.stdout
    assert "× as fast as the loop" in done.stdout
    assert "× LIF's time" in done.stdout
    assert done.stdout.rstrip().endswith("fit")


@pytest.mark.slow
def test_check_refuses_what_cannot_be_fused(suite: Suite, neuron_file: Callable[[str], Path]) -> None:
    done = suite("check", neuron_file(MEAN))
    assert done.returncode == 1
    assert "u = u + x - u.mean(): the operation mean is not pointwise" in done.stdout
    assert "the backend reference remains" in done.stdout


@pytest.mark.slow
def test_kernels_as_json(suite: Suite) -> None:
    done = suite("kernels", "lif", "--target", "cuda:90", "--json")
    forward, backward = json.loads(done.stdout)
    assert (forward["kernel"], backward["kernel"]) == ("forward", "backward")
    for row in (forward, backward):
        assert row["spills"] == 0
        assert row["least_bytes_per_element_step"] <= row["bytes_per_element_step"]
        assert {"neuron", "target", "registers", "shared_bytes", "operations_per_element_step"} <= set(row)


def test_kernel_source_uses_the_models_names(suite: Suite) -> None:
    text = suite("kernels", "plif", "--source").stdout
    assert "// u = self.charge(u, x)" in text
    assert "v_decay * v_u + v_x" in text
    assert "@triton.jit" in text
