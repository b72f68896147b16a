"""Whatever a run on a Ray cluster loses, each row is there once: the faults of docs/faults.md, brought about."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("ray")

from tests.faults import cluster
from tests.faults.run import Fault

CODES = {"ray-ctrl-c": 130, "ray-full": 1}
"""How runs end that are not to end with all cells measured."""
LOSSES = ("ray-worker", "ray-node", "ray-nodes")


@pytest.mark.slow
@pytest.mark.parametrize("fault", cluster.FAULTS, ids=lambda fault: fault.name)
def test_nothing_is_lost_and_nothing_doubled(fault: Fault, tmp_path: Path) -> None:
    if fault.name in ("ray-full", "ray-enlarged") and os.geteuid() != 0:
        pytest.skip("a small disk is mounted by root alone")
    outcome = fault.bring_about(tmp_path)
    assert not outcome.faulty, outcome
    assert outcome.code == CODES.get(fault.name, 0), outcome
    told = [line for line in outcome.said if line.endswith("lost with a node or worker: run again")]
    assert bool(told) == (fault.name in LOSSES)
    assert not [line for line in outcome.said if "raylet" in line], "Ray's own dump of a lost node"
