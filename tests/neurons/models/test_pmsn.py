"""PMSN by hand with one compartment, and its convolution against the recurrence."""

import math

import pytest
import torch

import neurons


def test_one_compartment_and_a_soma_that_adds_up() -> None:
    # one compartment without oscillation: into·out = 1, A = −1, dt = ln 2: y[t] = ½·y[t−1] + ½·x[t]
    layer = neurons.layer("pmsn", 1, 4, "reference", compartments=1).double()
    with torch.no_grad():
        layer.log_dt.fill_(math.log(math.log(2)))
        layer.log_damping.fill_(0)
        layer.frequency.fill_(0)
        layer.skip.fill_(0)
    x = torch.tensor([1.6, 0.8, 0.0, 0.0], dtype=torch.float64).reshape(4, 1, 1)
    # y = 0.8, 0.8, 0.4, 0.2: the sum 0.8, 1.6, 2.0, 2.2 passes 1 and reaches 2
    assert layer(x).flatten().tolist() == [0, 1, 1, 0]


def test_the_convolution_is_the_recurrence_of_its_compartments() -> None:
    torch.manual_seed(1)
    layer = neurons.layer("pmsn", 3, 12, "reference").double()
    neuron = layer.neuron.bind({name: value.detach() for name, value in layer.named_parameters()})
    kernel = neuron.kernel(12)
    rate = torch.complex(-neuron.log_damping.exp(), neuron.frequency)
    step = torch.exp(rate * neuron.log_dt.exp())
    state = (step - 1) / rate * torch.view_as_complex(neuron.into)
    for t in range(12):
        assert torch.allclose(kernel[t], (torch.view_as_complex(neuron.out) * state).sum(1).real)
        state = step * state


def test_first_values_are_coupled_compartments_diagonalised() -> None:
    # the eigenvalues of the coupling ±5, ±10, ±15 between neighbours; out·into sums to Σ C·B = 4 of ones
    layer = neurons.layer("pmsn", 2, 4, "reference")
    coupling = torch.diag(torch.tensor([5.0, 10.0, 15.0]), 1)
    exact = torch.linalg.eigvals(coupling - coupling.T).imag.sort().values
    assert torch.allclose(layer.frequency[0].detach().sort().values, exact, atol=1e-4)
    product = torch.view_as_complex(layer.out.detach()) * torch.view_as_complex(layer.into.detach())
    assert product.sum(1).real.tolist() == pytest.approx([4, 4], abs=1e-5)


def test_the_gradient_of_a_spike_goes_to_its_own_step() -> None:
    layer = neurons.layer("pmsn", 1, 3, "reference", "published", compartments=1).double()
    layer.skip.data.fill_(1)
    layer.out.data.zero_()
    x = torch.tensor([0.4, 0.5, 0.3], dtype=torch.float64).reshape(3, 1, 1).requires_grad_()
    # sums 0.4, 0.9, 1.2: distances to 1 of −0.6, −0.1, 0.2; triangle 0.4, 0.9, 0.8
    jacobian = torch.func.jacrev(layer)(x).reshape(3, 3)
    assert torch.allclose(jacobian, torch.diag(torch.tensor([0.4, 0.9, 0.8], dtype=torch.float64)), atol=1e-9)
