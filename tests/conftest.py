"""Shared by all tests.

Tests run in random order: pytest-randomly prints its seed first, and `--randomly-seed=N` repeats that order. So each
begins from the same state: torch's generator, and what is registered. `nox -s tests` runs them in two processes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import neurons
from neurons import registry
from tasks import TASKS, data, networks

REPOSITORY = Path(__file__).resolve().parent.parent

Suite = Callable[..., "subprocess.CompletedProcess[str]"]


REGISTRIES: list[dict[str, Any]] = [
    registry._models,
    registry._packages,
    TASKS,
    data.SOURCES,
    data._families.files,
    networks.ARCHITECTURES,
    networks._families.files,
]
"""What a file of a user may add to."""

MAY_BE_MISSING = ("no AVX2 here", "there is a GPU", "compiles for x86-64", "the same as controlled")
"""Reasons to skip that lie in the machine. Any other is a tool that CI should have installed."""


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


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same numbers in every run and in every order."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def nothing_stays_registered() -> Iterator[None]:
    """Takes back what a test registers, and the modules of the files that it loaded."""
    neurons.names()  # found once for the whole process: not by this test
    before = [dict(known) for known in REGISTRIES]
    modules = set(sys.modules)
    yield
    for known, content in zip(REGISTRIES, before, strict=True):
        known.clear()
        known.update(content)
    for name in set(sys.modules) - modules:
        if "_file_" in name:
            del sys.modules[name]


@pytest.fixture
def two_threads() -> Iterator[int]:
    """Kernels run on two threads, on any machine and whatever OMP_NUM_THREADS says."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield 2
    torch.set_num_threads(before)


def refused_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """A test that CI skips because a tool is missing fails there: it would be missed by nobody."""
    if "CI" in os.environ and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(allowed in reason for allowed in MAY_BE_MISSING):
            report.outcome = "failed"
            report.longrepr = f"skipped in CI, where .ci/run installs what tests need: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    refused_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Any:
    report = yield
    refused_skip(report)
    return report
