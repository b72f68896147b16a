"""Saved bytes are exact, and the peak sees what a function allocates."""

from __future__ import annotations

import torch

from tasks.memory import peak_bytes, saved_bytes


def test_saved_bytes_counts_each_storage_once() -> None:
    x = torch.rand(1000, requires_grad=True)
    assert saved_bytes(lambda: x * 2) == 0
    assert saved_bytes(lambda: x * x) == 4000
    assert saved_bytes(lambda: torch.sigmoid(x) * x) == 8000
    assert saved_bytes(lambda: x[:10] * x[10:20]) == 4000


def test_parameters_are_left_out() -> None:
    weight = torch.rand(1000, requires_grad=True)
    x = torch.rand(1000, requires_grad=True)
    assert saved_bytes(lambda: x * weight, [weight]) == 4000


def test_peak_sees_a_passing_allocation() -> None:
    def work() -> None:
        torch.ones(25_000_000).sum()

    peak = peak_bytes(work, torch.device("cpu"))
    assert 98_000_000 <= peak < 130_000_000  # the kernel counts resident pages in batches
