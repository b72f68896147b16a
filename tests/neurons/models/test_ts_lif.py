"""TS-LIF by hand, with the code's first constants and output weights 2 (short) and 3 (long)."""

import pytest

import neurons
from tests.neurons.models.hand import assert_trace, trace

WEIGHTS = {"weigh_short": 2.0, "weigh_long": 3.0}


def test_both_compartments_fire_apart() -> None:
    # d = 0.2·2 = 0.4; u = 0.7·2 − 0.8·0.4 = 1.08 fires short: u = 0.08
    # d = 0.32 + 0.2·4 − 0.008 = 1.112 fires long: d = 0.612; u = 0.024 + 2.8 − 0.8·1.112 = 1.9344 fires too
    # d = 0.4896 + 0.4 − 0.09344 = 0.79616; u = 0.28032 + 1.4 − 0.636928 = 1.043392
    found = trace("ts_lif", [2.0, 4.0, 2.0], WEIGHTS)
    expected = [(2, 0.08, 0.4), (5, 0.9344, 0.612), (2, 0.043392, 0.79616)]
    assert_trace(found, expected, tolerance=1e-6)  # the constants are float32


def test_the_weights_are_drawn_normal() -> None:
    layer = neurons.layer("ts_lif", channels=4000, backend="reference")
    for weight in (layer.weigh_short.detach(), layer.weigh_long.detach()):
        assert float(weight.mean()) == pytest.approx(0, abs=0.06)
        assert float(weight.std()) == pytest.approx(1, abs=0.05)
