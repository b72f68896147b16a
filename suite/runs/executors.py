"""Who runs the cells of a plan: this machine, or a Ray cluster. One interface, chosen by name."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from typing import Protocol

from neurons import InvalidValue, UnknownName
from suite.runs.execute import LocalExecutor
from tasks import Cell

NAMES = ("local", "ray")
RAY_PRINTS_NOTHING = "RAY_DEDUP_LOGS_SKIP_REGEX"
"""The variable that says which lines of a cluster Ray leaves out; read when it is imported. Of a lost node it prints
forty, of which the run tells what counts in one."""


class Executor(Protocol):
    """What runs cells.

    Attributes:
        jobs: how many cells run at a time.
    """

    @property
    def jobs(self) -> int: ...

    def run(self, cells: Sequence[Cell]) -> None:
        """Run all cells; returns when each has been reported, or when it was asked to stop."""


Maker = Callable[..., Executor]
"""Makes an executor of `suite.runs.execute.Orders`."""


def choose(name: str, address: str | None = None) -> Maker:
    """The executor of that name, ready to run.

    Args:
        address: of a Ray cluster; None starts one on this machine, or takes that of the variable RAY_ADDRESS.

    Raises:
        UnknownName, InvalidValue: there is none, or its package is not installed; the message says what would be right.
        RunError: the cluster does not answer.
    """
    if name not in NAMES:
        raise UnknownName("executor", name, NAMES)
    if name == "local":
        if address is not None:
            raise InvalidValue("--address is that of a Ray cluster; add --executor ray, or leave it out")
        return LocalExecutor
    if importlib.util.find_spec("ray") is None:
        raise InvalidValue(
            "--executor ray needs the package ray, which is not installed: pip install 'neuron-suite[ray]'"
        )
    os.environ.setdefault(RAY_PRINTS_NOTHING, "^")
    from suite.runs import ray_executor

    return ray_executor.connect(address)
