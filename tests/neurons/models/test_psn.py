"""PSN by hand, and held against spikingjelly's."""

import pytest
import torch

import neurons
from neurons import InvalidValue


def layer(name: str, weight: list[list[float]], bias: list[float], **settings: object) -> neurons.NeuronLayer:
    made = neurons.layer(name, 1, len(bias), "reference", **settings).double()
    made.weight.data = torch.tensor(weight, dtype=torch.float64)
    made.bias.data = torch.tensor(bias, dtype=torch.float64).unsqueeze(1)
    return made


def test_a_mixture_of_all_steps() -> None:
    # x = (1, 2): h = (0.5·1 + 0.5·2, 1·1 − 1·2) = (1.5, −1); biases −1, 1.5: 0.5 and 0.5 fire
    made = layer("psn", [[0.5, 0.5], [1.0, -1.0]], [-1.0, 1.5])
    x = torch.tensor([1.0, 2.0], dtype=torch.float64).reshape(2, 1, 1).requires_grad_()
    assert made(x).flatten().tolist() == [1, 1]
    # the first output depends on the second input: distances of 0.5 are just outside the rectangle of width 1
    made = layer("psn", [[0.5, 0.5], [1.0, -1.0]], [-1.2, 1.5])
    (found,) = torch.autograd.grad(made(x)[0].sum(), x)
    assert found.flatten().tolist() == [0.5, 0.5]


def test_first_values() -> None:
    made = neurons.layer("psn", timesteps=100, backend="reference")
    assert made.bias.unique().tolist() == [-1]
    assert 0.099 < float(made.weight.detach().abs().max()) <= 0.1  # ±1/√T, as torch draws a linear layer
    with pytest.raises(InvalidValue, match="psn needs the number of steps"):
        neurons.layer("psn")


CASES = [("psn", "PSN", {}), ("masked_psn", "MaskedPSN", {"k": 3})]


@pytest.mark.parametrize(("name", "class_name", "settings"), CASES)
def test_equal_to_spikingjelly(name: str, class_name: str, settings: dict[str, int]) -> None:
    theirs = getattr(pytest.importorskip("spikingjelly.activation_based.neuron"), class_name)
    more = {"lambda_init": 1.0, "step_mode": "m"} if settings else {}
    node = theirs(T=6, **settings, **more).double()
    node.bias.data += 0.9
    ours = neurons.layer(name, 4, 6, "reference", "published", **({"order": 3} if settings else {})).double()
    ours.weight.data, ours.bias.data = node.weight.data.clone(), node.bias.data.clone()
    results = []
    x = torch.randn(6, 20, 4, dtype=torch.float64)
    for module in (node, ours):
        own = x.clone().requires_grad_()
        output = module(own)
        output.backward(torch.cos(torch.arange(output.numel(), dtype=torch.float64)).view(output.shape))
        results.append((output.detach(), own.grad, module.weight.grad, module.bias.grad))
    assert 0 < float(results[0][0].mean()) < 1
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other, atol=1e-12)
