"""The option of the micro-benchmarks: `nox -s microbench -- --device cuda`."""

from __future__ import annotations

import pytest

from neurons import InvalidValue
from tasks.measuring import devices


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="where neurons are timed: auto, cpu, cuda or cuda:N")


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> str:
    """The device that was asked for."""
    try:
        return devices.resolve(request.config.getoption("--device"))
    except InvalidValue as error:
        pytest.exit(str(error), returncode=2)
