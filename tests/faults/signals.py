"""The run is ended from outside."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

from tests.faults.run import Fault, Outcome, Run, again

SERVER_AND_WORKERS = 3


def while_running(folder: Path, number: int, times: int = 1) -> Outcome:
    run = Run(folder / "run", cells=30, seconds=0.3).start().wait_for(3)
    for _ in range(times):
        run.stored()
        os.killpg(run.running.pid, number)
        time.sleep(0.05)
    return run.end()


def while_beginning(folder: Path, seconds: float) -> Outcome:
    run = Run(folder / "run", seconds=60).start()
    time.sleep(seconds)
    os.killpg(run.running.pid, signal.SIGINT)
    return run.end()


def while_reporting(folder: Path) -> Outcome:
    run = Run(folder / "run").start()
    run.wait_until((run.out / "results.csv").exists)
    run.wait_until((run.out / "report").exists)
    run.stored()
    os.killpg(run.running.pid, signal.SIGINT)
    return run.end()


def killed(folder: Path, mode: str) -> Outcome:
    run = Run(folder / "run", cells=30, seconds=30, mode=mode).start()
    run.wait_until(lambda: len(run.family()) >= SERVER_AND_WORKERS)
    run.stored()
    os.kill(run.running.pid, signal.SIGKILL)
    return run.end()


def resumed(folder: Path) -> Outcome:
    run = Run(folder / "run", cells=8, seconds=0.3).start().wait_for(3)
    os.kill(run.running.pid, signal.SIGKILL)
    run.running.communicate()
    before = run.stored()
    return again(run).end(before)


def two_at_once(folder: Path) -> Outcome:
    first = Run(folder / "run", cells=4, seconds=20).start()
    first.wait_until((first.out / "plan.json").exists)
    outcome = again(first).end()
    os.killpg(first.running.pid, signal.SIGTERM)
    first.running.communicate()
    return outcome


FAULTS = [
    Fault("ctrl-c", "Ctrl-C while cells run", partial(while_running, number=signal.SIGINT)),
    Fault("ctrl-c-twice", "Ctrl-C twice", partial(while_running, number=signal.SIGINT, times=2)),
    Fault("sigterm", "SIGTERM", partial(while_running, number=signal.SIGTERM)),
    Fault("sighup", "the terminal is closed (SIGHUP)", partial(while_running, number=signal.SIGHUP)),
    Fault("ctrl-c-imports", "Ctrl-C during the imports", partial(while_beginning, seconds=0.5)),
    Fault("ctrl-c-server", "Ctrl-C while the first worker is prepared", partial(while_beginning, seconds=5.0)),
    Fault("ctrl-c-report", "Ctrl-C while the report is made", while_reporting),
    Fault("kill", "kill -9 of the run, cells at work", partial(killed, mode="ok")),
    Fault("kill-hanging", "kill -9 of the run, cells hang", partial(killed, mode="hang")),
    Fault("kill-children", "kill -9 of the run, cells have started daemons", partial(killed, mode="daemon")),
    Fault("resume", "kill -9, then the same line again", resumed),
    Fault("two-runs", "a second run into the directory of a running one", two_at_once),
]
