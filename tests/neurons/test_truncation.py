"""Truncated gradients against their definition, Σ over t ≤ t' < t + k of g[t']·J[t', t], for each backend."""

from __future__ import annotations

import pytest
import torch

import neurons
from neurons import BackendUnavailable, InvalidValue
from neurons.stepping import LayerState
from tasks.temporal_gradient import temporal_jacobian

STEPS = 7


MODELS = ["lif", "plif", "klif", "glif", "clif", "relu"]
CASES = [(name, steps, backend) for name in MODELS for steps in (1, 2, 5, 7, 9) for backend in ("reference", "cpu")] + [
    pytest.param(*case, marks=pytest.mark.slow) for case in [("lif", 1, "compile"), ("glif", 3, "compile")]
]


@pytest.mark.parametrize(("name", "bptt_steps", "backend"), CASES)
def test_truncation_is_exact(name: str, bptt_steps: int, backend: str) -> None:
    torch.manual_seed(0)
    full = neurons.layer(name, 3, STEPS, "reference").double()
    layer = neurons.layer(name, 3, STEPS, backend, bptt_steps=bptt_steps).double()
    layer.load_state_dict(full.state_dict())
    x = (0.7 + 0.6 * torch.randn(STEPS, 40, 3, 2, dtype=torch.float64)).requires_grad_()
    gradient = torch.randn_like(x)
    output = layer(x)
    assert torch.equal(output, full(x))
    output.backward(gradient)
    jacobian = temporal_jacobian(full, x)
    reach = torch.ones(STEPS, STEPS, dtype=torch.bool).tril() & torch.ones(STEPS, STEPS, dtype=torch.bool).triu(
        1 - bptt_steps
    )
    paths = gradient.unsqueeze(1) * jacobian * reach[..., None, None, None]
    assert torch.allclose(x.grad, paths.sum(0), atol=1e-12)


@pytest.mark.parametrize("name", ["plif", "glif"])
def test_parameter_gradients_agree_between_backends(name: str) -> None:
    x, grads = 0.7 + 0.6 * torch.randn(STEPS, 40, 3, dtype=torch.float64), []
    state = neurons.layer(name, 3, STEPS, "reference").double().state_dict()
    for backend in ("reference", "cpu"):
        layer = neurons.layer(name, 3, STEPS, backend, bptt_steps=3).double()
        layer.load_state_dict(state)
        layer(x).sum().backward()
        grads.append([parameter.grad for parameter in layer.parameters()])
    for a, b in zip(*grads, strict=True):
        assert torch.allclose(a, b, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in neurons.names() if neurons.get(name).runs_over_time()])
def test_one_step_is_sltt_of_any_model(name: str) -> None:
    """Spatial learning through time: each step by itself, its states constants (Meng et al., ICCV 2023)."""
    torch.manual_seed(0)
    layer = neurons.layer(name, 3, STEPS, "reference", bptt_steps=1).double()
    x = (0.7 + 0.6 * torch.randn(STEPS, 10, 3, dtype=torch.float64)).requires_grad_()
    gradient = torch.randn_like(x)
    layer(x).backward(gradient)
    found = _gradients(x, layer)
    x.grad = None
    alone = neurons.layer(name, 3, STEPS, "reference").double()
    alone.load_state_dict(layer.state_dict())
    state = alone.initial_state(x[0])
    for step in range(STEPS):
        constant = LayerState(state.time, tuple(value.detach() for value in state.values))
        output, state = alone.step(x[step], constant)
        output.backward(gradient[step])
    for own, right in zip(found, _gradients(x, alone), strict=True):
        assert torch.allclose(own, right, atol=1e-9)


def _gradients(x: torch.Tensor, layer: neurons.NeuronLayer) -> list[torch.Tensor]:
    """Of x and of the parameters; 0 where nothing came."""
    return [torch.zeros_like(own) if own.grad is None else own.grad for own in (x, *layer.parameters())]


def test_a_model_without_a_step_says_that_it_has_no_steps_to_cut() -> None:
    with pytest.raises(BackendUnavailable, match="psn is not a step over time: its gradient cannot be truncated"):
        neurons.layer("psn", 3, STEPS, "reference", bptt_steps=1)(torch.zeros(STEPS, 2, 3))


def test_bad_values() -> None:
    with pytest.raises(InvalidValue, match="bptt_steps must be at least 1"):
        neurons.layer("lif", bptt_steps=0)
    with pytest.raises(BackendUnavailable, match="cannot truncate"):
        neurons.layer("lif", backend="spikingjelly", bptt_steps=2)(torch.zeros(3, 4))


def test_truncated_bfloat16_is_summed_in_float32() -> None:
    torch.manual_seed(0)
    x = 0.7 + 0.6 * torch.randn(20, 30, 4)
    gradient = torch.randn_like(x)
    grads = []
    for dtype in (torch.bfloat16, torch.float32):
        narrow = x.to(torch.bfloat16).to(dtype).requires_grad_()
        neurons.layer("clif", backend="cpu", bptt_steps=5)(narrow).backward(gradient.to(torch.bfloat16).to(dtype))
        grads.append(narrow.grad)
    assert torch.equal(grads[0], grads[1].to(torch.bfloat16))
