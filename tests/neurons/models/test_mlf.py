"""MLF by hand: thresholds 1, 2, 3 and tau = 2; published 0.6, 1.6, 2.6 and decay ¼."""

from tests.neurons.models.hand import assert_trace, gradient, trace


def test_levels_by_hand() -> None:
    # x = 2.4: two fire, leaving 1.4 and 0.4, the third keeps 2.4
    # x = 1.9: 0.7 + 1.9 = 2.6 fires, leaves 1.6; 0.2 + 1.9 = 2.1 fires, leaves 0.1; 1.2 + 1.9 = 3.1 fires, leaves 0.1
    assert_trace(trace("mlf", [2.4, 1.9]), [(2, 1.4, 0.4, 2.4), (3, 1.6, 0.1, 0.1)])


def test_published() -> None:
    # x = 1.8: two fire and are 0; the third keeps 1.8; 0.45 + 0.3 stays below all but 0.6 of the first: 0.3
    found = trace("mlf", [1.8, 0.3], protocol="published")
    assert_trace(found, [(2, 0, 0, 1.8), (0, 0.3, 0.3, 0.75)])


def test_levels_widen_the_gradient() -> None:
    # 1.4 is within ½ of the first threshold, 1.6 of the second, 4 of none
    assert [gradient("mlf", [x], 0) for x in (1.4, 1.6, 4.0)] == [[1], [1], [0]]
