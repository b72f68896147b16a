"""LM-HT by hand: at its first values every step gets the mean input, and nothing leaks."""

import pytest
import torch

import neurons
from tests.neurons.models.hand import gradient, run


def test_every_step_gets_the_mean_input() -> None:
    # mean 0.8: u = 0.8, 1.6 fires and leaves 0.6, 1.4 fires
    assert run("lm_ht", [2.4, 0.0, 0.0]) == [0, 1, 1]
    # mean 2.6: fires 2, leaves 0.6; 3.2 fires 2, leaves 1.2
    assert run("lm_ht", [2.6, 2.6]) == [2, 2]


def test_the_gradient_goes_by_the_mixture_alone() -> None:
    # ∂s[0]/∂x[t] = 1/T also for the later input; u = 0.8 is within ½ and 2½
    assert gradient("lm_ht", [1.6, 0.0], 0) == pytest.approx([0.5, 0.5])


def test_keep_and_mixture() -> None:
    layer = neurons.layer("lm_ht", 1, 2, "reference").double()
    layer.keep.data.fill_(-100.0)  # σ → 0: half of the potential is kept
    own = torch.tensor([[100.0, -100.0], [-100.0, 100.0]], dtype=torch.float64)
    layer.mixture.data = own  # each step gets its own input
    # u = 2·0.8/2 = 0.8; 0.4 + 0.9 = 1.3 fires
    x = torch.tensor([0.8, 0.9], dtype=torch.float64).reshape(2, 1, 1)
    assert layer(x).flatten().tolist() == [0, 1]
