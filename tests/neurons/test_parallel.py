"""The LIF without a reset by a convolution and by a scan: the fused kernel's model, at any decay, input and length."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import neurons
from neurons import BackendUnavailable, Neuron, parallel
from neurons.conformance import gate
from neurons.peers import equivalence

BACKENDS = ("convolution", "scan")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "constants",
    [{}, {"decay_input": True, "tau": 3.0}, {"tau": 1.0}, {"tau": 1e6, "v_th": 20.0}, {"surrogate": "atan"}],
)
def test_same_model(backend: str, constants: dict[str, Any]) -> None:
    gate(lambda channels, steps: neurons.layer("reset_free", channels, steps, backend, **constants))
    if constants.get("tau") in (None, 1.0):  # others round where a potential meets the threshold exactly
        found = equivalence.compare(neurons.layer("reset_free", 8, 64, backend, **constants))
        assert found.relation in ("same", "same within rounding")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("steps", [1, 2, 3, 300])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_any_length_and_type(backend: str, steps: int, dtype: torch.dtype) -> None:
    x = torch.randn(steps, 3, 5, generator=torch.Generator().manual_seed(steps)).to(dtype)
    ours, reference = (neurons.layer("reset_free", backend=name)(x) for name in (backend, "reference"))
    assert ours.dtype == dtype
    if dtype == torch.float32:
        assert torch.equal(ours, reference)
    else:
        assert torch.equal(ours, neurons.layer("reset_free", backend="cpu")(x))


def test_potentials_by_hand() -> None:
    """0.5: 1, 0.5 + 2, 1.25 + 4; the terms end where a power of the decay is below rounding."""
    x = torch.tensor([1.0, 2.0, 4.0]).view(3, 1)
    for how in (parallel.convolution, parallel.scan):
        assert how(x, 0.5).flatten().tolist() == [1.0, 2.5, 5.25]
        assert how(x, 0.0).flatten().tolist() == [1.0, 2.0, 4.0]
        assert how(x, 1.0).flatten().tolist() == [1.0, 3.0, 7.0]
    assert parallel.terms(0.5, 1000, torch.float32) == 24
    assert parallel.terms(0.5, 9, torch.float32) == 9


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("lif", "the potential of lif is not linear in its input"),
        ("plif", "plif is not one state of constant decay"),
        ("clif", "clif is not one state of constant decay"),
        ("psn", "psn is not a step over time"),
        ("snntorch.leaky", "not a step over time"),
    ],
)
def test_what_is_not_linear_is_refused(backend: str, name: str, reason: str) -> None:
    with pytest.raises(BackendUnavailable, match=reason):
        neurons.layer(name, 4, 3, backend)(torch.zeros(3, 2, 4))


class LateOutput(Neuron):
    """Its output is of the potential before the step."""

    name = "late"
    states = ("u",)

    def step(self, x: torch.Tensor, u: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.spike(u - self.v_th), self.charge(u, x)


def test_an_output_of_the_old_potential_is_refused() -> None:
    assert parallel.linear_step(LateOutput()) == "the output of late does not depend on its new potential alone"
