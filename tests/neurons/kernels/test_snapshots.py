"""The generated source of the papers' models, so that a change to a printer shows as a readable diff.

`pytest tests/neurons/kernels/test_snapshots.py --update-snapshots` writes them anew.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import neurons
from neurons.kernels.cpu.printer import print_c
from neurons.kernels.gpu.printer import print_triton
from neurons.kernels.trace import Program, program_of

FOLDER = Path(__file__).parent / "snapshots"
PRINTERS: dict[str, Callable[[Program], str]] = {"h": print_c, "py.txt": print_triton}


@pytest.mark.parametrize("suffix", PRINTERS)
@pytest.mark.parametrize("name", ["lif", "plif", "glif", "clif"])
def test_source(name: str, suffix: str, request: pytest.FixtureRequest) -> None:
    text = PRINTERS[suffix](program_of(neurons.get(name)(8)))
    path = FOLDER / f"{name}.{suffix}"
    if request.config.getoption("--update-snapshots"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()
