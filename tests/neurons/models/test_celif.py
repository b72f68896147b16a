"""CE-LIF by hand: context 0.5 in every step, threshold decay 0.02, tau = 2."""

from tests.neurons.models.hand import assert_trace, trace


def test_the_potential_moves_the_threshold() -> None:
    # u = 1.1 fires (r = 0)
    # r = 1.1·0.5 = 0.55, from the potential before its reset; u = ½·0.1 + 1.4 = 1.45 < 1.55
    # r = 0.55 + 0.725 − 0.011 = 1.264; u = 0.725 + 1.6 = 2.325 ≥ 2.264 fires
    found = trace("celif", [1.1, 1.4, 1.6], {"context": 0.5})
    assert_trace(found, [(1, 1.1, 1, 0), (0, 1.45, 0, 0.55), (1, 2.325, 1, 1.264)])


def test_published_resets_hard() -> None:
    # v_th 0.3, decay 0.2: u = 0.5 fires; r = 0.25; u = 0 + 0.4 < 0.55
    found = trace("celif", [0.5, 0.4], {"context": 0.5}, protocol="published")
    assert_trace(found, [(1, 0.5, 1, 0), (0, 0.4, 0, 0.25)])
