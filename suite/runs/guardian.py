"""A small process that outlives a run and ends what the run started, however the run ended.

It is started as a script with the run's mark, and waits on its standard input, whose other end the run alone holds:
the input ends when the run does, by kill -9 as well. Every process with the mark in its environment is then killed.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator

import psutil

VARIABLE = "NEURON_SUITE_RUN"
"""The variable in whose value a process carries the mark of the run that started it."""
ROUNDS, PAUSE = 20, 0.05
"""Killing is repeated until a round finds nothing: a process may have started another meanwhile."""


def marked(mark: str) -> Iterator[psutil.Process]:
    """The processes that carry a mark, without the caller."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(VARIABLE) == mark:
                yield process


def kill(processes: Iterator[psutil.Process]) -> int:
    """Kill processes; how many there were."""
    count = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
            count += 1
    return count


def main(mark: str) -> None:
    while os.read(0, 4096):
        pass
    for _ in range(ROUNDS):
        if not kill(marked(mark)):
            return
        time.sleep(PAUSE)


if __name__ == "__main__":
    main(sys.argv[1])
