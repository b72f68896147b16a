"""Precision, memory format and compilation change how a network computes, on a CPU too, and nothing of what it is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tasks
from neurons import BackendUnavailable
from tasks import Cell
from tasks.training.arithmetic import Arithmetic

CPU = torch.device("cpu")
TINY = {"dataset": "digits", "width": 16, "epochs": 1, "train_samples": 200, "timesteps": 3}


def losses(backend: str = "cpu", **settings: Any) -> list[float]:
    """Training loss of a tiny cell by epoch."""
    task = tasks.get("accuracy")
    cell = Cell("accuracy", "lif", backend, 0, {**task.settings, **TINY, **settings})
    return [value.value for value in task.run(cell) if value.metric == "train_loss"]


class Seen(nn.Module):
    """A convolution that keeps what its input and output were."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.kept: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.kept = [x, self.convolution(x)]
        return self.kept[1]


@pytest.mark.parametrize(
    ("precision", "dtype"), [("float32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_products_are_computed_in_the_precision(precision: str, dtype: torch.dtype) -> None:
    seen, arithmetic = Seen(), Arithmetic(CPU, precision=precision)
    with arithmetic.autocast():
        seen(torch.randn(2, 3, 5, 5))
    assert seen.kept[1].dtype == dtype
    assert seen.convolution.weight.dtype == torch.float32


def test_fp16_alone_is_scaled() -> None:
    scalers = [Arithmetic(CPU, precision=precision).scaler() for precision in ("float32", "bf16", "fp16")]
    assert scalers[:2] == [None, None]
    assert scalers[2] is not None
    assert scalers[2].is_enabled()


@pytest.mark.parametrize(("memory_format", "last"), [("contiguous", False), ("channels_last", True)])
def test_weights_and_images_lie_in_the_format(memory_format: str, last: bool) -> None:
    arithmetic = Arithmetic(CPU, memory_format=memory_format)
    seen = arithmetic.placed(Seen())
    x = arithmetic.in_format(torch.randn(2, 3, 5, 5))
    seen(x)
    for tensor in (x, seen.convolution.weight, seen.kept[1]):
        assert tensor.is_contiguous(memory_format=torch.channels_last) == last
    flat = torch.randn(2, 7)
    assert arithmetic.in_format(flat) is flat


def test_sixteen_bits_train_to_other_losses_of_about_the_same_size() -> None:
    whole, half = losses(), losses(precision="bf16")
    assert whole != half
    assert half == pytest.approx(whole, rel=0.1)


def test_fp16_is_for_backends_that_take_it() -> None:
    with pytest.raises(
        BackendUnavailable, match=r"the cpu backend takes float32, float64 and bfloat16, not torch\.float16"
    ):
        losses(precision="fp16")
    assert losses("reference", precision="fp16") == pytest.approx(losses("reference"), rel=0.1)


@pytest.mark.parametrize("settings", [{"memory_format": "channels_last"}], ids=str)
def test_what_rounds_alike_trains_alike(settings: dict[str, str]) -> None:
    assert losses(**settings) == pytest.approx(losses(), rel=1e-4)


@pytest.mark.slow
def test_a_compiled_network_trains_to_the_same_losses() -> None:
    assert losses(compile="on") == pytest.approx(losses(), rel=1e-3)
