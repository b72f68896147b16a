"""The end of a run by a signal, at any time: one line, the shell's exit code, what was measured kept, nobody left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from suite.runs import guardian, interrupt
from suite.runs.interrupt import StopRequest
from suite.runs.store import read_results
from tests.conftest import REPOSITORY
from tests.faults.run import environments

FILE = Path(__file__).with_name("fake_task.py")
DEADLINE = 120.0


class Run:
    """A run of fake cells in a process group of its own, which the test's signals reach as a terminal's do."""

    def __init__(self, out: Path, cells: int, seconds: float, mode: str = "ok") -> None:
        self.out = out
        arguments = ["--neurons", "faked", "--backends", "reference", "--tasks", "fake", "--profile", "smoke"]
        settings = ["--set", f"mode={mode}", "--set", f"seconds={seconds}"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "suite", "run", "--neuron-file", FILE, *arguments, *settings, "--out", out],
            cwd=REPOSITORY,
            env={**os.environ, "FAKE_CELLS": str(cells)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_for(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not happened():
            assert time.monotonic() < deadline
            assert self.process.poll() is None, self.process.stderr
            time.sleep(0.02)

    def measured(self) -> int:
        return len(list((self.out / "cells").glob("*.json")))

    def send(self, number: int) -> None:
        os.killpg(self.process.pid, number)

    def end(self) -> tuple[int, list[str]]:
        """The exit code and the lines of the error output, without the display's."""
        _, errors = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, [line for line in errors.splitlines() if " cells · " not in line]

    def family(self) -> list[psutil.Process]:
        """What it started and what still lives."""
        mark = f"{self.process.pid}-"
        return [each for each, own in environments() if own.get(guardian.VARIABLE, "").startswith(mark)]

    def left_over(self) -> list[psutil.Process]:
        """What still lives a while after its end."""
        deadline = time.monotonic() + 30
        while (left := self.family()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def start(cells: int = 40, seconds: float = 0.3, mode: str = "ok") -> Run:
        runs.append(Run(tmp_path / "run", cells, seconds, mode))
        return runs[-1]

    yield start
    for run in runs:
        for each in [run.process, *run.family()]:
            each.kill()
        run.process.wait()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "times"),
    [(signal.SIGINT, 130, 1), (signal.SIGTERM, 143, 1), (signal.SIGHUP, 129, 1), (signal.SIGINT, 130, 2)],
    ids=str,
)
def test_while_cells_run(number: int, code: int, times: int, start: Callable[..., Run]) -> None:
    run = start()
    run.wait_for(lambda: run.measured() >= 3)
    for _ in range(times):
        run.send(number)
        time.sleep(0.05)
    ended, lines = run.end()
    assert ended == code
    assert lines == [f"interrupted; the same line again goes on from here (run directory {run.out})"]
    assert 3 <= len(read_results(run.out).cell.unique()) < 40
    assert (run.out / "results.parquet").exists()
    assert not list(run.out.rglob("*.tmp"))
    assert not run.left_over()


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.4, 4.0])
def test_while_it_begins(seconds: float, start: Callable[..., Run]) -> None:
    run = start(cells=4, seconds=60)
    time.sleep(seconds)
    run.send(signal.SIGINT)
    code, lines = run.end()
    assert code == 130
    assert len(lines) == 1
    assert lines[0].startswith("interrupted")
    assert not run.left_over()


@pytest.mark.slow
def test_while_the_report_is_made(start: Callable[..., Run]) -> None:
    run = start(cells=1, seconds=0)
    run.wait_for((run.out / "results.csv").exists)
    run.wait_for((run.out / "report").exists)
    run.send(signal.SIGINT)
    code, lines = run.end()
    assert code == 130
    assert lines == [
        f"making the report of {run.out} …",
        f"interrupted; the rows are written, and `python -m suite report {run.out}` makes the page",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["hang", "daemon"])
def test_killed_it_leaves_nobody(mode: str, start: Callable[..., Run]) -> None:
    run = start(cells=6, seconds=3, mode=mode)
    workers = 2 + 1  # of one batch each, or what they started, beside the server
    run.wait_for(lambda: len(run.family()) >= workers)
    os.kill(run.process.pid, signal.SIGKILL)
    run.process.wait()
    assert not run.left_over()


@pytest.mark.parametrize("number", interrupt.SIGNALS, ids=str)
def test_a_signal_before_a_worker_has_its_session_is_for_the_run(number: signal.Signals) -> None:
    """It waits, because the server's children begin with signals blocked, and is dropped; a later one is taken."""
    program = f"""if True:
        import os, signal
        from suite.runs.interrupt import SIGNALS
        from suite.runs import processes
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        os.kill(os.getpid(), {int(number)})
        processes.enter_session()
        print("lives", flush=True)
        os.kill(os.getpid(), {int(number)})
        print("lives on", flush=True)
    """
    done = subprocess.run([sys.executable, "-c", program], check=False, cwd=REPOSITORY, capture_output=True, text=True)
    ignored = number == signal.SIGINT
    assert (done.returncode, done.stdout) == ((0, "lives\nlives on\n") if ignored else (-number, "lives\n"))


def test_in_another_program_signals_stay_as_they_were() -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopRequest("never"):
        assert signal.getsignal(signal.SIGINT) is before


def test_a_key_pressed_twice_is_one_request_and_a_later_one_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt, "_program", True)
    ended: list[int] = []
    monkeypatch.setattr(interrupt, "_end", lambda number, message: ended.append(number))
    times = iter([100.0, 100.5, 110.0])
    monkeypatch.setattr(interrupt.time, "monotonic", lambda: next(times))
    with StopRequest("never") as stop:
        stop.orderly = True
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)
    assert stop.signal == signal.SIGTERM
    assert ended == [signal.SIGTERM]


def test_with_nothing_to_put_in_order_the_first_signal_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt, "_program", True)
    ended: list[int] = []
    monkeypatch.setattr(interrupt, "_end", lambda number, message: ended.append(number))
    with StopRequest("never"):
        signal.raise_signal(signal.SIGINT)
    assert ended == [signal.SIGINT]
