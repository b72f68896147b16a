"""The delta neuron by hand, tau = 2."""

from tests.neurons.models.hand import assert_trace, trace


def test_it_fires_when_the_potential_jumps_either_way() -> None:
    # u: 0 → 1.5, a jump of 1.5; 0.75 + 1 = 1.75, of 0.25; 0.875 − 1 = −0.125, of −1.875
    assert_trace(trace("delta_leaky", [1.5, 1.0, -1.0]), [(1, 1.5), (0, 1.75), (1, -0.125)])
