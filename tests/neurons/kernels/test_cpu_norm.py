"""Mean, variance and the gradient's correction in C, against torch in float64."""

from __future__ import annotations

import pytest
import torch

from neurons.kernels.cpu import norm

SHAPES = [
    (1, 1, 1),
    (1, 2, 3),
    (3, 5, 7),
    (2, 3, 4, 5, 3),
    (2, 2, 3, 5),  # channels between the vectors of some processors and of others
    (2, 2, 3, 12),
    (2, 2, 3, 16),
    (2, 3, 2, 65),
    (40, 31, 5),  # more rows than one piece of work
    (1, 2, 2, 3000),  # more columns than one
    (8, 64, 65, 2),  # several threads
]
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 1e-5}
DTYPES = list(TOLERANCE)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_moments(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape).to(dtype)
    own = x.double().reshape(*shape[:3], -1)
    mean, variance = norm.moments(x)
    assert torch.allclose(mean, own.mean((0, 1, 3)), atol=TOLERANCE[dtype], rtol=0)
    assert torch.allclose(variance, own.var((0, 1, 3), correction=0), atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


@pytest.mark.parametrize("level", [0.0, 1e4, -3e5])
def test_a_mean_far_from_zero_costs_no_digits(level: float) -> None:
    x = (level + torch.randn(6, 50, 4, 9, generator=torch.Generator().manual_seed(1))).contiguous()
    right = x.double().var((0, 1, 3), correction=0)
    assert torch.allclose(norm.moments(x)[1], right, rtol=1e-5)


def test_a_first_value_far_from_the_others_costs_no_digits() -> None:
    x = torch.randn(6, 50, 4, 9, generator=torch.Generator().manual_seed(1))
    x[0, 0] = 1e3
    right = x.double().var((0, 1, 3), correction=0)
    assert torch.allclose(norm.moments(x)[1], right, rtol=1e-5)


def test_the_same_with_any_number_of_threads() -> None:
    x = torch.randn(8, 700, 65, generator=torch.Generator().manual_seed(1))
    threads = torch.get_num_threads()
    try:
        found = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(torch.stack(norm.moments(x)))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_stays_in_its_channel(value: float) -> None:
    x = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(1))
    x[1, 2, 1, 3] = value
    mean, variance = norm.moments(x)
    assert variance.isfinite().tolist() == [True, False, True]
    assert mean.isfinite().tolist() == [True, False, True]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_correct(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x, grad = torch.randn(shape).to(dtype), torch.randn(shape).to(dtype)
    slope, offset = torch.randn(shape[2]), torch.randn(shape[2])
    by_channel = (-1, *[1] * (len(shape) - 3))
    right = grad.double() + slope.double().reshape(by_channel) * x.double() + offset.double().reshape(by_channel)
    norm.correct(grad, x, slope, offset)
    rounding = 8e-3 if dtype == torch.bfloat16 else TOLERANCE[dtype]
    assert torch.allclose(grad.double(), right, atol=rounding, rtol=rounding)


def test_what_is_not_plain_memory_is_left_to_torch() -> None:
    assert norm.takes(torch.zeros(2, 3, 4))
    assert not norm.takes(torch.zeros(2, 3, 4, dtype=torch.float16))
    assert not norm.takes(torch.zeros(2, 0, 4))
    assert not norm.takes(torch.zeros(2, 3, 4, device="meta"))
