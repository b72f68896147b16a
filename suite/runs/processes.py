"""The processes of a run: how they are started, known again, and ended with all that they started themselves.

All workers are forked from one server (`forkserver`), which carries a mark in its environment, as everything that is
forked or started from it does. A guardian ends what carries the mark once this process is gone.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.forkserver
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from suite.runs import guardian
from suite.runs.interrupt import SIGNALS

PRELOADED = ["suite.runs.worker", "torch._dynamo", "sklearn.datasets"]
"""Imported once and shared by fork; an optimiser and a data set of scikit-learn cost each process 2.3 s otherwise."""
MEMORY_COUNTS = tuple(
    Path(path) for path in ("/proc/vmstat", "/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
)
"""Where Linux counts the processes that it ended for want of memory: on the machine, and in this control group."""
GRACE = 1.0
"""Seconds that a worker may take to end by itself after its last result."""


@cache
def context() -> ForkServerContext:
    """The way to start workers, with the server and the guardian running."""
    mark = _mark()
    command = [sys.executable, "-P", guardian.__file__, mark]
    _guardians.append(subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True))
    multiprocessing.set_forkserver_preload(PRELOADED)
    return multiprocessing.get_context("forkserver")


_guardians: list[subprocess.Popen[bytes]] = []
"""Kept, so that their standard input stays open as long as this process lives."""


@cache
def _mark() -> str:
    return f"{os.getpid()}-{secrets.token_hex(8)}"


def start(process: BaseProcess) -> None:
    """Start a process of `context()`, and the server if it does not run.

    The server imports by this process's path and never from the working directory, where a file may have the name of
    a package. Signals of the terminal do not reach it: this process alone decides what they end.
    """
    paths = os.pathsep.join(os.path.abspath(path) for path in sys.path)
    with _signals_blocked():
        resource_tracker.ensure_running()  # first and alone, because it unblocks some signals when it has started
    # Torch then counts cards without starting CUDA, which a process that workers are forked from must not do.
    counted = {"PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
    own = {"PYTHONPATH": paths, "PYTHONSAFEPATH": "1", guardian.VARIABLE: _mark(), **counted}
    with _environment(**own), _signals_blocked():
        multiprocessing.forkserver.ensure_running()
    with _main_hidden():
        process.start()


@contextlib.contextmanager
def _main_hidden() -> Iterator[None]:
    """A worker does not import the program that this process runs: a user's script would start its run again there."""
    own: dict[str, Any] = vars(sys.modules["__main__"])
    before: dict[str, Any] = {name: own[name] for name in ("__file__", "__spec__") if name in own}
    own.update(dict.fromkeys(before))
    try:
        yield
    finally:
        own.update(before)


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """What is started meanwhile has these signals blocked for good; those that come are handled here afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def enter_session() -> None:
    """In a worker: lead a session of its own, by which its children are known, and take signals again.

    What the terminal sent while the worker was still of the run's session was for the run, and is dropped.
    """
    os.setsid()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # drops what waits
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    for number in set(SIGNALS) - {signal.SIGINT}:
        signal.signal(number, signal.SIG_DFL)


def end(process: BaseProcess, grace: float = 0.0) -> None:
    """End a worker and what it started; it may take `grace` seconds to end by itself."""
    if grace:
        process.join(grace)
    for each in _family(process):
        with contextlib.suppress(OSError):
            os.kill(each, signal.SIGKILL)
    process.join()


def _family(process: BaseProcess) -> list[int]:
    """The ids of a worker, if it lives, of its descendants, and of what is left of its session."""
    there = guardian.ids()
    family: set[int] = set()
    if process.exitcode is None and process.pid in there:  # else its id may be another's by now
        family = _descendants(process.pid, there)
    for each in there:
        with contextlib.suppress(OSError):
            if os.getsid(each) == process.pid:
                family.add(each)
    return list(family)


def _descendants(leader: int, there: Iterable[int]) -> set[int]:
    """A process and all that it started, and these started, of those that are there."""
    started: dict[int | None, list[int]] = {}
    for each in there:
        started.setdefault(guardian.parent(each), []).append(each)
    family, open_ones = {leader}, [leader]
    while open_ones:
        new = set(started.get(open_ones.pop(), ())) - family
        family |= new
        open_ones += new
    return family


def started_by(process: BaseProcess) -> bool:
    """Whether something else of a worker's session lives: what it started and did not end."""
    for each in guardian.ids():
        with contextlib.suppress(OSError):
            if each != process.pid and os.getsid(each) == process.pid:
                return True
    return False


def end_strays() -> None:
    """While no worker runs: end what workers left behind, even if it took a session of its own."""
    own = os.getpid()
    guardian.kill([each for each in guardian.marked(_mark()) if guardian.parent(each) != own])


def cause_of_death(exit_code: int | None, kills_before: int) -> str:
    """Why a process ended before its results were there.

    Args:
        exit_code: as multiprocessing gives it, minus the signal that ended the process.
        kills_before: `memory_kills()` when it was started.
    """
    if exit_code is None or exit_code >= 0:
        return f"the process ended with exit code {exit_code} before its results were there"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    text = f"the process was ended by {name}"
    if name != "SIGKILL":
        return f"{text} ({signal.strsignal(-exit_code)})"
    if memory_kills() > kills_before:
        return f"{text}: the kernel says that memory ran out; smaller settings or fewer cores need less"
    return f"{text}: by a user, or by the kernel for want of memory, of which it says nothing here"


def memory_kills() -> int:
    """How many processes the kernel has ended so far because memory ran out, here or in this control group."""
    count = 0
    for path in MEMORY_COUNTS:
        with contextlib.suppress(OSError, ValueError):
            lines = (line.split() for line in path.read_text().splitlines())
            count += sum(int(words[1]) for words in lines if words and words[0] == "oom_kill")
    return count
