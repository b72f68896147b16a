"""The usual delay follows from its rule, by trainings of LIF."""

from __future__ import annotations

from dataclasses import replace
from statistics import mean

import pytest

from suite.runs import plan
from tasks import data, get
from tasks.data.delayed_recall import CLASSES

SEEDS = 3
MIDPOINT = (100 / CLASSES + 100) / 2


def of_lif(delay: int) -> float:
    """Mean test accuracy (percent) of LIF as it is, after the quick budget."""
    request = plan.Request("quick", ["accuracy"], ["lif"], datasets=["delayed_recall"], seeds=SEEDS)
    cells = [replace(cell, settings={**cell.settings, "delay": delay}) for cell in plan.make(request)]
    assert len(cells) == SEEDS
    values = [value for cell in cells for value in get("accuracy").run(cell) if value.metric == "accuracy_selected"]
    return mean(value.value for value in values)


@pytest.mark.slow
def test_the_usual_delay_is_the_shortest_power_of_two_that_lif_does_not_recall_halfway() -> None:
    usual = data.SOURCES["delayed_recall"].usual
    assert usual & (usual - 1) == 0
    assert of_lif(usual) < MIDPOINT < of_lif(usual // 2)
