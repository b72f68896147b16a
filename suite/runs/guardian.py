"""A small process that outlives a run and ends what the run started, however the run ended.

It is started as a script with the run's mark, and waits on its standard input, whose other end the run alone holds:
the input ends when the run does, by kill -9 as well. Every process with the mark in its environment is then killed.
Processes are read from /proc; only where a system has none (macOS) is psutil asked.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator

VARIABLE = "NEURON_SUITE_RUN"
"""The variable in whose value a process carries the mark of the run that started it."""
ROUNDS, PAUSE = 20, 0.05
"""Killing is repeated until a round finds nothing: a process may have started another meanwhile."""

if os.path.isdir("/proc/self"):

    def ids() -> list[int]:
        """All processes that are there at this moment."""
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]

    def parent(process: int) -> int | None:
        """Who started it; None if it is gone."""
        with contextlib.suppress(OSError), open(f"/proc/{process}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])  # its name, in brackets, may hold any of them
        return None

    def _mark_of(process: int) -> str | None:
        with contextlib.suppress(OSError), open(f"/proc/{process}/environ", "rb") as file:
            entries = (entry.partition(b"=") for entry in file.read().split(b"\0"))
            return next((value.decode() for name, _, value in entries if name == VARIABLE.encode()), None)
        return None

else:
    import psutil

    def ids() -> list[int]:
        return list(psutil.pids())

    def parent(process: int) -> int | None:
        with contextlib.suppress(psutil.Error):
            return int(psutil.Process(process).ppid())
        return None

    def _mark_of(process: int) -> str | None:
        with contextlib.suppress(psutil.Error, OSError):
            return str(psutil.Process(process).environ().get(VARIABLE))
        return None


def marked(mark: str) -> Iterator[int]:
    """The processes that carry a mark, without the caller."""
    return (process for process in ids() if process != os.getpid() and _mark_of(process) == mark)


def kill(processes: Iterable[int]) -> int:
    """Kill processes; how many there were."""
    count = 0
    for process in processes:
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)
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
