"""C-SiLIF by hand: a quarter turn that halves, gain 0.6."""

import math

from tests.neurons.models.hand import assert_trace, trace


def test_a_quarter_turn_a_step() -> None:
    # dt = 1, ω = π/2, damping ln 2: λ = i/2. u = 0.6: 2·0.6 ≥ 1 fires
    # λ·(0.6 − 0.5) = 0.05i; λ·0.05i = −0.025, plus 0.6·1 = 0.575: fires
    given = {"log_dt": 0.0, "omega": math.pi / 2, "log_damping": math.log(math.log(2)), "gain": 0.6}
    found = trace("c_silif", [1.0, 0.0, 1.0], given)
    assert_trace(found, [(1, 0.6, 0, 1), (0, 0, 0.05, 0), (1, 0.575, 0, 1)])
