"""Masked PSN by hand: which inputs an output sees."""

import torch

import neurons


def reach(**settings: float) -> torch.Tensor:
    made = neurons.layer("masked_psn", 1, 6, "reference", "published", order=3, **settings).double()
    return torch.func.jacrev(made)(torch.zeros(6, 1, 1, dtype=torch.float64)).reshape(6, 6)


def test_the_last_three_inputs_alone() -> None:
    seen = reach() != 0
    assert torch.equal(seen, torch.ones(6, 6).tril().triu(-2).bool())


def test_blended_it_sees_all() -> None:
    assert bool((reach(blend=0.5) != 0).all())
