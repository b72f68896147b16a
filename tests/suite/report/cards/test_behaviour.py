"""What cards draw, with numbers worked out by hand, and the charts that draw it."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest

from suite.report.cards import chart
from suite.report.cards.behaviour import LAG_STEPS, behaviour
from suite.report.cards.chart import Scale, Series
from suite.report.cards.figures import lags, rate, response, surrogate, thumbnail


def test_if_by_hand() -> None:
    found = behaviour("if")
    step, ramp, poisson = found.responses
    # 0.8 a step for 60 steps is 48 thresholds, the first reached in the second step
    assert sum(step.values["output"]) == 48
    assert step.values["output"].index(1.0) == 21
    # up to an input of 1, 49 steps of 2/99 more each are 24 thresholds; from then on it fires in each of 50 steps
    assert sum(ramp.values["output"]) == 24 + 50
    assert poisson.values["u"][-1] == pytest.approx(sum(poisson.input) - sum(poisson.values["output"]), abs=1e-4)
    for x, y in zip(found.rate.x, found.rate.y, strict=True):
        assert y == pytest.approx(min(x, 1), abs=0.02), "an IF fires as often as its input says"


def test_lif_by_hand() -> None:
    found = behaviour("lif")
    # the rectangle of width 1 around the threshold of 1
    inside = [x for x, y in zip(found.slope.x, found.slope.y, strict=True) if y]
    assert (inside[0], inside[-1]) == (pytest.approx(0.5, abs=0.01), pytest.approx(1.5, abs=0.01))
    assert {y for y in found.slope.y if y} == {1.0}
    assert found.lags.y[0] == 1
    assert found.lags.y[1] < 0.5, "at most the decay of one step"
    assert 1 <= (found.reach or 0) < 8
    assert sum(found.responses[0].values["output"]) > 0


def test_outputs_that_depend_on_later_inputs_have_lags_before_0() -> None:
    found = behaviour("psn")
    assert (found.lags.x[0], found.lags.x[-1]) == (1 - LAG_STEPS, LAG_STEPS - 1)
    assert found.lags.y[LAG_STEPS - 1] == 1
    assert behaviour("masked_psn").reach == 3, "it sees four inputs"
    assert behaviour("relu").reach == 0


def test_the_same_each_time() -> None:
    assert behaviour("glif") == behaviour("glif")


def test_findings() -> None:
    lif, relu, alpha = behaviour("lif"), behaviour("relu"), behaviour("alpha")
    assert response(behaviour("if").responses[0], "red").finding == "It fires 48 times, first at step 21."
    assert response(behaviour("psn").responses[0], "red").finding == "It stays silent."
    assert rate(relu, lif, "relu", "red").finding == "Active from an input of 0.05 on; mean output 1 at an input of 1."
    assert surrogate(relu, "none", "red").finding == "A gradient passes from 0 on."
    assert surrogate(lif, "rectangle", "red").finding == "A gradient passes between 0.5 and 1.5."
    assert "no gradient at its own step" in lags(alpha, lif, "alpha", "red").finding
    assert "up to lag 3." in lags(lif, None, "lif", "red").finding
    assert lags(relu, lif, "relu", "red").svg.count("h6l-3 6z") == LAG_STEPS - 1, "a mark for each exact 0"


def test_a_scale_and_its_ticks() -> None:
    scale = Scale.of([0.0, 1.0], 0, 108)
    assert [scale(0.0), scale(1.0)] == [pytest.approx(4), pytest.approx(104)]
    assert scale.ticks(5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    log = Scale.of([1e-4, 1.0, 0.0, math.nan], 0, 100, log=True)
    assert log.ticks(3)[0] == 1
    assert log(0.01) == pytest.approx(50, abs=1), "halfway from 1e−4 to 1"
    assert Scale.of([2.0, 5.0], 0, 100, log=True).ticks(3) == pytest.approx([2 / 1.5, 7.5])
    for values in ([], [math.nan], [3.0, 3.0], [0.0], [1e9]):
        assert Scale.of(values, 0, 10).ticks(3), values


def test_lines_have_gaps_and_no_points_that_nobody_sees() -> None:
    drawn = chart.panel([Series([0, 1, 2, 3, 4, 5], [0, 1, 2, math.nan, 1, 0], "red")], "x", "y", "a chart")
    path = next(own for own in ET.fromstring(drawn).iter("path") if own.get("stroke") == "red").get("d", "")
    assert path.count("M") == 2, "a gap where a value is none"
    assert path.count("L") == 2, "the middle of a straight line is left out"
    held = chart.panel([Series([0, 1, 2, 3], [0, 0, 1, 1], "red", "steps")], "x", "y", "a chart")
    steps = next(own for own in ET.fromstring(held).iter("path") if own.get("stroke") == "red").get("d", "")
    assert (steps.count("H"), steps.count("V")) == (2, 1)


def test_charts_say_what_they_show() -> None:
    found = behaviour("clif").responses[2]
    drawn = ET.fromstring(response(found, "red").svg)
    assert drawn.get("role") == "img"
    assert "It fires" in drawn.get("aria-label", "")
    assert {own.text for own in drawn.iter("text")} >= {"input", "u", "m", "output", "time step"}
    assert ET.fromstring(thumbnail(found, "red")).get("aria-hidden") == "true"
