"""Current-based LIF by hand: decays ½ of the current and, tau = 2, of the potential."""

from tests.neurons.models.hand import assert_trace, trace


def test_the_input_arrives_over_time() -> None:
    # i: 0.8, 0.4, 0.2; u: 0.8; 0.4 + 0.4 = 0.8; 0.4 + 0.2 = 0.6
    assert_trace(trace("synaptic", [0.8, 0, 0]), [(0, 0.8, 0.8), (0, 0.8, 0.4), (0, 0.6, 0.2)])


def test_published_resets_the_potential_and_not_the_current() -> None:
    # u = 0.6 ≥ 0.5 fires and is 0; i = 0.3 + 0.1 = 0.4, u = 0.4; u = 0.3 + 0.2 = 0.5 fires
    found = trace("synaptic", [0.6, 0.1, 0.0], protocol="published")
    assert_trace(found, [(1, 0, 0.6), (0, 0.4, 0.4), (1, 0, 0.2)])
