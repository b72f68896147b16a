"""Izhikevich's neuron by hand, and its firing patterns."""

from itertools import pairwise

import pytest

from tests.neurons.models.hand import assert_trace, run, trace


def test_recovery_by_hand() -> None:
    # tau = 2, a = 0.2, b = 0.1, tau_w = 10. u = 0.5; w = 0.2·0.5/10 = 0.01
    # u = 0.5 + (2 − 0.15 − 0.01)/2 = 1.42 fires, is 0; w = 0.01 + (0.284 − 0.01)/10 + 0.1 = 0.1374
    assert_trace(trace("izhikevich", [1.0, 2.0]), [(0, 0.5, 0.01), (1, 0, 0.1374)])


def intervals(**constants: float) -> list[int]:
    spikes = [t for t, spike in enumerate(run("izhikevich", [0.6] * 200, **constants)) if spike]
    return [later - earlier for earlier, later in pairwise(spikes)]


def test_without_recovery_it_fires_regularly_as_a_qif() -> None:
    assert len(set(intervals(a=0.0, b=0.0))) == 1
    assert run("izhikevich", [0.6] * 200, a=0.0, b=0.0) == run("qif", [0.6] * 200)


def test_recovery_makes_the_intervals_grow() -> None:
    """Spike-frequency adaptation, the regular spiking cell of the 2003 paper."""
    found = intervals()
    assert found == pytest.approx(sorted(found), abs=1)
    assert found[-1] > 1.3 * found[0]
