"""ILIF by hand, tau = 2."""

import pytest

from tests.neurons.models.hand import assert_trace, gradient, sigmoid, trace


def test_spikes_inhibit_the_potential_at_once_and_the_current_of_the_next_step() -> None:
    # x = 1.4: fires, u = 0.4, m = 0.4, i = 0.03·1.4 = 0.042
    # x = 1.5: u = (0.4 − σ(0.4))/2 + 1.5 − 0.042 fires, leaves u₂; m = 0.4 + u₂; i = 0.03·(0.042 + 1.5) = 0.04626
    # x = −2: no spike: m stays, i = 0.03·0.04626
    u1 = 0.4 - sigmoid(0.4)
    left = u1 / 2 + 1.5 - 0.042 - 1
    u2 = left - sigmoid(0.4 + left)
    assert_trace(
        trace("inhibitory_lif", [1.4, 1.5, -2.0]),
        [
            (1, u1, 0.4, 0.042),
            (1, u2, 0.4 + left, 0.04626),
            (0, u2 / 2 - 2 - 0.04626, 0.4 + left, 0.03 * 0.04626),
        ],
    )


def test_an_inhibitory_current_never_excites() -> None:
    # with v_th = −1 an input of −0.5 fires: i = −0.5 is clipped, and the next potential is LIF's, u₁/2 − 3
    first, second = trace("inhibitory_lif", [-0.5, -3.0], v_th=-1.0, share=1.0)
    assert first[0] == 1
    assert first[3] == pytest.approx(-0.5)
    assert second[:2] == pytest.approx((0, first[1] / 2 - 3.0))


def test_gradients_pass_where_nothing_inhibits_yet() -> None:
    # x = 0.9 does not fire; s' = 1 there. By x: u − s changes by 1 − 1 = 0, m = s·u by 0.9, s·σ(m) by σ(0) = ½ and
    # i = 0.03·x·s by 0.027, so the next potential, 1.35 with s' = 1 again, by ½·(−½) − 0.027
    assert gradient("inhibitory_lif", [0.9, 0.9], at=1) == pytest.approx([-0.25 - 0.027, 1.0])
