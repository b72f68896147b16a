"""TC-LIF by hand: both couplings σ(0) = ½, dendrite reset ½."""

from tests.neurons.models.hand import assert_trace, trace


def test_dendrite_and_soma() -> None:
    # d = 1.2, u = 0.6
    # d = 1.2 − 0.3 + 0.3 = 1.2, u = 0.6 + 0.6 = 1.2 fires: u = 0.2, d = 0.7
    # d = 0.7 − 0.1 + 0 = 0.6, u = 0.2 + 0.3 = 0.5
    assert_trace(trace("tc_lif", [1.2, 0.3, 0.0]), [(0, 0.6, 1.2), (1, 0.2, 0.7), (0, 0.5, 0.6)])
