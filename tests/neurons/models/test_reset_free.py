"""Reset-free LIF by hand, tau = 2."""

from tests.neurons.models.hand import assert_trace, gradient, trace


def test_nothing_is_taken_away() -> None:
    # u: 1.2 fires and stays; 0.6 + 0.5 = 1.1 fires again; 0.55 + 0.4 = 0.95
    assert_trace(trace("reset_free", [1.2, 0.5, 0.4]), [(1, 1.2), (1, 1.1), (0, 0.95)])


def test_the_gradient_is_the_leak_alone() -> None:
    # u[2] = 0.95 is within ½ of the threshold: ∂s[2]/∂x[t] = γ to the lag
    assert gradient("reset_free", [1.2, 0.5, 0.4], 2) == [0.25, 0.5, 1]
