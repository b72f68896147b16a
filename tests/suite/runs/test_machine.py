"""How the machine of a run is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.runs import machine

GENERIC = """processor\t: 0
cpu family\t: {family}
model\t\t: {model}
model name\t: AMD EPYC

processor\t: 1
cpu family\t: 0
model name\t: another
"""


def test_two_generations_of_one_name_are_two_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of both would else be averaged as one machine's: virtual machines tell but the maker's name."""
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(machine, "CPUINFO", info)
    told = []
    for numbers in ({"family": 25, "model": 1}, {"family": 25, "model": 17}):
        info.write_text(GENERIC.format(**numbers))
        told.append(machine._cpu_model())
    assert told == ["AMD EPYC (family 25, model 1)", "AMD EPYC (family 25, model 17)"]
    info.write_text("model name\t: Cortex\n")
    assert machine._cpu_model() == "Cortex"
