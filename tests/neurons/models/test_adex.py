"""AdEx by hand: tau = 2, tau_synapse = 5, Δ = ½, coupling 4, tau_adaptation = 500."""

import math

import pytest

from tests.neurons.models.hand import assert_trace, trace


def test_current_potential_and_adaptation() -> None:
    # i = 0.8; u = (½·exp(−2) − 0 + 0.8 − 0)/2 = 0.4338338208; a = 0; i = 0.64
    # i = 2.64; u = 0.4338… + (½·exp((0.4338… − 1)/½) − 0.4338… + 2.64)/2 fires; a = 4·0.4338…/500 + 0.02
    first = (0.5 * math.exp(-2) + 0.8) / 2
    assert first == pytest.approx(0.4338338208)
    found = trace("adex", [0.8, 2.0])
    assert_trace(found, [(0, first, 0.64, 0), (1, 0, 2.112, 4 * first / 500 + 0.02)])
