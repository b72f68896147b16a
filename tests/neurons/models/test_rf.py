"""Resonate-and-fire by hand: dt = 0.1, ω = 10, damping 2: a step multiplies by 1 − 0.2 + i."""

import pytest

import neurons
from tests.neurons.models.hand import assert_trace, run, trace


def test_a_damped_turn() -> None:
    # 1.5 fires and stays: 1.5·(0.8 + i) = 1.2 + 1.5i fires; (1.2 + 1.5i)·(0.8 + i) = 0.96 − 1.5 + (1.2 + 1.2)i
    found = trace("rf", [1.5, 0.0, 0.0], {"omega": 10.0, "damping": 2.0}, dt=0.1)
    assert_trace(found, [(1, 1.5, 0), (1, 1.2, 1.5), (0, -0.54, 2.4)])


def test_published_scales_its_input_by_dt() -> None:
    assert trace("rf", [150.0], {"omega": 7.0}, protocol="published")[0] == pytest.approx((1, 1.5, 0))


def test_it_resonates_at_its_own_frequency() -> None:
    """Pulses once a turn drive it to fire, pulses of the same size twice as often do not."""
    turn = 63  # 2π/(ω·dt) for ω = 10, dt = 0.01
    own = [0.4 if t % turn == 0 else 0.0 for t in range(4 * turn)]
    twice = [0.4 if t % (turn // 2) == 0 else 0.0 for t in range(4 * turn)]
    settings = {"omega": 10.0, "damping": 0.8}
    assert sum(run("rf", own, **settings)) > 0
    assert sum(run("rf", twice, **settings)) == 0


def test_the_draws_are_those_of_the_code() -> None:
    layer = neurons.layer("rf", channels=2000, backend="reference")
    assert 5 <= float(layer.omega.min()) < 5.1
    assert 2.9 < float(layer.damping.max()) <= 3
