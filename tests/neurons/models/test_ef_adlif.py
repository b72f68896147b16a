"""EF-adLIF by hand, with the constants of test_se_adlif: the adaptation lags one step behind SE-adLIF's."""

import math

from tests.neurons.models.hand import assert_trace, trace

HALF = 1 / math.log(2)


def test_adaptation_from_the_old_potential() -> None:
    # u = 0.8; w = ½·2·0 = 0
    # u = 0.4 + 1 − 0 = 1.4 fires; w = 0 + 0.5·0.8 = 0.4
    # before = 0; u = 0 + 0.9 − ½·0.4 = 0.7; w = 0.2 + (0.5·0 + 1) = 1.2
    taus = {"tau_u_least": HALF, "tau_u_most": HALF, "tau_w_least": HALF, "tau_w_most": HALF}
    found = trace("ef_adlif", [0.8, 1.0, 0.9], {"a": 0.5, "b": 1.0}, q=2.0, **taus)
    assert_trace(found, [(0, 0.8, 0, 0), (1, 1.4, 0.4, 1), (0, 0.7, 1.2, 0)])
