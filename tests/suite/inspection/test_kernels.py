"""The numbers of `suite kernels` by hand."""

from __future__ import annotations

import pytest

from neurons import UnknownName
from neurons.kernels.gpu import ahead_of_time
from suite.inspection import kernels

KEYS = {
    "neuron",
    "kernel",
    "target",
    "timesteps",
    "tile",
    "registers",
    "spills",
    "shared_bytes",
    "barriers",
    "access_bytes",
}
KEYS |= {"loads_in_flight", "occupancy", "bytes_per_element_step", "least_bytes_per_element_step"}
KEYS |= {"operations_per_element_step", "limit_ps_per_element_step", "predicted_ps_per_element_step"}


def test_each_value_stands_under_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ahead_of_time.Resources(
        tile=256,
        registers=32,
        spills=1,
        shared_bytes=2,
        barriers=3,
        access_bytes=16,
        loads_in_flight=5,
        occupancy=0.5624,
        bytes_per_element_step=8.00049,
        limit_ps=2.38821,
        predicted_ps=4.7766,
    )
    monkeypatch.setattr(ahead_of_time, "compile_kernel", lambda *_: found)
    forward, backward = kernels.resources(["lif"], ["cuda:90"], 8, 128)
    assert set(forward) == KEYS
    right = {"neuron": "lif", "kernel": "forward", "target": "cuda:90", "timesteps": 8, "registers": 32, "spills": 1}
    right |= {"tile": 256}
    right |= {"shared_bytes": 2, "barriers": 3, "access_bytes": 16, "loads_in_flight": 5, "occupancy": 0.562}
    right |= {"bytes_per_element_step": 8.0, "least_bytes_per_element_step": 8, "operations_per_element_step": 6}
    assert forward == {**right, "limit_ps_per_element_step": 2.388, "predicted_ps_per_element_step": 4.777}
    assert (backward["kernel"], backward["least_bytes_per_element_step"]) == ("backward", 12)


def test_an_unknown_target_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead_of_time, "compile_kernel", lambda *_: pytest.fail("compiled"))
    with pytest.raises(UnknownName, match="cuda:91"):
        kernels.resources(["lif"], ["cuda:90", "cuda:91"], 8, 128)


def test_a_model_without_a_step_has_none(suite) -> None:
    done = suite("kernels", "psn")
    assert done.returncode == 2
    assert "psn is not a step over time, so it has no kernels" in done.stderr
