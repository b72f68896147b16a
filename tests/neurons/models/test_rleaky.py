"""RLeaky by hand, tau = 2: feedback 0.5 of the own last spike, which is subtracted a step later."""

from tests.neurons.models.hand import assert_trace, trace


def test_feedback_and_late_reset() -> None:
    # u: 1.2 fires; 0.6 + 0.3 + 0.5 − 1 = 0.4; 0.2 + 0.9 = 1.1 fires; 0.55 + 0.5 − 1 = 0.05
    found = trace("rleaky", [1.2, 0.3, 0.9, 0.0], {"feedback": 0.5})
    assert_trace(found, [(1, 1.2, 1), (0, 0.4, 0), (1, 1.1, 1), (0, 0.05, 0)])
