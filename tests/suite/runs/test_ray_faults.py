"""Whatever a run on a Ray cluster loses, each row is there once: faults of docs/faults.md, brought about.

One of each kind; `python -m tests.faults` brings about the others too, each takes a minute.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("ray")

from tests.faults import cluster

CODES = {"ray-worker": 0, "ray-nodes": 0, "ray-driver": 0, "ray-full": 1}
"""The faults, and how their runs end."""
LOSSES = ("ray-worker", "ray-nodes")


@pytest.mark.slow
@pytest.mark.parametrize("name", CODES)
def test_nothing_is_lost_and_nothing_doubled(name: str, tmp_path: Path) -> None:
    (fault,) = [known for known in cluster.FAULTS if known.name == name]
    if name == "ray-full" and os.geteuid() != 0:
        pytest.skip("a small disk is mounted by root alone")
    outcome = fault.bring_about(tmp_path)
    assert not outcome.faulty, outcome
    assert outcome.code == CODES[name], outcome
    told = [line for line in outcome.said if line.endswith("lost with a node or worker: run again")]
    assert bool(told) == (name in LOSSES)
    assert not [line for line in outcome.said if "raylet" in line], "Ray's own dump of a lost node"
