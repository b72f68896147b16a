"""Processes of a run: whatever a cell does, its fault is named, the others end ok, and nothing is left running."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

import neurons
import tasks
from suite.runs import guardian, machine, processes
from suite.runs.execute import LocalExecutor
from suite.runs.record import Result
from suite.runs.user_files import UserFiles
from tasks import Cell, Value

FILE = Path(__file__).with_name("fake_task.py")
FILES = UserFiles(neurons=[str(FILE)])
QUICK = 20.0
"""Seconds within which a cell that takes no time is over, however busy the machine is."""


@pytest.fixture(autouse=True)
def _fake_tasks() -> Iterator[None]:
    before = dict(tasks.TASKS)
    neurons.load_file(FILE)
    yield
    tasks.TASKS.clear()
    tasks.TASKS.update(before)


def cells(mode: str, count: int = 1, task: str = "fake", **settings: Any) -> list[Cell]:
    own = {**tasks.get(task).settings, "mode": mode, **settings}
    return [Cell(task, "faked", "reference", 0, {**own, "number": number}) for number in range(count)]


MEASURED_BEFORE = [Value("value", 0.5, step=1)]


def before_the_end(log: Path) -> list[Value]:
    """What the fake cells had measured, each beside a log of its own."""
    return MEASURED_BEFORE if log.suffix == ".log" else []


class Runner:
    """Runs cells and keeps what was reported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results: list[tuple[Cell, Result]] = []
        self.stopping = False
        self.events: list[str] = []
        self.watch: Callable[[str], None] = lambda event: None

    def run(self, asked: list[Cell], time_limit: float = QUICK, stop_after: int | None = None) -> list[Result]:
        def note(event: str) -> None:
            self.events.append(event)
            self.watch(event)

        def finished(cell: Cell, result: Result) -> None:
            self.results.append((cell, result))
            note("finished")
            self.stopping = stop_after is not None and len(self.results) >= stop_after

        def log(cell: Cell) -> Path:
            return self.folder / f"{cell.settings['mode']}{cell.settings['number']}.log"

        def started(_: Sequence[Cell]) -> None:
            note("started")

        executor = LocalExecutor(time_limit, FILES, log, started, finished, lambda: self.stopping)
        executor.run(asked)
        return [result for _, result in self.results]


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def strays() -> list[psutil.Process]:
    """All that carry the mark but the server and the tracker."""
    found = []
    for each in guardian.marked(processes._mark()):
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [psutil.Process(each)] if guardian.parent(each) != os.getpid() else []
    return found


def left_over() -> list[psutil.Process]:
    """Processes of workers that still live."""
    time.sleep(0.1)
    return strays()


def lives(process: psutil.Process) -> bool:
    """Whether a process still runs a second from now; one that is killed is gone by then, or waits for its parent."""
    for _ in range(20):
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            return False
        time.sleep(0.05)
    return True


FAULTS = {
    "segfault": "the process was ended by SIGSEGV (Segmentation fault); it was at File",
    "abort": "in _oblivion; it printed last: before the end",
    "terminate": "the process was ended by SIGTERM (Terminated)",
    "kill": "the process was ended by SIGKILL: by a user, or by the kernel for want of memory",
    "exit": "the process ended with exit code 0 before its results were there",
    "sys.exit": "the process ended with exit code 3 before its results were there",
    "close": "before its results were there",
    "raise": "ValueError: the cause",
    "memory": "MemoryError",
    "text": "InvalidValueOfTask: value is '0.5', a str; a number is wanted",
    "tensor": "InvalidValueOfTask: value is tensor([1., 1., 1.]), a Tensor; a number is wanted",
    "function": "a function; a number is wanted",
    "none": "InvalidValueOfTask: value is None, a NoneType; a number is wanted",
}


@pytest.mark.parametrize("mode", FAULTS)
def test_a_fault_is_named_and_the_others_go_on(mode: str, runner: Runner) -> None:
    runner.run([*cells(mode), *cells("ok", 2)])
    ended = {(cell.settings["mode"], cell.settings["number"]): result for cell, result in runner.results}
    assert [ended["ok", number].status for number in (0, 1)] == ["ok", "ok"]
    assert ended[mode, 0].status == "failed"
    assert FAULTS[mode] in ended[mode, 0].detail
    assert len(ended[mode, 0].detail.splitlines()) == 1
    assert not left_over()


@pytest.mark.parametrize("mode", ["nan", "infinite"])
def test_a_value_that_is_not_finite_is_named(mode: str, runner: Runner) -> None:
    (result,) = runner.run(cells(mode))
    assert result.status == "nonfinite"
    assert result.detail.startswith("value is ")


@pytest.mark.slow
def test_what_hangs_ends_at_its_limit(runner: Runner) -> None:
    """One that waits for ever, one that is stopped; a fast cell has time to end on a busy machine, too."""
    runner.run([*cells("hang"), *cells("stop"), *cells("ok")], time_limit=10)
    ended = {cell.settings["mode"]: result for cell, result in runner.results}
    assert {mode: result.status for mode, result in ended.items()} == {"hang": "timeout", "stop": "timeout", "ok": "ok"}
    assert all(ended[m].detail.startswith("not done after 10 s; --time-limit allows more") for m in ("hang", "stop"))
    assert not left_over()


@pytest.mark.parametrize("mode", ["thread", "child", "daemon", "program", "fork"])
@pytest.mark.parametrize("task", ["fake", "fake_alone"])
def test_what_a_cell_leaves_behind_holds_nothing_and_is_ended(mode: str, task: str, runner: Runner) -> None:
    started = time.monotonic()
    results = runner.run(cells(mode, 2, task), time_limit=600)
    assert time.monotonic() - started < 300, "the slot was held until the limit"
    assert [result.status for result in results] == ["ok", "ok"]
    assert not left_over()


@pytest.mark.parametrize("mode", ["child", "daemon", "program"])
def test_a_cell_of_its_own_begins_when_nothing_of_the_one_before_is_left(mode: str, runner: Runner) -> None:
    present: list[psutil.Process] = []
    stayed: list[psutil.Process] = []

    def watch(event: str) -> None:
        if event == "started":
            stayed.extend(each for each in present if lives(each))
        else:
            present[:] = strays()

    runner.watch = watch
    results = runner.run(cells(mode, 3, "fake_alone"))
    assert [result.status for result in results] == ["ok"] * 3
    assert stayed == []


def test_output_goes_to_a_log_and_its_end_into_the_result(
    runner: Runner, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (result,) = runner.run(cells("print"))
    assert result.output == "text of the cell\ntext of a library\n"
    assert (tmp_path / "print0.log").read_text() == result.output
    assert "text of" not in "".join(capfd.readouterr())


def test_much_output_is_cut_in_the_result_alone(runner: Runner, tmp_path: Path) -> None:
    (result,) = runner.run(cells("noise"))
    assert result.status == "ok"
    assert 0 < len(result.output) <= 4000
    assert (tmp_path / "noise0.log").stat().st_size == 20 * 100_001


def test_a_cell_that_prints_nothing_leaves_no_log(runner: Runner, tmp_path: Path) -> None:
    runner.run(cells("ok"))
    assert not list(tmp_path.glob("*.log"))


def test_a_batch_that_dies_is_run_again_one_by_one(runner: Runner) -> None:
    asked = cells("ok", 4, batch=8)
    asked[2] = cells("segfault", 3, batch=8)[2]
    runner.run(asked)
    ended = {cell.settings["number"]: result.status for cell, result in runner.results}
    assert ended == {0: "ok", 1: "ok", 2: "failed", 3: "ok"}
    assert len(runner.results) == 4, "each cell is reported once"


def test_a_batch_has_the_time_of_all_its_cells(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three cells of at most 100 s each may take 300 s; nothing is run."""
    executor = LocalExecutor(
        100.0, FILES, lambda cell: runner.folder / "log", lambda _: None, lambda *_: None, lambda: False
    )
    monkeypatch.setattr(executor.pool, "assign", lambda assignment: None)
    before = time.monotonic()
    job = executor._start(cells("ok", 3, batch=3), "cpu", threads=1, alone=False)
    assert before + 300 <= job.deadline <= time.monotonic() + 300


def test_large_results_pass_while_the_parent_is_slow(runner: Runner) -> None:
    results = runner.run(cells("ok", 3, batch=8, values=60_000), time_limit=200)
    assert [len(result.values) for result in results] == [60_001] * 3


def test_side_by_side_on_one_thread_and_alone_on_all(runner: Runner) -> None:
    runner.run([*cells("threads", 1), *cells("threads", 1, "fake_alone")])
    found = {cell.task: result.values[1].value for cell, result in runner.results}
    assert found == {"fake": 1, "fake_alone": machine.usable_cores()}


def test_cells_of_their_own_never_overlap(runner: Runner) -> None:
    runner.run(cells("clock", 3, "fake_alone", seconds=0.2))
    assert runner.events == ["started", "finished"] * 3, "the next is started when the last is over"
    spans = sorted((result.values[0].value, result.values[1].value) for _, result in runner.results)
    assert all(end - begin >= 0.2 for begin, end in spans)
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(spans))


def test_a_request_to_stop_ends_the_run_with_what_has_arrived(runner: Runner) -> None:
    results = runner.run([*cells("ok"), *cells("hang", 4)], time_limit=600, stop_after=1)
    assert [result.status for result in results] == ["ok"]
    assert not left_over()


def test_a_file_that_fails_in_workers_alone_is_in_the_result(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text(
        "import multiprocessing\n"
        "if multiprocessing.parent_process() is not None:\n    raise RuntimeError('only in workers')\n"
    )
    found: list[Result] = []
    executor = LocalExecutor(
        QUICK,
        UserFiles(neurons=[str(tmp_path / "late.py")]),
        lambda _: tmp_path / "log",
        lambda _: None,
        lambda _, result: found.append(result),
        lambda: False,
    )
    executor.run(cells("ok"))
    assert [result.status for result in found] == ["failed"]
    assert "only in workers" in found[0].detail + found[0].traceback


def test_lack_of_memory_is_suspected_where_the_kernel_counts_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    counter = tmp_path / "memory.events"
    counter.write_text("low 0\noom 1\noom_kill 3\n")
    monkeypatch.setattr(processes, "MEMORY_COUNTS", (counter, tmp_path / "missing"))
    assert processes.memory_kills() == 3
    assert "for want of memory" in processes.cause_of_death(-9, kills_before=3)
    counter.write_text("oom_kill 4\n")
    assert "the kernel says that memory ran out" in processes.cause_of_death(-9, kills_before=3)
    assert "memory" not in processes.cause_of_death(-11, kills_before=3)


def test_a_run_with_nothing_left_to_do_ends(runner: Runner) -> None:
    assert runner.run([]) == []


def test_what_a_cell_had_measured_is_kept_when_it_is_cut_off(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one that raises, dies or overruns its time; one that ends has its own values."""
    monkeypatch.setattr(tasks.get("fake"), "unfinished", before_the_end)
    runner.run([*cells("raise"), *cells("abort"), *cells("ok")])
    runner.run(cells("hang"), time_limit=1.0)
    ended = {cell.settings["mode"]: result for cell, result in runner.results}
    assert {mode: own.status for mode, own in ended.items()} == {
        **dict.fromkeys(("raise", "abort"), "failed"),
        **{"hang": "timeout", "ok": "ok"},
    }
    assert {mode for mode, own in ended.items() if own.values == MEASURED_BEFORE} == {"raise", "abort", "hang"}
