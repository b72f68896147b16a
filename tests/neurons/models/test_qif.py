"""QIF by hand: tau = 2, v_critical = 0.8, a0 = 1."""

from tests.neurons.models.hand import assert_trace, trace


def test_below_and_above_the_critical_potential() -> None:
    # u = 1/2 = 0.5; u = 0.5 + (0 + 0.5·(−0.3))/2 = 0.425: it falls back
    # u = 0.425 + (1.2 + 0.425·(−0.375))/2 = 0.9453125; without input 0.9453125·0.1453125/2 lifts it further
    expected = [(0, 0.5), (0, 0.425), (0, 0.9453125), (0, 0.9453125 * (1 + 0.1453125 / 2))]
    expected += [(1, 0.0)]  # 1.01399… + …: fires and is reset to v_reset = 0
    u = expected[3][1]
    assert u + u * (u - 0.8) / 2 < 1.2
    found = trace("qif", [1.0, 0.0, 1.2, 0.0, 0.0], v_th=1.1)
    assert_trace(found, expected)


def test_published_resets_below_zero() -> None:
    assert_trace(trace("qif", [2.5], protocol="published"), [(1, -0.1)])
