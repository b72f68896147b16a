"""Shared by all tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

Suite = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshots", action="store_true", help="write the snapshots of generated source anew")


@pytest.fixture
def suite() -> Suite:
    """Runs `python -m suite ARGUMENTS` as a user would."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "suite", *map(str, arguments)]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=600)

    return run


@pytest.fixture
def neuron_file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a Python file with a neuron class and returns its path."""

    def write(body: str) -> Path:
        path = tmp_path / f"neuron_{len(list(tmp_path.glob('neuron_*.py')))}.py"
        path.write_text("import torch\nfrom neurons import Learnable, Neuron, register\n\n" + body)
        return path

    return write
